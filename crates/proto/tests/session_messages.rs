//! Messages through either machine: acknowledgements, order, windows, identifiers, and what a session keeps.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "common/machines.rs"]
mod machines;

use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_proto::Version::{V3_1_1 as V3, V5};
use gridmq_proto::packet::*;
use gridmq_proto::session::server::{self, Config, Session};
use gridmq_proto::session::{Admitted, QueueLimits, Record, Settled, Verdict, client};
use gridmq_proto::{Packet, ReasonCode, SubscriptionFilter};
use machines::*;

const OK: ReasonCode = ReasonCode::Success;

fn window(window: u16) -> Connect {
    let mut connect = connect_packet(V5);
    connect.properties.receive_maximum = NonZeroU16::new(window);
    connect
}

fn refused(packet_id: u16, reason: ReasonCode) -> Ack {
    Ack::new(id(packet_id), reason)
}

fn dup_of(packet: &Packet) -> bool {
    match packet {
        Packet::Publish(publish) => publish.dup,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mqtt5_3_8_4_1_and_mqtt5_3_8_4_2_and_mqtt5_3_8_4_6_and_mqtt311_3_8_4_1_and_mqtt311_3_8_4_2_and_mqtt311_3_8_4_5_suback()
 {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        assert!(server.packet(subscribe(77, &[("a", Q1), ("b/#", Q2), ("c", Q2)])).sent.is_empty());
        let reasons = vec![ReasonCode::GrantedQos1, ReasonCode::NotAuthorized];
        assert!(server.machine.decide_subscribe(server.now, reasons, None));
        let did = server.does();
        assert_eq!(did.records.len(), 1);
        let Packet::SubAck(ack) = did.packet() else { panic!() };
        assert_eq!(ack.packet_id, id(77));
        let failed = if version == V5 { ReasonCode::NotAuthorized } else { ReasonCode::UnspecifiedError };
        // What the owner left out has failed too.
        assert_eq!(ack.reasons, [ReasonCode::GrantedQos1, failed, ReasonCode::UnspecifiedError]);
        let names: Vec<_> = server.machine.session().unwrap().subscriptions().keys().map(|it| it.to_string()).collect();
        assert_eq!(names, ["a"]);
    }
}

#[test]
fn mqtt5_3_8_4_3_and_mqtt5_3_8_4_7_a_subscription_to_the_same_filter_replaces_the_old_one() {
    let mut server = Server::v(V5);
    for (asked, granted, expected) in [(Q2, Q2, Q2), (Q0, Q0, Q0), (Q2, Q1, Q1), (Q1, Q2, Q1)] {
        server.packet(subscribe(1, &[("a", asked)]));
        assert!(server.machine.decide_subscribe(server.now, vec![ReasonCode::granted(granted)], None));
        let Packet::SubAck(ack) = server.does().packet() else { panic!() };
        assert_eq!(ack.reasons, [ReasonCode::granted(expected)]);
        let subscriptions = server.machine.session().unwrap().subscriptions();
        assert_eq!(subscriptions.len(), 1);
        assert_eq!(subscriptions[&filter("a")].options.qos, expected);
    }
}

#[test]
fn mqtt5_3_10_4_1_and_mqtt5_3_10_4_4_and_mqtt5_3_10_4_5_and_mqtt311_3_10_4_1_and_mqtt311_3_10_4_4_and_mqtt311_3_10_4_5_unsuback()
 {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        server.packet(subscribe(1, &[("a", Q1), ("A", Q1), ("b", Q1)]));
        server.machine.decide_subscribe(server.now, vec![OK; 3], None);
        server.does();
        server.packet(unsubscribe(2, &["a", "b", "none"]));
        let reasons = vec![OK, ReasonCode::NotAuthorized, ReasonCode::NoSubscriptionExisted];
        assert!(server.machine.decide_unsubscribe(server.now, reasons.clone()));
        let did = server.does();
        assert_eq!(did.records, [Record::Unsubscribed(filter("a"))]);
        let Packet::UnsubAck(ack) = did.packet() else { panic!() };
        assert_eq!(ack.packet_id, id(2));
        assert_eq!(ack.reasons, if version == V5 { reasons } else { vec![] });
        let left: Vec<_> = server.machine.session().unwrap().subscriptions().keys().map(|it| it.to_string()).collect();
        assert_eq!(left, ["A", "b"]);
        server.packet(unsubscribe(3, &["none"]));
        assert!(server.machine.decide_unsubscribe(server.now, vec![ReasonCode::NoSubscriptionExisted]));
        assert_eq!(server.does().names(), ["UNSUBACK 3"]);
    }
}

