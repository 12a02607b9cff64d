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

use std::path::Path;

use common::{Running, gridmq, open_broker, run, run_with_input};
use serde_json::{Value, json};

/// A subscriber that is known to be subscribed, for it has printed a retained message.
fn subscriber(dir: &Path, port: u16, words: &str) -> Running {
    run(dir, &format!("pub -p {port} -t ready -m ready -r -q 1")).done();
    let mut command = gridmq(dir);
    command.args(["sub", "-p", &port.to_string(), "-q", "2"]).args(words.split(' ')).args(["-t", "ready"]);
    let mut subscriber = Running::start(&mut command);
    assert!(subscriber.line().contains("ready"));
    subscriber
}

#[test]
fn messages_arrive_in_every_version_and_quality() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    let mut subscriber = subscriber(dir.path(), port, "-t a/+ -v");
    for version in ["mqttv5", "mqttv311", "mqttv31"] {
        for qos in 0..3 {
            let words = format!("pub -p {port} -V {version} -i publisher -t a/{version} -q {qos} -m message{qos}");
            assert_eq!(run(dir.path(), &words).done(), "");
            assert_eq!(subscriber.line(), format!("a/{version} message{qos}"));
        }
    }
}

#[test]
fn every_line_of_standard_input_is_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    let mut subscriber = subscriber(dir.path(), port, "-t a");
    let ended = run_with_input(dir.path(), &format!("pub -p {port} -t a -l -q 1 --json"), b"one\ntwo\r\n\nfour");
    let answers = ended.done();
    assert_eq!(answers.lines().count(), 4);
    let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
    assert_eq!((&first["reasonCode"], &first["bytes"]), (&json!(0), &json!(3)));
    for expected in ["one", "two", "", "four"] {
        assert_eq!(subscriber.line(), expected);
    }
    run_with_input(dir.path(), &format!("pub -p {port} -t a -s -q 1"), b"one\nmessage").done();
    assert_eq!((subscriber.line(), subscriber.line()), ("one".to_owned(), "message".to_owned()));
}

#[test]
fn bytes_arrive_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    let bytes: Vec<u8> = (0..=255).cycle().take(256 * 1024).collect();
    std::fs::write(dir.path().join("bytes"), &bytes).unwrap();
    run(dir.path(), &format!("pub -p {port} -t a -f bytes -r -q 1")).done();
    let output = gridmq(dir.path()).args(["sub", "-p", &port.to_string(), "-t", "a", "-C", "1"]).output().unwrap();
    assert_eq!(output.stdout.split_last(), Some((&b'\n', &bytes[..])));
    let shown = run(dir.path(), &format!("sub -p {port} -t a -C 1 --json")).done();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown.get("payload").is_none());
    assert!(shown["payload_base64"].as_str().unwrap().starts_with("AAECAwQF"));
}

#[test]
fn a_message_is_shown_as_json_with_its_properties() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    let properties = "-D content-type text/plain -D response-topic=reply --property user-property key value \
        -D publish correlation-data id -D payload-format-indicator 1";
    let properties = properties.split_whitespace().collect::<Vec<_>>().join(" ");
    run(dir.path(), &format!("pub -p {port} -t a -m hello -r -q 1 {properties}")).done();
    let shown = run(dir.path(), &format!("sub -p {port} -t a -q 1 -C 1 --json")).done();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["topic"], "a");
    assert_eq!(shown["payload"], "hello");
    assert_eq!((&shown["qos"], &shown["retain"]), (&json!(1), &json!(true)));
    let shown = &shown["properties"];
    assert_eq!(shown["contentType"], "text/plain");
    assert_eq!(shown["responseTopic"], "reply");
    assert_eq!(shown["userProperties"], json!([["key", "value"]]));
    assert_eq!(shown["correlationDataBase64"], "aWQ=");
    assert_eq!(shown["payloadFormatIndicator"], true);
}

#[test]
fn it_ends_after_so_many_messages_or_so_many_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    run(dir.path(), &format!("pub -p {port} -t a -m 1 -r -q 1")).done();
    run(dir.path(), &format!("pub -p {port} -t b -m 2 -r -q 1")).done();
    let both = run(dir.path(), &format!("sub -p {port} -t a -t b -C 2 -W 20")).done();
    assert_eq!(both.lines().count(), 2);
    let ended = run(dir.path(), &format!("sub -p {port} -t a -C 2 -W 1"));
    assert_eq!((ended.code, ended.out.as_str()), (1, "1\n"));
    assert!(ended.err.contains("-W"), "{ended:?}");
}

#[test]
fn filters_that_overlap_print_no_message_more_often_than_the_broker_sends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    let mut subscriber = subscriber(dir.path(), port, "-t a/b -t a/# -v");
    run(dir.path(), &format!("pub -p {port} -t a/b -m once -q 1")).done();
    run(dir.path(), &format!("pub -p {port} -t a/end -m end -q 1")).done();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != "a/end end") {
        lines.push(subscriber.line());
    }
    // One for each subscription at most [MQTT-3.3.4-2].
    assert!((2..=3).contains(&lines.len()), "{lines:?}");
}

#[test]
fn a_retained_message_is_removed_by_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    run(dir.path(), &format!("pub -p {port} -t a -m 1 -r -q 1")).done();
    run(dir.path(), &format!("pub -p {port} -t a -n -r -q 1")).done();
    run(dir.path(), &format!("sub -p {port} -t a -W 1")).failed(1, &["-W"]);
}

