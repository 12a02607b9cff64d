//! A store that stands still or has failed: what it takes, and what goes on without it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_broker::{Broker, StoreStatus};
use gridmq_proto::packet::PacketType;
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_store::{Options, Store};
use gridmq_testkit::wire::{Wire, eventually, lasting, message, payload_of};
use gridmq_testkit::{Gated, OpenBroker};

struct Clients {
    /// Has a session that lasts, and subscribed to `kept`.
    lasting: Wire,
    /// Has none, and subscribed to `t`.
    passing: Wire,
    publisher: Wire,
}

/// What needs the store is refused; all else goes on.
async fn only_what_needs_the_store_is_refused(broker: &OpenBroker, clients: &mut Clients) {
    let Clients { lasting: kept, passing, publisher } = clients;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(publisher.publish("t", "x", qos).await, ReasonCode::Success);
        assert_eq!(payload_of(&passing.take().await), "x");
    }
    publisher.publish("kept", "QoS 0", QoS::AtMostOnce).await;
    assert_eq!(payload_of(&kept.take().await), "QoS 0");
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(publisher.publish("kept", "x", qos).await, ReasonCode::QuotaExceeded);
        assert_eq!(publisher.retain("retained", "x", qos).await, ReasonCode::QuotaExceeded);
    }
    assert_eq!(broker.broker.retained_messages(), 0);
    assert_eq!(kept.subscribe("more", QoS::AtLeastOnce).await, ReasonCode::QuotaExceeded);
    assert_eq!(passing.subscribe("more", QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
    assert_eq!(passing.unsubscribe(&["more"]).await, [ReasonCode::Success]);
    let (_, ack) = Wire::open(broker.address(), "another", Version::V5, lasting).await;
    assert_eq!(ack.reason, ReasonCode::QuotaExceeded);
    Wire::join(broker.address(), "another", Version::V5).await.leave().await;
    assert!(kept.ping_barrier().await.is_empty());
    assert!(passing.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn a_full_disk_stops_acknowledgements_and_nothing_else() {
    for workers in [1, 2] {
        let engine = Gated::new();
        let store = Store::open(engine.clone(), Options::default()).unwrap();
        let broker = OpenBroker::start(Broker::builder().workers(workers).store(store)).await;
        let (mut kept, _) = Wire::resume(broker.address(), "kept", Version::V5).await;
        kept.subscribe("kept", QoS::ExactlyOnce).await;
        let mut passing = Wire::join(broker.address(), "passing", Version::V5).await;
        passing.subscribe("t", QoS::ExactlyOnce).await;
        let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
        assert_eq!(broker.broker.store_status(), StoreStatus::Running);
        let rows = engine.rows();
        engine.set_full(true);
        let waits = publisher.send_publish(message("kept", "waits", QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(payload_of(&kept.take().await), "waits");
        eventually(
            "it is said",
            || matches!(broker.broker.store_status(), StoreStatus::Stalled { why, .. } if why.contains("full")),
        )
        .await;
        let mut clients = Clients { lasting: kept, passing, publisher };
        // Acknowledgements are in order: who waits for one waits for those behind it too.
        let mut waiting = std::mem::replace(
            &mut clients.publisher,
            Wire::join(broker.address(), "another publisher", Version::V5).await,
        );
        only_what_needs_the_store_is_refused(&broker, &mut clients).await;
        assert!(waiting.ping_barrier().await.is_empty());
        engine.set_full(false);
        waiting.ack(PacketType::PubAck, waits).await;
        eventually("it goes on", || broker.broker.store_status() == StoreStatus::Running).await;
        assert_eq!(clients.publisher.publish("kept", "x", QoS::ExactlyOnce).await, ReasonCode::Success);
        assert_eq!(payload_of(&clients.lasting.take().await), "x");
        eventually("all is done with", || engine.rows() == rows).await;
        engine.break_down();
        waiting.send_publish(message("kept", "lost", QoS::AtLeastOnce)).await;
        assert_eq!(payload_of(&clients.lasting.take().await), "lost");
        eventually(
            "it is said",
            || matches!(broker.broker.store_status(), StoreStatus::Failed { why, .. } if why.contains("disk")),
        )
        .await;
        only_what_needs_the_store_is_refused(&broker, &mut clients).await;
        assert!(waiting.ping_barrier().await.is_empty());
    }
}
