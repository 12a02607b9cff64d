//! The server's machine: connecting, limits, deadlines, and the end of a connection.
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

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use gridmq_proto::Version::{V3_1_1 as V3, V5};
use gridmq_proto::packet::*;
use gridmq_proto::session::server::{AuthDecision, Config, ConnectDecision, Event, Limits, Session};
use gridmq_proto::session::{End, QueueLimits, Record, Stage, Verdict};
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use machines::*;

fn limits(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits);
    config
}

/// A server that has the CONNECT and no decision.
fn undecided(connect: Connect) -> Server {
    let mut server = Server::new(Config::default());
    let did = server.packet(Packet::Connect(Box::new(connect)));
    assert!(matches!(did.events[..], [Event::Connect(_)]) && did.sent.is_empty());
    server
}

fn refuse(server: &mut Server, reason: ReasonCode, words: Option<&'static str>) -> ServerDid {
    let verdict = Verdict { reason, words: words.map(Into::into), more: None };
    assert!(server.machine.decide_connect(server.now, ConnectDecision::Refuse(verdict)).is_none());
    server.does()
}

fn connack_of(did: ServerDid) -> Box<ConnAck> {
    match did.packet() {
        Packet::ConnAck(ack) => ack,
        other => panic!("{other:?}"),
    }
}

fn disconnect_of(did: &ServerDid) -> ReasonCode {
    match did.sent.last() {
        Some(Packet::Disconnect(disconnect)) => disconnect.reason,
        other => panic!("{other:?}"),
    }
}

fn will_of(did: ServerDid) -> Option<Box<Will>> {
    did.events
        .into_iter()
        .find_map(|event| match event {
            Event::Ended { will, .. } => Some(will),
            _ => None,
        })
        .expect("the connection ended")
}

fn with_will(version: Version) -> Connect {
    Connect { will: Some(will()), ..connect_packet(version) }
}

fn leave(reason: ReasonCode) -> Packet {
    Packet::Disconnect(Disconnect::new(reason))
}

#[test]
fn mqtt5_3_1_0_1_and_mqtt311_3_1_0_1_the_first_packet_is_connect() {
    for packet in [Packet::PingReq, publish(0, Q0, "x"), leave(ReasonCode::Success)] {
        let did = Server::new(Config::default()).packet(packet);
        assert_eq!(did.violation(), ("MQTT-3.1.0-1", ReasonCode::ProtocolError));
        assert!(did.sent.is_empty());
    }
}

#[test]
fn mqtt5_3_1_0_2_and_mqtt311_3_1_0_2_a_second_connect_ends_the_connection() {
    for version in [V3, V5] {
        let mut server = Server::v(version);
        let did = server.packet(Packet::Connect(Box::new(connect_packet(version))));
        assert_eq!(did.violation(), ("MQTT-3.1.0-2", ReasonCode::ProtocolError));
        assert_eq!(did.names(), if version == V5 { vec!["DISCONNECT"] } else { vec![] });
    }
}

#[test]
fn mqtt5_3_1_2_7_and_mqtt311_3_1_2_8_the_will_is_kept_and_handed_over_when_the_connection_is_lost() {
    for version in [V3, V5] {
        let mut server = Server::accepted(Config::default(), with_will(version));
        assert_eq!(server.machine.will(), Some(&*will()));
        server.machine.handle_close();
        assert_eq!(will_of(server.does()), Some(will()));
        // So it is after a breach and after silence.
        let mut server = Server::accepted(Config::default(), with_will(version));
        assert_eq!(will_of(server.packet(Packet::PingResp)), Some(will()));
        let connect = Connect { keep_alive: 10, ..with_will(version) };
        assert_eq!(will_of(Server::accepted(Config::default(), connect).at(15.0)), Some(will()));
    }
}

#[test]
fn mqtt5_3_1_2_10_and_mqtt5_3_14_4_3_and_mqtt311_3_1_2_10_a_normal_disconnect_discards_the_will() {
    for version in [V3, V5] {
        let mut server = Server::accepted(Config::default(), with_will(version));
        let did = server.packet(leave(ReasonCode::NORMAL_DISCONNECTION));
        assert_eq!(did.end, Some(End::PeerDisconnected(ReasonCode::Success)));
        assert_eq!(will_of(did), None);
    }
    let mut server = Server::accepted(Config::default(), with_will(V5));
    assert_eq!(will_of(server.packet(leave(ReasonCode::DisconnectWithWillMessage))), Some(will()));
}

#[test]
fn mqtt5_3_1_2_22_and_mqtt311_3_1_2_24_silence_for_one_and_a_half_keep_alives_ends_the_connection() {
    for version in [V3, V5] {
        let mut server = Server::accepted(Config::default(), Connect { keep_alive: 10, ..connect_packet(version) });
        let before = server.at(14.9);
        assert_eq!((before.end, before.deadline), (None, Some(secs(15.0).monotonic)));
        assert_eq!(server.packet(Packet::PingReq).names(), ["PINGRESP"]);
        let later = server.at(29.8);
        assert_eq!((later.end, later.deadline), (None, Some(secs(29.9).monotonic)));
        let did = server.at(29.9);
        assert_eq!(did.end, Some(End::KeepAliveTimeout));
        if version == V5 {
            assert_eq!(disconnect_of(&did), ReasonCode::KeepAliveTimeout);
        } else {
            assert!(did.sent.is_empty());
        }
    }
    // 0 turns it off.
    assert_eq!(Server::v(V5).at(1e6).end, None);
}

