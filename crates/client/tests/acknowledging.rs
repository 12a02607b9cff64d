//! Who acknowledges when, and in which order.
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

use gridmq_client::error::{EncodeError, RejectError};
use gridmq_client::{AckProperties, Client, QoS, ReasonCode, Rejection, Subscription, Version};
use gridmq_proto::packet::Packet;
use support::{Peer, builder, connected, connected_with};
use tokio::io::DuplexStream;

async fn subscribed(client: &Client, server: &mut Peer<DuplexStream>, manual: bool) -> Subscription {
    let request = client.subscribe("a/#", QoS::ExactlyOnce);
    let request = if manual { request.manual_ack() } else { request };
    tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos2)).0.unwrap()
}

#[tokio::test]
async fn automatic_means_when_taken_from_the_stream() {
    let (client, mut server) = connected(Version::V5).await;
    let mut subscription = subscribed(&client, &mut server, false).await;
    server.deliver("a/1", "", QoS::AtLeastOnce, 7).await;
    server.silence().await;
    let message = subscription.next().await.unwrap();
    assert!(!message.awaits_ack());
    let ack = server.puback().await;
    assert_eq!((ack.packet_id.get(), ack.reason), (7, ReasonCode::Success));
}

#[tokio::test]
async fn mqtt5_4_6_0_2_and_mqtt311_4_6_0_2_manual_acknowledgements_go_out_in_the_order_of_receipt() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let mut subscription = subscribed(&client, &mut server, true).await;
        for id in 1..=3 {
            server.deliver("a/1", "", QoS::AtLeastOnce, id).await;
        }
        let mut messages = Vec::new();
        for _ in 0..3 {
            messages.push(subscription.next().await.unwrap());
        }
        messages[2].ack();
        messages[1].ack();
        server.silence().await;
        messages[0].ack();
        messages[0].ack();
        for id in 1..=3 {
            assert_eq!(server.puback().await.packet_id.get(), id);
        }
        server.silence().await;
    }
}

#[tokio::test]
async fn qos_2_is_delivered_once() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let mut subscription = subscribed(&client, &mut server, false).await;
        server.deliver("a/1", "once", QoS::ExactlyOnce, 5).await;
        assert_eq!(subscription.next().await.unwrap().qos(), QoS::ExactlyOnce);
        let Packet::PubRec(received) = server.packet().await else { panic!() };
        server.deliver("a/1", "once", QoS::ExactlyOnce, 5).await;
        let Packet::PubRec(again) = server.packet().await else { panic!() };
        assert_eq!(received.packet_id, again.packet_id);
        server.send(Packet::PubRel(received)).await;
        assert!(matches!(server.packet().await, Packet::PubComp(_)));
        let more = tokio::time::timeout(Duration::from_millis(50), subscription.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test]
async fn a_rejection_carries_its_reason() {
    let (client, mut server) = connected(Version::V5).await;
    let mut subscription = subscribed(&client, &mut server, true).await;
    server.deliver("a/1", "", QoS::AtLeastOnce, 1).await;
    let mut message = subscription.next().await.unwrap();
    for reason in [ReasonCode::Success, ReasonCode::SessionTakenOver] {
        assert_eq!(message.reject(reason, None), Err(RejectError::Reason { reason }));
    }
    assert!(message.awaits_ack());
    message.reject(ReasonCode::ImplementationSpecificError, Some("bad payload")).unwrap();
    let ack = server.puback().await;
    assert_eq!(ack.reason, ReasonCode::ImplementationSpecificError);
    assert_eq!(ack.properties.unwrap().reason_string.as_deref(), Some("bad payload"));
}

#[tokio::test]
async fn a_message_of_several_subscriptions_waits_for_the_last_of_them() {
    let (client, mut server) = connected(Version::V5).await;
    let mut manual = subscribed(&client, &mut server, true).await;
    let (automatic, _) =
        tokio::join!(client.subscribe("a/1", QoS::AtLeastOnce).into_future(), server.grant(ReasonCode::GrantedQos1));
    let mut automatic = automatic.unwrap();
    server.deliver("a/1", "", QoS::AtLeastOnce, 1).await;
    automatic.next().await.unwrap();
    let mut message = manual.next().await.unwrap();
    server.silence().await;
    message.reject(ReasonCode::QuotaExceeded, None).unwrap();
    assert_eq!(server.puback().await.reason, ReasonCode::QuotaExceeded);
}

#[tokio::test]
async fn a_message_dropped_without_a_word_stays_unacknowledged() {
    let (client, mut server) = connected(Version::V5).await;
    let mut subscription = subscribed(&client, &mut server, true).await;
    server.deliver("a/1", "1", QoS::AtLeastOnce, 1).await;
    server.deliver("a/1", "2", QoS::AtLeastOnce, 2).await;
    drop(subscription.next().await.unwrap());
    subscription.next().await.unwrap().ack();
    server.silence().await;
}

