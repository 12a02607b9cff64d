//! A client's session: what outlives the connection (MQTT 5.0 §4.1).

use super::Event;
use super::request::{Outgoing, RequestError};
use crate::session::Verdict;
use crate::session::inbound::{Inbound, PublishToken};
use crate::session::outbound::{Admitted, Delivery, Finished, Outbound, Peer, Position, QueueLimits};
use crate::session::outputs::Outputs;
use crate::session::record::Record;
use crate::session::replay::{self, Replayed};
use crate::time::Wall;
use crate::{PacketId, QoS};

/// A session of the client.
#[derive(Debug, Default)]
pub struct Session {
    expiry_interval: u32,
    queue_limits: QueueLimits,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
}

impl Session {
    /// An empty session.
    #[must_use]
    pub fn new(queue_limits: QueueLimits) -> Self {
        Self { queue_limits, ..Self::default() }
    }

    /// Rebuilds a session from its records, oldest first. `None`: they end with [`Record::Ended`] or are none.
    #[must_use]
    pub fn restore(queue_limits: QueueLimits, records: impl IntoIterator<Item = Record>) -> Option<Self> {
        let Replayed { expiry_interval, inbound, outbound, .. } = replay::replay(records)?;
        Some(Self { expiry_interval, queue_limits, inbound, outbound })
    }

    /// The records that rebuild this session.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = vec![Record::Started { expiry_interval: self.expiry_interval }];
        records.extend(replay::messages(&self.inbound, &self.outbound));
        records
    }

    /// Messages that wait or are unacknowledged, and the bytes that they hold.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        self.outbound.load()
    }

    /// Positions of the messages that wait or are unacknowledged, oldest first.
    #[must_use]
    pub fn unfinished(&self) -> Vec<Position> {
        self.outbound.unfinished().into_iter().map(|(position, ..)| position).collect()
    }

    const fn is_lasting(&self) -> bool {
        self.expiry_interval != 0
    }

    /// Clean Start: identifiers taken over from the server are forgotten, messages that wait are not.
    pub(super) fn forget(&mut self, out: &mut Outputs<Event>) {
        let lasting = self.is_lasting();
        self.inbound.start_over(lasting, out);
        self.outbound.start_over(lasting, out);
        self.tell_given_up(out);
    }

    fn tell_given_up(&mut self, out: &mut Outputs<Event>) {
        for Finished { position, reason } in self.outbound.take_given_up() {
            out.event(Event::Published { position, reason });
        }
    }

    pub(super) fn start(&mut self, expiry_interval: u32, present: bool, out: &mut Outputs<Event>) {
        let was_lasting = self.is_lasting();
        let changed = self.expiry_interval != expiry_interval;
        if !present {
            self.forget(out);
        }
        self.expiry_interval = expiry_interval;
        match (was_lasting, self.is_lasting()) {
            (true, false) => out.persist(Record::Ended),
            (false, true) => {
                for record in self.snapshot() {
                    out.persist(record);
                }
            }
            (true, true) if changed => out.persist(Record::Started { expiry_interval }),
            _ => {}
        }
    }

    pub(super) fn connect(&mut self, wall: Wall, peer: Peer, aliases: u16, out: &mut Outputs<Event>) {
        self.inbound.connect(peer.version);
        self.outbound.connect(peer, aliases);
        self.fill_window(wall, |_| false, out);
    }

    pub(super) fn fill_window(&mut self, wall: Wall, taken: impl Fn(PacketId) -> bool, out: &mut Outputs<Event>) {
        let lasting = self.is_lasting();
        self.outbound.fill_window(wall, lasting, taken, out);
        self.tell_given_up(out);
    }

    pub(super) fn disconnect(&mut self) {
        self.inbound.disconnect();
        self.outbound.disconnect();
    }

    pub(super) fn complete<E>(&mut self, token: PublishToken, verdict: Verdict, out: &mut Outputs<E>) {
        self.inbound.complete(token, verdict, self.is_lasting(), out);
        self.inbound.release(out);
    }

    pub(super) fn pubrel<E>(&mut self, id: PacketId, out: &mut Outputs<E>) {
        let lasting = self.is_lasting();
        self.inbound.pubrel(id, lasting, out);
    }

    pub(super) fn deliver(
        &mut self,
        wall: Wall,
        delivery: Delivery,
        taken: impl Fn(PacketId) -> bool,
        out: &mut Outputs<Event>,
    ) -> Result<Admitted, RequestError> {
        let (limits, lasting) = (self.queue_limits, self.is_lasting());
        let admitted = self.outbound.deliver(delivery, wall, limits, lasting, taken, out);
        self.tell_given_up(out);
        match admitted {
            Admitted::Full => Err(RequestError::QueueFull { messages: limits.messages, bytes: limits.bytes }),
            Admitted::Dropped => Err(RequestError::NotConnected),
            admitted => Ok(admitted),
        }
    }

    pub(super) fn lasting(&self) -> bool {
        self.is_lasting()
    }

    /// Takes a message while there is no connection.
    pub(super) fn publish(
        &mut self,
        wall: Wall,
        outgoing: Outgoing,
        out: &mut Outputs<Event>,
    ) -> Result<Admitted, RequestError> {
        if outgoing.qos == QoS::AtMostOnce {
            return Err(RequestError::NotConnected);
        }
        self.deliver(wall, outgoing.into_delivery(wall), |_| false, out)
    }
}