#[test]
fn silence_while_a_decision_is_due_is_not_held_against_the_client() {
    let connect = Connect { keep_alive: 2, ..connect_packet(V5) };
    let mut server = Server::accepted(Config::default(), connect);
    server.packet(subscribe(1, &[("a", Q0)]));
    assert!(!server.machine.wants_input());
    assert_eq!(server.at(9.0).end, None);
    server.now = secs(9.5);
    assert!(server.machine.decide_subscribe(server.now, vec![ReasonCode::Success], None));
    assert_eq!(server.does().names(), ["SUBACK 1"]);
    assert_eq!(server.at(12.4).end, None);
    assert_eq!(server.at(12.5).end, Some(End::KeepAliveTimeout));
}

#[test]
fn silence_while_a_3_1_1_client_is_held_back_is_not_held_against_it() {
    let config = limits(|limits| limits.receive_maximum = NonZeroU16::MIN);
    let mut server = Server::accepted(config, Connect { keep_alive: 10, ..connect_packet(V3) });
    let token = server.token(publish(1, Q1, "x"));
    assert!(!server.machine.wants_input());
    server.now = secs(14.999_999);
    assert_eq!(server.complete(token, ReasonCode::Success).names(), ["PUBACK 1"]);
    assert!(server.machine.wants_input());
    // What the client sent meanwhile is still unread.
    let did = server.at(15.0);
    assert_eq!((did.end, did.deadline), (None, Some(secs(30.0).monotonic)));
    assert_eq!(server.at(30.0).end, Some(End::KeepAliveTimeout));
}

#[test]
fn mqtt5_3_2_2_22_the_servers_keep_alive_is_announced_only_where_it_differs() {
    let config = limits(|limits| limits.keep_alive_maximum = NonZeroU16::new(60));
    for (asked, announced, silence) in [(30, None, 45.0), (60, None, 90.0), (61, Some(60), 90.0), (0, Some(60), 90.0)] {
        let connect = Connect { keep_alive: asked, ..connect_packet(V5) };
        let session = Session::new("c".into(), QueueLimits::default());
        let (mut server, did) = Server::resumed(config.clone(), connect, session, false);
        assert_eq!(connack_of(did).properties.server_keep_alive, announced);
        assert_eq!(server.at(silence - 0.1).end, None);
        assert_eq!(server.at(silence).end, Some(End::KeepAliveTimeout));
    }
    // A 3.1.1 client cannot be told and keeps its own.
    let mut server = Server::accepted(config, Connect { keep_alive: 600, ..connect_packet(V3) });
    assert_eq!(server.at(899.0).end, None);
}

#[test]
fn mqtt5_3_1_2_24_and_mqtt5_3_1_2_25_what_is_larger_than_the_client_takes_counts_as_sent() {
    let mut connect = connect_packet(V5);
    connect.properties.maximum_packet_size = NonZeroU32::new(20);
    let mut server = Server::accepted(Config::default(), connect);
    assert_eq!(server.deliver("123456789012", Q1).names(), ["PUBLISH 1"]);
    let did = server.deliver("1234567890123", Q1);
    assert!(did.sent.is_empty());
    assert!(matches!(did.events[..], [Event::Delivered { position: 2, reason: ReasonCode::PacketTooLarge }]));
    assert_eq!(did.records.last(), Some(&Record::Done(2)));
    assert!(server.deliver("12345678901234567", Q0).sent.is_empty());
    assert_eq!(server.machine.session().unwrap().load(), (1, 13));
}

#[test]
fn what_was_sent_and_is_too_large_for_the_next_connection_is_done_with() {
    let mut server = Server::v(V5);
    server.deliver("123456789012345", Q1);
    server.deliver("1", Q1);
    let mut connect = connect_packet(V5);
    connect.properties.maximum_packet_size = NonZeroU32::new(20);
    let (_, did) = Server::resumed(Config::default(), connect, server.lose(), true);
    assert_eq!(did.names(), ["CONNACK", "PUBLISH 2 again"]);
    assert!(
        did.events
            .iter()
            .any(|event| matches!(event, Event::Delivered { position: 1, reason: ReasonCode::PacketTooLarge }))
    );
}

#[test]
fn an_expiry_and_an_alias_count_for_the_packets_size() {
    let config = limits(|limits| limits.outbound_topic_aliases = 9);
    let mut connect = connect_packet(V5);
    connect.properties.topic_alias_maximum = Some(9);
    connect.properties.session_expiry_interval = None;
    let expires = |payload: &str| {
        let mut delivery = delivery(payload, Q0);
        delivery.expires_at = Some(secs(100.0).wall);
        delivery
    };
    // The harness refuses what the client would not take.
    for maximum in 19..50 {
        connect.properties.maximum_packet_size = NonZeroU32::new(maximum);
        let mut server = Server::accepted(config.clone(), connect.clone());
        for length in 0..20 {
            server.deliver(&"x".repeat(length), Q0);
            let _ = server.machine.deliver(server.now, expires(&"x".repeat(length)));
            server.does();
        }
    }
}

