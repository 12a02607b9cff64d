//! Identities that do not change, and identities that somebody publishes.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Changed, CredentialProvider, CredentialStatus, Generation};
use crate::identity::Identity;

/// One identity for ever: generation 1 and no other.
#[derive(Debug, Clone)]
pub struct Fixed(Arc<Generation>);

impl Fixed {
    /// Always this identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(Generation::new(1, identity)))
    }
}

impl From<Identity> for Fixed {
    fn from(identity: Identity) -> Self {
        Self::new(identity)
    }
}

impl CredentialProvider for Fixed {
    fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.0)
    }

    fn changed(&self, _after: u64) -> Changed<'_> {
        Box::pin(pending())
    }

    fn status(&self) -> CredentialStatus {
        CredentialStatus::new(self.0.number, self.0.identity.not_after())
    }
}

/// A cell into which a renewer or the application publishes identities. Clones are the same cell.
///
/// Who publishes has checked the identity: it becomes the current generation at once.
#[derive(Clone)]
pub struct Published(Arc<Mutex<Cell>>);

struct Cell {
    current: Arc<Generation>,
    status: CredentialStatus,
    /// Who waits for the next generation. Each waiting future has at most one entry.
    waiting: BTreeMap<u64, Waker>,
    next_waiting: u64,
}

impl Published {
    /// A cell whose generation 1 is this identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let status = CredentialStatus::new(1, identity.not_after());
        let current = Arc::new(Generation::new(1, identity));
        Self(Arc::new(Mutex::new(Cell { current, status, waiting: BTreeMap::new(), next_waiting: 0 })))
    }

    /// Makes this identity the current generation and answers its number.
    pub fn publish(&self, identity: Identity) -> u64 {
        let (number, waiting) = {
            let mut cell = self.lock();
            let number = cell.current.number.saturating_add(1);
            cell.status.generation = number;
            cell.status.not_after = identity.not_after();
            cell.status.last_error = None;
            cell.status.reloads = cell.status.reloads.saturating_add(1);
            cell.current = Arc::new(Generation::new(number, identity));
            (number, std::mem::take(&mut cell.waiting))
        };
        for waker in waiting.into_values() {
            waker.wake();
        }
        number
    }

    /// Notes that an attempt at a newer generation failed; the current one stays.
    pub fn failed(&self, why: impl fmt::Display) {
        let mut cell = self.lock();
        cell.status.last_error = Some(why.to_string());
        cell.status.failures = cell.status.failures.saturating_add(1);
    }

    /// Notes that an attempt succeeded and found the current generation to be the newest.
    pub fn confirmed(&self) {
        self.lock().status.last_error = None;
    }

    fn lock(&self) -> MutexGuard<'_, Cell> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = self.lock();
        f.debug_struct("Published").field("current", &cell.current).field("status", &cell.status).finish()
    }
}

impl CredentialProvider for Published {
    fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.lock().current)
    }

    fn changed(&self, after: u64) -> Changed<'_> {
        Box::pin(Waiting { cell: self, after, place: None })
    }

    fn status(&self) -> CredentialStatus {
        self.lock().status.clone()
    }
}

struct Waiting<'a> {
    cell: &'a Published,
    after: u64,
    place: Option<u64>,
}

impl Future for Waiting<'_> {
    type Output = Arc<Generation>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut cell = self.cell.lock();
        if cell.current.number > self.after {
            return Poll::Ready(Arc::clone(&cell.current));
        }
        let place = self.place.unwrap_or_else(|| {
            cell.next_waiting = cell.next_waiting.wrapping_add(1);
            cell.next_waiting
        });
        cell.waiting.insert(place, cx.waker().clone());
        drop(cell);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.cell.lock().waiting.remove(&place);
        }
    }
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
