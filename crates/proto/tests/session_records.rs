//! Records: what waits for them, what does not, and that they rebuild the session.
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

use gridmq_proto::Version::{V3_1_1 as V3, V5};
use gridmq_proto::packet::*;
use gridmq_proto::session::server::{Config, Session};
use gridmq_proto::session::{PublishToken, QueueLimits, Record, client};
use gridmq_proto::{Packet, ReasonCode, Version};
use machines::*;
use proptest::prelude::*;

const OK: ReasonCode = ReasonCode::Success;
const NOTHING: [&str; 0] = [];

/// What the machine says once all its records are safe.
fn once_safe(server: &mut Server) -> Vec<String> {
    server.machine.persisted(u64::MAX);
    server.does().names()
}

/// A server and a client of a lasting session whose stores are slow.
fn slow(version: Version) -> (Server, Client) {
    let (mut server, mut client) = (Server::v(version), Client::v(version));
    (server.safe, client.safe) = (false, false);
    (server, client)
}

#[test]
fn pubrec_waits_for_received_and_pubcomp_for_forgotten() {
    for version in [V3, V5] {
        let (mut server, mut client) = slow(version);
        let token = server.token(publish(7, Q2, "x"));
        let did = server.complete(token, OK);
        assert_eq!((did.names().as_slice(), did.records), (&[][..] as &[String], vec![Record::Received(id(7))]));
        assert_eq!(once_safe(&mut server), ["PUBREC 7"]);
        let did = server.packet(Packet::PubRel(ack(7)));
        assert_eq!((did.names().as_slice(), did.records), (&[][..] as &[String], vec![Record::Forgotten(id(7))]));
        assert_eq!(once_safe(&mut server), ["PUBCOMP 7"]);

        let token = client.token(publish(7, Q2, "x"));
        let did = client.complete(token, OK);
        assert_eq!((did.names().as_slice(), did.records), (&[][..] as &[String], vec![Record::Received(id(7))]));
        client.machine.persisted(u64::MAX);
        assert_eq!(client.does().names(), ["PUBREC 7"]);
        let did = client.packet(Packet::PubRel(ack(7)));
        assert_eq!((did.names().as_slice(), did.records), (&[][..] as &[String], vec![Record::Forgotten(id(7))]));
        client.machine.persisted(u64::MAX);
        assert_eq!(client.does().names(), ["PUBCOMP 7"]);
    }
}

#[test]
fn messages_and_pubrel_wait_for_their_identifiers() {
    for version in [V3, V5] {
        let (mut server, mut client) = slow(version);
        let did = server.deliver("x", Q2);
        assert!(matches!(did.records[..], [Record::Enqueued(1, _), Record::Sent(1, _)]) && did.sent.is_empty());
        server.machine.persisted(did.seq - 1);
        assert_eq!(server.does().names(), NOTHING, "not with the first of the two");
        assert_eq!(once_safe(&mut server), ["PUBLISH 1"]);
        let did = server.packet(Packet::PubRec(ack(1)));
        assert!(did.sent.is_empty() && did.records == [Record::Released(1, id(1))]);
        assert_eq!(once_safe(&mut server), ["PUBREL 1"]);
        assert_eq!(server.packet(Packet::PubComp(ack(1))).records, [Record::Done(1)]);

        let did = client.publish("x", Q1);
        assert!(matches!(did.records[..], [Record::Enqueued(1, _), Record::Sent(1, _)]) && did.sent.is_empty());
        client.machine.persisted(did.seq);
        assert_eq!(client.does().names(), ["PUBLISH 1"]);
        assert_eq!(client.packet(Packet::PubAck(ack(1))).records, [Record::Done(1)]);
    }
}

#[test]
fn suback_and_unsuback_wait_for_their_subscriptions() {
    let (mut server, _) = slow(V5);
    server.packet(subscribe(1, &[("a", Q1)]));
    server.machine.decide_subscribe(server.now, vec![ReasonCode::GrantedQos1], None);
    let did = server.does();
    assert!(did.sent.is_empty() && matches!(did.records[..], [Record::Subscribed(..)]));
    assert_eq!(once_safe(&mut server), ["SUBACK 1"]);
    server.packet(unsubscribe(2, &["a"]));
    server.machine.decide_unsubscribe(server.now, vec![OK]);
    assert!(server.does().sent.is_empty());
    assert_eq!(once_safe(&mut server), ["UNSUBACK 2"]);
}

