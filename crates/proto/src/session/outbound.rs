//! What this side publishes: packet identifiers, the peer's receive window, the queue behind it, and resumption.

mod delivery;
mod resuming;
mod settled;
mod waiting;

use std::collections::VecDeque;
use std::num::NonZeroU16;

pub(crate) use self::delivery::Peer;
use self::delivery::outgoing;
pub use self::delivery::{Admitted, Delivery, Position, QueueLimits};
pub(crate) use self::settled::Finished;
use self::settled::Received;
pub use self::settled::{Settled, Unsent};
use super::Record;
use super::alias::OutboundAliases;
use super::by_id::ById;
use super::outputs::{Output, Outputs, Seq};
use crate::packet::Ack;
use crate::time::Wall;
use crate::{OutgoingPublish, Packet, PacketId, QoS, ReasonCode};

/// What a topic alias adds to a PUBLISH at most, in bytes.
const ALIAS_BYTES: usize = 3;

/// A message with an identifier.
#[derive(Debug, Clone)]
struct InFlight {
    position: Position,
    /// Absent once QoS 2 was received by the peer and PUBREL is due.
    delivery: Option<Delivery>,
    weight: usize,
    received: Received,
    /// It is still to be sent again on this connection.
    resend: bool,
}

/// Outbound session state.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    last_position: Position,
    last_id: u16,
    in_flight: ById<InFlight>,
    /// In the order of positions.
    queue: VecDeque<(Position, Delivery)>,
    /// How many in the queue are of QoS 0, and whether any may be.
    plain: usize,
    queues_plain: bool,
    /// Whether QoS 1 is sent before its record is safe: who published it has no acknowledgement until then, so that a
    /// loss of the record only repeats it.
    eager: bool,
    /// Nothing in the queue expires earlier; absent: nothing does.
    next_expiry: Option<Wall>,
    /// The last position that was given an identifier: messages up to it may have been sent.
    last_sent: Position,
    /// The last record of earlier connections: what they sent is only sent again once that is safe.
    earlier: Seq,
    bytes: usize,
    /// In flight on this connection: sent and not acknowledged (MQTT 5.0 §4.9).
    sent: usize,
    /// In flight from an earlier connection, oldest first. Those that are acknowledged before their turn stay in here.
    resend: VecDeque<PacketId>,
    peer: Option<Peer>,
    aliases: OutboundAliases,
    /// Done with, and not by a word of the peer; the owner is still to be told.
    given_up: Vec<Finished>,
}

impl Outbound {
    /// A connection is there. What was in flight is sent again first [MQTT-4.4.0-1], in order [MQTT-4.6.0-1].
    pub(crate) fn connect(&mut self, peer: Peer, alias_maximum: u16) {
        self.peer = Some(peer);
        self.aliases = OutboundAliases::new(alias_maximum);
        self.sent = 0;
        let mut ids: Vec<_> = Vec::with_capacity(self.in_flight.len());
        for (&id, flight) in &mut self.in_flight {
            flight.resend = true;
            ids.push((flight.position, id));
        }
        // All sorting here is by position with a cached key: one instance of it in the binary.
        ids.sort_by_cached_key(|&(position, _)| position);
        self.resend = ids.into_iter().map(|(_, id)| id).collect();
    }

    /// The connection is gone.
    pub(crate) fn disconnect(&mut self) {
        self.peer = None;
        self.resend.clear();
        self.sent = 0;
        self.aliases = OutboundAliases::default();
    }