#[test]
fn an_env_file_of_the_samples_is_understood_and_flags_win_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    let env = format!("MQTT_HOST_NAME=localhost\nMQTT_TCP_PORT={port}\nMQTT_USE_TLS=false\nMQTT_CLIENT_ID=vehicle01\n");
    std::fs::write(dir.path().join("vehicle01.env"), env).unwrap();
    run(dir.path(), "pub --env-file vehicle01.env -t a -m hello -r -q 1").done();
    assert_eq!(run(dir.path(), "sub --env-file vehicle01.env -t a -C 1").done(), "hello\n");
    run(dir.path(), "sub --env-file vehicle01.env -p 1 -t a -C 1").failed(1, &["localhost"]);
}

/// Takes up a session that is kept, and leaves it once a message has come.
#[cfg(unix)]
fn leave_by_interrupt(dir: &Path, port: u16, session: &str) {
    run(dir, &format!("pub -p {port} -t a -m ready -q 1")).done();
    let mut running = Running::start(gridmq(dir).args(session.split(' ')));
    assert_eq!(running.line(), "ready");
    assert_eq!(running.stop("-INT"), 0);
}

#[test]
fn a_session_that_was_left_is_taken_up_again_however_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    for (version, other) in [("mqttv5", ""), ("mqttv5", " -D session-expiry-interval 600"), ("mqttv311", "")] {
        let session = format!("sub -p {port} -V {version} -i kept -c -q 1 -t a{other}");
        let resumed = |text: &str| {
            run(dir.path(), &format!("pub -p {port} -t a -m {text} -q 1")).done();
            assert_eq!(run(dir.path(), &format!("{session} -C 1 -W 20")).done(), format!("{text}\n"), "{session}");
        };
        run(dir.path(), &format!("{session} -W 1")).failed(1, &["-W"]);
        resumed("after-W");
        resumed("after-C");
        #[cfg(unix)]
        {
            leave_by_interrupt(dir.path(), port, &session);
            resumed("after-SIGINT");
        }
    }
}

#[test]
fn what_is_kept_needs_a_name() {
    let dir = tempfile::tempdir().unwrap();
    for words in ["sub -t a -c", "sub -t a -c -V 311", "pub -t a -m b -c", "sub -t a -V 31"] {
        run(dir.path(), words).failed(2, &["-i"]);
    }
    let empty = common::ended(gridmq(dir.path()).args(["sub", "-t", "a", "-c", "-V", "311", "-i", ""]));
    empty.failed(2, &["-i"]);
}

/// A namespace with one client, `device1`, taken at its word on a plain port.
fn namespace_broker(dir: &Path) -> (Running, u16) {
    let namespace = json!({
        "clients": [{ "name": "device1" }],
        "topicSpaces": [{ "name": "mine", "properties": { "topicTemplates": ["mine/#"] } }],
        "permissionBindings": [
            { "name": "publish", "properties":
                { "clientGroupName": "$all", "topicSpaceName": "mine", "permission": "Publisher" } },
            { "name": "subscribe", "properties":
                { "clientGroupName": "$all", "topicSpaceName": "mine", "permission": "Subscriber" } },
        ],
    });
    std::fs::write(dir.join("namespace.json"), namespace.to_string()).unwrap();
    let words = "serve --namespace namespace.json --plain 127.0.0.1:0 --trust-plain --log error";
    let mut broker = Running::start(gridmq(dir).args(words.split(' ')));
    let port = broker.port();
    assert!(broker.line().contains("client device1"));
    (broker, port)
}

#[test]
fn a_refused_message_of_qos_0_does_not_look_like_success() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = namespace_broker(dir.path());
    let publish = |version: &str, topic: &str| {
        run(dir.path(), &format!("pub -p {port} -V {version} -i one -u device1 -t {topic} -m b --json"))
    };
    let allowed = publish("mqttv5", "mine/a").done();
    let allowed: Value = serde_json::from_str(&allowed).unwrap();
    assert_eq!(allowed, json!({"topic": "mine/a", "qos": 0, "retain": false, "bytes": 1, "acknowledged": false}));
    publish("mqttv311", "mine/a").done();
    let refused = publish("mqttv5", "other").without_output();
    refused.failed(1, &["QoS 0", "0x87"]);
    // 3.1.1 has no reason to give: the connection is closed.
    publish("mqttv311", "other").without_output().failed(1, &["QoS 0", "closed"]);
}

#[test]
fn of_several_filters_those_that_are_granted_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = namespace_broker(dir.path());
    let device = format!("-p {port} -u device1 -q 1");
    run(dir.path(), &format!("pub {device} -i one -t mine/a -m kept -r")).done();
    let ended = run(dir.path(), &format!("sub {device} -i two -t other -t mine/a -C 1 -W 20"));
    assert_eq!((ended.code, ended.out.as_str()), (0, "kept\n"), "{ended:?}");
    assert!(ended.err.contains("warning:") && ended.err.contains("filter other"), "{ended:?}");
    run(dir.path(), &format!("sub {device} -i two -t other -t another -W 20")).failed(1, &["other", "another"]);
}

#[test]
fn what_was_agreed_on_is_said_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    for flag in ["-d", "--log debug"] {
        let ended = run(dir.path(), &format!("pub -p {port} -t a -m b {flag}"));
        assert!(ended.code == 0 && ended.err.contains("CONNACK"), "{ended:?}");
    }
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_a_subscriber_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = open_broker(dir.path());
    assert_eq!(subscriber(dir.path(), port, "-t a").stop("-INT"), 0);
}
