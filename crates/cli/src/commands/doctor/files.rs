//! `gridmq doctor files`: the files alone.

use std::path::PathBuf;

use clap::Args;
use gridmq_doctor::{Exit, Profile, files};

use super::options::FileOptions;
use super::{ended, show};
use crate::error::{Failure, Outcome};
use crate::utc;

const HELP: &str = r"Examples. In a directory where gridmq quickstart has run:
  gridmq doctor files --cert gridmq-quickstart/client1-authn-ID.pem \
    --key gridmq-quickstart/client1-authn-ID.key \
    --cafile gridmq-quickstart/root-ca.pem -u client1-authn-ID";

/// Examine certificates, keys and trust offline
///
/// Says of each file what it really holds, whether certificate and key belong together, what is wrong with them, and
/// what to do. --fix writes repaired copies.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    options: FileOptions,
    /// The authorities that are to be believed about the server
    #[arg(long, value_name = "FILE")]
    cafile: Vec<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let Arguments { options, cafile } = arguments;
    let env = options.env()?;
    let by_host = || env.host.as_deref().map_or_else(Profile::generic, Profile::for_host);
    let profile = options.profile().unwrap_or_else(by_host);
    let input = options.input(&cafile, profile, &env);
    if input.cert.is_none() && input.key.is_none() && input.pkcs12.is_none() && input.cafile.is_empty() {
        return Err(Failure::usage("no files were named: give --cert and --key, --pkcs12 or --cafile"));
    }
    let now = utc::now();
    let report = files::load(&input, now).into_report(Some(profile), now);
    show::report(&report, options.json, options.strict)?;
    options.write_repaired(&input)?;
    ended(Exit::of(&report, options.strict))
}
