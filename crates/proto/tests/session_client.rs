//! The client's machine: connecting, what the server announced, keep-alive, and the end of a connection.
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

use gridmq_proto::Version::{V3_1_1 as V3, V5};
use gridmq_proto::packet::*;
use gridmq_proto::session::client::{Event, Outgoing, RequestError, Session};
use gridmq_proto::session::{Admitted, End, QueueLimits, Record, Stage};
use gridmq_proto::{Packet, ReasonCode, Version};
use machines::*;

fn alive(version: Version) -> Connect {
    Connect { keep_alive: 20, ..connect_packet(version) }
}

fn failure(reason: ReasonCode) -> Packet {
    let properties = ConnAckProperties { reason_string: text("because"), ..ConnAckProperties::default() };
    Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties }))
}

#[test]
fn mqtt5_3_1_0_1_and_mqtt311_3_1_0_1_a_client_sends_connect_first_and_once() {
    for version in [V3, V5] {
        let (mut client, did) =
            Client::with(client_config(connect_packet(version)), Session::new(QueueLimits::default()));
        assert_eq!(did.packet(), Packet::Connect(Box::new(connect_packet(version))));
        // A message waits for CONNACK.
        assert_eq!(client.machine.publish(client.now, outgoing("x", Q1)), Ok(Admitted::Queued(1)));
        assert_eq!(client.machine.publish(client.now, outgoing("x", Q0)), Err(RequestError::NotConnected));
        assert!(client.does().sent.is_empty());
        assert_eq!(client.packet(connack(ConnAckProperties::default())).names(), ["PUBLISH 1"]);
    }
}

#[test]
fn mqtt5_3_2_0_1_and_mqtt311_3_2_0_1_the_first_packet_from_a_server_is_connack() {
    for version in [V3, V5] {
        for packet in [Packet::PingResp, publish(1, Q1, "x"), Packet::PubAck(ack(1))] {
            let did = Client::new(connect_packet(version)).packet(packet);
            assert_eq!(did.violation(), ("MQTT-3.2.0-1", ReasonCode::ProtocolError));
            assert!(did.sent.is_empty());
        }
    }
}

#[test]
fn mqtt5_3_2_0_2_a_second_connack_ends_the_connection() {
    let did = Client::v(V5).packet(connack(ConnAckProperties::default()));
    assert_eq!(did.violation().0, "MQTT-3.2.0-2");
    assert_eq!(did.names(), ["DISCONNECT"]);
}

#[test]
fn a_refusal_is_told_with_its_words_and_the_session_stays() {
    for version in [V3, V5] {
        let mut client = Client::new(connect_packet(version));
        let _ = client.machine.publish(client.now, outgoing("x", Q1));
        client.does();
        let did = client.packet(failure(ReasonCode::NotAuthorized));
        assert_eq!(did.end, Some(End::Refused(ReasonCode::NotAuthorized)));
        let Event::Ended { farewell, .. } = did.event() else { panic!() };
        assert_eq!(farewell.unwrap().reason_string, text("because"));
        assert_eq!(client.machine.take_session().unwrap().load().0, 1);
    }
}

#[test]
fn connack_comes_in_time_or_not_at_all() {
    let mut client = Client::new(connect_packet(V5));
    assert_eq!(client.does().deadline, Some(secs(10.0).monotonic));
    client.at(9.9).nothing();
    assert_eq!(client.at(10.0).end, Some(End::Deadline(Stage::Connect)));
}

#[test]
fn mqtt5_3_2_2_4_a_session_that_was_not_asked_for_ends_the_connection() {
    let connect = Connect { clean_start: true, ..connect_packet(V5) };
    let present = ConnAck { session_present: true, reason: ReasonCode::Success, properties: <_>::default() };
    let did = Client::new(connect).packet(Packet::ConnAck(Box::new(present)));
    assert_eq!(did.violation().0, "MQTT-3.2.2-4");
}

