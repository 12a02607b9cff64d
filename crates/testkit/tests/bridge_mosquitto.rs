//! A bridge to mosquitto.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use bridge::{HERE, Site, bridge_with, emptied, mapping, subscribed};
use gridmq_client::{Client, Options};
use gridmq_proto::{QoS, Version};
use gridmq_testkit::peers::programs::Mosquitto;
use gridmq_testkit::wire::payload_of;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by cargo xtask test"]
async fn both_ways_in_both_versions_and_through_an_outage_of_the_bridge() {
    for version in [Version::V5, Version::V3_1_1] {
        let mosquitto = Mosquitto::new().start();
        let url = format!("mqtt://{}", mosquitto.address);
        let bridge = bridge_with(Options::new(&url)).version(version);
        let bridge = bridge.out(mapping("#", "up/", "site/")).inward(mapping("#", "down/", "commands/"));
        let site = Site::start(bridge.clone()).await;
        subscribed(&site.control(), HERE, 1).await;
        site.connected().await;
        let there = Client::builder(&url).client_id("there").connect().await.unwrap();
        let mut messages = there.subscribe("site/#", QoS::AtLeastOnce).await.unwrap();
        let (mut here, _) = gridmq_testkit::Wire::resume(site.broker.address(), "here", Version::V5).await;
        here.subscribe("down/#", QoS::AtLeastOnce).await;
        for number in 0..100 {
            here.publish("up/a", number.to_string(), QoS::AtLeastOnce).await;
        }
        for number in 0..100 {
            let arrived = messages.next().await.unwrap();
            assert_eq!((arrived.topic().as_str(), arrived.text()), ("site/a", Some(&*number.to_string())));
        }
        emptied(&site.control(), HERE).await;
        // The bridge's SUBSCRIBE has no echo that could be seen here: ask until the first comes.
        let mut came = false;
        while !came {
            there.publish("commands/first", "x").qos(QoS::AtLeastOnce).await.unwrap();
            came = here.next_within(std::time::Duration::from_millis(200)).await.is_some();
        }
        let Site { broker, bridge: running } = site;
        running.stop().await;
        for number in 0..50 {
            there.publish("commands/a", number.to_string()).qos(QoS::AtLeastOnce).await.unwrap();
        }
        let running = bridge.start(broker.broker.control()).await.unwrap();
        let mut next = 0;
        while next < 50 {
            let arrived = here.take().await;
            if arrived.topic.as_ref().is_some_and(|topic| topic.as_str() == "down/a") {
                assert_eq!(payload_of(&arrived), next.to_string());
                next += 1;
            }
        }
        running.stop().await;
    }
}