#[test]
fn mqtt5_3_1_2_26_and_mqtt5_3_1_2_27_and_mqtt5_3_3_2_11_aliases_stay_within_the_clients_maximum() {
    let topics = ["a", "b", "a", "c", "b"];
    let aliases = |maximum: Option<u16>, own: u16| {
        let mut connect = connect_packet(V5);
        connect.properties.topic_alias_maximum = maximum;
        connect.properties.session_expiry_interval = None;
        let mut server = Server::accepted(limits(|limits| limits.outbound_topic_aliases = own), connect);
        topics.map(|topic| {
            let mut it = delivery("x", Q1);
            it.message = message(topic, "x").into();
            let _ = server.machine.deliver(server.now, it);
            match server.does().packet() {
                Packet::Publish(publish) => {
                    (publish.topic.map(|topic| topic.to_string()), publish.topic_alias.map_or(0, u16::from))
                }
                other => panic!("{other:?}"),
            }
        })
    };
    let full = |topic: &str, alias| (Some(topic.to_owned()), alias);
    assert_eq!(aliases(Some(2), 9), [full("a", 1), full("b", 2), (None, 1), full("c", 0), (None, 2)]);
    assert_eq!(aliases(Some(9), 1), [full("a", 1), full("b", 0), (None, 1), full("c", 0), full("b", 0)]);
    for none in [aliases(None, 9), aliases(Some(0), 9), aliases(Some(9), 0)] {
        assert_eq!(none, topics.map(|topic| full(topic, 0)));
    }
}

#[test]
fn mqtt5_3_3_2_7_and_mqtt5_3_3_2_12_aliases_are_taken_up_to_the_maximum_and_forgotten_with_the_connection() {
    let config = limits(|limits| limits.topic_alias_maximum = 3);
    let topic_of = |did: ServerDid| match did.event() {
        Event::Publish(inbound) => inbound.message.topic.to_string(),
        other => panic!("{other:?}"),
    };
    let mut server = Server::accepted(config.clone(), connect_packet(V5));
    for (set, alias) in [("a", 1), ("b", 3), ("c", 1)] {
        assert_eq!(topic_of(server.packet(aliased(Some(set), alias))), set);
    }
    assert_eq!(topic_of(server.packet(aliased(None, 3))), "b");
    assert_eq!(topic_of(server.packet(aliased(None, 1))), "c");
    let (mut server, _) = Server::resumed(config.clone(), connect_packet(V5), server.lose(), true);
    assert_eq!(server.packet(aliased(None, 1)).violation().1, ReasonCode::ProtocolError);
    let mut server = Server::accepted(config, connect_packet(V5));
    let did = server.packet(aliased(Some("a"), 4));
    assert_eq!(did.violation().1, ReasonCode::TopicAliasInvalid);
    assert_eq!(disconnect_of(&did), ReasonCode::TopicAliasInvalid);
}

#[test]
fn mqtt5_3_1_2_29_words_go_only_to_clients_that_want_them() {
    let mut quiet = connect_packet(V5);
    quiet.properties.request_problem_information = Some(false);
    for (connect, words) in [(connect_packet(V5), text("because")), (quiet, None)] {
        let ack = connack_of(refuse(&mut undecided(connect.clone()), ReasonCode::NotAuthorized, Some("because")));
        assert_eq!((ack.reason, ack.properties.reason_string), (ReasonCode::NotAuthorized, words.clone()));
        let mut server = Server::accepted(Config::default(), connect);
        let token = server.token(publish(1, Q1, "x"));
        let verdict = Verdict { reason: ReasonCode::NotAuthorized, words: text("because"), more: None };
        server.machine.complete(token, verdict);
        let Packet::PubAck(ack) = server.does().packet() else { panic!() };
        assert_eq!(ack.properties.and_then(|properties| properties.reason_string), words);
        server.packet(subscribe(2, &[("a", Q0)]));
        assert!(server.machine.decide_subscribe(server.now, vec![ReasonCode::NotAuthorized], text("because")));
        let Packet::SubAck(ack) = server.does().packet() else { panic!() };
        assert_eq!(ack.properties.reason_string, words);
        server.machine.disconnect(ReasonCode::AdministrativeAction, text("because"));
        let Packet::Disconnect(last) = server.does().packet() else { panic!() };
        assert_eq!(last.properties.reason_string, words);
    }
}

