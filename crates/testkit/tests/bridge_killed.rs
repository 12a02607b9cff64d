//! The process with the local broker and its bridge is killed, and started again on the same directory.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::peers::closed_port;
use gridmq_testkit::wire::{Wire, payload_of};

/// A running `gridmq serve`.
struct Process(Child);

impl Process {
    fn start(directory: &Path) -> (Self, SocketAddr) {
        // Programs are built with the tests, above them.
        let test = std::env::current_exe().unwrap();
        let program = test.ancestors().nth(2).unwrap().join("gridmq");
        assert!(program.is_file(), "{} is missing: cargo build --bin gridmq", program.display());
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GRIDMQ_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--plain", "127.0.0.1:0", "--config", "gridmq.toml", "--data-dir", "state"]);
        let mut child = command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.filter_map(|line| line.strip_prefix("listening on ")?.split(' ').next()?.parse().ok());
        let address = lines.next().expect("it does not listen");
        std::thread::spawn(move || lines.count());
        (Self(child), address)
    }
}

/// SIGKILL.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn configure(directory: &Path, remote: SocketAddr) {
    let text = format!(
        "[[bridge]]\nname = 'site'\nurl = 'mqtt://{remote}'\nlongest-wait = '50ms'\n\
         out = [{{ filter = '#', local-prefix = 'up/', remote-prefix = 'site/' }}]\n\
         in = [{{ filter = '#', local-prefix = 'down/', remote-prefix = 'commands/' }}]\n"
    );
    std::fs::write(directory.join("gridmq.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binary gridmq; run by cargo xtask test"]
async fn what_was_acknowledged_before_the_kill_arrives_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = closed_port();
    configure(directory.path(), nobody);
    let (process, address) = Process::start(directory.path());
    let mut here = Wire::join(address, "here", Version::V5).await;
    for number in 0..200 {
        assert_eq!(here.publish("up/a", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    drop(process);
    // While the other broker is there it is killed again and again, in the midst of what it carries.
    let remote = gridmq_testkit::open(2).await;
    configure(directory.path(), remote.address());
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("site/#", QoS::AtLeastOnce).await;
    let mut left: BTreeSet<String> = (0..200).map(|number| number.to_string()).collect();
    for round in 0..4 {
        let (process, address) = Process::start(directory.path());
        let mut here = Wire::join(address, "here", Version::V5).await;
        for number in 0..50 {
            let payload = format!("{round}/{number}");
            assert_eq!(here.publish("up/a", payload.as_str(), QoS::AtLeastOnce).await, ReasonCode::Success);
            left.insert(payload);
        }
        // Something arrives, and the rest is on its way.
        for _ in 0..20 {
            left.remove(&payload_of(&there.take().await));
        }
        drop(process);
    }
    let _process = Process::start(directory.path());
    while !left.is_empty() {
        left.remove(&payload_of(&there.take().await));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binary gridmq; run by cargo xtask test"]
async fn what_the_other_broker_had_acknowledged_to_it_is_here_after_the_kill() {
    let directory = tempfile::tempdir().unwrap();
    let remote = gridmq_testkit::open(2).await;
    configure(directory.path(), remote.address());
    let (process, address) = Process::start(directory.path());
    let (mut here, _) = Wire::resume(address, "here", Version::V5).await;
    here.subscribe("down/#", QoS::AtLeastOnce).await;
    let control = remote.broker.control();
    while control.session("gridmq-site").await.is_none_or(|session| session.subscriptions.is_empty()) {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    drop(here);
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    let mut left = BTreeSet::new();
    for number in 0..100 {
        there.publish("commands/a", number.to_string(), QoS::AtLeastOnce).await;
        left.insert(number.to_string());
    }
    drop(process);
    let (_process, address) = Process::start(directory.path());
    let (mut here, present) = Wire::resume(address, "here", Version::V5).await;
    assert!(present);
    while !left.is_empty() {
        left.remove(&payload_of(&here.take().await));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binary gridmq; run by cargo xtask test"]
async fn what_waits_for_a_bridge_that_was_taken_away_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), closed_port());
    let (process, address) = Process::start(directory.path());
    let mut here = Wire::join(address, "here", Version::V5).await;
    assert_eq!(here.publish("up/a", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    drop(process);
    std::fs::write(directory.path().join("gridmq.toml"), "").unwrap();
    let (_process, address) = Process::start(directory.path());
    let mut here = Wire::join(address, "here", Version::V5).await;
    while here.publish("up/a", "x", QoS::AtLeastOnce).await != ReasonCode::NoMatchingSubscribers {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
