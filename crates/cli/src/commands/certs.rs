//! `gridmq certs`: a certificate authority for development, and a look at certificates.

mod init;
mod issue;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};
use gridmq_tls::issue::{CertificateAuthority, IssueError};

use crate::error::{Failure, Outcome};
use crate::files;

pub(crate) use init::Authority;

/// The names of the authority's files in its directory.
pub(crate) const ROOT: &str = "root-ca";
pub(crate) const INTERMEDIATE: &str = "intermediate-ca";

/// How long authorities and leaves are valid unless told otherwise, in days.
pub(crate) const CA_DAYS: u32 = 3650;
pub(crate) const LEAF_DAYS: u32 = 365;

const MAX_BYTES: u64 = gridmq_tls::file::MAX_FILE_BYTES;

/// Make certificates for development, and look at certificates
///
/// The authority is a root with an intermediate under it. Clients and brokers trust the root; an Event Grid namespace
/// registers the intermediate; what is issued is sent together with the intermediate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs issue --dir ca --name server --server \\\n    --dns localhost --ip 127.0.0.1\n  \
    gridmq certs show ca/device1.pem")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Issue(issue::Arguments),
    Show(show::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Issue(arguments) => issue::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
    }
}

/// The authority that `certs init` left in a directory, under one of its names.
pub(crate) fn load(dir: &Path, name: &str) -> Result<CertificateAuthority, Failure> {
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    if !certificate.exists() && !key.exists() {
        let dir = files::shown(dir);
        return Err(Failure::failed(format!("{dir} holds no {name}.pem: make one with gridmq certs init --dir {dir}")));
    }
    let certificate_pem = files::read_text(&certificate, MAX_BYTES, "the CA certificate")?;
    let key_pem = files::read_text(&key, MAX_BYTES, "the CA's key")?;
    CertificateAuthority::from_pem(&certificate_pem, &key_pem).map_err(|error| {
        let path =
            if matches!(error, IssueError::BadKey(_) | IssueError::KeyMismatch { .. }) { key } else { certificate };
        Failure::from(error).during(files::shown(&path))
    })
}
