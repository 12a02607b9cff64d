//! What the cases of the public Eclipse Paho suite for MQTT 5.0 ask of a broker, in tests of our own: limits and times.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use gridmq_broker::Broker;
use gridmq_proto::packet::{Connect, PacketType, Publish, Will};
use gridmq_proto::{Message, MessageProperties, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, eventually, lasting, message, payload_of, topic_of};

const V5: Version = Version::V5;

async fn broker() -> OpenBroker {
    gridmq_testkit::open(2).await
}

async fn adjusted(adjust: impl FnOnce(&mut Adjusted)) -> OpenBroker {
    let mut adjusted = Adjusted::default();
    adjust(&mut adjusted);
    OpenBroker::start(Broker::builder().workers(2).rules(adjusted.rules())).await
}

fn id(number: u16) -> Option<PacketId> {
    Some(PacketId::new(number).unwrap())
}

fn aliased(topic: &str, payload: &str, alias: u16) -> Publish {
    let mut publish = message("t", payload, QoS::AtLeastOnce);
    publish.topic = (!topic.is_empty()).then(|| topic.try_into().unwrap());
    publish.topic_alias = NonZeroU16::new(alias);
    publish
}

fn user_properties() -> MessageProperties {
    let user_properties = vec![("a".into(), "2".into()), ("c".into(), "3".into())];
    MessageProperties { user_properties, ..MessageProperties::default() }
}

/// A client with a will with user properties, in a session that lasts `expiry` seconds.
async fn testator(broker: &OpenBroker, name: &str, delay: u32, expiry: u32, adjust: impl FnOnce(&mut Connect)) -> Wire {
    let (wire, ack) = Wire::open(broker.address(), name, V5, |connect| {
        let mut message = Message::new("will".try_into().unwrap(), name.to_owned().into());
        message.properties = Some(Box::new(user_properties()));
        connect.will = Some(Box::new(Will { message, qos: QoS::AtLeastOnce, retain: false, delay_interval: delay }));
        connect.properties.session_expiry_interval = Some(expiry);
        adjust(connect);
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire
}

async fn heir(broker: &OpenBroker) -> Wire {
    let mut heir = Wire::join(broker.address(), "heir", V5).await;
    heir.subscribe("will", QoS::AtLeastOnce).await;
    heir
}

#[tokio::test]
async fn paho5_will_message_and_paho5_keepalive() {
    let broker = broker().await;
    let mut heir = heir(&broker).await;
    let begun = Instant::now();
    let mut silent = testator(&broker, "silent", 0, 60, |connect| connect.keep_alive = 1).await;
    let got = heir.take().await;
    assert_eq!((payload_of(&got).as_str(), got.properties.as_deref()), ("silent", Some(&user_properties())));
    assert!(begun.elapsed() >= Duration::from_millis(1500), "one and a half keep alives");
    assert_eq!(silent.expect_disconnect().await, ReasonCode::KeepAliveTimeout);
}

#[tokio::test]
async fn paho5_will_delay() {
    let broker = broker().await;
    let mut heir = heir(&broker).await;
    // The name says after how many seconds it has to come: the shorter of delay and session expiry.
    for (name, delay, expiry) in [("0", 5, 0), ("1", 5, 1), ("2", 2, 5)] {
        let wire = testator(&broker, name, delay, expiry, |_| ()).await;
        let begun = Instant::now();
        drop(wire);
        let got = heir.take().await;
        assert_eq!(payload_of(&got), name);
        let least: u64 = name.parse().unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(least), "{name}: {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}: not after the longer one");
    }
}

#[tokio::test]
async fn paho5_session_expiry() {
    let broker = broker().await;
    let open = |name: &'static str, expiry: u32| {
        Wire::open(broker.address(), name, V5, move |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry_interval = Some(expiry);
        })
    };
    // None: it ends with the connection.
    let (wire, _) = open("none", 0).await;
    wire.leave().await;
    assert!(!open("none", 0).await.1.session_present);
    // A while: it is there, and then it is not.
    let (mut wire, _) = open("while", 2).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    wire.leave().await;
    let (wire, ack) = open("while", 2).await;
    assert!(ack.session_present);
    wire.leave().await;
    eventually("the session has ended", || broker.broker.stats().sessions == 0).await;
    assert!(!open("while", 0).await.1.session_present);
    // DISCONNECT makes it longer, and ends it.
    let (mut wire, _) = open("changed", 1).await;
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(3600)).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let (mut wire, ack) = open("changed", 3600).await;
    assert!(ack.session_present, "the longer time holds");
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
    assert!(!open("changed", 0).await.1.session_present);
}

