//! Identities that change while a program runs.
//!
//! A [`CredentialProvider`] gives generations. Each generation is an [`Identity`] of its own with a
//! number; whoever connects or accepts makes a new configuration from it, so that nothing of the
//! generation before, a resumed session for one, can speak for it.
//!
//! - [`Fixed`]: one identity for ever.
//! - [`Published`]: what a renewer or the application publishes.
//! - [watched files](watched::WatchedFiles) (feature `watch`): files that somebody else replaces.
//!   What it does and when is decided by [`watcher`], which has no I/O and no clock.
//!
//! # Metrics
//! Whoever exports a [`CredentialStatus`] names it so that the usual rules for alerts work:
//! `gridmq_x509_cert_not_after{role="client|server",sha256="…"}`, a gauge in seconds since 1970,
//! `gridmq_credential_generation{role}`, a gauge, and
//! `gridmq_credential_reload_total{role,result="ok|error"}`, a counter.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::identity::Identity;

mod published;
mod usage;
#[cfg(feature = "watch")]
pub mod watched;
pub mod watcher;

pub use published::{Fixed, Published};
pub use usage::Usage;
#[cfg(feature = "watch")]
pub use watched::WatchedFiles;

/// One identity of a succession.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Generation {
    /// Counts from 1.
    pub number: u64,
    /// What is proven while this generation is the current one.
    pub identity: Identity,
}

impl Generation {
    /// The generation of this number.
    #[must_use]
    pub const fn new(number: u64, identity: Identity) -> Self {
        Self { number, identity }
    }
}

/// How a succession stands, for metrics and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialStatus {
    /// The current generation's number.
    pub generation: u64,
    /// The last second of the current leaf's validity, in seconds since 1970.
    pub not_after: u64,
    /// Why the latest attempt at a newer generation failed; absent after one that did not.
    pub last_error: Option<String>,
    /// Attempts that brought a new generation.
    pub reloads: u64,
    /// Attempts that failed.
    pub failures: u64,
}

impl CredentialStatus {
    /// The status of a generation that just became the current one, nothing else having happened.
    #[must_use]
    pub const fn new(generation: u64, not_after: u64) -> Self {
        Self { generation, not_after, last_error: None, reloads: 0, failures: 0 }
    }

    /// Seconds until the current leaf is not valid any more, at `now` (seconds since 1970); negative
    /// when it is over.
    #[must_use]
    pub fn seconds_left(&self, now: u64) -> i64 {
        let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        signed(self.not_after).saturating_sub(signed(now))
    }

    /// Whole days until then, rounded down; negative when it is over.
    #[must_use]
    pub fn days_left(&self, now: u64) -> i64 {
        self.seconds_left(now).div_euclid(24 * 60 * 60)
    }
}

/// The future of [`CredentialProvider::changed`].
pub type Changed<'a> = Pin<Box<dyn Future<Output = Arc<Generation>> + Send + 'a>>;

/// Where identities come from, one generation after the other.
pub trait CredentialProvider: Send + Sync + fmt::Debug {
    /// The current generation. Does not block and does no I/O.
    fn current(&self) -> Arc<Generation>;

    /// Waits for a generation with a number above `after`; never ends if there will be none.
    fn changed(&self, after: u64) -> Changed<'_>;

    /// How it stands.
    fn status(&self) -> CredentialStatus;
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
