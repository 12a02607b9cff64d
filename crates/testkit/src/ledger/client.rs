//! One client: what it keeps over its connections, as the standard wants it kept, and what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use gridmq_proto::packet::{Ack, Connect, PacketType, Publish, SubscribeOptions, Will};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};

use super::Plug;
use crate::wire::{self, Barrier, PATIENCE, Wire};

/// How often is looked whether the disk hangs.
const GLANCE: Duration = Duration::from_millis(2);

/// How a client connects.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "chosen by tests")]
pub struct Entry {
    /// The protocol's version.
    pub version: Version,
    /// Without the session of before.
    pub clean_start: bool,
    /// The session is to last for an hour.
    pub lasts: bool,
}

/// A subscription as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribed {
    Asked(QoS),
    Yes(QoS),
    Leaving,
    No,
}

/// A message of QoS 1 or 2 that this client sent and that is not done with.
#[derive(Debug, Clone)]
struct Sent {
    publish: Publish,
    /// PUBREC came.
    released: bool,
}

/// A client.
#[derive(Debug, Default)]
pub struct Client {
    name: &'static str,
    wire: Option<Wire>,
    entry: Option<Entry>,
    is_in: bool,
    /// It asked for a new session and was not answered: it asks again.
    starts_over: bool,
    /// It was told of a session that lasts, which it did not end since.
    has_session: bool,
    subscriptions: BTreeMap<String, Subscribed>,
    asked: BTreeMap<PacketId, String>,
    sent: BTreeMap<PacketId, Sent>,
    last_id: u16,
    /// QoS 2 messages that it has and that were not released.
    unreleased: BTreeSet<PacketId>,
    /// How often it got what.
    pub received: BTreeMap<String, u32>,
    /// Wills that it has to get in the end.
    pub wills_due: BTreeSet<String>,
    /// Messages that were acknowledged since this was last looked at, and whether they matched somebody.
    pub(super) acknowledged: Vec<(Publish, bool)>,
    pub(super) broken: Vec<String>,
    /// Receives and acknowledges nothing.
    pub slow: bool,
}

impl Clone for Client {
    /// The same client, connected to nothing.
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            wire: None,
            entry: self.entry,
            is_in: false,
            starts_over: self.starts_over,
            has_session: self.has_session,
            subscriptions: self.subscriptions.clone(),
            asked: BTreeMap::new(),
            sent: self.sent.clone(),
            last_id: self.last_id,
            unreleased: self.unreleased.clone(),
            received: self.received.clone(),
            wills_due: self.wills_due.clone(),
            acknowledged: Vec::new(),
            broken: Vec::new(),
            slow: self.slow,
        }
    }
}

