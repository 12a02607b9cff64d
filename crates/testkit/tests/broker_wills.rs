//! Wills: when they are published, and when not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::packet::{Connect, Will};
use gridmq_proto::{Message, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Barrier, Wire, eventually, lasting, payload_of, topic_of};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

fn will(qos: QoS, retain: bool, delay_interval: u32) -> Option<Box<Will>> {
    let message = Message::new("will".try_into().unwrap(), Bytes::from_static(b"gone"));
    Some(Box::new(Will { message, qos, retain, delay_interval }))
}

/// A client that left a will, on a connection and in a session that `adjust` may change.
async fn testator(broker: &OpenBroker, version: Version, adjust: impl FnOnce(&mut Connect)) -> Wire {
    let (wire, ack) = Wire::open(broker.address(), "testator", version, |connect| {
        connect.will = will(QoS::AtLeastOnce, false, 0);
        adjust(connect);
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire
}

async fn heir(broker: &OpenBroker) -> Wire {
    let mut wire = Wire::join(broker.address(), "heir", Version::V5).await;
    wire.subscribe("will", QoS::ExactlyOnce).await;
    wire
}

async fn nobody_but(broker: &OpenBroker, connected: u64) {
    eventually("the others are gone", || broker.broker.stats().clients_connected == connected).await;
}

#[tokio::test]
async fn mqtt5_3_1_2_7_and_mqtt5_3_1_2_8_and_mqtt311_3_1_2_8_a_lost_connection_publishes_the_will() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let wire = testator(&broker, version, |connect| connect.will = will(qos, false, 0)).await;
            drop(wire);
            let got = heir.take().await;
            assert_eq!((topic_of(&got), payload_of(&got).as_str(), got.qos), ("will", "gone", qos));
            assert!(!got.retain);
        }
    }
}

#[tokio::test]
async fn mqtt5_3_14_4_3_and_mqtt5_3_1_2_10_and_mqtt311_3_1_2_10_and_mqtt311_3_14_4_3_disconnect_deletes_the_will() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    for version in VERSIONS {
        testator(&broker, version, |_| ()).await.leave().await;
        nobody_but(&broker, 5).await;
        barrier.nothing_for(&mut heir).await;
    }
}

#[tokio::test]
async fn disconnect_with_another_reason_publishes_the_will() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    for reason in [ReasonCode::DisconnectWithWillMessage, ReasonCode::UnspecifiedError] {
        testator(&broker, Version::V5, |_| ()).await.leave_with(reason, None).await;
        assert_eq!(payload_of(&heir.take().await), "gone");
    }
}

#[tokio::test]
async fn mqtt311_3_1_2_12_a_client_without_a_will_leaves_none() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    drop(testator(&broker, Version::V3_1_1, |connect| connect.will = None).await);
    nobody_but(&broker, 5).await;
    barrier.nothing_for(&mut heir).await;
}

#[tokio::test]
async fn the_will_is_published_once() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    // The session outlives the connection; its end must not publish the will again.
    drop(testator(&broker, Version::V5, lasting).await);
    heir.take().await;
    let (wire, present) = Wire::resume(broker.address(), "testator", Version::V5).await;
    assert!(present);
    drop(wire);
    nobody_but(&broker, 5).await;
    Wire::join(broker.address(), "testator", Version::V5).await.leave().await;
    barrier.nothing_for(&mut heir).await;
}

#[tokio::test]
async fn a_protocol_violation_publishes_the_will() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    for version in VERSIONS {
        let mut wire = testator(&broker, version, |_| ()).await;
        wire.send_raw(b"\xf8\x00").await;
        wire.expect_closed().await;
        assert_eq!(payload_of(&heir.take().await), "gone");
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_22_and_mqtt311_3_1_2_24_silence_ends_the_connection_and_publishes_the_will() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let mut silent = Vec::new();
    for version in [Version::V3_1_1, Version::V5] {
        let name = format!("silent-{version}");
        let (wire, _) = Wire::open(broker.address(), &name, version, |connect| {
            connect.keep_alive = 1;
            connect.will = will(QoS::AtLeastOnce, false, 0);
        })
        .await;
        silent.push(wire);
    }
    let begun = std::time::Instant::now();
    for mut wire in silent {
        wire.expect_end(ReasonCode::KeepAliveTimeout).await;
        assert_eq!(payload_of(&heir.take().await), "gone");
    }
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(1400), "{waited:?}");
}

#[tokio::test]
async fn mqtt5_3_1_2_14_and_mqtt5_3_1_2_15_and_mqtt311_3_1_2_16_and_mqtt311_3_1_2_17_a_will_is_retained_as_it_says() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    for version in VERSIONS {
        drop(testator(&broker, version, |connect| connect.will = will(QoS::AtLeastOnce, false, 0)).await);
        heir.take().await;
        assert_eq!(broker.broker.retained_messages(), 0);
        drop(testator(&broker, version, |connect| connect.will = will(QoS::AtLeastOnce, true, 0)).await);
        heir.take().await;
        let mut late = Wire::join(broker.address(), "late", Version::V5).await;
        late.subscribe("will", QoS::AtLeastOnce).await;
        assert!(late.take().await.retain);
        late.retain("will", "", QoS::AtLeastOnce).await;
        heir.take().await;
    }
}