#[test]
fn mqtt5_3_10_4_3_and_mqtt311_3_10_4_3_what_was_started_is_finished_after_an_unsubscribe() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        server.packet(subscribe(1, &[("t", Q2)]));
        server.machine.decide_subscribe(server.now, vec![ReasonCode::GrantedQos2], None);
        server.does();
        server.deliver("one", Q1);
        server.deliver("two", Q2);
        server.packet(unsubscribe(2, &["t"]));
        server.machine.decide_unsubscribe(server.now, vec![OK]);
        server.does();
        let (mut server, did) = Server::resumed(Config::default(), connect_packet(version), server.lose(), true);
        assert_eq!(did.names(), ["CONNACK", "PUBLISH 1 again", "PUBLISH 2 again"]);
        server.packet(Packet::PubAck(ack(1)));
        assert_eq!(server.packet(Packet::PubRec(ack(2))).names(), ["PUBREL 2"]);
        server.packet(Packet::PubComp(ack(2)));
        assert_eq!(server.machine.session().unwrap().load(), (0, 0));
    }
}

#[test]
fn mqtt5_4_3_1_1_and_mqtt5_3_3_1_2_and_mqtt311_4_3_1_1_and_mqtt311_3_3_1_2_qos_0_is_sent_once_without_dup() {
    for version in [V3, V5] {
        for packet in [Server::v(version).deliver("x", Q0).packet(), Client::v(version).publish("x", Q0).packet()] {
            let Packet::Publish(publish) = packet else { panic!() };
            assert_eq!((publish.qos, publish.dup, publish.packet_id), (Q0, false, None));
        }
        let mut server = Server::v(version);
        server.deliver("x", Q0);
        let (_, did) = Server::resumed(Config::default(), connect_packet(version), server.lose(), true);
        assert_eq!(did.names(), ["CONNACK"]);
    }
}

#[test]
fn mqtt5_4_3_2_1_and_mqtt5_4_3_2_2_and_mqtt5_4_3_2_3_and_mqtt311_4_3_2_1_a_server_keeps_qos_1_until_puback() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        let Packet::Publish(first) = server.deliver("x", Q1).packet() else { panic!() };
        assert_eq!((first.qos, first.dup, first.packet_id), (Q1, false, Some(id(1))));
        assert_eq!(server.deliver("y", Q1).names(), ["PUBLISH 2"]);
        assert_eq!(server.machine.session().unwrap().load().0, 2);
        // Neither PUBREC nor PUBCOMP nor another identifier ends it.
        server.packet(Packet::PubComp(ack(1))).nothing();
        server.packet(Packet::PubRec(ack(1))).nothing();
        server.packet(Packet::PubAck(ack(9))).nothing();
        assert_eq!(server.machine.session().unwrap().load().0, 2);
        let did = server.packet(Packet::PubAck(ack(1)));
        assert!(matches!(did.event(), server::Event::Delivered { position: 1, reason: OK }));
        assert_eq!(server.machine.session().unwrap().load().0, 1);
    }
}

#[test]
fn mqtt5_4_3_3_1_and_mqtt5_4_3_3_3_and_mqtt5_4_3_3_4_and_mqtt5_4_3_3_5_and_mqtt5_4_3_3_6_and_mqtt311_4_3_3_1_a_client_sends_qos_2()
 {
    for version in [V3, V5] {
        let mut client = Client::v(version);
        let Packet::Publish(first) = client.publish("x", Q2).packet() else { panic!() };
        assert_eq!((first.qos, first.dup, first.packet_id), (Q2, false, Some(id(1))));
        assert_eq!(client.publish("y", Q2).names(), ["PUBLISH 2"]);
        client.packet(Packet::PubAck(ack(1))).nothing();
        assert_eq!(client.packet(Packet::PubRec(ack(1))).names(), ["PUBREL 1"]);
        // Not the message any more, but PUBREL until PUBCOMP; the other message still as a whole.
        let (mut client, did) = Client::resumed(connect_packet(version), client.lose(), ConnAckProperties::default());
        assert_eq!(did.names(), ["PUBREL 1", "PUBLISH 2 again"]);
        assert_eq!(client.packet(Packet::PubRec(ack(1))).names(), ["PUBREL 1"]);
        let did = client.packet(Packet::PubComp(ack(1)));
        assert!(matches!(
            did.event(),
            client::Event::Published { position: 1, end: Settled::Taken { reason: OK, .. }, .. }
        ));
        assert_eq!(client.packet(Packet::PubRec(ack(2))).names(), ["PUBREL 2"]);
        client.packet(Packet::PubComp(ack(2)));
        assert_eq!(client.lose().load(), (0, 0));
    }
}

