//! Several filters in one subscription.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::future::IntoFuture;

use gridmq_client::{Client, QoS, ReasonCode, SubscribeError, Version};
use gridmq_proto::packet::{AckProperties, Packet, SubAck, Subscribe, UnsubAck, Unsubscribe};
use gridmq_proto::session::client::RequestError;
use support::{Peer, connected};
use tokio::io::DuplexStream;

async fn answer(server: &mut Peer<DuplexStream>, reasons: &[ReasonCode]) -> Subscribe {
    let subscribe = server.subscribe().await;
    let properties = AckProperties::default();
    let (packet_id, reasons) = (subscribe.packet_id, reasons.to_vec());
    server.send(Packet::SubAck(SubAck { packet_id, properties, reasons })).await;
    subscribe
}

async fn unsubscribe(server: &mut Peer<DuplexStream>, reasons: &[ReasonCode]) -> Unsubscribe {
    let Packet::Unsubscribe(unsubscribe) = server.packet().await else { panic!("no UNSUBSCRIBE") };
    let (packet_id, properties, reasons) = (unsubscribe.packet_id, AckProperties::default(), reasons.to_vec());
    server.send(Packet::UnsubAck(UnsubAck { packet_id, properties, reasons })).await;
    unsubscribe
}

fn three(client: &Client) -> gridmq_client::SubscribeRequest {
    client.subscribe_all([("a/+", QoS::AtLeastOnce), ("b", QoS::AtMostOnce), ("a/#", QoS::ExactlyOnce)])
}

const GRANTED: [ReasonCode; 3] = [ReasonCode::GrantedQos1, ReasonCode::GRANTED_QOS_0, ReasonCode::GrantedQos1];

fn texts<'f>(filters: impl IntoIterator<Item = &'f gridmq_proto::SubscriptionFilter>) -> Vec<&'f str> {
    filters.into_iter().map(|filter| filter.as_str()).collect()
}

#[tokio::test]
async fn several_filters_go_in_one_packet_and_share_a_stream() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let (subscription, packet) = tokio::join!(three(&client).into_future(), answer(&mut server, &GRANTED));
        let mut subscription = subscription.unwrap();
        let asked: Vec<_> = packet.filters.iter().map(|entry| (entry.filter.as_str(), entry.options.qos)).collect();
        assert_eq!(asked, [("a/+", QoS::AtLeastOnce), ("b", QoS::AtMostOnce), ("a/#", QoS::ExactlyOnce)]);
        assert_eq!(texts(subscription.filters().iter().map(|granted| &granted.filter)), ["a/+", "b", "a/#"]);
        assert_eq!(subscription.filters()[2].qos, QoS::AtLeastOnce);
        assert_eq!(subscription.granted(), QoS::AtMostOnce);
        // It matches two of the filters, and comes once.
        server.deliver("a/1", "once", QoS::AtLeastOnce, 1).await;
        server.deliver("b", "other", QoS::AtMostOnce, 0).await;
        assert_eq!(subscription.next().await.unwrap().text(), Some("once"));
        assert_eq!(subscription.next().await.unwrap().text(), Some("other"));
        assert_eq!(server.puback().await.packet_id.get(), 1);
        drop(subscription);
        let Packet::Unsubscribe(given_up) = server.packet().await else { panic!("no UNSUBSCRIBE") };
        assert_eq!(given_up.filters.len(), 3);
    }
}

#[tokio::test]
async fn a_refused_filter_fails_the_request_and_the_others_are_given_back() {
    let (client, mut server) = connected(Version::V5).await;
    let reasons = [ReasonCode::GrantedQos1, ReasonCode::NotAuthorized, ReasonCode::GrantedQos1];
    let (refused, _) = tokio::join!(three(&client).into_future(), answer(&mut server, &reasons));
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), Some(ReasonCode::NotAuthorized));
    let SubscribeError::SomeRefused(filters) = refused else { panic!("{refused:?}") };
    assert_eq!(texts(filters.iter().map(|refused| &refused.filter)), ["b"]);
    let given_back = unsubscribe(&mut server, &[ReasonCode::Success; 2]).await;
    assert_eq!(texts(&given_back.filters), ["a/#", "a/+"]);
}

