//! What the broker's own packets look like: identifiers, flags, and what is sent again.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_broker::Broker;
use gridmq_proto::packet::{Ack, PacketType, Publish, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, message, payload_of, subscribe, unsubscribe};

const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

/// Bytes of a packet as they came: `length` of them at least.
async fn raw(wire: &mut Wire, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let more = wire.next_raw().await;
        assert!(!more.is_empty(), "the connection ended after {bytes:x?}");
        bytes.extend(more);
    }
    bytes
}

#[tokio::test]
async fn mqtt5_2_2_1_2_and_mqtt5_2_2_2_1_and_mqtt5_4_3_1_1_and_mqtt311_2_3_1_5_and_mqtt311_4_3_1_1_qos_0_has_no_identifier_and_no_dup()
 {
    let broker = gridmq_testkit::open(2).await;
    for version in BOTH {
        let mut reader = Wire::join(broker.address(), "reader", version).await;
        reader.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "publisher", Version::V5).await;
        publisher.publish("t", "x", QoS::AtMostOnce).await;
        // No properties are a length of zero on MQTT 5.0.
        let whole: &[u8] = if version.is_v5() { b"\x30\x05\0\x01t\0x" } else { b"\x30\x04\0\x01tx" };
        assert_eq!(raw(&mut reader, whole.len()).await, whole);
    }
}

#[tokio::test]
async fn mqtt5_4_3_2_2_and_mqtt5_4_3_3_2_and_mqtt311_4_3_2_1_a_first_publish_has_its_qos_an_identifier_and_no_dup() {
    let broker = gridmq_testkit::open(2).await;
    for version in BOTH {
        for (qos, first) in [(QoS::AtLeastOnce, 0x32u8), (QoS::ExactlyOnce, 0x34)] {
            let mut reader = Wire::join(broker.address(), "reader", version).await;
            reader.subscribe("t", qos).await;
            let mut publisher = Wire::join(broker.address(), "publisher", Version::V5).await;
            // Its own DUP and identifier are the publisher's.
            let publish = Publish { dup: true, packet_id: Some(id(77)), ..message("t", "x", qos) };
            publisher.send(publish).await;
            let got = raw(&mut reader, if version.is_v5() { 9 } else { 8 }).await;
            assert_eq!(got[0], first, "{got:x?}");
            assert_ne!(&got[5..7], [0, 0], "{got:x?}");
        }
    }
}

#[tokio::test]
async fn mqtt5_2_2_1_5_and_mqtt5_2_2_1_6_and_mqtt311_2_3_1_6_and_mqtt311_2_3_1_7_answers_have_the_identifier_of_what_they_answer()
 {
    let broker = gridmq_testkit::open(2).await;
    for version in BOTH {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        for number in [1, 2, 255, 256, 65_535, 300] {
            let plain = SubscribeOptions::default();
            wire.send(subscribe(id(number), &[("t", plain)], None)).await;
            match wire.recv().await {
                Packet::SubAck(ack) => assert_eq!(ack.packet_id, id(number)),
                other => panic!("{other:?}"),
            }
            wire.send(unsubscribe(id(number), &["t"])).await;
            match wire.recv().await {
                Packet::UnsubAck(ack) => assert_eq!(ack.packet_id, id(number)),
                other => panic!("{other:?}"),
            }
            wire.send(Publish { packet_id: Some(id(number)), ..message("t", "x", QoS::AtLeastOnce) }).await;
            assert!(matches!(wire.recv().await, Packet::PubAck(ack) if ack.packet_id == id(number)));
            wire.send(Publish { packet_id: Some(id(number)), ..message("t", "x", QoS::ExactlyOnce) }).await;
            assert!(matches!(wire.recv().await, Packet::PubRec(ack) if ack.packet_id == id(number)));
            wire.send(Packet::PubRel(Ack::new(id(number), ReasonCode::Success))).await;
            assert!(matches!(wire.recv().await, Packet::PubComp(ack) if ack.packet_id == id(number)));
        }
    }
}

#[tokio::test]
async fn mqtt5_2_2_1_4_and_mqtt5_4_3_2_1_and_mqtt5_4_3_3_1_and_mqtt311_2_3_1_4_an_identifier_in_use_is_not_given_again()
{
    const MESSAGES: usize = 66_000;
    let broker = gridmq_testkit::open(1).await;
    let mut reader = Wire::join(broker.address(), "reader", Version::V5).await;
    reader.subscribe("t", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(broker.address(), "publisher", Version::V5).await;
    // Two that stay unacknowledged, while the identifiers wrap.
    let mut kept = Vec::new();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        publisher.publish("t", "kept", qos).await;
        kept.push(reader.recv_publish().await.packet_id.unwrap());
    }
    assert_ne!(kept[0], kept[1]);
    let mut sent = 0u16;
    let mut wrapped = false;
    let mut last = kept[1];
    for _ in 0..MESSAGES / 50 {
        for _ in 0..50 {
            sent = sent % 1000 + 1;
            publisher.send(Publish { packet_id: Some(id(sent)), ..message("t", "x", QoS::AtLeastOnce) }).await;
        }
        for _ in 0..50 {
            let got = reader.recv_publish().await;
            let number = got.packet_id.unwrap();
            assert!(!kept.contains(&number), "{number:?} is in use");
            wrapped |= number < last;
            last = number;
            reader.acknowledge(&got).await;
            publisher.recv_where("PUBACK", |packet| matches!(packet, Packet::PubAck(_))).await;
        }
    }
    assert!(wrapped, "the identifiers did not come round");
}