#[test]
fn what_depends_on_no_record_does_not_wait() {
    for version in [V3, V5] {
        let (mut server, mut client) = slow(version);
        // Who published it has no acknowledgement yet, so that it can only come again.
        assert_eq!(server.deliver("fast", Q1).names(), ["PUBLISH 1"]);
        assert_eq!(server.deliver("slow", Q2).names(), NOTHING);
        assert_eq!(server.deliver("slow", Q1).names(), NOTHING, "behind the other");
        assert_eq!(server.deliver("fast", Q0).names(), ["PUBLISH 0"]);
        assert_eq!(server.packet(Packet::PingReq).names(), ["PINGRESP"]);
        assert_eq!(client.publish("slow", Q1).names(), NOTHING);
        assert_eq!(client.publish("fast", Q0).names(), ["PUBLISH 0"]);
        let filters = vec![SubscribeFilter { filter: filter("a"), options: SubscribeOptions::default() }];
        client.machine.subscribe(client.now, filters, None, vec![]).unwrap();
        assert_eq!(client.does().names(), ["SUBSCRIBE 2"]);
        // PUBACK waits only where it would overtake.
        let mut server = Server::v(version);
        server.safe = false;
        let (one, two, three) =
            (server.token(publish(1, Q1, "x")), server.token(publish(2, Q2, "x")), server.token(publish(3, Q1, "x")));
        assert_eq!(server.complete(one, OK).names(), ["PUBACK 1"]);
        assert_eq!(server.complete(two, OK).names(), NOTHING);
        assert_eq!(server.complete(three, OK).names(), NOTHING);
        assert_eq!(once_safe(&mut server), ["PUBREC 2", "PUBACK 3"]);
    }
}

#[test]
fn what_waits_for_a_record_is_not_sent_on_a_connection_that_has_ended() {
    let (mut server, mut client) = slow(V5);
    server.deliver("x", Q2);
    client.publish("x", Q1);
    server.machine.disconnect(ReasonCode::ServerShuttingDown, None);
    client.machine.disconnect(client.now, OK, <_>::default());
    assert_eq!(server.does().names(), ["DISCONNECT"]);
    assert_eq!(client.does().names(), ["DISCONNECT"]);
    assert_eq!(once_safe(&mut server), NOTHING);
    client.machine.persisted(u64::MAX);
    client.does().nothing();
}

#[test]
fn a_session_that_does_not_last_asks_for_no_records() {
    let mut connect = connect_packet(V5);
    connect.properties.session_expiry_interval = None;
    let mut server = Server::accepted(Config::default(), connect);
    server.safe = false;
    assert_eq!(server.deliver("x", Q2).names(), ["PUBLISH 1"]);
    let token = server.token(publish(1, Q2, "x"));
    assert_eq!(server.complete(token, OK).names(), ["PUBREC 1"]);
    assert_eq!(server.does().seq, 0);
    // Once it lasts, it is recorded with all that it has.
    let snapshot = server.machine.session().unwrap().snapshot();
    assert_eq!(snapshot.len(), 4);
    let (server, did) = Server::resumed(Config::default(), connect_packet(V5), server.lose(), true);
    assert_eq!(did.records[0], Record::Started { expiry_interval: 1000 });
    assert_eq!(did.records[1..], snapshot[1..]);
    // And when it does not any more, that is recorded.
    let mut connect = connect_packet(V5);
    connect.properties.session_expiry_interval = Some(0);
    let (_, did) = Server::resumed(Config::default(), connect, server.lose(), true);
    assert_eq!(did.records, [Record::Ended]);
}

