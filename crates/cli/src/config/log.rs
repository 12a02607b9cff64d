//! What `[log]` of `gridmq serve` is told.

use clap::ValueEnum;
use serde::Deserialize;

use super::section::section;
use super::value::{Value, quoted};

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object of JSON.
    Json,
}

impl Value for LogFormat {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}

section! {
    /// The log on standard error. log = 'warn' before the first section is short for filter. It names clients, and
    /// never payloads or secrets.
    Log {
        /// off, error, warn, info, debug or trace, or target=level such as gridmq_broker=debug; several with commas
        /// between. Flag: --log.
        filter @reload: String = "info".to_owned();
        /// text, or json: an object on each line. Flag: --log-format.
        format: LogFormat = LogFormat::Text;
    }
}

impl From<String> for Log {
    fn from(filter: String) -> Self {
        Self { filter, ..Self::default() }
    }
}
