//! How the store is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use gridmq_store::Progress;
use parking_lot::Mutex;

/// How the broker's store is. While it does not run, what needs it is refused with 0x97 (Quota exceeded): publishes of
/// QoS 1 and 2 to sessions that last, retained messages, and connections and subscriptions of lasting sessions. All
/// else goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreStatus {
    /// It takes what it is given, or there is none.
    #[default]
    Running,
    /// The disk is full. It goes on by itself when there is room.
    Stalled {
        /// Since when.
        since: SystemTime,
        /// What the system said.
        why: String,
    },
    /// It failed, and only another start can help.
    Failed {
        /// Since when.
        since: SystemTime,
        /// What happened, and what to do.
        why: String,
    },
}

/// The status, for all workers.
#[derive(Debug, Default)]
pub(crate) struct StoreState {
    is_down: AtomicBool,
    status: Mutex<StoreStatus>,
}

impl StoreState {
    /// Whether what needs the store is to be refused.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    pub(crate) fn status(&self) -> StoreStatus {
        self.status.lock().clone()
    }

    /// For clients.
    pub(crate) fn words(&self) -> &'static str {
        match &*self.status.lock() {
            StoreStatus::Failed { .. } => "the broker's store has failed",
            _ => "the broker's disk is full; try again later",
        }
    }

    /// The store tells how far it is.
    pub(crate) fn progress(&self, progress: &Progress) {
        match progress {
            Progress::Durable(_) => {}
            Progress::Stalled(stall) => self.stalled(&stall.to_string()),
            Progress::Resumed => self.resumed(),
            Progress::Failed(error) => self.failed(&error.to_string()),
        }
    }

    fn stalled(&self, why: &str) {
        let mut status = self.status.lock();
        if matches!(*status, StoreStatus::Running) {
            tracing::error!(why, "the store stands still: nothing that must last is acknowledged");
            *status = StoreStatus::Stalled { since: SystemTime::now(), why: why.to_owned() };
            self.is_down.store(true, Ordering::Relaxed);
        }
    }

    fn resumed(&self) {
        let mut status = self.status.lock();
        if matches!(*status, StoreStatus::Stalled { .. }) {
            tracing::info!("the store goes on");
            *status = StoreStatus::Running;
            self.is_down.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self, why: &str) {
        let mut status = self.status.lock();
        if !matches!(*status, StoreStatus::Failed { .. }) {
            tracing::error!(why, "the store has failed: nothing that must last is acknowledged any more");
            *status = StoreStatus::Failed { since: SystemTime::now(), why: why.to_owned() };
            self.is_down.store(true, Ordering::Relaxed);
        }
    }
}
