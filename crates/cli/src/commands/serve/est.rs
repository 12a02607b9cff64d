//! Enrolment of certificates (RFC 7030) beside the broker.

use std::path::Path;
use std::sync::Arc;

use gridmq_http::est::{EstServer, Policy, SubjectRule, Users};
use gridmq_tls::credentials::WatchedFiles;
use gridmq_tls::est::Label;
use gridmq_tls::issue::Revocations;
use gridmq_tls::{Certificate, pem};

use super::https::Running;
use crate::commands::certs::{self, INTERMEDIATE, ROOT};
use crate::config::{Address, Est};
use crate::error::{Failure, Outcome};
use crate::files;

const PORT: u16 = 9443;
const MAX_USERS_BYTES: u64 = 4 * 1024 * 1024;
const MAX_REGISTER_BYTES: u64 = 16 * 1024 * 1024;

/// Starts what `[est]` says; nothing without that section. The server's certificate is the broker's.
pub(super) async fn start(est: Option<&Est>, certificate: Option<&Arc<WatchedFiles>>) -> Result<Running, Failure> {
    let mut running = Running::default();
    let Some(est) = est else { return Ok(running) };
    let certificate = certificate.ok_or_else(no_certificate)?;
    let server = server(est)?;
    let default = [Address::loopback(PORT)];
    for address in est.listen.as_deref().unwrap_or(&default).iter().flat_map(Address::addresses) {
        running.serve(*address, Some(certificate), "EST", server.router()).await?;
    }
    Ok(running)
}

/// Reads what `[est]` names, and starts nothing.
pub(super) fn check(est: Option<&Est>, certificate: bool) -> Outcome {
    let Some(est) = est else { return Ok(()) };
    if !certificate {
        return Err(no_certificate());
    }
    server(est).map(drop)
}

fn no_certificate() -> Failure {
    Failure::usage("[est] needs a server's certificate: give cert and key, such as those of gridmq certs issue")
}

fn server(est: &Est) -> Result<Arc<EstServer>, Failure> {
    let ca = est.ca.as_deref().ok_or_else(|| Failure::usage("[est] needs ca"))?;
    let authority = certs::load(ca, INTERMEDIATE)?;
    let root = certificates(&ca.join(format!("{ROOT}.pem")), "the root's certificate")?;
    let policy = Policy::default().validity(est.validity.0);
    let policy = if est.any_subject { policy.subject(SubjectRule::Any) } else { policy };
    let policy = match est.key_type {
        Some(key) => policy.key(key),
        None => policy,
    };
    let register = ca.join(format!("{INTERMEDIATE}.revoked"));
    let mut builder = EstServer::builder(authority)
        .above(root)
        .policy(policy)
        .barred(Arc::new(move |certificate| is_revoked(&register, certificate)));
    if let Some(path) = &est.users {
        let text = files::read_text(path, MAX_USERS_BYTES, "the file of users")?;
        builder = builder.users(Users::read(&text).map_err(|error| Failure::failed(error).during(files::shown(path)))?);
    }
    if let Some(path) = &est.bootstrap {
        builder = builder.bootstrap(certificates(path, "the bootstrap authorities")?);
    }
    if est.users.is_none() && est.bootstrap.is_none() {
        tracing::warn!("[est] has neither users nor bootstrap: certificates can be renewed, but nobody can enrol");
    }
    if let Some(label) = &est.label {
        builder = builder.label(Label::new(label)?);
    }
    Ok(builder.build()?)
}

fn certificates(path: &Path, what: &str) -> Result<Vec<Certificate>, Failure> {
    let text = files::read(path, gridmq_tls::file::MAX_FILE_BYTES, what)?;
    pem::certificates(&text).map_err(|error| Failure::failed(error).during(files::shown(path)))
}

/// Reads the register anew each time: `gridmq certs revoke` is another process. What cannot be read bars everybody;
/// where there is none, nothing was revoked.
fn is_revoked(register: &Path, certificate: &Certificate) -> bool {
    if matches!(register.try_exists(), Ok(false)) {
        return false;
    }
    let read = files::read_text(register, MAX_REGISTER_BYTES, "the register of revocations");
    match read.ok().and_then(|text| text.parse::<Revocations>().ok()) {
        Some(register) => register.entries().iter().any(|entry| entry.serial == certificate.serial()),
        None => {
            tracing::error!(file = ?register, "the register of revocations cannot be read: no certificate is renewed");
            true
        }
    }
}
