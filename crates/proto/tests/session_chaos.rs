//! Any packets in any state: neither machine panics, each drains, and each answers or ends.
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
#[path = "common/strategies.rs"]
mod strategies;

use gridmq_proto::Version::{V3_1_1 as V3, V5};
use gridmq_proto::codec::Role;
use gridmq_proto::packet::*;
use gridmq_proto::session::server::{AuthDecision, Config, ConnectDecision, Event, Session};
use gridmq_proto::session::{QueueLimits, client};
use gridmq_proto::{Packet, ReasonCode, Version};
use machines::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(V3), Just(V5)]
}

/// A packet that the other side of such a connection sends, about identifiers that are in use.
fn near(version: Version, receiver: Role) -> BoxedStrategy<Packet> {
    (strategies::any_packet(version, receiver), 1..4_u16)
        .prop_map(|(mut packet, packet_id)| {
            let packet_id = id(packet_id);
            match &mut packet {
                Packet::PubAck(it) | Packet::PubRec(it) | Packet::PubRel(it) | Packet::PubComp(it) => {
                    it.packet_id = packet_id;
                }
                Packet::Publish(it) => {
                    it.packet_id = it.packet_id.map(|_| packet_id);
                    it.topic_alias = it.topic_alias.and_then(|alias| std::num::NonZeroU16::new(alias.get() % 4));
                    if it.topic_alias.is_none() {
                        it.topic.get_or_insert_with(|| gridmq_proto::TopicName::try_from("t").unwrap());
                    }
                }
                Packet::SubAck(it) => it.packet_id = packet_id,
                Packet::UnsubAck(it) => it.packet_id = packet_id,
                Packet::Auth(it) => it.properties.authentication_method = text("m"),
                _ => {}
            }
            packet
        })
        .boxed()
}

#[derive(Debug, Clone)]
enum Turn {
    Packet(Packet),
    /// The owner answers what is due, if `true` as the peer would like it.
    Answer(bool),
    Message(u8),
    Wait(u8),
}

fn turns(version: Version, receiver: Role) -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        8 => near(version, receiver).prop_map(Turn::Packet),
        4 => prop::bool::weighted(0.8).prop_map(Turn::Answer),
        2 => (0..3_u8).prop_map(Turn::Message),
        1 => any::<u8>().prop_map(Turn::Wait),
    ];
    vec(turn, 0..25)
}

fn with_turns(receiver: Role) -> impl Strategy<Value = (Version, Connect, Vec<Turn>)> {
    version().prop_flat_map(move |version| (Just(version), strategies::connect(version), turns(version, receiver)))
}

/// The server's owner.
#[derive(Default)]
struct Owner {
    due: Vec<Event>,
}

impl Owner {
    fn hears(&mut self, did: &mut ServerDid) {
        self.due.append(&mut did.events);
    }

    fn answers(&mut self, server: &mut Server, well: bool) -> ServerDid {
        let now = server.now;
        for event in self.due.drain(..) {
            let reason = if well { ReasonCode::Success } else { ReasonCode::NotAuthorized };
            match event {
                Event::Connect(connect) => {
                    let refuse = ConnectDecision::Refuse(reason.into());
                    if well {
                        let session = Session::new("c".into(), QueueLimits::default());
                        let accepted = gridmq_proto::session::server::Accepted {
                            session,
                            session_present: false,
                            expiry_interval: connect.properties.session_expiry_interval.unwrap_or(0),
                            assigned_client_id: false,
                            authentication_data: None,
                            welcome: gridmq_proto::session::server::Welcome::default(),
                        };
                        drop(server.machine.decide_connect(now, ConnectDecision::Accept(Box::new(accepted))));
                    } else {
                        drop(server.machine.decide_connect(now, refuse));
                    }
                }
                Event::Auth(_) if server.machine.is_connected() => {
                    let refuse = || AuthDecision::Refuse(reason.into());
                    let decision = if well { AuthDecision::Accept { data: None } } else { refuse() };
                    server.machine.decide_auth(now, decision);
                }
                Event::Auth(_) => drop(server.machine.decide_connect(now, ConnectDecision::Refuse(reason.into()))),
                Event::Publish(inbound) => {
                    if let Some(token) = inbound.token {
                        server.machine.complete(token, reason);
                    }
                }
                Event::Subscribe(it) => {
                    server.machine.decide_subscribe(now, vec![reason; it.filters.len()], text("words"));
                }
                Event::Unsubscribe(it) => {
                    server.machine.decide_unsubscribe(now, vec![ReasonCode::Success; it.filters.len()]);
                }
                Event::Delivered { .. } | Event::Ended { .. } => {}
            }
        }
        server.does()
    }
}

