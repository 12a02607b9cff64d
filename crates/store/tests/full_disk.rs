//! A full disk is waited for; one that fails is not.
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

use std::sync::mpsc::Receiver;

use common::{PATIENCE, SESSIONS, key, next_durable, watch};
use gridmq_store::{EngineError, Options, Progress, RedbEngine, RedbOptions, SimDisk, Store, SubmitError, WriteBatch};

/// More than the file has room for when it is new.
fn large(part: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(SESSIONS, key(part), vec![7; 8 << 20]);
    batch
}

fn store(disk: &SimDisk) -> Store {
    let engine = RedbEngine::on_disk(disk.clone(), "simulated", &RedbOptions::default()).unwrap();
    disk.set_room(Some(2 << 20));
    Store::open(engine, Options::default()).unwrap()
}

fn next(progress: &Receiver<Progress>) -> Progress {
    progress.recv_timeout(PATIENCE).expect("progress")
}

#[test]
fn a_full_disk_stalls_and_goes_on_when_there_is_room() {
    let disk = SimDisk::new();
    let store = store(&disk);
    let (progress, _watch) = watch(&store);
    store.submit(large("a")).unwrap();
    let Progress::Stalled(stall) = next(&progress) else { panic!("no word") };
    assert_eq!(stall.error.kind(), std::io::ErrorKind::StorageFull);
    assert!(store.stall().is_some());
    assert_eq!((store.durable().get(), store.failure().is_none()), (0, true));
    let (late, _late) = watch(&store);
    assert!(matches!(late.try_recv(), Ok(Progress::Stalled(_))), "who comes later hears of it");
    let waits = store.submit(large("b")).unwrap();
    disk.set_room(None);
    assert!(matches!(next(&progress), Progress::Resumed));
    assert_eq!(next_durable(&progress), 1);
    assert!(store.stall().is_none());
    store.close().unwrap();
    assert_eq!(store.durable(), waits);
    drop(store);
    let engine = RedbEngine::on_disk(disk, "simulated", &RedbOptions::default()).unwrap();
    let store = Store::immediate(engine);
    for part in ["a", "b"] {
        assert_eq!(store.get(SESSIONS, &key(part)).unwrap().unwrap().len(), 8 << 20);
    }
}

#[test]
fn closing_does_not_wait_for_room() {
    let disk = SimDisk::new();
    let store = store(&disk);
    let (progress, _watch) = watch(&store);
    store.submit(large("a")).unwrap();
    assert!(matches!(next(&progress), Progress::Stalled(_)));
    let error = store.close().unwrap_err();
    assert!(matches!(&*error, EngineError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull), "{error}");
    assert_eq!(store.durable().get(), 0);
}

#[test]
fn a_failed_sync_is_final() {
    let disk = SimDisk::new();
    let store = store(&disk);
    let (progress, _watch) = watch(&store);
    disk.fail_syncs();
    let mut batch = WriteBatch::new();
    batch.put(SESSIONS, key("a"), "1");
    store.submit(batch.clone()).unwrap();
    assert!(matches!(next(&progress), Progress::Failed(_)));
    assert!(matches!(store.submit(batch), Err(SubmitError::Failed(_))));
    let syncs = disk.syncs();
    store.close().unwrap_err();
    assert_eq!(disk.syncs(), syncs);
}