#[tokio::test]
async fn or_fewer_keeps_what_is_granted() {
    let (client, mut server) = connected(Version::V5).await;
    let reasons = [ReasonCode::GrantedQos1, ReasonCode::NotAuthorized, ReasonCode::QuotaExceeded];
    let request = three(&client).or_fewer();
    let (subscription, _) = tokio::join!(request.into_future(), answer(&mut server, &reasons));
    let mut subscription = subscription.unwrap();
    assert_eq!(texts(subscription.filters().iter().map(|granted| &granted.filter)), ["a/+"]);
    let reasons: Vec<_> = subscription.refused().iter().map(|refused| refused.reason).collect();
    assert_eq!(reasons, [ReasonCode::NotAuthorized, ReasonCode::QuotaExceeded]);
    server.deliver("a/1", "granted", QoS::AtMostOnce, 0).await;
    assert_eq!(subscription.next().await.unwrap().text(), Some("granted"));
    let nothing = three(&client).or_fewer();
    let (nothing, _) = tokio::join!(nothing.into_future(), answer(&mut server, &[ReasonCode::NotAuthorized; 3]));
    assert!(matches!(nothing, Err(SubscribeError::SomeRefused(filters)) if filters.len() == 3));
    server.silence().await;
}

#[tokio::test]
async fn many_filters_are_split_over_packets() {
    let (client, mut server) = connected(Version::V5).await;
    let long = "x".repeat(1000);
    let filters: Vec<_> = (0..40).map(|n| (format!("{long}/{n}"), QoS::AtMostOnce)).collect();
    let serve = async {
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 40 {
            let subscribe = server.subscribe().await;
            let reasons = vec![ReasonCode::GRANTED_QOS_0; subscribe.filters.len()];
            sizes.push(reasons.len());
            let (packet_id, properties) = (subscribe.packet_id, AckProperties::default());
            server.send(Packet::SubAck(SubAck { packet_id, properties, reasons })).await;
        }
        sizes
    };
    let (subscription, sizes) = tokio::join!(client.subscribe_all(filters).into_future(), serve);
    assert_eq!(subscription.unwrap().filters().len(), 40);
    assert_eq!(sizes, [16, 16, 8]);
}

#[tokio::test]
async fn nothing_to_subscribe_to_and_a_bad_filter_among_good_ones_send_nothing() {
    let (client, mut server) = connected(Version::V5).await;
    let none = client.subscribe_all(Vec::<(&str, QoS)>::new()).await;
    assert!(matches!(none, Err(SubscribeError::Limit(RequestError::NoFilters))));
    let bad = client.subscribe_all([("a", QoS::AtMostOnce), ("b/#/c", QoS::AtMostOnce)]).await;
    assert!(matches!(bad, Err(SubscribeError::Filter(_))));
    let none = client.unsubscribe_all(Vec::<&str>::new()).await;
    assert!(matches!(none, Err(SubscribeError::Limit(RequestError::NoFilters))));
    server.silence().await;
}

#[tokio::test]
async fn unsubscribing_tells_what_became_of_each_filter() {
    let (client, mut server) = connected(Version::V5).await;
    let (subscription, _) = tokio::join!(three(&client).into_future(), answer(&mut server, &GRANTED));
    let mut subscription = subscription.unwrap();
    let reasons = [ReasonCode::Success, ReasonCode::NoSubscriptionExisted, ReasonCode::NotAuthorized];
    let request = client.unsubscribe_all(["a/+", "c", "b"]).user_property("why", "moving");
    let (outcomes, packet) = tokio::join!(request.into_future(), unsubscribe(&mut server, &reasons));
    let outcomes = outcomes.unwrap();
    assert_eq!(texts(outcomes.iter().map(|outcome| &outcome.filter)), ["a/+", "c", "b"]);
    assert_eq!(outcomes.iter().map(|outcome| outcome.reason).collect::<Vec<_>>(), reasons);
    assert_eq!(packet.user_properties, [("why".into(), "moving".into())]);
    // Two of three filters are left, so the stream goes on.
    server.deliver("b", "goes on", QoS::AtMostOnce, 0).await;
    assert_eq!(subscription.next().await.unwrap().text(), Some("goes on"));
    let request = subscription.unsubscribe();
    let (over, packet) = tokio::join!(request.into_future(), unsubscribe(&mut server, &[ReasonCode::Success; 3]));
    over.unwrap();
    assert_eq!(packet.filters.len(), 3);
    assert!(subscription.next().await.is_none());
}

#[tokio::test]
async fn one_that_is_given_up_while_asking_gives_all_its_filters_up() {
    let (client, mut server) = connected(Version::V5).await;
    let attempt = tokio::spawn(three(&client).into_future());
    server.subscribe().await;
    attempt.abort();
    let given_up = unsubscribe(&mut server, &[ReasonCode::Success; 3]).await;
    assert_eq!(texts(&given_up.filters), ["a/#", "a/+", "b"]);
}