/// MQTT 5.0 §3.7.2.1: no error where PUBREL is sent again and the first PUBCOMP was lost.
#[test]
fn a_server_that_has_forgotten_the_identifier_has_the_message() {
    let mut client = Client::v(V5);
    client.publish("x", Q2);
    assert_eq!(client.packet(Packet::PubRec(ack(1))).names(), ["PUBREL 1"]);
    let (mut client, did) = Client::resumed(connect_packet(V5), client.lose(), ConnAckProperties::default());
    assert_eq!(did.names(), ["PUBREL 1"]);
    let did = client.packet(Packet::PubComp(refused(1, ReasonCode::PacketIdentifierNotFound)));
    assert!(matches!(
        did.event(),
        client::Event::Published { position: 1, end: Settled::Taken { reason: OK, .. }, .. }
    ));
}

/// Reason and words are of the same packet; what is kept until PUBCOMP has a limit.
#[test]
fn what_a_pubrec_says_is_what_became_of_the_message() {
    let says = |words: &str, reason| {
        let reason_string = Some(words.into());
        Ack { packet_id: id(1), reason, properties: Some(Box::new(AckProperties { reason_string, ..<_>::default() })) }
    };
    let long = "x".repeat(1025);
    for (words, kept) in [("nobody listens", Some("nobody listens")), (&*long, None)] {
        let mut client = Client::v(V5);
        client.publish("x", Q2);
        client.packet(Packet::PubRec(says(words, ReasonCode::NoMatchingSubscribers)));
        let did = client.packet(Packet::PubComp(says("done", OK)));
        let client::Event::Published { end: Settled::Taken { reason, properties }, .. } = did.event() else { panic!() };
        assert_eq!(reason, ReasonCode::NoMatchingSubscribers);
        let said = properties.and_then(|properties| properties.reason_string);
        assert_eq!(said.as_deref(), kept);
    }
}

#[test]
fn mqtt5_4_3_3_7_and_mqtt5_4_3_3_13_and_mqtt5_3_3_2_5_a_message_expires_only_before_it_was_sent() {
    let expiring = |payload: &str| {
        let mut it = delivery(payload, Q2);
        it.expires_at = Some(secs(5.0).wall);
        it
    };
    let mut server = Server::accepted(Config::default(), window(2));
    for payload in ["one", "two", "three"] {
        let _ = server.machine.deliver(server.now, expiring(payload));
    }
    let did = server.does();
    assert_eq!(did.names(), ["PUBLISH 1", "PUBLISH 2"]);
    assert_eq!(server.packet(Packet::PubRec(ack(1))).names(), ["PUBREL 1"]);
    server.now = secs(6.0);
    // The third expires in the queue, and its owner is told.
    let did = server.packet(Packet::PubComp(ack(1)));
    assert!(did.sent.is_empty());
    let done: Vec<_> = did
        .events
        .iter()
        .map(|event| match event {
            server::Event::Delivered { position, reason } => (*position, *reason),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(done, [(1, OK), (3, ReasonCode::ImplementationSpecificError)]);
    assert_eq!(did.records, [Record::Done(1), Record::Done(3)]);
    // The second was sent and goes on to its end, on another connection too.
    let session = server.lose();
    let mut server = Server::new(Config::default());
    server.now = secs(100.0);
    server.packet(Packet::Connect(Box::new(window(2))));
    assert_eq!(server.accept(&window(2), session, true).names(), ["CONNACK", "PUBLISH 2 again"]);
    assert_eq!(server.packet(Packet::PubRec(ack(2))).names(), ["PUBREL 2"]);
}

#[test]
fn mqtt5_3_3_2_6_the_expiry_that_is_sent_is_what_is_left() {
    let mut server = Server::accepted(Config::default(), window(1));
    server.deliver("first", Q1);
    let mut it = delivery("x", Q1);
    it.expires_at = Some(secs(60.0).wall);
    assert_eq!(server.machine.deliver(server.now, it), Admitted::Queued(2));
    server.now = secs(20.5);
    let Packet::Publish(publish) = server.packet(Packet::PubAck(ack(1))).sent.remove(0) else { panic!() };
    assert_eq!(publish.properties.unwrap().message_expiry_interval, Some(40));
}

#[test]
fn mqtt5_4_4_0_2_and_mqtt5_4_3_3_9_what_was_refused_is_not_sent_again() {
    let mut client = Client::v(V5);
    client.publish("one", Q1);
    client.publish("two", Q2);
    let did = client.packet(Packet::PubAck(refused(1, ReasonCode::NotAuthorized)));
    let refused_with = |event: client::Event| match event {
        client::Event::Published { position, end: Settled::Refused { reason, message, .. }, .. } => {
            (position, reason, message.message().payload.clone())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(refused_with(did.event()), (1, ReasonCode::NotAuthorized, "one".into()));
    let did = client.packet(Packet::PubRec(refused(2, ReasonCode::QuotaExceeded)));
    assert!(did.sent.is_empty(), "no PUBREL");
    assert_eq!(refused_with(did.event()), (2, ReasonCode::QuotaExceeded, "two".into()));
    let (_, did) = Client::resumed(connect_packet(V5), client.lose(), ConnAckProperties::default());
    assert!(did.sent.is_empty());

    // The receiver, for its part, takes the identifier for new.
    let mut server = Server::v(V5);
    let token = server.token(publish(7, Q2, "x"));
    let Packet::PubRec(ack) = server.complete(token, ReasonCode::NotAuthorized).packet() else { panic!() };
    assert_eq!(ack, refused(7, ReasonCode::NotAuthorized));
    server.token(publish(7, Q2, "y"));
}

#[test]
fn mqtt5_4_3_2_4_and_mqtt5_4_3_2_5_and_mqtt5_3_3_4_1_and_mqtt311_4_3_2_2_and_mqtt311_3_3_4_1_a_receiver_of_qos_1() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        let token = server.token(publish(5, Q1, "x"));
        server.does().nothing();
        assert_eq!(server.complete(token, OK).names(), ["PUBACK 5"]);
        server.complete(token, OK).nothing();
        // The same identifier again is a new message.
        assert_ne!(server.token(again(publish(5, Q1, "x"))), token);
        let mut client = Client::v(version);
        let token = client.token(publish(5, Q1, "x"));
        assert_eq!(client.complete(token, OK).names(), ["PUBACK 5"]);
        client.token(again(publish(5, Q1, "x")));
    }
}

#[test]
fn mqtt5_4_3_3_8_and_mqtt5_4_3_3_10_and_mqtt5_4_3_3_11_and_mqtt5_4_3_3_12_and_mqtt311_4_3_3_2_a_receiver_of_qos_2() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        let token = server.token(publish(5, Q2, "x"));
        // Twice before it is completed, and once after: one message, acknowledged as often as it is due.
        server.packet(again(publish(5, Q2, "x"))).nothing();
        assert_eq!(server.complete(token, OK).names(), ["PUBREC 5"]);
        assert_eq!(server.packet(again(publish(5, Q2, "x"))).names(), ["PUBREC 5"]);
        // On the next connection too.
        let (mut server, _) = Server::resumed(Config::default(), connect_packet(version), server.lose(), true);
        assert_eq!(server.packet(again(publish(5, Q2, "x"))).names(), ["PUBREC 5"]);
        assert_eq!(server.packet(Packet::PubRel(ack(5))).names(), ["PUBCOMP 5"]);
        server.token(publish(5, Q2, "new"));
    }
}