#[test]
fn mqtt5_3_1_2_20_and_mqtt311_3_1_2_23_pingreq_leaves_within_the_keep_alive() {
    for version in [V3, V5] {
        let mut client = Client::accepted(alive(version), ConnAckProperties::default());
        let mut sent_at = 0.0;
        let mut seconds = 0.0;
        while seconds < 200.0 {
            seconds += 0.5;
            let did = client.at(seconds);
            if !did.sent.is_empty() {
                assert_eq!(did.names(), ["PINGREQ"]);
                assert!(seconds - sent_at <= 20.0, "{seconds}");
                sent_at = seconds;
                client.packet(Packet::PingResp).nothing();
            }
        }
        assert!(sent_at > 180.0);
        assert!(client.machine.is_connected());
    }
    let mut off = Client::v(V5);
    assert_eq!(off.at(1e6).deadline, None);
}

#[test]
fn other_packets_put_pingreq_off_only_while_the_server_is_heard() {
    let mut client = Client::accepted(alive(V5), ConnAckProperties::default());
    for step in 1..=10 {
        let did = client.at(f64::from(step) * 10.0);
        assert!(did.sent.is_empty(), "both sides talk");
        client.publish("x", Q0);
        client.packet(publish(0, Q0, "y"));
    }
    // One that only sends learns nothing of the link: it asks.
    let mut asked = false;
    for step in 11..=14 {
        asked |= client.at(f64::from(step) * 10.0).names().contains(&"PINGREQ".to_owned());
        if client.machine.is_connected() {
            client.publish("x", Q0);
        }
    }
    assert!(asked);
    assert!(!client.machine.is_connected(), "and leaves if it hears nothing");
}

#[test]
fn mqtt5_3_1_2_21_and_mqtt5_3_2_2_21_the_servers_keep_alive_is_honoured() {
    for (server, first) in [(Some(8), Some(6.0)), (None, Some(15.0)), (Some(0), None)] {
        let properties = ConnAckProperties { server_keep_alive: server, ..ConnAckProperties::default() };
        let mut client = Client::accepted(alive(V5), properties);
        assert_eq!(client.does().deadline, first.map(|at| secs(at).monotonic));
        if let Some(at) = first {
            assert_eq!(client.at(at).names(), ["PINGREQ"]);
        }
    }
}

#[test]
fn a_dead_link_is_noticed_within_one_and_a_half_keep_alives() {
    for version in [V3, V5] {
        let mut client = Client::accepted(alive(version), ConnAckProperties::default());
        let ended = (1..100).map(f64::from).find(|&seconds| client.at(seconds).end == Some(End::KeepAliveTimeout));
        assert!(ended.is_some_and(|at| at > 20.0 && at <= 30.0), "{ended:?}");
    }
}

#[test]
fn a_packet_that_takes_its_time_is_a_sign_of_life_and_a_trickle_is_none() {
    for version in [V3, V5] {
        let slowly = Connect { keep_alive: 230, ..connect_packet(version) };
        let mut client = Client::accepted(slowly, ConnAckProperties::default());
        let ended = (1..600).map(f64::from).find(|&seconds| {
            client.machine.handle_bytes(client.now, 1);
            client.at(seconds).end.is_some()
        });
        assert!(ended.is_some_and(|at| at > 230.0 && at <= 345.0), "{ended:?}");
        let mut client = Client::accepted(alive(version), ConnAckProperties::default());
        for step in 1..=40 {
            let seconds = f64::from(step) * 4.0;
            assert_eq!(client.at(seconds).end, None, "{seconds}");
            client.machine.handle_bytes(client.now, 128);
        }
        let ended = (161..300).map(f64::from).find(|&seconds| {
            client.machine.handle_bytes(client.now, 1);
            client.at(seconds).end.is_some()
        });
        assert!(ended.is_some_and(|at| at > 180.0 && at <= 190.0), "a byte each second is none: {ended:?}");
    }
}

