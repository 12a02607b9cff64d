//! What a stopping broker says and does.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use gridmq_broker::Broker;
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, message};
use tokio::net::TcpStream;

#[tokio::test]
async fn mqtt_5_clients_are_told_and_the_others_closed() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut wires = Vec::new();
    for number in 0..12 {
        let version = [Version::V3_1, Version::V3_1_1, Version::V5][number % 3];
        wires.push(Wire::join(address, &number.to_string(), version).await);
    }
    // Two that are not in yet.
    let mut silent = Wire::connect(address).await;
    let mut half = Wire::connect(address).await;
    half.send_raw(b"\x10\x0e\x00").await;
    let stopping = tokio::spawn(broker.broker.shutdown());
    for wire in &mut wires {
        wire.expect_end(ReasonCode::ServerShuttingDown).await;
    }
    assert!(silent.raw_until_closed().await.len() < 100);
    assert!(half.raw_until_closed().await.len() < 100);
    drop((wires, silent, half));
    tokio::time::timeout(Duration::from_secs(8), stopping).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn what_was_received_before_is_still_delivered_and_acknowledged() {
    let broker = gridmq_testkit::open(4).await;
    let mut subscriber = Wire::join(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    assert_eq!(publisher.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    let stopping = tokio::spawn(broker.broker.shutdown());
    subscriber.take().await;
    subscriber.expect_end(ReasonCode::ServerShuttingDown).await;
    publisher.expect_end(ReasonCode::ServerShuttingDown).await;
    drop((publisher, subscriber));
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_leave_holds_it_up_no_longer_than_the_deadline() {
    let builder = Broker::builder().workers(2).shutdown_deadline(Duration::from_millis(300));
    let broker = OpenBroker::start(builder).await;
    let mut deaf = Wire::join(broker.address(), "deaf", Version::V5).await;
    deaf.subscribe("t", QoS::AtMostOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let payload = vec![b'x'; 512 * 1024];
    for _ in 0..20 {
        publisher.send_publish(message("t", &payload, QoS::AtMostOnce)).await;
    }
    publisher.ping_barrier().await;
    let begun = std::time::Instant::now();
    tokio::time::timeout(Duration::from_secs(5), broker.broker.shutdown()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_idle_broker_stops_at_once_and_its_port_is_free() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    Wire::join(address, "c", Version::V5).await.leave().await;
    tokio::time::timeout(Duration::from_secs(5), broker.broker.shutdown()).await.unwrap();
    let again = Broker::builder().workers(1).listener(gridmq_broker::Listener::plain(address)).start().await.unwrap();
    Wire::join(address, "c", Version::V5).await.leave().await;
    again.shutdown().await;
}

#[tokio::test]
async fn a_broker_that_is_dropped_closes_its_connections() {
    let broker = gridmq_testkit::open(2).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V3_1_1).await;
    drop(broker);
    assert!(wire.expect_closed().await.is_empty());
}
