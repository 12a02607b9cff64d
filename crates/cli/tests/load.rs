//! More than a broker is made for: nothing is lost that was acknowledged, memory stays bounded, and everybody else is
//! served. Times are not looked at; docs/reliability.md has some.

#![cfg(target_os = "linux")]
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

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use common::{Running, eventually, gridmq, open_broker, run};
use serde_json::Value;

/// As many as the descriptors of a process allow on each side, with some to spare.
const MANY: u64 = 10_000;

/// What one run of `gridmq bench` says, which keeps every promise.
fn bench(dir: &Path, broker: &Running, port: u16, words: &str) -> Value {
    let pid = broker.child.id();
    let words = format!("bench {words} --timeout 60s --pid {pid} mqtt://127.0.0.1:{port} --json --quiet");
    serde_json::from_str(&run(dir, &words).done()).unwrap()
}

fn number(said: &Value, name: &str) -> u64 {
    said[name].as_u64().unwrap_or_else(|| panic!("{name} in {said}"))
}

#[track_caller]
fn all_arrived(said: &Value, copies: u64) {
    assert!(number(said, "sent") > 0, "{said}");
    assert_eq!(number(said, "delivered"), number(said, "sent") * copies, "{said}");
    for none in ["lost", "duplicated", "out_of_order", "corrupt", "unfinished"] {
        assert_eq!(number(said, none), 0, "{none} in {said}");
    }
}

/// Resident memory of a process, in KiB.
fn resident(broker: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_subscribers_each_get_every_message() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    let said = bench(dir.path(), &broker, port, &format!("fan-out --subscribers {MANY} -n 10"));
    all_arrived(&said, MANY);
}

#[test]
fn ten_thousand_clients_publish_and_all_is_acknowledged_and_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    let said = bench(dir.path(), &broker, port, &format!("fan-in-qos1 --publishers {MANY} --window 1 -n 30000"));
    // One subscriber has room for a thousand: the others are told so, and nobody is told otherwise than it is.
    let refused = said["refused"].as_object().unwrap();
    assert!(refused.keys().all(|reason| reason == "0x97"), "{said}");
    let refused: u64 = refused.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(number(&said, "sent"), number(&said, "acknowledged") + refused, "{said}");
    assert!(number(&said, "acknowledged") >= 1000, "{said}");
    assert_eq!(number(&said, "delivered"), number(&said, "acknowledged"), "{said}");
    assert_eq!(number(&said, "duplicated"), 0, "{said}");
}

#[test]
fn ten_thousand_clients_come_back_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    let words = format!(
        "connect --connections {MANY} --concurrency {MANY} --keep-sessions --session-expiry 300 --client-id device-{{i}}"
    );
    for _ in 0..2 {
        let said = bench(dir.path(), &broker, port, &words);
        assert_eq!((&said["connect"]["count"], &said["connect"]["failed"]), (&MANY.into(), &0.into()));
    }
}

#[test]
fn a_subscriber_that_stops_reading_costs_others_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    run(dir.path(), &format!("pub -p {port} -t load/hello -m hello -r -q 1")).done();
    let words = format!("sub -p {port} -t load/#");
    let mut stalled = Running::start(gridmq(dir.path()).args(words.split(' ')));
    assert_eq!(stalled.line(), "hello");
    let signal = |signal: &str| {
        let status = Command::new("kill").args([signal, &stalled.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    signal("-STOP");
    let before = resident(&broker);
    // 40 MB, of which the sockets on the way take a few and the broker no more than egress-bytes of [limits].
    let load = "fan-in --topic load/{pub} --filter load/+ --size 4000 --window 10 -n 10000";
    all_arrived(&bench(dir.path(), &broker, port, load), 1);
    let grown = resident(&broker).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more than before");
    signal("-CONT");
    run(dir.path(), &format!("pub -p {port} -t load/bye -m bye -q 1")).done();
}

#[test]
fn who_is_connected_is_served_while_there_are_no_descriptors_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let serve = gridmq(dir.path());
    let mut limited = Command::new("sh");
    limited.current_dir(dir.path()).args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\""]).arg(serve.get_program());
    limited.args(["serve", "--plain", "127.0.0.1:0", "--log", "info"]).stderr(File::create(&log).unwrap());
    let mut broker = Running::start(&mut limited);
    let port = broker.port();
    let mut connected = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connected.set_read_timeout(Some(common::PATIENCE)).unwrap();
    connected.write_all(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02me").unwrap();
    let mut answer = [0; 4];
    connected.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\x20\x02\x00\x00");
    let crowd: Vec<_> = (0..150).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let logged = |words: &str| std::fs::read_to_string(&log).unwrap().matches(words).count();
    eventually("it says what is short", || logged("raise the limit of open files") == 1);
    connected.write_all(b"\xc0\x00").unwrap();
    connected.read_exact(&mut answer[..2]).unwrap();
    assert_eq!(answer[..2], *b"\xd0\x00");
    drop(crowd);
    run(dir.path(), &format!("pub -p {port} -t a -m b -q 1")).done();
    assert_eq!(logged("connections are taken again"), 1);
}
