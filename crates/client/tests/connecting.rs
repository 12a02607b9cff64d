//! CONNECT and its answer, and the options before it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_client::error::{AddressError, ConnectErrorKind, Side, Stage};
use gridmq_client::{Client, ConnectionState, QoS, ReasonCode, Version, Will};
use gridmq_proto::packet::{ConnAck, ConnAckProperties, Packet};
use gridmq_tls::{Identity, Trust};
use support::{builder, connected, connected_with, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const VERSIONS: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];

#[tokio::test]
async fn what_was_asked_for_stands_in_the_connect() {
    for version in VERSIONS {
        let (connect, mut server) = pair(version);
        let will = Will::new("last/words", "gone").qos(QoS::AtLeastOnce).retain(true);
        let builder = Client::builder("mqtt://url-user:pass%3Aword@memory")
            .client_id("client1-session1")
            .keep_alive(Duration::from_millis(29_500))
            .clean_start(false)
            .will(will);
        let (client, connect) = tokio::join!(connect(builder), server.accept(false, ConnAckProperties::default()));
        let client = client.unwrap();
        assert_eq!(connect.version, version);
        assert_eq!(connect.client_id, "client1-session1");
        assert_eq!(connect.username.as_deref(), Some("url-user"));
        assert_eq!(connect.password.as_deref(), Some(&b"pass:word"[..]));
        assert_eq!(connect.keep_alive, 30);
        assert!(!connect.clean_start);
        let will = connect.will.unwrap();
        assert_eq!((will.message.topic.as_str(), will.qos, will.retain), ("last/words", QoS::AtLeastOnce, true));
        assert_eq!(connect.properties.receive_maximum.is_some(), version.is_v5());
        assert_eq!(client.info().unwrap().client_id, "client1-session1");
        assert!(matches!(&*client.state().borrow(), ConnectionState::Connected(info) if info.version == version));
        assert!(client.disconnected().is_none());
    }
}

#[tokio::test]
async fn the_assigned_identifier_and_the_servers_limits_are_known() {
    let properties = ConnAckProperties {
        assigned_client_identifier: Some("srv-1".into()),
        server_keep_alive: Some(7),
        maximum_qos: Some(QoS::AtLeastOnce),
        ..ConnAckProperties::default()
    };
    let (client, _server) = connected_with(Version::V5, Client::builder("mqtt://memory"), properties).await;
    let info = client.info().unwrap();
    assert_eq!(info.client_id, "srv-1");
    assert_eq!(info.limits.keep_alive, 7);
    assert_eq!(info.limits.maximum_qos, QoS::AtLeastOnce);
    assert!(!info.session_present && info.tls.is_none() && info.address.is_none());
}

#[tokio::test]
async fn a_refusal_has_reason_words_and_side_on_every_version() {
    for version in VERSIONS {
        let (connect, mut server) = pair(version);
        let refuse = async {
            server.connect().await;
            let reason_string = version.is_v5().then(|| "unknown client".into());
            let properties = ConnAckProperties { reason_string, ..ConnAckProperties::default() };
            let ack = ConnAck { session_present: false, reason: ReasonCode::NotAuthorized, properties };
            server.send(Packet::ConnAck(Box::new(ack))).await;
        };
        let (refused, ()) = tokio::join!(connect(builder()), refuse);
        let error = refused.unwrap_err();
        assert_eq!(error.reason(), Some(ReasonCode::NotAuthorized));
        assert_eq!((error.side(), error.stage()), (Side::Server, Stage::Connect));
        assert_eq!(error.reason_string(), version.is_v5().then_some("unknown client"));
        assert!(!error.advice().is_empty());
        // General advice is shown where the server says nothing itself.
        assert_eq!(error.to_string().contains(error.advice()), error.reason_string().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_runs_into_the_one_deadline() {
    let (connect, mut server) = pair(Version::V5);
    let started = tokio::time::Instant::now();
    let (late, _) = tokio::join!(connect(builder().connect_timeout(Duration::from_secs(9))), server.connect());
    let error = late.unwrap_err();
    assert_eq!((error.side(), error.stage()), (Side::Network, Stage::Connect));
    assert!(matches!(error.kind(), ConnectErrorKind::Timeout { after, .. } if *after == Duration::from_secs(9)));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_server_that_closes_instead_of_answering_is_told_from_one_that_refuses() {
    let (connect, mut server) = pair(Version::V3_1_1);
    let close = async {
        server.connect().await;
        drop(server);
    };
    let (closed, ()) = tokio::join!(connect(builder()), close);
    let error = closed.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Closed));
    assert_eq!((error.side(), error.stage(), error.reason()), (Side::Server, Stage::Connect, None));
}

#[tokio::test]
async fn what_is_not_mqtt_is_recognised() {
    for (answer, foreign) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], true),
        (b"\x15\x03\x03\x00\x02\x02\x0a", true),
        (b"\x20\x03\x00\x00", false),
        (b"\xf7\x00\x00\x00", false),
    ] {
        let (connect, mut server) = pair(Version::V5);
        let say = async {
            server.connect().await;
            server.io.write_all(answer).await.unwrap();
            server.io.shutdown().await.unwrap();
            let mut rest = Vec::new();
            server.io.read_to_end(&mut rest).await.ok();
        };
        let (failed, ()) = tokio::join!(connect(builder()), say);
        let error = failed.unwrap_err();
        assert_eq!(matches!(error.kind(), ConnectErrorKind::NotMqtt(_)), foreign, "{error}");
        assert_eq!(error.stage(), Stage::Connect);
    }
}

