//! A client's end of a connection: what came, what is due, and whether the broker may do what it does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};

use bytes::BytesMut;
use gridmq_proto::codec::Decoder;
use gridmq_proto::packet::{Ack, Connect, Publish};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, TopicName, Version};

use super::ledger::Ledger;
use crate::worker::ConnKey;

/// Packets that a peer remembers to answer.
const UNANSWERED: usize = 200;

/// What was published under an identifier and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Message(usize),
    /// The broker cannot know either which of several.
    Unclear,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) key: Option<ConnKey>,
    /// Tells connections apart.
    pub(super) number: u64,
    /// Sent, and not taken yet.
    pub(super) incoming: BytesMut,
    /// To be sent with what comes next.
    pub(super) held_back: Vec<u8>,
    /// It does not read.
    pub(super) stalled: bool,
    /// It has sent what no packet is: nobody knows what the broker makes of it.
    wild: bool,
    pub(super) version: Option<Version>,
    /// `None`: it is not known what the broker takes the peer for.
    decoder: Option<Decoder>,
    received: BytesMut,
    pub(super) unanswered: VecDeque<Packet>,
    receive_maximum: usize,
    alias_maximum: u16,
    aliases: BTreeMap<NonZeroU16, TopicName>,
    /// The session was new.
    fresh: bool,
    begun: bool,
    ended: bool,
    /// Identifiers of the broker's that are not free.
    taken: BTreeSet<PacketId>,
    /// Those that the client has acknowledged before they came.
    foreseen: BTreeSet<PacketId>,
    due: BTreeMap<PacketId, Due>,
    /// Own identifiers of QoS 2 that are not released.
    unreleased: BTreeSet<PacketId>,
}

impl Peer {
    pub(super) fn new(key: ConnKey, number: u64) -> Self {
        Self { key: Some(key), number, ..Self::default() }
    }

    /// What a CONNECT says of the client.
    pub(super) fn introduced(&mut self, connect: &Connect) {
        let said = &connect.properties;
        self.version = Some(connect.version);
        let maximum = said.maximum_packet_size.map_or(u32::MAX, NonZeroU32::get);
        self.decoder = Some(Decoder::for_client(connect.version, maximum));
        self.receive_maximum = usize::from(said.receive_maximum.map_or(u16::MAX, NonZeroU16::get));
        self.alias_maximum = said.topic_alias_maximum.unwrap_or(0);
    }

    /// It sends what may be anything.
    pub(super) fn goes_wild(&mut self) {
        self.wild = true;
        if self.version.is_none() {
            self.decoder = None;
        }
    }

    /// It sends a packet; `number`: the message in it; `late`: not all of it now, or before all that was written to it was seen.
    pub(super) fn sends(&mut self, packet: &Packet, number: Option<usize>, late: bool) {
        match packet {
            Packet::Publish(Publish { packet_id: Some(id), qos, .. }) => {
                let busy = self.due.contains_key(id) || self.unreleased.contains(id);
                let due = number.filter(|_| !busy && !self.wild).map_or(Due::Unclear, Due::Message);
                self.due.insert(*id, due);
                if *qos == QoS::ExactlyOnce {
                    self.unreleased.insert(*id);
                }
            }
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                if let Some(due) = self.due.get_mut(&ack.packet_id) {
                    *due = Due::Unclear;
                }
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => self.gives_back(ack.packet_id, late),
            Packet::PubRec(ack) if ack.reason.is_failure() => self.gives_back(ack.packet_id, late),
            _ => {}
        }
    }

    /// It acknowledges for good what the broker sent.
    fn gives_back(&mut self, id: PacketId, late: bool) {
        let unread = late || self.stalled || !self.begun || !self.incoming.is_empty() || !self.held_back.is_empty();
        if !self.taken.remove(&id) && unread {
            // It answers what it has not seen yet, and the broker may take it for an answer.
            self.foreseen.insert(id);
        }
    }

    /// Whether a publish of its own is not answered.
    pub(super) fn waits(&self) -> bool {
        !self.due.is_empty()
    }

