//! The commands, one module each.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod certs;
pub(crate) mod doctor;
pub(crate) mod publish;
pub(crate) mod quickstart;
pub(crate) mod serve;
pub(crate) mod subscribe;
pub(crate) mod users;

use std::future::Future;

use crate::cli::{Cli, Command};
use crate::error::{Failure, Outcome};

pub(crate) fn run(cli: Cli) -> Outcome {
    match cli.command {
        Command::Quickstart(arguments) => block_on(quickstart::run(arguments)),
        Command::Serve(arguments) => block_on(serve::run(arguments)),
        Command::Pub(arguments) => block_on(publish::run(arguments)),
        Command::Sub(arguments) => block_on(subscribe::run(arguments)),
        Command::Certs(arguments) => certs::run(arguments),
        Command::Backup(arguments) => backup::backup(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Users(arguments) => users::run(arguments),
        Command::Doctor(arguments) => block_on(doctor::run(*arguments)),
        Command::Bench(arguments) => bench::run(*arguments),
    }
}

fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the system refused an event queue: {error}")))?;
    let outcome = runtime.block_on(work);
    // A read of standard input cannot be interrupted and must not keep the program.
    runtime.shutdown_background();
    outcome
}
