//! CONNECT and what answers it, on an open broker; keep-alive; pings.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use gridmq_broker::{Broker, Limits};
use gridmq_proto::packet::{Disconnect, DisconnectProperties};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, connect, encoded, lasting, message, payload_of, subscribe};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

async fn limited(limits: Limits) -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(2).limits(limits)).await
}

#[tokio::test]
async fn mqtt5_3_1_3_5_and_mqtt311_3_1_3_5_and_mqtt311_3_1_4_4_every_plain_client_identifier_is_let_in() {
    let broker = gridmq_testkit::open(2).await;
    for version in VERSIONS {
        for id in ["a", "0123456789abcdefghijABC", "ZYXWVUTSRQPONMLKJIHGFED"] {
            Wire::join(broker.address(), id, version).await.leave().await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_3_6_and_mqtt5_3_1_3_7_and_mqtt5_3_2_2_16_and_mqtt311_3_1_3_6_an_identifier_is_assigned_to_who_has_none()
 {
    let broker = gridmq_testkit::open(4).await;
    let mut assigned = BTreeSet::new();
    let mut wires = Vec::new();
    for clean_start in [true, true, false] {
        let (mut wire, ack) = Wire::open(broker.address(), "", Version::V5, |connect| {
            lasting(connect);
            connect.clean_start = clean_start;
        })
        .await;
        assert!(!ack.session_present);
        let id = ack.properties.assigned_client_identifier.unwrap();
        assert!(!id.is_empty() && assigned.insert(id.to_string()));
        wire.ping_barrier().await;
        wires.push((wire, id));
    }
    // Two clients of 3.1.1 without identifier do not end each other.
    let mut first = Wire::join(broker.address(), "", Version::V3_1_1).await;
    let mut second = Wire::join(broker.address(), "", Version::V3_1_1).await;
    first.ping_barrier().await;
    second.ping_barrier().await;
    // The identifier can be used later.
    let (wire, id) = wires.pop().unwrap();
    wire.leave().await;
    let (_wire, present) = Wire::resume(broker.address(), &id, Version::V5).await;
    assert!(present);
}

#[tokio::test]
async fn mqtt311_3_1_3_8_and_mqtt311_3_1_3_9_and_mqtt311_3_2_2_4_and_mqtt311_3_2_2_5_an_empty_identifier_needs_a_clean_session()
 {
    let broker = gridmq_testkit::open(1).await;
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x0c\x00\x04MQTT\x04\x00\x00<\x00\x00").await;
    assert_eq!(wire.raw_until_closed().await, b"\x20\x02\x00\x02");
}

#[tokio::test]
async fn mqtt5_3_1_2_2_and_mqtt311_3_1_2_2_another_protocol_level_is_answered_and_refused() {
    let broker = gridmq_testkit::open(1).await;
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x0e\x00\x04MQTT\x03\x02\x00<\x00\x02c1").await;
    assert_eq!(wire.raw_until_closed().await, b"\x20\x02\x00\x01");
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x0f\x00\x04MQTT\x06\x02\x00<\x00\x00\x02c1").await;
    let answer = wire.raw_until_closed().await;
    assert!(answer.is_empty() || answer[0] == 0x20 && matches!(answer[3], 0x01 | 0x84), "{answer:x?}");
}

#[tokio::test]
async fn mqtt_3_1_is_served_under_its_own_name() {
    let broker = gridmq_testkit::open(1).await;
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(b"\x10\x10\x00\x06MQIsdp\x03\x02\x00<\x00\x02c1\xc0\x00\xe0\x00").await;
    assert_eq!(wire.raw_until_closed().await, b"\x20\x02\x00\x00\xd0\x00");
}

#[tokio::test]
async fn mqtt5_3_2_0_1_and_mqtt5_3_2_0_2_and_mqtt311_3_2_0_1_connack_comes_first_and_once() {
    let broker = gridmq_testkit::open(4).await;
    for version in VERSIONS {
        // Everything in one write, before CONNACK.
        let mut wire = Wire::connect(broker.address()).await;
        wire.send(connect("c", version)).await;
        let id = PacketId::MIN;
        let options = gridmq_proto::packet::SubscribeOptions::default();
        let mut bytes = encoded(&subscribe(id, &[("t", options)], None), version);
        bytes.unsplit(encoded(&Packet::Publish(message("t", "x", QoS::AtMostOnce)), version));
        bytes.unsplit(encoded(&Packet::PingReq, version));
        wire.send_raw(&bytes).await;
        assert_eq!(wire.connack().await.reason, ReasonCode::Success);
        assert!(matches!(wire.recv().await, Packet::SubAck(_)));
        assert_eq!(payload_of(&wire.recv_publish().await), "x");
        assert_eq!(wire.recv().await, Packet::PingResp);
        wire.send(Packet::Disconnect(Disconnect {
            reason: ReasonCode::NORMAL_DISCONNECTION,
            properties: DisconnectProperties::default(),
        }))
        .await;
        assert!(wire.expect_closed().await.is_empty());
    }
}

#[tokio::test]
async fn packets_may_come_byte_by_byte() {
    let broker = gridmq_testkit::open(1).await;
    for version in VERSIONS {
        let mut wire = Wire::connect(broker.address()).await;
        // The decoder of this side must know the version.
        wire.send(connect("first", version)).await;
        wire.connack().await;
        for byte in encoded(&subscribe(PacketId::MIN, &[("t/+", Default::default())], None), version) {
            wire.send_raw(&[byte]).await;
            tokio::task::yield_now().await;
        }
        assert!(matches!(wire.recv().await, Packet::SubAck(_)));
        for byte in encoded(&Packet::Publish(message("t/a", "payload", QoS::AtMostOnce)), version) {
            wire.send_raw(&[byte]).await;
        }
        assert_eq!(payload_of(&wire.recv_publish().await), "payload");
    }
    let mut wire = Wire::connect(broker.address()).await;
    for byte in encoded(&Packet::Connect(Box::new(connect("c", Version::V5))), Version::V5) {
        wire.send_raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.connack().await.reason, ReasonCode::Success);
}

#[tokio::test]
async fn mqtt5_3_1_0_2_and_mqtt311_3_1_0_2_a_second_connect_ends_the_connection() {
    let broker = gridmq_testkit::open(1).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        wire.send(connect("c", version)).await;
        wire.expect_end(ReasonCode::ProtocolError).await;
    }
}

#[tokio::test]
async fn mqtt5_3_1_0_1_and_mqtt311_3_1_0_1_anything_before_connect_ends_the_connection_without_a_word() {
    let broker = gridmq_testkit::open(1).await;
    for bytes in [&b"\xc0\x00"[..], b"\xe0\x00", b"0\x04\x00\x01ax", b"\xf0\x00", b"\x20\x02\x00\x00"] {
        let mut wire = Wire::connect(broker.address()).await;
        wire.send_raw(bytes).await;
        assert!(wire.raw_until_closed().await.is_empty(), "{bytes:x?}");
    }
}

#[tokio::test]
async fn mqtt5_4_12_0_1_and_mqtt5_3_1_4_6_and_mqtt5_3_2_2_6_and_mqtt5_3_2_2_7_a_refused_client_is_told_and_what_it_sent_is_not_processed()
 {
    let broker = gridmq_testkit::open(2).await;
    let mut packet = connect("c", Version::V5);
    packet.properties.authentication_method = Some("SCRAM-SHA-1".into());
    let mut bytes = encoded(&Packet::Connect(Box::new(packet)), Version::V5);
    let mut publish = message("t", "x", QoS::AtMostOnce);
    publish.retain = true;
    bytes.unsplit(encoded(&Packet::Publish(publish), Version::V5));
    let mut wire = Wire::connect(broker.address()).await;
    wire.send_raw(&bytes).await;
    let ack = wire.connack().await;
    assert_eq!((ack.reason, ack.session_present), (ReasonCode::BadAuthenticationMethod, false));
    assert!(wire.expect_closed().await.is_empty());
    assert_eq!(broker.broker.retained_messages(), 0);
}

#[tokio::test]
async fn mqtt5_3_12_4_1_and_mqtt311_3_12_4_1_pings_are_answered_and_keep_the_connection() {
    let broker = gridmq_testkit::open(2).await;
    let mut wires = Vec::new();
    for version in VERSIONS {
        let (wire, _) =
            Wire::open(broker.address(), &version.to_string(), version, |connect| connect.keep_alive = 1).await;
        wires.push(wire);
    }
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for wire in &mut wires {
            assert!(wire.ping_barrier().await.is_empty());
        }
    }
    assert_eq!(broker.broker.stats().clients_connected, 3);
}

#[tokio::test]
async fn mqtt5_3_14_4_1_and_mqtt5_3_14_4_2_and_mqtt311_3_14_4_1_disconnect_ends_the_connection_at_once() {
    let broker = gridmq_testkit::open(2).await;
    let mut witness = Wire::join(broker.address(), "w", Version::V5).await;
    witness.subscribe("t", QoS::AtMostOnce).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        let disconnect =
            Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties: DisconnectProperties::default() };
        let mut bytes = encoded(&Packet::Disconnect(disconnect), version);
        bytes.unsplit(encoded(&Packet::Publish(message("t", "too late", QoS::AtMostOnce)), version));
        wire.send_raw(&bytes).await;
        assert!(wire.expect_closed().await.is_empty());
    }
    witness.publish("t", "x", QoS::AtMostOnce).await;
    assert_eq!(payload_of(&witness.take().await), "x", "what came after DISCONNECT was not processed");
}

