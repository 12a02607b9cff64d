//! What both sides announce and keep: packet size, receive maximum, topic aliases.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::{NonZeroU16, NonZeroU32};

use gridmq_broker::Broker;
use gridmq_namespace::profile::ConnectionLimits;
use gridmq_proto::packet::{PacketType, Publish};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, encoded, message, payload_of, topic_of};

fn aliased(topic: &str, payload: &str, alias: u16) -> Publish {
    let mut publish = message("x", payload, QoS::AtMostOnce);
    publish.topic = (!topic.is_empty()).then(|| topic.try_into().unwrap());
    publish.topic_alias = NonZeroU16::new(alias);
    publish
}

#[tokio::test]
async fn connack_says_what_the_server_takes() {
    let broker = gridmq_testkit::open(1).await;
    let (_wire, ack) = Wire::open(broker.address(), "c", Version::V5, |_| ()).await;
    let said = ack.properties;
    assert_eq!(said.receive_maximum.map(NonZeroU16::get), Some(ConnectionLimits::OPEN.receive_maximum));
    assert_eq!(said.maximum_packet_size.map(NonZeroU32::get), Some(ConnectionLimits::OPEN.maximum_packet_size));
    assert_eq!(said.topic_alias_maximum, Some(ConnectionLimits::OPEN.topic_alias_maximum));
    assert_eq!((said.maximum_qos, said.server_keep_alive, said.assigned_client_identifier), (None, None, None));
}

#[tokio::test]
async fn mqtt5_3_1_2_24_and_mqtt5_3_1_2_25_too_large_a_packet_is_not_sent_and_counts_as_sent() {
    let broker = gridmq_testkit::open(4).await;
    let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        connect.properties.maximum_packet_size = NonZeroU32::new(64);
        connect.properties.receive_maximum = NonZeroU16::new(1);
    })
    .await;
    wire.subscribe("t", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        // With an identifier, the largest that fits: 2 of header, 3 of topic, 2 of identifier, 1 of properties.
        let identifier = if qos == QoS::AtMostOnce { 0 } else { 2 };
        for (length, fits) in [(64 - 6 - identifier, true), (65 - 6 - identifier, false), (5000, false), (3, true)] {
            assert_eq!(publisher.publish("t", "x".repeat(length), qos).await, ReasonCode::Success);
            if fits {
                let got = wire.take().await;
                assert_eq!(got.payload.len(), length, "{qos:?}");
                assert!(encoded(&Packet::Publish(got), Version::V5).len() <= 64);
            }
        }
    }
    assert!(wire.ping_barrier().await.is_empty());
    assert_eq!(broker.broker.stats().messages_too_large, 4, "which is said to the operator");
}

#[tokio::test]
async fn a_retained_or_waiting_message_that_is_too_large_is_passed_over() {
    let broker = gridmq_testkit::open(4).await;
    let small = |connect: &mut gridmq_proto::packet::Connect| {
        gridmq_testkit::wire::lasting(connect);
        connect.properties.maximum_packet_size = NonZeroU32::new(100);
    };
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        publisher.retain("t/large", "x".repeat(200), qos).await;
        publisher.retain("t/small", "x", qos).await;
        publisher.ping_barrier().await;
        let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, small).await;
        wire.subscribe("t/#", QoS::AtLeastOnce).await;
        assert_eq!(topic_of(&wire.take().await), "t/small");
        assert!(wire.ping_barrier().await.is_empty());
        wire.leave().await;
        for (topic, length) in [("t/1", 1), ("t/2", 200), ("t/3", 1)] {
            publisher.publish(topic, "x".repeat(length), QoS::AtLeastOnce).await;
        }
        let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, small).await;
        assert!(ack.session_present);
        for topic in ["t/1", "t/3"] {
            assert_eq!(topic_of(&wire.take().await), topic);
        }
        assert!(wire.ping_barrier().await.is_empty());
        Wire::join(broker.address(), "c", Version::V5).await.leave().await;
    }
}

#[tokio::test]
async fn a_packet_beyond_the_servers_maximum_ends_the_connection() {
    let broker = gridmq_testkit::open(2).await;
    let maximum = ConnectionLimits::OPEN.maximum_packet_size as usize;
    for version in [Version::V3_1_1, Version::V5] {
        let mut witness = Wire::join(broker.address(), "w", Version::V5).await;
        witness.subscribe("t", QoS::AtLeastOnce).await;
        let mut wire = Wire::join(broker.address(), "c", version).await;
        let overhead = encoded(&Packet::Publish(message("t", "x".repeat(maximum - 100), QoS::AtMostOnce)), version)
            .len()
            - (maximum - 100);
        wire.publish("t", vec![b'x'; maximum - overhead], QoS::AtMostOnce).await;
        assert_eq!(witness.take().await.payload.len(), maximum - overhead);
        wire.publish("t", vec![b'x'; maximum - overhead + 1], QoS::AtMostOnce).await;
        wire.expect_end(ReasonCode::PacketTooLarge).await;
        assert!(witness.ping_barrier().await.is_empty());
    }
}