#[tokio::test]
async fn mqtt5_4_3_2_3_and_mqtt5_4_3_3_3_and_mqtt5_4_3_3_5_what_is_not_answered_is_sent_again_in_order() {
    let broker = gridmq_testkit::open(2).await;
    for version in BOTH {
        let (mut reader, _) = Wire::resume(broker.address(), "reader", version).await;
        reader.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "publisher", Version::V5).await;
        for number in 0..10 {
            let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            assert_eq!(publisher.publish("t", number.to_string(), qos).await, ReasonCode::Success);
        }
        let mut first = Vec::new();
        for _ in 0..10 {
            first.push(reader.recv_publish().await);
        }
        // Messages 0 and 2 are finished, 1 is half: its PUBREL is on its way and not answered.
        reader.acknowledge(&first[0]).await;
        let release = first[1].packet_id.unwrap();
        reader.send(Packet::PubRec(Ack::new(release, ReasonCode::Success))).await;
        assert_eq!(reader.ack(PacketType::PubRel, release).await.packet_id, release);
        reader.acknowledge(&first[2]).await;
        reader.ping().await;
        drop(reader);
        let (mut reader, present) = Wire::resume(broker.address(), "reader", version).await;
        assert!(present);
        assert!(matches!(reader.recv().await, Packet::PubRel(ack) if ack.packet_id == release));
        for expected in &first[3..] {
            let again = reader.recv_publish().await;
            assert_eq!((again.packet_id, again.qos), (expected.packet_id, expected.qos));
            assert_eq!(payload_of(&again), payload_of(expected));
            assert!(again.dup, "sent again");
            reader.acknowledge(&again).await;
        }
        reader.send(Packet::PubComp(Ack::new(release, ReasonCode::Success))).await;
        reader.ping().await;
        drop(reader);
        let (mut reader, _) = Wire::resume(broker.address(), "reader", version).await;
        assert!(reader.ping_barrier().await.is_empty(), "all is answered");
        reader.unsubscribe(&["t"]).await;
        reader.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_4_3_3_9_after_a_pubrec_that_refuses_the_identifier_is_a_new_message() {
    let adjusted = Adjusted { forbidden: vec!["forbidden".to_owned()], ..Adjusted::default() };
    let broker = OpenBroker::start(Broker::builder().workers(1).rules(adjusted.rules())).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    wire.subscribe("allowed", QoS::ExactlyOnce).await;
    wire.send(Publish { packet_id: Some(id(9)), ..message("forbidden", "x", QoS::ExactlyOnce) }).await;
    assert_eq!(wire.ack(PacketType::PubRec, id(9)).await.reason, ReasonCode::NotAuthorized);
    wire.send(Publish { packet_id: Some(id(9)), ..message("allowed", "y", QoS::ExactlyOnce) }).await;
    assert_eq!(wire.ack(PacketType::PubRec, id(9)).await.reason, ReasonCode::Success);
    assert_eq!(payload_of(&wire.take().await), "y");
}

#[tokio::test]
async fn mqtt5_3_3_4_5_each_copy_has_the_identifier_of_its_subscription() {
    let broker = gridmq_testkit::open(2).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let options = SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() };
    wire.subscribe_with(&[("t", options)], Some(7)).await;
    wire.subscribe_with(&[("$share/g/t", options)], Some(8)).await;
    let mut publisher = Wire::join(broker.address(), "publisher", Version::V5).await;
    publisher.publish("t", "x", QoS::AtLeastOnce).await;
    let mut found = Vec::new();
    for _ in 0..2 {
        let got = wire.take().await;
        found.push(got.subscription_identifiers.iter().map(|number| u32::from(*number)).collect::<Vec<_>>());
    }
    found.sort();
    assert_eq!(found, [[7], [8]]);
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_3_9_3_2_and_mqtt5_3_11_3_2_and_mqtt311_3_9_3_2_each_filter_has_a_code_of_the_packet_in_the_order_of_the_filters()
 {
    let adjusted = Adjusted { forbidden: vec!["forbidden".to_owned()], ..Adjusted::default() };
    let broker = OpenBroker::start(Broker::builder().workers(1).rules(adjusted.rules())).await;
    let at = |qos| SubscribeOptions { qos, ..SubscribeOptions::default() };
    let filters = [
        ("a", at(QoS::AtMostOnce)),
        ("forbidden", at(QoS::AtMostOnce)),
        ("b", at(QoS::AtLeastOnce)),
        ("c", at(QoS::ExactlyOnce)),
    ];
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let reasons: Vec<u8> = wire.subscribe_with(&filters, None).await.iter().map(|reason| reason.as_u8()).collect();
    assert_eq!(reasons, [0x00, 0x87, 0x01, 0x02]);
    let reasons = wire.unsubscribe(&["never", "a", "forbidden", "c"]).await;
    assert_eq!(reasons.iter().map(|reason| reason.as_u8()).collect::<Vec<_>>(), [0x11, 0x00, 0x11, 0x00]);
    let mut old = Wire::join(broker.address(), "old", Version::V3_1_1).await;
    let reasons: Vec<u8> = old.subscribe_with(&filters, None).await.iter().map(|reason| reason.as_u8()).collect();
    assert_eq!(reasons, [0x00, 0x80, 0x01, 0x02]);
}

#[tokio::test]
async fn mqtt5_3_1_3_8_and_mqtt5_3_1_4_2_and_mqtt5_3_2_2_8_a_refused_client_is_told_a_code_of_connack_and_closed() {
    let refused = [ReasonCode::ClientIdentifierNotValid, ReasonCode::Banned, ReasonCode::ServerBusy];
    let name = |reason: ReasonCode| format!("no-{:x}", reason.as_u8());
    let refused_clients = refused.iter().map(|reason| (name(*reason), *reason)).collect();
    let adjusted = Adjusted { refused_clients, ..Adjusted::default() };
    let broker = OpenBroker::start(Broker::builder().workers(1).rules(adjusted.rules())).await;
    let mut witness = Wire::join(broker.address(), "witness", Version::V5).await;
    witness.subscribe("t", QoS::AtMostOnce).await;
    for reason in refused {
        let mut wire = Wire::connect(broker.address()).await;
        wire.send(gridmq_testkit::wire::connect(&name(reason), Version::V5)).await;
        wire.send(message("t", "behind", QoS::AtMostOnce)).await;
        let last = wire.expect_closed().await;
        match &last[..] {
            [Packet::ConnAck(ack)] => assert_eq!((ack.reason, ack.session_present), (reason, false)),
            other => panic!("{other:?}"),
        }
    }
    assert!(witness.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_3_2_2_13_a_retained_will_is_refused_where_nothing_is_retained() {
    let mut adjusted = Adjusted::default();
    adjusted.connection.retain_available = false;
    let broker = OpenBroker::start(Broker::builder().workers(1).rules(adjusted.rules())).await;
    let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        let message = gridmq_proto::Message::new("t".try_into().unwrap(), "gone".into());
        let will = gridmq_proto::packet::Will { message, qos: QoS::AtMostOnce, retain: true, delay_interval: 0 };
        connect.will = Some(Box::new(will));
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::RetainNotSupported);
    assert!(wire.expect_closed().await.is_empty());
    let (_wire, ack) = Wire::open(broker.address(), "c", Version::V5, |_| ()).await;
    assert_eq!((ack.reason, ack.properties.retain_available), (ReasonCode::Success, Some(false)));
}

#[tokio::test]
async fn mqtt5_3_2_2_1_connacks_flags_are_zero_but_for_the_session() {
    let broker = gridmq_testkit::open(1).await;
    for version in BOTH {
        for present in [0u8, 1] {
            let mut wire = Wire::connect(broker.address()).await;
            let mut packet = gridmq_testkit::wire::connect(&version.to_string(), version);
            gridmq_testkit::wire::lasting(&mut packet);
            wire.send(packet).await;
            let ack = raw(&mut wire, 4).await;
            assert_eq!((ack[0], ack[2], ack[3]), (0x20, present, 0), "{ack:x?}");
            drop(wire);
        }
    }
}

#[tokio::test]
async fn mqtt311_3_3_1_7_a_message_at_qos_0_replaces_what_was_retained() {
    let broker = gridmq_testkit::open(2).await;
    for version in BOTH {
        let mut publisher = Wire::join(broker.address(), "publisher", version).await;
        publisher.retain("t", "old", QoS::AtLeastOnce).await;
        publisher.retain("t", "new", QoS::AtMostOnce).await;
        publisher.ping().await;
        let mut reader = Wire::join(broker.address(), "reader", version).await;
        reader.subscribe("t", QoS::AtLeastOnce).await;
        let got = reader.take().await;
        assert_eq!((payload_of(&got), got.qos), ("new".to_owned(), QoS::AtMostOnce));
        assert!(reader.ping_barrier().await.is_empty());
    }
}

#[tokio::test]
async fn mqtt5_3_14_2_2_a_server_says_nothing_of_session_expiry_when_it_disconnects() {
    let broker = gridmq_testkit::open(2).await;
    let (mut old, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    let (_new, present) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert!(present);
    match old.recv().await {
        Packet::Disconnect(disconnect) => {
            assert_eq!(disconnect.reason, ReasonCode::SessionTakenOver);
            assert_eq!(disconnect.properties.session_expiry_interval, None);
        }
        other => panic!("{other:?}"),
    }
    assert!(old.expect_closed().await.is_empty());
}
