//! A link that is slow, and one that is silent: the keep-alive tells them apart.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::future::IntoFuture as _;
use std::time::Duration;

use gridmq_client::error::DisconnectKind;
use gridmq_client::{QoS, ReasonCode, Version};
use gridmq_proto::packet::{ConnAckProperties, Packet};
use support::{bounded, builder, bytes_of, connected_with, message, over};
use tokio::io::AsyncReadExt as _;

const SECOND: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(4);

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_long_to_arrive_does_not_end_the_connection() {
    for version in [Version::V3_1_1, Version::V5] {
        let (client, mut server) = connected_with(version, builder().keep_alive(KEEP_ALIVE), <_>::default()).await;
        let subscribing = client.subscribe("a", QoS::AtMostOnce).into_future();
        let (subscription, _) = tokio::join!(subscribing, server.grant(ReasonCode::Success));
        let mut subscription = subscription.unwrap();
        let large = "x".repeat(20_000);
        let bytes = bytes_of(&Packet::Publish(message("a", &large, QoS::AtMostOnce, 0)), version);
        // No PINGREQ is answered meanwhile: the answer comes behind the message.
        for piece in bytes.chunks(1000) {
            tokio::time::sleep(SECOND).await;
            server.raw(piece).await;
        }
        let arrived = bounded("the message", subscription.next()).await.unwrap();
        assert_eq!(arrived.payload().len(), large.len());
        // Silence is still silence.
        assert!(matches!(over(&client).await.kind(), DisconnectKind::KeepAlive));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_long_to_be_written_does_not_end_the_connection() {
    let options = builder().keep_alive(KEEP_ALIVE);
    let (client, mut server) = connected_with(Version::V5, options, ConnAckProperties::default()).await;
    let publish = client.publish("a", vec![0; 1 << 20]).timeout(600 * SECOND);
    let publish = tokio::spawn(publish.into_future());
    let mut some = vec![0; 32 * 1024];
    while !publish.is_finished() {
        tokio::time::sleep(SECOND).await;
        assert!(client.disconnected().is_none(), "{:?}", client.disconnected());
        assert!(server.io.read(&mut some).await.unwrap() > 0);
    }
    publish.await.unwrap().unwrap();
    // A server that stops reading is gone, however much there is to write.
    let stuck = tokio::spawn(client.publish("a", vec![0; 1 << 20]).timeout(600 * SECOND).into_future());
    assert!(matches!(over(&client).await.kind(), DisconnectKind::KeepAlive));
    stuck.await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_program_that_pings_does_not_hide_that_the_link_is_dead() {
    let options = builder().keep_alive(KEEP_ALIVE);
    let (client, _server) = connected_with(Version::V5, options, ConnAckProperties::default()).await;
    let pinging = tokio::spawn({
        let client = client.clone();
        async move {
            while client.disconnected().is_none() {
                drop(client.ping().timeout(SECOND).await);
            }
        }
    });
    let cause = tokio::time::timeout(10 * SECOND, over(&client)).await.unwrap();
    pinging.await.unwrap();
    assert!(matches!(cause.kind(), DisconnectKind::KeepAlive), "{cause:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pingresp_that_nobody_asked_for_answers_nothing() {
    let (client, mut server) = connected_with(Version::V5, builder(), ConnAckProperties::default()).await;
    server.send(Packet::PingResp).await;
    server.send(Packet::PingResp).await;
    tokio::time::sleep(SECOND).await;
    let mut ping = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    assert!(tokio::time::timeout(SECOND, &mut ping).await.is_err());
    assert!(matches!(server.packet().await, Packet::PingReq));
    server.send(Packet::PingResp).await;
    bounded("the answer", ping).await.unwrap().unwrap();
}
