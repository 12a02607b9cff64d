//! The command line as a whole.

use clap::{Parser, Subcommand};

use crate::commands::{backup, bench, certs, doctor, publish, quickstart, serve, subscribe, users};

/// Connect devices over MQTT and mutual TLS, and run a broker that decides as an Azure Event Grid namespace decides.
#[derive(Debug, Parser)]
#[command(
    name = "gridmq",
    version,
    max_term_width = 110,
    after_help = "Begin with: gridmq quickstart\n\n\
    Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Quickstart(quickstart::Arguments),
    Serve(serve::Arguments),
    Pub(publish::Arguments),
    Sub(subscribe::Arguments),
    Certs(certs::Arguments),
    Users(users::Arguments),
    Doctor(Box<doctor::Arguments>),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Bench(Box<bench::Arguments>),
}
