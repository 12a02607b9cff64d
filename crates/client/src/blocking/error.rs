//! What can go wrong beside what can go wrong anyway.

use std::io;
use std::time::Duration;

use super::engine::Inside;

/// Why a blocking call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E: std::error::Error + 'static> {
    /// The call was made inside an async runtime; nothing was done.
    #[error(
        "a blocking call was made inside an async runtime, where it would stop other tasks: use the async client \
         there, or call from a thread of std::thread::spawn"
    )]
    InsideRuntime,
    /// The client's thread could not be started.
    #[error("the client's thread could not be started ({0}): free threads or file descriptors of this process")]
    Thread(io::Error),
    /// What the async client's call failed with.
    #[error(transparent)]
    Failed(E),
}

impl<E: std::error::Error + 'static> Error<E> {
    /// What the async client's call failed with, if it was made at all.
    #[must_use]
    pub fn failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::InsideRuntime | Self::Thread(_) => None,
        }
    }
}

impl<E: std::error::Error + 'static> From<Inside> for Error<E> {
    fn from(Inside: Inside) -> Self {
        Self::InsideRuntime
    }
}

/// Nothing came in that time; more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing came within {after:?}")]
#[non_exhaustive]
pub struct TimedOut {
    /// How long was waited.
    pub after: Duration,
}