#[test]
fn a_qos_2_message_that_is_completed_after_its_connection_is_taken_over_once() {
    for version in [V3, V5] {
        // Completed while no connection is there.
        let mut server = Server::v(version);
        let token = server.token(publish(5, Q2, "x"));
        let mut session = server.lose();
        let mut records = Vec::new();
        session.complete_offline(token, OK, |record| records.push(record));
        assert_eq!(records, [Record::Received(id(5))]);
        let (mut server, _) = Server::resumed(Config::default(), connect_packet(version), session, true);
        assert_eq!(server.packet(again(publish(5, Q2, "x"))).names(), ["PUBREC 5"]);
        // Completed on the next connection, after it came again.
        let mut server = Server::v(version);
        let token = server.token(publish(5, Q2, "x"));
        let (mut server, _) = Server::resumed(Config::default(), connect_packet(version), server.lose(), true);
        server.packet(again(publish(5, Q2, "x"))).nothing();
        assert_eq!(server.complete(token, OK).names(), ["PUBREC 5"]);
        // Completed by the machine whose connection has ended.
        let mut server = Server::v(version);
        let token = server.token(publish(5, Q2, "x"));
        server.machine.handle_close();
        server.does();
        let did = server.complete(token, OK);
        assert_eq!((did.records.as_slice(), did.sent.len()), (&[Record::Received(id(5))][..], 0));
    }
}

#[test]
fn a_release_of_what_is_unknown_is_answered_in_the_words_of_the_version() {
    for (version, reason) in [(V3, OK), (V5, ReasonCode::PacketIdentifierNotFound)] {
        assert_eq!(Server::v(version).packet(Packet::PubRel(ack(9))).packet(), Packet::PubComp(refused(9, reason)));
        assert_eq!(Client::v(version).packet(Packet::PubRel(ack(9))).packet(), Packet::PubComp(refused(9, reason)));
        assert_eq!(Server::v(version).packet(Packet::PubRec(ack(9))).packet(), Packet::PubRel(refused(9, reason)));
        assert_eq!(Client::v(version).packet(Packet::PubRec(ack(9))).packet(), Packet::PubRel(refused(9, reason)));
    }
}

#[test]
fn mqtt311_3_3_5_2_what_is_not_authorized_is_acknowledged_as_if_it_were() {
    let mut server = Server::v(V3);
    let (one, two) = (server.token(publish(1, Q1, "x")), server.token(publish(2, Q2, "x")));
    let refusal = || Verdict { reason: ReasonCode::NotAuthorized, words: text("because"), more: None };
    server.machine.complete(one, refusal());
    server.machine.complete(two, refusal());
    assert_eq!(server.does().names(), ["PUBACK 1", "PUBREC 2"]);
    assert_eq!(server.packet(Packet::PubRel(ack(2))).names(), ["PUBCOMP 2"]);
}

