//! What the eleven cases of the public Eclipse Paho suite for MQTT 3.1.1 ask of a broker, in tests of our own.
//!
//! The cases and what each checks are in docs/statements/paho.txt.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_broker::Broker;
use gridmq_proto::packet::{Connect, Publish, Will};
use gridmq_proto::{Message, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, connect, payload_of, topic_of};

const V3: Version = Version::V3_1_1;
const TOPICS: [&str; 5] = ["TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA"];
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

async fn broker() -> OpenBroker {
    gridmq_testkit::open(2).await
}

fn will(topic: &str) -> Option<Box<Will>> {
    let message = Message::new(topic.try_into().unwrap(), "client not disconnected".into());
    Some(Box::new(Will { message, qos: QoS::AtLeastOnce, retain: false, delay_interval: 0 }))
}

async fn with_will(broker: &OpenBroker, adjust: impl FnOnce(&mut Connect)) -> Wire {
    let (wire, ack) = Wire::open(broker.address(), "testator", V3, |connect| {
        connect.will = will(TOPICS[2]);
        adjust(connect);
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire
}

/// Somebody with a lasting session who waits for the will.
async fn heir(broker: &OpenBroker) -> Wire {
    let (mut heir, _) = Wire::resume(broker.address(), "heir", V3).await;
    heir.subscribe(TOPICS[2], QoS::ExactlyOnce).await;
    heir
}

#[tokio::test]
async fn paho311_basic() {
    let broker = broker().await;
    Wire::join(broker.address(), "a", V3).await.leave().await;
    let mut wire = Wire::join(broker.address(), "a", V3).await;
    wire.subscribe(TOPICS[0], QoS::ExactlyOnce).await;
    for (number, qos) in LEVELS.into_iter().enumerate() {
        wire.publish(TOPICS[0], format!("qos {number}"), qos).await;
        let got = wire.take().await;
        assert_eq!((payload_of(&got), got.qos), (format!("qos {number}"), qos));
    }
    // A second CONNECT.
    wire.send(connect("a", V3)).await;
    assert!(wire.expect_closed().await.is_empty());
    // Another protocol's name.
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x0d\x00\x04hjed\x04\x02\x00<\x00\x01a").await;
    let answer = wire.raw_until_closed().await;
    assert!(answer.is_empty() || answer == [0x20, 2, 0, 1], "{answer:x?}");
}

#[tokio::test]
async fn paho311_retained_messages() {
    let broker = broker().await;
    let mut publisher = Wire::join(broker.address(), "a", V3).await;
    for (topic, qos) in [TOPICS[1], TOPICS[2], TOPICS[3]].into_iter().zip(LEVELS) {
        publisher.retain(topic, format!("{qos:?}"), qos).await;
    }
    publisher.ping().await;
    let mut reader = Wire::join(broker.address(), "b", V3).await;
    reader.subscribe("+/+", QoS::ExactlyOnce).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        let got = reader.take().await;
        assert!(got.retain);
        assert_eq!(payload_of(&got), format!("{:?}", got.qos));
        found.push(topic_of(&got).to_owned());
    }
    found.sort();
    assert_eq!(found, [TOPICS[2], TOPICS[1], TOPICS[3]]);
    assert!(reader.ping_barrier().await.is_empty());
    for topic in [TOPICS[1], TOPICS[2], TOPICS[3]] {
        publisher.retain(topic, "", QoS::AtLeastOnce).await;
    }
    let mut late = Wire::join(broker.address(), "c", V3).await;
    late.subscribe("+/+", QoS::ExactlyOnce).await;
    assert!(late.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho311_will_message() {
    let broker = broker().await;
    let mut heir = heir(&broker).await;
    drop(with_will(&broker, |_| ()).await);
    let got = heir.take().await;
    assert_eq!((topic_of(&got), payload_of(&got).as_str()), (TOPICS[2], "client not disconnected"));
}

#[tokio::test]
async fn paho311_zero_length_clientid() {
    let broker = broker().await;
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x0c\x00\x04MQTT\x04\x00\x00<\x00\x00").await;
    assert_eq!(wire.raw_until_closed().await, [0x20, 2, 0, 2], "identifier rejected");
    let mut wire = Wire::join(broker.address(), "", V3).await;
    let mut other = Wire::join(broker.address(), "", V3).await;
    wire.ping().await;
    other.ping().await;
}

#[tokio::test]
async fn paho311_offline_message_queueing() {
    let broker = broker().await;
    let (mut reader, present) = Wire::resume(broker.address(), "a", V3).await;
    assert!(!present);
    reader.subscribe("+/+", QoS::ExactlyOnce).await;
    reader.leave().await;
    let mut publisher = Wire::join(broker.address(), "b", V3).await;
    for (topic, qos) in [TOPICS[1], TOPICS[2], TOPICS[3]].into_iter().zip(LEVELS) {
        publisher.publish(topic, "waits", qos).await;
    }
    let (mut reader, present) = Wire::resume(broker.address(), "a", V3).await;
    assert!(present);
    for (topic, qos) in [(TOPICS[2], QoS::AtLeastOnce), (TOPICS[3], QoS::ExactlyOnce)] {
        let got = reader.take().await;
        assert_eq!((topic_of(&got), got.qos), (topic, qos), "QoS 0 does not wait here");
    }
    assert!(reader.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho311_overlapping_subscriptions() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V3).await;
    wire.subscribe("TopicA/#", QoS::ExactlyOnce).await;
    wire.subscribe("TopicA/+", QoS::AtLeastOnce).await;
    wire.publish(TOPICS[3], "overlapping", QoS::ExactlyOnce).await;
    assert_eq!(wire.take().await.qos, QoS::ExactlyOnce);
    assert!(wire.ping_barrier().await.is_empty(), "one copy, at the highest QoS");
}

#[tokio::test]
async fn paho311_keepalive() {
    let broker = broker().await;
    let mut heir = heir(&broker).await;
    let begun = std::time::Instant::now();
    let mut silent = with_will(&broker, |connect| connect.keep_alive = 1).await;
    assert_eq!(payload_of(&heir.take().await), "client not disconnected");
    assert!(begun.elapsed().as_millis() >= 1500, "one and a half keep alives");
    assert!(silent.expect_closed().await.is_empty());
}

#[tokio::test]
async fn paho311_redelivery_on_reconnect() {
    let broker = broker().await;
    let (mut reader, _) = Wire::resume(broker.address(), "b", V3).await;
    reader.subscribe("+/+", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(broker.address(), "a", V3).await;
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        publisher.publish(TOPICS[1], format!("{qos:?}"), qos).await;
    }
    let first: Vec<Publish> = [reader.recv_publish().await, reader.recv_publish().await].into();
    drop(reader);
    let (mut reader, present) = Wire::resume(broker.address(), "b", V3).await;
    assert!(present);
    for before in first {
        let again = reader.recv_publish().await;
        assert_eq!((again.packet_id, payload_of(&again), again.dup), (before.packet_id, payload_of(&before), true));
        reader.acknowledge(&again).await;
    }
    assert!(reader.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho311_subscribe_failure() {
    let adjusted = Adjusted { forbidden: vec!["test/nosubscribe".to_owned()], ..Adjusted::default() };
    let broker = OpenBroker::start(Broker::builder().workers(1).rules(adjusted.rules())).await;
    let mut wire = Wire::join(broker.address(), "a", V3).await;
    assert_eq!(wire.subscribe("test/nosubscribe", QoS::ExactlyOnce).await.as_u8(), 0x80);
}

#[tokio::test]
async fn paho311_dollar_topics() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V3).await;
    wire.subscribe("+/+", QoS::ExactlyOnce).await;
    wire.publish("$TopicA/B", "not for a wildcard", QoS::AtLeastOnce).await;
    wire.publish("TopicA/B", "for it", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&wire.take().await), "for it");
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho311_unsubscribe() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V3).await;
    for topic in &TOPICS[..3] {
        wire.subscribe(topic, QoS::ExactlyOnce).await;
    }
    wire.unsubscribe(&[TOPICS[0]]).await;
    let mut publisher = Wire::join(broker.address(), "b", V3).await;
    for topic in &TOPICS[..3] {
        publisher.publish(topic, "x", QoS::AtLeastOnce).await;
    }
    let found = [topic_of(&wire.take().await).to_owned(), topic_of(&wire.take().await).to_owned()];
    assert_eq!(found, [TOPICS[1], TOPICS[2]]);
    assert!(wire.ping_barrier().await.is_empty());
}
