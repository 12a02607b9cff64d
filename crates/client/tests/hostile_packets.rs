//! A server that breaks the rules, packet by packet: each time a typed end, no hang, and nothing that grows.
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
use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_client::error::{ConnectErrorKind, DisconnectKind};
use gridmq_client::{Client, PublishError, QoS, ReasonCode, Version};
use gridmq_proto::PacketId;
use gridmq_proto::packet::{
    Ack, AckProperties, Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect,
    Packet, SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use gridmq_proto::packet::{SubscribeFilter, SubscribeOptions};
use support::{Peer, bounded, builder, connected, connected_with, message, over, pair};
use tokio::io::DuplexStream;

const BOTH: [Version; 2] = [Version::V5, Version::V3_1_1];

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn connack(session_present: bool, reason: ReasonCode) -> Packet {
    Packet::ConnAck(Box::new(ConnAck { session_present, reason, properties: ConnAckProperties::default() }))
}

fn auth(reason: ReasonCode) -> Packet {
    let properties = AuthProperties { authentication_method: Some("m".into()), ..AuthProperties::default() };
    Packet::Auth(Box::new(Auth { reason, properties }))
}

fn suback(packet_id: u16, reasons: Vec<ReasonCode>) -> Packet {
    Packet::SubAck(SubAck { packet_id: id(packet_id), properties: AckProperties::default(), reasons })
}

fn foreign_connect(version: Version) -> Packet {
    Packet::Connect(Box::new(Connect {
        version,
        clean_start: true,
        keep_alive: 0,
        client_id: "server".into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }))
}

fn foreign_subscribe() -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter {
            filter: "a".try_into().unwrap(),
            options: SubscribeOptions { qos: QoS::AtMostOnce, ..SubscribeOptions::default() },
        }],
    })
}

/// The client calls it a violation, says so where the version lets it, and closes.
async fn is_refused(what: &str, version: Version, client: &Client, server: &mut Peer<DuplexStream>) {
    let mut said = None;
    bounded(what, async {
        while let Some(packet) = server.next().await {
            if let Packet::Disconnect(disconnect) = packet {
                said = Some(disconnect.reason);
            }
        }
    })
    .await;
    let cause = over(client).await;
    assert!(matches!(cause.kind(), DisconnectKind::Violation(_)), "{what}: {cause}");
    assert_eq!(said.is_some(), version.is_v5(), "{what}: {said:?}");
    assert!(said.is_none_or(ReasonCode::is_failure), "{what}: {said:?}");
}

