//! What is noted of who has a QoS 2 message while its publisher waits for an answer.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_broker::Broker;
use gridmq_proto::packet::{Disconnect, DisconnectProperties};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_store::{Key, MemoryEngine, NamespaceId, Options, Store, Table};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, encoded, eventually, message, payload_of};

fn rows(engine: &MemoryEngine, table: &'static str) -> usize {
    let store = Store::immediate(engine.clone());
    store.scan(Table::new(table), &Key::new(NamespaceId::DEFAULT, &[]), None, 10).unwrap().entries.len()
}

#[tokio::test]
async fn who_has_a_message_is_forgotten_with_its_publishers_session() {
    let engine = MemoryEngine::new();
    let store = Store::open(engine.clone(), Options::default()).unwrap();
    let broker = OpenBroker::start(Broker::builder().workers(2).store(store)).await;
    let mut receivers = Vec::new();
    for name in ["one", "other"] {
        let (mut wire, _) = Wire::resume(broker.address(), name, Version::V5).await;
        wire.subscribe("t", QoS::ExactlyOnce).await;
        receivers.push(wire);
    }
    // The session of the publisher ends before the other worker has the message, and stores who got it.
    let (mut publisher, _) = Wire::resume(broker.address(), "p", Version::V5).await;
    let publish =
        gridmq_proto::packet::Publish { packet_id: Some(PacketId::MIN), ..message("t", "x", QoS::ExactlyOnce) };
    let mut bytes = encoded(&Packet::Publish(publish), Version::V5);
    let properties = DisconnectProperties { session_expiry_interval: Some(0), ..DisconnectProperties::default() };
    let leave = Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties };
    bytes.extend_from_slice(&encoded(&Packet::Disconnect(leave), Version::V5));
    publisher.send_raw(&bytes).await;
    for wire in &mut receivers {
        assert_eq!(payload_of(&wire.take().await), "x");
    }
    eventually("nothing is noted of it", || rows(&engine, "routed") == 0).await;
    // What was on its way when it ended may still have come after that.
    for wire in &mut receivers {
        wire.ping_barrier().await;
    }
    assert_eq!(rows(&engine, "routed"), 0);
}
