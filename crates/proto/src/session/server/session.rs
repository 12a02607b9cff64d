//! A server's session: what outlives the connection (MQTT 5.0 §4.1). A plain value that can move between threads.

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::Event;
use crate::message::SubscriptionId;
use crate::packet::SubscribeOptions;
use crate::session::Verdict;
use crate::session::inbound::{Arrival, Inbound, PublishToken};
use crate::session::outbound::{Admitted, Delivery, Finished, Outbound, Peer, QueueLimits};
use crate::session::outputs::{Output, Outputs};
use crate::session::record::Record;
use crate::session::replay::{self, Replayed};
use crate::time::Wall;
use crate::{PacketId, QoS, SubscriptionFilter};

/// How a subscription delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Subscription {
    /// QoS granted and the other options.
    pub options: SubscribeOptions,
    /// Sent with every message that it matches.
    pub identifier: Option<SubscriptionId>,
}

/// A session of the server.
#[derive(Debug)]
pub struct Session {
    client_id: ByteString,
    expiry_interval: u32,
    queue_limits: QueueLimits,
    subscriptions: BTreeMap<SubscriptionFilter, Subscription>,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
}

impl Session {
    /// An empty session.
    #[must_use]
    pub fn new(client_id: ByteString, queue_limits: QueueLimits) -> Self {
        Self {
            client_id,
            expiry_interval: 0,
            queue_limits,
            subscriptions: BTreeMap::new(),
            inbound: Inbound::default(),
            outbound: Outbound::default(),
        }
    }

    /// Rebuilds a session from its records, oldest first. `None`: they end with [`Record::Ended`] or are none.
    #[must_use]
    pub fn restore(
        client_id: ByteString,
        queue_limits: QueueLimits,
        records: impl IntoIterator<Item = Record>,
    ) -> Option<Self> {
        let Replayed { expiry_interval, subscriptions, inbound, outbound } = replay::replay(records)?;
        Some(Self { client_id, expiry_interval, queue_limits, subscriptions, inbound, outbound })
    }