#[test]
fn a_verdict_that_an_acknowledgement_has_no_code_for_is_still_said() {
    let mut server = Server::v(V5);
    for (reason, said) in [
        (ReasonCode::PacketTooLarge, ReasonCode::UnspecifiedError),
        (ReasonCode::NoMatchingSubscribers, ReasonCode::NoMatchingSubscribers),
        (ReasonCode::GrantedQos1, OK),
    ] {
        let token = server.token(publish(1, Q1, "x"));
        assert_eq!(server.complete(token, reason).packet(), Packet::PubAck(refused(1, said)));
    }
}

#[test]
fn mqtt5_4_6_0_2_and_mqtt5_4_6_0_3_and_mqtt311_4_6_0_2_and_mqtt311_4_6_0_3_acknowledgements_follow_the_order_of_receipt()
 {
    for version in [V3, V5] {
        let mut client = Client::v(version);
        let tokens = [(1, Q1), (2, Q2), (3, Q1), (4, Q2)].map(|(id, qos)| client.token(publish(id, qos, "x")));
        for late in [tokens[3], tokens[1], tokens[2]] {
            client.complete(late, OK).nothing();
        }
        assert_eq!(client.complete(tokens[0], OK).names(), ["PUBACK 1", "PUBREC 2", "PUBACK 3", "PUBREC 4"]);
        let mut server = Server::v(version);
        let tokens = [(1, Q2), (2, Q1), (3, Q2)].map(|(id, qos)| server.token(publish(id, qos, "x")));
        server.complete(tokens[2], OK).nothing();
        assert_eq!(server.complete(tokens[0], OK).names(), ["PUBREC 1"]);
        assert_eq!(server.complete(tokens[1], OK).names(), ["PUBACK 2", "PUBREC 3"]);
    }
}

#[test]
fn mqtt5_4_6_0_4_and_mqtt311_4_6_0_4_pubrel_follows_the_order_of_pubrec() {
    for version in [V3, V5] {
        let mut client = Client::v(version);
        client.safe = false;
        for _ in 1..=3 {
            client.publish("x", Q2);
        }
        client.machine.persisted(u64::MAX);
        client.does();
        let mut seq = 0;
        for packet_id in [2, 3, 1] {
            let did = client.packet(Packet::PubRec(ack(packet_id)));
            assert!(did.sent.is_empty(), "PUBREL waits for the record");
            seq = did.seq;
        }
        client.machine.persisted(seq);
        assert_eq!(client.does().names(), ["PUBREL 2", "PUBREL 3", "PUBREL 1"]);
    }
}

#[test]
fn mqtt5_4_4_0_1_and_mqtt5_3_3_1_1_and_mqtt5_4_6_0_1_and_mqtt311_4_4_0_1_and_mqtt311_3_3_1_1_and_mqtt311_4_6_0_1_and_mqtt311_2_3_1_3_resumed()
 {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        let mut client = Client::v(version);
        for (payload, qos) in [("1", Q1), ("2", Q2), ("3", Q2), ("4", Q1), ("5", Q1)] {
            let sent = [server.deliver(payload, qos).packet(), client.publish(payload, qos).packet()];
            assert!(sent.iter().all(|packet| !dup_of(packet)));
        }
        server.packet(Packet::PubRec(ack(2)));
        server.packet(Packet::PubAck(ack(4)));
        client.packet(Packet::PubRec(ack(2)));
        client.packet(Packet::PubAck(ack(4)));
        // Time alone has nothing sent again.
        assert!(server.at(1e5).sent.is_empty() && client.at(1e5).sent.is_empty());
        let expected = ["PUBLISH 1 again", "PUBREL 2", "PUBLISH 3 again", "PUBLISH 5 again"];
        let (mut server, did) = Server::resumed(Config::default(), connect_packet(version), server.lose(), true);
        assert_eq!(did.names()[1..], expected);
        let (mut client, did) = Client::resumed(connect_packet(version), client.lose(), ConnAckProperties::default());
        assert_eq!(did.names(), expected);
        // What is new comes after it, under other identifiers.
        assert_eq!(server.deliver("6", Q1).names(), ["PUBLISH 6"]);
        assert_eq!(client.publish("6", Q1).names(), ["PUBLISH 6"]);
        // And it comes again on each connection that resumes.
        let (_, did) = Client::resumed(connect_packet(version), client.lose(), ConnAckProperties::default());
        assert_eq!(
            did.names(),
            ["PUBLISH 1 again", "PUBREL 2", "PUBLISH 3 again", "PUBLISH 5 again", "PUBLISH 6 again"]
        );
    }
}

