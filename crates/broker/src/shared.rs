//! What all workers share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use arc_swap::ArcSwap;
use gridmq_namespace::principal::PrincipalKind;
use gridmq_namespace::{Gate, Principal};
use gridmq_store::{NamespaceId, Store};
use tokio::sync::{mpsc, watch};

use crate::builder::Limits;
use crate::clock::Clock;
use crate::computing::Computing;
use crate::directory::{Directory, Slot, WorkerId};
use crate::events::Teller;
use crate::handshakes::Handshakes;
use crate::hooks::Hooks;
use crate::index::Index;
use crate::insider::Insiders;
use crate::live::LiveLimits;
use crate::mailbox::Batch;
use crate::observer::{Observer, Occurrence};
use crate::retained::RetainedStore;
use crate::routed::Unfinished;
use crate::stats::Counters;
use crate::store_status::StoreState;
use crate::strategy::SharedStrategy;
use crate::trace::Traces;

/// A namespace that this broker serves.
#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) id: NamespaceId,
    pub(crate) gate: ArcSwap<Gate>,
    pub(crate) index: Index,
}

/// The program that embeds the broker, as a publisher.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) slot: Arc<Slot>,
    pub(crate) principal: Arc<Principal>,
}

impl Program {
    pub(crate) fn new(namespace: NamespaceId) -> Self {
        Self {
            slot: Arc::new(Slot::of_program(namespace)),
            principal: Arc::new(Principal::new(PrincipalKind::System, "gridmq")),
        }
    }
}

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// Those that stay as they were at the start.
    pub(crate) limits: Limits,
    /// Those that change while the broker runs.
    pub(crate) live: LiveLimits,
    pub(crate) traces: Traces,
    /// For shared subscriptions: all workers choose alike.
    pub(crate) hasher: std::hash::RandomState,
    pub(crate) realm: Arc<Realm>,
    pub(crate) directory: Directory,
    pub(crate) retained: RetainedStore,
    pub(crate) store: Store,
    /// What is to be routed again, and to whom.
    pub(crate) unfinished: Unfinished,
    /// Nobody gave a store: nothing outlives the process, so nothing is written down.
    pub(crate) volatile: bool,
    pub(crate) store_state: Arc<StoreState>,
    pub(crate) counters: Counters,
    pub(crate) hooks: Hooks,
    pub(crate) shared_strategy: SharedStrategy,
    /// How often counters are published as messages.
    pub(crate) system_topics: Option<Duration>,
    pub(crate) events: Teller,
    pub(crate) program: Program,
    pub(crate) insiders: Insiders,
    pub(crate) computing: Computing,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    /// One inbox per worker.
    pub(crate) inboxes: Vec<mpsc::Sender<Batch>>,
    /// Bytes received from clients that are not in yet.
    pub(crate) unadmitted_bytes: AtomicUsize,
    /// Connections that are open.
    pub(crate) connections: AtomicUsize,
    pub(crate) handshakes: Arc<Handshakes>,
    pub(crate) shutdown: watch::Receiver<bool>,
    pub(crate) shutdown_deadline: Duration,
}

impl Shared {
    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> + use<> {
        0..WorkerId::try_from(self.inboxes.len()).unwrap_or(WorkerId::MAX)
    }

    pub(crate) fn observe(&self, occurrence: &Occurrence<'_>) {
        for observer in &self.observers {
            observer.observe(occurrence);
        }
    }
}
