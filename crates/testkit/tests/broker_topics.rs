//! Topic names and filters as subscriptions see them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::wire::{Barrier, Wire, payload_of, topic_of};

/// Publishes to every topic; the filter must get exactly `matching`, in order.
async fn check(filter: &str, matching: &[&str], others: &[&str]) {
    let broker = gridmq_testkit::open(4).await;
    let mut barrier = Barrier::new(broker.address(), 4).await;
    let mut subscriber = Wire::join(broker.address(), "s", Version::V3_1_1).await;
    subscriber.subscribe(filter, QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for topic in matching.iter().chain(others) {
        let reason = publisher.publish(topic, topic, QoS::AtLeastOnce).await;
        let expected = if matching.contains(topic) { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers };
        assert_eq!(reason, expected, "{topic} at {filter}");
    }
    for topic in matching {
        let got = subscriber.take().await;
        assert_eq!(topic_of(&got), *topic, "at {filter}");
        assert_eq!(payload_of(&got), *topic);
    }
    barrier.nothing_for(&mut subscriber).await;
}

#[tokio::test]
async fn mqtt5_4_7_1_1_and_mqtt311_4_7_1_2_multi_level_wildcard_matches_the_parent_and_everything_below() {
    let matching =
        ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/a/b", "sport/tennis/player1/"];
    check("sport/tennis/player1/#", &matching, &["sport/tennis", "sport/tennis/player10", "sport"]).await;
    check("#", &["a", "/", "/a", "a/b/c"], &["$a", "$a/b"]).await;
}

#[tokio::test]
async fn mqtt5_4_7_1_2_and_mqtt311_4_7_1_3_single_level_wildcard_matches_one_level() {
    check("sport/+/player1", &["sport/tennis/player1", "sport//player1"], &["sport/player1", "sport/a/b/player1"])
        .await;
    check("+/+", &["/finance", "a/", "a/b"], &["a", "a/b/c", "$a/b"]).await;
    check("/+", &["/finance", "/"], &["finance", "/a/b"]).await;
    check("+", &["finance"], &["/finance", "a/b", "$a"]).await;
    check("+/tennis/#", &["a/tennis", "a/tennis/b", "/tennis/c/d"], &["tennis", "a/b/tennis", "$a/tennis"]).await;
}

#[tokio::test]
async fn mqtt5_4_7_1_1_and_mqtt5_4_7_1_2_and_mqtt311_4_7_1_2_and_mqtt311_4_7_1_3_a_wildcard_is_a_whole_level() {
    let broker = gridmq_testkit::open(2).await;
    for version in [Version::V3_1_1, Version::V5] {
        for filter in ["a+", "+a", "a/b+", "+b/c", "a/+b/c", "++", "a#", "a/b#", "#/a", "a/#/b", "##", "+#"] {
            let mut body = vec![0, 1];
            body.extend(version.is_v5().then_some(0));
            body.extend([0, filter.len() as u8]);
            body.extend_from_slice(filter.as_bytes());
            let unsubscribe = [&[0xa2, body.len() as u8], &body[..]].concat();
            body.push(0);
            let subscribe = [&[0x82, body.len() as u8], &body[..]].concat();
            for packet in [subscribe, unsubscribe] {
                let mut wire = Wire::join(broker.address(), "c", version).await;
                wire.send_raw(&packet).await;
                wire.expect_end(ReasonCode::TopicFilterInvalid).await;
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_4_7_2_1_and_mqtt311_4_7_2_1_leading_wildcards_do_not_match_dollar_topics() {
    check("+/monitor", &["a/monitor"], &["$SYS/monitor", "$other/monitor"]).await;
    check("$SYS/#", &["$SYS", "$SYS/monitor/Clients"], &["SYS/monitor", "$SYSX"]).await;
    check("$SYS/monitor/+", &["$SYS/monitor/Clients"], &["$SYS/monitor"]).await;
}

#[tokio::test]
async fn mqtt5_4_7_3_4_topics_are_compared_byte_by_byte() {
    let composed = "caf\u{e9}";
    let others = ["cafe\u{301}", "CAF\u{c9}", " caf\u{e9}", "caf\u{e9} ", "caf\u{e9}/", "/caf\u{e9}", "cafe"];
    check(composed, &[composed], &others).await;
    check("a//b", &["a//b"], &["a/b", "a///b", "A//b"]).await;
    check("a b/\u{fffd}", &["a b/\u{fffd}"], &["a%20b/\u{fffd}", "ab/\u{fffd}"]).await;
}

#[tokio::test]
async fn mqtt5_3_3_2_3_and_mqtt311_3_3_2_3_what_is_delivered_has_the_topic_that_was_published() {
    check("+/#", &["a", "a/b", "a/b/c", "/", "//"], &["$a/b"]).await;
}

#[tokio::test]
async fn a_topic_of_the_greatest_length_is_routed() {
    let topic = format!("t/{}", "x".repeat(65_533));
    check("t/+", &[&topic], &[]).await;
}

#[tokio::test]
async fn a_filter_with_too_many_levels_is_refused_and_a_topic_with_as_many_matches() {
    let broker = gridmq_testkit::open(4).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let deep = "a/".repeat(5000);
    assert_eq!(wire.subscribe(&deep, QoS::AtMostOnce).await, ReasonCode::TopicFilterInvalid);
    assert_eq!(wire.subscribe("a/#", QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
    assert_eq!(wire.publish(&deep, "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(topic_of(&wire.take().await), deep);
}