#[tokio::test]
async fn mqtt5_3_1_3_10_the_properties_of_a_will_are_published_in_order() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let properties = gridmq_proto::MessageProperties {
        payload_format_indicator: Some(true),
        content_type: Some("text/plain".into()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user_properties: vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "0".into())],
        ..gridmq_proto::MessageProperties::default()
    };
    let wanted = properties.clone();
    let wire = testator(&broker, Version::V5, |connect| {
        let mut will = will(QoS::AtLeastOnce, false, 0).unwrap();
        will.message.properties = Some(Box::new(properties));
        connect.will = Some(will);
    })
    .await;
    drop(wire);
    assert_eq!(heir.take().await.properties.as_deref(), Some(&wanted));
}

#[tokio::test]
async fn a_delayed_will_waits() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    let wire = testator(&broker, Version::V5, |connect| {
        lasting(connect);
        connect.will = will(QoS::AtLeastOnce, false, 1);
    })
    .await;
    let begun = std::time::Instant::now();
    drop(wire);
    nobody_but(&broker, 5).await;
    let early = barrier.pass(&mut heir).await;
    if begun.elapsed() < Duration::from_millis(900) {
        assert!(early.is_empty(), "{early:?}");
    }
    if early.is_empty() {
        assert_eq!(payload_of(&heir.take().await), "gone");
    }
    assert!(begun.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn a_delayed_will_is_published_when_its_session_ends_first() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let late = |expiry| {
        move |connect: &mut Connect| {
            connect.properties.session_expiry_interval = Some(expiry);
            connect.will = will(QoS::AtLeastOnce, false, 1000);
        }
    };
    for expiry in [0, 1] {
        drop(testator(&broker, Version::V5, late(expiry)).await);
        assert_eq!(payload_of(&heir.take().await), "gone", "expiry {expiry}");
    }
    // A clean start ends it too, on any worker.
    for _ in 0..4 {
        drop(testator(&broker, Version::V5, late(3600)).await);
        nobody_but(&broker, 1).await;
        Wire::join(broker.address(), "testator", Version::V5).await.leave().await;
        assert_eq!(payload_of(&heir.take().await), "gone");
    }
}

#[tokio::test]
async fn mqtt5_3_1_3_9_a_client_that_returns_in_time_keeps_its_will_unpublished() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    let mut kept = Vec::new();
    for number in 0..4 {
        let name = format!("returning-{number}");
        let (wire, _) = Wire::open(broker.address(), &name, Version::V5, |connect| {
            lasting(connect);
            connect.will = will(QoS::AtLeastOnce, false, 3);
        })
        .await;
        if number % 2 == 0 {
            drop(wire);
            nobody_but(&broker, 5 + kept.len() as u64).await;
        }
        // Odd ones are taken over while they are connected.
        let (wire, present) = Wire::resume(broker.address(), &name, Version::V5).await;
        assert!(present);
        kept.push(wire);
    }
    // The delays are over then, so a will that was not cancelled would have been published.
    tokio::time::sleep(Duration::from_millis(3300)).await;
    barrier.nothing_for(&mut heir).await;
}

#[tokio::test]
async fn a_will_is_published_when_its_connection_is_taken_over() {
    let broker = gridmq_testkit::open(4).await;
    let mut heir = heir(&broker).await;
    for version in VERSIONS {
        let mut old = testator(&broker, version, |connect| connect.clean_start = false).await;
        // On each worker once.
        for _ in 0..4 {
            let mut new = testator(&broker, version, |connect| connect.clean_start = false).await;
            old.expect_end(ReasonCode::SessionTakenOver).await;
            assert_eq!(payload_of(&heir.take().await), "gone", "{version}");
            new.ping_barrier().await;
            old = new;
        }
        old.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_4_5_0_1_a_client_that_takes_its_own_session_over_gets_the_will_that_it_subscribed_to() {
    let broker = gridmq_testkit::open(4).await;
    for version in [Version::V3_1_1, Version::V5] {
        let mut old = testator(&broker, version, lasting).await;
        old.subscribe("will", QoS::AtLeastOnce).await;
        for _ in 0..5 {
            let mut new = testator(&broker, version, lasting).await;
            assert_eq!(payload_of(&new.take().await), "gone", "{version}");
            old = new;
        }
        old.leave().await;
        Wire::join(broker.address(), "testator", version).await.leave().await;
    }
}

#[tokio::test]
async fn a_will_is_kept_for_a_subscriber_that_is_away_also_for_the_testator() {
    let broker = gridmq_testkit::open(4).await;
    let mut wire = testator(&broker, Version::V5, lasting).await;
    wire.subscribe("will", QoS::AtLeastOnce).await;
    drop(wire);
    nobody_but(&broker, 0).await;
    let (mut wire, present) = Wire::resume(broker.address(), "testator", Version::V5).await;
    assert!(present);
    assert_eq!(payload_of(&wire.take().await), "gone");
}

#[tokio::test]
async fn shutting_down_does_not_hang_on_wills() {
    let broker = gridmq_testkit::open(4).await;
    let mut wires = Vec::new();
    for number in 0..8 {
        let (wire, _) = Wire::open(broker.address(), &number.to_string(), Version::V5, |connect| {
            lasting(connect);
            connect.will = will(QoS::AtLeastOnce, false, number % 2 * 1000);
        })
        .await;
        wires.push(wire);
    }
    let shutdown = tokio::spawn(broker.broker.shutdown());
    for wire in &mut wires {
        wire.expect_end(ReasonCode::ServerShuttingDown).await;
    }
    drop(wires);
    tokio::time::timeout(Duration::from_secs(10), shutdown).await.unwrap().unwrap();
}
