//! Sessions: clean start, resumption, expiry, and what waits in them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use gridmq_broker::{Broker, Limits};
use gridmq_proto::packet::{Publish, SubscribeOptions};
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, eventually, lasting, message, payload_of};

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

#[tokio::test]
async fn mqtt5_3_1_2_4_and_mqtt5_3_1_4_4_and_mqtt5_3_2_2_2_and_mqtt311_3_1_2_6_and_mqtt311_3_1_4_3_and_mqtt311_3_2_2_1_a_clean_start_begins_anew()
 {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for version in VERSIONS {
        for _ in 0..4 {
            let (mut wire, _) = Wire::resume(address, "c", version).await;
            wire.subscribe("t", QoS::AtLeastOnce).await;
            wire.leave().await;
            assert_eq!(publisher.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
            let (mut wire, ack) = Wire::open(address, "c", version, |connect| {
                lasting(connect);
                connect.clean_start = true;
            })
            .await;
            assert!(!ack.session_present);
            assert!(wire.ping_barrier().await.is_empty(), "the queue is gone");
            assert_eq!(publisher.publish("t", "y", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
            wire.leave().await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_5_and_mqtt5_3_1_2_6_and_mqtt5_3_2_2_3_and_mqtt311_3_1_2_4_and_mqtt311_3_2_2_2_and_mqtt311_3_2_2_3_and_mqtt311_4_1_0_1_a_session_is_resumed()
 {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for version in VERSIONS {
        let name = format!("c-{version}");
        let (mut wire, present) = Wire::resume(address, &name, version).await;
        assert!(!present, "there was none");
        wire.subscribe("t", QoS::AtLeastOnce).await;
        for round in 0..6 {
            if round % 2 == 0 {
                wire.leave().await;
            } else {
                drop(wire);
            }
            let present;
            (wire, present) = Wire::resume(address, &name, version).await;
            assert!(present);
            assert_eq!(publisher.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
            assert_eq!(payload_of(&wire.take().await), "x");
        }
        Wire::join(address, &name, version).await.leave().await;
    }
}

#[tokio::test]
async fn a_session_is_resumed_in_another_version() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe("t", QoS::ExactlyOnce).await;
    wire.leave().await;
    for version in [Version::V3_1_1, Version::V5, Version::V3_1_1] {
        publisher.publish("t", "x", QoS::ExactlyOnce).await;
        let (mut wire, present) = Wire::resume(address, "c", version).await;
        assert!(present);
        assert_eq!(payload_of(&wire.take().await), "x");
        wire.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_4_5_0_1_and_mqtt5_3_1_2_23_and_mqtt311_3_1_2_5_and_mqtt311_4_5_0_1_messages_wait_for_who_is_away_in_order()
 {
    const MESSAGES: usize = 200;
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for version in VERSIONS {
        let name = format!("c-{version}");
        let (mut wire, _) = Wire::resume(address, &name, version).await;
        wire.subscribe("t/#", QoS::ExactlyOnce).await;
        drop(wire);
        eventually("the client is away", || broker.broker.stats().clients_connected == 1).await;
        let mut expected = Vec::new();
        for number in 0..MESSAGES {
            let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce][number % 3];
            let retain = number % 5 == 0;
            publisher.deliver(Publish { retain, ..message("t/a", number.to_string(), qos) }).await;
            if qos != QoS::AtMostOnce {
                expected.push((number.to_string(), qos));
            }
        }
        let (mut wire, present) = Wire::resume(address, &name, version).await;
        assert!(present);
        for (payload, qos) in expected {
            let got = wire.take().await;
            assert_eq!((payload_of(&got), got.qos), (payload, qos));
            assert!(!got.dup, "it was never sent before");
            assert!(!got.retain, "it matched an established subscription");
        }
        assert!(wire.ping_barrier().await.is_empty(), "QoS 0 does not wait");
        Wire::join(address, &name, version).await.leave().await;
        publisher.retain("t/a", "", QoS::AtLeastOnce).await;
    }
}

#[tokio::test]
async fn mqtt5_3_3_1_1_and_mqtt311_3_3_1_1_what_was_not_acknowledged_comes_first_again_with_dup() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for version in VERSIONS {
        let name = format!("c-{version}");
        let (mut wire, _) = Wire::resume(address, &name, version).await;
        wire.subscribe("t", QoS::AtLeastOnce).await;
        for number in 0..10 {
            publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await;
        }
        let mut ids = Vec::new();
        for number in 0..10 {
            let got = wire.recv_publish().await;
            if number % 3 == 0 {
                wire.acknowledge(&got).await;
            } else {
                ids.push((number.to_string(), got.packet_id));
            }
        }
        wire.ping_barrier().await;
        drop(wire);
        eventually("the client is away", || broker.broker.stats().clients_connected == 1).await;
        publisher.publish("t", "later", QoS::AtLeastOnce).await;
        for _ in 0..3 {
            let (mut wire, _) = Wire::resume(address, &name, version).await;
            for (payload, id) in &ids {
                let got = wire.recv_publish().await;
                assert_eq!((&payload_of(&got), got.packet_id, got.dup), (payload, *id, true));
            }
            let got = wire.recv_publish().await;
            assert_eq!(payload_of(&got), "later");
            if !got.dup {
                ids.push((payload_of(&got), got.packet_id));
            }
            // Left without a word: the next one begins again.
            drop(wire);
            eventually("the client is away", || broker.broker.stats().clients_connected == 1).await;
            if ids.last().unwrap().0 == "later" {
                let (mut wire, _) = Wire::resume(address, &name, version).await;
                for (payload, id) in &ids {
                    let got = wire.take().await;
                    assert_eq!((&payload_of(&got), got.packet_id, got.dup), (payload, *id, true));
                }
                wire.ping_barrier().await;
                break;
            }
        }
        let (mut wire, _) = Wire::resume(address, &name, version).await;
        assert!(wire.ping_barrier().await.is_empty(), "all is acknowledged");
        drop(wire);
        Wire::join(address, &name, version).await.leave().await;
    }
}

#[tokio::test]
async fn retain_as_published_holds_for_what_waits() {
    let broker = gridmq_testkit::open(4).await;
    let options = SubscribeOptions { qos: QoS::AtLeastOnce, retain_as_published: true, ..SubscribeOptions::default() };
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    wire.subscribe_with(&[("t", options)], Some(77)).await;
    wire.leave().await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    publisher.publish("t", "live", QoS::AtLeastOnce).await;
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    for (payload, retain) in [("kept", true), ("live", false)] {
        let got = wire.take().await;
        assert_eq!((payload_of(&got).as_str(), got.retain), (payload, retain));
        let identifiers: Vec<_> = got.subscription_identifiers.iter().map(|id| id.get()).collect();
        assert_eq!(identifiers, [77]);
    }
}

#[tokio::test]
async fn mqtt5_4_1_0_2_a_session_ends_when_its_expiry_has_passed() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let expiring = |connect: &mut gridmq_proto::packet::Connect| {
        lasting(connect);
        connect.properties.session_expiry_interval = Some(3);
    };
    let (mut wire, _) = Wire::open(address, "c", Version::V5, expiring).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    drop(wire);
    eventually("the client is away", || broker.broker.stats().clients_connected == 0).await;
    assert_eq!(broker.broker.stats().sessions, 1);
    let (wire, ack) = Wire::open(address, "c", Version::V5, expiring).await;
    assert!(ack.session_present, "it is there before");
    wire.leave().await;
    eventually("the session has ended", || broker.broker.stats().sessions == 0).await;
    let (mut wire, ack) = Wire::open(address, "c", Version::V5, expiring).await;
    assert!(!ack.session_present);
    assert_eq!(wire.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
}

#[tokio::test]
async fn mqtt5_4_1_0_1_and_mqtt311_4_1_0_2_a_session_does_not_end_under_its_connection() {
    let broker = gridmq_testkit::open(4).await;
    let (mut wire, _) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        lasting(connect);
        connect.properties.session_expiry_interval = Some(3);
    })
    .await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    drop(wire);
    eventually("the client is away", || broker.broker.stats().clients_connected == 0).await;
    // Resumed: the alarm that was set is for nothing.
    let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        lasting(connect);
        connect.properties.session_expiry_interval = Some(3);
    })
    .await;
    assert!(ack.session_present);
    tokio::time::sleep(Duration::from_millis(3300)).await;
    assert_eq!(wire.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&wire.take().await), "x");
}

#[tokio::test]
async fn a_session_without_expiry_ends_with_its_connection() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    // Clean start and no expiry are two things in MQTT 5.0.
    let (mut wire, _) = Wire::open(address, "c", Version::V5, |connect| connect.clean_start = false).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    drop(wire);
    eventually("the session has ended", || broker.broker.stats().sessions == 0).await;
    let (_wire, present) = Wire::resume(address, "c", Version::V5).await;
    assert!(!present);
    let (mut taken, _) = Wire::open(address, "d", Version::V5, |connect| connect.clean_start = false).await;
    for _ in 0..4 {
        let (new, ack) = Wire::open(address, "d", Version::V5, |connect| connect.clean_start = false).await;
        assert!(!ack.session_present, "also when it is taken over");
        assert_eq!(taken.expect_disconnect().await, ReasonCode::SessionTakenOver);
        taken = new;
    }
}

