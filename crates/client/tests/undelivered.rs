//! Messages that do not make it: whose they were hears why, and what is known of them.
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
use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_client::error::Outcome;
use gridmq_client::metrics::MessageFate;
use gridmq_client::{
    Client, ConnectionEvent, ConnectionState, Options, Overflow, PublishError, QoS, QueueOptions, ReasonCode, Ticket,
    Undelivered, Version,
};
use gridmq_proto::packet::{Ack, ConnAck, ConnAckProperties, Disconnect, DisconnectProperties, Packet};
use gridmq_proto::session::client::RequestError;
use support::{Peer, bounded};
use tokio::io::DuplexStream;
use venue::Venue;

/// The shortest expiry that there is, and a little.
const EXPIRED: Duration = Duration::from_millis(1100);

/// A client that the server has not answered yet.
async fn greeted(options: impl FnOnce(Options) -> Options) -> (Client, Peer<DuplexStream>) {
    let mut venue = Venue::new(Version::V5);
    let client = options(venue.lasting()).start().unwrap();
    let mut server = venue.next().await;
    server.connect().await;
    (client, server)
}

async fn accept(server: &mut Peer<DuplexStream>, properties: ConnAckProperties) {
    let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties };
    server.send(Packet::ConnAck(Box::new(ack))).await;
}

/// A client and a server that takes one message at a time.
async fn one_by_one(queue: QueueOptions) -> (Client, Peer<DuplexStream>) {
    let (client, mut server) = greeted(|options| options.queue(queue)).await;
    accept(&mut server, ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..<_>::default() }).await;
    client.state().wait_for(|state| matches!(state, ConnectionState::Connected(_))).await.unwrap();
    (client, server)
}

async fn enqueue(client: &Client, payload: impl Into<String>) -> Result<Ticket, PublishError> {
    client.publish("a", payload.into()).qos(QoS::AtLeastOnce).enqueue().await
}

async fn next(server: &mut Peer<DuplexStream>) -> String {
    let publish = server.publish().await;
    if let Some(id) = publish.packet_id {
        server.acknowledge(id).await;
    }
    String::from_utf8(publish.payload.to_vec()).unwrap()
}

fn dropped(client: &Client, qos: QoS) -> u64 {
    client.metrics().snapshot().messages(MessageFate::Dropped, qos)
}

#[tokio::test]
async fn qos_0_takes_no_place_of_those_that_wait() {
    for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropOldest, Overflow::DropNewest] {
        let (client, mut server) = one_by_one(QueueOptions::new().messages(2).overflow(overflow)).await;
        let (first, second) = (enqueue(&client, "1").await.unwrap(), enqueue(&client, "2").await.unwrap());
        bounded("a message of QoS 0", client.publish("a", "0").into_future()).await.unwrap();
        let held = server.publish().await;
        assert_eq!(next(&mut server).await, "0");
        server.acknowledge(held.packet_id.unwrap()).await;
        assert_eq!(next(&mut server).await, "2");
        first.await.unwrap();
        second.await.unwrap();
    }
}

#[tokio::test]
async fn nothing_gives_way_where_that_would_not_make_room() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let (client, mut server) = one_by_one(QueueOptions::new().bytes(100).overflow(overflow)).await;
        let _flying = enqueue(&client, "x".repeat(39)).await.unwrap();
        let waits = enqueue(&client, "y".repeat(19)).await.unwrap();
        let error = enqueue(&client, "z".repeat(89)).await.unwrap_err();
        assert!(matches!(error, PublishError::QueueFull { bytes: 100, .. }), "{error:?}");
        assert_eq!((error.outcome(), dropped(&client, QoS::AtLeastOnce)), (Outcome::NotSent, 1));
        assert_eq!((next(&mut server).await.len(), next(&mut server).await.len()), (39, 19));
        waits.await.unwrap();
    }
}

#[tokio::test]
async fn what_expired_before_there_was_a_connection_was_not_sent() {
    let (client, mut server) = greeted(|options| options).await;
    let mut tickets = Vec::new();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let message = client.publish("late", "x").qos(qos).message_expiry(Duration::ZERO);
        tickets.push(message.enqueue().await.unwrap());
    }
    tokio::time::sleep(EXPIRED).await;
    accept(&mut server, <_>::default()).await;
    for ticket in tickets {
        let error = bounded("the outcome", ticket).await.unwrap_err();
        assert!(matches!(&error, PublishError::Expired { topic } if topic.as_str() == "late"), "{error:?}");
        assert_eq!((error.outcome(), error.reason()), (Outcome::NotSent, None));
    }
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(dropped(&client, qos), 1, "{qos:?}");
    }
}

