//! What a bridge counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

/// How a bridge stands at one moment. Counters begin with the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Status {
    /// Whether the remote broker is connected.
    pub connected: bool,
    /// Connections to the remote broker that were made.
    pub connects: u64,
    /// Attempts that failed, and connections that were lost.
    pub failures: u64,
    /// From here to there.
    pub out: Flow,
    /// From there to here.
    pub inward: Flow,
}

/// Messages in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Flow {
    /// Acknowledged by the broker that they were for; of QoS 0, sent.
    pub forwarded: u64,
    /// Given up, since they are larger than that broker takes.
    pub too_large: u64,
    /// Given up, since that broker refuses them.
    pub refused: u64,
    /// Given up, since their expiry was over.
    pub expired: u64,
    /// Of QoS 0, given up, since there was no connection.
    pub offline: u64,
    /// Given up, since no mapping names them: of a subscription that an earlier configuration made.
    pub unmapped: u64,
    /// Tried again, since that broker asked for it.
    pub retried: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connected: AtomicBool,
    pub(crate) connects: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) out: FlowCounters,
    pub(crate) inward: FlowCounters,
    /// Somebody waits for a change.
    changed: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct FlowCounters {
    pub(crate) forwarded: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) offline: AtomicU64,
    pub(crate) unmapped: AtomicU64,
    pub(crate) retried: AtomicU64,
}

impl FlowCounters {
    fn read(&self) -> Flow {
        Flow {
            forwarded: self.forwarded.load(Relaxed),
            too_large: self.too_large.load(Relaxed),
            refused: self.refused.load(Relaxed),
            expired: self.expired.load(Relaxed),
            offline: self.offline.load(Relaxed),
            unmapped: self.unmapped.load(Relaxed),
            retried: self.retried.load(Relaxed),
        }
    }
}

impl Counters {
    /// Adds one, and answers how many there are now.
    pub(crate) fn add(&self, counter: &AtomicU64) -> u64 {
        let before = counter.fetch_add(1, Relaxed);
        self.changed.notify_waiters();
        before.saturating_add(1)
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Relaxed);
        self.changed.notify_waiters();
    }

    pub(crate) fn read(&self) -> Status {
        Status {
            connected: self.connected.load(Relaxed),
            connects: self.connects.load(Relaxed),
            failures: self.failures.load(Relaxed),
            out: self.out.read(),
            inward: self.inward.read(),
        }
    }
}

/// Tells how a bridge stands, also after it has stopped. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) name: Arc<str>,
    pub(crate) counters: Arc<Counters>,
}

impl Handle {
    /// The bridge's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.counters.read()
    }

    /// Waits until it stands as is wanted, and answers how. A state that passes quickly may be missed.
    pub async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        loop {
            let changed = self.counters.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            changed.await;
        }
    }
}
