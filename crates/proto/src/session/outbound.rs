//! What this side publishes: packet identifiers, the peer's receive window, the queue behind it, and resumption.

mod delivery;

use std::collections::VecDeque;
use std::num::NonZeroU16;

pub(crate) use self::delivery::Peer;
use self::delivery::outgoing;
pub use self::delivery::{Admitted, Delivery, Position, QueueLimits};
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
}

/// Said of a message that expired before it could be sent; the standard has no code for that.
const EXPIRED: ReasonCode = ReasonCode::ImplementationSpecificError;

/// A delivery that is done with: what the owner may want to know.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) position: Position,
    pub(crate) reason: ReasonCode,
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
    /// The last position that was given an identifier: messages up to it may have been sent.
    last_sent: Position,
    /// The last record of earlier connections: what they sent is only sent again once that is safe.
    earlier: Seq,
    bytes: usize,
    /// In flight on this connection: sent and not acknowledged (MQTT 5.0 §4.9).
    sent: usize,
    /// In flight from an earlier connection, still to be sent again, oldest first.
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
        let mut ids: Vec<_> = self.in_flight.iter().map(|(&id, flight)| (flight.position, id)).collect();
        ids.sort_unstable();
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

    /// The last position that was used; 0: none.
    pub(crate) const fn last_position(&self) -> Position {
        self.last_position
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
            if !self.queues_plain {
                return Admitted::Dropped;
            }
        }
        let weight = delivery.message.weight();
        if self.window_is_open() && self.queue.is_empty() {
            let position = self.next_position();
            if lasting {
                out.persist(Record::Enqueued(position, delivery.clone()));
            }
            self.bytes += weight;
            self.queue.push_back((position, delivery));
            self.fill_window(wall, lasting, taken, out);
            return Admitted::Sent(Some(position));
        }
        if self.queue.len() >= limits.messages || self.bytes.saturating_add(weight) > limits.bytes {
            return Admitted::Full;
        }
        let position = self.next_position();
        if delivery.qos == QoS::AtMostOnce {
            self.plain += 1;
        } else if lasting {
            out.persist(Record::Enqueued(position, delivery.clone()));
        }
        self.bytes += weight;
        self.queue.push_back((position, delivery));
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
            let weight = delivery.message.weight();
            let expired = delivery.expired(wall).then_some(EXPIRED);
            if let Some(reason) = expired.or_else(|| peer.refuses(&delivery)) {
                self.bytes -= weight;
                if lasting {
                    out.persist(Record::Done(position));
                }
                self.given_up.push(Finished { position, reason });
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
            self.in_flight.insert(id, InFlight { position, delivery: Some(delivery), weight });
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
            let expired = delivery.expired(wall).then_some(EXPIRED);
            let refused = expired.or_else(|| peer.refuses(&delivery));
            if refused.is_none() {
                self.send(&delivery, None, wall, false, out);
            }
            self.given_up.push(Finished { position, reason: refused.unwrap_or(ReasonCode::Success) });
        }
    }

    /// A message has been taken out of the queue.
    fn left_queue(&mut self, delivery: &Delivery) {
        self.bytes -= delivery.message.weight();
        self.plain -= usize::from(delivery.qos == QoS::AtMostOnce);
    }

    fn send_again<E>(&mut self, id: PacketId, peer: Peer, wall: Wall, lasting: bool, out: &mut Outputs<E>) {
        let Some(flight) = self.in_flight.get(&id) else { return };
        self.sent += 1;
        let Some(delivery) = flight.delivery.clone() else {
            return out.push_after_records(Output::Send(Packet::PubRel(Ack::new(id, ReasonCode::Success))));
        };
        match peer.refuses(&delivery) {
            // The peer now takes less than it did; the message counts as sent [MQTT-3.1.2-25].
            Some(reason) => {
                let finished = self.finish(id, reason, lasting, out);
                self.given_up.extend(finished);
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
        if lasting { out.push_after_records(publish) } else { out.push(publish) }
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

    /// Takes out of the queue what waits longest, or shortest, among what has never been sent.
    pub(crate) fn evict<E>(&mut self, oldest: bool, lasting: bool, out: &mut Outputs<E>) -> Option<Position> {
        let place = if oldest { self.first_unsent() } else { self.queue.len().checked_sub(1)? };
        let &(position, _) = self.queue.get(place)?;
        self.withdraw(position, lasting, out).then_some(position)
    }

    /// Takes a message that has never been sent out of the queue; `false`: there is none such.
    pub(crate) fn withdraw<E>(&mut self, position: Position, lasting: bool, out: &mut Outputs<E>) -> bool {
        let found = self.queue.binary_search_by_key(&position, |&(position, _)| position);
        let Some(place) = found.ok().filter(|_| position > self.last_sent) else { return false };
        if let Some((_, delivery)) = self.queue.remove(place) {
            self.left_queue(&delivery);
            if lasting && delivery.qos != QoS::AtMostOnce {
                out.persist(Record::Done(position));
            }
        }
        true
    }

    fn first_unsent(&self) -> usize {
        self.queue.partition_point(|&(position, _)| position <= self.last_sent)
    }

    /// PUBACK.
    pub(crate) fn puback<E>(&mut self, ack: &Ack, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
        let flight = self.in_flight.get(&ack.packet_id)?;
        let qos = flight.delivery.as_ref().map(|delivery| delivery.qos);
        (qos == Some(QoS::AtLeastOnce)).then(|| self.finish(ack.packet_id, ack.reason, lasting, out)).flatten()
    }

    /// PUBREC: releases the message, or ends it on failure [MQTT-4.3.3-4].
    pub(crate) fn pubrec<E>(&mut self, ack: &Ack, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
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
            return self.finish(id, ack.reason, lasting, out);
        }
        if flight.delivery.take().is_some() {
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
        let released = self.in_flight.get(&ack.packet_id)?.delivery.is_none();
        released.then(|| self.finish(ack.packet_id, ReasonCode::Success, lasting, out)).flatten()
    }

    fn finish<E>(&mut self, id: PacketId, reason: ReasonCode, lasting: bool, out: &mut Outputs<E>) -> Option<Finished> {
        let flight = self.in_flight.remove(&id)?;
        self.bytes -= flight.weight;
        if let Some(waiting) = self.resend.iter().position(|&waiting| waiting == id) {
            // Acknowledged before it was sent again on this connection: it holds no place in the window.
            self.resend.remove(waiting);
        } else {
            self.sent = self.sent.saturating_sub(1);
        }
        if lasting {
            out.persist(Record::Done(flight.position));
        }
        Some(Finished { position: flight.position, reason })
    }

    /// The peer has lost the session: what it never confirmed waits again, before everything else, under new
    /// identifiers; what it had taken over is done with.
    pub(crate) fn start_over<E>(&mut self, lasting: bool, out: &mut Outputs<E>) {
        let mut flights: Vec<_> = self.in_flight.drain().map(|(_, flight)| flight).collect();
        flights.sort_unstable_by_key(|flight| std::cmp::Reverse(flight.position));
        for InFlight { position, delivery, .. } in flights {
            if lasting {
                out.persist(match &delivery {
                    Some(delivery) => Record::Enqueued(position, delivery.clone()),
                    None => Record::Done(position),
                });
            }
            match delivery {
                Some(delivery) => self.queue.push_front((position, delivery)),
                None => self.given_up.push(Finished { position, reason: ReasonCode::Success }),
            }
        }
        self.given_up.sort_by_key(|finished| finished.position);
    }

    /// Takes out what `choose` picks among messages that are unacknowledged QoS 1 or not sent at all, oldest first.
    /// What was sent on a connection that is up stays: the peer can still acknowledge it.
    pub(crate) fn take_out<E>(
        &mut self,
        choose: impl Fn(&Delivery) -> bool,
        lasting: bool,
        out: &mut Outputs<E>,
    ) -> Vec<Delivery> {
        let mut taken: Vec<(Position, Delivery)> = Vec::new();
        let ids: Vec<PacketId> = self
            .in_flight
            .iter()
            .filter(|(id, flight)| {
                let is_out = self.peer.is_some() && !self.resend.contains(id);
                !is_out
                    && flight
                        .delivery
                        .as_ref()
                        .is_some_and(|delivery| delivery.qos == QoS::AtLeastOnce && choose(delivery))
            })
            .map(|(&id, _)| id)
            .collect();
        for id in ids {
            if let Some(InFlight { position, delivery: Some(delivery), weight }) = self.in_flight.remove(&id) {
                self.bytes -= weight;
                self.resend.retain(|&waiting| waiting != id);
                taken.push((position, delivery));
            }
        }
        let (picked, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(|(_, delivery)| choose(delivery));
        self.queue = kept;
        for (position, delivery) in picked {
            self.left_queue(&delivery);
            taken.push((position, delivery));
        }
        taken.sort_by_key(|&(position, _)| position);
        if lasting {
            for &(position, _) in &taken {
                out.persist(Record::Done(position));
            }
        }
        taken.into_iter().map(|(_, delivery)| delivery).collect()
    }

    /// Drops queued messages that have expired; answers how many.
    pub(crate) fn drop_expired<E>(&mut self, wall: Wall, lasting: bool, out: &mut Outputs<E>) -> usize {
        let before = self.queue.len();
        let (mut bytes, mut plain) = (0, 0);
        self.queue.retain(|(position, delivery)| {
            let expired = delivery.expired(wall);
            if expired {
                bytes += delivery.message.weight();
                plain += usize::from(delivery.qos == QoS::AtMostOnce);
                if lasting && delivery.qos != QoS::AtMostOnce {
                    out.persist(Record::Done(*position));
                }
            }
            !expired
        });
        self.bytes -= bytes;
        self.plain -= plain;
        before - self.queue.len()
    }

    /// A stored message, read back: queued, in flight, or released.
    pub(crate) fn restore(&mut self, position: Position, delivery: Option<Delivery>, id: Option<PacketId>) {
        self.skip_positions(position);
        let weight = delivery.as_ref().map_or(0, |delivery| delivery.message.weight());
        self.bytes += weight;
        match (delivery, id) {
            (delivery, Some(id)) => {
                self.last_id = self.last_id.max(id.get());
                self.last_sent = self.last_sent.max(position);
                self.in_flight.insert(id, InFlight { position, delivery, weight });
            }
            (Some(delivery), None) => {
                self.plain += usize::from(delivery.qos == QoS::AtMostOnce);
                self.queue.push_back((position, delivery));
            }
            (None, None) => {}
        }
    }

    /// Everything unfinished, oldest first: position, message (absent once released), identifier (once sent).
    pub(crate) fn unfinished(&self) -> Vec<(Position, Option<Delivery>, Option<PacketId>)> {
        let mut all: Vec<_> = self
            .in_flight
            .iter()
            .map(|(&id, flight)| (flight.position, flight.delivery.clone(), Some(id)))
            .chain(self.queue.iter().map(|(position, delivery)| (*position, Some(delivery.clone()), None)))
            .collect();
        all.sort_by_key(|&(position, ..)| position);
        all
    }
}

/// Whole seconds that are left, at least 1: what has expired is not sent.
fn left(delivery: &Delivery, wall: Wall) -> Option<u32> {
    let whole = |at: Wall| u32::try_from(at.since(wall).as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
    delivery.expires_at.map(whole)
}
