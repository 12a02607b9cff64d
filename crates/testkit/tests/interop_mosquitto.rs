//! mosquitto_pub and mosquitto_sub over mutual TLS against a spawned namespace.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each suite uses a part of the shared module"
)]

mod real_clients;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use real_clients::{PATIENCE, Stage, assert_same_bytes, payloads, variable};

/// One of mosquitto's programs, told how to connect as that registered client.
fn program(name: &str, stage: &Stage, client: &str, version: &str) -> Command {
    variable("GRIDMQ_INTEROP_MOSQUITTO");
    let files = stage.namespace.client(client);
    let mut command = Command::new(name);
    command
        .args(["-h", &stage.namespace.host(), "-p", &stage.namespace.port().to_string(), "-V", version])
        .args(["-i", &format!("{client}-session"), "-u", &files.username, "--cafile"])
        .arg(stage.namespace.ca_file())
        .arg("--cert")
        .arg(files.cert)
        .arg("--key")
        .arg(files.key);
    command
}

fn publish(stage: &Stage, version: &str, qos: &str, topic: &str, file: &Path, options: &[&str]) {
    let output = program("mosquitto_pub", stage, "client1", version)
        .args(["-q", qos, "-t", topic, "-f"])
        .arg(file)
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "mosquitto_pub: {}", String::from_utf8_lossy(&output.stderr));
}

/// A line of mosquitto_sub: topic, QoS, retain and the payload.
#[derive(Debug)]
struct Received {
    topic: String,
    qos: String,
    retain: bool,
    payload: Vec<u8>,
}

impl Received {
    fn read(line: &str) -> Self {
        let mut fields = line.split(' ');
        let mut next = || fields.next().unwrap_or_default();
        let (topic, qos, retain, hex) = (next().to_owned(), next().to_owned(), next() == "1", next().as_bytes());
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap();
        let payload = hex.chunks(2).map(|pair| (digit(pair[0]) * 16 + digit(pair[1])) as u8).collect();
        Self { topic, qos, retain, payload }
    }
}

/// A running mosquitto_sub; it is killed when dropped.
struct Subscriber {
    child: Child,
    messages: Receiver<Received>,
}

impl Subscriber {
    fn start(stage: &Stage, client: &str, version: &str, qos: &str, filter: &str) -> Self {
        let mut child = program("mosquitto_sub", stage, client, version)
            .args(["-q", qos, "-t", filter, "-t", "interop/ready/+", "-F", "%t %q %r %x"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = sync_channel(1024);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(Received::read(&line)).is_err() {
                    break;
                }
            }
        });
        Self { child, messages }
    }

    /// Publishes until something arrives: mosquitto_sub does not tell when it has subscribed.
    fn wait_until_subscribed(&self, stage: &Stage, version: &str) {
        let probe = stage.payload_file(b"?");
        let topic = "interop/ready/probe";
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            publish(stage, version, "0", topic, &probe, &[]);
            if self.messages.recv_timeout(Duration::from_millis(200)).is_ok_and(|message| message.topic == topic) {
                return;
            }
        }
        panic!("mosquitto_sub did not subscribe");
    }

    /// The next message that is no probe.
    #[track_caller]
    fn message(&self) -> Received {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap();
            if !message.topic.starts_with("interop/ready/") {
                return message;
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every payload with QoS 0 and 1.
fn exchange(version: &str, workers: usize) {
    let stage = Stage::new(&format!("exchange-mosquitto-{version}-{workers}"), workers);
    for qos in ["0", "1"] {
        let subscriber = Subscriber::start(&stage, "client2", version, qos, "interop/exchange/+");
        subscriber.wait_until_subscribed(&stage, version);
        for payload in payloads() {
            let topic = format!("interop/exchange/{}", payload.len());
            publish(&stage, version, qos, &topic, &stage.payload_file(&payload), &[]);
            let message = subscriber.message();
            assert_eq!((message.topic.as_str(), message.qos.as_str(), message.retain), (topic.as_str(), qos, false));
            assert_same_bytes(&message.payload, &payload);
        }
    }
}

#[test]
#[ignore = "needs mosquitto_pub and mosquitto_sub: cargo xtask test"]
fn real_client_mosquitto_exchanges_over_3_1_1() {
    exchange("mqttv311", 1);
}

#[test]
#[ignore = "needs mosquitto_pub and mosquitto_sub: cargo xtask test"]
fn real_client_mosquitto_exchanges_over_5() {
    exchange("mqttv5", 1);
}

#[test]
#[ignore = "needs mosquitto_pub and mosquitto_sub: cargo xtask test"]
fn real_client_mosquitto_exchanges_across_four_workers() {
    exchange("mqttv311", 4);
    exchange("mqttv5", 4);
}

#[test]
#[ignore = "needs mosquitto_pub and mosquitto_sub: cargo xtask test"]
fn real_client_mosquitto_retains_across_four_workers() {
    for version in ["mqttv311", "mqttv5"] {
        let stage = Stage::new(&format!("retained-mosquitto-{version}"), 4);
        let payload = b"kept for whoever comes later";
        publish(&stage, version, "1", "interop/retained", &stage.payload_file(payload), &["-r"]);
        for client in ["client2", "client3", "client4"] {
            let message = Subscriber::start(&stage, client, version, "1", "interop/retained").message();
            assert_eq!((message.topic.as_str(), message.retain), ("interop/retained", true));
            assert_same_bytes(&message.payload, payload);
        }
    }
}
