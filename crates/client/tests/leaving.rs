//! Finishing what was handed over: flushing, and leaving once it is done or its time is up.
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
use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_client::{Client, ConnectionState, FlushError, PublishError, QoS, ReasonCode, Reconnect, Version};
use gridmq_proto::packet::{ConnAckProperties, Packet};
use support::{Peer, bounded, builder, connected, connected_with};
use tokio::io::DuplexStream;
use tokio::time::Instant;
use venue::Venue;

const SHORT: Duration = Duration::from_secs(5);

async fn one_at_a_time() -> (Client, Peer<DuplexStream>) {
    let properties = ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..ConnAckProperties::default() };
    connected_with(Version::V5, builder(), properties).await
}

async fn hand_over(client: &Client, count: usize) {
    for number in 0..count {
        let message = client.publish("a", number.to_string()).qos(QoS::AtLeastOnce);
        drop(message.enqueue().await.unwrap());
    }
}

async fn take(server: &mut Peer<DuplexStream>, count: usize) {
    for number in 0..count {
        let publish = server.publish().await;
        assert_eq!(publish.payload, number.to_string());
        server.acknowledge(publish.packet_id.unwrap()).await;
    }
}

async fn is_left(mut server: Peer<DuplexStream>) {
    let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
    assert_eq!(disconnect.reason, ReasonCode::NORMAL_DISCONNECTION);
    server.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_what_waits_and_then_leaves() {
    let (client, mut server) = one_at_a_time().await;
    hand_over(&client, 10).await;
    let serve = async {
        take(&mut server, 10).await;
        is_left(server).await;
    };
    let (outcome, ()) = bounded("leaving", async { tokio::join!(client.shutdown(SHORT), serve) }).await;
    outcome.unwrap();
    assert_eq!(client.queue().messages, 0);
    assert!(client.disconnected().unwrap().is_requested());
    // Once it is over, there is nothing to wait for.
    client.shutdown(SHORT).await.unwrap();
    client.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_in_time_and_says_what_is_left() {
    let (client, mut server) = one_at_a_time().await;
    hand_over(&client, 10).await;
    let serve = async {
        server.publish().await;
        // Not in the moment in which it begins.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let late = client.publish("a", "late").await.unwrap_err();
        assert!(matches!(late, PublishError::NotTaken { .. }), "{late:?}");
        let begin = Instant::now();
        let requests = [client.publish("a", "x"), client.publish("a", "y").qos(QoS::AtLeastOnce)];
        for late in client.publish_all(requests).await {
            assert!(matches!(late, Err(PublishError::NotTaken { .. })), "{late:?}");
        }
        assert!(begin.elapsed() < Duration::from_secs(1));
        is_left(server).await;
    };
    let (outcome, ()) = bounded("leaving", async { tokio::join!(client.shutdown(SHORT), serve) }).await;
    let Err(FlushError::Timeout { after, messages, bytes }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((after, messages, bytes), (SHORT, 10, client.queue().bytes));
    assert!(client.disconnected().unwrap().is_requested());
    assert!(matches!(client.flush().await, Err(FlushError::Disconnected { messages: 10, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_comes_back_to_send_what_waits() {
    let mut venue = Venue::new(Version::V5);
    let (client, server) = venue.connected(venue.lasting()).await;
    drop(server);
    client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
    hand_over(&client, 3).await;
    // Nobody has to wait for it, or to keep a handle.
    let leaving =
        tokio::spawn(async move { tokio::time::timeout(Duration::ZERO, client.shutdown(SHORT)).await.is_ok() });
    assert!(!leaving.await.unwrap());
    let (mut server, _) = venue.accept(true, <_>::default()).await;
    take(&mut server, 3).await;
    is_left(server).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_longer_for_a_connection() {
    let mut venue = Venue::new(Version::V5);
    let far = Duration::from_secs(6000);
    let options = venue.lasting().reconnect(Reconnect::new().first_wait(far).longest_wait(far));
    for greeted in [false, true] {
        let (client, server) = venue.connected(options.clone()).await;
        drop(server);
        client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
        hand_over(&client, 2).await;
        if greeted {
            // A server that never answers CONNECT.
            client.reconnect_now();
            std::mem::forget(venue.next().await);
        }
        let outcome = bounded("leaving", client.shutdown(SHORT)).await;
        assert!(matches!(outcome, Err(FlushError::Timeout { messages: 2, .. })), "{outcome:?}");
        assert!(client.disconnected().unwrap().is_requested());
    }
}

#[tokio::test(start_paused = true)]
async fn with_nothing_to_finish_a_shutdown_leaves_at_once() {
    let mut venue = Venue::new(Version::V5);
    let (client, server) = venue.connected(venue.lasting()).await;
    let (outcome, ()) = bounded("leaving", async { tokio::join!(client.shutdown(SHORT), is_left(server)) }).await;
    outcome.unwrap();
    let (client, server) = venue.connected(venue.lasting()).await;
    drop(server);
    client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
    client.shutdown(SHORT).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_was_taken_before_it_and_for_nothing_else() {
    let (client, mut server) = one_at_a_time().await;
    hand_over(&client, 2).await;
    let mut flush = tokio::spawn(client.flush().into_future());
    assert!(tokio::time::timeout(SHORT, &mut flush).await.is_err());
    let mut ids = Vec::new();
    for number in 2..4 {
        drop(client.publish("a", number.to_string()).qos(QoS::AtLeastOnce).enqueue().await.unwrap());
        let publish = server.publish().await;
        ids.push(publish.payload);
        assert!(!flush.is_finished());
        server.acknowledge(publish.packet_id.unwrap()).await;
    }
    bounded("the flush", flush).await.unwrap().unwrap();
    assert_eq!(ids, ["0", "1"]);
    assert_eq!(client.queue().messages, 2);
    let late = client.flush().timeout(SHORT).await;
    assert!(matches!(late, Err(FlushError::Timeout { messages: 2, .. })), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_until_messages_of_qos_0_are_written() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    let publish = tokio::spawn(client.publish("a", vec![0; 1 << 18]).into_future());
    tokio::task::yield_now().await;
    let mut flush = tokio::spawn(client.flush().into_future());
    assert!(tokio::time::timeout(SHORT, &mut flush).await.is_err(), "nobody reads");
    server.publish().await;
    bounded("the flush", flush).await.unwrap().unwrap();
    publish.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_written_is_left_too() {
    let (client, _server) = connected(Version::V5).await;
    hand_over(&client, 1).await;
    drop(client.publish("a", vec![0; 1 << 20]).enqueue().await.unwrap());
    let late = client.flush().timeout(SHORT).await;
    let Err(FlushError::Timeout { messages: 2, bytes, .. }) = late else { panic!("{late:?}") };
    assert_eq!(bytes, (1 << 20) + 1 + client.queue().bytes);
    let outcome = bounded("leaving", client.shutdown(SHORT)).await;
    assert!(matches!(outcome, Err(FlushError::Timeout { messages: 2, .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flush_goes_on_over_connections() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.lasting()).await;
    hand_over(&client, 1).await;
    server.publish().await;
    let flush = tokio::spawn(client.flush().timeout(Duration::from_secs(600)).into_future());
    drop(server);
    let (mut server, _) = venue.accept(true, <_>::default()).await;
    take(&mut server, 1).await;
    bounded("the flush", flush).await.unwrap().unwrap();
}