#[tokio::test]
async fn mqtt5_3_3_4_9_and_mqtt5_4_9_0_1_and_mqtt5_4_9_0_2_no_more_than_receive_maximum_is_sent_unacknowledged() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let limited = |connect: &mut gridmq_proto::packet::Connect| {
        gridmq_testkit::wire::lasting(connect);
        connect.properties.receive_maximum = NonZeroU16::new(3);
    };
    let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, limited).await;
    wire.subscribe("t", QoS::ExactlyOnce).await;
    for number in 0..10 {
        let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        publisher.publish("t", number.to_string(), qos).await;
    }
    let sent = wire.ping_barrier().await;
    assert_eq!(sent.len(), 3, "{sent:?}");
    let mut next = 0;
    for packet in sent {
        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        assert_eq!(payload_of(&publish), next.to_string());
        wire.acknowledge(&publish).await;
        next += 1;
    }
    // Each acknowledgement makes room for one.
    while next < 7 {
        assert_eq!(payload_of(&wire.take().await), next.to_string());
        next += 1;
    }
    wire.ping_barrier().await;
    // It holds again for what is sent again.
    drop(wire);
    let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, limited).await;
    assert_eq!(wire.ping_barrier().await.len(), 3);
}

#[tokio::test]
async fn mqtt5_3_3_4_10_and_mqtt5_4_9_0_3_everything_else_goes_on_while_the_window_is_closed() {
    let broker = gridmq_testkit::open(4).await;
    let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        connect.properties.receive_maximum = NonZeroU16::new(1);
    })
    .await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for number in 0..3 {
        publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await;
    }
    let held = wire.recv_publish().await;
    assert_eq!(payload_of(&held), "0");
    assert!(wire.ping_barrier().await.is_empty());
    assert_eq!(wire.subscribe("u", QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
    assert_eq!(wire.publish("nobody", "x", QoS::ExactlyOnce).await, ReasonCode::NoMatchingSubscribers);
    publisher.publish("t", "QoS 0", QoS::AtMostOnce).await;
    assert_eq!(payload_of(&wire.take().await), "QoS 0", "which needs no room");
    wire.acknowledge(&held).await;
    assert_eq!(wire.take_payloads(2).await, ["1", "2"]);
}

#[tokio::test]
async fn mqtt5_3_3_4_7_a_client_that_exceeds_the_servers_receive_maximum_is_disconnected() {
    let broker = gridmq_testkit::open(2).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let maximum = ConnectionLimits::OPEN.receive_maximum;
    for number in 1..=maximum {
        let id = PacketId::new(number).unwrap();
        wire.send_publish(Publish { packet_id: Some(id), ..message("t", "x", QoS::ExactlyOnce) }).await;
        wire.ack(PacketType::PubRec, id).await;
    }
    let beyond = PacketId::new(maximum + 1).unwrap();
    wire.send_publish(Publish { packet_id: Some(beyond), ..message("t", "x", QoS::ExactlyOnce) }).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::ReceiveMaximumExceeded);
}

