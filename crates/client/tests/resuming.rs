//! Messages that match no live subscription.
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
use std::time::Duration;

use gridmq_client::{Client, QoS, ReasonCode, Version};
use support::{Peer, builder, connected, pair};
use tokio::io::DuplexStream;

async fn resumed() -> (Client, Peer<DuplexStream>) {
    let (connect, mut server) = pair(Version::V5);
    let builder = builder().clean_start(false).request_timeout(Duration::from_secs(5)).keep_alive(Duration::ZERO);
    let (client, _) = tokio::join!(connect(builder), server.accept(true, <_>::default()));
    let client = client.unwrap();
    assert!(client.info().unwrap().session_present);
    (client, server)
}

#[tokio::test(start_paused = true)]
async fn a_subscription_gets_what_waited_for_it() {
    let (client, mut server) = resumed().await;
    server.deliver("a", "1", QoS::AtLeastOnce, 1).await;
    server.deliver("b", "2", QoS::AtLeastOnce, 2).await;
    server.silence().await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), server.grant(ReasonCode::GrantedQos1));
    assert_eq!(subscription.unwrap().next().await.unwrap().text(), Some("1"));
    assert_eq!(server.puback().await.packet_id.get(), 1);
    // What nobody wants is let go after a while.
    let started = tokio::time::Instant::now();
    loop {
        match server.packet().await {
            gridmq_proto::Packet::PubAck(ack) => {
                assert_eq!(ack.packet_id.get(), 2);
                break;
            }
            gridmq_proto::Packet::Unsubscribe(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(started.elapsed() <= Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn the_catch_all_gets_the_rest_for_as_long_as_it_lives() {
    let (client, mut server) = resumed().await;
    server.deliver("a", "early", QoS::AtLeastOnce, 1).await;
    server.silence().await;
    let mut first = client.messages();
    assert_eq!(first.next().await.unwrap().text(), Some("early"));
    assert_eq!(server.puback().await.packet_id.get(), 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    server.deliver("a", "late", QoS::AtLeastOnce, 2).await;
    server.silence().await;
    // Another one takes over, with what was not read.
    let mut second = client.messages().manual_ack();
    let mut message = second.next().await.unwrap();
    assert_eq!(message.text(), Some("late"));
    assert!(first.next().await.is_none());
    message.ack();
    assert_eq!(server.puback().await.packet_id.get(), 2);
    drop(second);
    server.deliver("a", "nobody", QoS::AtLeastOnce, 3).await;
    assert_eq!(server.puback().await.packet_id.get(), 3);
}

#[tokio::test]
async fn without_a_resumed_session_strays_are_let_go_at_once() {
    let (_client, mut server) = connected(Version::V5).await;
    server.deliver("a", "stray", QoS::AtLeastOnce, 1).await;
    assert_eq!(server.puback().await.packet_id.get(), 1);
}
