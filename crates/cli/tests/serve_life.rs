//! Reload, what the service manager is told, and the end of the real program.

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

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Running, eventually, gridmq, run};

fn hang_up(broker: &Running) {
    let id = broker.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap()
}

fn start(dir: &Path, words: &str) -> Running {
    let file = fs::File::create(dir.join("log")).unwrap();
    Running::start(gridmq(dir).args(["serve", "--config", "gridmq.toml"]).args(words.split_whitespace()).stderr(file))
}

#[test]
fn a_reload_puts_limits_and_log_levels_in_force_and_names_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let file = |text: &str| fs::write(dir.join("gridmq.toml"), format!("plain = '127.0.0.1:0'\n{text}")).unwrap();
    file("[log]\nfilter = 'warn'");
    let mut broker = start(dir, "");
    let port = broker.port();
    let publish = format!("pub -p {port} -i device1 -t a -m hello -q 1");
    run(dir, &publish).done();
    assert_eq!(log(dir), "");

    file("workers = 2\n[log]\nfilter = 'info'\n[limits]\nsubscriptions = 1\n");
    hang_up(&broker);
    eventually("it is reloaded", || log(dir).contains("reloaded"));
    let said = log(dir);
    let line = |key: &str| said.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("{key} in {said}"));
    assert!(line("workers").contains("waits for the next start"));
    assert!(line("limits.subscriptions").contains("in force"));
    run(dir, &publish).done();
    eventually("clients are logged now", || log(dir).contains("device1"));
    run(dir, &format!("sub -p {port} -t a -t b -C 1 -W 5")).failed(1, &["0x97"]);

    file("[log]\nfilter = 'nonsense'\n[limits]\nsubscriptions = 5\n");
    hang_up(&broker);
    eventually("the bad file is told", || log(dir).contains("everything stays as it was"));
    assert!(log(dir).contains("nonsense"));
    run(dir, &format!("sub -p {port} -t a -t b -C 1 -W 5")).failed(1, &["0x97"]);

    file("[limitz]\n");
    hang_up(&broker);
    eventually("so is an unknown key", || log(dir).contains("did you mean limits?"));
    assert_eq!(broker.stop("-TERM"), 0);
}

#[test]
fn a_reload_puts_the_namespace_in_force_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let namespace = |topic: &str| {
        let binding = |name: &str, permission: &str| {
            serde_json::json!({ "name": name, "properties":
                { "clientGroupName": "$all", "topicSpaceName": "machines", "permission": permission } })
        };
        let namespace = serde_json::json!({
            "clients": [{ "name": "device1" }],
            "topicSpaces": [{ "name": "machines", "properties": { "topicTemplates": [topic] } }],
            "permissionBindings": [binding("publish", "Publisher"), binding("subscribe", "Subscriber")],
        });
        fs::write(dir.join("namespace.json"), namespace.to_string()).unwrap();
    };
    namespace("old/#");
    fs::write(dir.join("gridmq.toml"), "namespace = 'namespace.json'\nplain = '127.0.0.1:0'\ntrust-plain = true\n")
        .unwrap();
    let mut broker = start(dir, "");
    let port = broker.port();
    let publish = |topic: &str| run(dir, &format!("pub -p {port} -u device1 -t {topic} -m hello -q 1"));
    publish("old/a").done();
    publish("new/a").failed(1, &["0x87"]);

    namespace("new/#");
    hang_up(&broker);
    eventually("it is reloaded", || log(dir).contains(" reloaded"));
    publish("new/a").done();
    publish("old/a").failed(1, &["0x87"]);

    fs::write(dir.join("namespace.json"), "{").unwrap();
    hang_up(&broker);
    eventually("the bad one is told", || log(dir).contains("everything stays as it was"));
    publish("new/a").done();
    assert_eq!(broker.stop("-TERM"), 0);
}

#[test]
fn the_service_manager_hears_of_the_start_reloads_life_and_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("gridmq.toml"), "plain = '127.0.0.1:0'\nlog = 'error'").unwrap();
    let socket = UnixDatagram::bind(dir.join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let hear_of = |word: &str| loop {
        let heard = hear();
        if heard.contains(word) {
            break heard;
        }
        assert!(heard.contains("WATCHDOG=1"), "{heard} while waiting for {word}");
    };
    let mut command = gridmq(dir);
    command.args(["serve", "--config", "gridmq.toml"]).env("NOTIFY_SOCKET", dir.join("notify"));
    command.env("WATCHDOG_USEC", "400000");
    let mut broker = Running::start(&mut command);
    let port = broker.port();
    let ready = hear_of("READY=1");
    assert!(ready.contains("STATUS="), "{ready}");
    run(dir, &format!("pub -p {port} -t a -m hello")).done();
    hear_of("WATCHDOG=1");

    hang_up(&broker);
    let reloading = hear_of("RELOADING=1");
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(at.parse::<u64>().unwrap() > 0);
    hear_of("READY=1");
    fs::write(dir.join("gridmq.toml"), "nonsense = 1").unwrap();
    hang_up(&broker);
    hear_of("RELOADING=1");
    let failed = hear_of("READY=1");
    assert!(failed.contains("failed"), "{failed}");

    assert_eq!(broker.stop("-TERM"), 0);
    hear_of("STOPPING=1");
}

#[test]
fn the_configuration_is_printed_and_checked_without_listening() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let printed = run(dir, "serve --print-config").done();
    fs::write(dir.join("gridmq.toml"), &printed).unwrap();
    run(dir, "serve --config gridmq.toml --check-config").failed(2, &["--cert", "--plain"]);
    let good = run(dir, "serve --config gridmq.toml --plain 127.0.0.1:1 --check-config").done();
    assert!(good.contains("the configuration is good"), "{good}");
    fs::write(dir.join("gridmq.toml"), "plain = 1883\nnamespace = 'missing.json'").unwrap();
    run(dir, "serve --config gridmq.toml --check-config").failed(1, &["missing.json"]);
    fs::write(dir.join("gridmq.toml"), "plain = 1883\n[est]\nca = 'missing'").unwrap();
    run(dir, "serve --config gridmq.toml --check-config").failed(2, &["[est]", "cert"]);
    assert!(!dir.join("state").exists());
}
