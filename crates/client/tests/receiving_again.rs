//! Subscriptions of several filters that outlive a connection.
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

use std::future::IntoFuture;
use std::time::Duration;

use gridmq_client::rpc::Caller;
use gridmq_client::{Client, ConnectionEvent, Options, QoS, ReasonCode, Subscription, TopicTemplate, Version};
use gridmq_proto::MessageProperties;
use gridmq_proto::packet::{Ack, AckProperties, Packet, SubAck, Subscribe};
use support::{Peer, message};
use tokio::io::DuplexStream;
use venue::Venue;

async fn answer(server: &mut Peer<DuplexStream>, reasons: &[ReasonCode]) -> Subscribe {
    let subscribe = server.subscribe().await;
    let (packet_id, properties, reasons) = (subscribe.packet_id, AckProperties::default(), reasons.to_vec());
    server.send(Packet::SubAck(SubAck { packet_id, properties, reasons })).await;
    subscribe
}

#[tokio::test(start_paused = true)]
async fn all_filters_are_made_again_together_and_the_stream_goes_on() {
    for version in [Version::V5, Version::V3_1_1] {
        let mut venue = Venue::new(version);
        let (client, mut server) = venue.connected(venue.lasting()).await;
        let filters = [("a", QoS::AtLeastOnce), ("b", QoS::AtMostOnce)];
        let granted = [ReasonCode::GrantedQos1, ReasonCode::GRANTED_QOS_0];
        let request = client.subscribe_all(filters);
        let mut subscription = tokio::join!(request.into_future(), answer(&mut server, &granted)).0.unwrap();
        let mut events = client.events();
        drop(server);
        let (mut server, _) = venue.accept(false, <_>::default()).await;
        let again = answer(&mut server, &[ReasonCode::UnspecifiedError, ReasonCode::GRANTED_QOS_0]).await;
        let again: Vec<_> = again.filters.iter().map(|entry| (entry.filter.as_str(), entry.options.qos)).collect();
        assert_eq!(again, filters);
        loop {
            if let ConnectionEvent::SubscriptionLost { filter } = events.next().await.unwrap() {
                assert_eq!(filter.as_str(), "a");
                break;
            }
        }
        server.deliver("b", "goes on", QoS::AtMostOnce, 0).await;
        assert_eq!(subscription.next().await.unwrap().text(), Some("goes on"));
        drop(server);
        let (mut server, _) = venue.accept(false, <_>::default()).await;
        assert_eq!(answer(&mut server, &[ReasonCode::UnspecifiedError]).await.filters.len(), 1);
        assert!(subscription.next().await.is_none());
    }
}

/// Ten messages of QoS 1 on each of six connections, which nobody reads.
async fn unread(session_present: bool, options: Options, venue: &mut Venue) -> (Client, Subscription, Server) {
    let (client, mut server) = venue.connected(options).await;
    let request = client.subscribe("a", QoS::AtLeastOnce).into_future();
    let mut subscription = tokio::join!(request, server.grant(ReasonCode::GrantedQos1)).0.unwrap();
    for round in 0..6 {
        if round > 0 {
            drop(server);
            server = venue.accept(session_present, <_>::default()).await.0;
            if !session_present {
                server.grant(ReasonCode::GrantedQos1).await;
            }
        }
        for id in 1..=10 {
            server.deliver("a", &format!("{round} {id}"), QoS::AtLeastOnce, id).await;
        }
        // An answer says that they were read.
        let (pong, _) = tokio::join!(client.ping().into_future(), async {
            assert!(matches!(server.packet().await, Packet::PingReq));
            server.send(Packet::PingResp).await;
        });
        pong.unwrap();
    }
    assert!(subscription.try_next().is_ok());
    (client, subscription, server)
}

type Server = Peer<DuplexStream>;

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_does_not_grow_with_every_connection() {
    let mut venue = Venue::new(Version::V5);
    let options = venue.lasting();
    let (_client, mut subscription, mut server) = unread(true, options, &mut venue).await;
    assert_eq!((subscription.waiting(), subscription.dropped()), (9, 0));
    assert_eq!(server.puback().await.packet_id.get(), 1);
    for id in 2..=10 {
        assert_eq!(subscription.next().await.unwrap().text(), Some(&*format!("5 {id}")));
        assert_eq!(server.puback().await.packet_id.get(), id);
    }
    // What a lost session leaves behind does not come again, and no receive maximum bounds it.
    let options = venue.lasting().receive_maximum(15);
    let (client, mut subscription, _server) = unread(false, options, &mut venue).await;
    assert_eq!((subscription.waiting(), subscription.dropped()), (24, 35));
    assert_eq!(subscription.next().await.unwrap().text(), Some("0 2"));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_and_not_answered_is_asked_again() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.lasting()).await;
    let request = client.subscribe_all([("a", QoS::AtLeastOnce), ("b", QoS::AtLeastOnce)]);
    let asking = tokio::spawn(request.into_future());
    server.subscribe().await;
    drop(server);
    let (mut server, _) = venue.accept(true, <_>::default()).await;
    let again = answer(&mut server, &[ReasonCode::GrantedQos1; 2]).await;
    assert_eq!(again.filters.len(), 2);
    assert_eq!(asking.await.unwrap().unwrap().filters().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_goes_on_after_its_session_was_lost() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.lasting()).await;
    let topic = |text| TopicTemplate::parse(text).unwrap();
    let (request, response) = (topic("ask/{who}"), topic("answer/{who}"));
    let made = Caller::new(&client, &request, &response).timeout(Duration::from_secs(20));
    let caller = tokio::join!(made.into_future(), server.grant(ReasonCode::GrantedQos1)).0.unwrap();
    drop(server);
    let call = tokio::spawn(caller.call([("who", "you")], "still there?").into_future());
    let (mut server, _) = venue.accept(false, <_>::default()).await;
    assert_eq!(server.grant(ReasonCode::GrantedQos1).await.filters[0].filter.as_str(), "answer/+");
    let asked = server.publish().await;
    server.send(Packet::PubAck(Ack::new(asked.packet_id.unwrap(), ReasonCode::Success))).await;
    let mut answer = message("answer/you", "yes", QoS::AtMostOnce, 0);
    let correlation_data = asked.properties.unwrap().correlation_data;
    answer.properties = Some(Box::new(MessageProperties { correlation_data, ..MessageProperties::default() }));
    server.send(Packet::Publish(answer)).await;
    assert_eq!(call.await.unwrap().unwrap().text(), Some("yes"));
}