    /// What the broker sends is what a server may send.
    pub(super) fn take(&mut self, bytes: &[u8], ledger: &mut Ledger) {
        let Some(decoder) = &mut self.decoder else { return };
        self.received.extend_from_slice(bytes);
        let mut came = Vec::new();
        loop {
            match decoder.decode(&mut self.received) {
                Ok(Some(packet)) => came.push(packet),
                Ok(None) => break,
                Err(violation) => panic!("the broker broke the protocol: {violation}"),
            }
        }
        for mut packet in came {
            if !self.wild {
                self.check(&mut packet, ledger);
            }
            if self.unanswered.len() < UNANSWERED {
                self.unanswered.push_back(packet);
            }
        }
    }

    fn check(&mut self, packet: &mut Packet, ledger: &mut Ledger) {
        assert!(!self.ended, "after the end came {packet:?}");
        let first = !std::mem::replace(&mut self.begun, true);
        match packet {
            Packet::ConnAck(ack) => {
                assert!(first, "a second CONNACK");
                self.fresh = !ack.session_present;
                self.ended = ack.reason.is_failure();
            }
            // [MQTT-3.2.0-1]
            _ if first => assert!(matches!(packet, Packet::Auth(_)), "before CONNACK came {packet:?}"),
            Packet::Publish(publish) => self.check_publish(publish),
            Packet::PubAck(ack) => self.settled(ack, QoS::AtLeastOnce, ledger),
            Packet::PubRec(ack) => self.settled(ack, QoS::ExactlyOnce, ledger),
            Packet::Disconnect(_) => self.ended = true,
            _ => {}
        }
    }

    fn check_publish(&mut self, publish: &mut Publish) {
        if let Some(alias) = publish.topic_alias {
            // [MQTT-3.1.2-26]
            assert!(alias.get() <= self.alias_maximum, "topic alias {alias} of {}", self.alias_maximum);
            match &publish.topic {
                Some(topic) => drop(self.aliases.insert(alias, topic.clone())),
                None => publish.topic = self.aliases.get(&alias).cloned(),
            }
        }
        assert!(publish.topic.is_some(), "a PUBLISH without a topic");
        if let Some(id) = publish.packet_id.filter(|id| !self.foreseen.contains(id)) {
            // [MQTT-2.2.1-4]
            assert!(self.taken.insert(id), "identifier {id} is in use: {publish:?}");
            // [MQTT-3.3.4-9]
            let taken = self.taken.len();
            assert!(taken <= self.receive_maximum, "{taken} under way, {} allowed", self.receive_maximum);
        }
    }

    /// The broker's answer to a publish.
    fn settled(&mut self, ack: &Ack, qos: QoS, ledger: &mut Ledger) {
        let Some(due) = self.due.remove(&ack.packet_id) else {
            // A repetition of one of the connection before, or the answer to one of several.
            return;
        };
        if ack.reason.is_failure() {
            self.unreleased.remove(&ack.packet_id);
        }
        // An identifier of QoS 2 of the connection before is not free, and what is published under it is no message.
        let known = qos == QoS::AtLeastOnce || self.fresh;
        match due {
            Due::Message(number) if known && !ack.reason.is_failure() => {
                let nobody = ack.reason == ReasonCode::NoMatchingSubscribers;
                assert!(!(nobody && ledger.is_for_keeper(number)), "the keeper is nobody");
                ledger.acknowledged(number);
            }
            Due::Message(_) => {}
            Due::Unclear => drop(self.due.insert(ack.packet_id, Due::Unclear)),
        }
    }
}

/// What a client answers.
pub(super) fn answer_to(packet: &Packet) -> Option<Packet> {
    let success = |id| Ack::new(id, ReasonCode::Success);
    Some(match packet {
        Packet::Publish(Publish { packet_id: Some(id), qos: QoS::AtLeastOnce, .. }) => Packet::PubAck(success(*id)),
        Packet::Publish(Publish { packet_id: Some(id), .. }) => Packet::PubRec(success(*id)),
        Packet::PubRec(ack) if !ack.reason.is_failure() => Packet::PubRel(success(ack.packet_id)),
        Packet::PubRel(ack) => Packet::PubComp(success(ack.packet_id)),
        _ => return None,
    })
}