#[test]
fn words_are_left_out_where_the_version_has_no_place_for_them() {
    let mut server = undecided(connect_packet(V3));
    let ack = connack_of(refuse(&mut server, ReasonCode::NotAuthorized, Some("because")));
    assert_eq!((ack.reason, ack.properties), (ReasonCode::NotAuthorized, ConnAckProperties::default()));
    let mut server = Server::v(V3);
    server.packet(subscribe(2, &[("a", Q0), ("b", Q1)]));
    let reasons = vec![ReasonCode::NotAuthorized, ReasonCode::GrantedQos1];
    assert!(server.machine.decide_subscribe(server.now, reasons, text("because")));
    let Packet::SubAck(ack) = server.does().packet() else { panic!() };
    assert_eq!(ack.reasons, [ReasonCode::UnspecifiedError, ReasonCode::GrantedQos1]);
}

#[test]
fn mqtt5_3_1_2_30_only_auth_and_disconnect_come_during_authentication() {
    for packet in [Packet::PingReq, publish(0, Q0, "x"), Packet::Connect(Box::new(with_method("m")))] {
        let mut server = authenticating();
        let did = server.packet(packet);
        assert_eq!(did.violation(), ("MQTT-3.1.2-30", ReasonCode::ProtocolError));
        assert_eq!(connack_of(did).reason, ReasonCode::ProtocolError);
    }
    let did = authenticating().packet(leave(ReasonCode::Success));
    assert_eq!(did.end, Some(End::PeerDisconnected(ReasonCode::Success)));
}

/// A server that asked for more data.
fn authenticating() -> Server {
    let mut server = undecided(with_method("m"));
    let data = Some("challenge".into());
    assert!(server.machine.decide_connect(server.now, ConnectDecision::Continue { data }).is_none());
    let Packet::Auth(auth) = server.does().packet() else { panic!() };
    assert_eq!(auth.reason, ReasonCode::ContinueAuthentication);
    assert_eq!(auth.properties.authentication_method, text("m"));
    assert_eq!(auth.properties.authentication_data, Some("challenge".into()));
    server
}

#[test]
fn mqtt5_4_12_0_2_and_mqtt5_4_12_0_5_authentication_takes_steps_under_one_method() {
    let mut server = authenticating();
    for _ in 0..2 {
        let did = server.packet(auth(ReasonCode::ContinueAuthentication, "m"));
        assert!(matches!(did.event(), Event::Auth(_)));
        assert!(!server.machine.wants_input());
        server.machine.decide_connect(server.now, ConnectDecision::Continue { data: None });
        assert_eq!(server.does().names(), ["AUTH"]);
    }
    server.packet(auth(ReasonCode::ContinueAuthentication, "m"));
    let session = Session::new("c".into(), QueueLimits::default());
    let did = server.accept(&with_method("m"), session, false);
    assert_eq!(connack_of(did).properties.authentication_method, text("m"));

    let did = authenticating().packet(auth(ReasonCode::ContinueAuthentication, "other"));
    assert_eq!(did.violation().0, "MQTT-4.12.0-5");
    let did = authenticating().packet(auth(ReasonCode::ReAuthenticate, "m"));
    assert_eq!(did.violation().0, "MQTT-3.15.2-1");
}

#[test]
fn mqtt5_4_12_0_4_and_mqtt5_4_12_0_1_an_authentication_can_be_refused_at_any_step() {
    let mut first = undecided(with_method("m"));
    let did = refuse(&mut first, ReasonCode::BadAuthenticationMethod, None);
    assert_eq!(did.end, Some(End::Refused(ReasonCode::BadAuthenticationMethod)));
    assert_eq!(connack_of(did).reason, ReasonCode::BadAuthenticationMethod);
    let mut later = authenticating();
    later.packet(auth(ReasonCode::ContinueAuthentication, "m"));
    assert_eq!(connack_of(refuse(&mut later, ReasonCode::NotAuthorized, None)).reason, ReasonCode::NotAuthorized);
}

#[test]
fn mqtt5_4_12_0_6_and_mqtt5_4_12_0_7_without_a_method_there_is_no_auth() {
    let mut server = undecided(connect_packet(V5));
    server.machine.decide_connect(server.now, ConnectDecision::Continue { data: None });
    let did = server.does();
    assert_eq!(did.names(), ["CONNACK"]);
    assert_eq!(connack_of(did).reason, ReasonCode::BadAuthenticationMethod);
    let session = Session::new("c".into(), QueueLimits::default());
    let (mut server, did) = Server::resumed(Config::default(), connect_packet(V5), session, false);
    assert_eq!(connack_of(did).properties.authentication_method, None);
    assert_eq!(server.packet(auth(ReasonCode::ReAuthenticate, "m")).violation().0, "MQTT-4.12.0-7");
}

