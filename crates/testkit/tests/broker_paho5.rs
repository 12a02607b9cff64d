//! What the cases of the public Eclipse Paho suite for MQTT 5.0 ask of a broker, in tests of our own: sessions,
//! messages and subscriptions. Limits and times are in `broker_paho5_limits.rs`.
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
use gridmq_proto::packet::{Publish, RetainHandling, SubscribeOptions};
use gridmq_proto::{MessageProperties, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, connect, message, payload_of, topic_of};

const V5: Version = Version::V5;
const TOPICS: [&str; 5] = ["TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA"];
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const TWICE: SubscribeOptions = SubscribeOptions {
    qos: QoS::ExactlyOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: RetainHandling::Send,
};

async fn broker() -> OpenBroker {
    gridmq_testkit::open(2).await
}

fn with(properties: MessageProperties, publish: Publish) -> Publish {
    Publish { properties: Some(Box::new(properties)), ..publish }
}

fn user_properties() -> MessageProperties {
    MessageProperties {
        user_properties: vec![("a".into(), "2".into()), ("c".into(), "3".into()), ("a".into(), "1".into())],
        ..MessageProperties::default()
    }
}

#[tokio::test]
async fn paho5_basic() {
    let broker = broker().await;
    Wire::join(broker.address(), "a", V5).await.leave().await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    wire.subscribe(TOPICS[0], QoS::ExactlyOnce).await;
    for (number, qos) in LEVELS.into_iter().enumerate() {
        wire.publish(TOPICS[0], format!("qos {number}"), qos).await;
        let got = wire.take().await;
        assert_eq!((payload_of(&got), got.qos), (format!("qos {number}"), qos));
    }
    wire.send(connect("a", V5)).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::ProtocolError);
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x0e\x00\x04hjed\x05\x02\x00<\x00\x00\x01a").await;
    match wire.raw_until_closed().await[..] {
        // Whose protocol has another name may not know the CONNACK of MQTT 5.0.
        [] | [0x20, 2, 0, 1] | [0x20, _, 0, 0x84, ..] => {}
        ref other => panic!("{other:x?}"),
    }
}

