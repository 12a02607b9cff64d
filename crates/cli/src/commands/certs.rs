//! `gridmq certs`: a certificate authority for development and edge sites, and a look at certificates.

mod authority;
mod convert;
mod crl;
mod csr;
pub(crate) mod duration;
mod enroll;
mod fingerprint;
mod init;
mod inspect;
mod issue;
mod names;
mod order;
mod passphrase;
mod profile;
mod renew;
mod revoke;
mod user;
mod verify;

use std::path::Path;

use clap::{Args, Subcommand};
use gridmq_tls::convert::{Contents, PlainKey};
use gridmq_tls::passphrase::PassphraseSource;

use crate::error::{Failure, Outcome};
use crate::files::{self, Existing};

pub(crate) use authority::load;
pub(crate) use init::Authority;

/// The names of the authority's files in its directory.
pub(crate) const ROOT: &str = "root-ca";
pub(crate) const INTERMEDIATE: &str = "intermediate-ca";

/// How long authorities and leaves are valid unless told otherwise, in days.
pub(crate) const CA_DAYS: u32 = 3650;
pub(crate) const LEAF_DAYS: u32 = 365;

const MAX_BYTES: u64 = gridmq_tls::file::MAX_FILE_BYTES;

/// Make certificates, and look at certificates
///
/// The authority is a root with an intermediate under it. Clients and brokers trust the root; an Event Grid namespace
/// registers the intermediate; what is issued is sent together with the intermediate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs issue --dir ca --name server --server \\\n    --dns localhost --ip 127.0.0.1\n  \
    gridmq certs inspect ca/device1.pem\n  \
    gridmq certs verify ca/device1.pem --ca ca/root-ca.pem")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Issue(issue::Arguments),
    Csr(csr::Arguments),
    Renew(renew::Arguments),
    Enroll(Box<enroll::Arguments>),
    User(user::Arguments),
    Revoke(revoke::Arguments),
    Crl(crl::Arguments),
    #[command(alias = "show")]
    Inspect(inspect::Arguments),
    Verify(verify::Arguments),
    Convert(convert::Arguments),
    Order(order::Arguments),
    Fingerprint(fingerprint::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Issue(arguments) => issue::run(&arguments),
        Command::Csr(arguments) => csr::run(&arguments),
        Command::Enroll(arguments) => enroll::run(&arguments),
        Command::User(arguments) => user::run(&arguments),
        Command::Renew(arguments) => renew::run(&arguments),
        Command::Revoke(arguments) => revoke::run(&arguments),
        Command::Crl(arguments) => crl::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Order(arguments) => order::run(&arguments),
        Command::Fingerprint(arguments) => fingerprint::run(&arguments),
    }
}

const fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}

/// Everything of use in a file, with its path before what goes wrong.
fn contents(path: &Path, passphrase: Option<&PassphraseSource>) -> Result<Contents, Failure> {
    let bytes = files::read(path, MAX_BYTES, "the file")?;
    Contents::read(&bytes, passphrase).map_err(|error| Failure::from(error).during(files::shown(path)))
}

/// The certificates of a file that has to hold some.
fn certificates(path: &Path, passphrase: Option<&PassphraseSource>) -> Result<Vec<gridmq_tls::Certificate>, Failure> {
    let contents = contents(path, passphrase)?;
    if contents.certificates.is_empty() {
        return Err(no_certificate(path, &contents));
    }
    Ok(contents.certificates)
}

fn no_certificate(path: &Path, contents: &Contents) -> Failure {
    let (shown, what) = (files::shown(path), &contents.classified);
    Failure::failed(format!("{shown}: there is no certificate in it; it holds {what}: name a certificate's file"))
}

/// The private key of a file that has to hold one.
fn private_key<'a>(path: &Path, contents: &'a Contents) -> Result<&'a PlainKey, Failure> {
    contents.keys.first().ok_or_else(|| {
        let (shown, what) = (files::shown(path), &contents.classified);
        Failure::failed(format!("{shown}: there is no private key in it; it holds {what}: name a key's file"))
    })
}
