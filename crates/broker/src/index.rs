//! The subscription index: one writer at a time, readers without a lock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gridmq_proto::session::server::Subscription;
use gridmq_proto::topic::SubscriptionIndex;
use parking_lot::Mutex;

use crate::directory::{Slot, SlotId};

/// One subscription of one session.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) slot: Arc<Slot>,
    pub(crate) subscription: Subscription,
}

/// An index of sessions by filter.
pub(crate) type Filters = SubscriptionIndex<SlotId, Entry>;

/// The index as it was after `version` changes.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) filters: Filters,
}

/// The index.
#[derive(Debug)]
pub(crate) struct Index {
    current: ArcSwap<Snapshot>,
    writer: Mutex<()>,
}

impl Index {
    /// `seed`: random, against keys chosen to collide.
    pub(crate) fn new(seed: u64) -> Self {
        let snapshot = Snapshot { version: 0, filters: Filters::new(seed) };
        Self { current: ArcSwap::from_pointee(snapshot), writer: Mutex::new(()) }
    }

    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Applies `change` and answers the version from which it is seen.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Filters)) -> u64 {
        let _one_writer = self.writer.lock();
        let current = self.current.load();
        let version = current.version + 1;
        let mut filters = current.filters.clone();
        change(&mut filters);
        self.current.store(Arc::new(Snapshot { version, filters }));
        version
    }
}
