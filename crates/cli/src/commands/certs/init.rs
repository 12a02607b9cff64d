//! `gridmq certs init`.

use std::path::{Path, PathBuf};

use clap::Args;
use gridmq_tls::issue::{CertificateAuthority, IssueError, Validity};
use serde_json::json;

use super::{CA_DAYS, INTERMEDIATE, ROOT};
use crate::error::Outcome;
use crate::files::{self, Existing, NewFiles};
use crate::{output, utc};

/// Make a root and an intermediate authority
///
/// Writes root-ca.pem, root-ca.key, intermediate-ca.pem and intermediate-ca.key. Nothing that exists is overwritten
/// without --force.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridmq certs init --dir ca")]
pub(super) struct Arguments {
    /// The directory to write to; it is made if need be
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What the authorities are called, before "Root CA" and "Intermediate CA"
    #[arg(long, value_name = "NAME", default_value = "GridMQ Development")]
    name: String,
    /// How long they are valid, in days
    #[arg(long, value_name = "DAYS", default_value_t = CA_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Replace an authority that is there; what it issued is then worth nothing
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { dir, name, days, force, json } = arguments;
    let authority = Authority::new(name, Validity::days(utc::now(), *days))?;
    files::make_directory(dir)?;
    let mut new = NewFiles::default();
    authority.add_to(&mut new, dir);
    new.write(if *force { Existing::Replace } else { Existing::Refuse })?;

    let expires = utc::date(authority.intermediate.certificate().not_after());
    let path = |name: &str| files::shown(&dir.join(name));
    if *json {
        return output::json(&json!({
            "root": { "certificate": path("root-ca.pem"), "key": path("root-ca.key") },
            "intermediate": { "certificate": path("intermediate-ca.pem"), "key": path("intermediate-ca.key") },
            "notAfter": expires,
        }));
    }
    let style = output::Style::stdout();
    output::line(&style.mark(
        true,
        &format!("root {} (trust this): {}", authority.root.certificate().subject(), path("root-ca.pem")),
    ))?;
    output::line(&style.mark(
        true,
        &format!(
            "intermediate {} (register this with Event Grid): {}, valid to {expires}",
            authority.intermediate.certificate().subject(),
            path("intermediate-ca.pem")
        ),
    ))?;
    output::line(&format!("Next: gridmq certs issue --dir {} --name device1", dir.display()))
}

/// A root and the intermediate under it.
pub(crate) struct Authority {
    pub(crate) root: CertificateAuthority,
    pub(crate) intermediate: CertificateAuthority,
}

impl Authority {
    pub(crate) fn new(name: &str, validity: Validity) -> Result<Self, IssueError> {
        let root = CertificateAuthority::new_root(&format!("{name} Root CA"), validity)?;
        let intermediate = root.intermediate(&format!("{name} Intermediate CA"), validity)?;
        Ok(Self { root, intermediate })
    }

    pub(crate) fn add_to(&self, files: &mut NewFiles, dir: &Path) {
        for (name, authority) in [(ROOT, &self.root), (INTERMEDIATE, &self.intermediate)] {
            files.add(dir.join(format!("{name}.pem")), authority.certificate_pem());
            files.add_secret(dir.join(format!("{name}.key")), authority.key_pem());
        }
    }
}
