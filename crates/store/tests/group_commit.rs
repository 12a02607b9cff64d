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

use std::num::NonZeroUsize;

use common::{Order, SESSIONS, gated, key, next_durable, put, watch};
use gridmq_store::{MemoryEngine, Options, Seq, Store, SubmitError, WriteBatch};

#[test]
fn what_waits_during_a_commit_goes_into_the_next_one_together() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    let (progress, _watch) = watch(&store);
    store.submit(put("0", "x")).unwrap();
    assert_eq!(gate.begun(), 1);
    for n in 1..=5 {
        assert_eq!(store.submit(put(&n.to_string(), "x")).unwrap().get(), n + 1);
    }
    assert_eq!(store.durable(), Seq::ZERO);
    gate.order(Order::Pass);
    assert_eq!(next_durable(&progress), 1);
    assert_eq!(gate.begun(), 5);
    assert_eq!(store.durable().get(), 1);
    gate.order(Order::Pass);
    assert_eq!(next_durable(&progress), 6);
    assert_eq!(store.durable().get(), 6);
}

#[test]
fn a_group_is_not_larger_than_was_set() {
    let (engine, gate) = gated();
    let options = Options { max_group: NonZeroUsize::new(2).unwrap(), ..Options::default() };
    let store = Store::open(engine, options).unwrap();
    store.submit(put("0", "x")).unwrap();
    assert_eq!(gate.begun(), 1);
    for n in 1..=3 {
        store.submit(put(&n.to_string(), "x")).unwrap();
    }
    for expected in [2, 1] {
        gate.order(Order::Pass);
        assert_eq!(gate.begun(), expected);
    }
    gate.order(Order::Pass);
    store.close().unwrap();
    assert_eq!(store.durable().get(), 4);
}

#[test]
fn batches_are_applied_in_the_order_of_their_numbers() {
    let engine = MemoryEngine::new();
    let store = Store::open(engine, Options::default()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || {
                let mut last = Seq::ZERO;
                for _ in 0..200 {
                    let mut batch = WriteBatch::new();
                    batch.put(SESSIONS, key("own"), Vec::new());
                    let seq = loop {
                        match store.submit(batch) {
                            Ok(seq) => break seq,
                            Err(SubmitError::Full(back)) => batch = back,
                            Err(other) => panic!("{other}"),
                        }
                    };
                    assert!(seq > last);
                    last = seq;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    store.submit(put("own", "first")).unwrap();
    let last = store.submit(put("own", "last")).unwrap();
    store.close().unwrap();
    assert_eq!((last.get(), store.durable()), (802, last));
    assert_eq!(store.get(SESSIONS, &key("own")).unwrap().unwrap(), "last");
}

#[test]
fn a_full_queue_hands_the_batch_back_and_has_room_after_a_commit() {
    let (engine, gate) = gated();
    let options = Options { queue_batches: NonZeroUsize::new(2).unwrap(), ..Options::default() };
    let store = Store::open(engine, options).unwrap();
    let (progress, _watch) = watch(&store);
    store.submit(put("a", "1")).unwrap();
    assert_eq!(gate.begun(), 1);
    store.submit(put("b", "2")).unwrap();
    let Err(SubmitError::Full(back)) = store.submit(put("c", "3")) else { panic!("taken") };
    assert_eq!(back, put("c", "3"));
    gate.order(Order::Pass);
    assert_eq!(next_durable(&progress), 1);
    let seq = store.submit(back).unwrap();
    assert_eq!(seq.get(), 3);
    gate.order(Order::Pass);
    gate.order(Order::Pass);
    store.close().unwrap();
    assert_eq!(store.durable(), seq);
}

#[test]
fn bytes_are_bounded_but_one_large_batch_passes_alone() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options { queue_bytes: 100, ..Options::default() }).unwrap();
    let mut large = WriteBatch::new();
    large.put(SESSIONS, key("large"), vec![0; 1000]);
    assert!(large.bytes() > 1000);
    store.submit(large.clone()).unwrap();
    assert_eq!(gate.begun(), 1);
    assert!(matches!(store.submit(put("a", "1")), Err(SubmitError::Full(_))));
    gate.order(Order::Pass);
    store.close().unwrap();
    assert_eq!(store.get(SESSIONS, &key("large")).unwrap().unwrap().len(), 1000);
}

#[test]
fn close_flushes_and_then_takes_nothing() {
    let engine = MemoryEngine::new();
    let store = Store::open(engine.clone(), Options::default()).unwrap();
    for n in 0..50 {
        store.submit(put(&n.to_string(), "x")).unwrap();
    }
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!((engine.rows(), store.durable().get()), (50, 50));
    assert!(matches!(store.submit(put("a", "1")), Err(SubmitError::Closed(_))));
}

#[test]
fn the_last_handle_flushes_when_it_goes() {
    let engine = MemoryEngine::new();
    let store = Store::open(engine.clone(), Options::default()).unwrap();
    let second = store.clone();
    drop(store);
    second.submit(put("a", "1")).unwrap();
    drop(second);
    assert_eq!(engine.rows(), 1);
}

#[test]
fn a_watcher_that_was_dropped_hears_nothing() {
    let store = Store::open(MemoryEngine::new(), Options::default()).unwrap();
    let (progress, guard) = watch(&store);
    drop(guard);
    store.submit(put("a", "1")).unwrap();
    store.close().unwrap();
    assert!(progress.try_recv().is_err());
}
