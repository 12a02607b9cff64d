//! What can be seen of a broker from elsewhere, and the switches of its traces.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::credentials::ListenerCredentials;
use crate::listener::{Door, Security};
use crate::shared::Shared;
use crate::stats::Stats;
use crate::store_status::StoreStatus;
use crate::trace::{TraceError, TraceTarget};

/// A handle on a broker for whoever watches it. Cheap to clone, and no reason for the broker to go on.
#[derive(Debug, Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
    doors: Arc<[Arc<Door>]>,
}

/// Whether a broker does what it is there for, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether it was asked to stop.
    pub stopping: bool,
    /// How the store is; while it does not run, what needs it is refused.
    pub store: StoreStatus,
}

impl Health {
    /// Whether clients should come here.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        !self.stopping && matches!(self.store, StoreStatus::Running)
    }
}

impl Monitor {
    pub(crate) fn new(shared: &Arc<Shared>, doors: &[Arc<Door>]) -> Self {
        Self { shared: Arc::clone(shared), doors: doors.into() }
    }

    /// What was counted since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// Connections that were refused, by why: `connections` where there were too many, the reason code of the CONNACK
    /// such as `0x87`, or `ended` where the connection ended before. At most 129 words.
    #[must_use]
    pub fn refusals(&self) -> Vec<(String, u64)> {
        self.shared.counters.refusals.read()
    }

    /// TLS handshakes that failed, by the id of the failure, such as `C15`. At most 129 words.
    #[must_use]
    pub fn handshake_failures(&self) -> Vec<(String, u64)> {
        self.shared.counters.handshake_failures.read()
    }

    /// Connections that are open, with or without a client.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Bytes received from clients that are not in yet.
    #[must_use]
    pub fn unadmitted_bytes(&self) -> usize {
        self.shared.unadmitted_bytes.load(Ordering::Relaxed)
    }

    /// How many retained messages there are.
    #[must_use]
    pub fn retained_messages(&self) -> usize {
        self.shared.retained.len()
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.shared.realm.index.load().filters.len()
    }

    /// How many batches the store has made durable since it was opened.
    #[must_use]
    pub fn durable_batches(&self) -> u64 {
        self.shared.store.durable().get()
    }

    /// How the certificates of the TLS listeners stand, in the order of the listeners: of each its default first, then
    /// those for names.
    #[must_use]
    pub fn credentials(&self) -> Vec<ListenerCredentials> {
        let tls = |door: &Arc<Door>| match &door.security {
            Security::Tls(cell) => cell.credentials(&door.address),
            Security::Plain { .. } => Vec::new(),
        };
        self.doors.iter().flat_map(tls).collect()
    }

    /// Whether the broker does what it is there for.
    #[must_use]
    pub fn health(&self) -> Health {
        Health { stopping: *self.shared.shutdown.borrow(), store: self.shared.store_state.status() }
    }

    /// Has every packet of a client, or every PUBLISH on a topic, told as a line of the log, under the target
    /// `gridmq_broker::trace` at the level info, without payloads. A trace that is on lasts from now on.
    ///
    /// # Errors
    /// When there are [`MAX_TRACES`](crate::MAX_TRACES), or it would last longer than
    /// [`MAX_TRACE_TIME`](crate::MAX_TRACE_TIME).
    pub fn trace(&self, target: TraceTarget, lasts: Duration) -> Result<(), TraceError> {
        self.shared.traces.begin(self.shared.clock.now().monotonic, target, lasts)
    }

    /// Ends a trace. Answers whether there was one.
    #[must_use]
    pub fn end_trace(&self, target: &TraceTarget) -> bool {
        self.shared.traces.end(target)
    }

    /// The traces that are on, and how long they still are.
    #[must_use]
    pub fn traces(&self) -> Vec<(TraceTarget, Duration)> {
        let now = self.shared.clock.now().monotonic;
        let list = self.shared.traces.list(now);
        list.into_iter().map(|(target, until)| (target, until.since(now))).collect()
    }
}