#[test]
fn records_that_end_make_no_session() {
    let restore = |records: Vec<Record>| Session::restore("c".into(), QueueLimits::default(), records);
    assert!(restore(vec![]).is_none());
    let started = Record::Started { expiry_interval: 9 };
    assert!(restore(vec![started.clone(), Record::Received(id(1)), Record::Ended]).is_none());
    let again = restore(vec![started.clone(), Record::Received(id(1)), Record::Ended, started.clone()]).unwrap();
    assert_eq!(again.snapshot(), [started]);
}

#[derive(Debug, Clone)]
enum Step {
    Send(u8),
    Receive(u16, bool),
    Complete(u8, bool),
    Ack(u16, u8),
    Subscribe(u8, bool),
    TakeOut,
    Later,
    Lose,
    Change(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8).prop_map(Step::Send),
        3 => (1..5_u16, any::<bool>()).prop_map(|(id, twice)| Step::Receive(id, twice)),
        4 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(which, well)| Step::Complete(which, well)),
        8 => (1..8_u16, 0..5_u8).prop_map(|(id, kind)| Step::Ack(id, kind)),
        1 => (0..3_u8, any::<bool>()).prop_map(|(name, on)| Step::Subscribe(name, on)),
        1 => Just(Step::TakeOut),
        1 => Just(Step::Later),
        2 => Just(Step::Lose),
        1 => prop_oneof![Just(0_u32), Just(5), Just(u32::MAX)].prop_map(Step::Change),
    ];
    prop::collection::vec(step, 1..60)
}

fn acknowledgement(packet_id: u16, kind: u8) -> Packet {
    match kind {
        0 => Packet::PubAck(ack(packet_id)),
        1 => Packet::PubRec(ack(packet_id)),
        2 => Packet::PubComp(ack(packet_id)),
        3 => Packet::PubRec(Ack::new(id(packet_id), ReasonCode::QuotaExceeded)),
        _ => Packet::PubRel(ack(packet_id)),
    }
}