#[tokio::test]
async fn mqtt5_3_1_2_29_no_reason_string_where_it_is_not_wanted() {
    let broker = gridmq_testkit::open(1).await;
    let deep = "a/".repeat(3000);
    for (wanted, expected) in [(Some(false), false), (Some(true), true), (None, true)] {
        let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, |connect| {
            connect.properties.request_problem_information = wanted;
        })
        .await;
        let id = wire.packet_id();
        wire.send(subscribe(id, &[(&deep, Default::default())], None)).await;
        match wire.recv().await {
            Packet::SubAck(ack) => {
                assert_eq!(ack.reasons, [ReasonCode::TopicFilterInvalid]);
                assert_eq!(ack.properties.reason_string.is_some(), expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn who_is_slow_with_its_connect_is_closed() {
    let mut limits = Limits::default();
    limits.connect_timeout = Duration::from_millis(300);
    let broker = limited(limits).await;
    let begun = std::time::Instant::now();
    let mut silent = Wire::connect(broker.address()).await;
    let mut half = Wire::connect(broker.address()).await;
    half.send_raw(b"\x10\x0e\x00\x04MQ").await;
    let mut slow = Wire::connect(broker.address()).await;
    let dripping = async {
        for byte in encoded(&Packet::Connect(Box::new(connect("a-long-client-identifier", Version::V5))), Version::V5) {
            slow.send_raw(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slow.raw_until_closed().await
    };
    assert!(dripping.await.is_empty(), "each byte does not buy more time");
    assert!(silent.raw_until_closed().await.is_empty());
    assert!(half.raw_until_closed().await.is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(broker.broker.stats().connections_refused, 3);
    Wire::join(broker.address(), "c", Version::V5).await.leave().await;
}

#[tokio::test]
async fn there_are_no_more_connections_than_the_limit() {
    let mut limits = Limits::default();
    limits.connections = 2;
    let broker = limited(limits).await;
    let first = Wire::join(broker.address(), "1", Version::V5).await;
    let _second = Wire::join(broker.address(), "2", Version::V5).await;
    let mut third = Wire::connect(broker.address()).await;
    assert!(third.raw_until_closed().await.is_empty());
    first.leave().await;
    // Its place is free once the connection has gone altogether.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let mut wire = Wire::connect(broker.address()).await;
        wire.send(connect("3", Version::V5)).await;
        if wire.next().await.is_some() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the place does not become free");
    }
}

#[tokio::test]
async fn clients_that_are_not_in_hold_no_more_than_the_limit_together() {
    let mut limits = Limits::default();
    limits.unadmitted_bytes = 10_000;
    let broker = limited(limits).await;
    let long = "x".repeat(8000);
    let bytes = encoded(&Packet::Connect(Box::new(connect(&long, Version::V5))), Version::V5);
    let (most, rest) = bytes.split_at(7000);
    let mut first = Wire::connect(broker.address()).await;
    first.send_raw(most).await;
    // The next one that sends as much is closed, on any worker; who is in is not touched.
    let mut second = Wire::connect(broker.address()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    second.send_raw(most).await;
    assert!(second.raw_until_closed().await.len() < 100);
    first.send_raw(rest).await;
    assert_eq!(first.connack().await.reason, ReasonCode::Success);
    Wire::join(broker.address(), "c", Version::V5).await.leave().await;
}
