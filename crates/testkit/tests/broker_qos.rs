//! Delivery at QoS 0, 1 and 2: both directions, both versions, publisher and subscriber on different workers.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_broker::Broker;
use gridmq_proto::packet::{Ack, PacketType, Publish};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_store::{MemoryEngine, Options, Store};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Barrier, Wire, message, payload_of};

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn ack(number: u16) -> Ack {
    Ack::new(id(number), ReasonCode::Success)
}

#[tokio::test]
async fn mqtt5_3_8_4_8_and_mqtt5_4_8_2_3_and_mqtt311_3_8_4_6_the_lower_of_published_and_granted_qos_is_delivered() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    for of_publisher in VERSIONS {
        for of_subscriber in VERSIONS {
            let mut subscribers = Vec::new();
            for granted in LEVELS {
                let name = format!("s{granted:?}");
                let mut subscriber = Wire::join(address, &name, of_subscriber).await;
                let reason = subscriber.subscribe("t/+", granted).await;
                assert_eq!(reason, ReasonCode::granted(granted));
                subscribers.push((granted, subscriber));
            }
            let mut member = Wire::join(address, "member", Version::V5).await;
            assert_eq!(member.subscribe("$share/g/t/#", QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
            let mut publisher = Wire::join(address, "p", of_publisher).await;
            for published in LEVELS {
                let payload = format!("{published:?} from {of_publisher} to {of_subscriber}");
                assert_eq!(publisher.publish("t/a", &payload, published).await, ReasonCode::Success);
                for (granted, subscriber) in &mut subscribers {
                    let got = subscriber.take().await;
                    assert_eq!(got.qos, published.min(*granted), "{payload}");
                    assert_eq!(payload_of(&got), payload);
                    assert!(!got.dup && !got.retain);
                }
                assert_eq!(member.take().await.qos, published.min(QoS::AtLeastOnce));
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_3_3_4_1_and_mqtt5_4_3_2_4_and_mqtt311_3_3_4_1_and_mqtt311_4_3_2_2_puback_has_the_identifier_of_its_publish()
 {
    let broker = gridmq_testkit::open(4).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "p", version).await;
        for number in [1, 77, 65_535] {
            let publish = Publish { packet_id: Some(id(number)), ..message("t", "x", QoS::AtLeastOnce) };
            wire.send_publish(publish).await;
            match wire.recv().await {
                Packet::PubAck(ack) => assert_eq!(ack.packet_id, id(number)),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_4_3_2_5_after_puback_the_same_identifier_is_a_new_message() {
    let broker = gridmq_testkit::open(4).await;
    let mut subscriber = Wire::join(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V3_1_1).await;
    for (payload, dup) in [("one", false), ("two", true), ("three", true)] {
        publisher.deliver(Publish { packet_id: Some(id(9)), dup, ..message("t", payload, QoS::AtLeastOnce) }).await;
        let got = subscriber.take().await;
        assert_eq!(payload_of(&got), payload);
        assert!(!got.dup, "DUP is the publisher's own");
    }
}

#[tokio::test]
async fn mqtt5_3_3_1_3_and_mqtt311_3_3_1_3_dup_is_not_passed_on() {
    let broker = gridmq_testkit::open(4).await;
    let mut subscriber = Wire::join(broker.address(), "s", Version::V3_1_1).await;
    subscriber.subscribe("t", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        publisher.deliver(Publish { dup: true, ..message("t", "x", qos) }).await;
        assert!(!subscriber.take().await.dup);
    }
}

#[tokio::test]
async fn mqtt5_4_3_3_8_and_mqtt5_4_3_3_10_and_mqtt5_4_3_3_12_and_mqtt311_4_3_3_2_qos_2_is_delivered_once_until_it_is_released()
 {
    let broker = gridmq_testkit::open(4).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    for version in [Version::V3_1_1, Version::V5] {
        let mut subscriber = Wire::join(broker.address(), "s", version).await;
        subscriber.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "p", version).await;
        for attempt in 0..4 {
            let publish = Publish { packet_id: Some(id(5)), dup: attempt > 0, ..message("t", "x", QoS::ExactlyOnce) };
            publisher.send_publish(publish).await;
            assert_eq!(publisher.ack(PacketType::PubRec, id(5)).await.reason, ReasonCode::Success);
        }
        assert_eq!(payload_of(&subscriber.take().await), "x");
        barrier.nothing_for(&mut subscriber).await;
        publisher.send(Packet::PubRel(ack(5))).await;
        publisher.ack(PacketType::PubComp, id(5)).await;
        publisher.deliver(Publish { packet_id: Some(id(5)), ..message("t", "y", QoS::ExactlyOnce) }).await;
        assert_eq!(payload_of(&subscriber.take().await), "y");
    }
}

#[tokio::test]
async fn qos_2_is_delivered_once_across_a_lost_connection_of_its_publisher() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut barrier = Barrier::new(address, 4).await;
    for version in [Version::V3_1_1, Version::V5] {
        let mut subscriber = Wire::join(address, "s", version).await;
        subscriber.subscribe("t", QoS::ExactlyOnce).await;
        let (mut publisher, _) = Wire::resume(address, "p", version).await;
        let publish = Publish { packet_id: Some(id(3)), ..message("t", "x", QoS::ExactlyOnce) };
        publisher.send_publish(publish.clone()).await;
        publisher.ack(PacketType::PubRec, id(3)).await;
        drop(publisher);
        // Each new connection is on another worker.
        for _ in 0..5 {
            let (mut publisher, present) = Wire::resume(address, "p", version).await;
            assert!(present);
            publisher.send_publish(Publish { dup: true, ..publish.clone() }).await;
            publisher.ack(PacketType::PubRec, id(3)).await;
        }
        let (mut publisher, _) = Wire::resume(address, "p", version).await;
        publisher.send(Packet::PubRel(ack(3))).await;
        assert_eq!(publisher.ack(PacketType::PubComp, id(3)).await.reason, ReasonCode::Success);
        assert_eq!(payload_of(&subscriber.take().await), "x");
        barrier.nothing_for(&mut subscriber).await;
        Wire::join(address, "p", version).await.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_4_3_3_11_pubrel_of_an_unknown_identifier_is_answered() {
    let broker = gridmq_testkit::open(1).await;
    for (version, reason) in
        [(Version::V3_1_1, ReasonCode::Success), (Version::V5, ReasonCode::PacketIdentifierNotFound)]
    {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        wire.send(Packet::PubRel(ack(44))).await;
        assert_eq!(wire.ack(PacketType::PubComp, id(44)).await.reason, reason);
    }
}

#[tokio::test]
async fn mqtt5_4_3_3_4_and_mqtt5_4_3_3_6_and_mqtt5_4_4_0_1_and_mqtt311_4_3_3_1_and_mqtt311_4_4_0_1_after_pubrec_only_pubrel_is_sent_again()
 {
    let broker = gridmq_testkit::open(4).await;
    for version in [Version::V3_1_1, Version::V5] {
        let (mut subscriber, _) = Wire::resume(broker.address(), "s", version).await;
        subscriber.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "p", version).await;
        publisher.publish("t", "x", QoS::ExactlyOnce).await;
        let got = subscriber.recv_publish().await;
        let number = got.packet_id.unwrap();
        drop(subscriber);
        let (mut subscriber, present) = Wire::resume(broker.address(), "s", version).await;
        assert!(present);
        let again = subscriber.recv_publish().await;
        assert!(again.dup, "sent again with DUP");
        assert_eq!(again.packet_id, Some(number), "with its identifier");
        subscriber.send(Packet::PubRec(Ack::new(number, ReasonCode::Success))).await;
        subscriber.ack(PacketType::PubRel, number).await;
        drop(subscriber);
        let (mut subscriber, _) = Wire::resume(broker.address(), "s", version).await;
        match subscriber.recv().await {
            Packet::PubRel(ack) => assert_eq!(ack.packet_id, number),
            other => panic!("not PUBREL: {other:?}"),
        }
        subscriber.send(Packet::PubComp(Ack::new(number, ReasonCode::Success))).await;
        assert!(subscriber.ping_barrier().await.is_empty());
        drop(subscriber);
        let (mut subscriber, _) = Wire::resume(broker.address(), "s", version).await;
        assert!(subscriber.ping_barrier().await.is_empty(), "it is complete");
        Wire::join(broker.address(), "s", version).await.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_4_4_0_2_what_was_refused_by_pubrec_is_not_sent_again() {
    let broker = gridmq_testkit::open(4).await;
    let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::ExactlyOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    publisher.publish("t", "x", QoS::ExactlyOnce).await;
    publisher.publish("t", "y", QoS::AtLeastOnce).await;
    let first = subscriber.recv_publish().await.packet_id.unwrap();
    let second = subscriber.recv_publish().await.packet_id.unwrap();
    subscriber.send(Packet::PubRec(Ack::new(first, ReasonCode::ImplementationSpecificError))).await;
    subscriber.send(Packet::PubAck(Ack::new(second, ReasonCode::UnspecifiedError))).await;
    assert!(subscriber.ping_barrier().await.is_empty(), "no PUBREL follows a refusal");
    drop(subscriber);
    let (mut subscriber, present) = Wire::resume(broker.address(), "s", Version::V5).await;
    assert!(present);
    assert!(subscriber.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_4_6_0_5_and_mqtt5_4_6_0_6_and_mqtt311_4_6_0_5_and_mqtt311_4_6_0_6_order_is_kept_across_workers() {
    const MESSAGES: usize = 300;
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut subscribers = Vec::new();
    for number in 0..4 {
        let version = if number % 2 == 0 { Version::V5 } else { Version::V3_1_1 };
        let mut subscriber = Wire::join(address, &format!("s{number}"), version).await;
        subscriber.subscribe("t/#", QoS::ExactlyOnce).await;
        subscribers.push(subscriber);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (number, qos) in LEVELS.into_iter().enumerate() {
        let mut publisher = Wire::join(address, &format!("p{number}"), Version::V5).await;
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for message_number in 0..MESSAGES {
                let payload = format!("{message_number}");
                ids.extend(publisher.send_publish(message(&format!("t/{number}"), payload, qos)).await);
            }
            let acknowledged = if qos == QoS::AtLeastOnce { PacketType::PubAck } else { PacketType::PubRec };
            for id in ids {
                // Answers come in the order of receipt.
                let answer = publisher.recv().await;
                assert_eq!(answer.packet_type(), acknowledged);
                match answer {
                    Packet::PubAck(ack) => assert_eq!(ack.packet_id, id),
                    Packet::PubRec(ack) => assert_eq!(ack.packet_id, id),
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    for mut subscriber in subscribers {
        tasks.spawn(async move {
            let mut next = [0; LEVELS.len()];
            for _ in 0..LEVELS.len() * MESSAGES {
                let publish =
                    match subscriber.recv_where("PUBLISH", |packet| matches!(packet, Packet::Publish(_))).await {
                        Packet::Publish(publish) => publish,
                        other => panic!("{other:?}"),
                    };
                let number: usize = gridmq_testkit::wire::topic_of(&publish)[2..].parse().unwrap();
                assert_eq!(payload_of(&publish), next[number].to_string(), "at {:?}", publish.qos);
                next[number] += 1;
                subscriber.acknowledge(&publish).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn who_publishes_what_nobody_wants_is_told_so_on_mqtt_5() {
    let broker = gridmq_testkit::open(4).await;
    let mut wire = Wire::join(broker.address(), "p", Version::V5).await;
    assert_eq!(wire.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
    assert_eq!(wire.publish("t", "x", QoS::ExactlyOnce).await, ReasonCode::NoMatchingSubscribers);
    let mut old = Wire::join(broker.address(), "q", Version::V3_1_1).await;
    assert_eq!(old.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    old.subscribe("t", QoS::AtMostOnce).await;
    assert_eq!(wire.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
}

#[tokio::test]
async fn mqtt5_3_3_2_4_and_mqtt5_3_3_2_15_and_mqtt5_3_3_2_16_and_mqtt5_3_3_2_17_and_mqtt5_3_3_2_18_and_mqtt5_3_3_2_20_properties_travel_unaltered_and_in_order()
 {
    let broker = gridmq_testkit::open(4).await;
    let mut subscriber = Wire::join(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::AtLeastOnce).await;
    let mut old = Wire::join(broker.address(), "o", Version::V3_1_1).await;
    old.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let properties = gridmq_proto::MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: None,
        content_type: Some("text/plain".into()),
        response_topic: Some("answer/here".try_into().unwrap()),
        correlation_data: Some(bytes::Bytes::from_static(b"\0\xff")),
        user_properties: vec![
            ("k".into(), "2".into()),
            ("a".into(), "".into()),
            ("k".into(), "1".into()),
            ("k".into(), "2".into()),
        ],
    };
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let publish = Publish { properties: Some(Box::new(properties.clone())), ..message("t", "x", qos) };
        publisher.deliver(publish).await;
        let got = subscriber.take().await;
        assert_eq!(got.properties.as_deref(), Some(&properties));
        assert_eq!(payload_of(&old.take().await), "x");
    }
}

#[tokio::test]
async fn a_client_that_gets_its_own_messages_is_answered_whatever_the_store_does() {
    let in_time = || Store::open(MemoryEngine::new(), Options::default()).unwrap();
    for store in [Store::memory(), Store::immediate(MemoryEngine::new()), in_time()] {
        let broker = OpenBroker::start(Broker::builder().workers(1).store(store)).await;
        for version in VERSIONS {
            for (granted, published) in LEVELS.into_iter().flat_map(|granted| LEVELS.map(|level| (granted, level))) {
                let (mut alone, _) = Wire::resume(broker.address(), "alone", version).await;
                alone.subscribe("t", granted).await;
                assert_eq!(alone.publish("t", "mine", published).await, ReasonCode::Success);
                assert_eq!(payload_of(&alone.take().await), "mine");
                assert!(alone.ping_barrier().await.is_empty(), "{version}, {published:?} at {granted:?}");
                alone.leave().await;
            }
        }
    }
}
