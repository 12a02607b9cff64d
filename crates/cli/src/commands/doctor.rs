//! `gridmq doctor`: why a connection does not work, and what to do.

mod examine;
mod files;
mod options;
mod show;
mod words;

use clap::{Args, Subcommand};

use crate::error::{Failure, Outcome};

const HELP: &str = r#"Examples. While gridmq quickstart runs in this directory:
  gridmq doctor mqtts://localhost:8883 --cafile gridmq-quickstart/root-ca.pem \
    --cert gridmq-quickstart/client1-authn-ID.pem \
    --key gridmq-quickstart/client1-authn-ID.key \
    -u client1-authn-ID -i client1-session1
  gridmq doctor files --cert gridmq-quickstart/client1-authn-ID.pem \
    --key gridmq-quickstart/client1-authn-ID.key

Anywhere:
  gridmq doctor explain "sslv3 alert certificate expired"
  gridmq doctor explain E02

Exit codes: 0 works, 1 warnings with --strict, 2 wrong usage, 10 files,
12 name, 13 tcp, 14 hello, 15 server, 16 client, 17 connect, 18 access,
19 no time left, 20 internal error, 21 session."#;

/// Find out why a connection fails, and what to do
///
/// Goes through the stages of a connection to any MQTT broker: files, name, tcp, hello, server, client, connect,
/// access. It connects under a client identifier of its own, so that no live session is ended, and shows no secret.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    examine: examine::Examine,
}

#[derive(Debug, Subcommand)]
enum Command {
    Files(Box<files::Arguments>),
    Explain(words::Explain),
    List(words::List),
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Some(Command::Files(arguments)) => files::run(*arguments),
        Some(Command::Explain(arguments)) => words::explain(&arguments),
        Some(Command::List(arguments)) => words::list(&arguments),
        None => examine::run(arguments.examine).await,
    }
}

/// A profile's name, checked.
fn profile(name: &str) -> Result<String, String> {
    use gridmq_doctor::Profile;
    if Profile::by_name(name).is_some() {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = Profile::all().iter().map(|profile| profile.name.as_str()).collect();
    Err(format!("expected one of {}", names.join(", ")))
}

/// The outcome that an exit code is.
fn ended(exit: gridmq_doctor::Exit) -> Outcome {
    match exit.code() {
        0 => Ok(()),
        code => Err(Failure::exit(code)),
    }
}