#[tokio::test]
async fn paho5_retained_message() {
    let broker = broker().await;
    let mut publisher = Wire::join(broker.address(), "a", V5).await;
    for (topic, qos) in [TOPICS[1], TOPICS[2], TOPICS[3]].into_iter().zip(LEVELS) {
        let publish = Publish { retain: true, ..with(user_properties(), message(topic, "kept", qos)) };
        publisher.deliver(publish).await;
    }
    publisher.ping().await;
    let mut reader = Wire::join(broker.address(), "b", V5).await;
    reader.subscribe("+/+", QoS::ExactlyOnce).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        let got = reader.take().await;
        assert!(got.retain);
        assert_eq!(got.properties.as_deref(), Some(&user_properties()));
        found.push((topic_of(&got).to_owned(), got.qos));
    }
    found.sort();
    let expected = [(TOPICS[2], LEVELS[1]), (TOPICS[1], LEVELS[0]), (TOPICS[3], LEVELS[2])];
    assert_eq!(found, expected.map(|(topic, qos)| (topic.to_owned(), qos)));
    for topic in [TOPICS[1], TOPICS[2], TOPICS[3]] {
        publisher.retain(topic, "", QoS::AtLeastOnce).await;
    }
    let mut late = Wire::join(broker.address(), "c", V5).await;
    late.subscribe("+/+", QoS::ExactlyOnce).await;
    assert!(late.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_zero_length_clientid() {
    let broker = broker().await;
    for clean_start in [false, true] {
        let (mut wire, ack) = Wire::open(broker.address(), "", V5, |connect| connect.clean_start = clean_start).await;
        assert_eq!((ack.reason, ack.session_present), (ReasonCode::Success, false));
        assert!(!ack.properties.assigned_client_identifier.unwrap().is_empty());
        wire.ping().await;
    }
}

#[tokio::test]
async fn paho5_assigned_clientid() {
    let broker = broker().await;
    let (_first, one) = Wire::open(broker.address(), "", V5, |_| ()).await;
    let (_second, two) = Wire::open(broker.address(), "", V5, |_| ()).await;
    let name = one.properties.assigned_client_identifier.unwrap();
    assert!(!name.is_empty());
    assert_ne!(Some(name), two.properties.assigned_client_identifier, "each its own");
    let (_third, given) = Wire::open(broker.address(), "mine", V5, |_| ()).await;
    assert_eq!(given.properties.assigned_client_identifier, None);
}

#[tokio::test]
async fn paho5_offline_message_queueing() {
    let broker = broker().await;
    let (mut reader, present) = Wire::resume(broker.address(), "a", V5).await;
    assert!(!present);
    reader.subscribe("+/+", QoS::ExactlyOnce).await;
    reader.leave().await;
    let mut publisher = Wire::join(broker.address(), "b", V5).await;
    for (topic, qos) in [TOPICS[1], TOPICS[2], TOPICS[3]].into_iter().zip(LEVELS) {
        publisher.publish(topic, "waits", qos).await;
    }
    let (mut reader, present) = Wire::resume(broker.address(), "a", V5).await;
    assert!(present);
    for (topic, qos) in [(TOPICS[2], QoS::AtLeastOnce), (TOPICS[3], QoS::ExactlyOnce)] {
        let got = reader.take().await;
        assert_eq!((topic_of(&got), got.qos), (topic, qos), "QoS 0 does not wait here");
    }
    assert!(reader.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_overlapping_subscriptions() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    wire.subscribe("TopicA/#", QoS::ExactlyOnce).await;
    wire.subscribe("TopicA/+", QoS::AtLeastOnce).await;
    wire.publish(TOPICS[3], "overlapping", QoS::ExactlyOnce).await;
    assert_eq!(wire.take().await.qos, QoS::ExactlyOnce);
    assert!(wire.ping_barrier().await.is_empty(), "one copy, at the highest QoS");
}

#[tokio::test]
async fn paho5_redelivery_on_reconnect() {
    let broker = broker().await;
    let (mut reader, _) = Wire::resume(broker.address(), "b", V5).await;
    reader.subscribe("+/+", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(broker.address(), "a", V5).await;
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        publisher.publish(TOPICS[1], format!("{qos:?}"), qos).await;
    }
    let first: Vec<Publish> = [reader.recv_publish().await, reader.recv_publish().await].into();
    drop(reader);
    let (mut reader, present) = Wire::resume(broker.address(), "b", V5).await;
    assert!(present);
    for before in first {
        let again = reader.recv_publish().await;
        assert_eq!((again.packet_id, payload_of(&again), again.dup), (before.packet_id, payload_of(&before), true));
        reader.acknowledge(&again).await;
    }
    assert!(reader.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_subscribe_failure() {
    let adjusted = Adjusted { forbidden: vec!["test/nosubscribe".to_owned()], ..Adjusted::default() };
    let broker = OpenBroker::start(Broker::builder().workers(1).rules(adjusted.rules())).await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    assert_eq!(wire.subscribe("test/nosubscribe", QoS::ExactlyOnce).await, ReasonCode::NotAuthorized);
    wire.ping().await;
}

#[tokio::test]
async fn paho5_dollar_topics() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    wire.subscribe("+/+", QoS::ExactlyOnce).await;
    wire.publish("$TopicA/B", "not for a wildcard", QoS::AtLeastOnce).await;
    wire.publish("TopicA/B", "for it", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&wire.take().await), "for it");
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_unsubscribe() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    for topic in &TOPICS[..3] {
        wire.subscribe(topic, QoS::ExactlyOnce).await;
    }
    assert_eq!(wire.unsubscribe(&[TOPICS[0]]).await, [ReasonCode::Success]);
    let mut publisher = Wire::join(broker.address(), "b", V5).await;
    for topic in &TOPICS[..3] {
        publisher.publish(topic, "x", QoS::AtLeastOnce).await;
    }
    let found = [topic_of(&wire.take().await).to_owned(), topic_of(&wire.take().await).to_owned()];
    assert_eq!(found, [TOPICS[1], TOPICS[2]]);
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_user_properties() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    wire.subscribe(TOPICS[0], QoS::ExactlyOnce).await;
    for qos in LEVELS {
        wire.deliver(with(user_properties(), message(TOPICS[0], "x", qos))).await;
        let got = wire.take().await;
        assert_eq!((got.qos, got.properties.as_deref()), (qos, Some(&user_properties())));
    }
}

#[tokio::test]
async fn paho5_payload_format() {
    let broker = broker().await;
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    wire.subscribe(TOPICS[0], QoS::ExactlyOnce).await;
    for qos in LEVELS {
        for payload_format_indicator in [None, Some(false), Some(true)] {
            let properties = MessageProperties {
                payload_format_indicator,
                content_type: Some("My name".into()),
                ..MessageProperties::default()
            };
            wire.deliver(with(properties.clone(), message(TOPICS[0], "x", qos))).await;
            assert_eq!(wire.take().await.properties.as_deref(), Some(&properties));
        }
    }
}

#[tokio::test]
async fn paho5_subscribe_options() {
    let broker = broker().await;
    let mut publisher = Wire::join(broker.address(), "publisher", V5).await;
    // No local.
    let mut wire = Wire::join(broker.address(), "a", V5).await;
    wire.subscribe_with(&[(TOPICS[0], SubscribeOptions { no_local: true, ..TWICE })], None).await;
    wire.subscribe_with(&[(TOPICS[1], TWICE)], None).await;
    wire.publish(TOPICS[0], "own", QoS::AtLeastOnce).await;
    wire.publish(TOPICS[1], "own", QoS::AtLeastOnce).await;
    assert_eq!(topic_of(&wire.take().await), TOPICS[1]);
    publisher.publish(TOPICS[0], "another's", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&wire.take().await), "another's");
    assert!(wire.ping_barrier().await.is_empty());
    // Retain as published.
    for (retain_as_published, flag) in [(true, true), (false, false)] {
        wire.subscribe_with(&[(TOPICS[2], SubscribeOptions { retain_as_published, ..TWICE })], None).await;
        wire.ping_barrier().await;
        publisher.retain(TOPICS[2], "x", QoS::AtLeastOnce).await;
        assert_eq!(wire.take().await.retain, flag);
        publisher.retain(TOPICS[2], "", QoS::AtLeastOnce).await;
        assert_eq!(wire.take().await.retain, flag, "also the one that removes it");
    }
    // Retain handling.
    publisher.retain(TOPICS[3], "kept", QoS::AtLeastOnce).await;
    for (retain_handling, first, second) in
        [(RetainHandling::Send, 1, 1), (RetainHandling::SendIfNew, 1, 0), (RetainHandling::DoNotSend, 0, 0)]
    {
        for expected in [first, second] {
            wire.subscribe_with(&[(TOPICS[3], SubscribeOptions { retain_handling, ..TWICE })], None).await;
            for _ in 0..expected {
                assert!(wire.take().await.retain);
            }
            assert!(wire.ping_barrier().await.is_empty(), "{retain_handling:?}");
        }
        wire.unsubscribe(&[TOPICS[3]]).await;
    }
}

#[tokio::test]
async fn paho5_subscribe_identifiers() {
    let broker = broker().await;
    let mut one = Wire::join(broker.address(), "a", V5).await;
    one.subscribe_with(&[(TOPICS[0], TWICE)], Some(456_789)).await;
    let mut two = Wire::join(broker.address(), "b", V5).await;
    two.subscribe_with(&[(TOPICS[0], TWICE)], Some(2)).await;
    two.subscribe_with(&[("TopicA/#", TWICE)], Some(3)).await;
    one.publish(TOPICS[0], "x", QoS::AtLeastOnce).await;
    let numbers = |publish: &Publish| {
        let mut found: Vec<u32> = publish.subscription_identifiers.iter().map(|number| u32::from(*number)).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(numbers(&one.take().await), [456_789]);
    assert_eq!(numbers(&two.take().await), [2, 3], "one copy for both");
    assert!(two.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_request_response() {
    let broker = broker().await;
    let no_local = SubscribeOptions { no_local: true, ..TWICE };
    let mut asker = Wire::join(broker.address(), "a", V5).await;
    let mut answerer = Wire::join(broker.address(), "b", V5).await;
    asker.subscribe_with(&[(TOPICS[0], no_local)], None).await;
    answerer.subscribe_with(&[(TOPICS[0], no_local)], None).await;
    let properties = MessageProperties {
        response_topic: Some(TOPICS[0].try_into().unwrap()),
        correlation_data: Some("334".into()),
        ..MessageProperties::default()
    };
    asker.deliver(with(properties.clone(), message(TOPICS[0], "request", QoS::AtLeastOnce))).await;
    let request = answerer.take().await;
    assert_eq!((payload_of(&request).as_str(), request.properties.as_deref()), ("request", Some(&properties)));
    let asked = request.properties.unwrap();
    let back = MessageProperties { correlation_data: asked.correlation_data, ..MessageProperties::default() };
    let to = asked.response_topic.unwrap();
    answerer.deliver(with(back, message(to.as_str(), "answer", QoS::AtLeastOnce))).await;
    let answer = asker.take().await;
    assert_eq!(payload_of(&answer), "answer");
    assert_eq!(answer.properties.unwrap().correlation_data.as_deref(), Some(&b"334"[..]));
    assert!(answerer.ping_barrier().await.is_empty() && asker.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_shared_subscriptions() {
    let broker = broker().await;
    let mut members = Vec::new();
    for name in ["a", "b"] {
        let mut wire = Wire::join(broker.address(), name, V5).await;
        wire.subscribe("$share/sharename/x", QoS::AtLeastOnce).await;
        wire.subscribe(TOPICS[0], QoS::AtLeastOnce).await;
        members.push(wire);
    }
    let mut publisher = Wire::join(broker.address(), "publisher", V5).await;
    publisher.publish(TOPICS[0], "for both", QoS::AtLeastOnce).await;
    publisher.publish("x", "for one", QoS::AtLeastOnce).await;
    let mut of_the_group = 0;
    for wire in &mut members {
        assert_eq!(payload_of(&wire.take().await), "for both");
        of_the_group += wire.ping_barrier().await.len();
    }
    assert_eq!(of_the_group, 1);
}
