//! `gridmq doctor` as it is typed: offline, and against what does not answer.

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

use common::{ended, gridmq, run, run_with_input};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_text_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let out = run(dir.path(), "doctor explain SSL alert number 48").done();
    assert!(out.starts_with("sure      E02 client-issuer-unknown"), "{out}");
    let out = run_with_input(dir.path(), "doctor explain", b"tlsv13 alert certificate required\n").done();
    assert!(out.contains("E01"), "{out}");
    let out = run(dir.path(), "doctor explain --json -0x2700").done();
    assert_eq!(json(&out)[0]["id"], "H09");
    run(dir.path(), "doctor explain all is well").failed(1, &["not recognised"]);
}

#[test]
fn an_entry_is_shown_by_id_and_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let by_id = run(dir.path(), "doctor explain a19").done();
    assert_eq!(run(dir.path(), "doctor explain key-mismatch").done(), by_id);
    assert!(by_id.contains("fix "), "{by_id}");
    run(dir.path(), "doctor explain Z99").failed(1, &["Z99", "gridmq doctor list"]);
    let list = run(dir.path(), "doctor list").done();
    assert!(list.lines().count() >= 140);
    assert!(list.lines().all(|line| line.len() < 140));
}

#[test]
fn files_are_examined_and_the_exit_code_names_the_stage() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), "doctor files --cert nowhere.pem --key nowhere.key");
    assert_eq!(ended.code, 10, "{ended:?}");
    assert!(ended.out.contains("A01 file-missing"), "{ended:?}");
    let ended = run(dir.path(), "doctor files --json --cert nowhere.pem");
    assert_eq!(ended.code, 10);
    let report = json(&ended.out);
    assert_eq!(
        (&report["schema"], &report["result"], &report["cause"], &report["exit"]),
        (&"gridmq-doctor/1".into(), &"fail".into(), &"A01".into(), &10.into())
    );
}

#[test]
fn wrong_usage_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), "doctor").code, 2);
    run(dir.path(), "doctor files").failed(2, &["--cert"]);
    run(dir.path(), "doctor gopher://localhost").failed(2, &["gopher", "mqtts"]);
    run(dir.path(), "doctor mqtts://user:secret@localhost").failed(2, &["password"]);
    assert_eq!(run(dir.path(), "doctor --profile azure mqtts://localhost").code, 2);
}

#[test]
fn a_closed_port_is_named_and_an_env_file_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let env = format!("MQTT_HOST_NAME=127.0.0.1\nMQTT_TCP_PORT={port}\nMQTT_CLIENT_ID=sensor-one\n");
    std::fs::write(dir.path().join(".env"), env).unwrap();
    let ended =
        ended(gridmq(dir.path()).args(["doctor", "--env-file", ".env", "--json", "--timeout", "10", "--redact"]));
    assert_eq!(ended.code, 13, "{ended:?}");
    let report = json(&ended.out);
    assert_eq!(report["cause"], "C02");
    assert_eq!(report["stage"], "tcp");
    assert!(!ended.out.contains("sensor-one"));
}

#[test]
fn repaired_copies_go_into_their_own_directory() {
    let dir = tempfile::tempdir().unwrap();
    let pem = "\u{feff}".to_owned() + include_str!("data/root.pem");
    std::fs::write(dir.path().join("ca.pem"), &pem).unwrap();
    let ended = run(dir.path(), "doctor files --cafile ca.pem --fix repaired");
    assert!(ended.out.contains("put right"), "{ended:?}");
    let repaired = std::fs::read_to_string(dir.path().join("repaired/ca.pem")).unwrap();
    assert!(repaired.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(std::fs::read_to_string(dir.path().join("ca.pem")).unwrap(), pem);
    let again = run(dir.path(), "doctor files --cafile ca.pem --fix repaired");
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("already there and left alone"), "{again:?}");
    assert!(!again.err.contains("--force"), "doctor has no --force: {again:?}");
}
