//! A bridge carries what is published here to the other broker.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use bridge::{HERE, Site, bridge_to, mapping, subscribed};
use gridmq_proto::{MessageProperties, QoS, ReasonCode, TopicName, Version};
use gridmq_testkit::peers::mqtt::Script;
use gridmq_testkit::peers::tls;
use gridmq_testkit::wire::{Wire, eventually, message, payload_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn what_is_published_here_arrives_there_at_every_qos() {
    let remote = gridmq_testkit::open(2).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::ExactlyOnce).await;
    let site = Site::start(bridge_to(remote.address()).out(mapping("plant/#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    site.connected().await;
    let mut here = site.client("here").await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert!(!here.publish("plant/1", "x", qos).await.is_failure());
        let arrived = there.take().await;
        assert_eq!(
            (arrived.topic.unwrap().as_str(), arrived.qos, arrived.retain),
            ("plant/1", qos.min(QoS::AtLeastOnce), false)
        );
        here.publish("other/1", "not mapped", qos).await;
    }
    assert_eq!(site.until("three are forwarded", |status| status.out.forwarded == 3).await.out.unmapped, 0);
    assert!(there.ping_barrier().await.is_empty());
    site.stop().await;
}

#[tokio::test]
async fn the_mapping_bounds_the_qos() {
    let remote = gridmq_testkit::open(1).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::ExactlyOnce).await;
    let at_most_0 = gridmq_bridge::Mapping::new("a", QoS::AtMostOnce, "", "").unwrap();
    let site = Site::start(bridge_to(remote.address()).out(at_most_0)).await;
    subscribed(&site.control(), HERE, 1).await;
    site.connected().await;
    site.client("here").await.publish("a", "x", QoS::ExactlyOnce).await;
    assert_eq!(there.take().await.qos, QoS::AtMostOnce);
}

#[tokio::test]
async fn properties_go_along() {
    let remote = gridmq_testkit::open(2).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::ExactlyOnce).await;
    let site = Site::start(bridge_to(remote.address()).out(mapping("#", "plant/", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    let mut publish = message("plant/1", "x", QoS::AtLeastOnce);
    let given = MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(3600),
        content_type: Some("text/plain".into()),
        response_topic: Some(TopicName::try_from("answers/1").unwrap()),
        correlation_data: Some(b"7".as_slice().into()),
        user_properties: vec![("a".into(), "b".into()), ("a".into(), "c".into())],
    };
    publish.properties = Some(Box::new(given.clone()));
    site.client("here").await.deliver(publish).await;
    let arrived = there.take().await;
    let mut properties = *arrived.properties.unwrap();
    let left = properties.message_expiry_interval.take().unwrap();
    assert!((1..=3600).contains(&left), "{left} s");
    assert_eq!(properties, MessageProperties { message_expiry_interval: None, ..given });
}

#[tokio::test]
async fn mqtt_3_1_1_gets_the_payload_without_properties() {
    let remote = gridmq_testkit::open(2).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::ExactlyOnce).await;
    let bridge = bridge_to(remote.address()).version(Version::V3_1_1).out(mapping("#", "plant/", ""));
    let site = Site::start(bridge).await;
    subscribed(&site.control(), HERE, 1).await;
    let mut publish = message("plant/1", "x", QoS::AtLeastOnce);
    let content_type = Some("text/plain".into());
    publish.properties = Some(Box::new(MessageProperties { content_type, ..MessageProperties::default() }));
    assert!(!site.client("here").await.deliver(publish).await.is_failure());
    let arrived = there.take().await;
    assert_eq!((payload_of(&arrived), arrived.properties), ("x".to_owned(), None));
}

#[tokio::test]
async fn it_stays_here_until_the_other_broker_has_acknowledged_it() {
    let received = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&received);
    let silent = Script::default().on_publish(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    });
    let site = Site::start(bridge_to(tls::plain(silent)).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    let mut here = site.client("here").await;
    assert_eq!(here.publish("a", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    eventually("the other broker has it", || received.load(Ordering::SeqCst) > 0).await;
    here.ping().await;
    let session = site.control().session(HERE).await.unwrap();
    assert_eq!((session.info.queued_messages, session.info.in_flight), (1, 1));
    assert_eq!(site.bridge.status().out.forwarded, 0);
}
