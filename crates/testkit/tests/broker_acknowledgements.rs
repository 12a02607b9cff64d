//! Never acknowledge, then drop: what finds no room is refused, withheld, or kept by somebody else.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::NonZeroUsize;
use std::time::Duration;

use gridmq_broker::{Broker, Limits};
use gridmq_namespace::profile::SessionLimits;
use gridmq_proto::packet::{Ack, PacketType, Publish};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_store::{Options, Store};
use gridmq_testkit::wire::{Wire, eventually, message, payload_of};
use gridmq_testkit::{Gated, OpenBroker};

const FULL: u32 = SessionLimits::OPEN.offline_queue.messages;

/// A broker with a session that is away and whose queue for `t` is full.
async fn with_a_full_session(workers: usize, patience: Duration) -> OpenBroker {
    let mut limits = Limits::default();
    limits.refused_publish_timeout = patience;
    let broker = OpenBroker::start(Broker::builder().workers(workers).limits(limits)).await;
    let (mut full, _) = Wire::resume(broker.address(), "full", Version::V5).await;
    full.subscribe("t", QoS::ExactlyOnce).await;
    full.leave().await;
    let mut filler = Wire::join(broker.address(), "filler", Version::V5).await;
    for number in 0..FULL {
        assert_eq!(filler.publish("t", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    filler.leave().await;
    broker
}

#[tokio::test]
async fn what_finds_no_room_is_refused_to_a_publisher_that_can_hear_it() {
    for workers in [1, 2] {
        let broker = with_a_full_session(workers, Duration::from_secs(10)).await;
        let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert_eq!(publisher.publish("t", "x", qos).await, ReasonCode::QuotaExceeded);
        }
        assert_eq!(publisher.publish("other", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
        let (mut full, _) = Wire::resume(broker.address(), "full", Version::V5).await;
        let taken = full.take_payloads(FULL as usize).await;
        assert_eq!(taken, (0..FULL).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(full.ping_barrier().await.is_empty());
        assert_eq!(publisher.publish("t", "there is room", QoS::ExactlyOnce).await, ReasonCode::Success);
        assert_eq!(full.take_payloads(1).await, ["there is room"]);
        let stats = broker.broker.stats();
        assert_eq!((stats.messages_refused, stats.sessions_overflowed), (2, 0));
    }
}

#[tokio::test]
async fn what_finds_no_room_stays_unacknowledged_where_nothing_else_can_be_said() {
    for (workers, qos) in [(1, QoS::AtLeastOnce), (2, QoS::AtLeastOnce), (1, QoS::ExactlyOnce), (2, QoS::ExactlyOnce)] {
        let broker = with_a_full_session(workers, Duration::from_millis(300)).await;
        let mut witness = Wire::join(broker.address(), "witness", Version::V5).await;
        witness.subscribe("witness", QoS::AtMostOnce).await;
        let (mut old, _) = Wire::resume(broker.address(), "old", Version::V3_1_1).await;
        let id = PacketId::new(7).unwrap();
        let refused = Publish { packet_id: Some(id), ..message("t", "again", qos) };
        old.send_publish(refused.clone()).await;
        eventually("it is refused", || broker.broker.stats().messages_refused == 1).await;
        // Nothing overtakes it, but everything else goes on.
        old.send_publish(message("witness", "too early", QoS::AtLeastOnce)).await;
        old.publish("witness", "QoS 0", QoS::AtMostOnce).await;
        assert_eq!(payload_of(&witness.take().await), "QoS 0");
        assert!(old.ping_barrier().await.is_empty());
        assert_eq!(old.expect_closed().await, []);
        // It comes again when there is room, and is taken.
        let (mut full, _) = Wire::resume(broker.address(), "full", Version::V5).await;
        full.take_payloads(FULL as usize).await;
        let (mut old, present) = Wire::resume(broker.address(), "old", Version::V3_1_1).await;
        assert!(present);
        old.send_publish(Publish { dup: true, ..refused }).await;
        let ack = if qos == QoS::AtLeastOnce { PacketType::PubAck } else { PacketType::PubRec };
        old.ack(ack, id).await;
        assert_eq!(full.take_payloads(1).await, ["again"]);
        assert!(witness.ping_barrier().await.is_empty());
    }
}

#[tokio::test]
async fn qos_2_that_some_took_and_others_had_no_room_for_comes_to_each_once() {
    for workers in [1, 2] {
        let broker = with_a_full_session(workers, Duration::from_millis(300)).await;
        let mut takers = Vec::new();
        for number in 0..2 * workers {
            let mut taker = Wire::join(broker.address(), &format!("taker-{number}"), Version::V5).await;
            taker.subscribe("t", QoS::ExactlyOnce).await;
            takers.push(taker);
        }
        let (mut member, _) = Wire::resume(broker.address(), "member", Version::V5).await;
        member.subscribe("$share/g/t", QoS::AtLeastOnce).await;
        let (mut old, _) = Wire::resume(broker.address(), "old", Version::V3_1_1).await;
        let id = PacketId::new(7).unwrap();
        let refused = Publish { packet_id: Some(id), ..message("t", "once", QoS::ExactlyOnce) };
        old.send_publish(refused.clone()).await;
        assert_eq!(old.expect_closed().await, []);
        // There is still none for it when it comes again.
        let (mut old, _) = Wire::resume(broker.address(), "old", Version::V3_1_1).await;
        old.send_publish(Publish { dup: true, ..refused.clone() }).await;
        assert_eq!(old.expect_closed().await, []);
        let mut late = Wire::join(broker.address(), "late", Version::V5).await;
        late.subscribe("t", QoS::ExactlyOnce).await;
        let (mut full, _) = Wire::resume(broker.address(), "full", Version::V5).await;
        full.take_payloads(FULL as usize).await;
        let (mut old, _) = Wire::resume(broker.address(), "old", Version::V3_1_1).await;
        old.send_publish(Publish { dup: true, ..refused.clone() }).await;
        old.ack(PacketType::PubRec, id).await;
        old.send(Packet::PubRel(Ack::new(id, ReasonCode::Success))).await;
        old.ack(PacketType::PubComp, id).await;
        // The next message of that identifier is another one.
        old.send_publish(Publish { packet_id: Some(id), ..message("t", "another", QoS::ExactlyOnce) }).await;
        old.ack(PacketType::PubRec, id).await;
        assert_eq!(full.take_payloads(2).await, ["once", "another"]);
        for taker in takers.iter_mut().chain([&mut member]) {
            assert_eq!(taker.take_payloads(2).await, ["once", "another"]);
        }
        // It came after the message did.
        assert_eq!(late.take_payloads(1).await, ["another"]);
    }
}

#[tokio::test]
async fn a_message_for_a_session_that_moves_is_acknowledged_when_the_session_has_it() {
    let engine = Gated::new();
    let options = Options { queue_batches: NonZeroUsize::MIN, ..Options::default() };
    let store = Store::open(engine.clone(), options).unwrap();
    let broker = OpenBroker::start(Broker::builder().workers(2).store(store)).await;
    let address = broker.address();
    // Connections are dealt in turn: this one to the first worker, the next to the second.
    let (mut old, _) = Wire::resume(address, "s", Version::V5).await;
    old.subscribe("t", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let _first = Wire::connect(address).await;
    engine.set(false);
    let one = publisher.send_publish(message("t", "1", QoS::AtLeastOnce)).await.unwrap();
    // That it is done with has no room in the store, so that the session cannot leave its worker.
    assert_eq!(payload_of(&old.take().await), "1");
    let mut moved = Wire::connect(address).await;
    let mut connect = gridmq_testkit::wire::connect("s", Version::V5);
    gridmq_testkit::wire::lasting(&mut connect);
    moved.send(connect).await;
    old.expect_end(ReasonCode::SessionTakenOver).await;
    let two = publisher.send_publish(message("t", "2", QoS::AtLeastOnce)).await.unwrap();
    assert!(publisher.ping_barrier().await.is_empty(), "the session is on its way");
    engine.set(true);
    publisher.ack(PacketType::PubAck, one).await;
    publisher.ack(PacketType::PubAck, two).await;
    assert!(moved.connack().await.session_present);
    match moved.recv_where("2", |packet| matches!(packet, Packet::Publish(_))).await {
        Packet::Publish(publish) => assert!(["1", "2"].contains(&payload_of(&publish).as_str())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_member_of_a_group_leaves_is_taken_by_another_whose_queue_is_full() {
    for workers in [1, 2] {
        let broker = gridmq_testkit::open(workers).await;
        let (mut one, _) = Wire::resume(broker.address(), "one", Version::V5).await;
        one.subscribe("$share/g/t", QoS::AtLeastOnce).await;
        let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
        for number in 0..3 {
            assert_eq!(publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
        }
        for _ in 0..3 {
            one.recv_publish().await;
        }
        let (mut two, _) = Wire::resume(broker.address(), "two", Version::V5).await;
        two.subscribe("u", QoS::AtLeastOnce).await;
        // It acknowledges nothing: its window is shut, and its queue is full.
        let mut waiting = 0;
        while publisher.publish("u", "x", QoS::AtLeastOnce).await == ReasonCode::Success {
            waiting += 1;
        }
        two.subscribe("$share/g/t", QoS::AtLeastOnce).await;
        drop(one);
        let mut given = Vec::new();
        while given.len() < 3 {
            let payload = payload_of(&two.take().await);
            if payload != "x" {
                given.push(payload);
            }
        }
        assert_eq!(given, ["0", "1", "2"]);
        assert!(waiting > FULL);
    }
}
