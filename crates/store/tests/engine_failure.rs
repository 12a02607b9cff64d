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

use common::{Order, PATIENCE, SESSIONS, gated, key, next_durable, put, watch};
use gridmq_store::{Engine, EngineError, MemoryEngine, Options, Progress, Reader, Store, SubmitError, WriteBatch};

#[test]
fn a_failure_is_said_to_all_and_nothing_later_is_confirmed() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    let (first, _first) = watch(&store);
    let (second, _second) = watch(&store);
    store.submit(put("a", "1")).unwrap();
    gate.begun();
    store.submit(put("b", "2")).unwrap();
    gate.order(Order::Pass);
    assert_eq!((next_durable(&first), next_durable(&second)), (1, 1));
    gate.begun();
    store.submit(put("c", "3")).unwrap();
    gate.order(Order::Fail);
    for watcher in [&first, &second] {
        let Progress::Failed(error) = watcher.recv_timeout(PATIENCE).unwrap() else { panic!("confirmed") };
        assert!(matches!(&*error, EngineError::Io(_)));
    }
    assert!(matches!(store.submit(put("d", "4")), Err(SubmitError::Failed(_))));
    assert!(store.close().is_err());
    assert_eq!(store.durable().get(), 1);
    assert!(first.try_recv().is_err(), "nothing is said after the failure");
    assert_eq!(store.get(SESSIONS, &key("c")).unwrap(), None);
    assert!(gate.groups.try_recv().is_err(), "the engine is left alone after its failure");
}

#[test]
fn who_comes_after_the_failure_hears_of_it_at_once() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    gate.order(Order::Fail);
    store.submit(put("a", "1")).unwrap();
    assert!(store.close().is_err());
    let (late, _watch) = watch(&store);
    assert!(matches!(late.try_recv(), Ok(Progress::Failed(_))));
}

#[test]
fn a_panic_of_the_engine_is_a_failure_and_not_silence() {
    let (engine, gate) = gated();
    let store = Store::open(engine, Options::default()).unwrap();
    let (progress, _watch) = watch(&store);
    gate.order(Order::Panic);
    store.submit(put("a", "1")).unwrap();
    let Progress::Failed(error) = progress.recv_timeout(PATIENCE).unwrap() else { panic!("confirmed") };
    assert!(matches!(&*error, EngineError::Stopped));
    assert!(store.close().is_err());
}

#[test]
fn a_store_without_a_thread_fails_for_good_too() {
    struct Broken(u32);
    impl Engine for Broken {
        fn commit(&mut self, _: &[WriteBatch]) -> Result<(), EngineError> {
            self.0 += 1;
            if self.0 == 2 { Err(EngineError::Corrupt("a test".to_owned())) } else { Ok(()) }
        }
        fn reader(&self) -> Arc<dyn Reader> {
            MemoryEngine::new().reader()
        }
    }
    let store = Store::immediate(Broken(0));
    assert_eq!(store.submit(put("a", "1")).unwrap(), store.durable());
    for _ in 0..2 {
        assert!(matches!(store.submit(put("b", "2")), Err(SubmitError::Failed(_))));
    }
    assert_eq!(store.durable().get(), 1);
}
