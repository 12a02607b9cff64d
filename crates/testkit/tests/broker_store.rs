//! What the store keeps, what waits for it, and what a second broker finds in it.
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
use gridmq_proto::packet::{Publish, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_store::{MemoryEngine, Options, Store};
use gridmq_testkit::wire::{Wire, eventually, lasting, message, payload_of, topic_of};
use gridmq_testkit::{Gated, OpenBroker};

async fn start(store: Store) -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(4).store(store)).await
}

/// Stops a broker whose clients have gone.
async fn stop(broker: OpenBroker) {
    tokio::time::timeout(Duration::from_secs(10), broker.broker.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_second_broker_finds_sessions_messages_and_what_is_retained() {
    let engine = MemoryEngine::new();
    let broker = start(Store::immediate(engine.clone())).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    let options = SubscribeOptions { qos: QoS::ExactlyOnce, retain_as_published: true, ..SubscribeOptions::default() };
    wire.subscribe_with(&[("t/#", options)], Some(9)).await;
    wire.subscribe("gone", QoS::AtLeastOnce).await;
    wire.unsubscribe(&["gone"]).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    publisher.publish("t/sent", "not acknowledged", QoS::AtLeastOnce).await;
    let sent = wire.recv_publish().await;
    publisher.publish("t/done", "acknowledged", QoS::ExactlyOnce).await;
    wire.take().await;
    wire.ping_barrier().await;
    drop(wire);
    eventually("it is away", || broker.broker.stats().clients_connected == 1).await;
    for number in 0..5 {
        publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await;
    }
    publisher.retain("t/kept", "retained", QoS::AtLeastOnce).await;
    publisher.retain("other/kept", "retained too", QoS::AtMostOnce).await;
    publisher.retain("other/cleared", "x", QoS::AtLeastOnce).await;
    publisher.retain("other/cleared", "", QoS::AtLeastOnce).await;
    publisher.leave().await;
    stop(broker).await;

    let broker = start(Store::immediate(engine.clone())).await;
    assert_eq!(broker.broker.retained_messages(), 2);
    eventually("the session is there", || broker.broker.stats().sessions == 1).await;
    let (mut wire, present) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert!(present);
    let again = wire.take().await;
    assert_eq!((payload_of(&again).as_str(), again.dup, again.packet_id), ("not acknowledged", true, sent.packet_id));
    for number in 0..5 {
        let got = wire.take().await;
        assert_eq!((payload_of(&got), got.dup, got.retain), (number.to_string(), false, false));
        assert_eq!(got.subscription_identifiers.iter().map(|id| id.get()).collect::<Vec<_>>(), [9]);
    }
    let kept = wire.take().await;
    assert_eq!((topic_of(&kept), kept.retain), ("t/kept", true));
    assert!(wire.ping_barrier().await.is_empty());
    // Its subscriptions work, from another worker too.
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    assert_eq!(publisher.publish("t/new", "x", QoS::ExactlyOnce).await, ReasonCode::Success);
    assert_eq!(wire.take().await.qos, QoS::ExactlyOnce);
    assert_eq!(publisher.publish("gone", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
    publisher.subscribe("#", QoS::AtLeastOnce).await;
    let mut retained = vec![topic_of(&publisher.take().await).to_owned(), topic_of(&publisher.take().await).to_owned()];
    retained.sort();
    assert_eq!(retained, ["other/kept", "t/kept"]);
    // Ended here, it is not there for a third one.
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
    publisher.leave().await;
    stop(broker).await;
    let broker = start(Store::immediate(engine)).await;
    let (_, present) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert!(!present);
}

#[tokio::test]
async fn qos_2_goes_on_where_it_was() {
    let engine = MemoryEngine::new();
    let id = PacketId::new(7).unwrap();
    let broker = start(Store::immediate(engine.clone())).await;
    let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::ExactlyOnce).await;
    let (mut publisher, _) = Wire::resume(broker.address(), "p", Version::V5).await;
    let publish = Publish { packet_id: Some(id), ..message("t", "x", QoS::ExactlyOnce) };
    publisher.send_publish(publish.clone()).await;
    publisher.ack(gridmq_proto::packet::PacketType::PubRec, id).await;
    let sent = subscriber.recv_publish().await.packet_id.unwrap();
    let released = gridmq_proto::packet::Ack::new(sent, ReasonCode::Success);
    subscriber.send(Packet::PubRec(released.clone())).await;
    subscriber.ack(gridmq_proto::packet::PacketType::PubRel, sent).await;
    drop((subscriber, publisher));
    eventually("both are away", || broker.broker.stats().clients_connected == 0).await;
    stop(broker).await;

    let broker = start(Store::immediate(engine)).await;
    let (mut publisher, present) = Wire::resume(broker.address(), "p", Version::V5).await;
    assert!(present);
    publisher.send_publish(Publish { dup: true, ..publish }).await;
    publisher.ack(gridmq_proto::packet::PacketType::PubRec, id).await;
    publisher.send(Packet::PubRel(gridmq_proto::packet::Ack::new(id, ReasonCode::Success))).await;
    let complete = publisher.ack(gridmq_proto::packet::PacketType::PubComp, id).await;
    assert_eq!(complete.reason, ReasonCode::Success);
    let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
    match subscriber.recv().await {
        Packet::PubRel(ack) => assert_eq!(ack.packet_id, sent),
        other => panic!("{other:?}"),
    }
    subscriber.send(Packet::PubComp(released)).await;
    assert!(subscriber.ping_barrier().await.is_empty(), "no second copy");
}

#[tokio::test]
async fn sessions_that_end_leave_nothing_in_the_store() {
    let engine = MemoryEngine::new();
    let broker = start(Store::immediate(engine.clone())).await;
    let before = engine.rows();
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for round in 0..8 {
        let version = if round % 2 == 0 { Version::V5 } else { Version::V3_1_1 };
        let (mut wire, _) = Wire::resume(broker.address(), "c", version).await;
        wire.subscribe("t", QoS::ExactlyOnce).await;
        publisher.publish("t", "x", QoS::AtLeastOnce).await;
        publisher.publish("t", "x", QoS::ExactlyOnce).await;
        wire.recv_publish().await;
        drop(wire);
        // Moves, with what is not acknowledged.
        let (wire, present) = Wire::resume(broker.address(), "c", version).await;
        assert!(present);
        drop(wire);
        publisher.publish("t", "x", QoS::AtLeastOnce).await;
        Wire::join(broker.address(), "c", version).await.leave().await;
        eventually("it has ended", || broker.broker.stats().sessions == 1).await;
        eventually("its rows are gone", || engine.rows() == before).await;
    }
    // A session that is not to last writes nothing at all.
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    wire.subscribe("t", QoS::ExactlyOnce).await;
    publisher.publish("t", "x", QoS::ExactlyOnce).await;
    wire.recv_publish().await;
    assert_eq!(engine.rows(), before);
}

#[tokio::test]
async fn the_expiry_of_a_stored_session_goes_on() {
    let engine = MemoryEngine::new();
    let broker = start(Store::immediate(engine.clone())).await;
    for (name, expiry) in [("short", 1), ("long", 1000)] {
        let (wire, _) = Wire::open(broker.address(), name, Version::V5, |connect| {
            lasting(connect);
            connect.properties.session_expiry_interval = Some(expiry);
        })
        .await;
        wire.leave().await;
    }
    stop(broker).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let broker = start(Store::immediate(engine)).await;
    let (_, present) = Wire::resume(broker.address(), "long", Version::V5).await;
    assert!(present);
    let (_, present) = Wire::resume(broker.address(), "short", Version::V5).await;
    assert!(!present);
}

#[tokio::test]
async fn nothing_that_must_last_is_acknowledged_before_it_is_durable() {
    let engine = Gated::new();
    let broker = start(Store::open(engine.clone(), Options::default()).unwrap()).await;
    let (mut subscriber, _) = Wire::resume(broker.address(), "s", Version::V5).await;
    subscriber.subscribe("t", QoS::AtLeastOnce).await;
    let mut passing = Wire::join(broker.address(), "passing", Version::V5).await;
    passing.subscribe("t", QoS::AtMostOnce).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    assert_eq!(publisher.publish("t", "before", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&subscriber.take().await), "before");
    passing.take().await;
    subscriber.ping_barrier().await;
    engine.set(false);
    publisher.send_publish(message("t", "x", QoS::AtLeastOnce)).await;
    // Who is there has it, so it was routed; the publisher waits.
    assert_eq!(payload_of(&passing.take().await), "x");
    assert_eq!(payload_of(&subscriber.take().await), "x");
    assert_eq!(publisher.next_within(Duration::from_millis(100)).await, None);
    // What needs no store goes on.
    passing.publish("nobody", "x", QoS::AtMostOnce).await;
    assert!(passing.ping_barrier().await.is_empty());
    engine.set(true);
    assert!(matches!(publisher.recv().await, Packet::PubAck(_)));
}

#[tokio::test]
async fn a_store_that_commits_later_changes_nothing_that_clients_see() {
    const MESSAGES: usize = 300;
    let engine = MemoryEngine::new();
    let store = Store::open(engine.clone(), Options::default()).unwrap();
    let broker = start(store.clone()).await;
    let address = broker.address();
    let (mut subscriber, _) = Wire::resume(address, "s", Version::V5).await;
    subscriber.subscribe("t/+", QoS::ExactlyOnce).await;
    let mut publishing = tokio::task::JoinSet::new();
    for (number, qos) in [QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
        let (mut publisher, _) = Wire::resume(address, &format!("p{number}"), Version::V5).await;
        publishing.spawn(async move {
            for message in 0..MESSAGES {
                let reason = publisher.publish(&format!("t/{number}"), message.to_string(), qos).await;
                assert_eq!(reason, ReasonCode::Success);
            }
        });
    }
    let mut next = [0, 0];
    for received in 0..2 * MESSAGES {
        let got = match subscriber.recv_where("PUBLISH", |packet| matches!(packet, Packet::Publish(_))).await {
            Packet::Publish(publish) => publish,
            other => panic!("{other:?}"),
        };
        let number: usize = topic_of(&got)[2..].parse().unwrap();
        assert_eq!(payload_of(&got), next[number].to_string());
        next[number] += 1;
        subscriber.acknowledge(&got).await;
        if received % 97 == 96 {
            subscriber.ping().await;
            // To another worker, with what is not there yet.
            let (mut moved, present) = Wire::resume(address, "s", Version::V5).await;
            assert!(present);
            std::mem::swap(&mut subscriber, &mut moved);
            // What the old connection still got was not acknowledged, and comes again.
        }
    }
    while let Some(done) = publishing.join_next().await {
        done.unwrap();
    }
    assert!(subscriber.ping_barrier().await.is_empty());
    drop(subscriber);
    stop(broker).await;
    store.close().unwrap();
    let broker = start(Store::immediate(engine)).await;
    let (mut subscriber, present) = Wire::resume(broker.address(), "s", Version::V5).await;
    assert!(present);
    assert!(subscriber.ping_barrier().await.is_empty(), "all is acknowledged, and the store knows it");
}
