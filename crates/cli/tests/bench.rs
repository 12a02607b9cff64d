//! `gridmq bench` against our broker: what it counts, what it says, and how it ends.

#![cfg(unix)]
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

use common::{Running, gridmq, open_broker, run};
use serde_json::Value;

/// What a run says as JSON.
fn bench(dir: &std::path::Path, words: &str) -> Value {
    serde_json::from_str(&run(dir, &format!("bench {words} --json --quiet")).done()).unwrap()
}

#[test]
fn every_scenario_counts_what_our_broker_delivers() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    let pid = broker.child.id();
    for (words, copies) in [
        ("fan-in -n 2000", 1),
        ("fan-in-single -n 500", 1),
        ("fan-in-qos1 -n 2000", 1),
        ("fan-in-qos2 -n 2000", 1),
        ("pairs --publishers 5 -n 2000", 1),
        ("fan-out --subscribers 20 -n 100", 20),
        ("filters --subscribers 5 --filters 20 --topics 100 -n 2000", 1),
        ("latency --publishers 5 --rate 1000 -n 200", 1),
        ("fan-in --mqtt 3.1.1 --strict --check-payload -n 2000", 1),
        ("fan-in --share group --subscribers 3 --audience one -n 2000", 1),
    ] {
        let said = bench(dir.path(), &format!("{words} --pid {pid} mqtt://127.0.0.1:{port}"));
        let number = |name: &str| said[name].as_u64().unwrap_or_else(|| panic!("{words}: {name} is {}", said[name]));
        let wanted: u64 = words.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(number("sent") >= wanted, "{words}: {said}");
        assert_eq!(number("delivered"), number("sent") * copies, "{words}");
        for none in ["lost", "lost_acknowledged", "duplicated", "out_of_order", "foreign", "corrupt", "unexpected"] {
            assert_eq!(number(none), 0, "{words}: {none}");
        }
        assert!(said["latency_us"]["p50"].as_f64().unwrap() > 0.0, "{words}");
        assert!(said["server"]["rss_kib"]["after"].as_u64().unwrap() > 0, "{words}");
    }
}

#[test]
fn connections_are_made_and_held() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    let pid = broker.child.id();
    let said = bench(dir.path(), &format!("connect --connections 200 --pid {pid} mqtt://127.0.0.1:{port}"));
    assert_eq!((&said["connect"]["count"], &said["connect"]["failed"]), (&200.into(), &0.into()));
    let said = bench(dir.path(), &format!("idle --idle 100 --rest 0s --pid {pid} mqtt://127.0.0.1:{port}"));
    assert_eq!(said["connect"]["count"], 100);
    assert!(said["server"]["rss_bytes_per_connection"].is_number(), "{said}");
}

/// Names and kinds of all fields, one a line.
fn shape(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| shape(value, &format!("{path}.{name}"), out)),
        Value::Array(items) => out.push(format!("{path}: array of {}", items.first().map_or("?", kind))),
        other => out.push(format!("{path}: {}", kind(other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn the_fields_of_the_result_are_a_contract() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, port) = open_broker(dir.path());
    let pid = broker.child.id();
    let said = bench(dir.path(), &format!("fan-in-qos1 -n 100 --pid {pid} mqtt://127.0.0.1:{port}"));
    let mut fields = Vec::new();
    shape(&said, "", &mut fields);
    fields.sort_unstable();
    insta::assert_snapshot!(fields.join("\n"));
}

#[test]
fn the_relay_passes_everything_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut relay = Running::start(gridmq(dir.path()).args(["bench", "relay", "--listen", "127.0.0.1:0"]));
    let port = relay.port();
    for words in ["fan-in -n 5000", "fan-out --subscribers 10 -n 100", "latency --qos 0 --publishers 5 -n 100"] {
        let said = bench(dir.path(), &format!("{words} mqtt://127.0.0.1:{port}"));
        assert_eq!(
            (&said["lost"], &said["corrupt"], &said["out_of_order"]),
            (&0.into(), &0.into(), &0.into()),
            "{words}"
        );
    }
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "bench nothing").failed(2, &["there is no scenario", "fan-in, fan-in-single"]);
    run(dir.path(), "bench --size 8").failed(2, &["--size must be at least 16"]);
    run(dir.path(), "bench http://localhost").failed(2, &["mqtt://HOST:PORT"]);
    run(dir.path(), "bench idle-mtls mqtt://localhost").failed(2, &["needs TLS"]);
    run(dir.path(), "bench connect --messages 5").failed(2, &["--messages"]);
    run(dir.path(), "bench relay").failed(2, &["--listen"]);
    // Nobody listens on the port of a listener that is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    run(dir.path(), &format!("bench mqtt://127.0.0.1:{port}")).failed(3, &["0 of 11 connections", "refused"]);
    run(dir.path(), &format!("bench --pid 4294967295 mqtt://127.0.0.1:{port}")).failed(3, &["no process"]);
}

#[test]
fn the_list_has_every_scenario_in_lines_for_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let list = run(dir.path(), "bench list").done();
    assert_eq!(list.lines().count(), 13, "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
}
