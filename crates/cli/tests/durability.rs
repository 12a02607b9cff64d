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

use common::{open_broker, run};

fn publish_retained(dir: &std::path::Path, port: u16) {
    run(dir, &format!("pub -p {port} -t kept -m value -q 1 -r")).done();
}

#[test]
fn what_was_acknowledged_outlasts_a_kill_and_a_backup_brings_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut broker, port) = open_broker(dir.path());
    publish_retained(dir.path(), port);
    run(dir.path(), "backup --out running --data-dir state/gridmq").failed(1, &["in use"]);
    broker.child.kill().unwrap();
    broker.child.wait().unwrap();
    drop(broker);
    run(dir.path(), "backup --out copy --data-dir state/gridmq").done();
    run(dir.path(), "backup --out copy --data-dir state/gridmq").failed(1, &["copy", "exists"]);
    run(dir.path(), "restore copy --data-dir state/gridmq").failed(1, &["store", "exists"]);
    let whole = std::fs::read(dir.path().join("copy")).unwrap();
    std::fs::write(dir.path().join("cut"), &whole[..whole.len() - 1]).unwrap();
    run(dir.path(), "restore cut --data-dir other").failed(1, &["cut", "cut off"]);
    assert!(!dir.path().join("other/store").exists());
    std::fs::remove_file(dir.path().join("state/gridmq/store")).unwrap();
    run(dir.path(), "restore copy --data-dir state/gridmq").done();
    let (_broker, port) = open_broker(dir.path());
    let got = run(dir.path(), &format!("sub -p {port} -t kept -C 1")).done();
    assert!(got.contains("value"), "{got}");
}

#[test]
fn a_corrupt_store_stops_the_start_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("damaged")).unwrap();
    std::fs::write(dir.path().join("damaged/store"), "something else entirely").unwrap();
    run(dir.path(), "serve --plain 127.0.0.1:0 --data-dir damaged").failed(1, &["damaged/store", "restore it"]);
    run(dir.path(), "serve --plain 127.0.0.1:0 --durability sync").failed(2, &["sync", "fsync, os or memory"]);
}
