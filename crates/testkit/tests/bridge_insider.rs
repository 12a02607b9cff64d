//! The program has a way in of its own, and nobody else has its session.
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
use gridmq_broker::Broker;
use gridmq_namespace::Open;
use gridmq_namespace::open::Access;
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::wire::{Wire, payload_of};
use std::sync::Arc;

fn nothing_allowed_but(rules: &str) -> Arc<Open> {
    Arc::new(Open::new().with_access(Arc::new(Access::parse(rules).unwrap())))
}

#[tokio::test]
async fn nobody_else_takes_the_bridges_session() {
    let remote = gridmq_testkit::open(1).await;
    let site = Site::start(bridge_to(remote.address()).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    for (version, reason) in
        [(Version::V5, ReasonCode::ClientIdentifierNotValid), (Version::V3_1_1, ReasonCode::ClientIdentifierNotValid)]
    {
        let wire = Wire::connect(site.broker.address()).await;
        let (mut wire, ack) = wire.introduce(HERE, version, |_| ()).await;
        assert_eq!(ack.reason, reason);
        assert!(wire.expect_closed().await.is_empty());
    }
    assert!(site.control().session(HERE).await.unwrap().info.connection.is_some());
}

#[tokio::test]
async fn rules_that_allow_clients_little_do_not_bind_the_bridge() {
    let remote = gridmq_testkit::open(1).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("out", QoS::AtLeastOnce).await;
    let bridge = bridge_to(remote.address()).out(mapping("out", "", "")).inward(mapping("in", "", ""));
    let site = Site::with(Broker::builder().rules(nothing_allowed_but("allow everyone all mine/#")), bridge).await;
    subscribed(&site.control(), HERE, 1).await;
    // Nor do other rules that come later.
    let rules = "allow client here publish out\nallow client here subscribe in";
    site.broker.broker.set_rules(nothing_allowed_but(rules)).await;
    let mut here = site.client("here").await;
    here.subscribe("in", QoS::AtLeastOnce).await;
    here.publish("out", "x", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&there.take().await), "x");
    subscribed(&remote.broker.control(), bridge::THERE, 1).await;
    there.publish("in", "y", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&here.take().await), "y");
}

#[tokio::test]
async fn what_is_no_longer_carried_is_no_longer_subscribed_to() {
    let remote = gridmq_testkit::open(1).await;
    let bridge = bridge_to(remote.address()).out(mapping("a", "", ""));
    let site = Site::start(bridge.clone().out(mapping("b", "", ""))).await;
    subscribed(&site.control(), HERE, 2).await;
    let Site { broker, bridge: running } = site;
    running.stop().await;
    let control = broker.broker.control();
    assert_eq!(control.session(HERE).await.unwrap().subscriptions.len(), 2, "they outlive the bridge's stop");
    let running = bridge.start(control.clone()).await.unwrap();
    subscribed(&control, HERE, 1).await;
    running.stop().await;
    assert_eq!(gridmq_bridge::discard_others(&control, &[bridge::NAME]).await, 0);
    assert_eq!(gridmq_bridge::discard_others(&control, &["another"]).await, 1);
    assert!(control.session(HERE).await.is_none());
}
