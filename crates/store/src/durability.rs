//! What outlasts what.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What of the stored state outlasts what. An acknowledgement means that much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a new one is for every user to decide about")]
pub enum Durability {
    /// All outlasts the process, the system and a loss of power: each commit waits for the disk.
    Fsync,
    /// All outlasts the process, and goes to the disk about once a second. After a loss of power, or when the system itself stops, the store may be damaged,
    /// which is said at the next start.
    Os,
    /// Nothing outlasts the process, and nothing is written.
    Memory,
}

impl Durability {
    /// As it is written in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// It is no durability.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("\"{0}\" is no durability: write fsync, os or memory")]
pub struct UnknownDurability(pub String);

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, UnknownDurability> {
        [Self::Fsync, Self::Os, Self::Memory]
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownDurability(text.to_owned()))
    }
}
