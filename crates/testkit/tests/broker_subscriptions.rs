//! SUBSCRIBE and UNSUBSCRIBE.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_proto::packet::{Publish, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::wire::{Barrier, Wire, message, payload_of, subscribe, topic_of, unsubscribe};

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

fn at(qos: QoS) -> SubscribeOptions {
    SubscribeOptions { qos, ..SubscribeOptions::default() }
}

fn identifiers(publish: &Publish) -> Vec<u32> {
    let mut all: Vec<u32> = publish.subscription_identifiers.iter().map(|id| id.get()).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn mqtt5_3_8_4_1_and_mqtt5_3_8_4_2_and_mqtt311_3_8_4_1_and_mqtt311_3_8_4_2_suback_has_the_identifier_of_its_subscribe()
 {
    let broker = gridmq_testkit::open(2).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        for number in [1, 300, 65_535] {
            let id = PacketId::new(number).unwrap();
            wire.send(subscribe(id, &[("t", at(QoS::AtMostOnce))], None)).await;
            match wire.recv().await {
                Packet::SubAck(ack) => assert_eq!(ack.packet_id, id),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_3_8_4_5_and_mqtt5_3_8_4_6_and_mqtt5_3_8_4_7_and_mqtt5_3_9_3_1_and_mqtt311_3_9_3_1_and_mqtt311_3_8_4_4_and_mqtt311_3_8_4_5_every_filter_is_answered_in_order()
 {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let deep = "a/".repeat(3000);
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        let filters = [
            ("a", at(QoS::ExactlyOnce)),
            (deep.as_str(), at(QoS::AtMostOnce)),
            ("b", at(QoS::AtMostOnce)),
            ("c", at(QoS::AtLeastOnce)),
            // The same filter again: the later one holds.
            ("a", at(QoS::AtLeastOnce)),
        ];
        let refused = if version.is_v5() { ReasonCode::TopicFilterInvalid } else { ReasonCode::UnspecifiedError };
        let granted =
            [ReasonCode::GrantedQos2, refused, ReasonCode::Success, ReasonCode::GrantedQos1, ReasonCode::GrantedQos1];
        assert_eq!(wire.subscribe_with(&filters, None).await, granted);
        for (topic, qos) in [("a", QoS::AtLeastOnce), ("b", QoS::AtMostOnce), ("c", QoS::AtLeastOnce)] {
            publisher.publish(topic, "x", QoS::ExactlyOnce).await;
            let got = wire.take().await;
            assert_eq!((topic_of(&got), got.qos), (topic, qos));
        }
        wire.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_3_8_4_3_and_mqtt311_3_8_4_3_the_same_filter_replaces_the_subscription() {
    let broker = gridmq_testkit::open(4).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for (qos, identifier) in [(QoS::AtMostOnce, Some(1)), (QoS::ExactlyOnce, None), (QoS::AtLeastOnce, Some(3))] {
        wire.subscribe_with(&[("t", at(qos))], identifier).await;
        publisher.publish("t", "x", QoS::ExactlyOnce).await;
        let got = wire.take().await;
        assert_eq!((got.qos, identifiers(&got)), (qos, identifier.into_iter().collect()));
        assert!(wire.ping_barrier().await.is_empty(), "one subscription, one message");
    }
    wire.unsubscribe(&["t"]).await;
    assert_eq!(publisher.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
}

#[tokio::test]
async fn no_message_is_lost_while_a_subscription_is_replaced() {
    const MESSAGES: usize = 300;
    let broker = gridmq_testkit::open(4).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let publishing = tokio::spawn(async move {
        for number in 0..MESSAGES {
            publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await;
        }
    });
    let mut next = 0;
    while next < MESSAGES {
        let id = wire.packet_id();
        wire.send(subscribe(id, &[("t", at(QoS::AtLeastOnce))], None)).await;
        loop {
            match wire.recv().await {
                Packet::Publish(publish) => {
                    assert_eq!(payload_of(&publish), next.to_string());
                    next += 1;
                    wire.acknowledge(&publish).await;
                }
                Packet::SubAck(_) => break,
                other => panic!("{other:?}"),
            }
        }
    }
    publishing.await.unwrap();
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_3_3_4_2_and_mqtt5_3_3_4_3_and_mqtt5_3_3_4_4_and_mqtt311_3_3_5_1_overlapping_subscriptions_give_one_copy()
{
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut barrier = Barrier::new(address, 4).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let filters =
        [("#", QoS::AtMostOnce), ("t/+", QoS::ExactlyOnce), ("t/a", QoS::AtLeastOnce), ("+/a/#", QoS::AtMostOnce)];
    for version in VERSIONS {
        let mut wire = Wire::join(address, "c", version).await;
        for (number, (filter, qos)) in filters.into_iter().enumerate() {
            // "t/a" has none.
            let identifier = (version.is_v5() && number != 2).then_some(number as u32 + 1);
            wire.subscribe_with(&[(filter, at(qos))], identifier).await;
        }
        for published in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            publisher.publish("t/a", "x", published).await;
            let got = wire.take().await;
            assert_eq!(got.qos, published);
            assert_eq!(identifiers(&got), if version.is_v5() { vec![1, 2, 4] } else { vec![] });
        }
        barrier.nothing_for(&mut wire).await;
    }
}

#[tokio::test]
async fn retained_messages_come_with_the_identifier_of_the_subscription_that_asked() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    publisher.retain("t/a", "x", QoS::AtLeastOnce).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    wire.subscribe_with(&[("t/#", at(QoS::AtLeastOnce))], Some(268_435_455)).await;
    assert_eq!(identifiers(&wire.take().await), [268_435_455]);
    wire.subscribe_with(&[("+/a", at(QoS::AtLeastOnce))], Some(2)).await;
    assert_eq!(identifiers(&wire.take().await), [2]);
}

#[tokio::test]
async fn mqtt5_3_8_3_3_no_local_keeps_a_clients_own_messages_from_it() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let no_local = SubscribeOptions { qos: QoS::AtLeastOnce, no_local: true, ..SubscribeOptions::default() };
    let mut wire = Wire::join(address, "c", Version::V5).await;
    wire.subscribe_with(&[("t", no_local)], Some(7)).await;
    let mut other = Wire::join(address, "other", Version::V5).await;
    other.subscribe("t", QoS::AtLeastOnce).await;
    wire.publish("t", "mine", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&other.take().await), "mine");
    assert!(wire.ping_barrier().await.is_empty());
    other.publish("t", "theirs", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&wire.take().await), "theirs");
    // Another subscription of the same client without the option gets them.
    wire.subscribe_with(&[("+", at(QoS::AtLeastOnce))], Some(8)).await;
    wire.publish("t", "mine", QoS::AtLeastOnce).await;
    let got = wire.take().await;
    assert_eq!((payload_of(&got).as_str(), identifiers(&got)), ("mine", vec![8]));
}

#[tokio::test]
async fn mqtt5_3_10_4_1_and_mqtt311_3_10_4_1_filters_are_given_up_by_their_exact_text() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        for filter in ["a/b", "a/+", "A/b", "#"] {
            wire.subscribe(filter, QoS::AtLeastOnce).await;
        }
        let reasons = wire.unsubscribe(&["a/#", "a/+", "a", "#", "+/b"]).await;
        if version.is_v5() {
            let none = ReasonCode::NoSubscriptionExisted;
            assert_eq!(reasons, [none, ReasonCode::Success, none, ReasonCode::Success, none]);
        }
        publisher.publish("a/b", "x", QoS::AtLeastOnce).await;
        assert_eq!(payload_of(&wire.take().await), "x");
        wire.unsubscribe(&["a/b"]).await;
        assert_eq!(publisher.publish("a/b", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
        assert_eq!(publisher.publish("A/b", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
        wire.leave().await;
    }
}

#[tokio::test]
async fn mqtt5_3_10_4_4_and_mqtt5_3_10_4_5_and_mqtt5_3_10_4_6_and_mqtt5_3_11_3_1_and_mqtt311_3_10_4_4_and_mqtt311_3_10_4_5_and_mqtt311_3_10_4_6_every_unsubscribe_is_answered()
 {
    let broker = gridmq_testkit::open(2).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        wire.subscribe("a", QoS::AtMostOnce).await;
        for (number, filters) in [(5, &["b"][..]), (6, &["b", "a", "a"]), (7, &["a"])] {
            let id = PacketId::new(number).unwrap();
            wire.send(unsubscribe(id, filters)).await;
            match wire.recv().await {
                Packet::UnsubAck(ack) => {
                    assert_eq!(ack.packet_id, id);
                    assert_eq!(ack.reasons.len(), if version.is_v5() { filters.len() } else { 0 });
                    if version.is_v5() && number == 6 {
                        let none = ReasonCode::NoSubscriptionExisted;
                        assert_eq!(ack.reasons, [none, ReasonCode::Success, none], "as if one by one");
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_3_10_4_2_and_mqtt5_3_10_4_3_and_mqtt311_3_10_4_2_and_mqtt311_3_10_4_3_what_was_sent_is_completed_and_nothing_new_comes()
 {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for version in VERSIONS {
        let (mut wire, _) = Wire::resume(broker.address(), "c", version).await;
        wire.subscribe("t", QoS::ExactlyOnce).await;
        publisher.publish("t", "x", QoS::ExactlyOnce).await;
        let sent = wire.recv_publish().await;
        wire.unsubscribe(&["t"]).await;
        assert_eq!(publisher.publish("t", "y", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
        drop(wire);
        let (mut wire, _) = Wire::resume(broker.address(), "c", version).await;
        let again = wire.take().await;
        assert_eq!((again.packet_id, again.dup), (sent.packet_id, true));
        assert!(wire.ping_barrier().await.is_empty());
        Wire::join(broker.address(), "c", version).await.leave().await;
    }
}

#[tokio::test]
async fn many_requests_in_one_write_are_answered_in_order() {
    let broker = gridmq_testkit::open(4).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let mut bytes = bytes::BytesMut::new();
    for number in 1..=200 {
        let id = PacketId::new(number).unwrap();
        let packet = match number % 3 {
            0 => subscribe(id, &[("t", at(QoS::AtLeastOnce))], None),
            1 => Packet::Publish(Publish { packet_id: Some(id), ..message("nobody", "x", QoS::AtLeastOnce) }),
            _ => unsubscribe(id, &["t"]),
        };
        bytes.unsplit(gridmq_testkit::wire::encoded(&packet, Version::V5));
    }
    wire.send_raw(&bytes).await;
    for number in 1..=200 {
        let id = match wire.recv().await {
            Packet::SubAck(ack) => ack.packet_id,
            Packet::PubAck(ack) => ack.packet_id,
            Packet::UnsubAck(ack) => ack.packet_id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id.get(), number);
    }
}