#[test]
fn the_answer_to_a_ping_is_due_once_the_ping_is_written() {
    let mut client = Client::accepted(alive(V5), ConnAckProperties::default());
    assert_eq!(client.at(15.0).names(), ["PINGREQ"]);
    for seconds in [20.0, 25.0, 34.0, 43.0] {
        assert_eq!(client.at(seconds).end, None, "{seconds}");
        client.machine.handle_written(client.now, seconds > 40.0);
    }
    assert_eq!(client.at(52.0).end, None);
    // Of another PINGREQ.
    client.machine.handle_written(client.now, true);
    assert_eq!(client.at(53.0).end, Some(End::KeepAliveTimeout));
}

#[test]
fn an_owner_that_does_not_read_holds_no_silence_against_the_server() {
    let mut client = Client::accepted(alive(V5), ConnAckProperties::default());
    assert_eq!(client.at(15.0).names(), ["PINGREQ"]);
    for seconds in [25.0, 35.0] {
        client.machine.excuse();
        assert_eq!(client.at(seconds).end, None, "{seconds}");
    }
    assert_eq!(client.at(45.0).end, Some(End::KeepAliveTimeout));
}

#[test]
fn subscribe_and_unsubscribe_larger_than_the_server_takes_are_not_sent() {
    let announced = ConnAckProperties { maximum_packet_size: NonZeroU32::new(30), ..ConnAckProperties::default() };
    let mut client = Client::accepted(connect_packet(V5), announced);
    let long = "x".repeat(30);
    let options = SubscribeOptions { qos: Q1, ..SubscribeOptions::default() };
    let entry = SubscribeFilter { filter: long.as_str().try_into().unwrap(), options };
    let refused = client.machine.subscribe(client.now, vec![entry], None, Vec::new());
    assert_eq!(refused, Err(RequestError::PacketTooLarge { size: 38, maximum: 30 }));
    let filters = vec![long.as_str().try_into().unwrap()];
    let refused = client.machine.unsubscribe(client.now, filters, Vec::new());
    assert_eq!(refused, Err(RequestError::PacketTooLarge { size: 37, maximum: 30 }));
    client.does().nothing();
}

#[test]
fn silence_while_the_owner_does_not_read_is_not_held_against_the_server() {
    let mut config = client_config(alive(V3));
    config.receive_maximum = 1;
    let (mut client, _) = Client::with(config, Session::new(QueueLimits::default()));
    client.packet(connack(ConnAckProperties::default()));
    let token = client.token(publish(1, Q1, "x"));
    assert!(!client.machine.wants_input());
    for step in 1..=40 {
        assert_eq!(client.at(f64::from(step) * 5.0).end, None);
    }
    client.now = secs(204.9);
    client.complete(token, ReasonCode::Success);
    assert!(client.machine.wants_input());
    // The answer to the last PINGREQ is still unread.
    assert_eq!(client.at(205.0).end, None);
    let ended = (206..300).map(f64::from).find(|&seconds| client.at(seconds).end.is_some());
    assert!(ended.is_some_and(|at| at <= 235.0), "{ended:?}");
}

#[test]
fn mqtt5_3_2_2_11_and_mqtt5_3_2_2_14_and_mqtt5_3_2_2_15_what_the_server_does_not_take_is_not_sent() {
    let announced = ConnAckProperties {
        maximum_qos: Some(Q1),
        retain_available: Some(false),
        maximum_packet_size: NonZeroU32::new(30),
        ..ConnAckProperties::default()
    };
    let retained = |payload| Outgoing { retain: true, ..outgoing(payload, Q1) };
    let large = "x".repeat(24);
    let mut client = Client::accepted(connect_packet(V5), announced.clone());
    let refused = |client: &mut Client, it| client.machine.publish(client.now, it).unwrap_err();
    assert_eq!(refused(&mut client, outgoing("x", Q2)), RequestError::QosNotSupported { asked: Q2, maximum: Q1 });
    assert_eq!(refused(&mut client, retained("x")), RequestError::RetainNotSupported);
    assert_eq!(refused(&mut client, outgoing(&large, Q1)), RequestError::PacketTooLarge { size: 32, maximum: 30 });
    assert!(client.does().sent.is_empty());

    // The same for what waited before the server had said so.
    let mut client = Client::new(connect_packet(V5));
    client.maximum = Some(30);
    for it in [outgoing("2", Q2), retained("r"), outgoing(&large, Q1), outgoing("fits", Q1)] {
        assert!(matches!(client.machine.publish(client.now, it), Ok(Admitted::Queued(_))));
    }
    client.does();
    let did = client.packet(connack(announced.clone()));
    assert_eq!(did.names(), ["PUBLISH 1"]);
    let given_up: Vec<_> = did
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Published { position, end, .. } => Some((*position, end.reason())),
            _ => None,
        })
        .collect();
    assert_eq!(
        given_up,
        [(1, ReasonCode::QosNotSupported), (2, ReasonCode::RetainNotSupported), (3, ReasonCode::PacketTooLarge)]
    );
    // And for what was sent on an earlier connection.
    let mut client = Client::v(V5);
    client.publish("2", Q2);
    client.publish("1", Q1);
    let (client, did) = Client::resumed(connect_packet(V5), client.lose(), announced);
    assert_eq!(did.names(), ["PUBLISH 2 again"]);
    assert_eq!(client.lose().load().0, 1);
}

