//! What users of another maker's client complain of, one test for each complaint that a client can answer. The numbers
//! are those of the table in docs/mqttnet.md.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/secure.rs"]
mod secure;
mod support;
#[path = "support/venue.rs"]
mod venue;

use std::future::IntoFuture;
use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_client::error::{ConnectErrorKind, DisconnectKind, Stage};
use gridmq_client::{
    Client, ConnectionEvent, ConnectionState, Decision, PublishError, QoS, ReasonCode, Reconnect, Setback, Version,
};
use gridmq_proto::codec::Foreign;
use gridmq_proto::packet::{Ack, ConnAck, ConnAckProperties, Packet};
use gridmq_tls::issue::CertificateAuthority;
use gridmq_tls::{Identity, ServerConfig, TlsVersion, Trust};
use secure::{Pki, over_tls};
use support::{bounded, builder, connected_with, message, over, pair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;
use venue::Venue;

const BOTH: [Version; 2] = [Version::V5, Version::V3_1_1];

#[tokio::test(start_paused = true)]
async fn pain_03_a_server_that_closes_before_connack_is_tried_again_and_named() {
    let mut venue = Venue::new(Version::V5);
    let client = venue.options().start().unwrap();
    let mut events = client.events();
    let mut server = venue.next().await;
    server.connect().await;
    drop(server);
    let failed = loop {
        match bounded("an event", events.next()).await.unwrap() {
            ConnectionEvent::AttemptFailed { error, retry_in, .. } => break (error, retry_in),
            _ => continue,
        }
    };
    assert!(matches!(failed.0.kind(), ConnectErrorKind::Closed), "{}", failed.0);
    assert!(failed.1.is_some());
    let _server = venue.accept(false, <_>::default()).await;
    let mut state = client.state();
    let up = state.wait_for(|state| matches!(state, ConnectionState::Connected(_)));
    bounded("the connection", up).await.unwrap();
}

#[tokio::test]
async fn pain_05_the_order_of_certificates_in_a_file_does_not_matter() {
    let pki = Pki::new();
    let device = pki.device();
    let chain = device.chain_pem();
    let mut blocks: Vec<_> = chain.split_inclusive("-----END CERTIFICATE-----").map(str::trim).collect();
    blocks.retain(|block| !block.is_empty());
    assert!(blocks.len() > 1);
    blocks.reverse();
    let identity = Identity::from_pem(blocks.join("\n").as_bytes(), device.key_pem().as_bytes()).unwrap();
    let options = Client::builder("mqtts://memory").trust(pki.trust()).identity(identity);
    over_tls(&pki.server(TlsVersion::V1_3), options).await.unwrap();
}

#[tokio::test]
async fn pain_09_both_versions_of_tls_are_spoken_and_a_mismatch_is_named() {
    let pki = Pki::new();
    let device = pki.device();
    let identity = Identity::from_pem(device.chain_pem().as_bytes(), device.key_pem().as_bytes()).unwrap();
    let options = || Client::builder("mqtts://memory").trust(pki.trust()).identity(identity.clone());
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let client = over_tls(&pki.server(version), options()).await.unwrap();
        assert_eq!(client.info().unwrap().tls.as_ref().unwrap().version, version);
    }
    let error = over_tls(&pki.server(TlsVersion::V1_2), options().tls_versions(TlsVersion::V1_3)).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Tls(_)), "{error}");
}

#[tokio::test]
async fn pain_15_an_identity_lasts_for_more_than_one_connection() {
    let pki = Pki::new();
    let device = pki.device();
    let identity = Identity::from_pem(device.chain_pem().as_bytes(), device.key_pem().as_bytes()).unwrap();
    let options = Client::builder("mqtts://memory").trust(pki.trust()).identity(identity);
    let config = pki.server(TlsVersion::V1_3);
    for _ in 0..3 {
        drop(over_tls(&config, options.clone()).await.unwrap());
    }
}

#[tokio::test]
async fn pain_16_an_error_says_in_which_phase_and_of_which_kind_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let refused = bounded("TCP", Client::builder(&format!("mqtt://{free}")).connect()).await.unwrap_err();
    assert_eq!(refused.stage(), Stage::Tcp);
    assert!(matches!(refused.kind(), ConnectErrorKind::Tcp(_)), "{refused}");

    let pki = Pki::new();
    let other = CertificateAuthority::new_root("Stranger", pki.validity).unwrap();
    let stranger = Trust::only_pem(other.certificate_pem().as_bytes()).unwrap();
    let options = Client::builder("mqtts://memory").trust(stranger);
    let untrusted = over_tls(&pki.server(TlsVersion::V1_3), options).await.unwrap_err();
    assert_eq!(untrusted.stage(), Stage::Tls);
    assert!(matches!(untrusted.kind(), ConnectErrorKind::Tls(_)), "{untrusted}");

    let (connect, mut server) = pair(Version::V5);
    let refuse = async {
        server.connect().await;
        let reason = ReasonCode::BadUserNameOrPassword;
        let ack = ConnAck { session_present: false, reason, properties: ConnAckProperties::default() };
        server.send(Packet::ConnAck(Box::new(ack))).await;
    };
    let (refused, ()) = tokio::join!(connect(builder()), refuse);
    let refused = refused.unwrap_err();
    assert_eq!((refused.stage(), refused.reason()), (Stage::Connect, Some(ReasonCode::BadUserNameOrPassword)));
}

