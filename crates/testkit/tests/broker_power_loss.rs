//! Power that goes before each sync of a broker's disk, while the clients go on.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::Duration;

use gridmq_broker::Broker;
use gridmq_proto::packet::Will;
use gridmq_proto::{Message, QoS, Version};
use gridmq_store::{
    Cut, Engine, EngineError, Keep, Kind, Options, Reader, RedbEngine, RedbOptions, Room, SimDisk, Store, WriteBatch,
};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::ledger::{Entry, Ledger, Plug, Stage, lasting};

const WORKERS: usize = 2;
/// Of the syncs, one in so many is cut in CI.
const SHARE: u64 = 3;

const Q1: QoS = QoS::AtLeastOnce;
const Q2: QoS = QoS::ExactlyOnce;
const V5: Entry = lasting(Version::V5);
const V3: Entry = lasting(Version::V3_1_1);
const CLEAN: Entry = Entry { clean_start: true, ..V5 };
const PASSING: Entry = Entry { clean_start: true, lasts: false, ..V5 };

fn engine(plug: &Plug) -> RedbEngine {
    let options = RedbOptions { kind: Kind::Broker, cache: 1 << 20, ..RedbOptions::default() };
    RedbEngine::on_disk(plug.clone(), "simulated", &options).expect("what power loss leaves can be opened")
}

async fn start(engine: impl Engine) -> OpenBroker {
    let store = Store::open(engine, Options::default()).unwrap();
    let builder = Broker::builder().workers(WORKERS).store(store).shutdown_deadline(Duration::from_secs(2));
    OpenBroker::start(builder).await
}

/// What the clients do. The connections are dealt to the workers in turn, so that who connects again moves or not.
async fn act(stage: &mut Stage) {
    for name in ["away", "here", "old", "slow", "p", "p2", "heir", "heiress"] {
        stage.enter(name, if name == "old" { V3 } else { V5 }, None).await;
    }
    for (name, topic, qos) in [
        ("away", "q1", Q1),
        ("away", "q2", Q2),
        ("here", "q1", Q1),
        ("here", "q2", Q2),
        ("old", "q1", Q2),
        ("old", "q2", Q2),
        ("slow", "q2", Q2),
        ("heir", "will", Q1),
        ("heiress", "will", Q2),
    ] {
        stage.subscribe(name, topic, qos).await;
    }
    stage.ledger.clients.get_mut("slow").unwrap().slow = true;
    // Not all of its workers' batches are on the disk when it is there again.
    stage.begin("brief", V5, None).await;
    stage.enter("brief", V5, None).await;
    stage.begin("brief", V5, None).await;
    stage.begin("brief", V5, None).await;
    stage.enter("brief", V5, None).await;
    stage.drop("away");
    for round in 0..3 {
        for by in ["p", "p2"] {
            stage.publish(by, "q1", &format!("{by} {round}"), Q1).await;
            stage.publish(by, "q2", &format!("{by} {round}"), Q2).await;
        }
        stage.retain("p", "r/1", &format!("{round}")).await;
        stage.retain("p2", "r/2", &format!("{round}")).await;
        stage.settle("p").await;
        stage.settle("p2").await;
    }
    stage.retain("p", "r/1", "").await;
    stage.unsubscribe("here", "q1").await;
    let will = |words: &str| {
        let message = Message::new("will".try_into().unwrap(), words.to_owned().into());
        Will { message, qos: Q2, retain: false, delay_interval: 3600 }
    };
    stage.enter("testator", V5, Some(will("gone"))).await;
    if stage.ledger.clients["testator"].is_in() {
        // They have different workers: whichever has the testator, one will is the other's.
        for heir in ["heir", "heiress"] {
            stage.ledger.clients.get_mut(heir).unwrap().wills_due.insert("will gone".to_owned());
        }
    }
    // What they have of it is in the store alone.
    stage.drop("heir");
    stage.drop("heiress");
    stage.drop("testator");
    stage.enter("here", V5, None).await;
    stage.publish("p", "q2", "while it moved", Q2).await;
    stage.enter("p", V5, None).await;
    stage.publish("p2", "q1", "after it moved", Q1).await;
    stage.enter("testator", CLEAN, None).await;
    stage.enter("away", V5, None).await;
    stage.publish("p2", "q2", "all are here", Q2).await;
    stage.settle_all().await;
    stage.end("brief").await;
    stage.enter("brief", V5, None).await;
    stage.subscribe("brief", "q2", Q1).await;
    stage.enter("guest", PASSING, None).await;
    stage.publish("guest", "q2", "from a guest", Q1).await;
    stage.subscribe("here", "q1", Q1).await;
    stage.drop("old");
    stage.publish("p", "q1", "last", Q1).await;
    stage.publish("p", "q2", "last", Q2).await;
    stage.enter("old", V3, None).await;
    stage.settle_all().await;
}