#[test]
fn subscriptions_that_the_server_does_not_take_are_refused_here() {
    let announced = ConnAckProperties {
        wildcard_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(false),
        ..ConnAckProperties::default()
    };
    let mut client = Client::accepted(connect_packet(V5), announced);
    let mut ask = |text: &str, identifier| {
        let filters = vec![SubscribeFilter { filter: filter(text), options: SubscribeOptions::default() }];
        client.machine.subscribe(client.now, filters, identifier, vec![])
    };
    assert_eq!(ask("a/+", None), Err(RequestError::WildcardsNotSupported(filter("a/+"))));
    assert_eq!(ask("$share/g/a", None), Err(RequestError::SharedSubscriptionsNotSupported(filter("$share/g/a"))));
    assert_eq!(ask("a", NonZeroU32::new(1)), Err(RequestError::SubscriptionIdentifiersNotSupported));
    assert_eq!(ask("a", None), Ok(id(1)));
    assert_eq!(client.machine.unsubscribe(client.now, vec![], vec![]), Err(RequestError::NoFilters));
    assert_eq!(client.machine.subscribe(client.now, vec![], None, vec![]), Err(RequestError::NoFilters));
}

#[test]
fn mqtt5_3_2_2_17_and_mqtt5_3_2_2_18_and_mqtt5_3_3_2_9_aliases_stay_within_the_servers_maximum() {
    let aliases = |maximum| {
        let mut connect = connect_packet(V5);
        connect.properties.session_expiry_interval = None;
        let properties = ConnAckProperties { topic_alias_maximum: maximum, ..ConnAckProperties::default() };
        let mut client = Client::accepted(connect, properties);
        ["a", "b", "a", "b"].map(|topic| {
            let it = Outgoing { message: message(topic, "x"), qos: Q1, retain: false };
            let _ = client.machine.publish(client.now, it).unwrap();
            let Packet::Publish(publish) = client.does().packet() else { panic!() };
            (publish.topic.is_some(), publish.topic_alias.map_or(0, u16::from))
        })
    };
    assert_eq!(aliases(Some(1)), [(true, 1), (true, 0), (false, 1), (true, 0)]);
    assert_eq!(aliases(Some(100)), [(true, 1), (true, 2), (false, 1), (false, 2)]);
    assert_eq!(aliases(None), [(true, 0); 4]);
    assert_eq!(aliases(Some(0)), [(true, 0); 4]);
}

#[test]
fn mqtt5_3_3_2_10_and_mqtt5_3_3_2_7_aliases_of_the_server_are_taken_and_forgotten_with_the_connection() {
    let mut connect = connect_packet(V5);
    connect.properties.topic_alias_maximum = Some(2);
    let topic_of = |did: ClientDid| match did.event() {
        Event::Message(incoming) => incoming.message.topic.to_string(),
        other => panic!("{other:?}"),
    };
    let mut client = Client::accepted(connect.clone(), ConnAckProperties::default());
    assert_eq!(topic_of(client.packet(aliased(Some("a"), 1))), "a");
    assert_eq!(topic_of(client.packet(aliased(Some("b"), 2))), "b");
    assert_eq!(topic_of(client.packet(aliased(None, 1))), "a");
    let (mut client, _) = Client::resumed(connect.clone(), client.lose(), ConnAckProperties::default());
    assert_eq!(client.packet(aliased(None, 1)).violation().1, ReasonCode::ProtocolError);
    let mut client = Client::accepted(connect, ConnAckProperties::default());
    assert_eq!(client.packet(aliased(Some("a"), 3)).violation().1, ReasonCode::TopicAliasInvalid);
}

