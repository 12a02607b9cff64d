//! Take-over: one client identifier, several connections, on one worker and across workers.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gridmq_broker::Broker;
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use gridmq_store::{MemoryEngine, Options, Store};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, connect, eventually, lasting, payload_of};

#[tokio::test]
async fn mqtt5_3_1_4_3_and_mqtt311_3_1_4_2_a_second_connection_ends_the_first() {
    for workers in [1, 4] {
        let broker = gridmq_testkit::open(workers).await;
        for clean_start in [true, false] {
            for (old, new) in [
                (Version::V5, Version::V5),
                (Version::V5, Version::V3_1_1),
                (Version::V3_1_1, Version::V5),
                (Version::V3_1_1, Version::V3_1_1),
            ] {
                for _ in 0..workers {
                    let (mut first, _) = Wire::resume(broker.address(), "c", old).await;
                    let (mut second, ack) = Wire::open(broker.address(), "c", new, |connect| {
                        lasting(connect);
                        connect.clean_start = clean_start;
                    })
                    .await;
                    assert_eq!(ack.session_present, !clean_start);
                    first.expect_end(ReasonCode::SessionTakenOver).await;
                    second.ping_barrier().await;
                    assert_eq!(broker.broker.stats().clients_connected, 1);
                    assert_eq!(broker.broker.stats().sessions, 1);
                    drop(second);
                    // The next round is dealt to another pair of workers.
                    Wire::connect(broker.address()).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_session_keeps_its_subscriptions_and_messages_when_it_moves() {
    let broker = gridmq_testkit::open(4).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    wire.subscribe("t/#", QoS::ExactlyOnce).await;
    for round in 0..20 {
        let qos = if round % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        publisher.publish("t/a", format!("unacknowledged {round}"), qos).await;
        let sent = wire.recv_publish().await;
        let (mut next, present) = Wire::resume(broker.address(), "c", Version::V5).await;
        assert!(present);
        assert_eq!(wire.expect_disconnect().await, ReasonCode::SessionTakenOver);
        publisher.publish("t/b", format!("after {round}"), qos).await;
        let again = next.take().await;
        assert_eq!((again.packet_id, again.dup, payload_of(&again)), (sent.packet_id, true, payload_of(&sent)));
        let after = next.take().await;
        assert_eq!((after.dup, payload_of(&after)), (false, format!("after {round}")));
        assert!(next.ping_barrier().await.is_empty());
        wire = next;
    }
    assert!(broker.broker.stats().sessions_moved > 0, "some were on another worker");
}

/// What a storm has received: one list per connection.
#[derive(Debug, Default)]
struct Received {
    connections: Vec<Vec<(usize, bool)>>,
}

/// Connects as "c" again and again until told to stop; each connection ends the others'.
async fn ping_pong(
    address: std::net::SocketAddr,
    number: usize,
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
) -> Received {
    let mut received = Received::default();
    let mut round = number;
    while !stop.load(Ordering::Relaxed) {
        let version = if number.is_multiple_of(2) { Version::V5 } else { Version::V3_1_1 };
        let mut wire = Wire::connect(address).await;
        let mut packet = connect("c", version);
        lasting(&mut packet);
        wire.send(packet).await;
        match wire.next().await {
            Some(Packet::ConnAck(ack)) if ack.reason == ReasonCode::Success => assert!(ack.session_present),
            // Somebody else was faster.
            _ => continue,
        }
        rounds.fetch_add(1, Ordering::Relaxed);
        round += 1;
        let mut got = Vec::new();
        while let Some(packet) = wire.next_within(Duration::from_millis(20)).await {
            match packet {
                Packet::Publish(publish) => {
                    got.push((payload_of(&publish).parse().unwrap(), publish.dup));
                    wire.acknowledge(&publish).await;
                }
                Packet::Disconnect(disconnect) => {
                    assert_eq!(disconnect.reason, ReasonCode::SessionTakenOver);
                    break;
                }
                other => panic!("{other:?}"),
            }
            if got.len() > round % 40 {
                break;
            }
        }
        received.connections.push(got);
        if round.is_multiple_of(3) {
            drop(wire);
        } else {
            // It stays to be taken over, with whatever is on its way to it.
            tokio::time::timeout(Duration::from_millis(5), wire.next()).await.ok();
        }
    }
    received
}

async fn storm(workers: usize, stormers: usize, messages: usize, store: Store) {
    let broker = OpenBroker::start(Broker::builder().workers(workers).store(store)).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    drop(wire);
    let stop = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..stormers {
        tasks.spawn(ping_pong(address, number, Arc::clone(&stop), Arc::clone(&rounds)));
    }
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for number in 0..messages {
        loop {
            match publisher.publish("t", number.to_string(), QoS::AtLeastOnce).await {
                ReasonCode::Success => break,
                ReasonCode::QuotaExceeded => tokio::time::sleep(Duration::from_millis(1)).await,
                other => panic!("{other}"),
            }
        }
    }
    let seen = rounds.load(Ordering::Relaxed);
    eventually("it goes on for a while", || rounds.load(Ordering::Relaxed) > seen + 3 * stormers).await;
    stop.store(true, Ordering::Relaxed);
    let mut all = Received::default();
    while let Some(received) = tasks.join_next().await {
        all.connections.extend(received.unwrap().connections);
    }
    let (mut last, present) = Wire::resume(address, "c", Version::V5).await;
    assert!(present);
    let mut rest = Vec::new();
    publisher.publish("t", messages.to_string(), QoS::AtLeastOnce).await;
    loop {
        let got = last.take().await;
        let number: usize = payload_of(&got).parse().unwrap();
        if number == messages {
            break;
        }
        rest.push((number, got.dup));
    }
    all.connections.push(rest);
    let mut once = BTreeSet::new();
    let mut ever = BTreeSet::new();
    for connection in &all.connections {
        assert!(connection.is_sorted_by(|a, b| a.0 < b.0), "out of order: {connection:?}");
        for &(number, dup) in connection {
            assert!(dup || once.insert(number), "{number} came twice without DUP");
            ever.insert(number);
        }
    }
    let lost: Vec<_> = (0..messages).filter(|number| !ever.contains(number)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}, after {seen} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_take_overs_loses_nothing_on_one_worker() {
    storm(1, 3, 1000, Store::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_take_overs_loses_nothing_across_workers() {
    storm(4, 3, 1500, Store::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_many_take_overs_loses_nothing_across_workers() {
    storm(4, 9, 1500, Store::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_take_overs_loses_nothing_that_is_stored_at_once() {
    storm(4, 4, 800, Store::immediate(MemoryEngine::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_take_overs_loses_nothing_that_is_stored_later() {
    storm(4, 4, 800, Store::open(MemoryEngine::new(), Options::default()).unwrap()).await;
}

/// All at once: no reading, no waiting; in the end one of them has the session and it works.
#[tokio::test]
async fn connections_that_come_at_once_leave_one_in_the_end() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    for clean_start in [true, false] {
        let mut wires = Vec::new();
        for number in 0..60 {
            let mut wire = Wire::connect(address).await;
            let mut packet = connect("c", if number % 3 == 0 { Version::V3_1_1 } else { Version::V5 });
            lasting(&mut packet);
            packet.clean_start = clean_start;
            wire.send(packet).await;
            wires.push(wire);
        }
        let mut in_the_end = Vec::new();
        let mut refused = Vec::new();
        for (number, mut wire) in wires.into_iter().enumerate() {
            match wire.next().await {
                Some(Packet::ConnAck(ack)) if ack.reason == ReasonCode::Success => in_the_end.push(wire),
                Some(Packet::ConnAck(_)) | None => refused.push(number),
                other => panic!("{other:?}"),
            }
        }
        eventually("one is left", || broker.broker.stats().clients_connected == 1).await;
        let mut left = 0;
        for wire in &mut in_the_end {
            wire.send(Packet::PingReq).await;
            match wire.next().await {
                Some(Packet::PingResp) => left += 1,
                Some(Packet::Disconnect(disconnect)) => assert_eq!(disconnect.reason, ReasonCode::SessionTakenOver),
                None => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(left, 1, "clean start {clean_start}; refused: {refused:?}");
        assert_eq!(broker.broker.stats().sessions, 1);
        // Afterwards it is an ordinary session; one that began with Clean Session ends with its connection.
        let (mut wire, present) = Wire::resume(address, "c", Version::V5).await;
        assert!(present || clean_start);
        wire.subscribe("t", QoS::AtLeastOnce).await;
        assert_eq!(wire.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
        assert_eq!(payload_of(&wire.take().await), "x");
        wire.unsubscribe(&["t"]).await;
        wire.leave().await;
    }
}

#[tokio::test]
async fn a_client_that_goes_while_its_session_moves_leaves_the_session_behind() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let (mut wire, _) = Wire::resume(address, "c", Version::V5).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    drop(wire);
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for round in 0..50 {
        let mut hasty = Wire::connect(address).await;
        let mut packet = connect("c", Version::V5);
        lasting(&mut packet);
        hasty.send(packet).await;
        drop(hasty);
        let reason = publisher.publish("t", round.to_string(), QoS::AtLeastOnce).await;
        assert_eq!(reason, ReasonCode::Success, "round {round}");
    }
    // One that is read late would take the session over from the one that stays.
    eventually("every CONNECT is read", || broker.broker.stats().takeovers == 50).await;
    let (mut wire, present) = Wire::resume(address, "c", Version::V5).await;
    assert!(present);
    // Some may have been sent to one that was gone already; then they come again, before the others.
    for round in 0..50 {
        assert_eq!(payload_of(&wire.take().await), round.to_string());
    }
    assert!(wire.ping_barrier().await.is_empty());
}
