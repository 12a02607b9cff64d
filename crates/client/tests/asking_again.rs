//! SUBSCRIBE and UNSUBSCRIBE that a lost connection left unanswered, or a new server takes no more.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::future::IntoFuture as _;
use std::num::NonZeroU32;

use gridmq_client::{ConnectionEvent, QoS, ReasonCode, SubscribeError, Version};
use gridmq_proto::packet::{AckProperties, ConnAckProperties, Packet, SubAck};
use gridmq_proto::session::client::RequestError;
use support::bounded;
use venue::Venue;

const Q1: QoS = QoS::AtLeastOnce;

#[tokio::test(start_paused = true)]
async fn what_was_not_answered_is_asked_again_in_its_order() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut venue = Venue::new(version);
        let (client, mut server) = venue.connected(venue.lasting()).await;
        let subscribing = client.subscribe("f", Q1).into_future();
        let (first, _) = tokio::join!(subscribing, server.grant(ReasonCode::GrantedQos1));
        let mut first = first.unwrap();
        let unsubscribing = tokio::spawn(client.unsubscribe("f").into_future());
        assert!(matches!(server.packet().await, Packet::Unsubscribe(_)));
        let subscribing = tokio::spawn(client.subscribe("f", Q1).into_future());
        server.subscribe().await;
        drop(server);

        let (mut server, _) = venue.accept(true, <_>::default()).await;
        assert_eq!(server.release().await, "f");
        assert_eq!(server.grant(ReasonCode::GrantedQos1).await.filters[0].filter.as_str(), "f");
        unsubscribing.await.unwrap().unwrap();
        let mut second = subscribing.await.unwrap().unwrap();
        server.deliver("f", "x", QoS::AtMostOnce, 0).await;
        assert_eq!(&bounded("the message", second.next()).await.unwrap().payload()[..], b"x");
        // The one that was there before the UNSUBSCRIBE ends with it.
        assert!(bounded("its end", first.next()).await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_subscription_is_given_up_until_the_server_has_agreed() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.lasting()).await;
    let subscribing = client.subscribe("f", Q1).into_future();
    let (subscription, _) = tokio::join!(subscribing, server.grant(ReasonCode::GrantedQos1));
    drop(subscription.unwrap());
    assert!(matches!(server.packet().await, Packet::Unsubscribe(_)));
    drop(server);
    let (mut server, _) = venue.accept(true, <_>::default()).await;
    assert_eq!(server.release().await, "f");
    drop(server);
    let (mut server, _) = venue.accept(true, <_>::default()).await;
    server.silence().await;
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn what_the_next_server_takes_in_smaller_packets_only_is_split_or_lost() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.lasting()).await;
    let mut events = client.events();
    let (short, other, long) = ("a".repeat(40), "b".repeat(40), "c".repeat(100));
    let filters = [(short.as_str(), Q1), (other.as_str(), Q1), (long.as_str(), Q1)];
    let granting = async {
        let subscribe = server.subscribe().await;
        let (packet_id, reasons) = (subscribe.packet_id, vec![ReasonCode::GrantedQos1; 3]);
        server.send(Packet::SubAck(SubAck { packet_id, properties: AckProperties::default(), reasons })).await;
    };
    let (subscription, ()) = tokio::join!(client.subscribe_all(filters).into_future(), granting);
    let _subscription = subscription.unwrap();
    drop(server);

    let small = ConnAckProperties { maximum_packet_size: NonZeroU32::new(60), ..ConnAckProperties::default() };
    let (mut server, _) = venue.accept(false, small).await;
    for filter in [&short, &other] {
        let asked = server.grant(ReasonCode::GrantedQos1).await.filters;
        assert_eq!((asked.len(), asked[0].filter.as_str()), (1, filter.as_str()));
    }
    let lost = async {
        loop {
            if let Some(ConnectionEvent::SubscriptionLost { filter, .. }) = events.next().await {
                return filter;
            }
        }
    };
    assert_eq!(bounded("the loss", lost).await.as_str(), long);
    // And the one who asks now is told now.
    let refused = client.subscribe(long.as_str(), Q1).await.unwrap_err();
    assert!(matches!(refused, SubscribeError::Limit(RequestError::PacketTooLarge { maximum: 60, .. })), "{refused}");
    server.silence().await;
}
