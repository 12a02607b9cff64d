//! What is written to the store, what waits for it, and what does not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::NonZeroUsize;
use std::time::Duration;

use gridmq_broker::Broker;
use gridmq_proto::packet::PacketType;
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use gridmq_store::{Options, Store};
use gridmq_testkit::wire::{Wire, eventually, message, payload_of};
use gridmq_testkit::{Gated, OpenBroker};

async fn start(engine: &Gated, workers: usize, options: Options) -> OpenBroker {
    let store = Store::open(engine.clone(), options).unwrap();
    OpenBroker::start(Broker::builder().workers(workers).store(store)).await
}

async fn stop(broker: OpenBroker) {
    tokio::time::timeout(Duration::from_secs(10), broker.broker.shutdown()).await.unwrap();
}

#[tokio::test]
async fn what_nobody_durable_needs_is_not_written() {
    for workers in [1, 2] {
        let engine = Gated::new();
        let broker = start(&engine, workers, Options::default()).await;
        let mut passing = Wire::join(broker.address(), "passing", Version::V5).await;
        passing.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert_eq!(publisher.publish("t", "x", qos).await, ReasonCode::Success);
            passing.take().await;
            publisher.publish("nobody", "x", qos).await;
        }
        passing.ping_barrier().await;
        assert_eq!(engine.written(), (0, 0));
    }
}

#[tokio::test]
async fn what_nobody_durable_needs_does_not_wait_for_others_commits() {
    for workers in [1, 2] {
        let engine = Gated::new();
        let broker = start(&engine, workers, Options::default()).await;
        let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
        subscriber.subscribe("kept", QoS::AtLeastOnce).await;
        let mut passing = Wire::join(broker.address(), "passing", Version::V5).await;
        passing.subscribe("t", QoS::ExactlyOnce).await;
        let mut other = Wire::join(broker.address(), "other", Version::V5).await;
        let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
        engine.set(false);
        other.send_publish(message("kept", "x", QoS::AtLeastOnce)).await;
        assert_eq!(payload_of(&subscriber.take().await), "x");
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert_eq!(publisher.publish("t", "x", qos).await, ReasonCode::Success);
            passing.take().await;
            assert_eq!(publisher.publish("nobody", "x", qos).await, ReasonCode::NoMatchingSubscribers);
        }
        assert!(other.ping_barrier().await.is_empty(), "what must last is not acknowledged yet");
        engine.set(true);
        assert!(matches!(other.recv().await, Packet::PubAck(_)));
    }
}

#[tokio::test]
async fn qos_1_is_sent_before_it_is_durable_and_qos_2_is_not() {
    for workers in [1, 2] {
        let engine = Gated::new();
        let broker = start(&engine, workers, Options::default()).await;
        let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
        subscriber.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
        engine.set(false);
        let first = publisher.send_publish(message("t", "1", QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(payload_of(&subscriber.take().await), "1");
        assert!(publisher.ping_barrier().await.is_empty());
        let second = publisher.send_publish(message("t", "2", QoS::ExactlyOnce)).await.unwrap();
        assert_eq!(subscriber.next_within(Duration::from_millis(50)).await, None);
        assert!(publisher.ping_barrier().await.is_empty());
        engine.set(true);
        assert_eq!(payload_of(&subscriber.take().await), "2");
        publisher.ack(PacketType::PubAck, first).await;
        publisher.ack(PacketType::PubRec, second).await;
    }
}

#[tokio::test]
async fn two_workers_that_retain_one_topic_leave_the_last_in_the_store() {
    const ROUNDS: usize = 150;
    let engine = Gated::new();
    let broker = start(&engine, 2, Options { queue_batches: NonZeroUsize::MIN, ..Options::default() }).await;
    let mut publishing = tokio::task::JoinSet::new();
    for number in 0..4 {
        let mut publisher = Wire::join(broker.address(), &format!("p{number}"), Version::V5).await;
        publishing.spawn(async move {
            for round in 0..ROUNDS {
                for topic in 0..8 {
                    publisher.retain(&format!("t/{topic}"), format!("{number} {round}"), QoS::AtMostOnce).await;
                }
                if round % 8 == number {
                    publisher.retain("t/0", "", QoS::AtLeastOnce).await;
                }
            }
            publisher.ping().await;
        });
    }
    while let Some(outcome) = publishing.join_next().await {
        outcome.unwrap();
    }
    let kept = retained(&broker).await;
    stop(broker).await;
    let engine = engine.contents();
    let broker = OpenBroker::start(Broker::builder().workers(1).store(Store::immediate(engine))).await;
    assert_eq!(retained(&broker).await, kept);
}

/// Every retained message, by topic.
async fn retained(broker: &OpenBroker) -> std::collections::BTreeMap<String, String> {
    let mut wire = Wire::join(broker.address(), "reader", Version::V5).await;
    wire.subscribe("t/#", QoS::AtMostOnce).await;
    let mut found = std::collections::BTreeMap::new();
    for packet in wire.ping_barrier().await {
        if let Packet::Publish(publish) = packet {
            found.insert(publish.topic.as_ref().unwrap().to_string(), payload_of(&publish));
        }
    }
    found
}

#[tokio::test]
async fn expired_retained_messages_leave_the_store() {
    let engine = Gated::new();
    let broker = start(&engine, 2, Options::default()).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let mut expiring = message("t/short", "x", QoS::AtLeastOnce);
    expiring.retain = true;
    expiring.properties = Some(Box::new(gridmq_proto::MessageProperties {
        message_expiry_interval: Some(1),
        ..gridmq_proto::MessageProperties::default()
    }));
    publisher.deliver(expiring).await;
    publisher.retain("t/long", "x", QoS::AtLeastOnce).await;
    assert_eq!(engine.rows(), 2);
    // Expiry is a matter of the wall clock.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(retained(&broker).await.len(), 1);
    eventually("its row is gone", || engine.rows() == 1).await;
}

#[tokio::test]
async fn a_session_that_moves_past_a_full_store_brings_nothing_back() {
    const ROUNDS: usize = 120;
    let engine = Gated::new();
    let broker = start(&engine, 2, Options { queue_batches: NonZeroUsize::MIN, ..Options::default() }).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::AtLeastOnce).await;
    for round in 0..ROUNDS {
        publisher.send_publish(message("t", round.to_string(), QoS::AtLeastOnce)).await;
        // The connections are dealt in turn, so that it moves each time.
        let (next, present) = Wire::resume(broker.address(), "s", Version::V5).await;
        assert!(present);
        subscriber = next;
        assert_eq!(payload_of(&subscriber.take().await), round.to_string());
        subscriber.ping_barrier().await;
    }
    subscriber.leave().await;
    stop(broker).await;
    let broker = OpenBroker::start(Broker::builder().workers(1).store(Store::immediate(engine.contents()))).await;
    let (mut subscriber, present) = Wire::resume(broker.address(), "s", Version::V5).await;
    assert!(present);
    assert_eq!(subscriber.ping_barrier().await, []);
}
