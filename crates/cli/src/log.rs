//! The log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::error::{Failure, Outcome};

/// Starts the log with a filter such as `info` or `warn,gridmq_broker=debug`.
pub(crate) fn start(filter: &str, json: bool) -> Outcome {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(format!("--log {filter:?}: {error}; write error, warn, info, debug or trace, or target=level"))
    })?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    let started = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
    started.map_err(|error| Failure::failed(format!("the log cannot be started: {error}")))
}
