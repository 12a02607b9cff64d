//! A client's session: what outlives the connection (MQTT 5.0 §4.1).

use super::request::{Outgoing, RequestError};
use crate::session::Verdict;
use crate::session::inbound::{Inbound, PublishToken};
use crate::session::outbound::{Admitted, Delivery, Outbound, Peer, Position, QueueLimits};
use crate::session::outputs::Outputs;
use crate::session::record::Record;
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
    pub(super) fn forget<E>(&mut self, out: &mut Outputs<E>) {
        let lasting = self.is_lasting();
        self.inbound = Inbound::default();
        self.outbound.start_over(lasting, out);
    }

    pub(super) fn start<E>(&mut self, expiry_interval: u32, present: bool, out: &mut Outputs<E>) {
        let was_lasting = self.is_lasting();
        let changed = self.expiry_interval != expiry_interval;
        if !present {
            for id in self.inbound.taken().into_iter().filter(|_| was_lasting) {
                out.persist(Record::Forgotten(id));
            }
            self.forget(out);
        }
        self.expiry_interval = expiry_interval;
        match (was_lasting, self.is_lasting()) {
            (true, false) => out.persist(Record::Ended),
            (false, true) => {
                out.persist(Record::Started { expiry_interval });
                for (position, delivery, _) in self.outbound.unfinished() {
                    if let Some(delivery) = delivery {
                        out.persist(Record::Enqueued(position, delivery));
                    }
                }
            }
            (true, true) if changed => out.persist(Record::Started { expiry_interval }),
            _ => {}
        }
    }

    pub(super) fn connect<E>(&mut self, wall: Wall, peer: Peer, aliases: u16, out: &mut Outputs<E>) {
        self.outbound.connect(peer, aliases);
        self.fill_window(wall, |_| false, out);
    }

    pub(super) fn fill_window<E>(&mut self, wall: Wall, taken: impl Fn(PacketId) -> bool, out: &mut Outputs<E>) {
        let lasting = self.is_lasting();
        self.outbound.fill_window(wall, lasting, taken, out);
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

    pub(super) fn deliver<E>(
        &mut self,
        wall: Wall,
        delivery: Delivery,
        taken: impl Fn(PacketId) -> bool,
        out: &mut Outputs<E>,
    ) -> Result<Admitted, RequestError> {
        let (limits, lasting) = (self.queue_limits, self.is_lasting());
        match self.outbound.deliver(delivery, wall, limits, lasting, taken, out) {
            Admitted::Full => Err(RequestError::QueueFull { messages: limits.messages, bytes: limits.bytes }),
            Admitted::Dropped => Err(RequestError::NotConnected),
            admitted => Ok(admitted),
        }
    }

    pub(super) fn lasting(&self) -> bool {
        self.is_lasting()
    }

    /// Takes a message while there is no connection.
    pub(super) fn publish<E>(
        &mut self,
        wall: Wall,
        outgoing: Outgoing,
        out: &mut Outputs<E>,
    ) -> Result<Admitted, RequestError> {
        if outgoing.qos == QoS::AtMostOnce {
            return Err(RequestError::NotConnected);
        }
        self.deliver(wall, outgoing.into_delivery(wall), |_| false, out)
    }
}