#[test]
fn mqtt5_4_9_0_1_and_mqtt5_4_9_0_2_and_mqtt5_3_3_4_9_the_window_is_the_receive_maximum() {
    let mut server = Server::accepted(Config::default(), window(2));
    let names: Vec<_> = [Q1, Q2, Q1, Q2, Q0].iter().flat_map(|&qos| server.deliver("x", qos).names()).collect();
    assert_eq!(names, ["PUBLISH 1", "PUBLISH 2", "PUBLISH 0"]);
    assert_eq!(server.packet(Packet::PubRec(ack(2))).names(), ["PUBREL 2"], "PUBREC makes no room");
    assert_eq!(server.packet(Packet::PubAck(ack(1))).names(), ["PUBLISH 3"]);
    assert_eq!(server.packet(Packet::PubComp(ack(2))).names(), ["PUBLISH 4"]);
    assert_eq!(server.packet(Packet::PubRec(refused(4, ReasonCode::QuotaExceeded))).names(), [""; 0]);
    assert_eq!(server.deliver("x", Q1).names(), ["PUBLISH 5"], "a refusal makes room");
    assert_eq!(server.deliver("x", Q1).names(), [""; 0]);
}

#[test]
fn mqtt5_3_3_4_7_and_mqtt5_4_9_0_3_and_mqtt5_3_3_4_8_a_full_window_holds_only_messages_back() {
    let announced = ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..ConnAckProperties::default() };
    let mut client = Client::accepted(connect_packet(V5), announced.clone());
    assert_eq!(client.publish("1", Q1).names(), ["PUBLISH 1"]);
    assert_eq!(client.publish("2", Q2).names(), [""; 0]);
    assert_eq!(client.publish("0", Q0).names(), ["PUBLISH 0"]);
    let token = client.token(publish(1, Q1, "in"));
    assert_eq!(client.complete(token, OK).names(), ["PUBACK 1"]);
    let filters = vec![SubscribeFilter { filter: filter("a"), options: SubscribeOptions::default() }];
    client.machine.subscribe(client.now, filters, None, vec![]).unwrap();
    assert_eq!(client.does().names(), ["SUBSCRIBE 2"]);
    // After a loss the window holds for what is sent again, too.
    let (mut client, did) = Client::resumed(connect_packet(V5), client.lose(), announced);
    assert_eq!(did.names(), ["PUBLISH 1 again"]);
    assert_eq!(client.packet(Packet::PubAck(ack(1))).names(), ["PUBLISH 3"]);
}

#[test]
fn what_is_acknowledged_before_it_is_sent_again_is_not() {
    let mut server = Server::accepted(Config::default(), window(3));
    for payload in ["1", "2", "3"] {
        server.deliver(payload, Q1);
    }
    let (mut server, did) = Server::resumed(Config::default(), window(1), server.lose(), true);
    assert_eq!(did.names(), ["CONNACK", "PUBLISH 1 again"]);
    assert_eq!(server.packet(Packet::PubAck(ack(2))).names(), [""; 0]);
    assert_eq!(server.packet(Packet::PubAck(ack(1))).names(), ["PUBLISH 3 again"]);
}

#[test]
fn mqtt5_2_2_1_3_and_mqtt311_2_3_1_2_an_identifier_in_use_is_not_given_again() {
    for version in [V3, V5] {
        let mut client = Client::v(version);
        client.publish("kept", Q1);
        let filters = || vec![SubscribeFilter { filter: filter("a"), options: SubscribeOptions::default() }];
        assert_eq!(client.machine.subscribe(client.now, filters(), None, vec![]), Ok(id(2)));
        client.does();
        for round in 0..70_000_u32 {
            let Packet::Publish(sent) = client.publish("x", Q1).packet() else { panic!() };
            let packet_id = sent.packet_id.unwrap();
            assert!(packet_id.get() > 2, "round {round}");
            client.packet(Packet::PubAck(Ack::new(packet_id, OK)));
        }
    }
}

#[test]
fn mqtt5_2_2_1_4_and_mqtt311_2_3_1_4_a_server_does_not_either() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        server.deliver("kept", Q1);
        server.deliver("half", Q2);
        server.packet(Packet::PubRec(ack(2)));
        for _ in 0..66_000_u32 {
            let Packet::Publish(sent) = server.deliver("x", Q1).packet() else { panic!() };
            let packet_id = sent.packet_id.unwrap();
            assert!(packet_id.get() > 2);
            server.packet(Packet::PubAck(Ack::new(packet_id, OK)));
        }
    }
}

