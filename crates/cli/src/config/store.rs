//! What `[store]` of `gridmq serve` is told.

use std::path::PathBuf;
use std::str::FromStr;

use gridmq_store::UnknownDurability;
use serde::{Deserialize, Deserializer};

use super::section::section;
use super::value::{Value, quoted};

/// What of the state outlasts what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Durability(pub(crate) gridmq_store::Durability);

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, UnknownDurability> {
        text.parse().map(Self)
    }
}

impl<'de> Deserialize<'de> for Durability {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Value for Durability {
    fn shown(&self) -> Option<String> {
        Some(quoted(self.0))
    }
}

section! {
    /// Where sessions, queued and retained messages are kept.
    Store {
        /// The directory; one broker's at a time. Default: gridmq in XDG_STATE_HOME or ~/.local/state. Flag: --data-dir.
        directory: Option<PathBuf> = None, example "'/var/lib/gridmq'";
        /// What an acknowledgement means: "fsync", on the disk, whatever happens; "os", with the system, so that it
        /// outlasts this program but a loss of power may damage the store; "memory", nothing is written.
        /// Flag: --durability.
        durability: Durability = Durability(gridmq_store::Durability::Fsync);
    }
}
