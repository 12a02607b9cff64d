//! A server that goes silent in each phase: what waits ends in time with a typed error, and says where.
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

use gridmq_client::error::{ConnectErrorKind, DisconnectKind, Stage};
use gridmq_client::{Client, Options, PublishError, QoS, ReasonCode, SubscribeError, Version};
use gridmq_proto::packet::{Ack, ConnAck, Packet};
use gridmq_tls::Trust;
use gridmq_tls::issue::{CertificateAuthority, Validity};
use support::{bounded, builder, bytes_of, connected_with, message, over, pair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(3);
/// What scheduling may add.
const SLACK: Duration = Duration::from_millis(100);

fn impatient() -> Options {
    builder().connect_timeout(CONNECT).request_timeout(REQUEST).keep_alive(Duration::ZERO)
}

fn trusting() -> Trust {
    let root = CertificateAuthority::new_root("Stalling Root", Validity::days(1_900_000_000, 1)).unwrap();
    Trust::only_pem(root.certificate_pem().as_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn in_the_tls_handshake() {
    // Nothing at all, the beginning of a record's header, and of a handshake message.
    for said in [&b""[..], &[0x16, 0x03], &[0x16, 0x03, 0x03, 0x00, 0x7a, 0x02, 0x00]] {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let started = Instant::now();
        let options = Client::builder("mqtts://memory").connect_timeout(CONNECT).trust(trusting());
        let serve = async {
            far.write_all(said).await.unwrap();
            let mut hello = Vec::new();
            far.read_to_end(&mut hello).await.ok();
        };
        let (failed, ()) = bounded("TLS", async { tokio::join!(options.connect_over(near), serve) }).await;
        let error = failed.unwrap_err();
        assert_eq!(error.stage(), Stage::Tls, "{error}");
        assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
        assert!(started.elapsed() <= CONNECT + SLACK, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn before_and_within_connack() {
    for version in [Version::V5, Version::V3_1_1] {
        let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties: <_>::default() };
        let whole = bytes_of(&Packet::ConnAck(Box::new(ack)), version);
        for part in 0..whole.len() {
            let (connect, mut server) = pair(version);
            let started = Instant::now();
            let serve = async {
                server.connect().await;
                server.raw(&whole[..part]).await;
                while server.next().await.is_some() {}
            };
            let (failed, ()) = bounded("CONNACK", async { tokio::join!(connect(impatient()), serve) }).await;
            let error = failed.unwrap_err();
            assert_eq!(error.stage(), Stage::Connect, "{error}");
            assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
            assert!(started.elapsed() <= CONNECT + Duration::from_secs(2) + SLACK, "{:?}", started.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_reads_the_connect() {
    // The CONNECT does not fit into what the network takes.
    let (near, far) = tokio::io::duplex(16);
    let options = impatient().username("x".repeat(1000));
    let failed = bounded("CONNECT", options.connect_over(near)).await;
    assert!(matches!(failed.unwrap_err().kind(), ConnectErrorKind::Timeout { .. }));
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn before_suback_and_unsuback() {
    let (client, mut server) = connected_with(Version::V5, impatient(), <_>::default()).await;
    let started = Instant::now();
    let late = bounded("SUBACK", client.subscribe("a", QoS::AtLeastOnce).into_future()).await;
    assert!(matches!(late, Err(SubscribeError::Timeout { .. })), "{late:?}");
    assert!(started.elapsed() <= REQUEST + SLACK);
    assert!(matches!(server.packet().await, Packet::Subscribe(_)));

    let started = Instant::now();
    let late = bounded("UNSUBACK", client.unsubscribe("a").into_future()).await;
    assert!(matches!(late, Err(SubscribeError::Timeout { .. })), "{late:?}");
    assert!(started.elapsed() <= REQUEST + SLACK);
    assert!(client.disconnected().is_none(), "the connection is not what was late");
}

#[tokio::test(start_paused = true)]
async fn before_puback_pubrec_and_pubcomp() {
    for (qos, recorded) in [(QoS::AtLeastOnce, false), (QoS::ExactlyOnce, false), (QoS::ExactlyOnce, true)] {
        let (client, mut server) = connected_with(Version::V5, impatient(), <_>::default()).await;
        let started = Instant::now();
        let serve = async {
            let id = server.publish().await.packet_id.unwrap();
            if recorded {
                server.send(Packet::PubRec(Ack::new(id, ReasonCode::Success))).await;
                assert!(matches!(server.packet().await, Packet::PubRel(_)));
            }
        };
        let publish = client.publish("a", "").qos(qos).into_future();
        let (late, ()) = bounded("an acknowledgement", async { tokio::join!(publish, serve) }).await;
        assert!(matches!(late, Err(PublishError::Timeout { .. })), "{late:?}");
        assert!(started.elapsed() <= REQUEST + SLACK);
        assert!(client.disconnected().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn before_pingresp() {
    let keep_alive = Duration::from_secs(10);
    let (client, mut server) = connected_with(Version::V5, impatient().keep_alive(keep_alive), <_>::default()).await;
    let started = Instant::now();
    let late = bounded("PINGRESP", client.ping()).await;
    late.unwrap_err();
    assert!(started.elapsed() <= REQUEST + SLACK);
    let serve = async { while server.next().await.is_some() {} };
    let (cause, ()) = bounded("the keep-alive", async { tokio::join!(over(&client), serve) }).await;
    assert!(matches!(cause.kind(), DisconnectKind::KeepAlive), "{cause}");
    assert!(started.elapsed() <= keep_alive * 3 / 2 + Duration::from_secs(2) + SLACK, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_packet() {
    let whole = bytes_of(&Packet::Publish(message("a/b", "payload", QoS::AtMostOnce, 0)), Version::V5);
    for part in 1..whole.len() {
        let options = impatient().keep_alive(Duration::from_secs(10));
        let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
        let started = Instant::now();
        server.raw(&whole[..part]).await;
        let serve = async { while server.next().await.is_some() {} };
        let (cause, ()) = bounded("half a packet", async { tokio::join!(over(&client), serve) }).await;
        assert!(matches!(cause.kind(), DisconnectKind::KeepAlive), "{cause}");
        assert!(started.elapsed() <= Duration::from_secs(17) + SLACK, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_but_make_no_packet_are_no_sign_of_life_for_ever() {
    // A packet of 4 MiB, a byte each second: it would take 48 days.
    let options = impatient().keep_alive(Duration::from_secs(10));
    let (client, server) = connected_with(Version::V5, options, <_>::default()).await;
    let (mut read, mut write) = tokio::io::split(server.io);
    let trickle = async {
        write.write_all(&[0x30, 0xff, 0xff, 0xff, 0x01]).await.unwrap();
        while write.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let swallow = async {
        let mut buffer = [0; 1024];
        while read.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    let cause = bounded("a trickle", async {
        tokio::select! {
            cause = over(&client) => cause,
            _ = async { tokio::join!(trickle, swallow) } => over(&client).await,
        }
    })
    .await;
    assert!(matches!(cause.kind(), DisconnectKind::KeepAlive | DisconnectKind::Violation(_)), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_reading_holds_back_publishing_and_nothing_else() {
    let options = impatient().keep_alive(Duration::from_secs(20));
    let (client, server) = connected_with(Version::V5, options, <_>::default()).await;
    let started = Instant::now();
    let mut outcomes = Vec::new();
    // More than all buffers on the way hold.
    for _ in 0..40 {
        let outcome = bounded("publishing", client.publish("a", vec![0; 64 * 1024]).into_future()).await;
        outcomes.push(outcome.is_ok());
        if !outcomes.last().unwrap() {
            break;
        }
    }
    assert_eq!(outcomes.last(), Some(&false), "everything was taken by somebody who reads nothing");
    let cause = bounded("the keep-alive", over(&client)).await;
    assert!(matches!(cause.kind(), DisconnectKind::KeepAlive | DisconnectKind::Network(_)), "{cause}");
    assert!(started.elapsed() <= Duration::from_secs(33), "{:?}", started.elapsed());
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn after_disconnect() {
    // Neither reads nor closes.
    let (client, server) = connected_with(Version::V5, impatient(), <_>::default()).await;
    let started = Instant::now();
    bounded("leaving", client.disconnect().into_future()).await.unwrap();
    assert!(started.elapsed() <= Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(client.disconnected().unwrap().is_requested());
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn leaving_while_the_network_takes_nothing() {
    let (near, far) = tokio::io::duplex(256);
    let mut server = support::Peer::new(far, Version::V5);
    let (client, _) = tokio::join!(impatient().connect_over(near), server.accept(false, <_>::default()));
    let client = client.unwrap();
    let publish = tokio::spawn(client.publish("a", vec![0; 100_000]).qos(QoS::AtLeastOnce).into_future());
    tokio::task::yield_now().await;
    let started = Instant::now();
    let _ = bounded("leaving", client.disconnect().into_future()).await;
    assert!(started.elapsed() <= Duration::from_secs(10), "{:?}", started.elapsed());
    bounded("the message", publish).await.unwrap().unwrap_err();
    over(&client).await;
    drop(server);
}
