//! Retained messages.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use gridmq_proto::packet::{Publish, RetainHandling, SubscribeOptions};
use gridmq_proto::{MessageProperties, QoS, ReasonCode, Version};
use gridmq_testkit::wire::{Barrier, Wire, eventually, message, payload_of, topic_of};

const AT_LEAST_ONCE: SubscribeOptions = SubscribeOptions {
    qos: QoS::AtLeastOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: RetainHandling::Send,
};

#[tokio::test]
async fn mqtt5_3_3_1_5_and_mqtt311_3_3_1_5_and_mqtt311_3_3_1_6_the_last_one_of_each_topic_is_kept_and_sent() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut barrier = Barrier::new(address, 4).await;
    let mut publisher = Wire::join(address, "p", Version::V3_1_1).await;
    for (topic, payload, qos) in [
        ("a/1", "old", QoS::AtMostOnce),
        ("a/1", "new", QoS::ExactlyOnce),
        ("a/2", "two", QoS::AtMostOnce),
        ("a/3", "three", QoS::AtLeastOnce),
        ("b/1", "other", QoS::AtLeastOnce),
        ("a", "parent", QoS::AtLeastOnce),
    ] {
        publisher.retain(topic, payload, qos).await;
    }
    publisher.ping_barrier().await;
    eventually("five messages are kept", || broker.broker.retained_messages() == 5).await;
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        for worker in 0..4 {
            let mut subscriber = Wire::join(address, &format!("s{worker}"), version).await;
            subscriber.subscribe("a/#", QoS::AtLeastOnce).await;
            let mut got = Vec::new();
            for _ in 0..4 {
                let publish = subscriber.take().await;
                assert!(publish.retain && !publish.dup);
                got.push((topic_of(&publish).to_owned(), payload_of(&publish), publish.qos));
            }
            got.sort();
            let expected = [
                ("a", "parent", QoS::AtLeastOnce),
                ("a/1", "new", QoS::AtLeastOnce),
                ("a/2", "two", QoS::AtMostOnce),
                ("a/3", "three", QoS::AtLeastOnce),
            ];
            assert_eq!(got, expected.map(|(topic, payload, qos)| (topic.to_owned(), payload.to_owned(), qos)));
            barrier.nothing_for(&mut subscriber).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_3_1_6_and_mqtt5_3_3_1_7_and_mqtt311_3_3_1_10_and_mqtt311_3_3_1_11_an_empty_payload_is_delivered_and_clears()
 {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut watching = Wire::join(address, "w", Version::V5).await;
    watching.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    assert_eq!(publisher.retain("t", "", QoS::AtLeastOnce).await, ReasonCode::Success);
    let got = watching.take().await;
    assert!(got.payload.is_empty() && !got.retain);
    assert_eq!(broker.broker.retained_messages(), 0, "an empty message is not kept");
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    watching.take().await;
    assert_eq!(broker.broker.retained_messages(), 1);
    publisher.retain("t", "", QoS::AtLeastOnce).await;
    assert!(watching.take().await.payload.is_empty());
    assert_eq!(broker.broker.retained_messages(), 0);
    let mut late = Wire::join(address, "l", Version::V3_1_1).await;
    late.subscribe("#", QoS::AtLeastOnce).await;
    assert!(late.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn defect_21_a_retained_message_that_differs_in_its_properties_alone_replaces_the_other() {
    let broker = gridmq_testkit::open(2).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for kind in ["text/plain", "application/json"] {
        let content_type = Some(kind.into());
        let properties = Some(Box::new(MessageProperties { content_type, ..MessageProperties::default() }));
        let publish = Publish { retain: true, properties, ..message("a", "same", QoS::AtLeastOnce) };
        assert!(!publisher.deliver(publish).await.is_failure());
    }
    let mut subscriber = Wire::join(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("a", QoS::AtMostOnce).await;
    let kept = subscriber.take().await;
    let content_type = kept.properties.as_ref().and_then(|properties| properties.content_type.as_deref());
    assert_eq!((&*payload_of(&kept), content_type), ("same", Some("application/json")));
}

#[tokio::test]
async fn mqtt5_3_3_1_8_and_mqtt311_3_3_1_12_a_message_without_retain_changes_nothing_that_is_kept() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    publisher.publish("t", "not kept", QoS::AtLeastOnce).await;
    assert_eq!(broker.broker.retained_messages(), 0);
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    publisher.publish("t", "not kept", QoS::AtLeastOnce).await;
    publisher.publish("t", "", QoS::AtLeastOnce).await;
    let mut late = Wire::join(broker.address(), "l", Version::V5).await;
    late.subscribe("t", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&late.take().await), "kept");
}

#[tokio::test]
async fn mqtt5_3_3_1_9_and_mqtt5_3_3_1_10_and_mqtt5_3_3_1_11_and_mqtt5_3_8_4_4_retain_handling_says_when_they_are_sent()
{
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    for (handling, at_first, again) in [
        (RetainHandling::Send, true, true),
        (RetainHandling::SendIfNew, true, false),
        (RetainHandling::DoNotSend, false, false),
    ] {
        let options = SubscribeOptions { retain_handling: handling, ..AT_LEAST_ONCE };
        for (expected, when) in [(at_first, "new"), (again, "existing")] {
            wire.subscribe_with(&[("t", options)], None).await;
            if expected {
                assert_eq!(payload_of(&wire.take().await), "kept", "{handling:?}, {when}");
            }
            assert!(wire.ping_barrier().await.is_empty(), "{handling:?}, {when}");
        }
        wire.unsubscribe(&["t"]).await;
    }
    // Several filters in one packet are as several packets.
    let if_new = SubscribeOptions { retain_handling: RetainHandling::SendIfNew, ..AT_LEAST_ONCE };
    wire.subscribe_with(&[("t", if_new), ("t", if_new)], None).await;
    assert_eq!(payload_of(&wire.take().await), "kept");
    assert!(wire.ping_barrier().await.is_empty());
    wire.unsubscribe(&["t"]).await;
    // An existing subscription whose options change is still an existing one.
    wire.subscribe("t", QoS::AtMostOnce).await;
    assert_eq!(wire.take().await.qos, QoS::AtMostOnce);
    wire.subscribe_with(
        &[("t", SubscribeOptions { retain_handling: RetainHandling::SendIfNew, ..AT_LEAST_ONCE })],
        None,
    )
    .await;
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn retain_handling_1_sends_again_in_a_new_session_and_not_in_a_resumed_one() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    let options = SubscribeOptions { retain_handling: RetainHandling::SendIfNew, ..AT_LEAST_ONCE };
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe_with(&[("t", options)], None).await;
    assert_eq!(payload_of(&wire.take().await), "kept");
    wire.leave().await;
    let (mut wire, present) = Wire::resume(address, "c", Version::V5).await;
    assert!(present);
    wire.subscribe_with(&[("t", options)], None).await;
    assert!(wire.ping_barrier().await.is_empty());
    wire.leave().await;
    let mut wire = Wire::join(address, "c", Version::V5).await;
    wire.subscribe_with(&[("t", options)], None).await;
    assert_eq!(payload_of(&wire.take().await), "kept");
}

#[tokio::test]
async fn mqtt311_3_8_4_3_subscribing_again_sends_retained_messages_again() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V3_1_1).await;
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V3_1_1).await;
    for qos in [QoS::AtLeastOnce, QoS::AtLeastOnce, QoS::AtMostOnce] {
        wire.subscribe("t", qos).await;
        let got = wire.take().await;
        assert_eq!((got.qos, got.retain), (qos, true));
        assert!(wire.ping_barrier().await.is_empty());
    }
    publisher.publish("t", "live", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&wire.take().await), "live", "and the subscription is one");
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_3_3_1_12_and_mqtt5_3_3_1_13_and_mqtt311_3_3_1_8_and_mqtt311_3_3_1_9_retain_as_published_keeps_the_flag()
{
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut keeping = Wire::join(address, "keeping", Version::V5).await;
    keeping.subscribe_with(&[("t", SubscribeOptions { retain_as_published: true, ..AT_LEAST_ONCE })], None).await;
    let mut plain = Wire::join(address, "plain", Version::V5).await;
    plain.subscribe_with(&[("t", AT_LEAST_ONCE)], None).await;
    let mut old = Wire::join(address, "old", Version::V3_1_1).await;
    old.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for retain in [true, false] {
        publisher.deliver(Publish { retain, ..message("t", "x", QoS::AtLeastOnce) }).await;
        assert_eq!(keeping.take().await.retain, retain);
        assert!(!plain.take().await.retain);
        assert!(!old.take().await.retain);
    }
    let mut late = Wire::join(address, "late", Version::V5).await;
    late.subscribe_with(&[("t", AT_LEAST_ONCE)], None).await;
    assert!(late.take().await.retain, "set for what a new subscription gets, whatever its options");
}