#[test]
fn mqtt5_3_1_2_23_and_mqtt311_3_1_2_5_a_session_takes_messages_while_its_client_is_away() {
    for version in [V3, V5] {
        let mut session = Server::v(version).lose();
        let mut records = Vec::new();
        let mut take =
            |payload, qos| session.deliver(secs(1.0).wall, delivery(payload, qos), |record| records.push(record));
        assert_eq!(take("1", Q1), Admitted::Queued(1));
        assert_eq!(take("2", Q2), Admitted::Queued(2));
        assert_eq!(take("0", Q0), Admitted::Dropped);
        assert_eq!(records.len(), 2);
        let (_, did) = Server::resumed(Config::default(), connect_packet(version), session, true);
        assert_eq!(did.names(), ["CONNACK", "PUBLISH 1", "PUBLISH 2"], "for the first time: no DUP");
    }
}

#[test]
fn a_queue_has_its_limits() {
    let limits = QueueLimits { messages: 2, bytes: 12 };
    let mut session = Session::new("c".into(), limits);
    let take = |session: &mut Session, payload: &str| session.deliver(secs(0.0).wall, delivery(payload, Q1), |_| {});
    assert_eq!(take(&mut session, "1234"), Admitted::Queued(1));
    assert_eq!(take(&mut session, "12345678"), Admitted::Full, "too many bytes");
    assert_eq!(take(&mut session, "123456"), Admitted::Queued(2));
    assert_eq!(take(&mut session, ""), Admitted::Full, "too many messages");
    assert_eq!(session.load(), (2, 12));
    session.set_queue_limits(QueueLimits { messages: 3, bytes: 13 });
    assert_eq!(take(&mut session, ""), Admitted::Queued(3));
}

#[test]
fn expired_messages_can_be_dropped_from_the_queue() {
    let mut session = Server::v(V5).lose();
    for seconds in [5.0, 50.0] {
        let mut it = delivery("x", Q1);
        it.expires_at = Some(secs(seconds).wall);
        let _ = session.deliver(secs(0.0).wall, it, |_| {});
    }
    let mut records = Vec::new();
    assert_eq!(session.drop_expired(secs(5.0).wall, |record| records.push(record)), 1);
    assert_eq!((records, session.load().0), (vec![Record::Done(1)], 1));
}

#[test]
fn messages_of_a_shared_subscription_can_be_taken_out() {
    let share = |payload: &str, qos| {
        let mut it = delivery(payload, qos);
        it.share = Some("$share/g/t".into());
        it
    };
    let mut server = Server::accepted(Config::default(), window(3));
    for (payload, qos) in [("1", Q1), ("2", Q2), ("3", Q1), ("4", Q1), ("5", Q2)] {
        let _ = server.machine.deliver(server.now, share(payload, qos));
    }
    assert_eq!(server.does().sent.len(), 3);
    let of = |taken: Vec<gridmq_proto::session::Delivery>| -> Vec<String> {
        taken.iter().map(|it| String::from_utf8_lossy(&it.message.message().payload).into_owned()).collect()
    };
    // While the client is there, it can still acknowledge what it was sent: its window stays taken.
    assert_eq!(of(server.machine.take_out(|it| it.share.is_some())), ["4", "5"]);
    assert_eq!(server.does().records, [Record::Done(4), Record::Done(5)]);
    assert_eq!(server.deliver("6", Q1).names(), [""; 0]);
    let mut session = server.lose();
    let mut records = Vec::new();
    let taken = session.take_out_offline(|it| it.share.is_some(), |record| records.push(record));
    assert_eq!((of(taken), records), (vec!["1".to_owned(), "3".to_owned()], vec![Record::Done(1), Record::Done(3)]));
    let (_, did) = Server::resumed(Config::default(), window(3), session, true);
    assert_eq!(did.names(), ["CONNACK", "PUBLISH 2 again", "PUBLISH 4"]);
}

#[test]
fn mqtt5_4_5_0_2_and_mqtt311_4_5_0_2_the_owner_decides_when_but_every_message_is_acknowledged() {
    let mut client = Client::v(V3);
    let token = client.token(publish(1, Q1, "x"));
    assert!(client.at(1000.0).sent.is_empty());
    assert_eq!(client.complete(token, OK).names(), ["PUBACK 1"]);
    let mut client = Client::v(V5);
    let token = client.token(publish(1, Q1, "x"));
    assert!(client.at(1000.0).sent.is_empty());
    assert_eq!(client.complete(token, ReasonCode::ImplementationSpecificError).names(), ["PUBACK 1"]);
}

#[test]
fn mqtt5_3_3_1_3_and_mqtt311_3_3_1_3_dup_of_what_came_says_nothing_of_what_is_sent() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        let did = server.packet(again(publish(1, Q1, "x")));
        let server::Event::Publish(inbound) = did.event() else { panic!() };
        assert!(inbound.dup);
        let _ = server.machine.deliver(server.now, gridmq_proto::session::Delivery::new(inbound.message.into(), Q1));
        assert!(!dup_of(&server.does().packet()));
    }
}

