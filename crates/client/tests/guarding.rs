//! A server that has still to prove who it is gets no message, and is not listened to.
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
use std::sync::Arc;
use std::time::Duration;

use gridmq_client::auth::{AuthError, Authenticator, BoxFuture, Challenge, Grant};
use gridmq_client::error::PublishError;
use gridmq_client::metrics::MessageFate;
use gridmq_client::{Client, ConnectionState, QoS, ReasonCode, Subscription, Version};
use gridmq_proto::packet::{ConnAckProperties, Packet};
use support::{Peer, bounded};
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;
use venue::Venue;

const Q1: QoS = QoS::AtLeastOnce;

/// Looks at the server's proof for as long as there is no permit.
#[derive(Debug)]
struct Slow(Semaphore);

impl Authenticator for Slow {
    fn method(&self) -> &str {
        "SLOW"
    }

    fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
        Box::pin(async { Ok(Grant::empty()) })
    }

    fn finish(&self, last: Challenge) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(async move {
            self.0.acquire().await.unwrap().forget();
            match last.data() {
                Some(data) if &data[..] == b"good" => Ok(()),
                _ => Err(AuthError::other("the method SLOW", "the proof is bad")),
            }
        })
    }
}

fn proof(proof: &'static str) -> ConnAckProperties {
    ConnAckProperties {
        authentication_method: Some("SLOW".into()),
        authentication_data: Some(proof.into()),
        ..ConnAckProperties::default()
    }
}

/// A client that has lost its connection, with a message that was sent, one that waits, and a subscription.
async fn lost(venue: &mut Venue, method: &Arc<Slow>) -> (Client, Subscription) {
    method.0.add_permits(1);
    let options = venue.lasting().authenticator(Arc::clone(method) as Arc<dyn Authenticator>);
    let (client, (mut server, _)) = tokio::join!(options.connect(), venue.accept(false, proof("good")));
    let client = client.unwrap();
    let subscribing = client.subscribe("b", QoS::AtMostOnce).into_future();
    let (subscription, _) = tokio::join!(subscribing, server.grant(ReasonCode::Success));
    drop(client.publish("a", "0").qos(QoS::ExactlyOnce).enqueue().await.unwrap());
    let id = server.publish().await.packet_id.unwrap();
    server.send(Packet::PubRec(gridmq_proto::packet::Ack::new(id, ReasonCode::Success))).await;
    assert!(matches!(server.packet().await, Packet::PubRel(_)));
    drop(client.publish("a", "1").qos(Q1).enqueue().await.unwrap());
    server.publish().await;
    drop(server);
    client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
    drop(client.publish("a", "2").qos(Q1).enqueue().await.unwrap());
    drop(client.publish("a", "3").enqueue().await.unwrap());
    (client, subscription.unwrap())
}

async fn says_nothing(server: &mut Peer<DuplexStream>) {
    server.deliver("b", "early", QoS::AtMostOnce, 0).await;
    server.silence().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_and_nothing_is_believed_before_the_proof() {
    for session_present in [true, false] {
        let (mut venue, method) = (Venue::new(Version::V5), Arc::new(Slow(Semaphore::new(0))));
        let (client, mut subscription) = lost(&mut venue, &method).await;
        let (mut server, _) = venue.accept(session_present, proof("good")).await;
        says_nothing(&mut server).await;
        let early = tokio::time::timeout(Duration::from_secs(1), subscription.next()).await;
        assert!(early.is_err(), "{early:?}");
        method.0.add_permits(1);
        if session_present {
            assert!(matches!(server.packet().await, Packet::PubRel(_)));
        } else {
            assert_eq!(server.grant(ReasonCode::Success).await.filters[0].filter.as_str(), "b");
        }
        let mut payloads = Vec::new();
        for _ in 0..3 {
            payloads.push(server.publish().await.payload);
        }
        payloads.sort_unstable();
        assert_eq!(payloads, ["1", "2", "3"]);
        assert_eq!(&bounded("the message", subscription.next()).await.unwrap().payload()[..], b"early");
        drop(client);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_not_held_to_the_keep_alive_while_it_is_not_listened_to() {
    let (mut venue, method) = (Venue::new(Version::V5), Arc::new(Slow(Semaphore::new(0))));
    let options = venue.options().keep_alive(Duration::from_secs(4));
    let connecting = tokio::spawn(options.authenticator(Arc::clone(&method) as Arc<dyn Authenticator>).connect());
    let (mut server, _) = venue.accept(false, proof("good")).await;
    tokio::spawn(async move {
        while let Some(packet) = server.next().await {
            assert!(matches!(packet, Packet::PingReq), "{packet:?}");
            server.send(Packet::PingResp).await;
        }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    method.0.add_permits(1);
    let client = bounded("the client", connecting).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    // Over the one connection.
    client.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_the_subscriptions_is_not_called_written_with_them() {
    let (mut venue, method) = (Venue::new(Version::V5), Arc::new(Slow(Semaphore::new(0))));
    let (client, _subscription) = {
        method.0.add_permits(1);
        let options = venue.lasting().authenticator(Arc::clone(&method) as Arc<dyn Authenticator>);
        let (client, (mut server, _)) = tokio::join!(options.connect(), venue.accept(false, proof("good")));
        let client = client.unwrap();
        // More than the stream takes before the server reads.
        let mut subscriptions = Vec::new();
        for name in ["a", "b"] {
            let subscribing = client.subscribe(name.repeat(40_000).as_str(), QoS::AtMostOnce).into_future();
            let (subscription, _) = tokio::join!(subscribing, server.grant(ReasonCode::Success));
            subscriptions.push(subscription.unwrap());
        }
        (client, subscriptions)
    };
    client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
    let mut ticket = client.publish("a", "x").enqueue().await.unwrap();
    let (server, _) = venue.accept(false, proof("good")).await;
    method.0.add_permits(1);
    let early = tokio::time::timeout(Duration::from_millis(500), &mut ticket).await;
    assert!(early.is_err(), "{early:?}");
    drop(server);
    let error = bounded("the outcome", ticket).await.unwrap_err();
    assert!(matches!(error, PublishError::Disconnected { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_proof_gets_nothing_at_all() {
    let (mut venue, method) = (Venue::new(Version::V5), Arc::new(Slow(Semaphore::new(0))));
    let (client, mut subscription) = lost(&mut venue, &method).await;
    let (mut server, _) = venue.accept(true, proof("bad")).await;
    says_nothing(&mut server).await;
    method.0.add_permits(1);
    assert!(server.next().await.is_none());
    drop(server);
    // The one of QoS 0 had been given to that connection.
    assert_eq!(client.queue().messages, 3);
    let count = |fate| client.metrics().snapshot().messages(fate, QoS::AtMostOnce);
    assert_eq!((count(MessageFate::Acknowledged), count(MessageFate::Dropped)), (0, 1));
    let (mut server, _) = venue.accept(true, proof("good")).await;
    method.0.add_permits(1);
    assert!(matches!(server.packet().await, Packet::PubRel(_)));
    server.deliver("b", "late", QoS::AtMostOnce, 0).await;
    assert_eq!(&bounded("the message", subscription.next()).await.unwrap().payload()[..], b"late");
}