#[test]
fn mqtt5_3_3_4_9_a_server_that_exceeds_the_receive_maximum_is_left() {
    let mut connect = connect_packet(V5);
    connect.properties.receive_maximum = NonZeroU16::new(2);
    let mut client = Client::accepted(connect, ConnAckProperties::default());
    client.token(publish(1, Q1, "x"));
    client.token(publish(2, Q2, "x"));
    let did = client.packet(publish(3, Q1, "x"));
    assert_eq!(did.violation(), ("MQTT-3.3.4-9", ReasonCode::ReceiveMaximumExceeded));
    let Packet::Disconnect(disconnect) = did.packet() else { panic!() };
    assert_eq!(disconnect.reason, ReasonCode::ReceiveMaximumExceeded);
}

#[test]
fn answers_go_to_the_requests_that_they_are_for() {
    for version in [V3, V5] {
        let ask = || {
            let mut client = Client::v(version);
            let filters = ["a", "b"]
                .map(|text| SubscribeFilter { filter: filter(text), options: SubscribeOptions::default() })
                .to_vec();
            client.machine.subscribe(client.now, filters, None, vec![]).unwrap();
            client.machine.unsubscribe(client.now, vec![filter("c")], vec![]).unwrap();
            assert_eq!(client.does().names(), ["SUBSCRIBE 1", "UNSUBSCRIBE 2"]);
            client
        };
        let suback = |packet_id, count| {
            let reasons = vec![ReasonCode::Success; count];
            Packet::SubAck(SubAck { packet_id: id(packet_id), properties: <_>::default(), reasons })
        };
        let unsuback = |packet_id, count| {
            let reasons = vec![ReasonCode::Success; count];
            Packet::UnsubAck(UnsubAck { packet_id: id(packet_id), properties: <_>::default(), reasons })
        };
        let of_unsub = usize::from(version == V5);
        let mut client = ask();
        assert!(matches!(client.packet(unsuback(2, of_unsub)).event(), Event::Unsubscribed(_)));
        assert!(matches!(client.packet(suback(1, 2)).event(), Event::Subscribed(_)));
        assert!(client.packet(suback(1, 2)).end.is_some(), "once");
        let count = if version == V5 { "MQTT-3.8.4-6" } else { "MQTT-3.8.4-5" };
        assert_eq!(ask().packet(suback(1, 1)).violation().0, count);
        assert_eq!(ask().packet(suback(1, 3)).violation().0, count);
        assert_eq!(ask().packet(suback(9, 2)).violation().0, "§2.2.1");
        assert!(ask().packet(unsuback(1, 2)).end.is_some(), "another kind");
        assert!(ask().packet(suback(2, 1)).end.is_some(), "another kind");
    }
}

