//! `gridmq certs revoke`.

use std::path::PathBuf;

use clap::Args;
use gridmq_tls::Certificate;
use gridmq_tls::issue::Reason;
use serde_json::json;

use super::{INTERMEDIATE, ROOT, authority};
use crate::error::{Failure, Outcome};
use crate::files::{self, Existing, NewFiles};
use crate::{output, utc};

/// Take certificates back
///
/// Enters them into the register beside the authority (intermediate-ca.revoked). Peers learn of it from the list that
/// gridmq certs crl makes next.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs revoke --dir ca ca/device1.pem --reason key-compromise\n  \
    gridmq certs crl --dir ca")]
pub(super) struct Arguments {
    /// The directory that gridmq certs init filled
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Files of certificates; of each the first certificate is taken back
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Why: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation or
    /// privilege-withdrawn
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    reason: Reason,
    /// Say what was done as JSON, a line for each file
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { dir, files: paths, reason, json } = arguments;
    let now = utc::now();
    let mut issuers = Vec::new();
    for name in [INTERMEDIATE, ROOT] {
        let path = dir.join(format!("{name}.pem"));
        if path.exists() {
            let certificates = super::certificates(&path, None)?;
            issuers.extend(certificates.into_iter().next().map(|issuer| (name, issuer)));
        }
    }
    let lock = authority::lock(dir);
    let mut registers = Vec::new();
    let mut said = Vec::new();
    for path in paths {
        let certificates = super::certificates(path, None)?;
        let Some(certificate) = certificates.first() else { continue };
        let name = issuer_of(certificate, &issuers).ok_or_else(|| {
            Failure::failed(format!(
                "{}: {} was issued by {}, which is no authority of {}: take it back where it came from",
                files::shown(path),
                certificate.subject(),
                certificate.issuer(),
                files::shown(dir)
            ))
        })?;
        if !registers.iter().any(|(known, _)| *known == name) {
            registers.push((name, authority::register(dir, name)?));
        }
        let Some((_, register)) = registers.iter_mut().find(|(known, _)| *known == name) else { continue };
        said.push((path, certificate.clone(), register.revoke(certificate, now, *reason)?));
    }
    let mut new = NewFiles::default();
    for (name, register) in &registers {
        new.add_changing(dir.join(format!("{name}.revoked")), register.to_text());
    }
    new.write(Existing::Refuse)?;
    drop(lock);
    for (path, certificate, is_new) in said {
        let (subject, serial) = (certificate.subject().to_string(), certificate.serial().to_owned());
        if *json {
            output::json(&json!({
                "file": path.display().to_string(), "subject": subject, "serial": serial, "reason": reason.name(),
                "alreadyRevoked": !is_new,
            }))?;
            continue;
        }
        let what = if is_new { "taken back" } else { "was taken back before" };
        output::line(&output::Style::stdout().mark(true, &format!("{subject} {what} (serial {serial})")))?;
    }
    if *json {
        return Ok(());
    }
    for (name, _) in registers {
        let issuer = if name == ROOT { " --issuer root" } else { "" };
        let force = if dir.join(format!("{name}.crl")).exists() { " --force" } else { "" };
        output::line(&format!("Next: gridmq certs crl --dir {}{issuer}{force}", dir.display()))?;
    }
    Ok(())
}

fn issuer_of(certificate: &Certificate, issuers: &[(&'static str, Certificate)]) -> Option<&'static str> {
    let issued = |issuer: &Certificate| {
        certificate != issuer
            && certificate.issuer() == issuer.subject()
            && match (certificate.authority_key_id(), issuer.subject_key_id()) {
                (Some(named), Some(actual)) => named == actual,
                _ => true,
            }
    };
    issuers.iter().find(|(_, issuer)| issued(issuer)).map(|(name, _)| *name)
}