/// Acknowledgements go out in the order of receipt [MQTT-4.6.0-2], and the receive maximum counts for all.
#[tokio::test]
async fn a_slow_reader_holds_back_the_acknowledgements_of_others_and_no_message_within_the_receive_maximum() {
    let (client, mut server) = connected_with(Version::V5, builder().receive_maximum(4), <_>::default()).await;
    let slow = subscribed(&client, &mut server, false).await;
    let (quick, _) =
        tokio::join!(client.subscribe("b", QoS::AtLeastOnce).into_future(), server.grant(ReasonCode::GrantedQos1));
    let mut quick = quick.unwrap();
    // Nobody reads what comes first; the other subscription gets its messages all the same.
    for (id, topic) in [(1, "a/1"), (2, "b"), (3, "a/1"), (4, "b")] {
        server.deliver(topic, &id.to_string(), QoS::AtLeastOnce, id).await;
    }
    assert_eq!(quick.next().await.unwrap().text(), Some("2"));
    assert_eq!(quick.next().await.unwrap().text(), Some("4"));
    // Their acknowledgements wait behind the first, so a server that keeps to the receive maximum sends no more of
    // QoS 1; QoS 0, pings and what is published go on.
    server.silence().await;
    for number in 0..10 {
        server.deliver("b", &format!("loose {number}"), QoS::AtMostOnce, 0).await;
        assert_eq!(quick.next().await.unwrap().text(), Some(format!("loose {number}").as_str()));
    }
    let pong = async {
        assert!(matches!(server.packet().await, Packet::PingReq));
        server.send(Packet::PingResp).await;
    };
    tokio::join!(client.ping(), pong).0.unwrap();
    client.publish("c", "goes on").await.unwrap();
    assert_eq!(server.publish().await.topic.unwrap().as_str(), "c");
    // Given up, the slow one holds nothing back any more.
    drop(slow);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 4 {
        match server.packet().await {
            Packet::PubAck(ack) => acknowledged.push(ack.packet_id.get()),
            Packet::Unsubscribe(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acknowledged, [1, 2, 3, 4]);
}

#[tokio::test]
async fn an_acknowledgement_says_what_it_is_told_to() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (client, mut server) = connected(Version::V5).await;
        let mut subscription = subscribed(&client, &mut server, true).await;
        server.deliver("a/1", "taken", qos, 1).await;
        server.deliver("a/1", "refused", qos, 2).await;
        server.deliver("a/1", "by token", qos, 3).await;
        let user_properties = vec![("trace".into(), "17".into())];
        let said = AckProperties { reason_string: Some("stored".into()), user_properties };
        subscription.next().await.unwrap().ack_with(said.clone()).unwrap();
        let rejection = Rejection::new(ReasonCode::QuotaExceeded).reason_string("stored").user_property("trace", "17");
        subscription.next().await.unwrap().reject_with(rejection).unwrap();
        subscription.next().await.unwrap().take_ack().unwrap().ack_with(said.clone()).unwrap();
        for (id, reason) in [(1, ReasonCode::Success), (2, ReasonCode::QuotaExceeded), (3, ReasonCode::Success)] {
            let (Packet::PubAck(ack) | Packet::PubRec(ack)) = server.packet().await else { panic!() };
            assert_eq!((ack.packet_id.get(), ack.reason), (id, reason));
            assert_eq!(ack.properties.as_deref(), Some(&said));
        }
    }
}

#[tokio::test]
async fn what_an_acknowledgement_cannot_say_on_3_1_1_is_refused_by_name() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    let mut subscription = subscribed(&client, &mut server, true).await;
    server.deliver("a/1", "", QoS::AtLeastOnce, 1).await;
    let mut message = subscription.next().await.unwrap();
    let words = AckProperties { reason_string: Some("why".into()), ..AckProperties::default() };
    for (refused, name) in [
        (message.ack_with(words), "the reason string"),
        (message.reject_with(Rejection::new(ReasonCode::QuotaExceeded).user_property("a", "b")), "a user property"),
    ] {
        match refused.unwrap_err() {
            RejectError::Packet(EncodeError::NotInVersion { field, .. }) => assert_eq!(field, name),
            other => panic!("{other:?}"),
        }
    }
    server.silence().await;
    // A plain rejection is all that it can be: an acknowledgement.
    message.reject(ReasonCode::QuotaExceeded, Some("left out")).unwrap();
    assert_eq!(server.puback().await.packet_id.get(), 1);
}

#[tokio::test]
async fn more_than_the_receive_maximum_ends_the_connection() {
    let (client, mut server) = connected_with(Version::V5, builder().receive_maximum(2), <_>::default()).await;
    let _slow = subscribed(&client, &mut server, false).await;
    for id in 1..=3 {
        server.deliver("a/1", "", QoS::AtLeastOnce, id).await;
    }
    let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
    assert_eq!(disconnect.reason, ReasonCode::ReceiveMaximumExceeded);
}

#[tokio::test]
async fn on_3_1_1_reading_stops_at_the_receive_maximum_and_goes_on_after() {
    let (client, mut server) = connected_with(Version::V3_1_1, builder().receive_maximum(2), <_>::default()).await;
    let mut slow = subscribed(&client, &mut server, false).await;
    for id in 1..=5 {
        server.deliver("a/1", &id.to_string(), QoS::AtLeastOnce, id).await;
    }
    server.silence().await;
    for id in 1..=5 {
        assert_eq!(slow.next().await.unwrap().text(), Some(id.to_string().as_str()));
        assert_eq!(server.puback().await.packet_id.get(), id);
    }
}
