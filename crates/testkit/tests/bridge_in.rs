//! A bridge carries what is published in the other broker here.
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
use gridmq_broker::Broker;
use gridmq_proto::{MessageProperties, QoS, Version};
use gridmq_store::{Options, Store};
use gridmq_testkit::Gated;
use gridmq_testkit::wire::{Wire, message, payload_of};

#[tokio::test]
async fn what_is_published_there_arrives_here_at_every_qos() {
    for version in [Version::V5, Version::V3_1_1] {
        let remote = gridmq_testkit::open(2).await;
        let bridge = bridge_to(remote.address()).version(version).inward(mapping("commands/#", "", ""));
        let site = Site::start(bridge).await;
        let mut here = site.client("here").await;
        here.subscribe("#", QoS::ExactlyOnce).await;
        subscribed(&remote.broker.control(), THERE, 1).await;
        let mut there = Wire::join(remote.address(), "there", Version::V5).await;
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            there.publish("other", "not mapped", qos).await;
            assert!(!there.publish("commands/1", "x", qos).await.is_failure());
            let arrived = here.take().await;
            assert_eq!((arrived.topic.unwrap().as_str(), arrived.qos), ("commands/1", qos.min(QoS::AtLeastOnce)));
        }
        site.until("three are forwarded", |status| status.inward.forwarded == 3).await;
        emptied(&remote.broker.control(), THERE).await;
        site.stop().await;
    }
}

#[tokio::test]
async fn properties_come_along() {
    let remote = gridmq_testkit::open(1).await;
    let site = Site::start(bridge_to(remote.address()).inward(mapping("#", "", ""))).await;
    let mut here = site.client("here").await;
    here.subscribe("#", QoS::ExactlyOnce).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    let mut publish = message("a", "x", QoS::AtLeastOnce);
    let given = MessageProperties {
        content_type: Some("text/plain".into()),
        correlation_data: Some(b"7".as_slice().into()),
        user_properties: vec![("a".into(), "b".into())],
        ..MessageProperties::default()
    };
    publish.properties = Some(Box::new(given.clone()));
    Wire::join(remote.address(), "there", Version::V5).await.deliver(publish).await;
    assert_eq!(here.take().await.properties.as_deref(), Some(&given));
}

#[tokio::test]
async fn the_other_broker_keeps_it_until_it_is_durable_here() {
    let engine = Gated::new();
    let store = Store::open(engine.clone(), Options::default()).unwrap();
    let remote = gridmq_testkit::open(1).await;
    let bridge = bridge_to(remote.address()).inward(mapping("#", "", ""));
    let site = Site::with(Broker::builder().workers(1).store(store), bridge).await;
    let (mut here, _) = Wire::resume(site.broker.address(), "here", Version::V5).await;
    here.subscribe("#", QoS::AtLeastOnce).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    site.connected().await;
    engine.set(false);
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.publish("a", "x", QoS::AtLeastOnce).await;
    // QoS 1 is sent before it is durable; its acknowledgement waits.
    let arrived = here.recv_publish().await;
    assert_eq!(payload_of(&arrived), "x");
    here.ping().await;
    let waiting = remote.broker.control().session(THERE).await.unwrap();
    assert_eq!((waiting.info.queued_messages, site.bridge.status().inward.forwarded), (1, 0));
    engine.set(true);
    site.until("it is forwarded", |status| status.inward.forwarded == 1).await;
    emptied(&remote.broker.control(), THERE).await;
    assert!(site.control().session(HERE).await.is_some());
}

#[tokio::test]
async fn what_came_while_the_bridge_was_stopped_arrives_when_it_is_back() {
    let remote = gridmq_testkit::open(2).await;
    let bridge = bridge_to(remote.address()).inward(mapping("#", "", ""));
    let site = Site::start(bridge.clone()).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    let (mut here, _) = Wire::resume(site.broker.address(), "here", Version::V5).await;
    here.subscribe("#", QoS::ExactlyOnce).await;
    let Site { broker, bridge: running } = site;
    running.stop().await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    for number in 0..20 {
        there.publish("a", number.to_string(), QoS::AtLeastOnce).await;
    }
    let again = bridge.start(broker.broker.control()).await.unwrap();
    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(here.take_payloads(20).await, expected);
    again.stop().await;
}
