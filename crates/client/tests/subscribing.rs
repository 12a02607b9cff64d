//! Subscriptions and their streams.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::time::Duration;

use gridmq_client::{QoS, ReasonCode, RetainHandling, SubscribeError, Version};
use gridmq_proto::packet::{AckProperties, ConnAckProperties, Packet, SubAck, UnsubAck};
use gridmq_proto::session::client::RequestError;
use std::future::IntoFuture;
use support::{builder, connected, connected_with, message};

#[tokio::test]
async fn messages_reach_the_subscriptions_that_match() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let subscribe = async {
            let one = client.subscribe("a/+", QoS::AtLeastOnce).await.unwrap();
            let all = client.subscribe("$share/group/a/#", QoS::AtMostOnce).await.unwrap();
            (one, all)
        };
        let serve = async {
            server.grant(ReasonCode::GrantedQos1).await;
            server.grant(ReasonCode::GRANTED_QOS_0).await;
        };
        let ((mut one, mut all), ()) = tokio::join!(subscribe, serve);
        assert_eq!((one.granted(), all.granted()), (QoS::AtLeastOnce, QoS::AtMostOnce));
        server.deliver("a/b", "both", QoS::AtLeastOnce, 1).await;
        server.deliver("a/b/c", "all", QoS::AtMostOnce, 0).await;
        assert_eq!(one.next().await.unwrap().text(), Some("both"));
        assert_eq!(all.next().await.unwrap().text(), Some("both"));
        assert_eq!(all.next().await.unwrap().topic().as_str(), "a/b/c");
        assert_eq!(server.puback().await.packet_id.get(), 1);
        drop(server);
        assert!(one.next().await.is_none());
        assert!(all.next().await.is_none());
    }
}

#[tokio::test]
async fn options_stand_in_the_subscribe() {
    let (client, mut server) = connected(Version::V5).await;
    let request = client
        .subscribe("a", QoS::ExactlyOnce)
        .no_local()
        .retain_as_published()
        .retain_handling(RetainHandling::DoNotSend)
        .identifier(77)
        .user_property("k", "v");
    let (subscription, packet) = tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos1));
    assert_eq!(subscription.unwrap().granted(), QoS::AtLeastOnce);
    let options = packet.filters[0].options;
    assert!(options.no_local && options.retain_as_published);
    assert_eq!((options.qos, options.retain_handling), (QoS::ExactlyOnce, RetainHandling::DoNotSend));
    assert_eq!(packet.subscription_identifier.map(u32::from), Some(77));
    assert_eq!(packet.user_properties, [("k".into(), "v".into())]);
}

#[tokio::test]
async fn a_message_that_names_a_subscription_reaches_that_one() {
    let (client, mut server) = connected(Version::V5).await;
    let subscribe = async {
        let one = client.subscribe("a/#", QoS::AtMostOnce).identifier(1).await.unwrap();
        let two = client.subscribe("a/b", QoS::AtMostOnce).identifier(2).await.unwrap();
        (one, two)
    };
    let serve = async {
        server.grant(ReasonCode::GRANTED_QOS_0).await;
        server.grant(ReasonCode::GRANTED_QOS_0).await;
    };
    let ((mut one, mut two), ()) = tokio::join!(subscribe, serve);
    for id in [2_u32, 1] {
        let mut publish = message("a/b", &id.to_string(), QoS::AtMostOnce, 0);
        publish.subscription_identifiers.push(id.try_into().unwrap());
        server.send(Packet::Publish(publish)).await;
    }
    assert_eq!(one.next().await.unwrap().text(), Some("1"));
    let message = two.next().await.unwrap();
    assert_eq!((message.text(), message.subscription_identifiers()[0].get()), (Some("2"), 2));
}

#[tokio::test]
async fn messages_before_the_suback_are_not_lost() {
    let (client, mut server) = connected(Version::V5).await;
    let serve = async {
        let subscribe = server.subscribe().await;
        server.deliver("a", "early", QoS::AtMostOnce, 0).await;
        let reasons = vec![ReasonCode::GRANTED_QOS_0];
        server
            .send(Packet::SubAck(SubAck { packet_id: subscribe.packet_id, properties: <_>::default(), reasons }))
            .await;
    };
    let (subscription, ()) = tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), serve);
    assert_eq!(subscription.unwrap().next().await.unwrap().text(), Some("early"));
}

#[tokio::test]
async fn a_refusal_is_an_error_on_both_versions() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let serve = async {
            let packet_id = server.subscribe().await.packet_id;
            let v5 = version.is_v5();
            let reason_string = v5.then(|| "no binding".into());
            let properties = AckProperties { reason_string, ..AckProperties::default() };
            let reason = if v5 { ReasonCode::NotAuthorized } else { ReasonCode::UnspecifiedError };
            server.send(Packet::SubAck(SubAck { packet_id, properties, reasons: vec![reason] })).await;
            reason
        };
        let (refused, reason) = tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), serve);
        assert_eq!(refused.unwrap_err().reason(), Some(reason));
        // What was never made is not given up.
        server.silence().await;
    }
}

