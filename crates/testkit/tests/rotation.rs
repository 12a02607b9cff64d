//! Certificates that change while a client works.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![cfg(unix)]

#[path = "rotation/files.rs"]
mod files;
#[path = "rotation/harness.rs"]
mod harness;

use std::sync::Arc;
use std::time::Duration;

use files::Files;
use gridmq_client::{ConnectionEvent, QoS, Version};
use gridmq_testkit::authority::identity;
use gridmq_tls::credentials::Published;
use harness::{PUBLISHER, Stage, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_replaced_certificates_lose_no_message_and_no_session() {
    let stage = Stage::new().await;
    let files = Files::new(&stage.authority);
    run(&stage, Version::V5, files, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_on_mqtt_3_1_1_with_a_session() {
    let stage = Stage::new().await;
    let files = Files::new(&stage.authority);
    run(&stage, Version::V3_1_1, files, 3).await;
}

/// MQTT 3.1.1 with a clean session: the session is lost, which is told, and the subscription is made again.
#[tokio::test]
async fn without_a_session_subscriptions_are_made_again() {
    let stage = Stage::new().await;
    let issue = || identity(&stage.authority.client(PUBLISHER));
    let credentials = Published::new(issue());
    let client = stage
        .builder()
        .credentials(Arc::new(credentials.clone()))
        .username(PUBLISHER)
        .client_id("publisher")
        .version(Version::V3_1_1)
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    let mut messages = client.subscribe("interop/own", QoS::AtLeastOnce).await.unwrap();
    credentials.publish(issue());
    let mut told = Vec::new();
    assert!(matches!(events.next().await, Some(ConnectionEvent::Connected { .. })));
    while !matches!(told.last(), Some(ConnectionEvent::SessionLost)) {
        told.push(events.next().await.unwrap());
    }
    assert!(matches!(
        &told[..],
        [
            ConnectionEvent::Rotating { from: 1, to: 2 },
            ConnectionEvent::Rotated { generation: 2, session_present: false },
            ConnectionEvent::SessionLost
        ]
    ));
    client.ping().await.unwrap();
    client.publish("interop/own", "still here").qos(QoS::AtLeastOnce).await.unwrap();
    let message = tokio::time::timeout(Duration::from_secs(10), messages.next()).await.unwrap().unwrap();
    assert_eq!(message.text(), Some("still here"));
    client.disconnect().await.unwrap();
}
