//! What of the outbound state outlives connections, processes, and the peer's memory.

use super::{Delivery, Finished, InFlight, Outbound, Position};
use crate::session::Record;
use crate::session::outputs::Outputs;
use crate::{PacketId, QoS};

impl Outbound {
    /// The peer has lost the session: what it never confirmed waits again, before everything else, under new
    /// identifiers; what it had taken over is done with.
    pub(crate) fn start_over<E>(&mut self, lasting: bool, out: &mut Outputs<E>) {
        let mut flights: Vec<_> = self.in_flight.drain().map(|(_, flight)| flight).collect();
        if lasting && flights.iter().any(|flight| flight.delivery.is_some()) {
            // That they are queued again must not make them look as if they had never been sent.
            out.persist(Record::Tried(self.last_sent));
        }
        flights.sort_by_cached_key(|flight| flight.position);
        for InFlight { position, delivery, received, .. } in flights.into_iter().rev() {
            if lasting {
                out.persist(match &delivery {
                    Some(delivery) => Record::Enqueued(position, delivery.clone()),
                    None => Record::Done(position),
                });
            }
            match delivery {
                Some(delivery) => {
                    self.expires(delivery.expires_at);
                    self.queue.push_front((position, delivery));
                }
                // Only QoS 2 is released.
                None => self.given_up.push(Finished { position, qos: QoS::ExactlyOnce, end: received.into() }),
            }
        }
        self.given_up.sort_by_cached_key(|finished| finished.position);
    }

    /// A stored message, read back: queued, in flight, or released.
    pub(crate) fn restore(&mut self, position: Position, delivery: Option<Delivery>, id: Option<PacketId>) {
        self.skip_positions(position);
        match (delivery, id) {
            (delivery, Some(id)) => {
                let weight = delivery.as_ref().map_or(0, |delivery| delivery.message.weight());
                self.bytes += weight;
                self.last_id = self.last_id.max(id.get());
                self.restore_tried(position);
                self.in_flight
                    .insert(id, InFlight { position, delivery, weight, received: <_>::default(), resend: false });
            }
            (Some(delivery), None) => self.queue_up(position, delivery),
            (None, None) => {}
        }
    }

    /// Messages up to that position may have been sent.
    pub(crate) fn restore_tried(&mut self, position: Position) {
        self.last_sent = self.last_sent.max(position);
    }

    /// Where not even an unacknowledged message tells how far messages may have been sent.
    pub(crate) fn tried(&self) -> Option<Position> {
        let first = self.queue.front().map(|&(position, _)| position);
        first.filter(|&first| first <= self.last_sent).map(|_| self.last_sent)
    }

    /// Everything unfinished, oldest first: position, message (absent once released), identifier (once sent).
    pub(crate) fn unfinished(&self) -> Vec<(Position, Option<Delivery>, Option<PacketId>)> {
        let mut all: Vec<_> = self
            .in_flight
            .iter()
            .map(|(&id, flight)| (flight.position, flight.delivery.clone(), Some(id)))
            .chain(self.queue.iter().map(|(position, delivery)| (*position, Some(delivery.clone()), None)))
            .collect();
        all.sort_by_cached_key(|&(position, ..)| position);
        all
    }
}
