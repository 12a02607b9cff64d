//! The client's process is killed at every point at which its session is stored, and started again.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use gridmq_client::store::{FileStore, Record, SessionStore, StoreError};
use gridmq_client::{Client, Message, QoS, Subscription};
use gridmq_testkit::open;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Broker, directory, name and point of the process to be killed.
const CHILD: &str = "GRIDMQ_TEST_KILLED_CHILD";
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that the device publishes, and that it is sent.
const UP: u64 = 10;
/// Up to here one after the other, so that each step is a point of its own; then all at once.
const ALONE: u64 = 5;
const DOWN: u64 = 4;
#[cfg(unix)]
const SIGABRT: i32 = 6;

/// What the number says of itself, so that both ends agree.
const fn qos_of(number: u64) -> QoS {
    if number.is_multiple_of(2) { QoS::ExactlyOnce } else { QoS::AtLeastOnce }
}

/// A store in whose way the process dies: before records are handed over, after it, and when they have become durable
/// and nobody knows yet.
#[derive(Debug)]
struct Deadly {
    store: FileStore,
    left: u64,
}

impl Deadly {
    fn point(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            std::process::abort();
        }
    }
}

impl SessionStore for Deadly {
    fn load(&mut self, client_id: &str) -> Result<Vec<Record>, StoreError> {
        self.store.load(client_id)
    }

    fn append(&mut self, records: Vec<Record>) -> Result<u64, StoreError> {
        self.point();
        let number = self.store.append(records)?;
        self.point();
        Ok(number)
    }

    fn has_room(&self) -> bool {
        self.store.has_room()
    }

    fn poll_durable(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        let durable = self.store.poll_durable(cx);
        if durable.is_ready() {
            self.point();
        }
        durable
    }
}

/// The application's own memory of what it was sent; on the disk before the message is acknowledged.
fn remember(journal: &Path, message: &Message) {
    let mut file = OpenOptions::new().create(true).append(true).open(journal).unwrap();
    writeln!(file, "{}", message.text().unwrap()).unwrap();
    file.sync_data().unwrap();
}

fn remembered(journal: &Path) -> Vec<u64> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Not a test of its own: the device, which the next test starts and which kills itself.
#[tokio::test]
async fn device_that_is_killed() {
    let Ok(settings) = std::env::var(CHILD) else { return };
    let settings: Vec<_> = settings.split('|').collect();
    let [broker, directory, name, point] = settings[..] else { panic!("four settings") };
    let journal = Path::new(directory).join("journal");
    let store = FileStore::open(Path::new(directory).join("session")).unwrap();
    let client = Client::builder(&format!("mqtt://{broker}"))
        .client_id(name)
        .clean_start(false)
        .session_expiry(Duration::from_secs(3600))
        .session_store(Box::new(Deadly { store, left: point.parse().unwrap() }))
        .start()
        .unwrap();
    let mut unasked = client.messages();
    let mut messages = client.subscribe(format!("down/{name}").as_str(), QoS::ExactlyOnce).manual_ack().await.unwrap();
    println!("subscribed");
    let mut tickets = Vec::new();
    for number in client.queue().last_position + 1..=UP {
        let topic = format!("up/{name}");
        let ticket = client.publish(topic.as_str(), number.to_string()).qos(qos_of(number)).enqueue().await.unwrap();
        assert_eq!(ticket.position(), Some(number));
        println!("admitted {number}");
        if number <= ALONE {
            ticket.await.unwrap();
            println!("acknowledged {number}");
        } else {
            tickets.push((number, ticket));
        }
    }
    for (number, ticket) in tickets {
        ticket.await.unwrap();
        println!("acknowledged {number}");
    }
    while BTreeSet::from_iter(remembered(&journal)).len() < DOWN as usize {
        let mut message = tokio::select! {
            message = messages.next() => message.unwrap(),
            message = unasked.next() => message.unwrap(),
        };
        remember(&journal, &message);
        message.ack();
    }
    client.flush().timeout(PATIENCE).await.unwrap();
    client.disconnect().await.unwrap();
}