#[tokio::test]
async fn what_the_server_turns_out_not_to_take_was_not_sent_and_the_limit_is_named() {
    let (client, mut server) = greeted(|options| options).await;
    let retained = client.publish("a", "x").qos(QoS::AtLeastOnce).retain(true).enqueue().await.unwrap();
    let twice = client.publish("a", "x").qos(QoS::ExactlyOnce).enqueue().await.unwrap();
    let properties =
        ConnAckProperties { retain_available: Some(false), maximum_qos: Some(QoS::AtLeastOnce), ..<_>::default() };
    accept(&mut server, properties).await;
    let limit = |error: PublishError| match error {
        PublishError::Limit { limit, .. } => limit,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(bounded("the outcome", retained).await.unwrap_err()), RequestError::RetainNotSupported);
    let maximum = RequestError::QosNotSupported { asked: QoS::ExactlyOnce, maximum: QoS::AtLeastOnce };
    assert_eq!(limit(bounded("the outcome", twice).await.unwrap_err()), maximum);
}

#[tokio::test]
async fn the_end_of_the_client_tells_what_was_sent_from_what_was_not() {
    let (client, mut server) = one_by_one(QueueOptions::new()).await;
    let (flying, waiting) = (enqueue(&client, "1").await.unwrap(), enqueue(&client, "2").await.unwrap());
    server.publish().await;
    client.disconnect().await.unwrap();
    let error = flying.await.unwrap_err();
    assert!(matches!(error, PublishError::Disconnected { .. }) && error.topic().is_some(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = waiting.await.unwrap_err();
    assert!(matches!(error, PublishError::NotTaken { .. }) && error.topic().is_some(), "{error:?}");
    assert_eq!((error.outcome(), dropped(&client, QoS::AtLeastOnce)), (Outcome::NotSent, 1));
    let error = enqueue(&client, "3").await.unwrap_err();
    assert!(matches!(error, PublishError::NotTaken { .. }) && error.topic().is_some(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test]
async fn what_nobody_awaits_any_more_is_told_to_whoever_asks() {
    let (client, mut server) = one_by_one(QueueOptions::new()).await;
    let mut undelivered = client.undelivered();
    let late = client.publish("a/late", "1").qos(QoS::AtLeastOnce).timeout(Duration::from_millis(20)).await;
    let Err(PublishError::Timeout { queued: true, position, .. }) = late else { panic!("{late:?}") };
    let id = server.publish().await.packet_id.unwrap();
    server.send(Packet::PubAck(Ack::new(id, ReasonCode::NotAuthorized))).await;
    let (found, why) = message(bounded("the outcome", undelivered.next()).await.unwrap());
    assert!(position.is_some() && found == position, "{found:?}");
    assert!(matches!(&why, PublishError::Refused { reason: ReasonCode::NotAuthorized, .. }), "{why:?}");
    assert_eq!(why.topic().unwrap().as_str(), "a/late");
    client.disconnect().await.unwrap();
    assert!(bounded("the end", undelivered.next()).await.is_none());
}

fn message(event: Undelivered) -> (Option<u64>, PublishError) {
    match event {
        Undelivered::Message { position, why } => (position, why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_message_that_nobody_awaits_is_told_at_the_end_or_counted() {
    let (client, mut server) = one_by_one(QueueOptions::new().messages(2000)).await;
    let mut events = client.events();
    for number in 0..1500 {
        let _ticket = client.publish(format!("a/{number}"), "x").qos(QoS::AtLeastOnce).enqueue().await.unwrap();
    }
    server.publish().await;
    let mut undelivered = client.undelivered();
    client.disconnect().await.unwrap();
    drop(client);
    let Some(Undelivered::Missed(missed)) = bounded("the gap", undelivered.next()).await else { panic!() };
    let mut told = 0;
    while let Some(event) = bounded("the outcomes", undelivered.next()).await {
        let (position, why) = message(event);
        let place = missed + told;
        assert_eq!((position, why.topic().unwrap().as_str()), (Some(place + 1), format!("a/{place}").as_str()));
        assert!(matches!(why, PublishError::NotTaken { .. }), "{why:?}");
        told += 1;
    }
    assert_eq!((missed, told), (500, 1000));
    // They have not pushed out what happened to the connection.
    assert!(matches!(events.next().await, Some(ConnectionEvent::Connected { .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::Disconnected(_))));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_gives_way_pushes_out_no_event() {
    let mut venue = Venue::new(Version::V5);
    let queue = QueueOptions::new().messages(10).overflow(Overflow::DropOldest);
    let (client, server) = venue.connected(venue.lasting().queue(queue)).await;
    let mut events = client.events();
    drop(server);
    client.state().wait_for(|state| !matches!(state, ConnectionState::Connected(_))).await.unwrap();
    let mut undelivered = client.undelivered();
    for number in 0..200 {
        drop(enqueue(&client, number.to_string()).await.unwrap());
    }
    let (_server, _) = venue.accept(false, <_>::default()).await;
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(ConnectionEvent::SessionLost)) {
        let event = bounded("the session's loss", events.next()).await.unwrap();
        assert!(!matches!(event, ConnectionEvent::Missed(_)), "{seen:?}");
        seen.push(event);
    }
    for position in 1..=190 {
        let (found, why) = message(bounded("the outcome", undelivered.next()).await.unwrap());
        assert!(found == Some(position) && matches!(why, PublishError::Dropped { .. }), "{found:?} {why:?}");
    }
}

#[tokio::test]
async fn qos_0_that_a_lost_connection_has_not_written_is_told_too() {
    let mut venue = Venue::new(Version::V5);
    let (client, server) = venue.connected(venue.lasting()).await;
    let mut undelivered = client.undelivered();
    drop(client.publish("large", vec![0; 1 << 20]).enqueue().await.unwrap());
    drop(server);
    let (position, why) = message(bounded("the outcome", undelivered.next()).await.unwrap());
    assert!(position.is_none() && matches!(why, PublishError::Disconnected { .. }), "{position:?} {why:?}");
    assert_eq!((why.topic().unwrap().as_str(), why.outcome()), ("large", Outcome::Unknown));
}

#[tokio::test]
async fn what_has_expired_makes_room_without_a_connection() {
    let one = || QueueOptions::new().messages(1);
    let expiring = |client: &Client| client.publish("a", "1").qos(QoS::AtLeastOnce).message_expiry(Duration::ZERO);
    // Nothing else wakes the client while the second waits.
    let (client, _server) = greeted(|options| options.queue(one())).await;
    let first = expiring(&client).enqueue().await.unwrap();
    let second = client.publish("a", "2").qos(QoS::AtLeastOnce).timeout(Duration::from_secs(60));
    let _second = second.enqueue().await.unwrap();
    assert!(matches!(first.await, Err(PublishError::Expired { .. })));

    let (client, _server) = greeted(|options| options.queue(one().overflow(Overflow::Refuse))).await;
    let first = expiring(&client).enqueue().await.unwrap();
    assert!(matches!(enqueue(&client, "2").await, Err(PublishError::QueueFull { messages: 1, .. })));
    tokio::time::sleep(EXPIRED).await;
    let _second = enqueue(&client, "2").await.unwrap();
    assert!(matches!(first.await, Err(PublishError::Expired { .. })));
}

#[tokio::test]
async fn a_message_counts_its_expiry_while_it_waits_for_room() {
    let (client, mut server) = one_by_one(QueueOptions::new().messages(1)).await;
    let _first = enqueue(&client, "1").await.unwrap();
    let second = client.publish("a", "2").qos(QoS::AtLeastOnce).message_expiry(Duration::ZERO).enqueue();
    let serve = async {
        let held = server.publish().await.packet_id.unwrap();
        tokio::time::sleep(EXPIRED).await;
        server.acknowledge(held).await;
    };
    let (second, ()) = tokio::join!(second, serve);
    assert!(matches!(second, Err(PublishError::Expired { .. })), "{second:?}");
}

#[tokio::test]
async fn the_head_of_the_queue_that_gives_up_lets_the_others_pass() {
    let (client, _server) = greeted(|options| options.queue(QueueOptions::new().bytes(100))).await;
    let _kept = enqueue(&client, "x".repeat(50)).await.unwrap();
    let large = client.publish("a", "y".repeat(60)).qos(QoS::AtLeastOnce).timeout(Duration::from_millis(50));
    let small = client.publish("a", "z").qos(QoS::AtLeastOnce).timeout(Duration::from_secs(30));
    let (large, small) = tokio::join!(large.enqueue(), small.enqueue());
    assert!(matches!(large, Err(PublishError::Timeout { queued: false, position: None, .. })), "{large:?}");
    let _small = small.unwrap();
}

#[tokio::test]
async fn what_was_for_a_server_that_leaves_as_it_accepts_is_not_told_as_written() {
    let (client, mut server) = greeted(|options| options).await;
    let plain = tokio::spawn(client.publish("a", "0").into_future());
    while client.queue().messages == 0 {
        tokio::task::yield_now().await;
    }
    let accept = ConnAck { session_present: false, reason: ReasonCode::Success, properties: <_>::default() };
    let leave = Disconnect { reason: ReasonCode::ServerShuttingDown, properties: DisconnectProperties::default() };
    let mut bytes = support::bytes_of(&Packet::ConnAck(Box::new(accept)), Version::V5);
    bytes.extend(support::bytes_of(&Packet::Disconnect(leave), Version::V5));
    server.raw(&bytes).await;
    let error = bounded("the outcome", plain).await.unwrap().unwrap_err();
    assert!(matches!(error, PublishError::Disconnected { .. }) && error.topic().is_some(), "{error:?}");
}

#[tokio::test]
async fn a_message_of_qos_0_that_is_not_written_in_time_says_so() {
    let mut venue = Venue::new(Version::V5);
    let (client, _server) = venue.connected(venue.lasting()).await;
    let message = client.publish("a", vec![0; 1 << 20]).timeout(Duration::from_millis(50));
    let error = message.await.unwrap_err();
    let PublishError::Timeout { qos, queued, position, .. } = error else { panic!("{error:?}") };
    assert_eq!((qos, queued, position), (QoS::AtMostOnce, true, None));
}