impl Client {
    /// Whether it was let in and not hung up since.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        self.is_in
    }

    /// The QoS at which it is to get what is published there.
    pub(super) fn due(&self, topic: &str) -> Option<QoS> {
        match self.subscriptions.get(topic) {
            Some(Subscribed::Yes(qos)) => Some(*qos),
            _ => None,
        }
    }

    /// Whether it was told that it is not subscribed any more.
    pub(super) fn gave_up(&self, filter: &str) -> bool {
        self.subscriptions.get(filter) == Some(&Subscribed::No)
    }

    /// How it comes back after a start, if it has something to come back to.
    pub(super) fn returning(&self) -> Option<Entry> {
        self.entry.filter(|entry| entry.lasts).map(|entry| Entry { clean_start: self.starts_over, ..entry })
    }

    pub(super) async fn connect(&mut self, address: SocketAddr, name: &'static str, entry: Entry, will: Option<Will>) {
        self.name = name;
        self.hang_up();
        self.entry = Some(entry);
        self.starts_over |= entry.clean_start;
        if entry.clean_start {
            self.lose_session();
        }
        let mut wire = Wire::connect(address).await;
        let mut connect: Connect = wire::connect(name, entry.version);
        connect.clean_start = entry.clean_start;
        connect.will = will.map(Box::new);
        if entry.lasts && entry.version.is_v5() {
            connect.properties.session_expiry_interval = Some(3600);
        }
        wire.send(connect).await;
        self.wire = Some(wire);
    }

    /// What it had it gives up: nothing of it may come back once that is acknowledged.
    fn lose_session(&mut self) {
        self.has_session = false;
        self.subscriptions.clear();
        self.sent.clear();
        self.unreleased.clear();
    }

    pub(super) fn hang_up(&mut self) {
        (self.wire, self.is_in) = (None, false);
        self.asked.clear();
    }

    pub(super) async fn end(&mut self) {
        let wire = self.wire.take().filter(|_| self.is_in);
        self.lose_session();
        self.entry = None;
        self.hang_up();
        if let Some(mut wire) = wire {
            wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
        }
    }

    fn next_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last_id).unwrap_or(PacketId::MIN);
            if !self.sent.contains_key(&id) {
                return id;
            }
        }
    }

    pub(super) async fn subscribe(&mut self, filter: &str, qos: QoS) {
        let id = self.next_id();
        let Some(wire) = self.wire.as_mut().filter(|_| self.is_in) else { return };
        wire.send(wire::subscribe(id, &[(filter, SubscribeOptions { qos, ..SubscribeOptions::default() })], None))
            .await;
        self.asked.insert(id, filter.to_owned());
        self.subscriptions.insert(filter.to_owned(), Subscribed::Asked(qos));
    }

    pub(super) async fn unsubscribe(&mut self, filter: &str) {
        let id = self.next_id();
        let Some(wire) = self.wire.as_mut().filter(|_| self.is_in) else { return };
        wire.send(wire::unsubscribe(id, &[filter])).await;
        self.asked.insert(id, filter.to_owned());
        self.subscriptions.insert(filter.to_owned(), Subscribed::Leaving);
    }

    pub(super) async fn publish(&mut self, mut publish: Publish) {
        let id = self.next_id();
        let Some(wire) = self.wire.as_mut().filter(|_| self.is_in) else { return };
        publish.packet_id = Some(id);
        self.sent.insert(id, Sent { publish: publish.clone(), released: false });
        wire.send(publish).await;
    }

    /// Nothing that it waits for is missing.
    fn is_settled(&self) -> bool {
        self.wire.is_none() || self.is_in && self.asked.is_empty() && self.sent.is_empty()
    }

    pub(super) async fn settle(&mut self, plug: &Plug) {
        let mut waited = Duration::ZERO;
        while !self.is_settled() && !plug.hangs() {
            if !self.read(GLANCE).await {
                waited += GLANCE;
                assert!(waited < PATIENCE, "{} waits: {self:?}", self.name);
            }
        }
        if plug.hangs() && self.is_in && self.wire.is_some() {
            self.ping().await;
        }
    }

    /// Reads up to the answer to a PINGREQ.
    async fn ping(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.send(Packet::PingReq).await;
        }
        while let Some(wire) = &mut self.wire {
            match wire.next().await {
                Some(Packet::PingResp) => return,
                Some(packet) => self.handle(packet).await,
                None => self.hang_up(),
            }
        }
    }

    /// Reads one packet. `false`: none came.
    async fn read(&mut self, patience: Duration) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        match tokio::time::timeout(patience, wire.next()).await {
            Ok(Some(packet)) => self.handle(packet).await,
            Ok(None) => self.hang_up(),
            Err(_) => return false,
        }
        true
    }

    pub(super) async fn read_out(&mut self) {
        while let Some(wire) = &mut self.wire {
            match wire.next().await {
                Some(packet) => self.handle(packet).await,
                None => self.hang_up(),
            }
        }
    }

    /// Reads everything that is on its way to it.
    pub(super) async fn pass(&mut self, barrier: &mut Barrier) {
        let Some(wire) = &mut self.wire else { return };
        for packet in barrier.pass(wire).await {
            self.handle(packet).await;
        }
    }

    async fn handle(&mut self, packet: Packet) {
        match packet {
            Packet::ConnAck(ack) => return self.welcomed(ack.reason, ack.session_present).await,
            Packet::SubAck(ack) => {
                let asked = self.asked.remove(&ack.packet_id);
                let Some(state) = asked.and_then(|filter| self.subscriptions.get_mut(&filter)) else { return };
                if let (Subscribed::Asked(qos), false) = (*state, ack.reasons.iter().any(|reason| reason.is_failure()))
                {
                    *state = Subscribed::Yes(qos);
                }
            }
            Packet::UnsubAck(ack) => {
                if let Some(filter) = self.asked.remove(&ack.packet_id) {
                    self.subscriptions.insert(filter, Subscribed::No);
                }
            }
            Packet::PubAck(ack) => self.told(&ack, true),
            Packet::PubRec(ack) => {
                self.told(&ack, ack.reason.is_failure());
                if !ack.reason.is_failure() {
                    self.answer(Packet::PubRel, ack.packet_id).await;
                }
            }
            Packet::PubComp(ack) => {
                self.sent.remove(&ack.packet_id);
            }
            Packet::Publish(publish) => self.got(publish).await,
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.answer(Packet::PubComp, ack.packet_id).await;
            }
            _ => {}
        }
    }

    async fn answer(&mut self, packet: fn(Ack) -> Packet, id: PacketId) {
        if let Some(wire) = self.wire.as_mut().filter(|_| !self.slow) {
            wire.send(packet(Ack::new(id, ReasonCode::Success))).await;
        }
    }

    async fn welcomed(&mut self, reason: ReasonCode, present: bool) {
        if reason != ReasonCode::Success {
            return self.hang_up();
        }
        (self.is_in, self.starts_over) = (true, false);
        if self.has_session && !present {
            self.broken.push("its session has gone".to_owned());
        }
        let entry = self.entry;
        self.has_session = entry.is_some_and(|entry| entry.lasts);
        if !present {
            self.lose_session();
            self.has_session = entry.is_some_and(|entry| entry.lasts);
            return;
        }
        for (id, Sent { publish, released }) in self.sent.clone() {
            if released {
                self.answer(Packet::PubRel, id).await;
            } else if let Some(wire) = &mut self.wire {
                wire.send(Publish { dup: true, ..publish }).await;
            }
        }
    }

    /// PUBACK or PUBREC; `ends`: the exchange is over.
    fn told(&mut self, ack: &Ack, ends: bool) {
        let Some(sent) = self.sent.get_mut(&ack.packet_id) else { return };
        if !ack.reason.is_failure() && !sent.released {
            let matched = ack.reason != ReasonCode::NoMatchingSubscribers;
            self.acknowledged.push((sent.publish.clone(), matched));
        }
        sent.released = true;
        if ends {
            self.sent.remove(&ack.packet_id);
        }
    }

    async fn got(&mut self, publish: Publish) {
        let Some(id) = publish.packet_id else { return };
        let what = format!("{} {}", wire::topic_of(&publish), wire::payload_of(&publish));
        let packet = if publish.qos == QoS::ExactlyOnce { PacketType::PubRec } else { PacketType::PubAck };
        if packet == PacketType::PubAck || self.unreleased.insert(id) {
            *self.received.entry(what).or_default() += 1;
        }
        let answer = if packet == PacketType::PubRec { Packet::PubRec } else { Packet::PubAck };
        self.answer(answer, id).await;
    }
}

/// What is retained under `r/`, by topic.
pub(super) async fn retained(address: SocketAddr) -> BTreeMap<String, String> {
    let mut wire = Wire::join(address, "reader", Version::V5).await;
    wire.subscribe("r/#", QoS::AtMostOnce).await;
    let mut found = BTreeMap::new();
    for packet in wire.ping_barrier().await {
        if let Packet::Publish(publish) = packet {
            found.insert(wire::topic_of(&publish).to_owned(), wire::payload_of(&publish));
        }
    }
    wire.leave().await;
    found
}
