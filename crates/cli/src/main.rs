//! The one binary, `gridmq`.

mod cli;
mod commands;
mod config;
mod connection;
mod datadir;
mod error;
mod files;
mod log;
mod output;
mod property;
mod signal;
mod utc;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
