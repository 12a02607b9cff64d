//! What waits in a stream, and what does not.
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

use gridmq_client::{QoS, ReasonCode, Shed, SubscribeRequest, Subscription, TryNextError, Version};
use gridmq_proto::Packet;
use support::{Peer, bytes_of, connected, message};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

async fn made(request: SubscribeRequest, server: &mut Peer<DuplexStream>) -> Subscription {
    tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos2)).0.unwrap()
}

async fn texts(subscription: &mut Subscription) -> Vec<String> {
    let batch = subscription.next_batch(100).await;
    batch.iter().map(|message| message.text().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_oldest_may_go_instead_of_the_newest() {
    let (client, mut server) = connected(Version::V5).await;
    let request = client.subscribe("a", QoS::AtLeastOnce).buffer(3).shed(Shed::Oldest);
    let mut subscription = made(request, &mut server).await;
    server.deliver("a", "kept", QoS::AtLeastOnce, 1).await;
    for n in 0..10 {
        server.deliver("a", &n.to_string(), QoS::AtMostOnce, 0).await;
    }
    server.silence().await;
    assert_eq!((subscription.dropped(), subscription.waiting()), (7, 4));
    assert_eq!(texts(&mut subscription).await, ["kept", "7", "8", "9"]);
}

#[tokio::test]
async fn a_buffer_has_an_end_in_bytes_too_and_one_message_always_fits() {
    let (client, mut server) = connected(Version::V5).await;
    let request = client.subscribe("a", QoS::AtLeastOnce).buffer_bytes(3000);
    let mut subscription = made(request, &mut server).await;
    let kilobyte = "k".repeat(1000);
    for _ in 0..5 {
        server.deliver("a", &kilobyte, QoS::AtMostOnce, 0).await;
    }
    // Unacknowledged ones do not count.
    server.deliver("a", &"m".repeat(5000), QoS::AtLeastOnce, 1).await;
    server.silence().await;
    assert_eq!((subscription.dropped(), subscription.waiting()), (3, 3));
    assert_eq!(texts(&mut subscription).await.len(), 3);
    server.deliver("a", &"l".repeat(10_000), QoS::AtMostOnce, 0).await;
    assert_eq!(subscription.next().await.unwrap().payload().len(), 10_000);
}

#[tokio::test]
async fn batches_are_acknowledged_in_order() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let mut subscription = made(client.subscribe("a", QoS::AtLeastOnce), &mut server).await;
        for id in 1..=50 {
            server.deliver("a", &id.to_string(), QoS::AtLeastOnce, id).await;
        }
        server.silence().await;
        assert_eq!(subscription.next_batch(20).await.len(), 20);
        for id in 1..=20 {
            assert_eq!(server.puback().await.packet_id.get(), id);
        }
        server.silence().await;
        assert_eq!(subscription.next_batch(0).await.len(), 1);
        assert_eq!(subscription.next_batch(100).await.len(), 29);
        for id in 21..=50 {
            assert_eq!(server.puback().await.packet_id.get(), id);
        }
        drop(server);
        client.disconnect().await.ok();
        assert!(subscription.next_batch(10).await.is_empty());
    }
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_whether_to_come_again() {
    let (client, mut server) = connected(Version::V5).await;
    let mut subscription = made(client.subscribe("a", QoS::AtMostOnce), &mut server).await;
    assert_eq!(subscription.try_next().unwrap_err(), TryNextError::Empty);
    server.deliver("a", "one", QoS::AtMostOnce, 0).await;
    server.silence().await;
    assert_eq!(subscription.try_next().unwrap().text(), Some("one"));
    assert_eq!(subscription.try_next().unwrap_err(), TryNextError::Empty);
    let (over, _) = tokio::join!(subscription.unsubscribe().into_future(), server.release());
    over.unwrap();
    assert_eq!(subscription.try_next().unwrap_err(), TryNextError::Ended);
}

#[tokio::test]
async fn a_slow_stream_of_qos_0_holds_nobody_up() {
    let (client, mut server) = connected(Version::V5).await;
    let slow = made(client.subscribe("slow", QoS::AtMostOnce), &mut server).await;
    let mut quick = made(client.subscribe("quick", QoS::AtLeastOnce), &mut server).await;
    for n in 0..1000 {
        server.deliver("slow", "", QoS::AtMostOnce, 0).await;
        server.deliver("quick", "", QoS::AtLeastOnce, n + 1).await;
        assert!(quick.next().await.is_some());
        assert_eq!(server.puback().await.packet_id.get(), n + 1);
    }
    assert_eq!((slow.waiting(), slow.dropped()), (256, 744));
    client.publish("b", "goes on").await.unwrap();
    server.publish().await;
}

/// The body of a test is the future that its runtime was started with: the one that is polled last.
#[tokio::test]
async fn whoever_reads_in_the_runtimes_own_future_loses_nothing() {
    const COUNT: usize = 1500;
    for publishes_too in [false, true] {
        let (client, mut server) = connected(Version::V5).await;
        let mut subscription = made(client.subscribe("a", QoS::AtMostOnce), &mut server).await;
        let Peer { io, .. } = server;
        let (mut answers, mut io) = tokio::io::split(io);
        // Each publish wakes the client's task.
        let publishing = tokio::spawn(async move {
            if !publishes_too {
                std::future::pending::<()>().await;
            }
            loop {
                client.publish("b", "").await.unwrap();
            }
        });
        let sink = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut tokio::io::sink()).await });
        let some = bytes_of(&Packet::Publish(message("a", "", QoS::AtMostOnce, 0)), Version::V5).repeat(COUNT);
        for _ in 0..10 {
            // As much as the transport holds: the client can go on for long without waiting for anything.
            io.write_all(&some).await.unwrap();
            for _ in 0..COUNT {
                assert!(subscription.next().await.is_some());
                assert_eq!(subscription.dropped(), 0, "{publishes_too}");
            }
        }
        publishing.abort();
        sink.abort();
    }
}

#[tokio::test]
async fn a_part_of_the_window_can_be_acknowledged_before_the_rest_is_there() {
    for (version, qos) in [(Version::V5, QoS::AtLeastOnce), (Version::V3_1_1, QoS::ExactlyOnce)] {
        let (client, mut server) = connected(version).await;
        let mut subscription = made(client.subscribe("a", qos), &mut server).await;
        let window: Vec<u8> =
            (1..=100).flat_map(|id| bytes_of(&Packet::Publish(message("a", "", qos, id)), version)).collect();
        server.raw(&window).await;
        let first = subscription.next_batch(100).await.len();
        assert!((1..=50).contains(&first), "{first}");
        for id in 1..=first {
            match server.packet().await {
                Packet::PubAck(ack) | Packet::PubRec(ack) => assert_eq!(usize::from(ack.packet_id.get()), id),
                other => panic!("{other:?}"),
            }
        }
        let mut rest = 0;
        while first + rest < 100 {
            rest += subscription.next_batch(100).await.len();
        }
    }
}