#[tokio::test(start_paused = true)]
async fn packets_that_a_server_never_sends_end_the_connection() {
    for version in BOTH {
        let mut packets = vec![
            ("CONNECT", foreign_connect(version)),
            ("a second CONNACK", connack(false, ReasonCode::Success)),
            ("SUBSCRIBE", foreign_subscribe()),
            (
                "UNSUBSCRIBE",
                Packet::Unsubscribe(Unsubscribe {
                    packet_id: id(1),
                    user_properties: Vec::new(),
                    filters: vec!["a".try_into().unwrap()],
                }),
            ),
            ("PINGREQ", Packet::PingReq),
            ("a SUBACK of nothing", suback(7, vec![ReasonCode::GrantedQos1])),
        ];
        let reasons = if version.is_v5() { vec![ReasonCode::Success] } else { Vec::new() };
        let unsuback = UnsubAck { packet_id: id(7), properties: AckProperties::default(), reasons };
        packets.push(("an UNSUBACK of nothing", Packet::UnsubAck(unsuback)));
        for (what, packet) in packets {
            let (client, mut server) = connected(version).await;
            server.send(packet).await;
            is_refused(what, version, &client, &mut server).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn packets_before_connack_fail_the_connect() {
    for version in BOTH {
        let mut packets = vec![
            ("CONNECT", foreign_connect(version)),
            ("PUBLISH", Packet::Publish(message("a", "", QoS::AtMostOnce, 0))),
            ("PUBACK", Packet::PubAck(Ack::new(id(1), ReasonCode::Success))),
            ("PUBREL", Packet::PubRel(Ack::new(id(1), ReasonCode::Success))),
            ("SUBACK", suback(1, vec![ReasonCode::GrantedQos1])),
            ("PINGRESP", Packet::PingResp),
            ("a session nobody has", connack(true, ReasonCode::Success)),
        ];
        if version.is_v5() {
            packets.push(("AUTH", auth(ReasonCode::ContinueAuthentication)));
            packets.push(("AUTH 0x00", auth(ReasonCode::Success)));
            packets.push(("AUTH 0x19", auth(ReasonCode::ReAuthenticate)));
        }
        for (what, packet) in packets {
            let (connect, mut server) = pair(version);
            let serve = async {
                server.connect().await;
                server.send(packet).await;
                while server.next().await.is_some() {}
            };
            let (failed, ()) = bounded(what, async { tokio::join!(connect(builder().clean_start(true)), serve) }).await;
            let error = failed.expect_err(what);
            assert!(matches!(error.kind(), ConnectErrorKind::Violation(_)), "{what}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_instead_of_connack_is_its_reason() {
    let (connect, mut server) = pair(Version::V5);
    let serve = async {
        server.connect().await;
        let reason = ReasonCode::ServerBusy;
        server.send(Packet::Disconnect(Disconnect { reason, properties: <_>::default() })).await;
    };
    let (failed, ()) = tokio::join!(connect(builder()), serve);
    assert_eq!(failed.unwrap_err().reason(), Some(ReasonCode::ServerBusy));
}

#[tokio::test(start_paused = true)]
async fn auth_out_of_turn_ends_the_connection() {
    for reason in [ReasonCode::Success, ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate] {
        let (client, mut server) = connected(Version::V5).await;
        server.send(auth(reason)).await;
        is_refused("AUTH", Version::V5, &client, &mut server).await;
    }
    // The short form, which has no method at all.
    let (client, mut server) = connected(Version::V5).await;
    server.raw(&[0xf0, 0x00]).await;
    is_refused("AUTH without a method", Version::V5, &client, &mut server).await;
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_of_unknown_identifiers_change_nothing() {
    for version in BOTH {
        let (client, mut server) = connected(version).await;
        for n in [1, 2, 300, 65_535] {
            let ack = || Ack::new(id(n), ReasonCode::Success);
            for packet in [Packet::PubAck(ack()), Packet::PubRec(ack()), Packet::PubComp(ack()), Packet::PubRel(ack())]
            {
                server.send(packet).await;
            }
        }
        // PUBREC and PUBREL are answered, that the server may forget; then all is as before.
        let serve = async {
            loop {
                match server.packet().await {
                    Packet::Publish(publish) => break server.acknowledge(publish.packet_id.unwrap()).await,
                    Packet::PubRel(_) | Packet::PubComp(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        let publish = client.publish("a", "").qos(QoS::AtLeastOnce).into_future();
        bounded("publishing", async { tokio::join!(publish, serve) }).await.0.unwrap();
        assert!(client.disconnected().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn the_wrong_acknowledgement_for_a_message_does_not_finish_it() {
    // PUBACK for QoS 2, PUBCOMP before PUBREC, PUBREC for QoS 1: the message is not taken for acknowledged.
    for (qos, wrong) in [
        (QoS::ExactlyOnce, Packet::PubAck(Ack::new(id(1), ReasonCode::Success))),
        (QoS::ExactlyOnce, Packet::PubComp(Ack::new(id(1), ReasonCode::Success))),
        (QoS::AtLeastOnce, Packet::PubComp(Ack::new(id(1), ReasonCode::Success))),
    ] {
        let (client, mut server) = connected(Version::V5).await;
        let mut publish = client.publish("a", "").qos(qos).into_future();
        let serve = async {
            assert_eq!(server.publish().await.packet_id, Some(id(1)));
            server.send(wrong.clone()).await;
        };
        tokio::select! {
            biased;
            outcome = &mut publish => panic!("{wrong:?}: {outcome:?}"),
            () = serve => {}
        }
        match tokio::time::timeout(Duration::from_millis(100), &mut publish).await {
            // Either it goes on waiting, or the connection is over; it is not done.
            Err(_) | Ok(Err(PublishError::Disconnected { .. } | PublishError::NotTaken { .. })) => {}
            Ok(outcome) => panic!("{wrong:?}: {outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_suback_with_the_wrong_number_of_codes_ends_the_connection() {
    for version in BOTH {
        let codes = if version.is_v5() { ReasonCode::GrantedQos1 } else { ReasonCode::GRANTED_QOS_0 };
        let (client, mut server) = connected(version).await;
        let serve = async {
            let subscribe = server.subscribe().await;
            server.send(suback(subscribe.packet_id.get(), vec![codes; subscribe.filters.len() + 1])).await;
            while server.next().await.is_some() {}
        };
        let subscribe = client.subscribe("a", QoS::AtLeastOnce).into_future();
        let (refused, ()) = bounded("SUBACK", async { tokio::join!(subscribe, serve) }).await;
        refused.unwrap_err();
        assert!(matches!(over(&client).await.kind(), DisconnectKind::Violation(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_was_never_set_ends_the_connection() {
    for topic in [None, Some("a")] {
        let (client, mut server) = connected(Version::V5).await;
        let mut publish = message("a", "", QoS::AtMostOnce, 0);
        publish.topic = topic.map(|topic| topic.try_into().unwrap());
        // Above what was announced, whatever that is.
        publish.topic_alias = NonZeroU16::new(u16::MAX);
        server.send(Packet::Publish(publish)).await;
        is_refused("an alias", Version::V5, &client, &mut server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_drops_acknowledgements_is_a_timeout_and_no_leak() {
    let options = builder().request_timeout(Duration::from_secs(2)).keep_alive(Duration::ZERO);
    let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
    let drop_all = async {
        let mut ids = Vec::new();
        while ids.len() < 200 {
            ids.push(server.publish().await.packet_id.unwrap());
        }
        ids
    };
    let publish = async {
        for n in 0..200 {
            let outcome = client.publish("a", n.to_string()).qos(QoS::AtLeastOnce).await;
            assert!(matches!(outcome, Err(PublishError::Timeout { .. })), "{outcome:?}");
        }
    };
    let (ids, ()) = bounded("publishing", async { tokio::join!(drop_all, publish) }).await;
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 200, "an identifier in use was used again");
    // Once they come after all, everything is free again.
    for id in ids {
        server.acknowledge(id).await;
    }
    let serve = async {
        let id = server.publish().await.packet_id.unwrap();
        server.acknowledge(id).await;
    };
    let (published, ()) = tokio::join!(client.publish("a", "").qos(QoS::AtLeastOnce).into_future(), serve);
    published.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_than_the_receive_maximum_ends_the_connection() {
    let (client, mut server) = connected_with(Version::V5, builder().receive_maximum(5), <_>::default()).await;
    let subscribe = client.subscribe("a", QoS::AtLeastOnce).manual_ack().into_future();
    let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GrantedQos1));
    let _subscription = subscription.unwrap();
    for n in 1..=6 {
        server.deliver("a", "", QoS::AtLeastOnce, n).await;
    }
    let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
    assert_eq!(disconnect.reason, ReasonCode::ReceiveMaximumExceeded);
    assert!(matches!(over(&client).await.kind(), DisconnectKind::Violation(_)));
}

#[tokio::test]
async fn a_flood_at_qos_0_is_dropped_and_counted_beyond_the_buffer() {
    const FLOOD: u64 = 20_000;
    let (client, mut server) = connected(Version::V5).await;
    let subscribe = client.subscribe("a", QoS::AtMostOnce).buffer(50).into_future();
    let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GRANTED_QOS_0));
    let mut subscription = subscription.unwrap();
    let payload = "x".repeat(1000);
    for _ in 0..FLOOD {
        server.deliver("a", &payload, QoS::AtMostOnce, 0).await;
    }
    // An answer comes after all of it has been read.
    let pong = async {
        assert!(matches!(server.packet().await, Packet::PingReq));
        server.send(Packet::PingResp).await;
    };
    let (pinged, ()) = bounded("a ping", async { tokio::join!(client.ping(), pong) }).await;
    pinged.unwrap();
    let mut kept = 0;
    while tokio::time::timeout(Duration::from_millis(20), subscription.next()).await.is_ok() {
        kept += 1;
    }
    assert!(kept <= 50, "{kept} messages were kept");
    assert_eq!(kept + subscription.dropped(), FLOOD);
}

#[tokio::test]
async fn a_flood_of_requests_that_must_be_answered_is_not_read_on_while_the_answers_are_not_taken() {
    // The server sends PUBREL after PUBREL and reads no PUBCOMP: at some point nothing more is taken from it.
    let (client, server) = connected_with(Version::V5, builder().keep_alive(Duration::ZERO), <_>::default()).await;
    let release = support::bytes_of(&Packet::PubRel(Ack::new(id(1), ReasonCode::Success)), Version::V5);
    let burst = release.repeat(4096);
    let mut io = server.io;
    let mut taken = 0_usize;
    let flood = async {
        use tokio::io::AsyncWriteExt as _;
        loop {
            io.write_all(&burst).await.unwrap();
            taken += burst.len();
        }
    };
    let idle: Result<(), _> = tokio::time::timeout(Duration::from_secs(3), flood).await;
    assert!(idle.is_err());
    assert!(taken < 8 << 20, "{taken} bytes of requests were taken and their answers kept");
    assert!(client.disconnected().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_of_qos_2_sent_over_and_over_is_one_message() {
    for version in BOTH {
        let (client, mut server) = connected(version).await;
        let subscribe = client.subscribe("a", QoS::ExactlyOnce).into_future();
        let (subscription, _) = tokio::join!(subscribe, server.grant(ReasonCode::GrantedQos2));
        let mut subscription = subscription.unwrap();
        for n in 0..50 {
            let mut again = message("a", "once", QoS::ExactlyOnce, 9);
            again.dup = n > 0;
            server.send(Packet::Publish(again)).await;
            if n == 0 {
                assert_eq!(subscription.next().await.unwrap().text(), Some("once"));
            }
            assert!(matches!(server.packet().await, Packet::PubRec(ack) if ack.packet_id == id(9)));
        }
        let more = tokio::time::timeout(Duration::from_millis(50), subscription.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_server_that_make_no_sense_are_lived_with() {
    // Hardly anything is allowed: what does not fit fails at its call, and the connection stays.
    let properties = ConnAckProperties {
        receive_maximum: NonZeroU16::new(1),
        maximum_packet_size: std::num::NonZeroU32::new(1),
        maximum_qos: Some(QoS::AtMostOnce),
        retain_available: Some(false),
        wildcard_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(false),
        server_keep_alive: Some(0),
        ..ConnAckProperties::default()
    };
    let (client, mut server) = connected_with(Version::V5, builder(), properties).await;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let outcome = bounded("publishing", client.publish("a", "").qos(qos).into_future()).await;
        assert!(matches!(outcome, Err(PublishError::Limit { .. })), "{outcome:?}");
    }
    bounded("subscribing", client.subscribe("a", QoS::AtMostOnce).into_future()).await.unwrap_err();
    server.silence().await;
    assert!(client.disconnected().is_none());
}