#[tokio::test]
async fn pain_17_protocols_are_offered_to_one_port_for_many() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue_server(["memory"], pki.validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    // Other protocols live on the same port, and one without the right name is turned away.
    let config = ServerConfig::builder().identity(identity).alpn(["mqtt", "h2"]).build().unwrap();
    let options = || Client::builder("mqtts://memory").trust(pki.trust());
    let client = over_tls(&config, options().alpn(["x-amzn-mqtt-ca", "mqtt"])).await.unwrap();
    assert_eq!(client.info().unwrap().tls.as_ref().unwrap().alpn.as_deref(), Some(&b"mqtt"[..]));
    let error = over_tls(&config, options().alpn(["x-amzn-mqtt-ca"])).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Tls, "{error}");
}

#[tokio::test(start_paused = true)]
async fn pain_24_tls_on_the_wrong_port_is_recognised_both_ways() {
    // Plain MQTT to a port with TLS: such servers answer with an alert.
    let (connect, mut server) = pair(Version::V5);
    let alert = async {
        server.connect().await;
        server.raw(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a]).await;
        server.hang_up().await;
    };
    let (failed, ()) = bounded("an alert", async { tokio::join!(connect(builder()), alert) }).await;
    let error = failed.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::NotMqtt(Foreign::TlsAlert | Foreign::Tls)), "{error}");

    // TLS to a plain port: a broker answers garbage, or closes.
    let pki = Pki::new();
    for answer in [&b""[..], &[0x20, 0x03, 0x00, 0x84, 0x00]] {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let options = Client::builder("mqtts://memory").trust(pki.trust());
        let serve = async move {
            let mut hello = [0; 16];
            far.read_exact(&mut hello).await.unwrap();
            assert_eq!(hello[0], 0x16);
            far.write_all(answer).await.unwrap();
        };
        let (failed, ()) = bounded("a plain answer", async { tokio::join!(options.connect_over(near), serve) }).await;
        let error = failed.unwrap_err();
        assert_eq!(error.stage(), Stage::Tls, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn pain_28_a_dead_connection_does_not_stay_connected() {
    let mut venue = Venue::new(Version::V5);
    let keep_alive = Duration::from_secs(10);
    let (client, server) = venue.connected(venue.options().keep_alive(keep_alive)).await;
    let started = Instant::now();
    let mut state = client.state();
    let down = state.wait_for(|state| !matches!(state, ConnectionState::Connected(_)));
    let seen = bounded("the state", down).await.unwrap().clone();
    assert!(started.elapsed() <= keep_alive * 3 / 2 + Duration::from_millis(100), "{:?}", started.elapsed());
    match seen {
        ConnectionState::Waiting { why: Setback::Lost(cause), .. } => {
            assert!(matches!(cause.kind(), DisconnectKind::KeepAlive), "{cause}");
        }
        other => panic!("{other:?}"),
    }
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn pain_29_one_who_only_publishes_at_qos_0_notices_a_dead_link_and_comes_back() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.options().keep_alive(Duration::from_secs(10))).await;
    let started = Instant::now();
    let publisher = tokio::spawn({
        let client = client.clone();
        async move {
            loop {
                let _ = client.publish("a", "").await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    });
    let swallow = async { while server.next().await.is_some() {} };
    bounded("a dead link", swallow).await;
    assert!(started.elapsed() <= Duration::from_secs(18), "{:?}", started.elapsed());
    let (mut server, _) = venue.accept(false, <_>::default()).await;
    bounded("a message", server.publish()).await;
    publisher.abort();
}

#[tokio::test(start_paused = true)]
async fn pain_30_one_deadline_holds_for_the_whole_way_to_connack() {
    // Each phase is slow, and all together are too slow; the error says where the time ran out.
    let after = Duration::from_secs(3);
    let (connect, mut server) = pair(Version::V5);
    let started = Instant::now();
    let slow = async {
        server.connect().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        // A sign of life that is no answer does not begin the time anew.
        server.raw(&[0x20]).await;
        while server.next().await.is_some() {}
    };
    let options = builder().connect_timeout(after);
    let (failed, ()) = bounded("CONNACK", async { tokio::join!(connect(options), slow) }).await;
    let error = failed.unwrap_err();
    assert_eq!(error.stage(), Stage::Connect);
    assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
    assert!(started.elapsed() <= after + Duration::from_millis(2100), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn pain_31_the_client_comes_back_by_itself_and_subscribes_again() {
    for version in BOTH {
        let mut venue = Venue::new(version);
        let (client, mut server) = venue.connected(venue.lasting()).await;
        let mut events = client.events();
        let subscribe = client.subscribe("a/#", QoS::AtLeastOnce).into_future();
        let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GrantedQos1));
        let mut subscription = subscription.unwrap();
        for _ in 0..3 {
            drop(server);
            // Refused once in between.
            drop(venue.next().await);
            (server, _) = venue.accept(false, <_>::default()).await;
            let again = bounded("the subscription", server.grant(ReasonCode::GrantedQos1)).await;
            assert_eq!(again.filters[0].filter.to_string(), "a/#");
            server.deliver("a/b", "back", QoS::AtMostOnce, 0).await;
            assert_eq!(bounded("a message", subscription.next()).await.unwrap().text(), Some("back"));
        }
        let mut lost = 0;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(10), events.next()).await {
            lost += usize::from(matches!(event, ConnectionEvent::SessionLost));
        }
        assert_eq!(lost, 3, "the application is told that the session was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn pain_31_what_is_final_is_final_unless_the_application_says_otherwise() {
    for (overruled, code) in [(false, ReasonCode::NotAuthorized), (true, ReasonCode::NotAuthorized)] {
        let mut venue = Venue::new(Version::V5);
        let mut options = venue.options();
        if overruled {
            options = options.reconnect(Reconnect::new().judge(|_| Decision::retry().after(Duration::from_secs(7))));
        }
        let client = options.start().unwrap();
        let started = Instant::now();
        let mut server = venue.next().await;
        server.connect().await;
        let ack = ConnAck { session_present: false, reason: code, properties: ConnAckProperties::default() };
        server.send(Packet::ConnAck(Box::new(ack))).await;
        if overruled {
            let _server = venue.accept(false, <_>::default()).await;
            assert!(started.elapsed() >= Duration::from_secs(6), "{:?}", started.elapsed());
            assert!(client.disconnected().is_none());
        } else {
            over(&client).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pain_32_stopping_ends_whatever_the_client_is_at() {
    // Connected to one who does not answer, waiting for the next attempt, and in the middle of one.
    let mut venue = Venue::new(Version::V5);
    let (connected, server) = venue.connected(venue.options()).await;
    let waiting = {
        let client = venue.options().reconnect(Reconnect::new().first_wait(Duration::from_secs(3000)));
        let client = client.start().unwrap();
        drop(venue.next().await);
        let mut state = client.state();
        let waits = state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. }));
        bounded("a failed attempt", waits).await.unwrap();
        client
    };
    let connecting = venue.options().start().unwrap();
    let unanswered = venue.next().await;
    for client in [connected, waiting, connecting] {
        let started = Instant::now();
        let _ = bounded("stopping", client.disconnect().into_future()).await;
        assert!(started.elapsed() <= Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(over(&client).await.is_requested());
    }
    drop((server, unanswered));
}

#[tokio::test(start_paused = true)]
async fn pain_33_no_task_is_left_behind() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for _ in 0..10 {
        let mut venue = Venue::new(Version::V5);
        let (client, server) = venue.connected(venue.options()).await;
        drop(server);
        let (server, _) = venue.accept(false, <_>::default()).await;
        drop(client);
        server.hang_up().await;
    }
    let gone = async {
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    bounded("the tasks", gone).await;
}

#[tokio::test(start_paused = true)]
async fn pain_34_an_acknowledgement_for_a_publish_that_was_given_up_disturbs_nothing() {
    let (client, mut server) = connected_with(Version::V5, builder(), <_>::default()).await;
    let mut given_up = Vec::new();
    for _ in 0..3 {
        let publish = tokio::spawn(client.publish("a", "").qos(QoS::AtLeastOnce).into_future());
        given_up.push(server.publish().await.packet_id.unwrap());
        publish.abort();
        let _ = publish.await;
    }
    // The identifiers are not used again before they are free.
    let publish = tokio::spawn(client.publish("b", "").qos(QoS::AtLeastOnce).into_future());
    let id = server.publish().await.packet_id.unwrap();
    assert!(!given_up.contains(&id));
    for late in given_up {
        server.acknowledge(late).await;
        server.acknowledge(late).await;
    }
    server.acknowledge(id).await;
    bounded("publishing", publish).await.unwrap().unwrap();
    assert!(client.disconnected().is_none());
}

#[tokio::test(start_paused = true)]
async fn pain_35_the_first_message_after_a_loss_is_not_lost() {
    for session_present in [true, false] {
        for version in BOTH {
            let mut venue = Venue::new(version);
            let (client, server) = venue.connected(venue.lasting()).await;
            drop(server);
            let publish = tokio::spawn(client.publish("a", "first").qos(QoS::AtLeastOnce).into_future());
            let (mut server, _) = venue.accept(session_present, <_>::default()).await;
            let back = Instant::now();
            let first = bounded("the first message", server.publish()).await;
            assert!(back.elapsed() <= Duration::from_secs(1), "{version} {session_present}: {:?}", back.elapsed());
            assert_eq!(&first.payload[..], b"first");
            server.acknowledge(first.packet_id.unwrap()).await;
            bounded("its outcome", publish).await.unwrap().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pain_36_a_message_of_qos_2_is_handed_over_once_although_the_connection_breaks_at_each_step() {
    for version in BOTH {
        for step in 0..3 {
            let mut venue = Venue::new(version);
            let (client, mut server) = venue.connected(venue.lasting()).await;
            let subscribe = client.subscribe("a", QoS::ExactlyOnce).into_future();
            let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GrantedQos2));
            let mut subscription = subscription.unwrap();
            server.deliver("a", "once", QoS::ExactlyOnce, 5).await;
            assert_eq!(bounded("a message", subscription.next()).await.unwrap().text(), Some("once"));
            let ack = Ack::new(NonZeroU16::new(5).unwrap().get().try_into().unwrap(), ReasonCode::Success);
            if step > 0 {
                assert!(matches!(bounded("PUBREC", server.packet()).await, Packet::PubRec(_)));
            }
            if step > 1 {
                server.send(Packet::PubRel(ack.clone())).await;
                assert!(matches!(bounded("PUBCOMP", server.packet()).await, Packet::PubComp(_)));
            }
            drop(server);
            let (mut server, _) = venue.accept(true, <_>::default()).await;
            if step < 2 {
                // The server has heard of nothing.
                let mut again = message("a", "once", QoS::ExactlyOnce, 5);
                again.dup = true;
                server.send(Packet::Publish(again)).await;
                assert!(matches!(bounded("PUBREC", server.packet()).await, Packet::PubRec(_)));
            }
            server.send(Packet::PubRel(ack)).await;
            assert!(matches!(bounded("PUBCOMP", server.packet()).await, Packet::PubComp(_)));
            let more = tokio::time::timeout(Duration::from_millis(50), subscription.next()).await;
            assert!(more.is_err(), "step {step}: {more:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pain_37_a_handler_that_takes_for_ever_stops_nobody_else() {
    let options = builder().receive_maximum(10).keep_alive(Duration::from_secs(10));
    let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
    let subscribe = async {
        let slow = client.subscribe("slow", QoS::AtLeastOnce).await.unwrap();
        let quick = client.subscribe("quick", QoS::AtLeastOnce).await.unwrap();
        (slow, quick)
    };
    let grant = async {
        server.grant(ReasonCode::GrantedQos1).await;
        server.grant(ReasonCode::GrantedQos1).await;
    };
    let ((slow, mut quick), ()) = tokio::join!(subscribe, grant);
    // Nobody reads `slow`.
    for id in 1..=5 {
        server.deliver("slow", "", QoS::AtLeastOnce, id).await;
    }
    server.deliver("quick", "now", QoS::AtLeastOnce, 6).await;
    assert_eq!(bounded("a message", quick.next()).await.unwrap().text(), Some("now"));
    // It publishes, and pings, from within a handler too.
    let publish = tokio::spawn(client.publish("out", "").qos(QoS::AtLeastOnce).into_future());
    let mut pings = 0;
    let mut published = false;
    while pings < 3 || !published {
        match bounded("a packet", server.packet()).await {
            Packet::PingReq => {
                pings += 1;
                server.send(Packet::PingResp).await;
            }
            Packet::Publish(publish) => {
                server.acknowledge(publish.packet_id.unwrap()).await;
                published = true;
            }
            Packet::PubAck(ack) => panic!("{ack:?}: acknowledged before those that came earlier"),
            other => panic!("{other:?}"),
        }
    }
    bounded("publishing", publish).await.unwrap().unwrap();
    drop(slow);
}

#[tokio::test(start_paused = true)]
async fn pain_38_a_large_message_to_a_server_that_reads_nothing_has_an_end() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let options = builder().keep_alive(Duration::ZERO);
        let (client, server) = connected_with(Version::V5, options, <_>::default()).await;
        let started = Instant::now();
        let outcome = bounded("publishing", client.publish("a", vec![0; 10 << 20]).qos(qos).into_future()).await;
        assert!(matches!(outcome, Err(PublishError::Timeout { .. })), "{qos:?}: {outcome:?}");
        assert!(started.elapsed() <= Duration::from_secs(31), "{:?}", started.elapsed());
        drop(server);
    }
}