#[tokio::test]
async fn a_3_1_1_client_may_pipeline_more_than_receive_maximum() {
    const MESSAGES: u16 = 3000;
    let broker = gridmq_testkit::open(4).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V3_1_1).await;
    let mut bytes = bytes::BytesMut::new();
    for number in 1..=MESSAGES {
        let packet_id = PacketId::new(number);
        let publish = Publish { packet_id, ..message("t", "x", QoS::AtLeastOnce) };
        bytes.unsplit(encoded(&Packet::Publish(publish), Version::V3_1_1));
    }
    wire.send_raw(&bytes).await;
    for number in 1..=MESSAGES {
        match wire.recv().await {
            Packet::PubAck(ack) => assert_eq!(ack.packet_id.get(), number),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn mqtt5_3_3_2_12_every_announced_topic_alias_is_taken() {
    let broker = gridmq_testkit::open(4).await;
    let mut subscriber = Wire::join(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t/#", QoS::AtLeastOnce).await;
    let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, |_| ()).await;
    let maximum = ack.properties.topic_alias_maximum.unwrap();
    for alias in 1..=maximum {
        wire.send_publish(aliased(&format!("t/{alias}"), "set", alias)).await;
    }
    wire.send_publish(aliased("t/again", "set", 1)).await;
    for alias in 1..=maximum {
        let mut publish = aliased("", "used", alias);
        publish.qos = QoS::AtLeastOnce;
        assert_eq!(wire.deliver(publish).await, ReasonCode::Success);
    }
    let mut expected: Vec<_> = (1..=maximum).map(|alias| format!("t/{alias}")).collect();
    expected.push("t/again".to_owned());
    expected.push("t/again".to_owned());
    expected.extend((2..=maximum).map(|alias| format!("t/{alias}")));
    for topic in expected {
        let got = subscriber.take().await;
        assert_eq!(topic_of(&got), topic);
        assert_eq!(got.topic_alias, None, "the publisher's alias is its own");
    }
}

#[tokio::test]
async fn mqtt5_3_3_2_7_and_mqtt5_3_3_2_9_an_alias_that_is_not_known_or_too_high_ends_the_connection() {
    let broker = gridmq_testkit::open(2).await;
    let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, gridmq_testkit::wire::lasting).await;
    let maximum = ack.properties.topic_alias_maximum.unwrap();
    wire.send_publish(aliased("t", "x", 1)).await;
    wire.send_publish(aliased("", "x", 1)).await;
    assert!(wire.ping_barrier().await.is_empty());
    drop(wire);
    // The session goes on, the aliases do not.
    let (mut wire, present) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert!(present);
    wire.send_publish(aliased("", "x", 1)).await;
    let reason = wire.expect_disconnect().await;
    assert!(matches!(reason, ReasonCode::ProtocolError | ReasonCode::TopicAliasInvalid), "{reason}");
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    wire.send_publish(aliased("t", "x", maximum + 1)).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::TopicAliasInvalid);
}

#[tokio::test]
async fn mqtt5_3_1_2_26_and_mqtt5_3_1_2_27_and_mqtt5_3_3_2_11_no_alias_beyond_the_clients_maximum_is_sent() {
    let mut rules = Adjusted::default();
    rules.connection.outbound_topic_aliases = 16;
    let broker = OpenBroker::start(Broker::builder().workers(4).rules(rules.rules())).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for maximum in [None, Some(0), Some(2)] {
        let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, |connect| {
            connect.properties.topic_alias_maximum = maximum;
        })
        .await;
        wire.subscribe("t/#", QoS::AtLeastOnce).await;
        for number in 0..12 {
            publisher.publish(&format!("t/{}", number % 4), "x", QoS::AtLeastOnce).await;
        }
        let mut topics = std::collections::HashMap::new();
        let mut used = 0;
        for number in 0..12 {
            let got = wire.take().await;
            let alias = got.topic_alias.map_or(0, NonZeroU16::get);
            assert!(alias <= maximum.unwrap_or(0), "{alias}");
            used += usize::from(got.topic.is_none());
            let topic = got.topic.as_ref().map(|topic| topic.as_str().to_owned());
            let topic = topic.or_else(|| topics.get(&alias).cloned()).expect("an alias that was set");
            assert_eq!(topic, format!("t/{}", number % 4));
            topics.insert(alias, topic);
        }
        // Of four topics in turn, as many have an alias as there may be; each is set once and then used twice.
        assert_eq!(used, 2 * usize::from(maximum.unwrap_or(0)));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_others() {
    const MESSAGES: usize = 200;
    let broker = gridmq_testkit::open(2).await;
    let payload = vec![b'x'; 64 * 1024];
    // It subscribes and then never reads again.
    let mut deaf = Vec::new();
    for number in 0..2 {
        let mut wire = Wire::join(broker.address(), &format!("deaf-{number}"), Version::V5).await;
        wire.subscribe("t", QoS::AtMostOnce).await;
        deaf.push(wire);
    }
    let mut reader = Wire::join(broker.address(), "reader", Version::V5).await;
    reader.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for _ in 0..MESSAGES {
        assert_eq!(publisher.publish("t", &payload, QoS::AtLeastOnce).await, ReasonCode::Success);
        assert_eq!(reader.take().await.payload.len(), payload.len());
    }
    assert!(broker.broker.stats().messages_dropped > 0, "QoS 0 is dropped for who does not read");
    // It reads again: what is left comes, and then everything works.
    for wire in &mut deaf {
        let kept = wire.ping_barrier().await;
        assert!(!kept.is_empty() && kept.len() < MESSAGES, "{}", kept.len());
        publisher.publish("t", "again", QoS::AtLeastOnce).await;
        assert_eq!(payload_of(&wire.take().await), "again");
        reader.take().await;
        wire.unsubscribe(&["t"]).await;
    }
}
