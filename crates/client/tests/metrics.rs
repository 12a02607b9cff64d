//! What a client counts and measures.
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
use std::sync::Arc;
use std::time::Duration;

use gridmq_client::inspect::Direction;
use gridmq_client::metrics::{Cause, Condition, Exchange, MessageFate, Metrics};
use gridmq_client::{Client, QoS, ReasonCode, Reconnect, Version};
use gridmq_proto::PacketId;
use gridmq_proto::packet::{Ack, Packet, PacketType};
use support::{Peer, bounded, builder, connected, connected_with};
use tokio::net::TcpListener;

/// The driver adds what it has counted once per turn: waits until that has come.
async fn soon(client: &Client, what: impl Fn(&gridmq_client::metrics::Snapshot) -> bool) {
    for _ in 0..500 {
        if what(&client.metrics().snapshot()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:#?}", client.metrics().snapshot());
}

#[tokio::test]
async fn packets_bytes_and_messages_are_counted() {
    let metrics = Arc::new(Metrics::new());
    let options = builder().metrics(Arc::clone(&metrics));
    let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
    client.publish("a/b", "hello").await.unwrap();
    server.publish().await;
    for reason in [ReasonCode::Success, ReasonCode::QuotaExceeded] {
        let serve = async {
            let id = server.publish().await.packet_id.unwrap();
            server.send(Packet::PubAck(Ack::new(id, reason))).await;
        };
        let (outcome, ()) = tokio::join!(client.publish("a/b", "hello").qos(QoS::AtLeastOnce).into_future(), serve);
        assert_eq!(outcome.is_err(), reason.is_failure());
    }
    soon(&client, |now| now.messages(MessageFate::Refused, QoS::AtLeastOnce) == 1).await;
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.connect_attempts, snapshot.connects, snapshot.connect_failures), (1, 1, 0));
    assert_eq!(snapshot.condition, Condition::Connected);
    assert_eq!(snapshot.packets(Direction::Sent, PacketType::Connect), 1);
    assert_eq!(snapshot.packets(Direction::Received, PacketType::ConnAck), 1);
    assert_eq!(snapshot.packets(Direction::Sent, PacketType::Publish), 3);
    // Fixed header 2, topic 5, properties 1, payload 5, and an identifier of 2 in two of them.
    assert_eq!(snapshot.bytes(Direction::Sent, PacketType::Publish), 3 * 13 + 2 * 2);
    assert_eq!(snapshot.packets(Direction::Received, PacketType::PubAck), 2);
    assert_eq!(snapshot.messages(MessageFate::Published, QoS::AtLeastOnce), 2);
    assert_eq!(snapshot.messages(MessageFate::Acknowledged, QoS::AtLeastOnce), 1);
    assert_eq!(snapshot.messages(MessageFate::Acknowledged, QoS::AtMostOnce), 1);
    assert_eq!(snapshot.round_trip(Exchange::Publish).count(), 2);
    assert_eq!((snapshot.queue_messages, snapshot.in_flight), (0, 0));
}

#[tokio::test]
async fn what_arrives_and_what_waits_are_counted() {
    let (client, mut server) = connected(Version::V5).await;
    let (messages, _) =
        tokio::join!(client.subscribe("a", QoS::ExactlyOnce).into_future(), server.grant(ReasonCode::GrantedQos2));
    let mut messages = messages.unwrap();
    server.deliver("a", "1", QoS::AtMostOnce, 0).await;
    server.deliver("a", "2", QoS::ExactlyOnce, 9).await;
    messages.next().await.unwrap();
    messages.next().await.unwrap();
    let publish = tokio::spawn(client.publish("b", vec![0; 100]).qos(QoS::AtLeastOnce).into_future());
    soon(&client, |now| now.in_flight == 1).await;
    let snapshot = client.metrics().snapshot();
    assert_eq!((snapshot.received(QoS::AtMostOnce), snapshot.received(QoS::ExactlyOnce)), (1, 1));
    assert_eq!((snapshot.subscriptions, snapshot.queue_messages), (1, 1));
    assert!(snapshot.queue_bytes >= 100);
    publish.abort();
}

#[tokio::test(start_paused = true)]
async fn pings_are_timed() {
    let (client, mut server) = connected_with(Version::V5, builder().keep_alive(Duration::ZERO), <_>::default()).await;
    let answer = async {
        assert_eq!(server.packet().await, Packet::PingReq);
        tokio::time::sleep(Duration::from_millis(30)).await;
        server.send(Packet::PingResp).await;
    };
    let (pinged, ()) = tokio::join!(client.ping(), answer);
    pinged.unwrap();
    let snapshot = client.metrics().snapshot();
    let pings = snapshot.round_trip(Exchange::Ping);
    assert_eq!((pings.count(), pings.quantile(1.0)), (1, Some(Duration::from_millis(50))));
}

#[tokio::test]
async fn a_lost_connection_is_counted_by_its_cause_and_the_way_back_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("mqtt://{}", listener.local_addr().unwrap());
    let quickly = Reconnect::new().first_wait(Duration::from_millis(1)).longest_wait(Duration::from_millis(10));
    let options = Client::builder(&address).client_id("tester").reconnect(quickly);
    let accept = async || {
        let (io, _) = listener.accept().await.unwrap();
        let mut server = Peer::new(io, Version::V5);
        server.accept(false, <_>::default()).await;
        server
    };
    let (client, server) = tokio::join!(options.connect(), accept());
    let client = client.unwrap();
    drop(server);
    let _server = bounded("the client", accept()).await;
    soon(&client, |now| now.condition == Condition::Connected && now.connects == 2).await;
    let snapshot = client.metrics().snapshot();
    let lost: u64 = Cause::ALL.iter().map(|cause| snapshot.reconnects(*cause)).sum();
    assert_eq!((snapshot.connect_attempts, snapshot.connects, lost), (2, 2, 1));
    assert_eq!(snapshot.reconnects(Cause::Closed) + snapshot.reconnects(Cause::Network), 1);
}

#[tokio::test]
async fn a_client_that_never_connects_is_watched_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("mqtt://{}", listener.local_addr().unwrap());
    drop(listener);
    let metrics = Arc::new(Metrics::new());
    let failed = Client::builder(&address).reconnect(Reconnect::never()).metrics(Arc::clone(&metrics)).connect().await;
    failed.unwrap_err();
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.connect_attempts, snapshot.connects, snapshot.connect_failures), (1, 0, 1));
    assert_eq!(snapshot.condition, Condition::Disconnected);
}

#[tokio::test]
async fn acknowledgements_that_nobody_asked_for_are_packets_and_no_more() {
    let (client, mut server) = connected(Version::V5).await;
    server.send(Packet::PubAck(Ack::new(PacketId::new(77).unwrap(), ReasonCode::Success))).await;
    soon(&client, |now| now.packets(Direction::Received, PacketType::PubAck) == 1).await;
    let snapshot = client.metrics().snapshot();
    assert_eq!(snapshot.messages(MessageFate::Acknowledged, QoS::AtLeastOnce), 0);
    assert_eq!(snapshot.round_trip(Exchange::Publish).count(), 0);
}