fn window(version: Version, expiry: u32) -> Connect {
    let mut connect = connect_packet(version);
    if version.is_v5() {
        connect.properties.receive_maximum = std::num::NonZeroU16::new(3);
        connect.properties.session_expiry_interval = Some(expiry);
    }
    connect
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens to it, a session that is stored can be rebuilt from its records.
    #[test]
    fn records_rebuild_a_servers_session(steps in steps(), v5 in any::<bool>()) {
        let version = if v5 { V5 } else { V3 };
        let mut expiry = 1000;
        let mut log = Vec::new();
        let session = Session::new("c".into(), QueueLimits { messages: 4, bytes: 1000 });
        let (mut server, did) = Server::resumed(Config::default(), window(version, expiry), session, false);
        log.extend(did.records);
        let mut tokens: Vec<PublishToken> = Vec::new();
        for step in steps {
            let did = match step {
                Step::Send(qos) => server.deliver("x", gridmq_proto::QoS::from_u8(qos).unwrap()),
                Step::Receive(packet_id, dup) => {
                    let packet = publish(packet_id, Q2, "x");
                    let mut did = server.packet(if dup { again(packet) } else { packet });
                    for event in did.events.drain(..) {
                        if let gridmq_proto::session::server::Event::Publish(inbound) = event {
                            tokens.extend(inbound.token);
                        }
                    }
                    did
                }
                Step::Complete(which, well) if !tokens.is_empty() => {
                    let token = tokens.remove(usize::from(which) % tokens.len());
                    server.complete(token, if well { OK } else { ReasonCode::NotAuthorized })
                }
                Step::Ack(packet_id, kind) => server.packet(acknowledgement(packet_id, kind)),
                Step::Subscribe(name, on) => {
                    let name = ["a", "b", "c"][usize::from(name)];
                    if on {
                        server.packet(subscribe(9, &[(name, Q2)]));
                        server.machine.decide_subscribe(server.now, vec![ReasonCode::GrantedQos1], None);
                    } else {
                        server.packet(unsubscribe(9, &[name]));
                        server.machine.decide_unsubscribe(server.now, vec![OK]);
                    }
                    server.does()
                }
                Step::TakeOut => {
                    let mut turn = false;
                    let turns = std::cell::RefCell::new(&mut turn);
                    server.machine.take_out(|_| {
                        let mut turn = turns.borrow_mut();
                        **turn = !**turn;
                        **turn
                    });
                    server.does()
                }
                Step::Later => server.at(server.now.monotonic.as_micros() as f64 / 1e6 + 10.0),
                Step::Lose => {
                    let mut session = server.lose();
                    let wall = secs(0.0).wall;
                    let _ = session.deliver(wall, delivery("away", Q1), |record| log.push(record));
                    if let Some(token) = tokens.pop() {
                        session.complete_offline(token, OK, |record| log.push(record));
                    }
                    let (next, did) = Server::resumed(Config::default(), window(version, expiry), session, true);
                    server = next;
                    did
                }
                Step::Change(next) => {
                    expiry = next;
                    continue;
                }
                Step::Complete(..) => continue,
            };
            log.extend(did.records);
            prop_assert!(server.machine.is_connected());
            let session = server.machine.session().unwrap();
            let restored = Session::restore("c".into(), QueueLimits::default(), log.clone());
            if session.expiry_interval() == 0 {
                prop_assert!(restored.is_none());
                log.clear();
            } else {
                let restored = restored.unwrap();
                prop_assert_eq!(restored.snapshot(), session.snapshot());
                prop_assert_eq!(restored.load(), session.load());
            }
        }
    }

    /// So can a client's.
    #[test]
    fn records_rebuild_a_clients_session(steps in steps(), v5 in any::<bool>(), keeps in any::<bool>()) {
        let version = if v5 { V5 } else { V3 };
        let mut log = Vec::new();
        let announced = || ConnAckProperties {
            receive_maximum: std::num::NonZeroU16::new(3).filter(|_| v5),
            ..ConnAckProperties::default()
        };
        let mut client = Client::new(window(version, 1000));
        log.extend(client.packet(connack(announced())).records);
        let mut tokens: Vec<PublishToken> = Vec::new();
        for step in steps {
            let did = match step {
                Step::Send(qos) => {
                    let _ = client.machine.publish(client.now, outgoing("x", gridmq_proto::QoS::from_u8(qos).unwrap()));
                    client.does()
                }
                Step::Receive(packet_id, _) => {
                    let mut did = client.packet(publish(packet_id, Q2, "x"));
                    for event in did.events.drain(..) {
                        if let client::Event::Message(incoming) = event {
                            tokens.extend(incoming.token);
                        }
                    }
                    did
                }
                Step::Complete(which, well) if !tokens.is_empty() => {
                    let token = tokens.remove(usize::from(which) % tokens.len());
                    client.complete(token, if well { OK } else { ReasonCode::NotAuthorized })
                }
                Step::Ack(packet_id, kind) => client.packet(acknowledgement(packet_id, kind)),
                Step::Later => client.at(client.now.monotonic.as_micros() as f64 / 1e6 + 10.0),
                Step::Lose | Step::TakeOut => {
                    let clean_start = matches!(step, Step::TakeOut);
                    let connect = Connect { clean_start, ..window(version, 1000) };
                    let (next, did) = Client::with(client_config(connect), client.lose());
                    client = next;
                    log.extend(did.records);
                    let session_present = keeps && !clean_start;
                    client.packet(Packet::ConnAck(Box::new(ConnAck {
                        session_present,
                        reason: OK,
                        properties: announced(),
                    })))
                }
                Step::Complete(..) | Step::Subscribe(..) | Step::Change(_) => continue,
            };
            log.extend(did.records);
            prop_assert!(client.machine.is_connected());
            // The machine lends its session to nobody: look at it between two connections.
            let session = client.lose();
            let snapshot = session.snapshot();
            let restored = client::Session::restore(QueueLimits::default(), log.clone());
            let restored = restored.unwrap();
            prop_assert_eq!(restored.snapshot(), snapshot);
            prop_assert_eq!(restored.load(), session.load());
            prop_assert_eq!(restored.last_position(), session.last_position());
            let (next, did) = Client::resumed(window(version, 1000), session, announced());
            client = next;
            log.extend(did.records);
        }
    }
}

