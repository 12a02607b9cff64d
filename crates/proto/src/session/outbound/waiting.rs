//! The queue behind the window: what gives way, what expires, and what its owner takes back.

use std::collections::VecDeque;

use super::{Delivery, Finished, InFlight, Outbound, Position, Settled, Unsent};
use crate::session::Record;
use crate::session::outputs::Outputs;
use crate::time::Wall;
use crate::{PacketId, QoS};

impl Outbound {
    /// Appends a message to the queue.
    pub(super) fn queue_up(&mut self, position: Position, delivery: Delivery) {
        self.bytes += delivery.message.weight();
        self.plain += usize::from(delivery.qos == QoS::AtMostOnce);
        self.expires(delivery.expires_at);
        self.queue.push_back((position, delivery));
    }

    /// Something in the queue expires then.
    pub(super) fn expires(&mut self, at: Option<Wall>) {
        self.next_expiry = [self.next_expiry, at].into_iter().flatten().min();
    }

    /// A message has been taken out of the queue.
    pub(super) fn left_queue(&mut self, delivery: &Delivery) {
        self.bytes -= delivery.message.weight();
        self.plain -= usize::from(delivery.qos == QoS::AtMostOnce);
    }

    /// Nothing in the queue expires earlier; absent: nothing does.
    pub(crate) const fn next_expiry(&self) -> Option<Wall> {
        self.next_expiry
    }

    /// What the messages weigh that wait and have never been sent, in the order of positions.
    pub(crate) fn unsent_weights(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.queue.range(self.first_unsent()..).map(|(_, delivery)| delivery.message.weight())
    }

    fn first_unsent(&self) -> usize {
        self.queue.partition_point(|&(position, _)| position <= self.last_sent)
    }

    /// Gives up what waits longest, or shortest, among what has never been sent.
    pub(crate) fn evict<E>(&mut self, oldest: bool, lasting: bool, out: &mut Outputs<E>) -> Option<Position> {
        let place = if oldest { self.first_unsent() } else { self.queue.len().checked_sub(1)? };
        let &(position, _) = self.queue.get(place)?;
        let delivery = self.take_unsent(position, lasting, out)?;
        self.give_up(position, delivery, Unsent::Evicted, false);
        Some(position)
    }

    fn take_unsent<E>(&mut self, position: Position, lasting: bool, out: &mut Outputs<E>) -> Option<Delivery> {
        let found = self.queue.binary_search_by_key(&position, |&(position, _)| position);
        let place = found.ok().filter(|_| position > self.last_sent)?;
        let (_, delivery) = self.queue.remove(place)?;
        self.left_queue(&delivery);
        if lasting && delivery.qos != QoS::AtMostOnce {
            out.persist(Record::Done(position));
        }
        Some(delivery)
    }

    pub(super) fn give_up(&mut self, position: Position, delivery: Delivery, why: Unsent, maybe_sent: bool) {
        let Delivery { message, qos, .. } = delivery;
        self.given_up.push(Finished { position, qos, end: Settled::Unsent { why, maybe_sent, message } });
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
        let is_up = self.peer.is_some();
        let chosen = |flight: &InFlight| {
            let is_out = is_up && !flight.resend;
            let delivery = flight.delivery.as_ref().filter(|_| !is_out);
            delivery.is_some_and(|delivery| delivery.qos == QoS::AtLeastOnce && choose(delivery))
        };
        let ids: Vec<PacketId> =
            self.in_flight.iter().filter(|(_, flight)| chosen(flight)).map(|(&id, _)| id).collect();
        for id in ids {
            if let Some(InFlight { position, delivery: Some(delivery), weight, .. }) = self.in_flight.remove(&id) {
                self.bytes -= weight;
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
        taken.sort_by_cached_key(|&(position, _)| position);
        if lasting {
            for &(position, _) in &taken {
                out.persist(Record::Done(position));
            }
        }
        taken.into_iter().map(|(_, delivery)| delivery).collect()
    }

    /// Takes out of the queue what has expired.
    fn expired<E>(&mut self, wall: Wall, lasting: bool, out: &mut Outputs<E>) -> VecDeque<(Position, Delivery)> {
        if self.next_expiry.is_none_or(|at| at > wall) {
            return VecDeque::new();
        }
        let (expired, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(|(_, delivery)| delivery.expired(wall));
        self.next_expiry = kept.iter().filter_map(|(_, delivery)| delivery.expires_at).min();
        self.queue = kept;
        for (position, delivery) in &expired {
            self.left_queue(delivery);
            if lasting && delivery.qos != QoS::AtMostOnce {
                out.persist(Record::Done(*position));
            }
        }
        expired
    }

    /// Drops queued messages that have expired; answers how many. Their owner is not told.
    pub(crate) fn drop_expired<E>(&mut self, wall: Wall, lasting: bool, out: &mut Outputs<E>) -> usize {
        self.expired(wall, lasting, out).len()
    }

    /// Gives up queued messages that have expired.
    pub(crate) fn give_up_expired<E>(&mut self, wall: Wall, lasting: bool, out: &mut Outputs<E>) {
        for (position, delivery) in self.expired(wall, lasting, out) {
            self.give_up(position, delivery, Unsent::Expired, position <= self.last_sent);
        }
    }
}
