//! Asking whether the server has read everything.
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

use gridmq_client::error::PingError;
use gridmq_client::{ReasonCode, Version};
use gridmq_proto::packet::{Disconnect, DisconnectProperties, Packet};
use support::{builder, connected, connected_with};

#[tokio::test]
async fn a_ping_follows_what_was_published_and_is_answered_once_for_each() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        client.publish("a", "first").await.unwrap();
        let serve = async {
            assert_eq!(&server.publish().await.payload[..], b"first");
            for _ in 0..2 {
                assert!(matches!(server.packet().await, Packet::PingReq));
            }
            server.send(Packet::PingResp).await;
        };
        let second = client.clone();
        let mut first = Box::pin(client.ping());
        let mut second = Box::pin(second.ping());
        tokio::select! {
            biased;
            _ = &mut first => panic!("nothing was answered"),
            _ = &mut second => panic!("nothing was answered"),
            () = serve => {}
        }
        // One answer is for one question, and for the one that came first.
        tokio::select! {
            answer = &mut first => answer.unwrap(),
            _ = &mut second => panic!("the second was not answered"),
        }
        server.send(Packet::PingResp).await;
        second.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_ends_the_connection_instead_has_refused_something() {
    let (client, mut server) = connected(Version::V5).await;
    client.publish("a", "forbidden").await.unwrap();
    let serve = async {
        server.publish().await;
        let reason = ReasonCode::NotAuthorized;
        let disconnect = Disconnect { reason, properties: DisconnectProperties::default() };
        server.send(Packet::Disconnect(disconnect)).await;
        server.hang_up().await;
    };
    match tokio::join!(client.ping(), serve).0 {
        Err(PingError::Disconnected(cause)) => assert_eq!(cause.reason(), Some(ReasonCode::NotAuthorized)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    let after = Duration::from_millis(20);
    let (client, server) = connected_with(Version::V5, builder().request_timeout(after), <_>::default()).await;
    assert!(matches!(client.ping().await, Err(PingError::Timeout { after: waited }) if waited == after));
    drop(server);
}