#[tokio::test]
async fn paho5_publication_expiry() {
    let broker = broker().await;
    let (mut reader, _) = Wire::resume(broker.address(), "reader", V5).await;
    reader.subscribe("t", QoS::ExactlyOnce).await;
    reader.leave().await;
    let mut publisher = Wire::join(broker.address(), "publisher", V5).await;
    for (payload, qos, message_expiry_interval) in [
        ("short 1", QoS::AtLeastOnce, Some(1)),
        ("short 2", QoS::ExactlyOnce, Some(1)),
        ("long", QoS::AtLeastOnce, Some(100)),
        ("for ever", QoS::ExactlyOnce, None),
    ] {
        let properties = MessageProperties { message_expiry_interval, ..MessageProperties::default() };
        publisher.deliver(Publish { properties: Some(Box::new(properties)), ..message("t", payload, qos) }).await;
    }
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let (mut reader, present) = Wire::resume(broker.address(), "reader", V5).await;
    assert!(present);
    let long = reader.take().await;
    assert_eq!(payload_of(&long), "long");
    let left = long.properties.unwrap().message_expiry_interval.unwrap();
    assert!((60..=98).contains(&left), "{left}");
    let last = reader.take().await;
    assert_eq!(payload_of(&last), "for ever");
    assert_eq!(last.properties.and_then(|properties| properties.message_expiry_interval), None);
    assert!(reader.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn paho5_client_topic_alias() {
    let broker = broker().await;
    let mut zero = Wire::join(broker.address(), "zero", V5).await;
    zero.send_raw(b"\x30\x08\x00\x01t\x03\x23\x00\x00x").await;
    assert_eq!(zero.expect_disconnect().await, ReasonCode::TopicAliasInvalid);
    let (mut wire, ack) = Wire::open(broker.address(), "a", V5, lasting).await;
    assert!(ack.properties.topic_alias_maximum.unwrap() > 0);
    wire.subscribe("TopicA", QoS::AtLeastOnce).await;
    wire.deliver(aliased("TopicA", "one", 1)).await;
    wire.deliver(aliased("", "two", 1)).await;
    for payload in ["one", "two"] {
        let got = wire.take().await;
        assert_eq!((topic_of(&got), payload_of(&got).as_str()), ("TopicA", payload));
    }
    wire.leave().await;
    let (mut wire, present) = Wire::resume(broker.address(), "a", V5).await;
    assert!(present);
    wire.send_publish(aliased("", "three", 1)).await;
    let reason = wire.expect_disconnect().await;
    assert!(matches!(reason, ReasonCode::ProtocolError | ReasonCode::TopicAliasInvalid), "{reason}");
}

#[tokio::test]
async fn paho5_maximum_packet_size() {
    let broker = adjusted(|adjusted| adjusted.connection.maximum_packet_size = 1024).await;
    let (mut small, ack) = Wire::open(broker.address(), "small", V5, |connect| {
        connect.properties.maximum_packet_size = std::num::NonZeroU32::new(64);
    })
    .await;
    assert_eq!(ack.properties.maximum_packet_size.map(u32::from), Some(1024));
    small.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "publisher", V5).await;
    publisher.publish("t", "x".repeat(200), QoS::AtLeastOnce).await;
    publisher.publish("t", "fits", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&small.take().await), "fits");
    publisher.send_publish(message("t", "x".repeat(1024), QoS::AtLeastOnce)).await;
    assert_eq!(publisher.expect_disconnect().await, ReasonCode::PacketTooLarge);
}

#[tokio::test]
async fn paho5_server_keep_alive() {
    let broker = adjusted(|adjusted| adjusted.connection.maximum_keep_alive = Some(60)).await;
    let told = |keep_alive| {
        let address = broker.address();
        async move { Wire::open(address, "a", V5, |connect| connect.keep_alive = keep_alive).await.1 }
    };
    assert_eq!(told(120).await.properties.server_keep_alive, Some(60));
    assert_eq!(told(0).await.properties.server_keep_alive, Some(60));
    assert_eq!(told(30).await.properties.server_keep_alive, None);
}

#[tokio::test]
async fn paho5_flow_control1() {
    let broker = broker().await;
    let (mut reader, _) = Wire::open(broker.address(), "reader", V5, |connect| {
        connect.properties.receive_maximum = NonZeroU16::new(2);
    })
    .await;
    reader.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "publisher", V5).await;
    for number in 0..3 {
        publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await;
    }
    let first = reader.recv_publish().await;
    let second = reader.recv_publish().await;
    assert_eq!((payload_of(&first).as_str(), payload_of(&second).as_str()), ("0", "1"));
    assert!(reader.ping_barrier().await.is_empty(), "no third before an acknowledgement");
    reader.acknowledge(&first).await;
    assert_eq!(payload_of(&reader.recv_publish().await), "2");
}

#[tokio::test]
async fn paho5_flow_control2() {
    let broker = adjusted(|adjusted| adjusted.connection.receive_maximum = 3).await;
    let (mut wire, ack) = Wire::open(broker.address(), "a", V5, |_| ()).await;
    let maximum = ack.properties.receive_maximum.map_or(65_535, u16::from);
    assert_eq!(maximum, 3);
    for number in 1..=maximum + 1 {
        wire.send_publish(Publish { packet_id: id(number), ..message("t", "x", QoS::ExactlyOnce) }).await;
    }
    for number in 1..=maximum {
        wire.ack(PacketType::PubRec, id(number).unwrap()).await;
    }
    assert_eq!(wire.expect_disconnect().await, ReasonCode::ReceiveMaximumExceeded);
}

#[tokio::test]
async fn paho5_server_topic_alias() {
    let broker = adjusted(|adjusted| adjusted.connection.outbound_topic_aliases = 16).await;
    let mut publisher = Wire::join(broker.address(), "publisher", V5).await;
    for (maximum, aliases) in [(Some(1), true), (Some(0), false), (None, false)] {
        let (mut reader, _) = Wire::open(broker.address(), "reader", V5, |connect| {
            connect.properties.topic_alias_maximum = maximum;
        })
        .await;
        reader.subscribe("TopicA", QoS::ExactlyOnce).await;
        for (number, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
            publisher.publish("TopicA", number.to_string(), qos).await;
            let got = reader.take().await;
            assert_eq!(payload_of(&got), number.to_string());
            assert_eq!(got.topic_alias.map(u16::from), aliases.then_some(1), "{maximum:?}");
            assert_eq!(got.topic.is_some(), number == 0 || !aliases, "the first names the topic: {got:?}");
        }
    }
}
