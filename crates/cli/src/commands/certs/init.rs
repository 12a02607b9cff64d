//! `gridmq certs init`.

use std::path::{Path, PathBuf};

use clap::Args;
use gridmq_tls::convert::{self, Salt};
use gridmq_tls::issue::{AuthorityRequest, CertificateAuthority, IssueError, KeyType, Subtree, Validity};
use gridmq_tls::passphrase::Passphrase;
use serde_json::json;

use super::{CA_DAYS, INTERMEDIATE, ROOT, duration, existing, names, passphrase};
use crate::error::{Failure, Outcome};
use crate::files::{self, NewFiles};
use crate::{output, utc};

/// Make a root and an intermediate authority
///
/// Writes root-ca.pem, root-ca.key, intermediate-ca.pem and intermediate-ca.key. Nothing that exists is overwritten
/// without --force.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq certs init --dir ca\n\n  \
    gridmq certs init --dir plant --key-type ec-p384 --validity 20y \\\n    \
    --name-constraint dns:plant.example.org \\\n    --name-constraint ip:10.0.0.0/8")]
pub(super) struct Arguments {
    /// The directory to write to; it is made if need be
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What the authorities are called, before "Root CA" and "Intermediate CA"
    #[arg(long, value_name = "NAME", default_value = "GridMQ Development", value_parser = names::authority_name)]
    name: String,
    /// The kind of their keys: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "TYPE", default_value_t)]
    key_type: KeyType,
    /// How long they are valid, in days
    #[arg(long, value_name = "DAYS", default_value_t = CA_DAYS, value_parser = duration::days)]
    days: u32,
    /// How long they are valid, such as 20y, 90d or 12h
    #[arg(long, value_name = "TIME", conflicts_with = "days", value_parser = duration::parse)]
    validity: Option<u64>,
    /// Names that may be certified, such as dns:example.org, email:example.org or ip:10.0.0.0/8; may be repeated
    #[arg(long, value_name = "KIND:NAME")]
    name_constraint: Vec<Subtree>,
    /// Encrypt both private keys
    #[arg(long)]
    encrypt: bool,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Replace an authority that is there; what it issued is then worth nothing
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { dir, name, force, json, .. } = arguments;
    let seconds = arguments.validity.unwrap_or_else(|| u64::from(arguments.days) * 86_400);
    let request = |title: &str| {
        arguments
            .name_constraint
            .iter()
            .cloned()
            .fold(AuthorityRequest::new(&format!("{name} {title}")), AuthorityRequest::permit)
            .key_type(arguments.key_type)
    };
    let validity = Validity::seconds(utc::now(), seconds);
    let root = CertificateAuthority::root(&request("Root CA"), validity)?;
    let intermediate = root.authority(&request("Intermediate CA").path_length(0), validity)?;
    let authority = Authority { root, intermediate };

    let secret = match arguments.encrypt {
        true => Some(arguments.passphrase.new_passphrase("the authority's keys")?),
        false => None,
    };
    files::make_directory(dir)?;
    let mut new = NewFiles::default();
    authority.add_encrypted_to(&mut new, dir, secret.as_ref())?;
    new.write(existing(*force))?;

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
        for (name, authority) in self.both() {
            files.add(dir.join(format!("{name}.pem")), authority.certificate_pem());
            files.add_secret(dir.join(format!("{name}.key")), authority.key_pem().as_bytes());
        }
    }

    fn add_encrypted_to(&self, files: &mut NewFiles, dir: &Path, secret: Option<&Passphrase>) -> Result<(), Failure> {
        let Some(secret) = secret else {
            self.add_to(files, dir);
            return Ok(());
        };
        for (name, authority) in self.both() {
            files.add(dir.join(format!("{name}.pem")), authority.certificate_pem());
            let key = convert::encrypt_key(&authority.key_pkcs8(), secret.expose(), Salt::random()?)?;
            files.add_secret(dir.join(format!("{name}.key")), key);
        }
        Ok(())
    }

    const fn both(&self) -> [(&'static str, &CertificateAuthority); 2] {
        [(ROOT, &self.root), (INTERMEDIATE, &self.intermediate)]
    }
}
