//! A group is written as what it changes in the end.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
mod common;

use std::sync::Arc;

use common::{Order, SESSIONS, gated, key, next_durable, put, watch};
use gridmq_store::{Engine, EngineError, Key, MemoryEngine, NamespaceId, Options, Reader, Store, Table, WriteBatch};
use parking_lot::Mutex;
use proptest::prelude::*;

const TABLES: [Table; 2] = [Table::new("one"), Table::new("two")];

fn insert(part: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.insert(SESSIONS, key(part), "x");
    batch
}

fn delete(part: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.delete(SESSIONS, key(part));
    batch
}

#[test]
fn what_comes_and_goes_in_one_group_is_not_written() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    let (progress, _watch) = watch(&store);
    store.submit(put("0", "x")).unwrap();
    gate.begun();
    for batch in [insert("a"), insert("b"), delete("a"), put("c", "x"), delete("c")] {
        store.submit(batch).unwrap();
    }
    gate.order(Order::Pass);
    assert_eq!(next_durable(&progress), 1);
    assert_eq!(gate.begun(), 2, "b is put; c may have been there before");
    gate.order(Order::Pass);
    assert_eq!(next_durable(&progress), 6);
    assert_eq!(store.get(SESSIONS, &key("a")).unwrap(), None);
    assert!(store.get(SESSIONS, &key("b")).unwrap().is_some());
}

#[test]
fn a_group_without_changes_costs_no_commit() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    let (progress, _watch) = watch(&store);
    store.submit(WriteBatch::new()).unwrap();
    assert_eq!(next_durable(&progress), 1);
    store.submit(put("0", "x")).unwrap();
    assert_eq!(gate.begun(), 1);
    store.submit(insert("a")).unwrap();
    let last = store.submit(delete("a")).unwrap();
    gate.order(Order::Pass);
    store.close().unwrap();
    assert_eq!(store.durable(), last);
    assert!(gate.groups.try_recv().is_err());
}

#[test]
fn an_empty_batch_still_waits_for_those_before_it() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    let (progress, _watch) = watch(&store);
    store.submit(put("0", "x")).unwrap();
    gate.begun();
    let empty = store.submit(WriteBatch::new()).unwrap();
    assert!(store.durable() < empty);
    gate.order(Order::Pass);
    assert_eq!(next_durable(&progress), 1);
    assert_eq!(next_durable(&progress), 2);
}

#[test]
fn what_had_a_value_after_all_goes_with_what_was_inserted() {
    let (engine, gate) = gated();
    let memory = engine.inner.clone();
    let store = Store::open(engine, Options::default()).unwrap();
    store.submit(put("a", "of before")).unwrap();
    gate.begun();
    gate.order(Order::Pass);
    store.submit(put("0", "x")).unwrap();
    assert_eq!(gate.begun(), 1);
    for batch in [insert("a"), delete("a"), insert("b"), delete("b"), insert("a"), delete("a")] {
        store.submit(batch).unwrap();
    }
    gate.order(Order::Pass);
    assert_eq!(gate.begun(), 1, "a goes, b never was");
    gate.order(Order::Pass);
    store.close().unwrap();
    assert_eq!(memory.rows(), 1);
}

/// Commits nothing until it is let, and then as its store says.
#[derive(Clone)]
struct Held {
    memory: MemoryEngine,
    held: Arc<Mutex<()>>,
}

impl Engine for Held {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let _let = self.held.lock();
        self.memory.commit(batches)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.memory.reader()
    }
}

fn all(reader: &dyn Reader) -> Vec<(Key, bytes::Bytes)> {
    let prefix = Key::new(NamespaceId::DEFAULT, &[]);
    TABLES.into_iter().flat_map(|table| reader.scan(table, &prefix, None, usize::MAX).unwrap().entries).collect()
}

proptest! {
    #[test]
    fn net_changes_leave_what_all_changes_would(
        groups in prop::collection::vec(
            prop::collection::vec((0..2_usize, 0..3_u8, any::<bool>(), 0..5_u8, any::<u8>()), 1..20), 1..4),
    ) {
        let (mut plain, held) = (MemoryEngine::new(), Held { memory: MemoryEngine::new(), held: Arc::default() });
        for group in groups {
            let store = Store::open(held.clone(), Options::default()).unwrap();
            let lock = held.held.lock();
            for (table, name, more, what, value) in group {
                let (table, first) = (TABLES[table], [name]);
                let parts: &[&[u8]] = if more { &[&first, b"x"] } else { &[&first] };
                let key = Key::new(NamespaceId::DEFAULT, parts);
                let mut batch = WriteBatch::new();
                match what {
                    0 | 1 => batch.insert(table, key, vec![value]),
                    2 => batch.put(table, key, vec![value]),
                    3 => batch.delete(table, key),
                    _ => batch.delete_prefix(table, key),
                };
                plain.commit(std::slice::from_ref(&batch)).unwrap();
                store.submit(batch).unwrap();
            }
            drop(lock);
            store.close().unwrap();
            prop_assert_eq!(all(&held.memory), all(&plain));
        }
    }
}
