//! The broker's process is killed at random points under load, and started again on the same directory.
//!
//! Publishers and subscribers keep their state, as a device does whose broker fails, and resume by the protocol's own
//! rules. `GRIDMQ_HOURS_SECONDS` has it go on for that long instead of for a number of kills, `GRIDMQ_HOURS_SEED` chooses
//! the points, and `GRIDMQ_HOURS_BROKER` the binary: `cargo xtask hours --crash`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "broker_killed/ledger.rs"]
mod ledger;
#[path = "broker_killed/link.rs"]
mod link;
#[path = "broker_killed/process.rs"]
mod process;
#[path = "broker_killed/publisher.rs"]
mod publisher;
#[path = "broker_killed/subscriber.rs"]
mod subscriber;
#[path = "broker_killed/wanderer.rs"]
mod wanderer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gridmq_proto::{QoS, Version};
use gridmq_testkit::wire::{Wire, payload_of, topic_of};
use tokio::task::JoinSet;

use ledger::Ledger;
use link::{Dice, Where};
use process::Process;
use publisher::Publisher;
use subscriber::{Habit, Subscriber};
use wanderer::Wanderer;

/// Kills of each kind of durability, 50 in all.
const KILLS: u32 = 25;
/// For what is left to arrive when the last kill is over.
const PATIENCE: Duration = Duration::from_secs(60);
const PUBLISHERS: [Version; 4] = [Version::V5, Version::V3_1_1, Version::V5, Version::V3_1_1];

/// How long it goes on.
#[derive(Clone, Copy)]
enum Length {
    Kills(u32),
    Until(Instant),
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

async fn kills(durability: &str, seed: u64) {
    let seed = number_of("GRIDMQ_HOURS_SEED").map_or(seed, |given| given ^ seed);
    // Both kinds share the time.
    let length = number_of("GRIDMQ_HOURS_SECONDS")
        .map_or(Length::Kills(KILLS), |seconds| Length::Until(Instant::now() + Duration::from_secs(seconds) / 2));
    let mut dice = Dice(seed);
    let directory = tempfile::tempdir().unwrap();
    let (place, there) = Where::new();
    let ledger = Arc::new(Ledger::new(PUBLISHERS.len()));
    let mut process = Process::start(directory.path(), durability);
    place.set(Some(process.address().expect("it serves")));

    let mut all = JoinSet::new();
    let subscribers = [
        Subscriber::new("every", Version::V5, "load/#", QoS::ExactlyOnce, Habit::Stays),
        Subscriber::new("older", Version::V3_1_1, "load/#", QoS::ExactlyOnce, Habit::Stays),
        Subscriber::new("lower", Version::V5, "load/+/#", QoS::AtLeastOnce, Habit::Stays),
        Subscriber::new("sleeper", Version::V5, "load/#", QoS::ExactlyOnce, Habit::ComesAndGoes),
    ];
    ledger.expect(&subscribers);
    for subscriber in subscribers {
        all.spawn(subscriber.live(there.clone(), Arc::clone(&ledger)));
    }
    for _ in 0..4 {
        ledger.subscribed.acquire().await.unwrap().forget();
    }
    let (tell, wandered) = tokio::sync::oneshot::channel();
    all.spawn({
        let (there, ledger) = (there.clone(), Arc::clone(&ledger));
        async move { drop(tell.send(Wanderer::new(seed).live(there, ledger).await)) }
    });
    let (tell, mut retained) = tokio::sync::mpsc::channel(PUBLISHERS.len());
    for (index, version) in PUBLISHERS.into_iter().enumerate() {
        let (there, ledger, tell) = (there.clone(), Arc::clone(&ledger), tell.clone());
        all.spawn(async move { drop(tell.send(Publisher::new(index, version).live(there, ledger).await).await) });
    }
    drop(tell);

    let (mut killed, mut early) = (0, 0);
    while match length {
        Length::Kills(kills) => killed < kills,
        Length::Until(end) => Instant::now() < end,
    } {
        // So many acknowledgements after the start, and then some microseconds.
        let point = ledger.acknowledged.load(Ordering::Relaxed) + 1 + dice.roll(300);
        tokio::select! {
            () = ledger.reach(point) => {}
            ended = all.join_next() => panic!("a client has failed: {ended:?}"),
            () = tokio::time::sleep(PATIENCE) => panic!("{durability}, seed {seed}: nothing is acknowledged any more"),
        }
        tokio::time::sleep(Duration::from_micros(dice.roll(4000))).await;
        place.set(None);
        process.kill();
        killed += 1;
        if dice.roll(6) == 0 {
            // While it reads what the one before has left.
            let mut short = Process::start(directory.path(), durability);
            tokio::time::sleep(Duration::from_millis(dice.roll(60))).await;
            short.kill();
            killed += 1;
            early += 1;
        }
        process = Process::start(directory.path(), durability);
        place.set(Some(process.address().unwrap_or_else(|| panic!("{durability}, seed {seed}: no start {killed}"))));
    }

    ledger.stop();
    let rest = async {
        while let Some(ended) = all.join_next().await {
            ended.expect("no client fails");
        }
    };
    if tokio::time::timeout(PATIENCE, rest).await.is_err() {
        panic!("{durability}, seed {seed}: {}", ledger.missing());
    }
    // Once more, when nobody is there: what is told from now on is what was kept.
    process.kill();
    process = Process::start(directory.path(), durability);
    let address = process.address().expect("it serves");
    let mut expected = BTreeMap::new();
    while let Some(of_one) = retained.recv().await {
        expected.extend(of_one);
    }
    assert_eq!(kept(address, expected.len()).await, expected, "retained messages; {durability}, seed {seed}");
    wanderer::subscriptions_are(address, &wandered.await.expect("it ends")).await;
    let counts = ledger.counts();
    println!("{}", counts.line(durability, killed + 1, early));
    assert!(counts.lost == 0 && counts.doubled == 0, "{durability}, seed {seed}: {}", ledger.missing());
    assert!(counts.exactly_once > 0 && counts.at_least_once > 0 && !expected.is_empty());
    assert!(process.is_running());
}

/// What is retained, by topic.
async fn kept(address: std::net::SocketAddr, least: usize) -> BTreeMap<String, String> {
    let mut reader = Wire::join(address, "reader", Version::V5).await;
    reader.subscribe("kept/#", QoS::AtMostOnce).await;
    let mut found = BTreeMap::new();
    while found.len() < least {
        let publish = reader.recv_publish().await;
        assert!(publish.retain);
        found.insert(topic_of(&publish).to_owned(), payload_of(&publish));
    }
    let more = reader.ping_barrier().await;
    assert!(more.is_empty(), "{more:?}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the program gridmq, which a build of the whole workspace makes; run by `cargo xtask test`"]
async fn real_broker_that_is_killed_loses_nothing_that_is_on_the_disk() {
    kills("fsync", 0x5EED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the program gridmq, which a build of the whole workspace makes; run by `cargo xtask test`"]
async fn real_broker_that_is_killed_loses_nothing_that_the_system_has() {
    kills("os", 0xC0FFEE).await;
}
