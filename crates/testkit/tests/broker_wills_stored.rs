//! Wills with a delay, over the end of the process that was to publish them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use gridmq_broker::Broker;
use gridmq_proto::packet::Will;
use gridmq_proto::{Message, QoS, ReasonCode, Version};
use gridmq_store::{Key, MemoryEngine, NamespaceId, Options, Store, Table};
use gridmq_testkit::wire::{Wire, eventually, lasting, payload_of, topic_of};
use gridmq_testkit::{Gated, OpenBroker};

async fn start(store: Store) -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(2).store(store)).await
}

/// A lasting client with a will that waits for so many seconds.
async fn testator(broker: &OpenBroker, delay_interval: u32) -> Wire {
    let (wire, ack) = Wire::open(broker.address(), "testator", Version::V5, |connect| {
        lasting(connect);
        let message = Message::new("will".try_into().unwrap(), "gone".into());
        connect.will = Some(Box::new(Will { message, qos: QoS::AtLeastOnce, retain: true, delay_interval }));
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire
}

async fn heir(broker: &OpenBroker) -> Wire {
    let (mut wire, _) = Wire::resume(broker.address(), "heir", Version::V5).await;
    wire.subscribe("will", QoS::AtLeastOnce).await;
    wire
}

/// Ends the broker as SIGKILL does: what is committed stays as it is.
fn kill(broker: OpenBroker, engine: &Gated) -> MemoryEngine {
    engine.break_down();
    drop(broker);
    engine.contents()
}

fn stored_wills(engine: &MemoryEngine) -> usize {
    let store = Store::immediate(engine.clone());
    store.scan(Table::new("wills"), &Key::new(NamespaceId::DEFAULT, &[]), None, 10).unwrap().entries.len()
}

#[tokio::test]
async fn a_delayed_will_survives_and_fires_once() {
    for connected in [true, false] {
        let engine = Gated::new();
        let broker = start(Store::open(engine.clone(), Options::default()).unwrap()).await;
        drop(heir(&broker).await);
        let wire = testator(&broker, 1).await;
        if !connected {
            drop(wire);
            eventually("nobody is connected", || broker.broker.stats().clients_connected == 0).await;
        }
        let engine = kill(broker, &engine);
        assert_eq!(stored_wills(&engine), 1);
        let broker = start(Store::immediate(engine.clone())).await;
        let mut wire = heir(&broker).await;
        let got = wire.take().await;
        assert_eq!((topic_of(&got), payload_of(&got).as_str()), ("will", "gone"));
        assert_eq!(broker.broker.retained_messages(), 1);
        wire.ping_barrier().await;
        assert_eq!(stored_wills(&engine), 0);
        tokio::time::timeout(Duration::from_secs(10), broker.broker.shutdown()).await.unwrap();
        let broker = start(Store::immediate(engine)).await;
        let (mut wire, present) = Wire::resume(broker.address(), "heir", Version::V5).await;
        assert!(present);
        assert_eq!(wire.ping_barrier().await, []);
    }
}

#[tokio::test]
async fn a_client_that_returns_cancels_a_stored_will() {
    let engine = Gated::new();
    let broker = start(Store::open(engine.clone(), Options::default()).unwrap()).await;
    drop(heir(&broker).await);
    let _wire = testator(&broker, 2).await;
    let engine = kill(broker, &engine);
    let broker = start(Store::immediate(engine.clone())).await;
    let mut wire = heir(&broker).await;
    let (mut returned, present) = Wire::resume(broker.address(), "testator", Version::V5).await;
    assert!(present);
    returned.ping_barrier().await;
    assert_eq!(stored_wills(&engine), 0);
    // A will's delay is a matter of seconds.
    assert_eq!(wire.next_within(Duration::from_millis(2300)).await, None);
}

#[tokio::test]
async fn a_stored_will_goes_with_a_proper_goodbye_and_with_its_session() {
    let engine = MemoryEngine::new();
    let broker = start(Store::immediate(engine.clone())).await;
    testator(&broker, 60).await.leave().await;
    assert_eq!(stored_wills(&engine), 0);
    let wire = testator(&broker, 60).await;
    assert_eq!(stored_wills(&engine), 1);
    drop(wire);
    eventually("nobody is connected", || broker.broker.stats().clients_connected == 0).await;
    Wire::join(broker.address(), "testator", Version::V5).await.leave().await;
    eventually("the session has ended", || broker.broker.stats().sessions == 0).await;
    assert_eq!(stored_wills(&engine), 0);
}