#[test]
fn mqtt5_4_12_0_3_and_mqtt5_4_12_0_5_a_client_authenticates_under_the_method_of_its_connect() {
    let step = |reason| Auth { reason, properties: AuthProperties::default() };
    let mut client = Client::new(with_method("m"));
    for _ in 0..2 {
        assert!(matches!(client.packet(auth(ReasonCode::ContinueAuthentication, "m")).event(), Event::Auth(_)));
        client.machine.auth(client.now, step(ReasonCode::ContinueAuthentication));
        let Packet::Auth(sent) = client.does().packet() else { panic!() };
        assert_eq!(sent.reason, ReasonCode::ContinueAuthentication);
        assert_eq!(sent.properties.authentication_method, text("m"));
    }
    let properties = ConnAckProperties { authentication_method: text("m"), ..ConnAckProperties::default() };
    client.packet(connack(properties));
    client.machine.auth(client.now, step(ReasonCode::ReAuthenticate));
    assert_eq!(client.does().names(), ["AUTH"]);
    assert!(matches!(client.packet(auth(ReasonCode::Success, "m")).event(), Event::Auth(_)));
    assert_eq!(client.packet(auth(ReasonCode::Success, "other")).violation().0, "MQTT-4.12.0-5");

    let up = || {
        let mut client = Client::new(with_method("m"));
        client.packet(connack(ConnAckProperties::default()));
        client
    };
    // Without being asked, after the end, and with a reason that is the client's, the server is out of turn.
    for reason in [ReasonCode::ContinueAuthentication, ReasonCode::Success, ReasonCode::ReAuthenticate] {
        assert_eq!(up().packet(auth(reason, "m")).violation().0, "MQTT-3.15.2-1");
        let mut ended = up();
        ended.machine.auth(ended.now, step(ReasonCode::ReAuthenticate));
        ended.packet(auth(ReasonCode::Success, "m"));
        assert_eq!(ended.packet(auth(reason, "m")).violation().0, "MQTT-3.15.2-1");
    }
    // Steps of the client that have no turn are not sent.
    let mut client = up();
    client.machine.auth(client.now, step(ReasonCode::ContinueAuthentication));
    client.does().nothing();
    client.machine.auth(client.now, step(ReasonCode::ReAuthenticate));
    assert_eq!(client.does().names(), ["AUTH"]);
    client.machine.auth(client.now, step(ReasonCode::ReAuthenticate));
    client.does().nothing();
    assert!(matches!(client.packet(auth(ReasonCode::ContinueAuthentication, "m")).event(), Event::Auth(_)));
    client.machine.auth(client.now, step(ReasonCode::ContinueAuthentication));
    assert_eq!(client.does().names(), ["AUTH"]);
    // An AUTH with nothing in it is a success (MQTT 5.0 §3.15.2.1).
    let bare = Packet::Auth(Box::new(step(ReasonCode::Success)));
    assert!(matches!(client.packet(bare).event(), Event::Auth(_)));

    let did = Client::new(with_method("m")).packet(auth(ReasonCode::ContinueAuthentication, "other"));
    assert_eq!(did.violation().0, "MQTT-4.12.0-5");
    let did = Client::new(with_method("m")).packet(auth(ReasonCode::Success, "m"));
    assert_eq!(did.violation().0, "MQTT-3.15.2-1");
}

#[test]
fn mqtt5_4_12_0_7_and_mqtt5_4_12_0_6_without_a_method_there_is_no_auth() {
    let mut client = Client::new(connect_packet(V5));
    let step = Auth { reason: ReasonCode::ContinueAuthentication, properties: AuthProperties::default() };
    client.machine.auth(client.now, step);
    client.does().nothing();
    let did = client.packet(auth(ReasonCode::ContinueAuthentication, "m"));
    assert_eq!(did.violation().0, "MQTT-4.12.0-6");
    assert_eq!(Client::v(V5).packet(auth(ReasonCode::ReAuthenticate, "m")).violation().0, "MQTT-4.12.0-6");
}

#[test]
fn mqtt5_3_14_4_1_and_mqtt5_3_14_4_2_and_mqtt311_3_14_4_1_and_mqtt311_3_14_4_2_disconnect_is_the_last_packet() {
    for version in [V3, V5] {
        let mut client = Client::v(version);
        let token = client.token(publish(1, Q1, "in"));
        client.machine.disconnect(client.now, ReasonCode::Success, <_>::default());
        client.machine.complete(client.now, token, ReasonCode::Success);
        assert_eq!(client.machine.publish(client.now, outgoing("late", Q1)), Ok(Admitted::Queued(1)));
        client.machine.handle_packet(client.now, publish(2, Q1, "in"));
        let did = client.does();
        assert_eq!(did.names(), ["DISCONNECT"]);
        assert_eq!(did.end, Some(End::Closed(ReasonCode::Success)));
        assert_eq!(client.machine.take_session().unwrap().load().0, 1);
    }
}

