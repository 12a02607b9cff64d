//! Retained messages stay retained on the other side.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use bridge::{HERE, Site, THERE, bridge_to, emptied, mapping, subscribed};
use gridmq_proto::{QoS, Version};
use gridmq_testkit::wire::{Wire, payload_of};

#[tokio::test]
async fn what_was_and_is_retained_here_is_retained_there_and_goes_when_it_goes_here() {
    let remote = gridmq_testkit::open(2).await;
    let bridge = bridge_to(remote.address()).out(mapping("#", "", ""));
    let (client_id, queue) = bridge.session();
    let broker = gridmq_testkit::OpenBroker::start(gridmq_broker::Broker::builder().insider(client_id, queue)).await;
    let mut here = Wire::join(broker.address(), "here", Version::V5).await;
    here.retain("early", "1", QoS::AtLeastOnce).await;
    let bridge = bridge.start(broker.broker.control()).await.unwrap();
    subscribed(&broker.broker.control(), HERE, 1).await;
    here.retain("late", "2", QoS::AtLeastOnce).await;
    here.publish("passing", "3", QoS::AtLeastOnce).await;
    bridge.handle().until(|status| status.out.forwarded == 3).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::AtLeastOnce).await;
    let mut retained = [there.take().await, there.take().await].map(|publish| (payload_of(&publish), publish.retain));
    retained.sort();
    assert_eq!(retained, [("1".to_owned(), true), ("2".to_owned(), true)]);
    assert!(there.ping_barrier().await.is_empty());
    here.retain("early", "", QoS::AtLeastOnce).await;
    bridge.handle().until(|status| status.out.forwarded == 4).await;
    assert_eq!(remote.broker.retained_messages(), 1);
    bridge.stop().await;
}

#[tokio::test]
async fn a_bridge_that_comes_back_does_not_bring_what_is_retained_again() {
    let remote = gridmq_testkit::open(2).await;
    let bridge = bridge_to(remote.address()).out(mapping("out/#", "", "")).inward(mapping("in/#", "", ""));
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.retain("in/1", "x", QoS::AtLeastOnce).await;
    let site = Site::start(bridge.clone()).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    site.client("here").await.retain("out/1", "y", QoS::AtLeastOnce).await;
    site.until("both are carried", |status| status.out.forwarded == 1 && status.inward.forwarded == 1).await;
    assert_eq!(site.broker.broker.retained_messages(), 2);
    let Site { broker, bridge: running } = site;
    running.stop().await;
    let running = bridge.start(broker.broker.control()).await.unwrap();
    let mut here = Wire::join(broker.address(), "here", Version::V5).await;
    here.publish("out/2", "later", QoS::AtLeastOnce).await;
    there.publish("in/2", "later", QoS::AtLeastOnce).await;
    let handle = running.handle();
    handle.until(|status| status.out.forwarded >= 1 && status.inward.forwarded >= 1).await;
    emptied(&broker.broker.control(), HERE).await;
    emptied(&remote.broker.control(), THERE).await;
    let status = running.status();
    assert_eq!((status.out.forwarded, status.inward.forwarded), (1, 1), "nothing but what is new");
}

#[tokio::test]
async fn what_is_retained_there_is_retained_here() {
    let remote = gridmq_testkit::open(2).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.retain("early", "1", QoS::AtLeastOnce).await;
    let site = Site::start(bridge_to(remote.address()).inward(mapping("#", "", ""))).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    there.retain("late", "2", QoS::ExactlyOnce).await;
    there.publish("passing", "3", QoS::AtLeastOnce).await;
    site.until("three are forwarded", |status| status.inward.forwarded == 3).await;
    assert_eq!(site.broker.broker.retained_messages(), 2);
    there.retain("late", "", QoS::AtLeastOnce).await;
    site.until("one is gone", |status| status.inward.forwarded == 4).await;
    assert_eq!(site.broker.broker.retained_messages(), 1);
}