/// A client with a store that is slow from the start, and its session of before.
fn resume(session: client::Session) -> Client {
    let (mut client, did) = Client::with(client_config(connect_packet(V5)), session);
    assert_eq!(did.names(), ["CONNECT"]);
    client.safe = false;
    client
}

fn accepts(session_present: bool) -> Packet {
    Packet::ConnAck(Box::new(ConnAck { session_present, reason: OK, properties: ConnAckProperties::default() }))
}

#[test]
fn what_is_sent_again_waits_for_records_of_earlier_connections() {
    let (_, mut client) = slow(V5);
    client.publish("one", Q2);
    client.publish("two", Q2);
    client.machine.persisted(u64::MAX);
    assert_eq!(client.does().names(), ["PUBLISH 1", "PUBLISH 2"]);
    assert_eq!(client.packet(Packet::PubRec(ack(1))).names(), NOTHING, "not before it is recorded");
    let token = client.token(publish(9, Q2, "in"));
    assert_eq!(client.complete(token, OK).names(), NOTHING);
    let session = client.lose();
    let last = session.last_record();
    let mut client = resume(session);
    assert_eq!(client.packet(accepts(true)).names(), NOTHING);
    client.machine.handle_packet(client.now, again(publish(9, Q2, "in")));
    assert_eq!(client.does().names(), NOTHING);
    client.machine.persisted(last);
    assert_eq!(client.does().names(), ["PUBREL 1", "PUBLISH 2 again", "PUBREC 9"]);
}

#[test]
fn nothing_is_subscribed_before_a_lost_session_is_forgotten_for_good() {
    let (_, mut client) = slow(V5);
    let token = client.token(publish(9, Q2, "in"));
    client.complete(token, OK);
    client.machine.persisted(u64::MAX);
    client = resume(client.lose());
    let did = client.packet(accepts(false));
    assert_eq!(did.records, [Record::Forgotten(id(9))]);
    let filters = || vec![SubscribeFilter { filter: filter("a"), options: SubscribeOptions::default() }];
    client.machine.subscribe(client.now, filters(), None, vec![]).unwrap();
    assert_eq!(client.does().names(), NOTHING, "a message under an identifier of before would be taken for known");
    client.machine.persisted(u64::MAX);
    assert_eq!(client.does().names(), ["SUBSCRIBE 1"]);
    // One that starts clean forgets before it says so.
    let token = client.token(publish(9, Q2, "in"));
    client.complete(token, OK);
    client.machine.persisted(u64::MAX);
    client.does();
    let connect = Connect { clean_start: true, ..connect_packet(V5) };
    let machine = client::Connection::new(client.now, client_config(connect), client.lose());
    client = Client::v(V5);
    client.machine = machine;
    let mut sent = 0;
    let mut records = Vec::new();
    loop {
        match client.machine.poll_output() {
            gridmq_proto::session::Output::Persist(record, seq) => records.push((record, seq)),
            gridmq_proto::session::Output::Timeout(_) => break,
            _ => sent += 1,
        }
    }
    assert_eq!((sent, records.len()), (0, 1));
    client.machine.persisted(records[0].1);
    assert!(matches!(client.machine.poll_output(), gridmq_proto::session::Output::Send(Packet::Connect(_))));
}

#[test]
fn positions_go_on_after_a_restart_when_all_is_done() {
    let mut client = Client::v(V5);
    for _ in 0..3 {
        client.publish("x", Q1);
    }
    for packet_id in 1..=3 {
        client.packet(Packet::PubAck(ack(packet_id)));
    }
    let snapshot = client.lose().snapshot();
    assert_eq!(snapshot, [Record::Started { expiry_interval: 1000 }, Record::Positioned(3)]);
    let session = client::Session::restore(QueueLimits::default(), snapshot).unwrap();
    assert_eq!((session.last_position(), session.load()), (3, (0, 0)));
    let (mut client, _) = Client::resumed(connect_packet(V5), session, ConnAckProperties::default());
    assert!(matches!(client.publish("x", Q1).records[..], [Record::Enqueued(4, _), Record::Sent(4, _)]));
}