    /// The records that rebuild this session.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = vec![Record::Started { expiry_interval: self.expiry_interval }];
        records.extend(self.subscriptions.iter().map(|(filter, &how)| Record::Subscribed(filter.clone(), how)));
        records.extend(replay::messages(&self.inbound, &self.outbound));
        records
    }

    /// Its name.
    #[must_use]
    pub const fn client_id(&self) -> &ByteString {
        &self.client_id
    }

    /// Seconds that it outlives its connection; `u32::MAX` for ever.
    #[must_use]
    pub const fn expiry_interval(&self) -> u32 {
        self.expiry_interval
    }

    /// Its subscriptions, by filter.
    #[must_use]
    pub const fn subscriptions(&self) -> &BTreeMap<SubscriptionFilter, Subscription> {
        &self.subscriptions
    }

    /// Messages that wait or are unacknowledged, and the bytes that they hold.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        self.outbound.load()
    }

    /// Messages that were sent and are not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.outbound.in_flight()
    }

    /// An empty session in the place of this one. It uses none of its tokens again, so that a late verdict on a publish
    /// of this one completes none of the other.
    #[must_use]
    pub fn successor(&self) -> Self {
        let mut session = Self::new(self.client_id.clone(), self.queue_limits);
        session.inbound = self.inbound.successor();
        session
    }

    /// How much may wait.
    #[must_use]
    pub const fn queue_limits(&self) -> QueueLimits {
        self.queue_limits
    }

    /// Sets how much may wait.
    pub const fn set_queue_limits(&mut self, limits: QueueLimits) {
        self.queue_limits = limits;
    }

    /// Takes a message while no connection is there. Records to be stored go to `records`.
    pub fn deliver(&mut self, wall: Wall, delivery: Delivery, records: impl FnMut(Record)) -> Admitted {
        self.offline(records, |session, out| session.deliver_into(wall, delivery, out))
    }

    /// As [`Connection::complete`](super::Connection::complete), when the connection is gone.
    pub fn complete_offline(&mut self, token: PublishToken, verdict: impl Into<Verdict>, records: impl FnMut(Record)) {
        let verdict = verdict.into();
        self.offline(records, |session, out| session.complete(token, verdict, out));
    }

    /// Whether a verdict on that QoS 2 message is due. Later it changes nothing.
    #[must_use]
    pub fn awaits(&self, token: PublishToken) -> bool {
        self.inbound.awaits(token)
    }

    /// Makes a subscription while no connection is there, or changes one.
    pub fn add_subscription(&mut self, filter: SubscriptionFilter, how: Subscription, records: impl FnMut(Record)) {
        self.offline(records, |session, out| session.subscribe(filter, how, out));
    }

    /// Gives a subscription up while no connection is there.
    pub fn drop_subscription(&mut self, filter: &SubscriptionFilter, records: impl FnMut(Record)) {
        self.offline(records, |session, out| session.unsubscribe(filter, out));
    }

    /// As [`Connection::take_out`](super::Connection::take_out), when the connection is gone.
    pub fn take_out_offline(
        &mut self,
        choose: impl Fn(&Delivery) -> bool,
        records: impl FnMut(Record),
    ) -> Vec<Delivery> {
        self.offline(records, |session, out| session.take_out(choose, out))
    }

    /// Drops waiting messages that have expired; answers how many.
    pub fn drop_expired(&mut self, wall: Wall, records: impl FnMut(Record)) -> usize {
        let lasting = self.is_lasting();
        self.offline(records, |session, out| session.outbound.drop_expired(wall, lasting, out))
    }

    fn offline<T>(
        &mut self,
        mut records: impl FnMut(Record),
        change: impl FnOnce(&mut Self, &mut Outputs<Event>) -> T,
    ) -> T {
        let mut out = Outputs::default();
        let answer = change(self, &mut out);
        while let Some(output) = out.pop() {
            if let Output::Persist(record, _) = output {
                records(record);
            }
        }
        answer
    }

    pub(super) const fn is_lasting(&self) -> bool {
        self.expiry_interval != 0
    }

    pub(super) fn start<E>(&mut self, expiry_interval: u32, out: &mut Outputs<E>) {
        let was_lasting = self.is_lasting();
        self.expiry_interval = expiry_interval;
        if self.is_lasting() && !was_lasting {
            // It was not stored until now, or only up to its last connection: store what it holds.
            for record in self.snapshot() {
                out.persist(record);
            }
        } else if self.is_lasting() {
            // Stored as it is or not: what is said of it waits for everything that an earlier connection stored.
            out.persist(Record::Started { expiry_interval });
        } else if was_lasting && !self.is_lasting() {
            out.persist(Record::Ended);
        }
    }

    pub(super) fn connect(&mut self, wall: Wall, peer: Peer, aliases: u16, out: &mut Outputs<Event>) {
        self.inbound.connect(peer.version);
        self.outbound.set_eager(true);
        self.outbound.connect(peer, aliases);
        self.fill_window(wall, out);
    }

    pub(super) fn disconnect(&mut self) {
        self.inbound.disconnect();
        self.outbound.disconnect();
    }

    pub(super) fn fill_window(&mut self, wall: Wall, out: &mut Outputs<Event>) {
        let lasting = self.is_lasting();
        self.outbound.fill_window(wall, lasting, |_| false, out);
        self.tell_given_up(out);
    }

    fn tell_given_up(&mut self, out: &mut Outputs<Event>) {
        for Finished { position, end, .. } in self.outbound.take_given_up() {
            out.event(Event::Delivered { position, reason: end.reason() });
        }
    }

    pub(super) fn arrive(&mut self, qos: QoS, id: Option<PacketId>, maximum: usize) -> Arrival {
        self.inbound.arrive(qos, id, maximum)
    }

    pub(super) fn complete<E>(&mut self, token: PublishToken, verdict: Verdict, out: &mut Outputs<E>) {
        self.inbound.complete(token, verdict.into(), self.is_lasting(), out);
        self.inbound.release(out);
    }

    pub(super) fn deliver_into(&mut self, wall: Wall, delivery: Delivery, out: &mut Outputs<Event>) -> Admitted {
        let (limits, lasting) = (self.queue_limits, self.is_lasting());
        let admitted = self.outbound.deliver(delivery, wall, limits, lasting, |_| false, out);
        self.tell_given_up(out);
        admitted
    }

    pub(super) fn subscribe<E>(&mut self, filter: SubscriptionFilter, how: Subscription, out: &mut Outputs<E>) {
        if self.is_lasting() {
            out.persist(Record::Subscribed(filter.clone(), how));
        }
        self.subscriptions.insert(filter, how);
    }

    pub(super) fn unsubscribe<E>(&mut self, filter: &SubscriptionFilter, out: &mut Outputs<E>) {
        if self.subscriptions.remove(filter).is_some() && self.is_lasting() {
            out.persist(Record::Unsubscribed(filter.clone()));
        }
    }

    pub(super) fn take_out<E>(&mut self, choose: impl Fn(&Delivery) -> bool, out: &mut Outputs<E>) -> Vec<Delivery> {
        let lasting = self.is_lasting();
        self.outbound.take_out(choose, lasting, out)
    }
}
