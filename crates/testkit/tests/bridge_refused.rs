//! A bridge that is refused, or finds something else there.
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
use gridmq_broker::Broker;
use gridmq_client::Options;
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::peers::closed_port;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, payload_of};

#[tokio::test]
async fn it_tries_again_until_it_is_let_in_and_this_broker_goes_on_meanwhile() {
    for version in [Version::V5, Version::V3_1_1] {
        let refused_clients = vec![(bridge::THERE.to_owned(), ReasonCode::BadUserNameOrPassword)];
        let rules = Adjusted { refused_clients, ..Adjusted::default() };
        let remote = OpenBroker::start(Broker::builder().rules(rules.rules())).await;
        let mut there = Wire::join(remote.address(), "there", Version::V5).await;
        there.subscribe("#", QoS::AtLeastOnce).await;
        let options = Options::new(&format!("mqtt://{}", remote.address())).username("site").password("wrong");
        let site = Site::start(bridge_with(options).version(version).out(mapping("#", "", ""))).await;
        subscribed(&site.control(), HERE, 1).await;
        let refused = site.until("it has tried twice", |status| status.failures >= 2).await;
        assert!(!refused.connected && refused.connects == 0);
        let mut here = site.client("here").await;
        here.subscribe("a", QoS::AtLeastOnce).await;
        let mut other = site.client("other").await;
        assert_eq!(other.publish("a", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
        assert_eq!(payload_of(&here.take().await), "x");
        // Somebody puts it right there.
        remote.broker.set_rules(Adjusted::default().rules()).await;
        assert_eq!(payload_of(&there.take().await), "x");
        emptied(&site.control(), HERE).await;
        assert_eq!(site.bridge.status().connects, 1);
        site.stop().await;
    }
}

#[tokio::test]
async fn a_site_starts_and_stops_without_the_other_broker() {
    let nobody = Options::new(&format!("mqtt://{}", closed_port()));
    let site = Site::start(bridge_with(nobody).out(mapping("#", "", "")).inward(mapping("in", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    site.client("here").await.publish("a", "x", QoS::AtLeastOnce).await;
    site.until("it has tried", |status| status.failures >= 1).await;
    site.stop().await;
}
