//! The admin listener of the real program: metrics, health, traces.

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
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use common::{Running, eventually, gridmq, run};

/// Sends one request; gives the status and the body.
fn request(port: u16, method: &str, path: &str, further: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let host = if further.contains("Host:") { String::new() } else { format!("Host: 127.0.0.1:{port}\r\n") };
    write!(stream, "{method} {path} HTTP/1.1\r\n{host}{further}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn serve(dir: &Path, words: &str) -> (Running, u16, u16) {
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut command = gridmq(dir);
    command.args("serve --plain 127.0.0.1:0 --admin 127.0.0.1:0".split(' ')).args(words.split_whitespace());
    let mut broker = Running::start(command.stderr(log));
    let (admin, port) = (broker.port(), broker.port());
    (broker, admin, port)
}

#[test]
fn metrics_count_what_clients_do() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, admin, port) = serve(dir.path(), "");
    for (qos, topic) in [(0, "a"), (1, "a"), (2, "b")] {
        run(dir.path(), &format!("pub -p {port} -t {topic} -m hello -r -q {qos}")).done();
    }
    let (status, text) = request(admin, "GET", "/metrics", "");
    assert_eq!(status, 200);
    for line in [
        "gridmq_ready 1",
        "gridmq_connections_accepted_total 3",
        "gridmq_messages_received_total{qos=\"0\"} 1",
        "gridmq_messages_received_total{qos=\"1\"} 1",
        "gridmq_messages_received_total{qos=\"2\"} 1",
        "gridmq_retained_messages 2",
        "gridmq_store_state{state=\"running\"} 1",
        "# TYPE gridmq_sessions gauge",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let received = text.lines().find_map(|line| line.strip_prefix("gridmq_bytes_total{direction=\"in\"} ")).unwrap();
    assert!(received.parse::<u64>().unwrap() > 3 * 20, "{received}");
}

#[test]
fn health_is_told_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, admin, _) = serve(dir.path(), "");
    assert_eq!(request(admin, "GET", "/livez", "").0, 200);
    let (status, body) = request(admin, "GET", "/readyz", "");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["status"]), (200, &"ready".into()));
    assert_eq!((&body["parts"]["broker"], &body["parts"]["store"]), (&"ok".into(), &"ok".into()));
    assert_eq!(request(admin, "GET", "/nothing", "").0, 404);
}

#[test]
fn a_trace_shows_one_client_or_topic_and_no_payload() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, admin, port) = serve(dir.path(), "--log error");
    let log = || fs::read_to_string(dir.path().join("log")).unwrap();
    let publish = |id: &str, topic: &str| {
        run(dir.path(), &format!("pub -p {port} -i {id} -t {topic} -m the-payload -q 1")).done();
    };
    publish("device1", "a/b");
    assert!(!log().contains("device1"), "{}", log());
    assert_eq!(request(admin, "PUT", "/trace/clients/device1?seconds=60", "").0, 200);
    assert_eq!(request(admin, "PUT", "/trace/topics/x/+", "").0, 200);
    publish("device1", "a/b");
    publish("device2", "x/y");
    publish("device3", "z");
    eventually("the client's packets are told", || {
        log().contains("CONNECT received") && log().matches("PUBLISH received").count() == 2
    });
    assert!(log().contains("device1") && log().contains("x/y"), "{}", log());
    assert!(!log().contains("device3") && !log().contains("the-payload"), "{}", log());
    let (_, list) = request(admin, "GET", "/trace", "");
    assert!(list.contains("device1") && list.contains("x/+"), "{list}");
    assert_eq!(request(admin, "DELETE", "/trace/clients/device1", "").0, 204);
    assert_eq!(request(admin, "DELETE", "/trace/clients/device1", "").0, 404);
    let before = log().matches("device1").count();
    publish("device1", "a/b");
    publish("device2", "x/y");
    eventually("the other trace goes on", || log().matches("PUBLISH received").count() == 3);
    assert_eq!(log().matches("device1").count(), before);
    for path in
        ["/trace/clients/a?seconds=3601", "/trace/clients/a?seconds=0", "/trace/clients/a?for=1", "/trace/topics/a%23"]
    {
        assert_eq!(request(admin, "PUT", path, "").0, 400, "{path}");
    }
}

#[test]
fn switches_are_not_for_browsers() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, admin, _) = serve(dir.path(), "");
    for further in ["Origin: http://example.org\r\n", "Host: example.org\r\n", "Host: example.org:1\r\n"] {
        assert_eq!(request(admin, "PUT", "/trace/clients/a", further).0, 403, "{further}");
        assert_eq!(request(admin, "GET", "/trace", further).0, 403, "{further}");
        assert_eq!(request(admin, "GET", "/metrics", further).0, 200, "{further}");
    }
    assert_eq!(request(admin, "GET", "/trace", "Host: localhost:1\r\n").0, 200);
}

#[test]
fn neither_payloads_nor_secrets_are_logged_at_any_level() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["text", "json"] {
        let words = format!("--log trace --log-format {format} --data-dir {format}");
        let (mut broker, admin, port) = serve(dir.path(), &words);
        assert_eq!(request(admin, "PUT", "/trace/topics/a", "").0, 200);
        let secret = format!("-p {port} -i client-7 -u user -P password-3344");
        run(dir.path(), &format!("pub {secret} -t a -m payload-1122 -q 1 -r -D user-property key-77 value-7788"))
            .done();
        run(dir.path(), &format!("sub {secret} -t a -C 1 -W 20")).done();
        #[cfg(unix)]
        assert_eq!(broker.stop("-TERM"), 0);
        drop(broker);
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(log.contains("client-7") && log.contains("PUBLISH received"), "{log}");
        for secret in ["password-3344", "payload-1122", "value-7788"] {
            assert!(!log.contains(secret), "{secret} in {log}");
            let bytes = format!("{:?}", secret.as_bytes());
            assert!(!log.contains(bytes.trim_matches(['[', ']'])), "{secret} as numbers in {log}");
        }
        if format == "json" {
            for line in log.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            }
        }
    }
}
