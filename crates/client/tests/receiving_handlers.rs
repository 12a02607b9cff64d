//! Who judges a message, and what becomes of one that nobody judges.
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
use std::sync::Arc;
use std::time::Duration;

use gridmq_client::error::RejectError;
use gridmq_client::{Message, OnDrop, QoS, ReasonCode, Rejection, SubscribeRequest, Subscription, Version};
use support::{Peer, builder, connected, connected_with};
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;

async fn made(request: SubscribeRequest, server: &mut Peer<DuplexStream>) -> Subscription {
    tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos2)).0.unwrap()
}

#[tokio::test]
async fn a_token_acknowledges_without_its_message() {
    let (client, mut server) = connected(Version::V5).await;
    let mut subscription = made(client.subscribe("a", QoS::AtLeastOnce).manual_ack(), &mut server).await;
    for id in 1..=3 {
        server.deliver("a", "", QoS::AtLeastOnce, id).await;
    }
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let mut message = subscription.next().await.unwrap();
        tokens.push(message.take_ack().unwrap());
        assert!(!message.awaits_ack() && message.take_ack().is_none());
    }
    server.silence().await;
    let mut last = tokens.pop().unwrap();
    assert!(matches!(last.reject(ReasonCode::Success, None), Err(RejectError::Reason { .. })));
    last.reject(ReasonCode::QuotaExceeded, Some("later")).unwrap();
    drop(last);
    for token in tokens.into_iter().rev() {
        server.silence().await;
        token.ack();
    }
    for (id, reason) in [(1, ReasonCode::Success), (2, ReasonCode::Success), (3, ReasonCode::QuotaExceeded)] {
        let ack = server.puback().await;
        assert_eq!((ack.packet_id.get(), ack.reason), (id, reason));
    }
    server.deliver("a", "", QoS::AtMostOnce, 0).await;
    assert!(subscription.next().await.unwrap().take_ack().is_none());
}

#[tokio::test]
async fn dropping_a_message_does_what_the_stream_says() {
    for (version, on_drop, reason) in [
        (Version::V5, OnDrop::Ack, ReasonCode::Success),
        (Version::V5, OnDrop::Reject, ReasonCode::ImplementationSpecificError),
        (Version::V3_1_1, OnDrop::Reject, ReasonCode::Success),
    ] {
        let (client, mut server) = connected(version).await;
        let request = client.subscribe("a", QoS::AtLeastOnce).manual_ack_or(on_drop);
        let mut subscription = made(request, &mut server).await;
        server.deliver("a", "", QoS::AtLeastOnce, 1).await;
        drop(subscription.next().await.unwrap());
        assert_eq!(server.puback().await.reason, reason);
    }
}

/// Fails, panics, or succeeds, as its payload says.
async fn handle(message: Message) -> Result<(), Rejection> {
    match message.text() {
        Some("fail") => Err(Rejection::new(ReasonCode::PayloadFormatInvalid).reason_string("bad")),
        Some("panic") => panic!("as the message says"),
        Some("no reason") => Err(Rejection::new(ReasonCode::Success)),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn defect_08_a_handler_that_panics_or_fails_gives_its_receive_slot_back() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected_with(version, builder().receive_maximum(4), <_>::default()).await;
        let subscription = made(client.subscribe("a", QoS::AtLeastOnce), &mut server).await;
        let handling = tokio::spawn(subscription.handle(4, handle));
        // Far more than there are slots.
        let payloads = ["fail", "panic", "", "no reason"];
        let reasons = [
            ReasonCode::PayloadFormatInvalid,
            ReasonCode::ImplementationSpecificError,
            ReasonCode::Success,
            ReasonCode::Success,
        ];
        for round in 0..10 {
            for (n, payload) in (1..).zip(payloads) {
                server.deliver("a", payload, QoS::AtLeastOnce, round * 4 + n).await;
            }
            for (n, reason) in (1..).zip(reasons) {
                let ack = server.puback().await;
                assert_eq!(ack.packet_id.get(), round * 4 + n);
                assert_eq!(ack.reason, if version.is_v5() { reason } else { ReasonCode::Success });
            }
        }
        handling.abort();
    }
}

#[tokio::test]
async fn defect_08_a_dropped_stream_gives_its_receive_slots_back() {
    let (client, mut server) = connected_with(Version::V5, builder().receive_maximum(4), <_>::default()).await;
    for round in 0..5 {
        let subscription = made(client.subscribe("a", QoS::AtLeastOnce).manual_ack(), &mut server).await;
        for id in 1..=4 {
            server.deliver("a", "", QoS::AtLeastOnce, round * 4 + id).await;
        }
        server.silence().await;
        drop(subscription);
        let mut acknowledged = 0;
        let mut given_up = false;
        while acknowledged < 4 || !given_up {
            match server.packet().await {
                gridmq_proto::Packet::PubAck(_) => acknowledged += 1,
                gridmq_proto::Packet::Unsubscribe(_) => given_up = true,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn pain_37_handlers_work_at_once_and_acknowledge_in_order() {
    let (client, mut server) = connected(Version::V5).await;
    let subscription = made(client.subscribe("a", QoS::AtLeastOnce), &mut server).await;
    let first = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&first);
    let handling = tokio::spawn(subscription.handle(3, move |message| {
        let gate = Arc::clone(&gate);
        async move {
            if message.text() == Some("slow") {
                gate.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    }));
    server.deliver("a", "slow", QoS::AtLeastOnce, 1).await;
    for id in 2..=5 {
        server.deliver("a", "", QoS::AtLeastOnce, id).await;
    }
    // The slow one holds back acknowledgements, not the client.
    server.silence().await;
    client.publish("b", "goes on").await.unwrap();
    server.publish().await;
    first.add_permits(1);
    for id in 1..=5 {
        assert_eq!(server.puback().await.packet_id.get(), id);
    }
    let (over, _) = tokio::join!(client.unsubscribe("a").into_future(), server.release());
    over.unwrap();
    tokio::time::timeout(Duration::from_secs(5), handling).await.unwrap().unwrap();
}