#[tokio::test]
async fn disconnect_may_change_the_expiry_but_not_raise_it_from_zero() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
    eventually("the session has ended", || broker.broker.stats().sessions == 0).await;
    let (mut wire, present) = Wire::resume(address, "c", Version::V5).await;
    assert!(!present);
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(1)).await;
    assert_eq!(broker.broker.stats().sessions, 1);
    eventually("the session has ended", || broker.broker.stats().sessions == 0).await;
    let mut wire = Wire::join(address, "d", Version::V5).await;
    let disconnect = gridmq_proto::packet::Disconnect {
        reason: ReasonCode::NORMAL_DISCONNECTION,
        properties: gridmq_proto::packet::DisconnectProperties {
            session_expiry_interval: Some(10),
            ..gridmq_proto::packet::DisconnectProperties::default()
        },
    };
    wire.send(gridmq_proto::Packet::Disconnect(disconnect)).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::ProtocolError);
}

#[tokio::test]
async fn mqtt5_3_1_3_2_and_mqtt311_3_1_3_2_sessions_are_told_apart_by_client_identifier() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    for name in ["c", "C", "c ", "\u{e9}", "e\u{301}"] {
        let (_, present) = Wire::resume(address, name, Version::V5).await;
        assert!(!present, "{name:?}");
    }
    for name in ["c", "C", "c ", "\u{e9}", "e\u{301}"] {
        let (_, present) = Wire::resume(address, name, Version::V3_1_1).await;
        assert!(present, "{name:?}");
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_loses_nothing_that_it_took() {
    let mut limits = Limits::default();
    limits.refused_publish_timeout = Duration::from_millis(100);
    let broker = OpenBroker::start(Broker::builder().workers(4).limits(limits)).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    wire.leave().await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let limit = gridmq_namespace::profile::SessionLimits::OPEN.offline_queue.messages as usize;
    for number in 0..limit {
        assert_eq!(publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(publisher.publish("t", "too many", qos).await, ReasonCode::QuotaExceeded);
    }
    assert_eq!(publisher.publish("t", "nobody waits for it", QoS::AtMostOnce).await, ReasonCode::Success);
    let mut old = Wire::join(address, "q", Version::V3_1_1).await;
    old.send_publish(message("t", "too many", QoS::AtLeastOnce)).await;
    old.expect_end(ReasonCode::QuotaExceeded).await;
    let (mut wire, present) = Wire::resume(address, "c", Version::V5).await;
    assert!(present);
    for number in 0..limit {
        assert_eq!(payload_of(&wire.take().await), number.to_string());
    }
    assert!(wire.ping_barrier().await.is_empty());
    assert_eq!(publisher.publish("t", "room again", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&wire.take().await), "room again");
}

#[tokio::test]
async fn mqtt5_3_3_2_5_and_mqtt5_3_3_2_6_a_message_that_waits_expires() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe("t", QoS::ExactlyOnce).await;
    wire.leave().await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for (payload, seconds, qos) in
        [("short", 1, QoS::AtLeastOnce), ("long", 100, QoS::ExactlyOnce), ("short", 1, QoS::ExactlyOnce)]
    {
        let mut publish = message("t", payload, qos);
        publish.properties.get_or_insert_default().message_expiry_interval = Some(seconds);
        assert_eq!(publisher.deliver(publish).await, ReasonCode::Success);
    }
    publisher.publish("t", "for ever", QoS::AtLeastOnce).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    let got = wire.take().await;
    assert_eq!(payload_of(&got), "long");
    let left = got.properties.unwrap().message_expiry_interval.unwrap();
    assert!((80..100).contains(&left), "{left}");
    let got = wire.take().await;
    assert_eq!(payload_of(&got), "for ever");
    assert!(got.properties.is_none_or(|properties| properties.message_expiry_interval.is_none()));
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_4_3_3_7_and_mqtt5_4_3_3_13_what_was_sent_is_completed_although_it_has_expired() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe("t", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let mut publish = message("t", "x", QoS::ExactlyOnce);
    publish.properties.get_or_insert_default().message_expiry_interval = Some(1);
    publisher.deliver(publish).await;
    let first = wire.recv_publish().await;
    drop(wire);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    let again = wire.take().await;
    assert_eq!((again.packet_id, again.dup), (first.packet_id, true));
    assert!(wire.ping_barrier().await.is_empty());
}
