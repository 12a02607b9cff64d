//! What waits to be sent: bounds, what gives way, and who hears of it.
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

use gridmq_client::error::Outcome;
use gridmq_client::{Client, Overflow, PublishError, QoS, QueueOptions, Reconnect, Ticket, Version};
use gridmq_proto::session::client::RequestError;
use support::Peer;
use tokio::net::TcpListener;

/// A client whose server is not there yet, and the place where it will be.
async fn away(queue: QueueOptions) -> (Client, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Client::builder(&format!("mqtt://127.0.0.1:{port}"))
        .client_id("c")
        .queue(queue)
        .reconnect(Reconnect::default())
        .start()
        .unwrap();
    (client, listener)
}

async fn arrives(listener: &TcpListener) -> Peer<tokio::net::TcpStream> {
    let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
    server.accept(false, <_>::default()).await;
    server
}

async fn enqueue(client: &Client, payload: &str) -> Result<Ticket, PublishError> {
    client.publish("a", payload.to_owned()).qos(QoS::AtLeastOnce).timeout(Duration::from_millis(300)).enqueue().await
}

async fn payloads(server: &mut Peer<tokio::net::TcpStream>, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        let publish = server.publish().await;
        all.push(String::from_utf8(publish.payload.to_vec()).unwrap());
        if let Some(id) = publish.packet_id {
            server.acknowledge(id).await;
        }
    }
    all
}

#[tokio::test]
async fn what_is_queued_without_a_connection_is_sent_in_order_once_there_is_one() {
    let (client, listener) = away(QueueOptions::new()).await;
    let mut tickets = Vec::new();
    for payload in ["1", "2", "3"] {
        tickets.push(enqueue(&client, payload).await.unwrap());
    }
    assert_eq!(tickets.iter().map(|it| it.position().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    let status = client.queue();
    assert_eq!((status.messages, status.bytes, status.in_flight, status.last_position), (3, 6, 0, 3));
    let plain = client.publish("a", "plain");
    let serve = async {
        let mut server = arrives(&listener).await;
        (payloads(&mut server, 4).await, server)
    };
    let (sent, (mut found, _server)) = tokio::join!(plain.into_future(), serve);
    sent.unwrap();
    found.sort();
    assert_eq!(found, ["1", "2", "3", "plain"]);
    for ticket in tickets {
        ticket.await.unwrap();
    }
    assert_eq!(client.queue().messages, 0);
}

#[tokio::test]
async fn each_overflow_policy_tells_whose_message_did_not_make_it() {
    let full = |overflow| QueueOptions::new().messages(2).overflow(overflow);

    let (client, _listener) = away(full(Overflow::Wait)).await;
    let _kept = (enqueue(&client, "1").await.unwrap(), enqueue(&client, "2").await.unwrap());
    let error = enqueue(&client, "3").await.unwrap_err();
    assert!(matches!(error, PublishError::Timeout { queued: false, .. }), "{error:?}");
    assert_eq!((error.outcome(), client.queue().messages), (Outcome::NotSent, 2));

    let (client, _listener) = away(full(Overflow::Refuse)).await;
    let _kept = (enqueue(&client, "1").await.unwrap(), enqueue(&client, "2").await.unwrap());
    let error = enqueue(&client, "3").await.unwrap_err();
    assert!(matches!(error, PublishError::QueueFull { messages: 2, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);

    for (overflow, goes, stay) in [(Overflow::DropOldest, 0, ["2", "3"]), (Overflow::DropNewest, 1, ["1", "3"])] {
        let (client, listener) = away(full(overflow)).await;
        let mut tickets = Vec::new();
        for payload in ["1", "2", "3"] {
            tickets.push(enqueue(&client, payload).await.unwrap());
        }
        let dropped = tickets.remove(goes).await.unwrap_err();
        assert!(
            matches!(dropped, PublishError::Dropped { position, .. } if position == goes as u64 + 1),
            "{dropped:?}"
        );
        let mut server = arrives(&listener).await;
        assert_eq!(payloads(&mut server, 2).await, stay);
        for ticket in tickets {
            ticket.await.unwrap();
        }
    }
}

#[tokio::test]
async fn bytes_are_bounded_too_and_one_message_always_fits() {
    let (client, _listener) = away(QueueOptions::new().bytes(10).overflow(Overflow::Refuse)).await;
    let _large = enqueue(&client, "twenty bytes of text").await.unwrap();
    assert!(matches!(enqueue(&client, "x").await, Err(PublishError::QueueFull { .. })));
}

#[tokio::test]
async fn a_request_that_is_dropped_before_there_is_room_sends_nothing() {
    let (client, listener) = away(QueueOptions::new().messages(1)).await;
    let kept = enqueue(&client, "1").await.unwrap();
    let request = client.publish("a", "never").qos(QoS::AtLeastOnce).into_future();
    assert!(tokio::time::timeout(Duration::from_millis(100), request).await.is_err());
    // One that was taken goes on without whoever asked.
    drop(kept);
    let mut server = arrives(&listener).await;
    assert_eq!(payloads(&mut server, 1).await, ["1"]);
    server.silence().await;
    let serve = async { payloads(&mut server, 1).await };
    let (done, found) = tokio::join!(client.publish("a", "2").qos(QoS::AtLeastOnce).into_future(), serve);
    assert_eq!((done.is_ok(), found), (true, vec!["2".to_owned()]));
}

#[tokio::test]
async fn a_message_that_is_late_stays_queued_and_the_error_says_so() {
    let (client, listener) = away(QueueOptions::new()).await;
    let late = client.publish("a", "late").qos(QoS::AtLeastOnce).timeout(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(late, PublishError::Timeout { queued: true, position: Some(1), .. }), "{late:?}");
    assert_eq!(late.outcome(), Outcome::Unknown);
    let mut server = arrives(&listener).await;
    assert_eq!(payloads(&mut server, 1).await, ["late"]);
}

#[tokio::test]
async fn qos_0_fails_at_once_where_it_is_not_to_wait() {
    let (client, _listener) = away(QueueOptions::new().at_most_once(false)).await;
    let error = client.publish("a", "x").await.unwrap_err();
    assert!(matches!(error, PublishError::Limit { limit: RequestError::NotConnected, .. }), "{error:?}");
}
