//! The other broker goes away and comes back.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use std::collections::BTreeSet;

use bridge::{HERE, Site, THERE, again, bridge_to, emptied, lasting_client, mapping, subscribed};
use gridmq_broker::Broker;
use gridmq_namespace::profile::Overflow;
use gridmq_proto::{QoS, ReasonCode, TopicName, Version};
use gridmq_store::{Options, Store};
use gridmq_testkit::wire::{Wire, payload_of};
use gridmq_testkit::{Gated, OpenBroker};

fn stored(engine: &Gated) -> gridmq_broker::Builder {
    Broker::builder().workers(2).store(Store::open(engine.clone(), Options::default()).unwrap())
}

#[tokio::test]
async fn what_is_published_meanwhile_is_acknowledged_and_arrives_once_it_is_back() {
    let engine = Gated::new();
    let remote = OpenBroker::start(stored(&engine)).await;
    let address = remote.address();
    let mut there = lasting_client(address, "there").await;
    there.subscribe("#", QoS::ExactlyOnce).await;
    let site = Site::start(bridge_to(address).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    site.connected().await;
    let mut here = site.client("here").await;
    here.publish("a", "before", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&there.take().await), "before");
    there.ping().await;
    emptied(&site.control(), HERE).await;
    remote.broker.shutdown().await;
    site.until("it is gone", |status| !status.connected && status.failures > 0).await;
    for number in 0..300 {
        for (topic, qos) in [("one", QoS::AtLeastOnce), ("two", QoS::ExactlyOnce)] {
            assert_eq!(here.publish(topic, number.to_string(), qos).await, ReasonCode::Success);
        }
    }
    assert_eq!(here.publish("zero", "x", QoS::AtMostOnce).await, ReasonCode::Success);
    let remote = again(stored(&engine), address).await;
    let mut there = lasting_client(address, "there").await;
    let mut left: BTreeSet<_> = (0..300).flat_map(|number| ["one", "two"].map(|topic| (topic, number))).collect();
    while !left.is_empty() {
        let arrived = there.take().await;
        let number: i32 = payload_of(&arrived).parse().unwrap_or(-1);
        match arrived.topic.as_ref().unwrap().as_str() {
            "one" => drop(left.remove(&("one", number))),
            "two" => drop(left.remove(&("two", number))),
            other => assert_eq!(other, "zero", "QoS 0 may be lost, or come"),
        }
    }
    emptied(&site.control(), HERE).await;
    assert_eq!(site.bridge.status().out.retried, 0);
    site.stop().await;
    remote.broker.shutdown().await;
}

#[tokio::test]
async fn what_the_other_broker_keeps_arrives_once_the_bridge_is_back() {
    let engine = Gated::new();
    let remote = OpenBroker::start(stored(&engine)).await;
    let address = remote.address();
    let site = Site::start(bridge_to(address).inward(mapping("#", "", ""))).await;
    let mut here = site.client("here").await;
    here.subscribe("#", QoS::ExactlyOnce).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    remote.broker.shutdown().await;
    site.until("it is gone", |status| !status.connected && status.failures > 0).await;
    let remote = again(stored(&engine), address).await;
    let mut there = Wire::join(address, "p", Version::V5).await;
    for number in 0..50 {
        assert_eq!(there.publish("a", number.to_string(), QoS::ExactlyOnce).await, ReasonCode::Success);
    }
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(here.take_payloads(50).await, expected);
    emptied(&remote.broker.control(), THERE).await;
    assert!(here.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn beyond_its_queue_publishers_are_refused_and_nothing_acknowledged_is_lost() {
    let engine = Gated::new();
    let remote = OpenBroker::start(stored(&engine)).await;
    let address = remote.address();
    lasting_client(address, "there").await.subscribe("#", QoS::AtLeastOnce).await;
    let bridge = bridge_to(address).out(mapping("a", "", "")).queue(5, 1 << 20, Overflow::Refuse);
    let site = Site::start(bridge).await;
    subscribed(&site.control(), HERE, 1).await;
    site.connected().await;
    remote.broker.shutdown().await;
    site.until("it is gone", |status| !status.connected && status.failures > 0).await;
    let mut here = site.client("here").await;
    // What is on its way does not wait.
    let room = 100 + 5;
    for number in 0..room {
        assert_eq!(here.publish("a", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success, "{number}");
    }
    assert_eq!(here.publish("a", "one too many", QoS::AtLeastOnce).await, ReasonCode::QuotaExceeded);
    assert_eq!(here.publish("other", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
    let _remote = again(stored(&engine), address).await;
    let mut there = lasting_client(address, "there").await;
    let expected: Vec<_> = (0..room).map(|number| number.to_string()).collect();
    assert_eq!(there.take_payloads(room).await, expected);
    emptied(&site.control(), HERE).await;
    assert_eq!(here.publish("a", "again", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&there.take().await), "again");
}

#[tokio::test]
async fn its_end_is_chosen_where_publishers_must_not_be_refused() {
    let remote = gridmq_testkit::open(1).await;
    let bridge = bridge_to(remote.address()).out(mapping("a", "", "")).queue(2, 1 << 20, Overflow::EndSession);
    let site = Site::start(bridge).await;
    subscribed(&site.control(), HERE, 1).await;
    remote.broker.shutdown().await;
    site.until("it is gone", |status| !status.connected && status.failures > 0).await;
    let mut here = site.client("here").await;
    for number in 0..110 {
        let reason = here.publish("a", number.to_string(), QoS::AtLeastOnce).await;
        assert!(!reason.is_failure(), "{number}: {reason}");
    }
    assert!(site.broker.broker.stats().sessions_overflowed >= 1);
    // It comes back with a new session, and goes on.
    subscribed(&site.control(), HERE, 1).await;
}

#[tokio::test]
async fn a_topic_tells_whether_it_is_connected() {
    let remote = gridmq_testkit::open(1).await;
    let status = TopicName::try_from("status/bridge").unwrap();
    let site = Site::start(bridge_to(remote.address()).out(mapping("a", "", "")).status_topic(status)).await;
    let mut here = site.client("here").await;
    site.connected().await;
    here.subscribe("status/#", QoS::AtLeastOnce).await;
    let mut said = here.take().await;
    while payload_of(&said) != "1" {
        said = here.take().await;
    }
    remote.broker.shutdown().await;
    assert_eq!(payload_of(&here.take().await), "0");
    let mut late = site.client("late").await;
    late.subscribe("status/#", QoS::AtLeastOnce).await;
    let retained = late.take().await;
    assert_eq!((payload_of(&retained).as_str(), retained.retain), ("0", true));
}