/// Plays it on that disk until the power goes: what the clients know, and the disk.
async fn play<E: Engine>(plug: &Plug, engine: E) -> Ledger {
    let broker = start(engine).await;
    let mut stage = Stage::new(broker.address(), plug.clone());
    act(&mut stage).await;
    plug.pull();
    let (ledger, ()) = tokio::join!(stage.close(), broker.broker.shutdown());
    plug.disk().power_off();
    ledger
}

/// What is wrong after the power has gone.
async fn judge(ledger: &Ledger, disk: &SimDisk, keep: Keep) -> Vec<String> {
    let plug = Plug::never(disk.after(Cut { after: disk.events(), keep }));
    let broker = start(engine(&plug)).await;
    let mut stage = Stage::again(broker.address(), plug, ledger.clone());
    stage.examine(WORKERS).await;
    let (ledger, ()) = tokio::join!(stage.close(), broker.broker.shutdown());
    ledger.broken
}

async fn cut<E: Engine>(number: u64, engine_on: fn(&Plug) -> E) -> Vec<String> {
    let plug = Plug::new(SimDisk::new(), number);
    let ledger = play(&plug, engine_on(&plug)).await;
    let mut broken = Vec::new();
    for keep in [Keep::Nothing, Keep::Everything, Keep::Torn(number), Keep::Torn(number + 1000)] {
        let found = judge(&ledger, plug.disk(), keep).await;
        broken.extend(found.into_iter().map(|what| format!("sync {number}, {keep:?}: {what}")));
    }
    broken
}

/// How many syncs it takes to open, and to play it.
async fn syncs() -> (u64, u64) {
    let plug = Plug::never(SimDisk::new());
    let engine = engine(&plug);
    let opened = plug.disk().syncs();
    let ledger = play(&plug, engine).await;
    assert_eq!(ledger.broken, [""; 0]);
    (opened, plug.disk().syncs())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledgement_precedes_its_durability_at_any_sync_point() {
    let (opened, all) = syncs().await;
    let whole = std::env::var_os("GRIDMQ_POWER_LOSS").is_some();
    let seed = std::env::var("GRIDMQ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    let mut broken = Vec::new();
    for number in (opened..=all).filter(|number| whole || (number + seed).is_multiple_of(SHARE)) {
        broken.extend(cut(number, engine).await);
    }
    assert!(broken.is_empty(), "{} of {all} syncs: {broken:#?}", broken.len());
}

/// Says that a commit is durable before it has begun, and makes it with the next.
#[derive(Debug)]
struct Hasty {
    engine: RedbEngine,
    late: Vec<WriteBatch>,
}

impl Engine for Hasty {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let late = std::mem::replace(&mut self.late, batches.to_vec());
        self.engine.commit(&late)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.engine.reader()
    }

    fn attach(&mut self, room: Arc<Room>) {
        self.engine.attach(room);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_that_runs_ahead_is_caught() {
    let (opened, all) = syncs().await;
    let mut broken = Vec::new();
    for number in (opened..=all).step_by(10) {
        broken.extend(cut(number, |plug| Hasty { engine: engine(plug), late: Vec::new() }).await);
    }
    assert!(broken.iter().any(|what| what.contains("0 times; acknowledged: true")), "{broken:#?}");
}
