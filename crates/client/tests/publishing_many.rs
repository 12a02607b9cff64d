//! Messages that are published by one call while there is no connection.
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

use std::future::IntoFuture as _;
use std::time::Duration;

use gridmq_client::{ConnectionState, PublishError, QoS, QueueOptions, Version};
use venue::Venue;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_message_of_a_batch_is_not_sent_when_its_own_time_is_up() {
    let mut venue = Venue::new(Version::V5);
    let options = venue.lasting().queue(QueueOptions::new().messages(1));
    let (client, server) = venue.connected(options).await;
    drop(server);
    client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
    // The first fills the queue; the third has time enough behind the second.
    let requests = [("0", 30), ("1", 1), ("2", 30)]
        .map(|(payload, seconds)| client.publish("a", payload).qos(QoS::AtLeastOnce).timeout(seconds * SECOND));
    let serve = async {
        tokio::time::sleep(5 * SECOND).await;
        let (mut server, _) = venue.accept(true, <_>::default()).await;
        for payload in ["0", "2"] {
            let publish = server.publish().await;
            assert_eq!(publish.payload, payload);
            server.acknowledge(publish.packet_id.unwrap()).await;
        }
        server
    };
    let (outcomes, _server) = tokio::join!(client.publish_all(requests).into_future(), serve);
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(PublishError::Timeout { queued: false, .. })), "{:?}", outcomes[1]);
}
