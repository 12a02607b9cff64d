//! Publishing at every QoS, and what stands in its way.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use gridmq_client::error::DisconnectKind;
use gridmq_client::{PublishError, QoS, ReasonCode, Version};
use gridmq_proto::packet::{Ack, AckProperties, ConnAckProperties, Packet};
use gridmq_proto::session::client::RequestError;
use std::future::IntoFuture;
use support::{builder, connected, connected_with};

#[tokio::test]
async fn qos_0_ends_when_written() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        client.publish("a/b", "hello").retain(true).await.unwrap();
        let publish = server.publish().await;
        assert_eq!(publish.topic.unwrap().as_str(), "a/b");
        assert_eq!((publish.qos, publish.retain, &publish.payload[..]), (QoS::AtMostOnce, true, &b"hello"[..]));
    }
}

#[tokio::test]
async fn qos_1_ends_with_the_puback_and_qos_2_with_the_pubcomp() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let serve = async {
            let publish = server.publish().await;
            server.send(Packet::PubAck(Ack::new(publish.packet_id.unwrap(), ReasonCode::Success))).await;
        };
        let (published, ()) = tokio::join!(client.publish("a", "1").qos(QoS::AtLeastOnce).into_future(), serve);
        assert_eq!(published.unwrap().reason, ReasonCode::Success);

        let serve = async {
            let publish = server.publish().await;
            let id = publish.packet_id.unwrap();
            server.send(Packet::PubRec(Ack::new(id, ReasonCode::Success))).await;
            let Packet::PubRel(release) = server.packet().await else { panic!() };
            assert_eq!(release.packet_id, id);
            server.send(Packet::PubComp(Ack::new(id, ReasonCode::Success))).await;
        };
        let (published, ()) = tokio::join!(client.publish("a", "2").qos(QoS::ExactlyOnce).into_future(), serve);
        assert_eq!(published.unwrap().reason, ReasonCode::Success);
    }
}

#[tokio::test]
async fn properties_travel() {
    let (client, mut server) = connected(Version::V5).await;
    client
        .publish("a", "{}")
        .payload_format_indicator(true)
        .content_type("application/json")
        .response_topic("reply/here")
        .correlation_data(vec![1, 2, 3])
        .user_property("k", "v")
        .user_property("k", "w")
        .message_expiry(Duration::from_millis(1500))
        .await
        .unwrap();
    let properties = server.publish().await.properties.unwrap();
    assert_eq!(properties.payload_format_indicator, Some(true));
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(properties.response_topic.unwrap().as_str(), "reply/here");
    assert_eq!(properties.correlation_data.as_deref(), Some(&[1, 2, 3][..]));
    assert_eq!(properties.user_properties, [("k".into(), "v".into()), ("k".into(), "w".into())]);
    assert_eq!(properties.message_expiry_interval, Some(2));
}

#[tokio::test]
async fn a_refusal_has_its_reason_and_reason_string() {
    let (client, mut server) = connected(Version::V5).await;
    let serve = async {
        let id = server.publish().await.packet_id.unwrap();
        let properties = AckProperties { reason_string: Some("no binding".into()), ..AckProperties::default() };
        let ack = Ack { packet_id: id, reason: ReasonCode::NotAuthorized, properties: Some(Box::new(properties)) };
        server.send(Packet::PubAck(ack)).await;
    };
    let (refused, ()) = tokio::join!(client.publish("a", "1").qos(QoS::AtLeastOnce).into_future(), serve);
    let error = refused.unwrap_err();
    assert_eq!(error.reason(), Some(ReasonCode::NotAuthorized));
    assert!(matches!(error, PublishError::Refused { reason_string: Some(words), .. } if words == "no binding"));
}

#[tokio::test]
async fn mqtt5_3_2_2_11_and_3_2_2_14_and_3_2_2_15_what_the_server_does_not_take_is_not_sent() {
    let properties = ConnAckProperties {
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: NonZeroU32::new(64),
        ..ConnAckProperties::default()
    };
    let (client, mut server) = connected_with(Version::V5, builder(), properties).await;
    let limit = |error: PublishError| match error {
        PublishError::Limit { limit, .. } => limit,
        other => panic!("{other}"),
    };
    let error = limit(client.publish("a", "").qos(QoS::ExactlyOnce).await.unwrap_err());
    assert!(matches!(error, RequestError::QosNotSupported { .. }));
    let error = limit(client.publish("a", "").retain(true).await.unwrap_err());
    assert!(matches!(error, RequestError::RetainNotSupported));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let error = limit(client.publish("a", vec![0; 64]).qos(qos).await.unwrap_err());
        assert!(matches!(error, RequestError::PacketTooLarge { maximum: 64, .. }));
    }
    server.silence().await;
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    assert!(matches!(client.publish("a/#", "").await, Err(PublishError::Topic(_))));
    assert!(matches!(client.publish("", "").await, Err(PublishError::Topic(_))));
    assert!(matches!(client.publish("a", "").content_type("text/plain").await, Err(PublishError::Packet { .. })));
    let long = "x".repeat(65_536);
    let (v5, mut v5_server) = connected(Version::V5).await;
    assert!(matches!(v5.publish("a", "").content_type(long).await, Err(PublishError::Packet { .. })));
    assert!(matches!(v5.publish("a", "").response_topic("a/+").await, Err(PublishError::Topic(_))));
    server.silence().await;
    v5_server.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_acknowledgement_is_a_timeout_that_tells_of_the_message() {
    let (client, mut server) = connected_with(
        Version::V5,
        builder().keep_alive(Duration::ZERO).request_timeout(Duration::from_secs(3)),
        <_>::default(),
    )
    .await;
    let publish = client.publish("a", "1").qos(QoS::AtLeastOnce);
    let (late, sent) = tokio::join!(publish.into_future(), server.publish());
    assert!(matches!(late, Err(PublishError::Timeout { queued: true, .. })));
    // The late answer disturbs nothing, and the identifier is free again.
    server.send(Packet::PubAck(Ack::new(sent.packet_id.unwrap(), ReasonCode::Success))).await;
    let serve = async {
        let id = server.publish().await.packet_id.unwrap();
        server.send(Packet::PubAck(Ack::new(id, ReasonCode::NoMatchingSubscribers))).await;
    };
    let (published, ()) = tokio::join!(client.publish("a", "2").qos(QoS::AtLeastOnce).into_future(), serve);
    assert_eq!(published.unwrap().reason, ReasonCode::NoMatchingSubscribers);
}

