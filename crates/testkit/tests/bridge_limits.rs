//! What the other broker does not take is left out or given up, counted, and does not hold up the rest.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use std::num::NonZeroU32;

use bridge::{HERE, Site, bridge_to, emptied, mapping, subscribed};
use gridmq_broker::Broker;
use gridmq_proto::packet::ConnAckProperties;
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::peers::mqtt::Script;
use gridmq_testkit::peers::tls;
use gridmq_testkit::rules::Adjusted;
use gridmq_testkit::wire::{Wire, payload_of};
use tokio::sync::mpsc;

/// A remote broker of these limits, and what is published to it.
fn limited(properties: ConnAckProperties) -> (std::net::SocketAddr, mpsc::Receiver<(String, QoS, bool)>) {
    let (sender, receiver) = mpsc::channel(16);
    let script = Script::limits(properties).on_publish(move |publish| {
        let topic = publish.topic.as_ref().map(ToString::to_string).unwrap_or_default();
        sender.try_send((topic, publish.qos, publish.retain)).unwrap();
        let id = publish.packet_id.into_iter();
        id.map(|id| gridmq_testkit::peers::mqtt::Act::Send(ack(id))).collect()
    });
    (tls::plain(script), receiver)
}

fn ack(id: gridmq_proto::PacketId) -> gridmq_proto::Packet {
    gridmq_proto::Packet::PubAck(gridmq_proto::packet::Ack::new(id, ReasonCode::Success))
}

#[tokio::test]
async fn a_message_too_large_for_the_other_broker_is_counted_and_the_next_one_goes() {
    let maximum_packet_size = NonZeroU32::new(1000);
    let (address, mut there) = limited(ConnAckProperties { maximum_packet_size, ..ConnAckProperties::default() });
    let site = Site::start(bridge_to(address).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    site.connected().await;
    let mut here = site.client("here").await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        here.publish("large", vec![0; 2000], qos).await;
        here.publish("small", "x", qos).await;
        let (topic, arrived, _) = there.recv().await.unwrap();
        assert_eq!((topic.as_str(), arrived), ("small", qos.min(QoS::AtLeastOnce)));
    }
    site.until("three are too large", |status| status.out.too_large == 3).await;
    emptied(&site.control(), HERE).await;
}

#[tokio::test]
async fn a_message_too_large_for_this_broker_is_counted_and_the_next_one_comes() {
    let remote = gridmq_testkit::open(1).await;
    let mut rules = Adjusted::default();
    rules.connection.maximum_packet_size = 2000;
    let bridge = bridge_to(remote.address()).inward(mapping("#", "", ""));
    let site = Site::with(Broker::builder().rules(rules.rules()), bridge).await;
    let mut here = site.client("here").await;
    here.subscribe("#", QoS::AtLeastOnce).await;
    subscribed(&remote.broker.control(), bridge::THERE, 1).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.publish("large", vec![0; 4000], QoS::AtLeastOnce).await;
    there.publish("small", "x", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&here.take().await), "x");
    site.until("one is too large", |status| status.inward.too_large == 1).await;
    emptied(&remote.broker.control(), bridge::THERE).await;
}

#[tokio::test]
async fn the_other_brokers_maximum_qos_bounds_it() {
    let maximum_qos = Some(QoS::AtMostOnce);
    let (address, mut there) = limited(ConnAckProperties { maximum_qos, ..ConnAckProperties::default() });
    let site = Site::start(bridge_to(address).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    // Also of one that was taken before there was a connection.
    let mut here = site.client("here").await;
    here.publish("a", "x", QoS::AtLeastOnce).await;
    assert_eq!(there.recv().await.unwrap().1, QoS::AtMostOnce);
    site.connected().await;
    here.publish("a", "x", QoS::AtLeastOnce).await;
    assert_eq!(there.recv().await.unwrap().1, QoS::AtMostOnce);
    emptied(&site.control(), HERE).await;
}

#[tokio::test]
async fn a_broker_that_retains_nothing_gets_it_without_retain() {
    let retain_available = Some(false);
    let (address, mut there) = limited(ConnAckProperties { retain_available, ..ConnAckProperties::default() });
    let site = Site::start(bridge_to(address).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    site.connected().await;
    let mut here = site.client("here").await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        here.retain("a", "x", qos).await;
        assert_eq!(there.recv().await.unwrap(), ("a".to_owned(), qos, false));
    }
    emptied(&site.control(), HERE).await;
    let mut late = site.client("late").await;
    late.subscribe("a", QoS::AtLeastOnce).await;
    assert!(late.take().await.retain, "here it stays retained");
}

#[tokio::test]
async fn what_the_other_broker_refuses_is_counted_and_does_not_hold_up_the_rest() {
    let rules = Adjusted { forbidden: vec!["forbidden".to_owned()], ..Adjusted::default() };
    let remote = OpenBroker::start(Broker::builder().rules(rules.rules())).await;
    let mut there = Wire::join(remote.address(), "there", Version::V5).await;
    there.subscribe("#", QoS::AtLeastOnce).await;
    let site = Site::start(bridge_to(remote.address()).out(mapping("#", "", ""))).await;
    subscribed(&site.control(), HERE, 1).await;
    let mut here = site.client("here").await;
    here.publish("forbidden", "x", QoS::AtLeastOnce).await;
    here.publish("allowed", "y", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&there.take().await), "y");
    let status = site.until("one is refused", |status| status.out.refused == 1).await;
    assert_eq!(status.out.retried, 0);
    emptied(&site.control(), HERE).await;
}