    /// Messages that wait or are in flight, and the bytes that they hold.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.queue.len() + self.in_flight.len(), self.bytes)
    }

    /// How many messages up to that position wait or are in flight. It looks at all that are.
    pub(crate) fn unfinished_up_to(&self, last: Position) -> usize {
        let in_flight = self.in_flight.values().filter(|flight| flight.position <= last).count();
        in_flight + self.queue.partition_point(|&(position, _)| position <= last)
    }

    /// Messages that have an identifier.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The last record that was asked for before this connection, where numbers go on.
    pub(crate) const fn set_earlier(&mut self, earlier: Seq) {
        self.earlier = earlier;
    }

    /// Whether messages of QoS 0 may wait for a connection.
    pub(crate) const fn set_queues_plain(&mut self, queues: bool) {
        self.queues_plain = queues;
    }

    /// Whether QoS 1 is sent before its record is safe.
    pub(crate) const fn set_eager(&mut self, eager: bool) {
        self.eager = eager;
    }

    /// The last position that was used; 0: none.
    pub(crate) const fn last_position(&self) -> Position {
        self.last_position
    }

    /// The last position that was given an identifier; 0: none.
    pub(crate) const fn last_sent(&self) -> Position {
        self.last_sent
    }

    /// Positions up to `position` have been used.
    pub(crate) fn skip_positions(&mut self, position: Position) {
        self.last_position = self.last_position.max(position);
    }

    fn next_position(&mut self) -> Position {
        self.last_position += 1;
        self.last_position
    }

    /// The next identifier that neither an unacknowledged PUBLISH nor `taken` uses [MQTT-2.2.1-3], [MQTT-2.2.1-4].
    pub(crate) fn allocate(&mut self, taken: impl Fn(PacketId) -> bool) -> Option<PacketId> {
        for _ in 0..u16::MAX {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = NonZeroU16::new(self.last_id)?;
            if !self.in_flight.contains_key(&id) && !taken(id) {
                return Some(id);
            }
        }
        None
    }

    /// Whether a message of that QoS could only be dropped.
    pub(crate) fn drops(&self, qos: QoS) -> bool {
        qos == QoS::AtMostOnce && self.peer.is_none() && !self.queues_plain
    }

    /// Takes a message. `lasting`: the session outlives its connection, so what it takes is recorded.
    pub(crate) fn deliver<E>(
        &mut self,
        delivery: Delivery,
        wall: Wall,
        limits: QueueLimits,
        lasting: bool,
        taken: impl Fn(PacketId) -> bool,
        out: &mut Outputs<E>,
    ) -> Admitted {
        if delivery.qos == QoS::AtMostOnce {
            if let Some(peer) = self.peer {
                if !delivery.expired(wall) && peer.refuses(&delivery).is_none() {
                    self.send(&delivery, None, wall, false, out);
                }
                return Admitted::Sent(None);
            }
            if self.drops(delivery.qos) {
                return Admitted::Dropped;
            }
        }
        if self.window_is_open() && self.queue.is_empty() {
            let position = self.next_position();
            if lasting {
                out.persist(Record::Enqueued(position, delivery.clone()));
            }
            self.queue_up(position, delivery);
            self.fill_window(wall, lasting, taken, out);
            return Admitted::Sent(Some(position));
        }
        if self.queue.len() >= limits.messages || self.bytes.saturating_add(delivery.message.weight()) > limits.bytes {
            return Admitted::Full;
        }
        let position = self.next_position();
        if lasting && delivery.qos != QoS::AtMostOnce {
            out.persist(Record::Enqueued(position, delivery.clone()));
        }
        self.queue_up(position, delivery);
        Admitted::Queued(position)
    }

    fn window_is_open(&self) -> bool {
        self.resend.is_empty() && self.peer.is_some_and(|peer| self.sent < usize::from(peer.window))
    }

    /// Sends what the peer's window has room for: first what is sent again, then what waits; messages of QoS 0 need
    /// none.
    pub(crate) fn fill_window<E>(
        &mut self,
        wall: Wall,
        lasting: bool,
        taken: impl Fn(PacketId) -> bool,
        out: &mut Outputs<E>,
    ) {
        let Some(peer) = self.peer else { return };
        let window = usize::from(peer.window);
        while let Some(id) = self.resend.pop_front_if(|_| self.sent < window) {
            self.send_again(id, peer, wall, lasting, out);
        }
        self.send_plain(peer, wall, out);
        while self.sent < window {
            let Some((position, delivery)) = self.queue.pop_front() else { return };
            if let Some(why) = refused(peer, &delivery, wall) {
                self.left_queue(&delivery);
                if lasting {
                    out.persist(Record::Done(position));
                }
                self.give_up(position, delivery, why, position <= self.last_sent);
                continue;
            }
            let Some(id) = self.allocate(&taken) else {
                self.queue.push_front((position, delivery));
                return;
            };
            if lasting {
                out.persist(Record::Sent(position, id));
            }
            self.send(&delivery, Some(id), wall, lasting, out);
            self.sent += 1;
            self.last_sent = self.last_sent.max(position);
            let weight = delivery.message.weight();
            let received = Received::default();
            self.in_flight.insert(id, InFlight { position, delivery: Some(delivery), weight, received, resend: false });
        }
    }

    /// Sends the messages of QoS 0 that have waited for a connection.
    fn send_plain<E>(&mut self, peer: Peer, wall: Wall, out: &mut Outputs<E>) {
        if self.plain == 0 {
            return;
        }
        let (plain, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(|(_, delivery)| delivery.qos == QoS::AtMostOnce);
        self.queue = kept;
        for (position, delivery) in plain {
            self.left_queue(&delivery);
            if let Some(why) = refused(peer, &delivery, wall) {
                self.give_up(position, delivery, why, false);
                continue;
            }
            self.send(&delivery, None, wall, false, out);
            self.given_up.push(Finished { position, qos: QoS::AtMostOnce, end: Settled::TAKEN });
        }
    }

    fn send_again<E>(&mut self, id: PacketId, peer: Peer, wall: Wall, lasting: bool, out: &mut Outputs<E>) {
        let Some(flight) = self.in_flight.get_mut(&id).filter(|flight| flight.resend) else { return };
        flight.resend = false;
        self.sent += 1;
        let Some(delivery) = flight.delivery.clone() else {
            return out.push_after_records(Output::Send(Packet::PubRel(Ack::new(id, ReasonCode::Success))));
        };
        match peer.refuses(&delivery) {
            // The peer now takes less than it did; the message counts as sent [MQTT-3.1.2-25].
            Some(limit) => {
                if let Some(InFlight { position, .. }) = self.remove(id, lasting, out) {
                    self.give_up(position, delivery, Unsent::Limit(limit), true);
                }
            }
            None => {
                let publish = outgoing(&delivery, Some(id), true, left(&delivery, wall));
                out.push_once_safe(self.earlier, Output::Publish(publish));
            }
        }
    }

    /// Messages given up since the last call.
    pub(crate) fn take_given_up(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.given_up)
    }

    fn send<E>(&self, delivery: &Delivery, id: Option<PacketId>, wall: Wall, lasting: bool, out: &mut Outputs<E>) {
        let publish = Output::Publish(outgoing(delivery, id, false, left(delivery, wall)));
        if !lasting {
            out.push(publish);
        } else if self.eager && delivery.qos == QoS::AtLeastOnce {
            out.push_in_order(publish);
        } else {
            // The peer keeps the identifier of a QoS 2 message: this side must know it as well.
            out.push_after_records(publish);
        }
    }

    /// Chooses the topic alias of a message that leaves the machine now: what was withheld must not use an alias before
    /// it is set.
    pub(crate) fn choose_alias(&mut self, publish: &mut OutgoingPublish) {
        let Some(peer) = self.peer.filter(|_| self.aliases.any()) else { return };
        let with_alias = || publish.encoded_len(peer.version).saturating_add(ALIAS_BYTES);
        if peer.maximum_packet_size.is_none_or(|maximum| with_alias() <= maximum as usize) {
            publish.topic_alias = self.aliases.choose(&publish.message.message().topic);
        }
    }

    /// PUBACK.
    pub(crate) fn puback<E>(&mut self, ack: Ack, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
        let flight = self.in_flight.get(&ack.packet_id)?;
        let qos = flight.delivery.as_ref().map(|delivery| delivery.qos);
        (qos == Some(QoS::AtLeastOnce)).then(|| self.finish(ack, lasting, out)).flatten()
    }

    /// PUBREC: releases the message, or ends it on failure [MQTT-4.3.3-4].
    pub(crate) fn pubrec<E>(&mut self, ack: Ack, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
        let id = ack.packet_id;
        let Some(flight) = self.in_flight.get_mut(&id) else {
            let explains = self.peer.is_some_and(|peer| peer.version.is_v5());
            let reason = if explains { ReasonCode::PacketIdentifierNotFound } else { ReasonCode::Success };
            let unknown = Ack::new(id, reason);
            out.push_after_records(Output::Send(Packet::PubRel(unknown)));
            return None;
        };
        if flight.delivery.as_ref().is_some_and(|delivery| delivery.qos != QoS::ExactlyOnce) {
            return None;
        }
        if ack.reason.is_failure() {
            return self.finish(ack, lasting, out);
        }
        if flight.delivery.take().is_some() {
            flight.received = Received::new(ack);
            self.bytes -= std::mem::take(&mut flight.weight);
            if lasting {
                out.persist(Record::Released(flight.position, id));
            }
        }
        out.push_after_records(Output::Send(Packet::PubRel(Ack::new(id, ReasonCode::Success))));
        None
    }

    /// PUBCOMP. The peer took the message over with PUBREC; one that does not know the identifier any more has had
    /// PUBREL before (MQTT 5.0 §3.7.2.1).
    pub(crate) fn pubcomp<E>(&mut self, ack: &Ack, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
        self.in_flight.get(&ack.packet_id).filter(|flight| flight.delivery.is_none())?;
        let InFlight { position, received, .. } = self.remove(ack.packet_id, lasting, out)?;
        Some(Finished { position, qos: QoS::ExactlyOnce, end: received.into() })
    }

    /// PUBACK, or a PUBREC that refuses.
    fn finish<E>(&mut self, ack: Ack, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
        let Ack { packet_id, reason, properties } = ack;
        let InFlight { position, delivery, .. } = self.remove(packet_id, lasting, out)?;
        let Delivery { message, qos, .. } = delivery?;
        let end = if reason.is_failure() {
            Settled::Refused { reason, properties, message }
        } else {
            Settled::Taken { reason, properties }
        };
        Some(Finished { position, qos, end })
    }

    /// A message with an identifier is done with.
    fn remove<E>(&mut self, id: PacketId, lasting: bool, out: &mut Outputs<E>) -> Option<InFlight> {
        let flight = self.in_flight.remove(&id)?;
        self.bytes -= flight.weight;
        // Acknowledged before it was sent again on this connection, it holds no place in the window.
        self.sent = self.sent.saturating_sub(usize::from(!flight.resend));
        if lasting {
            out.persist(Record::Done(flight.position));
        }
        Some(flight)
    }
}

/// Why a message that waits is not to be sent, if so.
fn refused(peer: Peer, delivery: &Delivery, wall: Wall) -> Option<Unsent> {
    if delivery.expired(wall) { Some(Unsent::Expired) } else { peer.refuses(delivery).map(Unsent::Limit) }
}

/// Whole seconds that are left, at least 1: what has expired is not sent.
fn left(delivery: &Delivery, wall: Wall) -> Option<u32> {
    let whole = |at: Wall| u32::try_from(at.since(wall).as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
    delivery.expires_at.map(whole)
}
