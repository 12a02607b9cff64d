//! `gridmq serve --arm`: what is made over the control plane is served, kept and guarded.

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

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{Running, eventually, gridmq, run};
use serde_json::{Value as Json, json};

const NAMESPACE: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.EventGrid/namespaces/ns1";
const SERVE: &str = "serve --arm 127.0.0.1:0 --plain 127.0.0.1:0 --trust-plain --log warn";

struct Served {
    running: Running,
    mqtt: u16,
    arm: u16,
    token: Option<String>,
}

fn serve(dir: &Path, more: &str) -> Served {
    let mut running = Running::start(gridmq(dir).args(SERVE.split(' ')).args(more.split_whitespace()));
    let (mqtt, arm) = (running.port(), running.port());
    Served { running, mqtt, arm, token: None }
}

impl Served {
    /// The status, and the body.
    fn send(&self, method: &str, path: &str, body: &Json) -> (u16, Json) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.arm)).unwrap();
        let body = body.to_string();
        let token = self.token.iter().map(|token| format!("Authorization: Bearer {token}\r\n")).collect::<String>();
        let head = format!("{method} {path}?api-version=2025-02-15 HTTP/1.1\r\nHost: localhost\r\n{token}");
        write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        let body = rest.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    #[track_caller]
    fn put(&self, part: &str, properties: Json) {
        let (status, body) = self.send("PUT", &format!("{NAMESPACE}{part}"), &json!({ "properties": properties }));
        assert!(matches!(status, 200 | 201), "{part}: {status} {body}");
    }

    fn make(&self) {
        self.put("", json!({ "topicSpacesConfiguration": { "state": "Enabled" } }));
        self.put("/clients/device1", json!({}));
        self.put("/topicSpaces/own", json!({ "topicTemplates": ["devices/${client.authenticationName}/#"] }));
        let binding = json!({ "clientGroupName": "$all", "topicSpaceName": "own", "permission": "Publisher" });
        self.put("/permissionBindings/own-pub", binding);
    }

    fn publish(&self, dir: &Path, name: &str) -> common::Ended {
        run(dir, &format!("pub -p {} -u {name} -t devices/{name}/t -m 21 -q 1", self.mqtt))
    }
}

#[test]
fn what_is_made_is_served_at_once_and_kept_over_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path(), "--trust-local");
    served.publish(dir.path(), "device1").failed(1, &["0x"]);
    served.make();
    served.publish(dir.path(), "device1").done();
    served.publish(dir.path(), "device2").failed(1, &["0x87"]);
    served.put("/clients/device2", json!({}));
    served.publish(dir.path(), "device2").done();
    assert_eq!(
        served.send("GET", &format!("{NAMESPACE}/clients"), &Json::Null).1["value"].as_array().unwrap().len(),
        2
    );

    served.running.child.kill().unwrap();
    served.running.child.wait().unwrap();
    let mut served = serve(dir.path(), "--trust-local");
    served.publish(dir.path(), "device2").done();
    assert_eq!(served.send("DELETE", &format!("{NAMESPACE}/clients/device2"), &Json::Null).0, 200);
    served.publish(dir.path(), "device2").failed(1, &["0x87"]);
    served.publish(dir.path(), "device1").done();
    assert_eq!(served.running.stop("-TERM"), 0);
}

#[test]
fn who_is_connected_feels_a_change_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let served = serve(dir.path(), "--trust-local");
    served.make();
    served.put("/clients/device2", json!({}));
    served.put("/topicSpaces/shared", json!({ "topicTemplates": ["shared/#"] }));
    for permission in ["Publisher", "Subscriber"] {
        let binding = json!({ "clientGroupName": "$all", "topicSpaceName": "shared", "permission": permission });
        served.put(&format!("/permissionBindings/shared-{permission}"), binding);
    }
    let sub = format!("sub -p {} -u device1 -t shared/# --log error", served.mqtt);
    let mut subscriber = Running::start(gridmq(dir.path()).args(sub.split(' ')));
    // Retained, so that it comes whoever is first.
    run(dir.path(), &format!("pub -p {} -u device2 -t shared/t -m 21 -q 1 -r", served.mqtt)).done();
    assert_eq!(subscriber.line(), "21");
    assert_eq!(served.send("DELETE", &format!("{NAMESPACE}/clients/device1"), &Json::Null).0, 200);
    eventually("it is disconnected", || subscriber.child.try_wait().unwrap().is_some());
}

#[test]
fn the_secret_is_one_of_a_file_that_nobody_else_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path(), "");
    let line = served.running.line();
    let path = line.strip_prefix("the admin secret for ARM is in ").unwrap().to_owned();
    let path = dir.path().join(path.trim_matches('\''));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let secret = std::fs::read_to_string(&path).unwrap();
    assert!(secret.trim().len() == 64 && secret.trim().chars().all(|c| c.is_ascii_hexdigit()), "no shell minds it");
    assert_eq!(served.send("GET", NAMESPACE, &Json::Null).0, 401);
    served.token = Some(secret.trim().to_owned());
    assert_eq!(served.send("GET", NAMESPACE, &Json::Null).0, 404);
    served.make();
    assert_eq!(served.running.stop("-TERM"), 0);
    let mut served = serve(dir.path(), "");
    served.token = Some(secret.trim().to_owned());
    assert_eq!(served.send("GET", NAMESPACE, &Json::Null).0, 200, "the secret stays");
    drop(served);
    std::fs::write(&path, "short\n").unwrap();
    run(dir.path(), SERVE).without_output().failed(1, &["admin secret", "16 characters"]);
}

#[test]
fn what_does_not_go_together_is_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("n.json"), "{}").unwrap();
    for (words, names) in [
        ("serve --arm 8443 --plain 1883 --namespace n.json", &["--arm", "--namespace"][..]),
        ("serve --trust-local --plain 1883", &["--trust-local", "--arm ADDRESS"]),
        ("serve --arm 0.0.0.0:8443 --plain 1883", &["0.0.0.0:8443", "--cert"]),
        ("serve --arm 8443 --plain 1883 --users u", &["--users", "--arm"]),
        ("serve --arm nowhere --plain 1883", &["nowhere"]),
    ] {
        run(dir.path(), words).failed(2, names);
    }
}
