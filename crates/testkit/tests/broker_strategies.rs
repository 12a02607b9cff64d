//! Which member of a shared subscription gets a message, and the counters under `$SYS`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use gridmq_broker::{Broker, SharedStrategy};
use gridmq_proto::packet::{Publish, Will};
use gridmq_proto::{Message, Packet, QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Barrier, Wire, message, payload_of, topic_of};

/// A broker of one worker, with members that have a group.
async fn members(strategy: SharedStrategy, count: usize) -> (OpenBroker, Vec<Wire>) {
    members_on(1, strategy, count).await
}

async fn members_on(workers: usize, strategy: SharedStrategy, count: usize) -> (OpenBroker, Vec<Wire>) {
    let broker = OpenBroker::start(Broker::builder().workers(workers).shared_strategy(strategy)).await;
    let mut members = Vec::new();
    for number in 0..count {
        let mut wire = Wire::join(broker.address(), &format!("m{number}"), Version::V5).await;
        wire.subscribe("$share/g/t/#", QoS::AtLeastOnce).await;
        members.push(wire);
    }
    (broker, members)
}

/// What each member got, acknowledged.
async fn counts(barrier: &mut Barrier, members: &mut [Wire]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for wire in members {
        let mut got = Vec::new();
        for packet in barrier.pass(wire).await {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            wire.acknowledge(&publish).await;
            got.push(format!("{} {}", topic_of(&publish), payload_of(&publish)));
        }
        wire.ping().await;
        all.push(got);
    }
    all
}

#[tokio::test]
async fn round_robin_gives_each_its_turn() {
    let (broker, mut members) = members(SharedStrategy::RoundRobin, 3).await;
    let mut barrier = Barrier::new(broker.address(), 1).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for number in 0..30 {
        publisher.publish("t/a", number.to_string(), QoS::AtMostOnce).await;
    }
    publisher.ping().await;
    let got: Vec<_> = counts(&mut barrier, &mut members).await.iter().map(Vec::len).collect();
    assert_eq!(got, [10, 10, 10]);
}

#[tokio::test]
async fn random_gives_everybody_some() {
    let (broker, mut members) = members(SharedStrategy::Random, 2).await;
    let mut barrier = Barrier::new(broker.address(), 1).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    let sequence = 64;
    for number in 0..sequence {
        publisher.publish("t/a", number.to_string(), QoS::AtMostOnce).await;
    }
    publisher.ping().await;
    let got = counts(&mut barrier, &mut members).await;
    // By chance one of 2^63 runs has all at one member, and as few take strict turns.
    assert!(got.iter().all(|got| !got.is_empty()), "{got:?}");
    assert_eq!(got.iter().map(Vec::len).sum::<usize>(), sequence);
    let in_turn: Vec<_> = (0..sequence).step_by(2).map(|number| format!("t/a {number}")).collect();
    assert!(got.iter().all(|got| *got != in_turn));
}

#[tokio::test]
async fn least_in_flight_spares_a_member_that_does_not_acknowledge() {
    let (broker, mut members) = members(SharedStrategy::LeastInFlight, 2).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    for number in 0..2 {
        publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await;
    }
    // Each has one; the second acknowledges its own, and all that follow.
    members[0].recv_publish().await;
    members[1].take().await;
    members[1].ping().await;
    for number in 2..6 {
        publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await;
        assert_eq!(payload_of(&members[1].take().await), number.to_string());
        members[1].ping().await;
    }
    assert!(members[0].ping_barrier().await.is_empty());
}

#[tokio::test]
async fn sticky_strategies_keep_to_one_member() {
    for strategy in [SharedStrategy::StickyByPublisher, SharedStrategy::StickyByTopic] {
        let (broker, mut members) = members_on(3, strategy, 3).await;
        let mut barrier = Barrier::new(broker.address(), 3).await;
        // Each publisher comes back, to another worker.
        for number in [0, 1, 2, 3, 0, 1, 2, 3] {
            let (mut publisher, _) = Wire::resume(broker.address(), &format!("p{number}"), Version::V5).await;
            for topic in 0..8 {
                publisher.publish(&format!("t/{topic}"), number.to_string(), QoS::AtLeastOnce).await;
            }
        }
        let got = counts(&mut barrier, &mut members).await;
        assert_eq!(got.iter().map(Vec::len).sum::<usize>(), 64);
        let key = |line: &String| {
            let (topic, publisher) = line.split_once(' ').unwrap();
            if strategy == SharedStrategy::StickyByTopic { topic.to_owned() } else { publisher.to_owned() }
        };
        for (place, lines) in got.iter().enumerate() {
            for line in lines {
                let others = got.iter().enumerate().filter(|(other, _)| *other != place);
                assert!(
                    others.into_iter().all(|(_, lines)| lines.iter().all(|other| key(other) != key(line))),
                    "{got:?}"
                );
            }
        }
        // A member that goes leaves its share to the others.
        members.remove(0).leave().await;
        let mut publisher = Wire::join(broker.address(), "last", Version::V5).await;
        for topic in 0..8 {
            assert_eq!(publisher.publish(&format!("t/{topic}"), "x", QoS::AtLeastOnce).await, ReasonCode::Success);
        }
    }
}

#[tokio::test]
async fn counters_are_published_under_sys_and_by_nobody_else() {
    let broker = OpenBroker::start(Broker::builder().workers(2).system_topics(Duration::from_secs(1))).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    wire.subscribe("$SYS/broker/clients/connected", QoS::AtLeastOnce).await;
    loop {
        let publish: Publish = wire.recv_publish().await;
        assert_eq!(publish.qos, QoS::AtMostOnce);
        if payload_of(&publish) == "1" {
            break;
        }
    }
    wire.subscribe("$SYS/#", QoS::AtLeastOnce).await;
    let version = |packet: &Packet| matches!(packet, Packet::Publish(it) if topic_of(it) == "$SYS/broker/version");
    wire.recv_where("the version", version).await;
    assert_eq!(wire.publish("$SYS/broker/uptime", "0", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    let (_, ack) = Wire::open(broker.address(), "w", Version::V5, |connect| {
        let message = Message::new("$SYS/broker/uptime".try_into().unwrap(), "0".into());
        let (qos, retain) = (QoS::AtMostOnce, false);
        connect.will = Some(Box::new(Will { message, qos, retain, delay_interval: 0 }));
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::NotAuthorized);
    wire.send_publish(message("$SYS/x", "0", QoS::AtMostOnce)).await;
    loop {
        if let Packet::Disconnect(said) = wire.recv().await {
            assert_eq!(said.reason, ReasonCode::NotAuthorized);
            break;
        }
    }
}