#[tokio::test]
async fn what_cannot_be_or_is_not_taken_is_not_sent() {
    let properties = ConnAckProperties {
        wildcard_subscription_available: Some(false),
        shared_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        maximum_packet_size: std::num::NonZeroU32::new(100),
        ..ConnAckProperties::default()
    };
    let (client, mut server) = connected_with(Version::V5, builder(), properties).await;
    let subscribe = |filter: &str| client.subscribe(filter, QoS::AtMostOnce);
    assert!(matches!(subscribe("a/#/b").await, Err(SubscribeError::Filter(_))));
    assert!(matches!(subscribe("a").identifier(0).await, Err(SubscribeError::Identifier(0))));
    assert!(matches!(subscribe("a").identifier(u32::MAX).await, Err(SubscribeError::Identifier(_))));
    assert!(matches!(subscribe("a/#").await, Err(SubscribeError::Limit(RequestError::WildcardsNotSupported(_)))));
    let shared = subscribe("$share/g/a").await;
    assert!(matches!(shared, Err(SubscribeError::Limit(RequestError::SharedSubscriptionsNotSupported(_)))));
    let identifier = subscribe("a").identifier(1).await;
    assert!(matches!(identifier, Err(SubscribeError::Limit(RequestError::SubscriptionIdentifiersNotSupported))));
    let long = subscribe(&"x".repeat(100)).await;
    assert!(matches!(long, Err(SubscribeError::Limit(RequestError::PacketTooLarge { .. }))));
    server.silence().await;
    let (client, mut server) = connected(Version::V3_1_1).await;
    let no_local = client.subscribe("a", QoS::AtMostOnce).no_local().await;
    assert!(matches!(no_local, Err(SubscribeError::Packet(_))));
    server.silence().await;
}

#[tokio::test]
async fn a_full_buffer_drops_qos_0_and_counts_it() {
    let (client, mut server) = connected(Version::V5).await;
    let request = client.subscribe("a", QoS::AtLeastOnce).buffer(3);
    let (subscription, _) = tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos1));
    let mut subscription = subscription.unwrap();
    for n in 0..10 {
        server.deliver("a", &n.to_string(), QoS::AtMostOnce, 0).await;
    }
    server.deliver("a", "kept", QoS::AtLeastOnce, 1).await;
    server.silence().await;
    assert_eq!(subscription.dropped(), 7);
    for expected in ["0", "1", "2", "kept"] {
        assert_eq!(subscription.next().await.unwrap().text(), Some(expected));
    }
    assert_eq!(server.puback().await.packet_id.get(), 1);
}

#[tokio::test]
async fn a_dropped_stream_gives_its_subscription_up_unless_another_has_the_same() {
    let (client, mut server) = connected(Version::V5).await;
    let subscribe = async {
        let first = client.subscribe("a", QoS::AtLeastOnce).await.unwrap();
        let second = client.subscribe("a", QoS::AtLeastOnce).await.unwrap();
        (first, second)
    };
    let serve = async {
        server.grant(ReasonCode::GrantedQos1).await;
        server.grant(ReasonCode::GrantedQos1).await;
    };
    let ((first, second), ()) = tokio::join!(subscribe, serve);
    drop(first);
    server.silence().await;
    // A message that waits in a dropped stream counts as taken, so that it holds nothing up.
    server.deliver("a", "unread", QoS::AtLeastOnce, 1).await;
    server.silence().await;
    drop(second);
    let mut packets = [server.packet().await, server.packet().await];
    packets.sort_by_key(|packet| matches!(packet, Packet::Unsubscribe(_)));
    assert!(matches!(&packets, [Packet::PubAck(ack), Packet::Unsubscribe(_)] if ack.packet_id.get() == 1));
}

#[tokio::test]
async fn unsubscribing_ends_the_stream_after_what_has_arrived() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let (subscription, _) =
            tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), server.grant(ReasonCode::GRANTED_QOS_0));
        let mut subscription = subscription.unwrap();
        server.deliver("a", "last", QoS::AtMostOnce, 0).await;
        let (over, filter) = tokio::join!(subscription.unsubscribe().into_future(), server.release());
        over.unwrap();
        assert_eq!(filter, "a");
        assert_eq!(subscription.next().await.unwrap().text(), Some("last"));
        assert!(subscription.next().await.is_none());
        drop(subscription);
        server.silence().await;
    }
}

#[tokio::test]
async fn a_late_unsuback_does_not_end_a_newer_subscription() {
    let (client, mut server) = connected(Version::V5).await;
    let (old, _) =
        tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), server.grant(ReasonCode::GRANTED_QOS_0));
    let old = old.unwrap();
    let over = tokio::spawn(old.unsubscribe().into_future());
    let Packet::Unsubscribe(unsubscribe) = server.packet().await else { panic!("no UNSUBSCRIBE") };
    let again = tokio::spawn(client.subscribe("a", QoS::AtMostOnce).into_future());
    let subscribe = server.subscribe().await;
    let (packet_id, properties, reasons) = (unsubscribe.packet_id, AckProperties::default(), vec![ReasonCode::Success]);
    server
        .send(Packet::UnsubAck(UnsubAck { packet_id, properties: properties.clone(), reasons: reasons.clone() }))
        .await;
    server.send(Packet::SubAck(SubAck { packet_id: subscribe.packet_id, properties, reasons })).await;
    over.await.unwrap().unwrap();
    let mut newer = again.await.unwrap().unwrap();
    server.deliver("a", "for the newer", QoS::AtMostOnce, 0).await;
    assert_eq!(newer.next().await.unwrap().text(), Some("for the newer"));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_granted_too_late_is_given_up_again() {
    let builder = builder().keep_alive(Duration::ZERO).request_timeout(Duration::from_secs(2));
    let (client, mut server) = connected_with(Version::V5, builder, <_>::default()).await;
    let (late, _) = tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), server.subscribe());
    assert!(matches!(late, Err(SubscribeError::Timeout { .. })));
    assert_eq!(server.release().await, "a");
}

#[tokio::test]
async fn a_subscribe_that_is_given_up_is_undone() {
    let (client, mut server) = connected(Version::V5).await;
    let attempt = tokio::spawn(client.subscribe("a", QoS::AtMostOnce).into_future());
    server.subscribe().await;
    attempt.abort();
    assert_eq!(server.release().await, "a");
}
