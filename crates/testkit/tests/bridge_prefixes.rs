//! Topics are called something else on the other side.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use bridge::{HERE, Site, THERE, bridge_to, mapping, subscribed};
use gridmq_proto::{MessageProperties, QoS, TopicName, Version};
use gridmq_testkit::wire::{Wire, message};

#[tokio::test]
async fn prefixes_are_replaced_both_ways_and_the_first_mapping_counts() {
    let remote = gridmq_testkit::open(2).await;
    let bridge = bridge_to(remote.address())
        .out(mapping("+/alarm", "plant/", "alarms/"))
        .out(mapping("#", "plant/", "sites/berlin/"))
        .inward(mapping("#", "cloud/", "commands/berlin/"));
    let site = Site::start(bridge).await;
    subscribed(&site.control(), HERE, 2).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::AtLeastOnce).await;
    let mut here = site.client("here").await;
    here.subscribe("cloud/#", QoS::AtLeastOnce).await;
    for (topic, expected) in [("plant/7/alarm", "alarms/7/alarm"), ("plant/7/a/b", "sites/berlin/7/a/b")] {
        here.publish(topic, "x", QoS::AtLeastOnce).await;
        assert_eq!(there.take().await.topic.unwrap().as_str(), expected);
    }
    there.publish("commands/berlin/7/stop", "x", QoS::AtLeastOnce).await;
    assert_eq!(here.take().await.topic.unwrap().as_str(), "cloud/7/stop");
}

#[tokio::test]
async fn a_response_comes_back_to_where_it_is_awaited() {
    let remote = gridmq_testkit::open(2).await;
    let bridge = bridge_to(remote.address()).out(mapping("requests/#", "", "berlin/")).inward(mapping(
        "responses/#",
        "",
        "berlin/",
    ));
    let site = Site::start(bridge).await;
    subscribed(&site.control(), HERE, 1).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("berlin/requests/#", QoS::AtLeastOnce).await;
    let mut here = site.client("here").await;
    here.subscribe("responses/1", QoS::AtLeastOnce).await;
    let mut request = message("requests/1", "?", QoS::AtLeastOnce);
    let response_topic = Some(TopicName::try_from("responses/1").unwrap());
    request.properties = Some(Box::new(MessageProperties { response_topic, ..MessageProperties::default() }));
    here.deliver(request).await;
    let asked = there.take().await;
    let answer_to = asked.properties.unwrap().response_topic.unwrap();
    assert_eq!(answer_to.as_str(), "berlin/responses/1");
    there.publish(answer_to.as_str(), "!", QoS::AtLeastOnce).await;
    assert_eq!(here.take().await.topic.unwrap().as_str(), "responses/1");
}