#[test]
fn mqtt5_4_12_1_1_and_mqtt5_4_12_1_2_a_client_that_is_in_can_authenticate_again() {
    let mut server = Server::accepted(Config::default(), with_method("m"));
    assert_eq!(server.packet(auth(ReasonCode::ReAuthenticate, "m")).events.len(), 1);
    assert!(server.machine.decide_auth(server.now, AuthDecision::Continue { data: Some("more".into()) }));
    let Packet::Auth(step) = server.does().packet() else { panic!() };
    assert_eq!(step.reason, ReasonCode::ContinueAuthentication);
    // Other packets may come in between.
    assert_eq!(server.packet(Packet::PingReq).names(), ["PINGRESP"]);
    server.packet(auth(ReasonCode::ContinueAuthentication, "m"));
    assert!(server.machine.decide_auth(server.now, AuthDecision::Accept { data: None }));
    let Packet::Auth(done) = server.does().packet() else { panic!() };
    assert_eq!((done.reason, done.properties.authentication_method), (ReasonCode::Success, text("m")));
    assert!(!server.machine.decide_auth(server.now, AuthDecision::Accept { data: None }), "none is due");

    server.packet(auth(ReasonCode::ReAuthenticate, "m"));
    assert!(server.machine.decide_auth(server.now, AuthDecision::Refuse(ReasonCode::BadUserNameOrPassword.into())));
    let did = server.does();
    assert_eq!(disconnect_of(&did), ReasonCode::NotAuthorized);
    assert!(did.end.is_some());

    let mut server = Server::accepted(Config::default(), with_method("m"));
    assert_eq!(server.packet(auth(ReasonCode::ReAuthenticate, "other")).violation().0, "MQTT-4.12.0-5");
    let mut server = Server::accepted(Config::default(), with_method("m"));
    assert_eq!(server.packet(auth(ReasonCode::ContinueAuthentication, "m")).violation().0, "MQTT-3.15.2-1");
}

#[test]
fn a_re_authentication_that_the_client_leaves_hanging_ends_the_connection() {
    let mut server = Server::accepted(Config::default(), with_method("m"));
    server.packet(auth(ReasonCode::ReAuthenticate, "m"));
    assert!(server.machine.decide_auth(server.now, AuthDecision::Continue { data: Some("more".into()) }));
    assert_eq!(server.does().deadline, Some(secs(10.0).monotonic));
    let did = server.at(10.0);
    assert_eq!(did.end, Some(End::Deadline(Stage::Auth)));
    assert_eq!(disconnect_of(&did), ReasonCode::NotAuthorized);
}

#[test]
fn mqtt5_3_1_4_6_and_mqtt311_3_1_4_5_after_a_refusal_nothing_is_processed() {
    for version in [V3, V5] {
        let mut server = undecided(connect_packet(version));
        assert!(!server.machine.wants_input());
        refuse(&mut server, ReasonCode::NotAuthorized, None);
        server.packet(publish(1, Q1, "x")).nothing();
        assert!(server.machine.take_session().is_none());
    }
}

#[test]
fn mqtt5_3_2_0_1_and_mqtt5_3_2_0_2_and_mqtt311_3_2_0_1_connack_comes_first_and_once() {
    for version in [V3, V5] {
        let mut old = Server::v(version);
        for payload in ["a", "b"] {
            old.deliver(payload, Q1);
        }
        let mut connect = connect_packet(version);
        connect.keep_alive = 10;
        connect.properties.session_expiry_interval = version.is_v5().then_some(5);
        let mut server = Server::new(Config::default());
        server.safe = false;
        server.packet(Packet::Connect(Box::new(connect.clone())));
        let mut session = old.lose();
        if version == V3 {
            // Something is to be stored before CONNACK on this version too.
            session = Session::restore("c".into(), QueueLimits::default(), {
                let mut records = session.snapshot();
                records[0] = Record::Started { expiry_interval: 7 };
                records
            })
            .unwrap();
        }
        let did = server.accept(&connect, session, true);
        assert_eq!((did.names(), did.records.len()), (vec![], 1));
        assert!(!server.machine.wants_input(), "the client is not in before its CONNACK");
        assert!(server.deliver("now", Q0).sent.is_empty());
        server.machine.persisted(did.seq);
        let did = server.does();
        assert_eq!(did.names(), ["CONNACK", "PUBLISH 1 again", "PUBLISH 2 again", "PUBLISH 0"]);
        assert!(server.machine.wants_input());
    }
}

#[test]
fn mqtt5_3_14_0_1_there_is_no_disconnect_before_connack() {
    let mut server = Server::new(Config::default());
    server.safe = false;
    server.packet(Packet::Connect(Box::new(connect_packet(V5))));
    let did = server.accept(&connect_packet(V5), Session::new("c".into(), QueueLimits::default()), false);
    assert!(did.sent.is_empty() && did.seq > 0, "CONNACK waits for the record");
    server.machine.disconnect(ReasonCode::ServerShuttingDown, None);
    let did = server.does();
    assert!(did.sent.is_empty());
    assert_eq!(did.end, Some(End::Closed(ReasonCode::ServerShuttingDown)));

    let mut server = Server::new(Config::default());
    server.machine.disconnect(ReasonCode::ServerShuttingDown, None);
    let did = server.does();
    assert!(did.sent.is_empty() && did.end.is_some());

    // While a decision is due the CONNECT is answered instead, with a code that CONNACK may have.
    let mut server = undecided(connect_packet(V5));
    server.machine.disconnect(ReasonCode::SessionTakenOver, None);
    let did = server.does();
    assert!(did.end.is_some());
    assert_eq!(connack_of(did).reason, ReasonCode::ServerUnavailable);
}