#[tokio::test]
async fn mqtt5_3_3_2_6_a_retained_message_comes_with_what_is_left_of_its_life_and_not_after() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for (topic, seconds) in [("t/short", 1), ("t/long", 1000)] {
        let mut publish = Publish { retain: true, ..message(topic, topic, QoS::AtLeastOnce) };
        publish.properties.get_or_insert_default().message_expiry_interval = Some(seconds);
        publisher.deliver(publish).await;
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut late = Wire::join(address, "l", Version::V5).await;
    late.subscribe("t/#", QoS::AtLeastOnce).await;
    let got = late.take().await;
    assert_eq!(topic_of(&got), "t/long");
    let left = got.properties.unwrap().message_expiry_interval.unwrap();
    assert!((900..1000).contains(&left), "{left}");
    assert!(late.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt311_3_1_2_7_retained_messages_survive_the_session_that_published_them() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V3_1_1).await;
    publisher.retain("t", "kept", QoS::AtLeastOnce).await;
    publisher.leave().await;
    let mut late = Wire::join(broker.address(), "l", Version::V3_1_1).await;
    late.subscribe("t", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&late.take().await), "kept");
}

#[tokio::test]
async fn many_retained_messages_come_to_a_client_with_a_small_window_each_once() {
    const TOPICS: usize = 3000;
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for number in 0..TOPICS {
        publisher
            .send_publish(Publish {
                retain: true,
                ..message(&format!("t/{}/{number}", number % 7), "x", QoS::AtMostOnce)
            })
            .await;
    }
    publisher.ping_barrier().await;
    eventually("all are kept", || broker.broker.retained_messages() == TOPICS).await;
    let (mut late, _) = Wire::open(broker.address(), "l", Version::V5, |connect| {
        connect.properties.receive_maximum = std::num::NonZeroU16::new(3);
    })
    .await;
    // At QoS 0 the messages need no window, at QoS 1 they wait for it.
    for filter in ["#", "t/+/+"] {
        late.subscribe(filter, QoS::AtLeastOnce).await;
        let mut topics = std::collections::BTreeSet::new();
        for _ in 0..TOPICS {
            let got = late.take().await;
            assert!(topics.insert(topic_of(&got).to_owned()), "{} came twice", topic_of(&got));
        }
        assert!(late.ping_barrier().await.is_empty());
    }
}

