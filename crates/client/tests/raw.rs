//! Packets in and out without a session.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use gridmq_client::auth::{AuthError, FnToken, JwtAuthenticator, Token, User};
use gridmq_client::error::{ConnectErrorKind, Stage};
use gridmq_client::raw::{Packet, RawClient, RawError};
use gridmq_client::{Client, QoS, Version};
use gridmq_proto::packet::PacketType;
use support::{Peer, bytes_of, message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

async fn pair() -> (RawClient, Peer<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("mqtt://{}", listener.local_addr().unwrap());
    let options = Client::builder(&address).client_id("raw").maximum_packet_size(1024);
    let (client, accepted) = tokio::join!(options.open_raw(), listener.accept());
    (client.unwrap(), Peer::new(accepted.unwrap().0, Version::V5))
}

#[tokio::test]
async fn packets_go_out_and_come_in_and_nothing_goes_by_itself() {
    let (mut raw, mut server) = pair().await;
    assert!(timeout(Duration::from_millis(100), server.next()).await.is_err(), "nothing was asked for");
    let connect = raw.connect_packet();
    raw.send(&connect).await.unwrap();
    assert_eq!(server.accept(false, <_>::default()).await.client_id, "raw");
    assert_eq!(raw.receive().await.unwrap().unwrap().packet_type(), PacketType::ConnAck);
    // It acknowledges nothing.
    server.deliver("a", "x", QoS::AtLeastOnce, 5).await;
    assert_eq!(raw.receive().await.unwrap().unwrap().packet_type(), PacketType::Publish);
    assert!(timeout(Duration::from_millis(100), server.next()).await.is_err());
    raw.feed(&Packet::PingReq).unwrap();
    raw.feed(&Packet::PingReq).unwrap();
    raw.flush().await.unwrap();
    assert_eq!((server.packet().await, server.packet().await), (Packet::PingReq, Packet::PingReq));
    raw.close().await.unwrap();
    assert_eq!(server.next().await, None);
}

#[tokio::test]
async fn a_receive_that_is_dropped_loses_nothing() {
    let (mut raw, mut server) = pair().await;
    let connect = raw.connect_packet();
    raw.send(&connect).await.unwrap();
    server.accept(false, <_>::default()).await;
    raw.receive().await.unwrap();
    let bytes = bytes_of(&Packet::Publish(message("a/b", "hello", QoS::AtMostOnce, 0)), Version::V5);
    for byte in &bytes {
        assert!(timeout(Duration::from_millis(2), raw.receive()).await.is_err());
        server.io.write_all(&[*byte]).await.unwrap();
    }
    let Some(Packet::Publish(publish)) = raw.receive().await.unwrap() else { panic!() };
    assert_eq!(&publish.payload[..], b"hello");
}

#[tokio::test]
async fn a_send_that_is_dropped_leaves_no_half_packet() {
    let (mut raw, mut server) = pair().await;
    let connect = raw.connect_packet();
    raw.send(&connect).await.unwrap();
    server.accept(false, <_>::default()).await;
    // The server reads nothing, so some packet is cut short.
    let large = Packet::Publish(message("a", &"x".repeat(500_000), QoS::AtMostOnce, 0));
    let mut taken = 0;
    loop {
        match timeout(Duration::from_millis(50), raw.send(&large)).await {
            Ok(Ok(())) | Err(_) => taken += 1,
            Ok(Err(RawError::Backlog { waiting })) => break assert!(waiting >= 1 << 20),
            Ok(Err(other)) => panic!("{other}"),
        }
    }
    let read = async {
        for _ in 0..taken {
            assert_eq!(server.publish().await.payload.len(), 500_000);
        }
        assert_eq!(server.packet().await, Packet::PingReq);
    };
    let send = async {
        raw.flush().await.unwrap();
        raw.send(&Packet::PingReq).await.unwrap();
    };
    tokio::join!(read, send);
}

#[tokio::test]
async fn what_is_not_mqtt_or_too_large_or_cut_is_an_error_of_its_own() {
    let (mut raw, mut server) = pair().await;
    server.io.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    assert!(matches!(raw.receive().await, Err(RawError::NotMqtt(_))));
    // No packet's beginning is found behind it, whatever comes.
    server.io.write_all(&bytes_of(&Packet::PingResp, Version::V5)).await.unwrap();
    assert!(matches!(raw.receive().await, Err(RawError::NotMqtt(_))));

    let (mut raw, mut server) = pair().await;
    let connect = raw.connect_packet();
    raw.send(&connect).await.unwrap();
    server.accept(false, <_>::default()).await;
    raw.receive().await.unwrap();
    let large = bytes_of(&Packet::Publish(message("a", &"x".repeat(2_000), QoS::AtMostOnce, 0)), Version::V5);
    server.io.write_all(&large).await.unwrap();
    assert!(matches!(raw.receive().await, Err(RawError::Violation(_))));

    let (mut raw, mut server) = pair().await;
    server.io.write_all(&[0x20, 0x03]).await.unwrap();
    server.io.shutdown().await.unwrap();
    assert!(matches!(raw.receive().await, Err(RawError::Network(_))));

    let (mut raw, mut server) = pair().await;
    server.io.shutdown().await.unwrap();
    assert!(matches!(raw.receive().await, Ok(None)));
}

#[tokio::test]
async fn the_connect_has_what_providers_say() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = || Client::builder(&format!("mqtt://{}", listener.local_addr().unwrap())).client_id("raw");
    let asked = options().user_provider(Arc::new(|| async { Ok(User::new("asked").with_password("now")) }));
    let raw = asked.open_raw().await.unwrap();
    let Packet::Connect(connect) = raw.connect_packet() else { panic!() };
    assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (Some("asked"), Some(&b"now"[..])));

    let token = || Arc::new(JwtAuthenticator::oauth2(FnToken::new(|| async { Ok(Token::new("tell-tale")) })));
    let raw = options().authenticator(token()).open_raw().await.unwrap();
    let Packet::Connect(connect) = raw.connect_packet() else { panic!() };
    assert_eq!(connect.properties.authentication_method.as_deref(), Some("OAUTH2-JWT"));
    assert_eq!(connect.properties.authentication_data.as_deref(), Some(&b"tell-tale"[..]));
    // It goes where a client's would go, and nowhere else.
    let error = Client::builder("mqtt://broker.example").authenticator(token()).open_raw().await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "authenticator", .. }), "{error}");

    let failing = options().user_provider(Arc::new(|| async { Err(AuthError::other("a test", "not now")) }));
    assert_eq!(failing.open_raw().await.unwrap_err().stage(), Stage::Credentials);
}

#[tokio::test]
async fn what_waits_to_be_written_is_not_shown() {
    let (mut raw, _server) = pair().await;
    raw.feed(&Packet::Publish(message("a", "s3cr3t", QoS::AtMostOnce, 0))).unwrap();
    let shown = format!("{raw:?}");
    assert!(shown.contains("outgoing") && !shown.contains("s3cr3t"), "{shown}");
}

#[tokio::test]
async fn what_the_server_does_not_take_is_not_sent() {
    let (mut raw, mut server) = pair().await;
    raw.set_server_maximum(Some(64));
    let publish = Packet::Publish(message("a", &"x".repeat(100), QoS::AtMostOnce, 0));
    assert!(matches!(raw.send(&publish).await, Err(RawError::Packet(_))));
    raw.send(&Packet::PingReq).await.unwrap();
    raw.close().await.unwrap();
    let mut all = Vec::new();
    server.io.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, [0xC0, 0]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_with_its_stage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("mqtt://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(Client::builder(&address).open_raw().await.unwrap_err().stage(), Stage::Tcp);
    assert_eq!(Client::builder("mqtt://").open_raw().await.unwrap_err().stage(), Stage::Options);
}