#[test]
fn mqtt5_3_2_2_2_and_mqtt5_3_2_2_3_and_mqtt311_3_2_2_1_and_mqtt311_3_2_2_2_and_mqtt311_3_2_2_3_session_present() {
    for version in [V3, V5] {
        for (clean_start, existed, said) in [(false, true, true), (false, false, false), (true, true, false)] {
            let connect = Connect { clean_start, ..connect_packet(version) };
            let session = Session::new("c".into(), QueueLimits::default());
            let (_, did) = Server::resumed(Config::default(), connect, session, existed);
            assert_eq!(connack_of(did).session_present, said);
        }
    }
}

#[test]
fn mqtt5_3_2_2_6_and_mqtt5_3_2_2_7_and_mqtt5_4_13_2_1_and_mqtt311_3_2_2_4_and_mqtt311_3_2_2_5_a_refusal_closes() {
    for version in [V3, V5] {
        let mut server = undecided(connect_packet(version));
        let did = refuse(&mut server, ReasonCode::NotAuthorized, None);
        assert_eq!(did.end, Some(End::Refused(ReasonCode::NotAuthorized)));
        let ack = connack_of(did);
        assert_eq!((ack.session_present, ack.reason), (false, ReasonCode::NotAuthorized));
    }
}

#[test]
fn mqtt311_3_2_2_6_what_3_1_1_has_no_return_code_for_closes_without_connack() {
    for reason in [ReasonCode::QosNotSupported, ReasonCode::MalformedPacket, ReasonCode::TopicNameInvalid] {
        let did = refuse(&mut undecided(connect_packet(V3)), reason, None);
        assert_eq!((did.names(), did.end), (vec![], Some(End::Refused(reason))));
    }
}

#[test]
fn mqtt5_3_2_2_9_and_mqtt5_3_2_2_10_a_lower_maximum_qos_is_announced_and_bounds_what_is_granted() {
    let config = limits(|limits| limits.maximum_qos = Q1);
    let session = Session::new("c".into(), QueueLimits::default());
    let (mut server, did) = Server::resumed(config, connect_packet(V5), session, false);
    assert_eq!(connack_of(did).properties.maximum_qos, Some(Q1));
    server.packet(subscribe(1, &[("a", Q0), ("b", Q1), ("c", Q2)]));
    assert!(server.machine.decide_subscribe(server.now, vec![ReasonCode::GrantedQos2; 3], None));
    let Packet::SubAck(ack) = server.does().packet() else { panic!() };
    assert_eq!(ack.reasons, [QoS::AtMostOnce, Q1, Q1].map(ReasonCode::granted));
    let granted: Vec<_> = server.machine.session().unwrap().subscriptions().values().map(|it| it.options.qos).collect();
    assert_eq!(granted, [Q0, Q1, Q1]);
    let did = server.packet(publish(1, Q2, "x"));
    assert_eq!(did.violation(), ("MQTT-3.2.2-11", ReasonCode::QosNotSupported));
    assert_eq!(disconnect_of(&did), ReasonCode::QosNotSupported);
}

#[test]
fn mqtt5_3_2_2_12_and_mqtt5_3_2_2_13_a_will_that_cannot_be_kept_is_refused() {
    let retained = Connect { will: Some(Box::new(Will { retain: true, ..*will() })), ..connect_packet(V5) };
    for (config, connect, reason) in [
        (limits(|limits| limits.maximum_qos = Q0), with_will(V5), ReasonCode::QosNotSupported),
        (limits(|limits| limits.retain_available = false), retained, ReasonCode::RetainNotSupported),
    ] {
        let did = Server::new(config).packet(Packet::Connect(Box::new(connect)));
        assert_eq!(did.end, Some(End::Refused(reason)));
        assert!(will_of_is_none(&did));
        assert_eq!(connack_of(did).reason, reason);
    }
}

fn will_of_is_none(did: &ServerDid) -> bool {
    matches!(did.events[..], [Event::Ended { will: None, .. }])
}

#[test]
fn mqtt5_3_2_2_14_a_retained_message_is_a_breach_where_none_is_kept() {
    let mut server = Server::accepted(limits(|limits| limits.retain_available = false), connect_packet(V5));
    let Packet::Publish(packet) = publish(0, Q0, "x") else { panic!() };
    let did = server.packet(Packet::Publish(Publish { retain: true, ..packet }));
    assert_eq!(did.violation(), ("MQTT-3.2.2-14", ReasonCode::RetainNotSupported));
}

#[test]
fn mqtt5_3_2_2_16_an_assigned_client_identifier_is_told() {
    let connect = Connect { client_id: "".into(), ..connect_packet(V5) };
    let session = Session::new("chosen".into(), QueueLimits::default());
    let (_, did) = Server::resumed(Config::default(), connect, session, false);
    assert_eq!(connack_of(did).properties.assigned_client_identifier, text("chosen"));
}

