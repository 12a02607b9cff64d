//! Fifteen ways in which a client of another maker goes wrong, and what ours does on the wire instead.
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

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_client::error::{AddressError, ConnectErrorKind, DisconnectKind, Stage};
use gridmq_client::{Client, PublishError, QoS, ReasonCode, SubscribeError, Version};
use gridmq_proto::packet::{Ack, Auth, AuthProperties, ConnAckProperties, Packet};
use gridmq_proto::session::client::RequestError;
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, Trust};
use support::{Peer, bounded, builder, connected, connected_with, message, over, pair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;
use venue::Venue;

const BOTH: [Version; 2] = [Version::V5, Version::V3_1_1];

#[tokio::test(start_paused = true)]
async fn defect_01_the_servers_keep_alive_is_kept_also_where_none_was_asked_for() {
    for asked in [600, 0] {
        let properties = ConnAckProperties { server_keep_alive: Some(4), ..ConnAckProperties::default() };
        let options = builder().keep_alive(Duration::from_secs(asked));
        let (client, mut server) = connected_with(Version::V5, options, properties).await;
        for _ in 0..5 {
            let before = Instant::now();
            assert!(matches!(bounded("a ping", server.packet()).await, Packet::PingReq));
            assert!(before.elapsed() <= Duration::from_secs(4), "asked {asked}: {:?}", before.elapsed());
            // An answer that takes a moment is no missing answer.
            tokio::time::sleep(Duration::from_millis(500)).await;
            server.send(Packet::PingResp).await;
        }
        assert!(client.disconnected().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn defect_02_what_is_sent_says_nothing_of_a_link_that_brings_nothing() {
    let options = builder().keep_alive(Duration::from_secs(10));
    let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
    let started = Instant::now();
    let publish = async {
        while client.publish("a", "").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let swallow = async { while server.next().await.is_some() {} };
    bounded("a half-open link", async { tokio::join!(publish, swallow) }).await;
    assert!(started.elapsed() <= Duration::from_secs(16), "{:?}", started.elapsed());
    assert!(matches!(over(&client).await.kind(), DisconnectKind::KeepAlive));
}

#[tokio::test(start_paused = true)]
async fn defect_03_no_more_is_sent_than_the_server_takes() {
    let properties = ConnAckProperties {
        receive_maximum: NonZeroU16::new(3),
        maximum_packet_size: NonZeroU32::new(200),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        wildcard_subscription_available: Some(false),
        shared_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        topic_alias_maximum: Some(0),
        ..ConnAckProperties::default()
    };
    let (client, mut server) = connected_with(Version::V5, builder(), properties).await;
    let refused = |error: PublishError| match error {
        PublishError::Limit { limit, .. } => limit,
        other => panic!("{other}"),
    };
    let limit = refused(client.publish("a", "").qos(QoS::ExactlyOnce).await.unwrap_err());
    assert!(matches!(limit, RequestError::QosNotSupported { .. }));
    let limit = refused(client.publish("a", "").retain(true).await.unwrap_err());
    assert!(matches!(limit, RequestError::RetainNotSupported));
    let limit = refused(client.publish("a", vec![0; 200]).await.unwrap_err());
    assert!(matches!(limit, RequestError::PacketTooLarge { maximum: 200, .. }));
    for filter in ["a/#", "$share/group/a"] {
        let error = client.subscribe(filter, QoS::AtMostOnce).await.unwrap_err();
        assert!(matches!(error, SubscribeError::Limit(_)), "{filter}: {error}");
    }
    let error = client.subscribe("a", QoS::AtMostOnce).identifier(1).await.unwrap_err();
    assert!(matches!(error, SubscribeError::Limit(_)), "{error}");
    server.silence().await;

    let tasks: Vec<_> =
        (0..10).map(|n| tokio::spawn(client.publish("a", n.to_string()).qos(QoS::AtLeastOnce).into_future())).collect();
    let mut done = 0;
    while done < tasks.len() {
        let mut open = Vec::new();
        while let Ok(publish) = tokio::time::timeout(Duration::from_millis(50), server.publish()).await {
            assert!(publish.topic.is_some() && publish.topic_alias.is_none(), "the server takes no aliases");
            open.push(publish.packet_id.unwrap());
        }
        assert!((1..=3).contains(&open.len()), "{} at once", open.len());
        done += open.len();
        for id in open {
            server.acknowledge(id).await;
        }
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn defect_04_no_message_arrives_without_its_topic() {
    let (connect, mut server) = pair(Version::V5);
    let (client, asked) = tokio::join!(connect(builder()), server.accept(false, <_>::default()));
    let client = client.unwrap();
    let mut messages = client.messages();
    tokio::task::yield_now().await;
    let alias = NonZeroU16::new(1);
    let mut first = message("a/b", "1", QoS::AtMostOnce, 0);
    first.topic_alias = alias;
    let mut second = message("a/b", "2", QoS::AtMostOnce, 0);
    (second.topic, second.topic_alias) = (None, alias);
    server.send(Packet::Publish(first)).await;
    server.send(Packet::Publish(second)).await;
    if asked.properties.topic_alias_maximum.unwrap_or(0) > 0 {
        for expected in ["1", "2"] {
            let message = bounded("a message", messages.next()).await.unwrap();
            assert_eq!((message.topic().as_str(), message.text()), ("a/b", Some(expected)));
        }
    } else {
        // Aliases that were not asked for are the server's fault, not messages.
        assert!(bounded("the end", messages.next()).await.is_none());
        assert!(matches!(over(&client).await.kind(), DisconnectKind::Violation(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn defect_05_a_session_goes_on_with_the_same_identifiers_dup_and_no_duplicates() {
    for version in BOTH {
        let mut venue = Venue::new(version);
        let (client, mut server) = venue.connected(venue.lasting()).await;
        let subscribe = client.subscribe("in", QoS::ExactlyOnce).into_future();
        let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GrantedQos2));
        let mut subscription = subscription.unwrap();
        let publishes: Vec<_> = [("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce), ("3", QoS::ExactlyOnce)]
            .map(|(payload, qos)| tokio::spawn(client.publish("out", payload).qos(qos).into_future()))
            .into();
        let mut before = Vec::new();
        for _ in 0..3 {
            let publish = bounded("a message", server.publish()).await;
            assert!(!publish.dup);
            before.push((publish.packet_id.unwrap(), publish.payload));
        }
        // The last is known to have arrived: it is not sent again, only released.
        server.send(Packet::PubRec(Ack::new(before[2].0, ReasonCode::Success))).await;
        assert!(matches!(bounded("PUBREL", server.packet()).await, Packet::PubRel(_)));
        // And one of the server's has been received and not been released.
        server.deliver("in", "once", QoS::ExactlyOnce, 77).await;
        assert_eq!(bounded("a message", subscription.next()).await.unwrap().text(), Some("once"));
        assert!(matches!(bounded("PUBREC", server.packet()).await, Packet::PubRec(_)));
        drop(server);

        let (mut server, connect) = venue.accept(true, <_>::default()).await;
        assert!(!connect.clean_start);
        for (id, payload) in &before[..2] {
            let again = bounded("a message again", server.publish()).await;
            assert!(again.dup);
            assert_eq!((again.packet_id.unwrap(), &again.payload), (*id, payload));
        }
        let Packet::PubRel(release) = bounded("PUBREL again", server.packet()).await else { panic!() };
        assert_eq!(release.packet_id, before[2].0);
        let mut again = message("in", "once", QoS::ExactlyOnce, 77);
        again.dup = true;
        server.send(Packet::Publish(again)).await;
        assert!(matches!(bounded("PUBREC", server.packet()).await, Packet::PubRec(ack) if ack.packet_id.get() == 77));

        server.acknowledge(before[0].0).await;
        server.send(Packet::PubRec(Ack::new(before[1].0, ReasonCode::Success))).await;
        assert!(matches!(bounded("PUBREL", server.packet()).await, Packet::PubRel(_)));
        for (id, _) in &before[1..] {
            server.send(Packet::PubComp(Ack::new(*id, ReasonCode::Success))).await;
        }
        for publish in publishes {
            bounded("its outcome", publish).await.unwrap().unwrap();
        }
        let more = tokio::time::timeout(Duration::from_millis(50), subscription.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn defect_06_publishing_ends_without_being_told_how_long_to_wait() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (client, mut server) = connected(Version::V5).await;
        // The server lives, and acknowledges nothing.
        let serve = async {
            while let Some(packet) = server.next().await {
                if matches!(packet, Packet::PingReq) {
                    server.send(Packet::PingResp).await;
                }
            }
        };
        let started = Instant::now();
        tokio::select! {
            outcome = bounded("publishing", client.publish("a", "").qos(qos).into_future()) => {
                assert!(matches!(outcome, Err(PublishError::Timeout { .. })), "{outcome:?}");
            }
            () = serve => panic!("the connection is up"),
        }
        assert!(started.elapsed() <= Duration::from_secs(31), "{:?}", started.elapsed());
        assert!(client.disconnected().is_none());
    }
}

#[tokio::test]
async fn defect_07_identifiers_wrap_around_those_that_are_in_use() {
    let (client, mut server) = connected(Version::V5).await;
    let held: Vec<_> =
        (0..3).map(|_| tokio::spawn(client.publish("held", "").qos(QoS::AtLeastOnce).into_future())).collect();
    let mut in_use = BTreeSet::new();
    for _ in 0..3 {
        assert!(in_use.insert(server.publish().await.packet_id.unwrap()));
    }
    let acknowledge = async {
        for _ in 0..66_000_u32 {
            let id = server.publish().await.packet_id.unwrap();
            assert!(!in_use.contains(&id), "{id} is in use");
            server.acknowledge(id).await;
        }
        for id in &in_use {
            server.acknowledge(*id).await;
        }
    };
    let publish = async {
        for _ in 0..66_000_u32 {
            client.publish("a", "").qos(QoS::AtLeastOnce).await.unwrap();
        }
    };
    tokio::join!(acknowledge, publish);
    for publish in held {
        publish.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn defect_08_a_handler_that_fails_gives_its_receive_slots_back() {
    let (client, mut server) = connected_with(Version::V5, builder().receive_maximum(2), <_>::default()).await;
    for round in 0..5_u16 {
        let subscribe = client.subscribe("a", QoS::AtLeastOnce).into_future();
        let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GrantedQos1));
        let mut subscription = subscription.unwrap();
        server.deliver("a", "one", QoS::AtLeastOnce, round * 2 + 1).await;
        server.deliver("a", "two", QoS::AtLeastOnce, round * 2 + 2).await;
        let handler = tokio::spawn(async move {
            subscription.next().await.unwrap();
            std::panic::panic_any("the handler fails");
        });
        handler.await.unwrap_err();
        let mut acknowledged = BTreeSet::new();
        while acknowledged.len() < 2 {
            match server.packet().await {
                Packet::PubAck(ack) => {
                    acknowledged.insert(ack.packet_id.get());
                }
                Packet::Unsubscribe(unsubscribe) => {
                    let reasons = vec![ReasonCode::Success];
                    let packet_id = unsubscribe.packet_id;
                    let ack = gridmq_proto::packet::UnsubAck { packet_id, properties: <_>::default(), reasons };
                    server.send(Packet::UnsubAck(ack)).await;
                }
                other => panic!("{other:?}"),
            }
        }
        // Its subscription is given up before the next one is made.
        while let Ok(packet) = tokio::time::timeout(Duration::from_millis(50), server.packet()).await {
            let Packet::Unsubscribe(unsubscribe) = packet else { panic!("{packet:?}") };
            let (packet_id, reasons) = (unsubscribe.packet_id, vec![ReasonCode::Success]);
            let ack = gridmq_proto::packet::UnsubAck { packet_id, properties: <_>::default(), reasons };
            server.send(Packet::UnsubAck(ack)).await;
        }
    }
    assert!(client.disconnected().is_none());
}

#[tokio::test(start_paused = true)]
async fn defect_09_auth_without_a_handler_is_an_error_with_its_name() {
    let auth = || {
        let properties = AuthProperties { authentication_method: Some("m".into()), ..AuthProperties::default() };
        Packet::Auth(Box::new(Auth { reason: ReasonCode::ContinueAuthentication, properties }))
    };
    let (connect, mut server) = pair(Version::V5);
    let serve = async {
        server.connect().await;
        server.send(auth()).await;
        while server.next().await.is_some() {}
    };
    let (failed, ()) = bounded("AUTH", async { tokio::join!(connect(builder()), serve) }).await;
    let error = failed.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Violation(_)), "{error}");

    let (client, mut server) = connected(Version::V5).await;
    server.send(auth()).await;
    let Packet::Disconnect(said) = server.packet().await else { panic!() };
    assert_eq!(said.reason, ReasonCode::ProtocolError);
    assert!(matches!(over(&client).await.kind(), DisconnectKind::Violation(_)));
}

#[tokio::test]
async fn defect_10_an_address_that_is_missing_is_named_before_anything_is_tried() {
    for address in ["", "mqtt://", "mqtts://:8883"] {
        let error = bounded("connecting", Client::builder(address).connect()).await.unwrap_err();
        assert_eq!(error.stage(), Stage::Options, "{address}: {error}");
        assert!(matches!(error.kind(), ConnectErrorKind::Address(_)), "{address}: {error}");
    }
    let _: fn(&AddressError) -> String = ToString::to_string;
}

#[tokio::test]
async fn defect_11_user_information_is_decoded_and_a_password_may_have_colons() {
    for (address, user, password) in [
        ("mqtt://us%40er:pa%3Ass%2Fword@memory", "us@er", "pa:ss/word"),
        ("mqtt://user:pa:ss:word@memory", "user", "pa:ss:word"),
        ("mqtt://user:%25%20%C3%A9@memory", "user", "% \u{e9}"),
    ] {
        let (near, far) = tokio::io::duplex(4096);
        let mut server = Peer::new(far, Version::V5);
        let (client, connect) =
            tokio::join!(Client::builder(address).connect_over(near), server.accept(false, <_>::default()));
        client.unwrap();
        assert_eq!(connect.username.as_deref(), Some(user));
        assert_eq!(connect.password.as_deref(), Some(password.as_bytes()), "{address}");
    }
}

#[tokio::test]
async fn defect_12_leaving_is_no_reset_although_the_server_still_sends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("mqtt://{}", listener.local_addr().unwrap());
    for _ in 0..20 {
        let serve = async {
            let (io, _) = listener.accept().await.unwrap();
            let mut server = Peer::new(io, Version::V5);
            server.accept(false, <_>::default()).await;
            let (mut read, mut write) = server.io.into_split();
            let noise = tokio::spawn(async move {
                let message = support::bytes_of(&Packet::Publish(message("a", "x", QoS::AtMostOnce, 0)), Version::V5);
                while write.write_all(&message).await.is_ok() {}
            });
            let mut said = Vec::new();
            let mut buffer = [0; 64];
            // An orderly end, not a reset, and DISCONNECT before it.
            loop {
                match read.read(&mut buffer).await.expect("no reset") {
                    0 => break,
                    count => said.extend_from_slice(&buffer[..count]),
                }
            }
            noise.abort();
            said
        };
        let leave = async {
            let client = Client::builder(&address).connect().await.unwrap();
            client.disconnect().await.unwrap();
        };
        let (said, ()) = tokio::join!(serve, leave);
        assert_eq!(said[0], 0xe0, "{said:x?}");
    }
}

fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn defect_13_intermediates_are_sent_and_an_address_is_checked_as_one() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Whole Root", validity).unwrap();
    let intermediate = root.intermediate("Whole Intermediate", validity).unwrap();
    // The server knows the root alone, so a missing intermediate would be noticed; its certificate is for an address.
    let trust = || Trust::only_pem(root.certificate_pem().as_bytes()).unwrap();
    for (name, reached) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let config = ServerConfig::builder()
            .identity(identity(&intermediate.issue_server([name], validity).unwrap()))
            .client_certificate(ClientAuth::Required)
            .handshake_trust(ClientTrust::Anchors(trust()))
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Client::builder(&format!("mqtts://{}", listener.local_addr().unwrap()))
            .trust(trust())
            .identity(identity(&intermediate.issue_client("device", validity).unwrap()));
        let serve = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let (io, info) = gridmq_tls::stream::accept(tcp, &config).await.ok()?;
            let mut server = Peer::new(io, Version::V5);
            server.accept(false, <_>::default()).await;
            Some((info.presented, server))
        };
        let (client, presented) = tokio::join!(options.connect(), serve);
        if reached {
            client.unwrap();
            assert_eq!(presented.unwrap().0.unwrap().leaf().subject().to_string(), "CN=device");
        } else {
            let error = client.unwrap_err();
            assert!(matches!(error.kind(), ConnectErrorKind::Tls(_)), "{error}");
        }
    }
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn defect_14_tls_means_the_same_under_websocket() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Web Root", validity).unwrap();
    let other = CertificateAuthority::new_root("Other Root", validity).unwrap();
    let issued = identity(&root.issue_server(["localhost"], validity).unwrap());
    let config = ServerConfig::builder().identity(issued).build().unwrap();
    let mut kinds = Vec::new();
    for scheme in ["mqtts", "wss"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = Client::builder(&format!("{scheme}://localhost:{port}"))
            .trust(Trust::only_pem(other.certificate_pem().as_bytes()).unwrap());
        let serve = async {
            let (tcp, _) = listener.accept().await.unwrap();
            drop(gridmq_tls::stream::accept(tcp, &config).await);
        };
        let (failed, ()) = bounded("a handshake", async { tokio::join!(options.connect(), serve) }).await;
        let error = failed.unwrap_err();
        let ConnectErrorKind::Tls(tls) = error.kind() else { panic!("{scheme}: {error}") };
        kinds.push((error.stage(), tls.kind()));
    }
    assert_eq!(format!("{:?}", kinds[0]), format!("{:?}", kinds[1]));
}

#[tokio::test]
async fn defect_15_a_session_expiry_of_0_is_said_when_leaving() {
    let options = builder().session_expiry(Duration::from_secs(600));
    let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
    let leave = client.disconnect().session_expiry(Duration::ZERO);
    let serve = async {
        let Packet::Disconnect(said) = server.packet().await else { panic!() };
        assert_eq!(said.properties.session_expiry_interval, Some(0));
        server.hang_up().await;
    };
    tokio::join!(leave.into_future(), serve).0.unwrap();
}
