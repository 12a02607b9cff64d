//! What a client holds between connections: messages that wait, which of them give way, and aliases when they leave.
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
use gridmq_proto::session::client::{self, Event, RequestError, Session};
use gridmq_proto::session::{Admitted, Position, QueueLimits, Record, Settled, Unsent};
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::{Packet, QoS, ReasonCode};
use machines::*;

fn recorded() -> Session {
    Session::recorded(QueueLimits::default())
}

fn accept(client: Client, properties: ConnAckProperties) -> (Client, ClientDid) {
    let mut client = client;
    let session = client.machine.take_session().unwrap();
    Client::resumed(connect_packet(V5), session, properties)
}

fn waiting(client: &mut Client, qos: QoS) -> Position {
    match client.machine.publish(client.now, outgoing("xx", qos)).unwrap() {
        Admitted::Queued(position) => position,
        other => panic!("{other:?}"),
    }
}

fn done(did: &ClientDid) -> Vec<(Position, ReasonCode)> {
    let of = |event: &Event| match event {
        Event::Published { position, end, .. } => Some((*position, end.reason())),
        _ => None,
    };
    did.events.iter().filter_map(of).collect()
}

#[test]
fn a_machine_without_a_connection_takes_messages_and_nothing_else() {
    let mut client = Client::resting(connect_packet(V5), recorded());
    assert!(!client.machine.wants_input() && !client.machine.is_connected());
    let error = client.machine.publish(client.now, outgoing("x", Q0)).unwrap_err();
    assert_eq!(error, RequestError::NotConnected);
    assert_eq!(client.machine.unsubscribe(client.now, vec![filter("a")], vec![]), Err(RequestError::NotConnected));
    assert_eq!((waiting(&mut client, Q1), waiting(&mut client, Q2)), (1, 2));
    client.machine.handle_close();
    let did = client.drain();
    assert!(matches!(did.records[..], [Record::Enqueued(1, _), Record::Enqueued(2, _)]));
    assert!(did.sent.is_empty() && did.events.is_empty() && did.end.is_none() && did.deadline.is_none());
    let session = client.machine.session().unwrap();
    assert_eq!((session.load(), session.in_flight(), session.last_position()), ((2, 6), 0, 2));
    client.machine.persisted(did.seq);
    let (_, did) = accept(client, ConnAckProperties::default());
    assert_eq!(did.names(), ["PUBLISH 1", "PUBLISH 2"]);
}

#[test]
fn messages_of_qos_0_wait_where_asked_and_are_never_recorded() {
    let mut session = recorded();
    session.queue_at_most_once(true);
    let mut client = Client::resting(connect_packet(V5), session);
    for qos in [Q0, Q1, Q0] {
        waiting(&mut client, qos);
    }
    let mut expiring = outgoing("late", Q0);
    expiring.message.properties_mut().message_expiry_interval = Some(1);
    let early = Now { wall: Wall::from_millis(client.now.wall.as_millis() - 1000), ..client.now };
    assert_eq!(client.machine.publish(early, expiring), Ok(Admitted::Queued(4)));
    let did = client.drain();
    assert!(matches!(did.records[..], [Record::Enqueued(2, _)]));
    let snapshot = client.machine.session().unwrap().snapshot();
    assert_eq!(snapshot.len(), 3, "{snapshot:?}");
    client.machine.persisted(did.seq);
    let (mut client, did) = accept(client, ConnAckProperties::default());
    assert_eq!(did.names(), ["PUBLISH 0", "PUBLISH 0", "PUBLISH 1"]);
    let expired = ReasonCode::ImplementationSpecificError;
    assert_eq!(done(&did), [(1, ReasonCode::Success), (3, ReasonCode::Success), (4, expired)]);
    client.packet(Packet::PubAck(ack(1)));
    assert_eq!(client.machine.session().unwrap().load(), (0, 0));
    // Connected, they have no position.
    assert_eq!(client.machine.publish(client.now, outgoing("x", Q0)), Ok(Admitted::Sent(None)));
}

#[test]
fn a_full_window_holds_back_no_qos_0_that_waited() {
    let mut session = recorded();
    session.queue_at_most_once(true);
    let mut client = Client::resting(connect_packet(V5), session);
    for qos in [Q1, Q1, Q0] {
        waiting(&mut client, qos);
    }
    let seq = client.drain().seq;
    client.machine.persisted(seq);
    let small = || ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..ConnAckProperties::default() };
    let (client, did) = accept(client, small());
    assert_eq!(did.names(), ["PUBLISH 0", "PUBLISH 1"]);
    let mut session = client.lose();
    session.queue_at_most_once(true);
    let mut client = Client::resting(connect_packet(V5), session);
    waiting(&mut client, Q0);
    client.drain();
    let (_, did) = accept(client, small());
    assert_eq!(did.names(), ["PUBLISH 1 again", "PUBLISH 0"]);
}