#[test]
fn what_the_server_does_not_take_ends_the_connection_with_its_reason() {
    let shared = subscribe(1, &[("$share/g/a", Q0)]);
    let Packet::Subscribe(mut identified) = subscribe(1, &[("a", Q0)]) else { panic!() };
    identified.subscription_identifier = NonZeroU32::new(1);
    for (config, packet, reason) in [
        (
            limits(|limits| limits.wildcard_subscription_available = false),
            subscribe(1, &[("a/+", Q0)]),
            ReasonCode::WildcardSubscriptionsNotSupported,
        ),
        (
            limits(|limits| limits.shared_subscription_available = false),
            shared,
            ReasonCode::SharedSubscriptionsNotSupported,
        ),
        (
            limits(|limits| limits.subscription_identifiers_available = false),
            Packet::Subscribe(identified),
            ReasonCode::SubscriptionIdentifiersNotSupported,
        ),
    ] {
        let mut server = Server::accepted(config, connect_packet(V5));
        let did = server.packet(packet);
        assert_eq!(did.violation().1, reason);
        assert_eq!(disconnect_of(&did), reason);
    }
}

#[test]
fn mqtt5_3_3_4_7_more_than_the_receive_maximum_ends_the_connection() {
    for qos in [Q1, Q2] {
        let config = limits(|limits| limits.receive_maximum = NonZeroU16::new(2).unwrap());
        let mut server = Server::accepted(config, connect_packet(V5));
        let token = server.token(publish(1, qos, "a"));
        server.token(publish(2, Q1, "b"));
        server.complete(token, ReasonCode::Success);
        if qos == Q2 {
            // PUBREC alone makes no room, a refusal or PUBREL does.
            server.packet(Packet::PubRel(ack(1)));
        }
        let refused = server.token(publish(3, Q2, "c"));
        let did = server.packet(publish(4, qos, "d"));
        assert_eq!(did.violation(), ("MQTT-3.3.4-7", ReasonCode::ReceiveMaximumExceeded));
        assert_eq!(disconnect_of(&did), ReasonCode::ReceiveMaximumExceeded);
        server.complete(refused, ReasonCode::Success).nothing();
    }
}

#[test]
fn what_an_earlier_connection_left_does_not_count_against_the_receive_maximum() {
    let config = limits(|limits| limits.receive_maximum = NonZeroU16::new(2).unwrap());
    let mut server = Server::accepted(config.clone(), connect_packet(V5));
    for packet_id in [1, 2] {
        let token = server.token(publish(packet_id, Q2, "x"));
        server.complete(token, ReasonCode::Success);
    }
    let (mut server, _) = Server::resumed(config, connect_packet(V5), server.lose(), true);
    // The client has both PUBREC and starts with new messages before it sends PUBREL.
    server.token(publish(3, Q1, "x"));
    server.token(publish(4, Q2, "x"));
    assert_eq!(server.packet(Packet::PubRel(ack(1))).names(), ["PUBCOMP 1"]);
    assert_eq!(server.packet(again(publish(2, Q2, "x"))).violation().0, "MQTT-3.3.4-7");
}

#[test]
fn a_3_1_1_client_is_held_back_instead() {
    let config = limits(|limits| limits.receive_maximum = NonZeroU16::new(2).unwrap());
    let mut server = Server::accepted(config, connect_packet(V3));
    let first = server.token(publish(1, Q1, "a"));
    assert!(server.machine.wants_input());
    server.token(publish(2, Q2, "b"));
    assert!(!server.machine.wants_input());
    server.complete(first, ReasonCode::Success);
    assert!(server.machine.wants_input());
}

#[test]
fn mqtt5_3_12_4_1_and_mqtt311_3_12_4_1_pingreq_is_answered() {
    for version in [V3, V5] {
        assert_eq!(Server::v(version).packet(Packet::PingReq).names(), ["PINGRESP"]);
    }
}

#[test]
fn mqtt5_3_14_4_1_and_mqtt5_3_14_4_2_after_disconnect_nothing_is_sent_and_the_connection_closes() {
    let mut server = Server::v(V5);
    server.machine.disconnect(ReasonCode::ServerShuttingDown, None);
    let _ = server.machine.deliver(server.now, delivery("late", Q1));
    server.machine.handle_packet(server.now, Packet::PingReq);
    let did = server.does();
    assert_eq!(did.names(), ["DISCONNECT"]);
    assert_eq!(did.end, Some(End::Closed(ReasonCode::ServerShuttingDown)));
    assert_eq!(server.machine.take_session().unwrap().load().0, 1, "the message waits in the session");
}

#[test]
fn a_disconnect_has_a_reason_that_disconnect_may_have() {
    let mut server = Server::v(V5);
    server.machine.disconnect(ReasonCode::ServerUnavailable, None);
    assert_eq!(disconnect_of(&server.does()), ReasonCode::UnspecifiedError);
}