#[test]
fn what_a_peer_repeats_does_not_pile_up() {
    let config = Config { decision_timeout: Duration::from_secs(1), ..Config::default() };
    let mut server = Server::accepted(config, connect_packet(V5));
    let done = server.token(publish(1, Q2, "x"));
    server.complete(done, OK);
    let first = server.token(publish(2, Q1, "y"));
    for _ in 0..1000 {
        server.packet(again(publish(1, Q2, "x"))).nothing();
    }
    assert_eq!(server.complete(first, OK).names(), ["PUBACK 2", "PUBREC 1"]);
}

#[test]
fn input_is_not_wanted_while_too_much_waits_for_a_slow_store() {
    let mut server = Server::v(V5);
    let mut client = Client::v(V5);
    (server.safe, client.safe) = (false, false);
    let token = server.token(publish(1, Q2, "x"));
    server.complete(token, OK);
    let token = client.token(publish(1, Q2, "x"));
    client.complete(token, OK);
    let mut rounds = 0;
    while server.machine.wants_input() && client.machine.wants_input() {
        server.packet(Packet::PubRel(ack(9))).nothing();
        client.packet(Packet::PubRel(ack(9))).nothing();
        rounds += 1;
        assert!(rounds < 10_000);
    }
    server.machine.persisted(u64::MAX);
    client.machine.persisted(u64::MAX);
    assert!(server.does().sent.len() > 1000 && server.machine.wants_input());
    client.does();
    assert!(client.machine.wants_input());
}

#[test]
fn mqtt5_3_1_2_4_and_mqtt311_3_1_2_6_clean_start_forgets_what_was_taken_over_and_keeps_what_waits() {
    for version in [V3, V5] {
        let mut client = Client::v(version);
        let half = client.token(publish(1, Q2, "in"));
        client.complete(half, OK);
        client.publish("1", Q1);
        client.publish("2", Q2);
        client.publish("3", Q2);
        client.packet(Packet::PubRec(ack(2)));
        let mut connect = connect_packet(version);
        connect.clean_start = true;
        let (mut client, did) = Client::with(client_config(connect), client.lose());
        assert_eq!(did.names(), ["CONNECT"]);
        assert!(did.records.contains(&Record::Forgotten(id(1))), "{:?}", did.records);
        // The server had the second one: nothing more can be learned of it.
        assert!(matches!(
            did.events[..],
            [client::Event::Published { position: 2, end: Settled::Taken { reason: OK, .. }, .. }]
        ));
        let did = client.packet(connack(ConnAckProperties::default()));
        assert_eq!(did.names(), ["PUBLISH 4", "PUBLISH 5"]);
        assert!(did.sent.iter().all(|packet| !dup_of(packet)));
        assert_ne!(client.token(publish(1, Q2, "in")), half, "tokens stay unique");
    }
}

#[test]
fn mqtt5_3_2_2_5_a_session_that_the_server_lost_starts_over() {
    let mut client = Client::v(V5);
    let half = client.token(publish(1, Q2, "in"));
    client.complete(half, OK);
    client.publish("1", Q1);
    let (mut client, _) = Client::with(client_config(connect_packet(V5)), client.lose());
    let did = client.packet(connack(ConnAckProperties::default()));
    assert_eq!(did.names(), ["PUBLISH 2"]);
    client.token(publish(1, Q2, "another"));
}

#[test]
fn names_of_subscriptions_are_the_whole_filters() {
    let mut server = Server::v(V5);
    server.packet(subscribe(1, &[("$share/g/a", Q1), ("a", Q1)]));
    server.machine.decide_subscribe(server.now, vec![ReasonCode::GrantedQos1; 2], None);
    server.does();
    let found: Vec<&SubscriptionFilter> = server.machine.session().unwrap().subscriptions().keys().collect();
    assert_eq!(found.len(), 2);
    server.machine.drop_subscription(&filter("$share/g/a"));
    assert_eq!(server.does().records, [Record::Unsubscribed(filter("$share/g/a"))]);
}

/// MQTT 5.0 §4.4: what is not acknowledged is sent again, and is the owner's to judge again.
#[test]
fn a_qos_2_message_that_is_let_go_of_comes_anew_on_the_next_connection() {
    for while_connected in [true, false] {
        let mut client = Client::v(V5);
        let token = client.token(publish(7, Q2, "x"));
        if while_connected {
            client.machine.abandon(token);
            client.does().nothing();
            // On this connection its acknowledgement is still due.
            client.packet(again(publish(7, Q2, "x"))).nothing();
        } else {
            client.machine.handle_close();
            client.machine.abandon(token);
        }
        let session = client.lose();
        let (mut client, _) = Client::resumed(connect_packet(V5), session, ConnAckProperties::default());
        let anew = client.token(again(publish(7, Q2, "x")));
        assert_ne!(anew, token);
        assert_eq!(client.complete(anew, OK).names(), ["PUBREC 7"]);
    }
}