#[test]
fn only_what_was_never_sent_gives_way() {
    let mut client = Client::resting(connect_packet(V5), recorded());
    for _ in 0..4 {
        waiting(&mut client, Q1);
    }
    let seq = client.drain().seq;
    client.machine.persisted(seq);
    let one = ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..ConnAckProperties::default() };
    let (mut client, _) = accept(client, one);
    assert_eq!(client.machine.evict_oldest(), Some(2));
    assert_eq!(client.machine.evict_newest(), Some(4));
    let did = client.does();
    let way = ReasonCode::QuotaExceeded;
    assert_eq!((done(&did), did.records), (vec![(2, way), (4, way)], vec![Record::Done(2), Record::Done(4)]));
    // The server loses the session: the first waits again, and it may have arrived.
    let (mut client, _) = Client::with(client_config(connect_packet(V5)), client.lose());
    client.safe = false;
    client.maximum = None;
    let none = ConnAckProperties { maximum_qos: None, receive_maximum: NonZeroU16::new(1), ..<_>::default() };
    client.packet(connack(none));
    client.machine.handle_close();
    client.drain();
    assert_eq!(client.machine.evict_oldest(), Some(3));
    assert_eq!((client.machine.evict_oldest(), client.machine.evict_newest()), (None, None));
    assert_eq!(client.machine.session().unwrap().load(), (1, 3));
}

#[test]
fn aliases_are_chosen_as_messages_leave_and_never_before_they_are_set() {
    let published = |packet: &Packet| match packet {
        Packet::Publish(it) => {
            (it.packet_id.map_or(0, u16::from), it.topic.is_some(), it.topic_alias.map_or(0, u16::from))
        }
        other => panic!("{other:?}"),
    };
    let aliases = ConnAckProperties { topic_alias_maximum: Some(2), ..ConnAckProperties::default() };
    let mut client = Client::accepted(connect_packet(V5), aliases.clone());
    client.safe = false;
    // The first is withheld for its record; the second is not, and must set the alias itself.
    let did = client.publish("slow", Q1);
    assert!(did.sent.is_empty());
    let first = client.publish("fast", Q0);
    assert_eq!(published(&first.packet()), (0, true, 1));
    client.machine.persisted(did.seq);
    assert_eq!(published(&client.does().packet()), (1, false, 1), "recorded sessions use aliases too");
    // On the next connection nothing is set.
    let (_, did) = Client::resumed(connect_packet(V5), client.lose(), aliases);
    assert_eq!(published(&did.packet()), (1, true, 1));
    let mut client = Client::v(V3);
    assert_eq!(published(&client.publish("x", Q1).packet()), (1, true, 0));
}

#[test]
fn an_alias_does_not_make_a_packet_too_large() {
    let bare = 2 + 2 + 1 + 1 + 4;
    for (room, alias) in [(bare, 0), (bare + 3, 1)] {
        let properties = ConnAckProperties {
            topic_alias_maximum: Some(2),
            maximum_packet_size: NonZeroU32::new(room),
            ..ConnAckProperties::default()
        };
        let mut client = Client::accepted(connect_packet(V5), properties);
        let Packet::Publish(sent) = client.publish("abcd", Q0).packet() else { panic!() };
        assert_eq!(sent.topic_alias.map_or(0, u16::from), alias);
    }
}

#[test]
fn a_client_says_goodbye_with_properties_where_the_version_has_them() {
    let properties = DisconnectProperties {
        session_expiry_interval: Some(0),
        reason_string: Some("why".into()),
        user_properties: vec![("a".into(), "b".into())],
        server_reference: Some("not ours to give".into()),
    };
    let leave = |mut client: Client| {
        client.machine.disconnect(client.now, ReasonCode::DisconnectWithWillMessage, properties.clone());
        let Packet::Disconnect(sent) = client.does().packet() else { panic!() };
        sent
    };
    let sent = leave(Client::v(V5));
    assert_eq!(sent.reason, ReasonCode::DisconnectWithWillMessage);
    assert_eq!(sent.properties, DisconnectProperties { server_reference: None, ..properties.clone() });
    assert_eq!(leave(Client::v(V3)), Disconnect::new(ReasonCode::NORMAL_DISCONNECTION));
    // What is more than the server takes is left out, the expiry of 0 is not.
    let small = ConnAckProperties { maximum_packet_size: NonZeroU32::new(12), ..ConnAckProperties::default() };
    let sent = leave(Client::accepted(connect_packet(V5), small));
    assert_eq!(sent.properties.session_expiry_interval, Some(0));
    assert!(sent.properties.user_properties.is_empty());
}

#[test]
fn identifiers_do_not_leak_however_often_the_server_answers() {
    let mut client = Client::v(V5);
    for round in 0..70_000_u32 {
        let did = client.publish("x", if round % 2 == 0 { Q1 } else { Q2 });
        let Packet::Publish(sent) = did.packet() else { panic!() };
        let packet_id = sent.packet_id.unwrap().get();
        for _ in 0..2 {
            for packet in
                [Packet::PubAck(ack(packet_id)), Packet::PubRec(ack(packet_id)), Packet::PubComp(ack(packet_id))]
            {
                client.machine.handle_packet(client.now, packet);
            }
        }
        client.does();
    }
    assert!(client.machine.is_connected());
    assert_eq!(client.machine.session().unwrap().load(), (0, 0));
}

