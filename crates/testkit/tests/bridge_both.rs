//! Both directions, also over the same topics.
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
async fn the_same_topics_both_ways_make_no_loop() {
    let remote = gridmq_testkit::open(2).await;
    let bridge = bridge_to(remote.address()).out(mapping("shared/#", "", "")).inward(mapping("shared/#", "", ""));
    let site = Site::start(bridge).await;
    subscribed(&site.control(), HERE, 1).await;
    subscribed(&remote.broker.control(), THERE, 1).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    let mut here = site.client("here").await;
    for wire in [&mut here, &mut there] {
        wire.subscribe("shared/#", QoS::ExactlyOnce).await;
    }
    for number in 0..10 {
        let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        here.send_publish(gridmq_testkit::wire::message("shared/here", format!("h{number}"), qos)).await;
        assert_eq!(payload_of(&there.take().await), format!("h{number}"));
        // Its own copy; what came back would be between this and the next.
        let own = here.recv_where("its own", |packet| matches!(packet, gridmq_proto::Packet::Publish(_))).await;
        let gridmq_proto::Packet::Publish(own) = own else { panic!("not a PUBLISH") };
        assert_eq!(payload_of(&own), format!("h{number}"));
        here.acknowledge(&own).await;
    }
    there.publish("shared/there", "t", QoS::AtLeastOnce).await;
    site.until("it came in", |status| status.inward.forwarded == 1).await;
    emptied(&site.control(), HERE).await;
    emptied(&remote.broker.control(), THERE).await;
    let status = site.bridge.status();
    assert_eq!((status.out.forwarded, status.inward.forwarded), (10, 1), "nothing went round");
}

#[tokio::test]
async fn two_bridges_of_one_broker_pass_on_what_each_brings() {
    let (one, two) = (gridmq_testkit::open(1).await, gridmq_testkit::open(1).await);
    let first = bridge_to(one.address()).inward(mapping("#", "", ""));
    let second =
        gridmq_bridge::Bridge::new("second", gridmq_client::Options::new(&format!("mqtt://{}", two.address())));
    let second = second.out(mapping("#", "", "onward/"));
    let (client_id, queue) = second.session();
    let site = Site::with(gridmq_broker::Broker::builder().insider(client_id, queue), first).await;
    let onward = second.start(site.control()).await.unwrap();
    subscribed(&site.control(), "$bridge/second", 1).await;
    subscribed(&one.broker.control(), THERE, 1).await;
    let mut there = Wire::join(two.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::AtLeastOnce).await;
    Wire::join(one.address(), "p", Version::V5).await.publish("a", "x", QoS::AtLeastOnce).await;
    assert_eq!(there.take().await.topic.unwrap().as_str(), "onward/a");
    onward.stop().await;
}
