//! An engine that waits to be let through, and says what it was given.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use gridmq_store::{
    Engine, EngineError, Key, MemoryEngine, NamespaceId, Progress, Reader, Store, Table, Watch, WriteBatch,
};

pub const SESSIONS: Table = Table::new("sessions");
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the gate does with the next commit.
pub enum Order {
    Pass,
    Fail,
    Panic,
}

pub struct GatedEngine {
    pub inner: MemoryEngine,
    orders: Receiver<Order>,
    groups: SyncSender<usize>,
}

pub struct Gate {
    pub orders: SyncSender<Order>,
    pub groups: Receiver<usize>,
}

impl Gate {
    /// Waits until a commit has begun; how many changes it holds.
    pub fn begun(&self) -> usize {
        self.groups.recv_timeout(PATIENCE).expect("a commit")
    }

    pub fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
    }
}

pub fn gated() -> (GatedEngine, Gate) {
    let (order, orders) = sync_channel(100);
    let (group, groups) = sync_channel(100);
    (GatedEngine { inner: MemoryEngine::new(), orders, groups: group }, Gate { orders: order, groups })
}

impl Engine for GatedEngine {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        self.groups.send(batches.iter().map(WriteBatch::len).sum()).unwrap();
        match self.orders.recv().unwrap_or(Order::Pass) {
            Order::Pass => self.inner.commit(batches),
            Order::Fail => Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into()),
            Order::Panic => panic!("as ordered"),
        }
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }
}

pub fn key(part: &str) -> Key {
    Key::new(NamespaceId::DEFAULT, &[part.as_bytes()])
}

pub fn put(part: &str, value: &'static str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(SESSIONS, key(part), value);
    batch
}

/// Everything that a watcher is told.
pub fn watch(store: &Store) -> (Receiver<Progress>, Watch) {
    let (sender, receiver) = sync_channel(1000);
    (receiver, store.subscribe(move |progress| sender.send(progress).unwrap()))
}

/// The number up to which the next word of progress says things are durable.
pub fn next_durable(progress: &Receiver<Progress>) -> u64 {
    match progress.recv_timeout(PATIENCE).expect("progress") {
        Progress::Durable(seq) => seq.get(),
        other => panic!("{other:?}"),
    }
}