#[tokio::test]
async fn mqtt5_3_2_0_1_a_first_packet_that_is_no_connack_ends_it() {
    let (connect, mut server) = pair(Version::V5);
    let ping = async {
        server.connect().await;
        server.send(Packet::PingResp).await;
    };
    let (failed, ()) = tokio::join!(connect(builder()), ping);
    assert!(matches!(failed.unwrap_err().kind(), ConnectErrorKind::Violation(_)));
}

#[tokio::test]
async fn a_server_that_accepts_and_leaves_at_once_has_refused() {
    let (connect, mut server) = pair(Version::V5);
    let both = async {
        server.connect().await;
        let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties: <_>::default() };
        let mut bytes = bytes::BytesMut::new();
        for packet in [
            Packet::ConnAck(Box::new(ack)),
            Packet::Disconnect(gridmq_proto::packet::Disconnect {
                reason: ReasonCode::QuotaExceeded,
                properties: <_>::default(),
            }),
        ] {
            gridmq_proto::codec::encode(&packet, Version::V5, None, &mut bytes).unwrap();
        }
        server.io.write_all(&bytes).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(connect(builder()), both);
    assert_eq!(outcome.unwrap_err().reason(), Some(ReasonCode::QuotaExceeded));
}

#[tokio::test]
async fn options_that_cannot_work_are_found_before_anything_is_sent() {
    let options = |error: &gridmq_client::ConnectError| (error.stage(), error.side()) == (Stage::Options, Side::Us);
    let error = Client::builder("ftp://host").connect().await.unwrap_err();
    assert!(options(&error));
    assert!(matches!(error.kind(), ConnectErrorKind::Address(AddressError::UnknownScheme { .. })));

    let error = builder().keep_alive(Duration::from_secs(65_536)).connect().await.unwrap_err();
    assert!(options(&error) && matches!(error.kind(), ConnectErrorKind::Option { option: "keep_alive", .. }));
    let error = builder().receive_maximum(0).connect().await.unwrap_err();
    assert!(options(&error) && matches!(error.kind(), ConnectErrorKind::Option { option: "receive_maximum", .. }));
    let error = builder().will(Will::new("a/#", "")).connect().await.unwrap_err();
    assert!(options(&error) && matches!(error.kind(), ConnectErrorKind::Option { option: "will", .. }));

    for (name, builder) in [
        ("session_expiry", builder().session_expiry(Duration::from_secs(60))),
        ("user_property", builder().user_property("a", "b")),
        ("will", builder().will(Will::new("a", "").delay(Duration::from_secs(1)))),
    ] {
        let error = builder.version(Version::V3_1_1).connect().await.unwrap_err();
        assert!(options(&error));
        assert!(matches!(error.kind(), ConnectErrorKind::Option { option, .. } if option.starts_with(name)), "{error}");
    }

    let issued =
        gridmq_tls::issue::self_signed_client("nobody", false, gridmq_tls::issue::Validity::days(0, 1)).unwrap();
    let identity = Identity::from_pem(issued.certificate_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let error = builder().identity(identity).connect().await.unwrap_err();
    assert!(options(&error) && matches!(error.kind(), ConnectErrorKind::IdentityWithoutTls));

    if !cfg!(feature = "platform-verifier") {
        let error = Client::builder("mqtts://localhost").connect().await.unwrap_err();
        assert!(options(&error) && matches!(error.kind(), ConnectErrorKind::NoTrust));
    }
    let none = std::iter::empty::<gridmq_tls::TlsVersion>().collect::<gridmq_tls::TlsVersions>();
    let error = Client::builder("mqtts://localhost").trust(Trust::platform()).tls_versions(none).connect().await;
    assert!(matches!(error.unwrap_err().kind(), ConnectErrorKind::TlsConfig(_)));
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let builder = Client::builder("mqtt://user:s3cret@host").password("s3cret");
    assert!(!format!("{builder:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_connect_that_is_given_up_closes_the_transport() {
    let (connect, mut server) = pair(Version::V5);
    let attempt = tokio::spawn(connect(builder()));
    server.connect().await;
    attempt.abort();
    assert!(server.next().await.is_none());
}

#[tokio::test]
async fn what_this_client_takes_is_announced() {
    let (connect, mut server) = pair(Version::V5);
    let builder = builder().receive_maximum(9).maximum_packet_size(4096);
    let (client, connect) = tokio::join!(connect(builder), server.accept(false, ConnAckProperties::default()));
    assert_eq!(connect.properties.receive_maximum, NonZeroU16::new(9));
    assert_eq!(connect.properties.maximum_packet_size.map(u32::from), Some(4096));
    drop(client);
    let (client, _server) = connected(Version::V5).await;
    assert!(client.disconnected().is_none());
}