/// Whether the machine did with the packet what it has to.
fn is_dealt_with(packet: &Packet, sent: &[Packet], events: usize, ended: bool) -> bool {
    let same = |id, other: &Ack| other.packet_id == id;
    ended
        || match packet {
            Packet::PingReq => sent == [Packet::PingResp],
            Packet::PubRel(it) => sent.iter().any(|p| matches!(p, Packet::PubComp(a) if same(it.packet_id, a))),
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::Auth(_) => events == 1,
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) => events >= 1,
            Packet::Publish(it) if it.qos == Q2 => true,
            Packet::Publish(_) => events == 1,
            Packet::Disconnect(_) => false,
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_) | Packet::PingResp => true,
        }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_server_takes_anything((_, mut connect, turns) in with_turns(Role::Server), begins in prop::bool::weighted(0.9)) {
        let mut server = Server::new(Config::default());
        let mut owner = Owner::default();
        connect.properties.maximum_packet_size = None;
        let first = begins.then(|| Turn::Packet(Packet::Connect(Box::new(connect))));
        for turn in first.into_iter().chain(turns) {
            let mut did = match turn {
                Turn::Packet(packet) if server.machine.wants_input() => {
                    let did = server.packet(packet.clone());
                    let dealt = is_dealt_with(&packet, &did.sent, did.events.len(), did.end.is_some());
                    prop_assert!(dealt, "{:?} got {:?}", packet, did);
                    did
                }
                Turn::Packet(_) => continue,
                Turn::Answer(well) => owner.answers(&mut server, well),
                Turn::Message(qos) => server.deliver("x", gridmq_proto::QoS::from_u8(qos).unwrap()),
                Turn::Wait(seconds) => {
                    server.at(server.now.monotonic.as_micros() as f64 / 1e6 + f64::from(seconds))
                }
            };
            owner.hears(&mut did);
            prop_assert!(did.deadline.is_none_or(|at| at > server.now.monotonic) || did.end.is_some());
            if did.end.is_some() {
                prop_assert!(!server.machine.wants_input() && did.deadline.is_none());
            }
        }
        server.machine.handle_close();
        server.does();
        prop_assert!(!server.machine.wants_input());
    }

    #[test]
    fn a_client_takes_anything((_, mut connect, turns) in with_turns(Role::Client), begins in prop::bool::weighted(0.9)) {
        connect.properties.authentication_method = connect.properties.authentication_method.map(|_| "m".into());
        let mut client = Client::new(connect);
        let mut tokens = Vec::new();
        let first = begins.then(|| Turn::Packet(connack(ConnAckProperties::default())));
        for turn in first.into_iter().chain(turns) {
            let did = match turn {
                Turn::Packet(packet) if client.machine.wants_input() => {
                    if let Packet::ConnAck(ack) = &packet {
                        client.maximum = ack.properties.maximum_packet_size.map(u32::from);
                    }
                    let did = client.packet(packet.clone());
                    let dealt = is_dealt_with(&packet, &did.sent, did.events.len(), did.end.is_some());
                    prop_assert!(dealt, "{:?} got {:?}", packet, did);
                    did
                }
                Turn::Packet(_) => continue,
                Turn::Answer(well) => {
                    for token in tokens.drain(..) {
                        client.machine.complete(client.now, token, if well { ReasonCode::Success } else { ReasonCode::NotAuthorized });
                    }
                    client.does()
                }
                Turn::Message(qos) => {
                    let _ = client.machine.publish(client.now, outgoing("x", gridmq_proto::QoS::from_u8(qos).unwrap()));
                    client.does()
                }
                Turn::Wait(seconds) => {
                    client.at(client.now.monotonic.as_micros() as f64 / 1e6 + f64::from(seconds))
                }
            };
            if did.end.is_some() {
                prop_assert!(!client.machine.wants_input() && did.deadline.is_none());
            }
            for event in did.events {
                if let client::Event::Message(incoming) = event {
                    tokens.extend(incoming.token);
                }
            }
        }
        client.machine.handle_close();
        client.does();
        prop_assert!(client.machine.take_session().is_some());
    }
}
