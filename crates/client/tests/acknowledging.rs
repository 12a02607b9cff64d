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

use gridmq_client::error::RejectError;
use gridmq_client::{Client, QoS, ReasonCode, Subscription, Version};
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

#[tokio::test]
async fn a_slow_reader_holds_back_itself_and_not_pings_or_others() {
    let (client, mut server) = connected(Version::V5).await;
    let slow = subscribed(&client, &mut server, false).await;
    for id in 1..=100 {
        server.deliver("a/1", "", QoS::AtLeastOnce, id).await;
    }
    client.publish("b", "goes on").await.unwrap();
    assert_eq!(server.publish().await.topic.unwrap().as_str(), "b");
    drop(slow);
    let mut acknowledged = 0;
    while acknowledged < 100 {
        match server.packet().await {
            Packet::PubAck(_) => acknowledged += 1,
            Packet::Unsubscribe(_) => {}
            other => panic!("{other:?}"),
        }
    }
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
