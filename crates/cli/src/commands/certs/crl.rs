//! `gridmq certs crl`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gridmq_tls::issue::Validity;
use serde_json::json;

use super::{INTERMEDIATE, ROOT, authority, duration, existing, passphrase};
use crate::error::Outcome;
use crate::files::{self, NewFiles};
use crate::{output, utc};

/// Whose list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Issuer {
    /// Of what the intermediate issued: leaves
    Intermediate,
    /// Of what the root issued: the intermediate
    Root,
}

/// Sign a list of the certificates that were taken back
///
/// Writes intermediate-ca.crl, in PEM, beside the authority, with the next number. Peers refuse a list after its time
/// is over, and with it everything that the authority issued: make a new one earlier.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs crl --dir ca --validity 30d\n  \
    gridmq certs crl --dir ca --issuer root --validity 1y")]
pub(super) struct Arguments {
    /// The directory that gridmq certs init filled
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Whose list it is
    #[arg(long, value_name = "ISSUER", default_value = "intermediate")]
    issuer: Issuer,
    /// By when the next list will be there, such as 7d or 12h
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration::parse)]
    validity: u64,
    /// Where to write, if not beside the authority; an ending .der writes DER
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Replace the list that is there
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { dir, .. } = arguments;
    let name = match arguments.issuer {
        Issuer::Intermediate => INTERMEDIATE,
        Issuer::Root => ROOT,
    };
    let authority = authority::in_date(dir, name, arguments.passphrase.source().as_ref())?;
    let lock = authority::lock(dir);
    let mut register = authority::register(dir, name)?;
    let validity = Validity::seconds(utc::now(), arguments.validity);
    let list = authority.sign_revocations(&mut register, validity)?;
    let out = arguments.out.clone().unwrap_or_else(|| dir.join(format!("{name}.crl")));
    let is_der = out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("der"));

    let mut new = NewFiles::default();
    // First the register: a number that is skipped does no harm, one that is used twice does.
    new.add_changing(dir.join(format!("{name}.revoked")), register.to_text());
    new.add(out.clone(), if is_der { list.der().to_vec() } else { list.to_pem().into_bytes() });
    new.write(existing(arguments.force))?;
    drop(lock);

    let (out, next) = (files::shown(&out), utc::date(validity.not_after()));
    let (number, entries) = (register.number(), register.entries().len());
    if arguments.json {
        return output::json(&json!({
            "issuer": authority.certificate().subject().to_string(), "list": out, "number": number,
            "revoked": entries, "nextUpdate": next,
        }));
    }
    let text = format!(
        "list {number} of {}: {entries} taken back\n{out}\nThe next is due by {next}.",
        authority.certificate().subject()
    );
    output::line(&output::Style::stdout().mark(true, &text))
}