/// The device's process, and what it says.
struct Device {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Device {
    fn start(settings: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["device_that_is_killed", "--exact", "--nocapture"])
            .env(CHILD, settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (tell, lines) = mpsc::channel(64);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.blocking_send(line)));
        Self { child, lines }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Where the test has failed before its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the process has died at its point. A test that fails in it ends it otherwise.
fn has_died(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGABRT);
    // What abort ends with there.
    #[cfg(windows)]
    return status.code() == Some(0xC000_0409_u32.cast_signed());
}

/// What is known of one device from outside.
#[derive(Default)]
struct Known {
    sent_down: bool,
    admitted: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    delivered: BTreeMap<u64, u32>,
}

impl Known {
    /// Follows a run of the device to its end.
    async fn follow(&mut self, mut device: Device, name: &str, center: &Client) -> ExitStatus {
        while let Some(line) = device.lines.recv().await {
            let number = line.rsplit(' ').next().and_then(|number| number.parse().ok());
            if line.contains("subscribed") && !self.sent_down {
                self.sent_down = true;
                for number in 1..=DOWN {
                    let topic = format!("down/{name}");
                    center.publish(topic.as_str(), number.to_string()).qos(qos_of(number)).await.unwrap();
                }
            } else if line.contains("admitted") {
                self.admitted.insert(number.unwrap());
            } else if line.contains("acknowledged") {
                self.acknowledged.insert(number.unwrap());
            }
        }
        device.child.wait().unwrap()
    }

    fn deliver(&mut self, message: &Message) {
        *self.delivered.entry(message.text().unwrap().parse().unwrap()).or_default() += 1;
    }
}

/// One life with a death at that point, and the life after it. `false`: there is no such point.
async fn dies_and_returns(
    point: u64,
    broker: &str,
    directory: PathBuf,
    center: &Client,
    up: &mut Subscription,
) -> bool {
    let name = format!("device{point}");
    let mut known = Known::default();
    let settings = |point| format!("{broker}|{}|{name}|{point}", directory.display());
    let first = known.follow(Device::start(&settings(point)), &name, center).await;
    let died = has_died(first);
    assert!(died || first.success(), "point {point}: the device fails: {first}");
    if died {
        let second = known.follow(Device::start(&settings(u64::MAX)), &name, center).await;
        assert!(second.success(), "point {point}: the device does not come back: {second}");
    }
    // Messages of one session come in order: this one is behind all of this device.
    center.publish(format!("up/{name}").as_str(), "0").qos(QoS::ExactlyOnce).await.unwrap();
    loop {
        let message = timeout(PATIENCE, up.next()).await.expect("the last").expect("the stream goes on");
        if message.text() == Some("0") {
            break;
        }
        known.deliver(&message);
    }
    for number in 1..=UP {
        let times = known.delivered.get(&number).copied().unwrap_or(0);
        let fits = if qos_of(number) == QoS::ExactlyOnce || !died { times == 1 } else { times >= 1 };
        assert!(fits, "point {point}: message {number} was delivered {times} times");
    }
    assert!(known.acknowledged.is_subset(&known.admitted), "point {point}: {:?}", known.acknowledged);
    assert!(known.admitted.iter().all(|number| known.delivered.contains_key(number)));
    let remembered = remembered(&directory.join("journal"));
    for number in 1..=DOWN {
        let times = remembered.iter().filter(|seen| **seen == number).count();
        // The device had it on its disk, and had not yet said so to the session.
        let most = if died { 2 } else { 1 };
        assert!((1..=most).contains(&times), "point {point}: the device was sent {number} {times} times");
    }
    died
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_persist_point_loses_nothing_and_doubles_no_qos_2() {
    let broker = open(1).await;
    let address = broker.address().to_string();
    let center = Client::builder(&format!("mqtt://{address}")).client_id("center").connect().await.unwrap();
    let mut up = center.subscribe("up/+", QoS::ExactlyOnce).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut point = 1;
    loop {
        let home = directory.path().join(point.to_string());
        fs::create_dir(&home).unwrap();
        let living = dies_and_returns(point, &address, home, &center, &mut up);
        if !timeout(PATIENCE, living).await.unwrap_or_else(|_| panic!("point {point}: it takes too long")) {
            break;
        }
        point += 1;
    }
    println!("the device was killed at each of {} points", point - 1);
    // Each of those alone is stored as it is taken, sent (and released), and done with.
    assert!(point > 3 * 3 * ALONE, "only {} points", point - 1);
}