#[tokio::test]
async fn many_retained_messages_at_qos_1_overflow_nothing() {
    const TOPICS: usize = 1500;
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for number in 0..TOPICS {
        let publish = Publish { retain: true, ..message(&format!("t/{number}"), "x", QoS::AtLeastOnce) };
        publisher.send_publish(publish).await;
        if number % 100 == 99 {
            publisher.ping_barrier().await;
        }
    }
    publisher.ping_barrier().await;
    eventually("all are kept", || broker.broker.retained_messages() == TOPICS).await;
    let mut late = Wire::join(broker.address(), "l", Version::V3_1_1).await;
    late.subscribe("t/+", QoS::AtLeastOnce).await;
    let mut topics = std::collections::BTreeSet::new();
    for _ in 0..TOPICS {
        assert!(topics.insert(topic_of(&late.take().await).to_owned()));
    }
    assert!(late.ping_barrier().await.is_empty());
}

/// A SUBSCRIBE on one worker races a retained publish on another: whichever comes first, the message comes once.
#[tokio::test]
async fn a_subscription_that_races_a_retained_publish_gets_it_once() {
    const ROUNDS: usize = 400;
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let mut subscribers = Vec::new();
    for number in 0..3 {
        subscribers.push(Wire::join(address, &format!("s{number}"), Version::V5).await);
    }
    for round in 0..ROUNDS {
        let topic = format!("t/{round}");
        let filter = if round % 2 == 0 { topic.clone() } else { format!("+/{round}") };
        let publish = Publish { retain: true, ..message(&topic, round.to_string(), QoS::AtLeastOnce) };
        let publishing = async {
            // Both sides get to go first.
            if round % 3 == 0 {
                tokio::task::yield_now().await;
            }
            publisher.deliver(publish).await
        };
        let subscribing = async {
            let all = subscribers.iter_mut().map(|wire| wire.subscribe(&filter, QoS::AtLeastOnce));
            for one in all {
                one.await;
            }
        };
        tokio::join!(publishing, subscribing);
        for wire in &mut subscribers {
            assert_eq!(payload_of(&wire.take().await), round.to_string());
        }
        // The publish is acknowledged, so every session that it matched has it: a second one would be here.
        for wire in &mut subscribers {
            assert!(wire.ping_barrier().await.is_empty(), "round {round}");
            wire.send(gridmq_testkit::wire::unsubscribe(gridmq_proto::PacketId::MIN, &[&filter])).await;
            wire.recv().await;
        }
    }
}

#[tokio::test]
async fn more_retained_messages_than_the_limit_are_refused() {
    let mut limits = gridmq_broker::Limits::default();
    limits.retained_messages = 2;
    let builder = gridmq_broker::Broker::builder().workers(2).limits(limits);
    let broker = gridmq_testkit::OpenBroker::start(builder).await;
    let mut wire = Wire::join(broker.address(), "p", Version::V5).await;
    wire.subscribe("#", QoS::AtMostOnce).await;
    for topic in ["a", "b"] {
        assert_eq!(wire.retain(topic, "x", QoS::AtLeastOnce).await, ReasonCode::Success);
        wire.take().await;
    }
    assert_eq!(wire.retain("c", "x", QoS::AtLeastOnce).await, ReasonCode::QuotaExceeded);
    assert!(wire.ping_barrier().await.is_empty(), "it is not routed either");
    assert_eq!(wire.retain("a", "y", QoS::AtLeastOnce).await, ReasonCode::Success, "one that is there is replaced");
    assert_eq!(wire.retain("b", "", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(wire.retain("c", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
}