fn given_up(did: &ClientDid) -> Vec<(Position, Unsent, bool, String)> {
    let of = |event: &Event| match event {
        Event::Published { position, end: Settled::Unsent { why, maybe_sent, message }, .. } => {
            let payload = String::from_utf8(message.message().payload.to_vec()).unwrap();
            Some((*position, why.clone(), *maybe_sent, payload))
        }
        _ => None,
    };
    did.events.iter().filter_map(of).collect()
}

fn later(now: Now, seconds: u64) -> Now {
    Now { wall: Wall::from_millis(now.wall.as_millis() + seconds * 1000), ..now }
}

fn expiring(payload: &str, seconds: u32) -> client::Outgoing {
    let mut it = outgoing(payload, Q1);
    it.message.properties_mut().message_expiry_interval = Some(seconds);
    it
}

#[test]
fn a_message_that_is_not_sent_says_why_and_whether_it_may_have_been() {
    let mut client = Client::v(V5);
    client.publish("was sent", Q2);
    let mut client = Client::resting(connect_packet(V5), client.lose());
    waiting(&mut client, Q2);
    let small = ConnAckProperties { maximum_qos: Some(Q1), ..ConnAckProperties::default() };
    let limit = Unsent::Limit(RequestError::QosNotSupported { asked: Q2, maximum: Q1 });
    // The session is still there: what was sent goes on, as it did when it was sent, or is given up for good.
    let (client, did) = Client::resumed(connect_packet(V5), client.machine.take_session().unwrap(), small);
    assert_eq!(given_up(&did), [(1, limit.clone(), true, "was sent".to_owned()), (2, limit, false, "xx".to_owned())]);
    assert_eq!(client.lose().load(), (0, 0));
}

#[test]
fn what_expires_makes_room_and_its_owner_is_told() {
    let mut client = Client::resting(connect_packet(V5), recorded());
    for (payload, seconds) in [("a", 10), ("b", 5), ("c", 20)] {
        let _ = client.machine.publish(client.now, expiring(payload, seconds)).unwrap();
    }
    client.drain();
    let next = |client: &Client| client.machine.session().unwrap().next_expiry();
    assert_eq!(next(&client), Some(later(client.now, 5).wall));
    client.machine.give_up_expired(later(client.now, 4));
    client.drain().nothing();
    client.machine.give_up_expired(later(client.now, 10));
    let did = client.drain();
    let expired = |position, payload: &str| (position, Unsent::Expired, false, payload.to_owned());
    assert_eq!(given_up(&did), [expired(1, "a"), expired(2, "b")]);
    assert_eq!(did.records, [Record::Done(1), Record::Done(2)]);
    assert_eq!((client.machine.session().unwrap().load().0, next(&client)), (1, Some(later(client.now, 20).wall)));
    // From when it was made, not from when it was taken.
    let now = later(client.now, 6);
    assert_eq!(
        client.machine.publish_if(now, client.now.wall, expiring("d", 6), || panic!()),
        Err(RequestError::Expired)
    );
    assert!(client.machine.publish_if(now, client.now.wall, expiring("e", 7), || true).is_ok());
    let unwanted = client.machine.publish_if(now, client.now.wall, expiring("f", 8), || false);
    assert_eq!(unwanted, Ok(Admitted::Dropped));
    let session = client.machine.session().unwrap();
    assert_eq!((session.load().0, session.last_position()), (2, 4));
    assert_eq!([2, 3, 4].map(|position| session.unfinished_up_to(position)), [0, 1, 2]);
    assert_eq!(next(&client), Some(later(client.now, 7).wall));
}

#[test]
fn what_may_have_been_sent_is_known_after_a_lost_session_and_a_restart() {
    let mut client = Client::resting(connect_packet(V5), recorded());
    for _ in 0..3 {
        waiting(&mut client, Q1);
    }
    let mut records = client.drain().records;
    let one = ConnAckProperties { receive_maximum: NonZeroU16::new(2), ..ConnAckProperties::default() };
    let (mut client, did) = accept(client, one.clone());
    records.extend(did.records);
    client.machine.handle_close();
    records.extend(client.drain().records);
    let session = client.machine.take_session().unwrap();
    // Nothing is sent before the end, as no record gets safe.
    let (mut client, _) = Client::with(client_config(connect_packet(V5)), session);
    client.safe = false;
    records.extend(client.packet(connack(ConnAckProperties { receive_maximum: NonZeroU16::new(1), ..one })).records);
    let again = |records: Vec<Record>| Session::restore(QueueLimits::default(), records).unwrap();
    let unsent = |session: &Session| (session.last_sent(), session.unsent_weights().count());
    // The first has an identifier again; the second may have been sent, and the third was not.
    assert_eq!(unsent(&again(records.clone())), (2, 1), "{records:?}");
    let session = again(records);
    assert_eq!(unsent(&again(session.snapshot())), (2, 1));
    let mut client = Client::resting(connect_packet(V5), session);
    assert_eq!((client.machine.evict_oldest(), client.machine.evict_oldest()), (Some(3), None));
}