#[tokio::test]
async fn mqtt5_3_3_4_7_and_4_9_0_2_the_servers_receive_maximum_is_kept_to() {
    let properties = ConnAckProperties { receive_maximum: NonZeroU16::new(2), ..ConnAckProperties::default() };
    let (client, mut server) = connected_with(Version::V5, builder(), properties).await;
    let tasks: Vec<_> =
        (0..5).map(|n| tokio::spawn(client.publish("a", n.to_string()).qos(QoS::AtLeastOnce).into_future())).collect();
    let mut open = vec![server.publish().await, server.publish().await];
    server.silence().await;
    for _ in 0..5 {
        let id = open.remove(0).packet_id.unwrap();
        server.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
        if let Ok(next) = tokio::time::timeout(Duration::from_millis(50), server.publish()).await {
            open.push(next);
        }
        assert!(open.len() <= 2);
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn futures_that_are_dropped_leak_nothing() {
    let (client, mut server) = connected(Version::V5).await;
    // More than there are packet identifiers.
    let acknowledge = async {
        for _ in 0..70_000_u32 {
            let id = server.publish().await.packet_id.unwrap();
            server.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
        }
        server
    };
    let publish = async {
        for _ in 0..70_000_u32 {
            // Once it is in the queue, whoever asked may go.
            drop(client.publish("a", "1").qos(QoS::AtLeastOnce).enqueue().await.unwrap());
        }
    };
    let (mut server, ()) = tokio::join!(acknowledge, publish);
    // Never polled, never sent.
    drop(client.publish("never", "").into_future());
    server.silence().await;
    client.publish("still", "here").await.unwrap();
    assert_eq!(server.publish().await.topic.unwrap().as_str(), "still");
}

#[tokio::test]
async fn many_publishers_at_once_each_get_their_own_answer() {
    let (client, mut server) = connected(Version::V5).await;
    let tasks: Vec<_> = (0..500_u32)
        .map(|n| tokio::spawn(client.publish("a", n.to_string()).qos(QoS::AtLeastOnce).into_future()))
        .collect();
    for _ in 0..500 {
        let publish = server.publish().await;
        let odd = publish.payload.last().unwrap() % 2 == 1;
        let reason = if odd { ReasonCode::QuotaExceeded } else { ReasonCode::Success };
        server.send(Packet::PubAck(Ack::new(publish.packet_id.unwrap(), reason))).await;
    }
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().is_err(), n % 2 == 1);
    }
}

#[tokio::test]
async fn a_lost_connection_ends_what_waits() {
    let (client, mut server) = connected(Version::V5).await;
    let publish = tokio::spawn(client.publish("a", "1").qos(QoS::AtLeastOnce).into_future());
    server.publish().await;
    drop(server);
    let Err(PublishError::Disconnected { cause, .. }) = publish.await.unwrap() else { panic!() };
    assert!(matches!(cause.kind(), DisconnectKind::Closed), "{cause:?}");
    assert!(matches!(client.publish("a", "").await, Err(PublishError::NotTaken { .. })));
}

#[tokio::test]
async fn messages_that_expire_before_they_can_be_sent_take_no_room_for_ever() {
    let properties = ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..ConnAckProperties::default() };
    let builder = builder().request_timeout(Duration::from_millis(1500));
    let (client, mut server) = connected_with(Version::V5, builder, properties).await;
    let tasks: Vec<_> = (0..1300)
        .map(|_| client.publish("a", "").message_expiry(Duration::ZERO).qos(QoS::AtLeastOnce).into_future())
        .map(tokio::spawn)
        .collect();
    let held = server.publish().await;
    for task in tasks {
        let outcome = task.await.unwrap();
        assert!(matches!(outcome, Err(PublishError::Timeout { .. } | PublishError::Expired { .. })), "{outcome:?}");
    }
    // The one in flight is acknowledged; the others have expired behind it.
    let serve = async {
        server.send(Packet::PubAck(Ack::new(held.packet_id.unwrap(), ReasonCode::Success))).await;
        loop {
            let publish = server.publish().await;
            server.send(Packet::PubAck(Ack::new(publish.packet_id.unwrap(), ReasonCode::Success))).await;
            if &publish.payload[..] == b"at last" {
                break;
            }
        }
    };
    let (published, ()) = tokio::join!(client.publish("a", "at last").qos(QoS::AtLeastOnce).into_future(), serve);
    published.unwrap();
}