#[test]
fn a_disconnect_sets_the_expiry_but_not_from_nothing() {
    let expiring = |expiry| {
        let mut it = Disconnect::new(ReasonCode::Success);
        it.properties.session_expiry_interval = Some(expiry);
        Packet::Disconnect(it)
    };
    let mut server = Server::v(V5);
    assert_eq!(server.packet(expiring(7)).records, [Record::Started { expiry_interval: 7 }]);
    assert_eq!(server.machine.take_session().unwrap().expiry_interval(), 7);
    assert_eq!(Server::v(V5).packet(expiring(0)).records, [Record::Ended]);
    let mut connect = connect_packet(V5);
    connect.properties.session_expiry_interval = None;
    let did = Server::accepted(Config::default(), connect.clone()).packet(expiring(7));
    assert_eq!(did.violation(), ("§3.14.2.2.2", ReasonCode::ProtocolError));
    let did = Server::accepted(Config::default(), connect).packet(expiring(0));
    assert_eq!(did.end, Some(End::PeerDisconnected(ReasonCode::Success)));
}

#[test]
fn deadlines_are_kept() {
    let config =
        Config { connect_timeout: Duration::from_secs(3), decision_timeout: Duration::from_secs(5), ..<_>::default() };
    let mut server = Server::new(config.clone());
    assert_eq!(server.does().deadline, Some(secs(3.0).monotonic));
    server.at(2.9).nothing();
    let did = server.at(3.0);
    assert_eq!((did.names(), did.end), (vec![], Some(End::Deadline(Stage::Connect))));

    for (version, answer) in [(V3, ReasonCode::ServerUnavailable), (V5, ReasonCode::ServerUnavailable)] {
        let mut server = Server::new(config.clone());
        server.now = secs(1.0);
        assert_eq!(
            server.packet(Packet::Connect(Box::new(connect_packet(version)))).deadline,
            Some(secs(6.0).monotonic)
        );
        let did = server.at(6.0);
        assert_eq!(did.end, Some(End::Deadline(Stage::Decision)));
        assert_eq!(connack_of(did).reason, answer);
        let late = server.machine.decide_connect(server.now, ConnectDecision::Refuse(ReasonCode::Banned.into()));
        assert!(matches!(late, Some(ConnectDecision::Refuse(_))), "it is handed back");

        let mut server = Server::accepted(config.clone(), connect_packet(version));
        server.packet(subscribe(7, &[("a", Q0), ("b", Q0)]));
        let did = server.at(5.0);
        assert_eq!(did.end, None);
        let Packet::SubAck(ack) = did.packet() else { panic!() };
        assert_eq!((ack.packet_id.get(), ack.reasons.len()), (7, 2));
        assert!(ack.reasons.iter().all(|reason| reason.is_failure()));
        assert!(!server.machine.decide_subscribe(server.now, vec![ReasonCode::Success; 2], None));
        assert!(server.machine.wants_input() && server.machine.session().unwrap().subscriptions().is_empty());

        server.packet(unsubscribe(8, &["a"]));
        let did = server.at(10.0);
        if version == V5 {
            let Packet::UnsubAck(ack) = did.packet() else { panic!() };
            assert_eq!(ack.reasons, [ReasonCode::ImplementationSpecificError]);
        } else {
            assert_eq!((did.names(), did.end), (vec![], Some(End::Deadline(Stage::Decision))));
        }
    }
    let mut server = Server::accepted(config.clone(), with_method("m"));
    server.packet(auth(ReasonCode::ReAuthenticate, "m"));
    let did = server.at(5.0);
    assert_eq!(did.end, Some(End::Deadline(Stage::Decision)));
    assert_eq!(disconnect_of(&did), ReasonCode::ServerBusy);

    let mut server = Server::new(config);
    server.packet(Packet::Connect(Box::new(with_method("m"))));
    server.machine.decide_connect(secs(1.0), ConnectDecision::Continue { data: None });
    assert_eq!(server.does().deadline, Some(secs(4.0).monotonic));
    assert_eq!(server.at(4.0).end, Some(End::Deadline(Stage::Auth)));
}

#[test]
fn a_packet_that_is_not_wanted_ends_the_connection() {
    let mut server = undecided(connect_packet(V5));
    assert!(server.packet(Packet::PingReq).end.is_some());
    let mut server = Server::v(V5);
    server.packet(subscribe(1, &[("a", Q0)]));
    assert!(!server.machine.wants_input());
    assert!(server.packet(Packet::PingReq).end.is_some());
}

#[test]
fn a_client_that_takes_no_connack_of_ours_is_refused_and_its_session_kept() {
    let mut server = Server::v(V5);
    server.deliver("x", Q1);
    let mut connect = connect_packet(V5);
    connect.properties.maximum_packet_size = NonZeroU32::new(8);
    let session = server.lose();
    let mut server = Server::new(Config::default());
    server.packet(Packet::Connect(Box::new(connect.clone())));
    let did = server.accept(&connect, session, true);
    assert_eq!(did.end, Some(End::Refused(ReasonCode::PacketTooLarge)));
    assert!(did.records.is_empty());
    assert_eq!(connack_of(did).reason, ReasonCode::PacketTooLarge);
    assert_eq!(server.machine.take_session().unwrap().load().0, 1);
}

#[test]
fn a_session_can_move_between_threads() {
    fn moves<T: Send + 'static>() {}
    moves::<Session>();
    moves::<gridmq_proto::session::client::Session>();
}
