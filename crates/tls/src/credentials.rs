//! Identities that change while a program runs.
//!
//! A [`CredentialProvider`] gives generations. Each generation is an [`Identity`] of its own with a
//! number; whoever connects or accepts makes a new configuration from it, so that nothing of the
//! generation before, a resumed session for one, can speak for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::identity::Identity;

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