#[test]
fn the_expiry_can_be_changed_at_the_end_where_the_standard_lets_it() {
    let leave = |asked: Option<u32>, version: Version, expiry| {
        let mut connect = connect_packet(version);
        connect.properties.session_expiry_interval = asked;
        let mut client = Client::accepted(connect, ConnAckProperties::default());
        let properties = DisconnectProperties { session_expiry_interval: expiry, ..DisconnectProperties::default() };
        client.machine.disconnect(client.now, ReasonCode::DisconnectWithWillMessage, properties);
        let did = client.does();
        let records = did.records.clone();
        let Packet::Disconnect(sent) = did.packet() else { panic!() };
        (sent.properties.session_expiry_interval, records)
    };
    assert_eq!(leave(Some(9), V5, Some(5)), (Some(5), vec![Record::Started { expiry_interval: 5 }]));
    assert_eq!(leave(Some(9), V5, Some(0)), (Some(0), vec![Record::Started { expiry_interval: 0 }]));
    assert_eq!(leave(None, V5, Some(0)), (Some(0), vec![]));
    assert_eq!(leave(None, V5, Some(5)), (None, vec![]), "a protocol error otherwise");
    assert_eq!(leave(None, V3, Some(0)), (None, vec![]));
}

#[test]
fn a_disconnect_of_the_server_is_told_with_its_words() {
    let mut client = Client::v(V5);
    let mut packet = Disconnect::new(ReasonCode::ServerShuttingDown);
    packet.properties.reason_string = text("because");
    packet.properties.server_reference = text("elsewhere:1883");
    packet.properties.user_properties = vec![("a".into(), "b".into())];
    let did = client.packet(Packet::Disconnect(packet));
    assert_eq!(did.end, Some(End::PeerDisconnected(ReasonCode::ServerShuttingDown)));
    let Event::Ended { farewell, .. } = did.event() else { panic!() };
    let farewell = farewell.unwrap();
    assert_eq!(farewell.reason_string, text("because"));
    assert_eq!(farewell.server_reference, text("elsewhere:1883"));
    assert_eq!(farewell.user_properties, [("a".into(), "b".into())]);
    // One that says nothing more.
    let did = Client::v(V5).packet(Packet::Disconnect(Disconnect::new(ReasonCode::ServerShuttingDown)));
    assert!(matches!(did.event(), Event::Ended { farewell: None, .. }));
}

#[test]
fn a_session_is_recorded_where_its_owner_has_a_store_whatever_its_expiry() {
    for expiry in [0, 1000] {
        let mut client = Client::new(connect_packet(V5));
        let _ = client.machine.publish(client.now, outgoing("early", Q1));
        let mut log = client.does().records;
        assert!(matches!(log[..], [Record::Enqueued(1, _)]), "before there is a connection");
        let properties = ConnAckProperties { session_expiry_interval: Some(expiry), ..ConnAckProperties::default() };
        let did = client.packet(connack(properties));
        let started = usize::from(expiry != 0);
        assert_eq!(did.records.len(), 1 + started);
        assert!(expiry == 0 || did.records[0] == Record::Started { expiry_interval: 1000 });
        assert!(matches!(did.records[started..], [Record::Sent(1, _)]));
        log.extend(did.records);
        let restored = Session::restore(QueueLimits::default(), log).unwrap();
        assert_eq!(restored.snapshot(), client.lose().snapshot());
    }
    // Without a store nothing is recorded, and nothing is withheld.
    let (mut client, _) = Client::with(client_config(connect_packet(V5)), Session::new(QueueLimits::default()));
    client.safe = false;
    client.packet(connack(ConnAckProperties::default()));
    let did = client.publish("x", Q2);
    assert_eq!((did.names().as_slice(), did.records.len()), (&["PUBLISH 1".to_owned()][..], 0));
    let token = client.token(publish(7, Q2, "in"));
    assert_eq!(client.complete(token, ReasonCode::Success).names(), ["PUBREC 7"]);
    assert_eq!(client.does().seq, 0);
}
