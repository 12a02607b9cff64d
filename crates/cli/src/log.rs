//! The log, on standard error.

use std::io::IsTerminal;

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::error::{Failure, Outcome};

/// What the traces of clients and topics are logged under.
const TRACES: &str = "gridmq_broker::trace";

/// What `gridmq pub` and `gridmq sub` are told about the log.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// What to log: off, error, warn, info, debug or trace, or target=level
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: String,
    /// The same as --log debug: also what TLS and CONNACK agreed on
    #[arg(short = 'd', long, conflicts_with = "log")]
    debug: bool,
}

impl LogOptions {
    pub(crate) fn start(&self) -> Outcome {
        start(if self.debug { "debug" } else { &self.log }, false)
    }
}

/// Changes the filter of a log that runs.
pub(crate) type Change = Box<dyn Fn(&str) + Send>;

/// Starts the log with a filter such as `info` or `warn,gridmq_broker=debug`.
pub(crate) fn start(filter: &str, json: bool) -> Outcome {
    start_changeable(filter, json).map(drop)
}

/// Says what is wrong with a filter.
pub(crate) fn check(text: &str) -> Outcome {
    parse(text).map(drop)
}

fn parse(text: &str) -> Result<EnvFilter, Failure> {
    let refused = |problem: String| {
        Failure::usage(format!(
            "--log {text:?}: {problem}; write off, error, warn, info, debug or trace, or target=level such as \
             gridmq_broker=debug, several with commas between"
        ))
    };
    // A word alone would be taken for the name of a target.
    for word in text.split(',').map(str::trim) {
        if !word.contains(['=', '[']) && word.parse::<LevelFilter>().is_err() {
            return Err(refused(format!("{word:?} is no level")));
        }
    }
    // A trace that was switched on is wanted whatever else is logged.
    let traced = if text.contains(TRACES) { text.to_owned() } else { format!("{text},{TRACES}=info") };
    EnvFilter::try_new(traced).map_err(|error| refused(error.to_string()))
}

/// As [`start`], for a filter that changes later.
pub(crate) fn start_changeable(text: &str, json: bool) -> Result<Change, Failure> {
    let filter = parse(text)?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    let failed = |error| Failure::failed(format!("the log cannot be started: {error}"));
    if json {
        let builder = builder.json().with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map_err(failed)?;
        // It fails only when the log has gone.
        Ok(Box::new(move |filter| drop(parse(filter).map(|filter| handle.reload(filter)))))
    } else {
        let builder = builder.with_target(false).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map_err(failed)?;
        Ok(Box::new(move |filter| drop(parse(filter).map(|filter| handle.reload(filter)))))
    }
}
