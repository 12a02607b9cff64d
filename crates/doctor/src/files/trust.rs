//! The file of authorities that are to be believed about the server.

use std::path::Path;

use gridmq_tls::time::Utc;
use gridmq_tls::{Certificate, Finding, Id, Severity, pem};

use crate::profile::Profile;
use crate::report::StageReport;

use super::{chain, disk};

/// How many certificates of a file get a line.
const MAX_LINES: usize = 3;

pub(super) fn check(path: &Path, leaf: Option<&Certificate>, profile: &Profile, now: u64, stage: &mut StageReport) {
    let about = path.display().to_string();
    let bytes = match disk::read(path) {
        Ok(bytes) => bytes,
        Err(finding) => return stage.found(finding),
    };
    let found = match Certificate::from_der(&bytes) {
        Ok(certificate) => Ok(vec![certificate]),
        Err(_) => pem::certificates(&bytes),
    };
    let certificates = match found {
        Ok(certificates) => certificates,
        Err(error) => {
            let known = gridmq_tls::classify::classify(&bytes).findings(&about);
            let error_of = |finding: &Finding| finding.severity == Severity::Error;
            let finding = known.into_iter().find(error_of).unwrap_or_else(|| {
                let fix = "give the certificates of the authorities that issued the server's certificate";
                Finding::new(Id::A22, Severity::Error, about, format!("it cannot be used as trust: {error}"), fix)
            });
            return stage.found(finding);
        }
    };
    for finding in gridmq_tls::classify::classify(&bytes).findings(&about) {
        stage.found(finding);
    }
    let count = certificates.len();
    let first = certificates.iter().take(MAX_LINES).map(|one| chain::line(one, now)).collect::<Vec<_>>().join("; ");
    let more = if count > MAX_LINES { format!("; and {} more", count - MAX_LINES) } else { String::new() };
    stage.lines.push(format!("{about}: trust for the server: {first}{more}"));
    for expired in certificates.iter().filter(|one| now > one.not_after()) {
        let why = format!("{} in it expired on {}, so it leads nowhere", expired.subject(), Utc(expired.not_after()));
        stage.found(Finding::new(Id::D03, Severity::Warning, about.clone(), why, profile.fix(Id::D03)));
    }
    let Some(leaf) = leaf else { return };
    // A broker of one's own often has both from one CA; a public service never has.
    let issuer = certificates.iter().find(|one| one.can_issue() && one.subject() == leaf.issuer());
    if let Some(issuer) = issuer
        && is_public(profile)
    {
        let why = format!(
            "{} in it issued the client certificate; whom to believe about the server is another question, and {} has a \
             public certificate",
            issuer.subject(),
            profile.title
        );
        stage.found(Finding::new(Id::D02, Severity::Warning, about, why, profile.fix(Id::D02)));
    }
}

/// Services whose servers have certificates of public authorities.
fn is_public(profile: &Profile) -> bool {
    ["azure-event-grid", "azure-iot-hub", "aws-iot", "hivemq-cloud"].contains(&profile.name.as_str())
}
