//! Shared subscriptions.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;

use gridmq_proto::packet::Ack;
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use gridmq_testkit::wire::{Barrier, Wire, eventually, payload_of};

async fn member(address: std::net::SocketAddr, name: &str, qos: QoS) -> Wire {
    let (mut wire, _) = Wire::resume(address, name, Version::V5).await;
    assert_eq!(wire.subscribe("$share/g/t/#", qos).await, ReasonCode::granted(qos));
    wire
}

fn payloads(packets: Vec<Packet>) -> Vec<String> {
    packets
        .into_iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => payload_of(&publish),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn messages_are_spread_and_each_comes_to_one_member() {
    const MESSAGES: usize = 120;
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut barrier = Barrier::new(address, 4).await;
    let mut members = Vec::new();
    for number in 0..3 {
        members.push(member(address, &number.to_string(), QoS::AtMostOnce).await);
    }
    let mut all = Wire::join(address, "all", Version::V5).await;
    all.subscribe("t/#", QoS::AtLeastOnce).await;
    for number in 0..4 {
        let mut publisher = Wire::join(address, &format!("p{number}"), Version::V5).await;
        for message in 0..MESSAGES / 4 {
            publisher.publish("t/a", format!("{number}/{message}"), QoS::AtLeastOnce).await;
        }
    }
    all.take_payloads(MESSAGES).await;
    let mut seen = BTreeSet::new();
    for wire in &mut members {
        let got = payloads(barrier.pass(wire).await);
        assert!(got.len() >= MESSAGES / 12, "a member got {} of {MESSAGES}", got.len());
        for payload in got {
            assert!(seen.insert(payload.clone()), "{payload} came to two members");
        }
    }
    assert_eq!(seen.len(), MESSAGES);
}

#[tokio::test]
async fn every_group_gets_a_copy_and_a_plain_subscription_is_apart() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut wire = Wire::join(address, "c", Version::V5).await;
    for filter in ["$share/g/t", "$share/h/t", "$share/g/+", "t"] {
        assert_eq!(wire.subscribe(filter, QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
    }
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    publisher.publish("t", "x", QoS::AtLeastOnce).await;
    assert_eq!(wire.take_payloads(4).await, ["x"; 4]);
    assert!(wire.ping_barrier().await.is_empty());
    assert_eq!(
        wire.unsubscribe(&["$share/g/t", "$share/x/t"]).await,
        [ReasonCode::Success, ReasonCode::NoSubscriptionExisted]
    );
    publisher.publish("t", "y", QoS::AtLeastOnce).await;
    assert_eq!(wire.take_payloads(3).await, ["y"; 3]);
    assert!(wire.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn who_has_left_the_group_gets_nothing_more() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let mut first = member(address, "first", QoS::AtLeastOnce).await;
    let mut second = member(address, "second", QoS::AtLeastOnce).await;
    first.unsubscribe(&["$share/g/t/#"]).await;
    for number in 0..6 {
        publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await;
    }
    assert_eq!(second.take_payloads(6).await, ["0", "1", "2", "3", "4", "5"]);
    assert!(first.ping_barrier().await.is_empty());
    second.unsubscribe(&["$share/g/t/#"]).await;
    let reason = publisher.publish("t/a", "x", QoS::AtLeastOnce).await;
    assert_eq!(reason, ReasonCode::NoMatchingSubscribers);
}

#[tokio::test]
async fn unacknowledged_qos_1_goes_to_another_member_when_one_is_lost() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    for lost_for_good in [false, true] {
        let mut first = member(address, "first", QoS::AtLeastOnce).await;
        let mut second = member(address, "second", QoS::AtLeastOnce).await;
        let mut held = Vec::new();
        for number in 0..20 {
            publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await;
        }
        for packet in first.ping_barrier().await {
            match packet {
                Packet::Publish(publish) => held.push(payload_of(&publish)),
                other => panic!("{other:?}"),
            }
        }
        assert!(!held.is_empty() && held.len() < 20);
        let mut direct = BTreeSet::new();
        for _ in held.len()..20 {
            direct.insert(payload_of(&second.take().await));
        }
        // One of the held messages is acknowledged: that one stays where it is.
        first.send(Packet::PubAck(Ack::new(gridmq_proto::PacketId::MIN, ReasonCode::Success))).await;
        first.ping_barrier().await;
        if lost_for_good {
            first.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
        } else {
            drop(first);
        }
        let moved = second.take_payloads(held.len() - 1).await;
        assert_eq!(moved, held[1..], "in order");
        assert!(second.ping_barrier().await.is_empty());
        if !lost_for_good {
            let (mut first, present) = Wire::resume(address, "first", Version::V5).await;
            assert!(present);
            assert!(first.ping_barrier().await.is_empty(), "they were given away");
            first.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
        }
        second.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
        eventually("both sessions have ended", || broker.broker.stats().sessions == 1).await;
    }
}

#[tokio::test]
async fn messages_wait_for_a_member_when_all_are_away_and_go_to_one_that_is_there_when_its_session_ends() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let mut first = member(address, "first", QoS::AtLeastOnce).await;
    let mut second = member(address, "second", QoS::AtLeastOnce).await;
    second.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    first.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    for number in 0..10 {
        assert_eq!(publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    let (mut first, _) = Wire::resume(address, "first", Version::V5).await;
    let mut got: BTreeSet<_> = payloads(first.ping_barrier().await).into_iter().collect();
    // The other one's session ends: what waited there comes here.
    Wire::join(address, "second", Version::V5).await.leave().await;
    while got.len() < 10 {
        assert!(got.insert(payload_of(&first.take().await)));
    }
    assert!(first.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn mqtt5_4_8_2_4_and_mqtt5_4_8_2_5_qos_2_stays_with_its_member() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut barrier = Barrier::new(address, 4).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let mut first = member(address, "first", QoS::ExactlyOnce).await;
    publisher.publish("t/a", "x", QoS::ExactlyOnce).await;
    let sent = first.recv_publish().await;
    let mut second = member(address, "second", QoS::ExactlyOnce).await;
    drop(first);
    let (mut first, _) = Wire::resume(address, "first", Version::V5).await;
    let again = first.recv_publish().await;
    assert_eq!((again.packet_id, again.dup, payload_of(&again)), (sent.packet_id, true, "x".to_owned()));
    first.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
    eventually("its session has ended", || broker.broker.stats().sessions == 6).await;
    barrier.nothing_for(&mut second).await;
}

#[tokio::test]
async fn mqtt5_4_8_2_6_what_a_member_refuses_is_given_to_nobody_else() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut barrier = Barrier::new(address, 4).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let mut first = member(address, "first", QoS::ExactlyOnce).await;
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        publisher.publish("t/a", "x", qos).await;
        let id = first.recv_publish().await.packet_id.unwrap();
        let mut second = member(address, "second", QoS::ExactlyOnce).await;
        let refusal = Ack::new(id, ReasonCode::ImplementationSpecificError);
        first.send(if qos == QoS::AtLeastOnce { Packet::PubAck(refusal) } else { Packet::PubRec(refusal) }).await;
        first.ping_barrier().await;
        drop(first);
        barrier.nothing_for(&mut second).await;
        (first, _) = Wire::resume(address, "first", Version::V5).await;
        assert!(first.ping_barrier().await.is_empty());
        second.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
    }
}

#[tokio::test]
async fn a_shared_subscription_gets_no_retained_messages_and_live_ones_without_the_flag() {
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    publisher.retain("t/a", "kept", QoS::AtLeastOnce).await;
    let mut wire = member(address, "c", QoS::AtLeastOnce).await;
    assert!(wire.ping_barrier().await.is_empty());
    publisher.retain("t/a", "new", QoS::AtLeastOnce).await;
    let got = wire.take().await;
    assert_eq!((payload_of(&got).as_str(), got.retain), ("new", false));
}

#[tokio::test]
async fn members_that_come_and_go_lose_no_acknowledged_message() {
    const MESSAGES: usize = 400;
    let broker = gridmq_testkit::open(4).await;
    let address = broker.address();
    let mut keeper = member(address, "keeper", QoS::AtLeastOnce).await;
    let mut publisher = Wire::join(address, "p", Version::V5).await;
    let publishing = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let reason = publisher.publish("t/a", number.to_string(), QoS::AtLeastOnce).await;
            assert_eq!(reason, ReasonCode::Success);
        }
        publisher
    });
    let mut seen = BTreeSet::new();
    let mut round = 0;
    while !publishing.is_finished() {
        round += 1;
        let mut passing = Wire::join(address, &format!("passing-{}", round % 5), Version::V5).await;
        passing.subscribe("$share/g/t/#", QoS::AtLeastOnce).await;
        for number in 0..round % 7 {
            let Some(Packet::Publish(publish)) = passing.next_within(std::time::Duration::from_millis(3)).await else {
                break;
            };
            // Some are acknowledged, the others must go to somebody else.
            if number % 2 == 0 {
                passing.acknowledge(&publish).await;
                passing.ping_barrier().await;
                seen.insert(payload_of(&publish));
            }
        }
        drop(passing);
    }
    let mut publisher = publishing.await.unwrap();
    eventually("only two are left", || broker.broker.stats().sessions == 2).await;
    publisher.publish("t/a", "last", QoS::AtLeastOnce).await;
    let mut last = false;
    while seen.len() < MESSAGES {
        let payload = payload_of(&keeper.take().await);
        last |= payload == "last";
        if payload != "last" {
            seen.insert(payload);
        }
    }
    assert!(last || payload_of(&keeper.take().await) == "last");
}
