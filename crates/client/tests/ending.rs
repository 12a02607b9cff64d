//! How a connection ends, and what is told about it.
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
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use gridmq_client::error::{DisconnectKind, Side};
use gridmq_client::{Client, ConnectionState, DisconnectCause, QoS, ReasonCode, Version, Will};
use gridmq_proto::packet::{ConnAckProperties, Disconnect, DisconnectProperties, Packet};
use support::{Peer, builder, connected, connected_with};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf};

async fn ended(client: &Client) -> DisconnectCause {
    let mut state = client.state();
    state.wait_for(|state| matches!(state, ConnectionState::Disconnected(_))).await.unwrap();
    client.disconnected().unwrap()
}

#[tokio::test]
async fn mqtt5_3_14_4_1_and_3_14_4_2_and_mqtt311_3_14_4_1_and_3_14_4_2_after_disconnect_nothing_is_sent_and_the_connection_closed()
 {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        client.publish("a", "last").await.unwrap();
        let serve = async {
            assert_eq!(&server.publish().await.payload[..], b"last");
            let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
            assert_eq!(disconnect.reason, ReasonCode::NORMAL_DISCONNECTION);
            assert!(server.next().await.is_none());
            server.hang_up().await;
        };
        let (left, ()) = tokio::join!(client.disconnect().into_future(), serve);
        left.unwrap();
        assert!(client.disconnected().unwrap().is_requested());
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn leaving_can_have_the_will_published_and_change_the_sessions_expiry() {
    let builder = builder().will(Will::new("w", "")).session_expiry(Duration::from_secs(60));
    let (client, mut server) = connected_with(Version::V5, builder, <_>::default()).await;
    let leave = client.disconnect().publish_will().session_expiry(Duration::ZERO);
    let serve = async {
        let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
        assert_eq!(disconnect.reason, ReasonCode::DisconnectWithWillMessage);
        assert_eq!(disconnect.properties.session_expiry_interval, Some(0));
        drop(server);
    };
    tokio::join!(leave.into_future(), serve).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_close_is_not_waited_for_long() {
    let (client, mut server) = connected(Version::V5).await;
    let started = tokio::time::Instant::now();
    client.disconnect().await.unwrap();
    assert!(started.elapsed() <= Duration::from_secs(3));
    assert!(matches!(server.packet().await, Packet::Disconnect(_)));
}

/// All that is still to be written takes longer than a silent server is waited for.
#[tokio::test(start_paused = true)]
async fn over_a_slow_link_all_that_was_said_arrives() {
    let (client, mut server) = connected(Version::V5).await;
    let payload = vec![0; 150 * 1024];
    let _ticket = client.publish("a", payload.clone()).enqueue().await.unwrap();
    let leaving = tokio::spawn(client.disconnect().into_future());
    let (mut all, mut some) = (Vec::new(), [0; 16 * 1024]);
    while !all.ends_with(&[0xE0, 0]) {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let read = server.io.read(&mut some).await.unwrap();
        assert!(read > 0, "{} bytes", all.len());
        all.extend_from_slice(&some[..read]);
    }
    assert!(all.len() > payload.len());
    drop(server);
    leaving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reads_and_reads_is_not_waited_for_without_end() {
    let (client, mut server) = connected(Version::V5).await;
    let _ticket = client.publish("a", vec![0; 1 << 20]).enqueue().await.unwrap();
    let started = tokio::time::Instant::now();
    let leaving = tokio::spawn(client.disconnect().into_future());
    let mut some = [0; 16];
    while !leaving.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(server.io.read(&mut some).await.unwrap() > 0);
    }
    leaving.await.unwrap().unwrap();
    let took = started.elapsed();
    assert!((Duration::from_secs(30)..Duration::from_secs(32)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn how_long_a_server_may_take_to_close_can_be_said() {
    let (client, mut server) = connected(Version::V5).await;
    let started = tokio::time::Instant::now();
    client.disconnect().timeout(Duration::from_secs(20)).await.unwrap();
    let took = started.elapsed();
    assert!((Duration::from_secs(20)..Duration::from_secs(21)).contains(&took), "{took:?}");
    assert!(matches!(server.packet().await, Packet::Disconnect(_)));
}

#[tokio::test]
async fn the_last_handle_leaves_in_order() {
    let (client, mut server) = connected(Version::V5).await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), server.grant(ReasonCode::GRANTED_QOS_0));
    let clone = client.clone();
    drop(client);
    drop(clone);
    server.silence().await;
    drop(subscription);
    let mut last = server.packet().await;
    if matches!(last, Packet::Unsubscribe(_)) {
        last = server.packet().await;
    }
    assert!(matches!(last, Packet::Disconnect(disconnect) if disconnect.reason == ReasonCode::NORMAL_DISCONNECTION));
}

#[tokio::test]
async fn a_servers_disconnect_is_told_to_everybody() {
    let (client, mut server) = connected(Version::V5).await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), server.grant(ReasonCode::GRANTED_QOS_0));
    let mut subscription = subscription.unwrap();
    let mut messages = client.messages();
    let properties =
        DisconnectProperties { reason_string: Some("another one came".into()), ..DisconnectProperties::default() };
    let reason = ReasonCode::SessionTakenOver;
    server.send(Packet::Disconnect(Disconnect { reason, properties })).await;
    let cause = ended(&client).await;
    assert_eq!((cause.reason(), cause.reason_string()), (Some(reason), Some("another one came")));
    assert_eq!(cause.side(), Side::Server);
    assert!(subscription.next().await.is_none());
    assert!(messages.next().await.is_none());
    assert!(client.messages().next().await.is_none());
    let error = client.disconnect().await.unwrap_err();
    assert_eq!(error.reason(), Some(reason));
}

#[tokio::test]
async fn a_broken_rule_is_answered_and_told() {
    let (client, mut server) = connected(Version::V5).await;
    // A SUBACK that nobody asked for.
    let ack = gridmq_proto::packet::SubAck {
        packet_id: 9_u16.try_into().unwrap(),
        properties: <_>::default(),
        reasons: vec![ReasonCode::GrantedQos1],
    };
    server.send(Packet::SubAck(ack)).await;
    let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
    assert_eq!(disconnect.reason, ReasonCode::ProtocolError);
    let cause = ended(&client).await;
    assert!(matches!(cause.kind(), DisconnectKind::Violation(_)));
    assert_eq!(cause.side(), Side::Us);
}

#[tokio::test]
async fn a_packet_above_the_announced_size_ends_the_connection() {
    let (client, mut server) = connected_with(Version::V5, builder().maximum_packet_size(100), <_>::default()).await;
    server.deliver("a", &"x".repeat(100), QoS::AtMostOnce, 0).await;
    let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
    assert_eq!(disconnect.reason, ReasonCode::PacketTooLarge);
    assert!(matches!(ended(&client).await.kind(), DisconnectKind::Violation(_)));
}

#[tokio::test(start_paused = true)]
async fn mqtt5_3_2_2_21_the_servers_keep_alive_is_kept_and_a_silent_server_noticed() {
    let properties = ConnAckProperties { server_keep_alive: Some(8), ..ConnAckProperties::default() };
    let builder = builder().keep_alive(Duration::from_secs(600));
    let (client, mut server) = connected_with(Version::V5, builder, properties).await;
    let started = tokio::time::Instant::now();
    for _ in 0..3 {
        assert!(matches!(server.packet().await, Packet::PingReq));
        server.send(Packet::PingResp).await;
    }
    assert!(started.elapsed() <= Duration::from_secs(24));
    let answered = tokio::time::Instant::now();
    let cause = ended(&client).await;
    assert!(matches!(cause.kind(), DisconnectKind::KeepAlive));
    assert!(answered.elapsed() <= Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn publishing_alone_does_not_hide_a_dead_link() {
    let (client, mut server) =
        connected_with(Version::V5, builder().keep_alive(Duration::from_secs(8)), <_>::default()).await;
    let started = tokio::time::Instant::now();
    let publish = async {
        while client.publish("a", "").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let serve = async { while server.next().await.is_some() {} };
    tokio::select! {
        () = publish => {}
        () = serve => {}
    }
    assert!(started.elapsed() <= Duration::from_secs(13));
    assert!(matches!(ended(&client).await.kind(), DisconnectKind::KeepAlive));
}

/// Writing fails from the moment on that the switch is set; reading goes on.
struct HalfBroken {
    io: DuplexStream,
    broken: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl AsyncRead for HalfBroken {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for HalfBroken {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken.load(std::sync::atomic::Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_the_servers_reason_is_still_heard() {
    for says_why in [true, false] {
        let (io, far) = tokio::io::duplex(4096);
        let broken = std::sync::Arc::default();
        let stream = HalfBroken { io, broken: std::sync::Arc::clone(&broken) };
        let mut server = Peer::new(far, Version::V5);
        let (client, _) = tokio::join!(builder().connect_over(stream), server.accept(false, <_>::default()));
        let client = client.unwrap();
        broken.store(true, std::sync::atomic::Ordering::Relaxed);
        let late = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if says_why {
                let reason = ReasonCode::PacketTooLarge;
                server.send(Packet::Disconnect(Disconnect { reason, properties: <_>::default() })).await;
            }
            server
        };
        let (failed, _server) = tokio::join!(client.publish("a", "").into_future(), late);
        assert!(failed.is_err());
        let cause = ended(&client).await;
        if says_why {
            assert_eq!(cause.reason(), Some(ReasonCode::PacketTooLarge));
        } else {
            assert!(matches!(cause.kind(), DisconnectKind::Network(_)));
        }
    }
}

#[test]
fn a_runtime_that_goes_takes_no_stream_for_waiting() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (client, _server) = runtime.block_on(connected(Version::V5));
    let mut messages = client.messages();
    runtime.shutdown_timeout(Duration::from_secs(5));
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(other.block_on(messages.next()).is_none());
    assert!(matches!(client.disconnected().unwrap().kind(), DisconnectKind::Stopped));
}
