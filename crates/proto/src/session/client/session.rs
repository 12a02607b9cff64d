//! A client's session: what outlives the connection (MQTT 5.0 §4.1).

use super::Event;
use super::request::{Outgoing, RequestError};
use crate::session::inbound::{Inbound, Judgement, PublishToken};
use crate::session::outbound::{Admitted, Delivery, Finished, Outbound, Peer, Position, QueueLimits};
use crate::session::outputs::{Numbers, Outputs, Seq};
use crate::session::record::Record;
use crate::session::replay::{self, Replayed};
use crate::time::Wall;
use crate::{PacketId, QoS};

/// A session of the client.
#[derive(Debug, Default)]
pub struct Session {
    /// Every change is a record.
    recorded: bool,
    numbers: Numbers,
    expiry_interval: u32,
    queue_limits: QueueLimits,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
}

impl Session {
    /// An empty session of a client without a store: it asks for no records, and nothing waits for any.
    #[must_use]
    pub fn new(queue_limits: QueueLimits) -> Self {
        Self { queue_limits, ..Self::default() }
    }

    /// An empty session of a client with a store: every change is a record, however long the server keeps its part.
    #[must_use]
    pub fn recorded(queue_limits: QueueLimits) -> Self {
        Self { recorded: true, ..Self::new(queue_limits) }
    }

    /// Rebuilds a recorded session from its records, oldest first. `None`: they end with [`Record::Ended`] or are none.
    #[must_use]
    pub fn restore(queue_limits: QueueLimits, records: impl IntoIterator<Item = Record>) -> Option<Self> {
        let Replayed { expiry_interval, inbound, outbound, .. } = replay::replay(records)?;
        Some(Self { expiry_interval, inbound, outbound, ..Self::recorded(queue_limits) })
    }

    /// The records that rebuild this session.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = vec![
            Record::Started { expiry_interval: self.expiry_interval },
            Record::Positioned(self.outbound.last_position()),
        ];
        records.extend(self.outbound.tried().map(Record::Tried));
        let plain = |record: &Record| matches!(record, Record::Enqueued(_, it) if it.qos == QoS::AtMostOnce);
        records.extend(replay::messages(&self.inbound, &self.outbound).into_iter().filter(|record| !plain(record)));
        records
    }

    /// Has messages of QoS 0 wait for a connection too, without a record. When such a message is handed over for
    /// sending, [`Event::Published`] says so.
    pub const fn queue_at_most_once(&mut self, queue: bool) {
        self.outbound.set_queues_plain(queue);
    }

    /// Whether its changes are records.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// The last position that a message was given; 0: none. It is never given again, also where all messages are done
    /// with and the session has been restored. Only messages of QoS 0, which are not recorded, are forgotten.
    #[must_use]
    pub const fn last_position(&self) -> Position {
        self.outbound.last_position()
    }

    /// Messages up to that position may have been sent, later ones have not; 0: none has.
    #[must_use]
    pub const fn last_sent(&self) -> Position {
        self.outbound.last_sent()
    }

    /// What the messages weigh that wait and have never been sent, in the order of positions: what
    /// [`Connection::evict_oldest`](super::Connection::evict_oldest) and its sibling could free.
    pub fn unsent_weights(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.outbound.unsent_weights()
    }

    /// No message that waits expires earlier; `None`: none does.
    #[must_use]
    pub const fn next_expiry(&self) -> Option<Wall> {
        self.outbound.next_expiry()
    }

    /// The number of the last record that it asked for; the next machine goes on from there.
    #[must_use]
    pub const fn last_record(&self) -> Seq {
        self.numbers.issued
    }

    /// Messages that wait or are unacknowledged, and the bytes that they hold.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        self.outbound.load()
    }

    /// Messages that were given an identifier and are unacknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.outbound.in_flight()
    }

    /// How many messages up to that position wait or are unacknowledged. It looks at all that are.
    #[must_use]
    pub fn unfinished_up_to(&self, position: Position) -> usize {
        self.outbound.unfinished_up_to(position)
    }

    /// Positions of the messages that wait or are unacknowledged, oldest first.
    #[must_use]
    pub fn unfinished(&self) -> Vec<Position> {
        self.outbound.unfinished().into_iter().map(|(position, ..)| position).collect()
    }

    pub(super) const fn numbers(&self) -> Numbers {
        self.numbers
    }

    pub(super) const fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// Clean Start: identifiers taken over from the server are forgotten, messages that wait are not.
    pub(super) fn forget(&mut self, out: &mut Outputs<Event>) {
        self.inbound.start_over(self.recorded, out);
        self.outbound.start_over(self.recorded, out);
        self.tell_given_up(out);
    }

    fn tell_given_up(&mut self, out: &mut Outputs<Event>) {
        for Finished { position, qos, end } in self.outbound.take_given_up() {
            out.event(Event::Published { position, qos, end });
        }
    }

    pub(super) fn start(&mut self, expiry_interval: u32, present: bool, out: &mut Outputs<Event>) {
        if !present {
            self.forget(out);
        }
        if self.recorded && self.expiry_interval != expiry_interval {
            out.persist(Record::Started { expiry_interval });
        }
        self.expiry_interval = expiry_interval;
    }

    pub(super) fn connect(&mut self, wall: Wall, peer: Peer, aliases: u16, out: &mut Outputs<Event>) {
        self.inbound.connect(peer.version);
        self.outbound.connect(peer, aliases);
        self.outbound.set_earlier(self.numbers.issued);
        self.fill_window(wall, |_| false, out);
    }

    pub(super) fn fill_window(&mut self, wall: Wall, taken: impl Fn(PacketId) -> bool, out: &mut Outputs<Event>) {
        self.outbound.fill_window(wall, self.recorded, taken, out);
        self.tell_given_up(out);
    }

    pub(super) fn disconnect(&mut self) {
        self.inbound.disconnect();
        self.outbound.disconnect();
    }

    pub(super) fn complete<E>(&mut self, token: PublishToken, judgement: Judgement, out: &mut Outputs<E>) {
        self.inbound.complete(token, judgement, self.recorded, out);
        self.inbound.release(out);
    }

    pub(super) fn pubrel<E>(&mut self, id: PacketId, out: &mut Outputs<E>) {
        self.inbound.pubrel(id, self.recorded, out);
    }

    pub(super) fn deliver(
        &mut self,
        wall: Wall,
        delivery: Delivery,
        wanted: impl FnOnce() -> bool,
        taken: impl Fn(PacketId) -> bool,
        out: &mut Outputs<Event>,
    ) -> Result<Admitted, RequestError> {
        if delivery.expired(wall) {
            return Err(RequestError::Expired);
        }
        if self.outbound.drops(delivery.qos) {
            return Err(RequestError::NotConnected);
        }
        if !wanted() {
            return Ok(Admitted::Dropped);
        }
        let limits = self.queue_limits;
        let admitted = self.outbound.deliver(delivery, wall, limits, self.recorded, taken, out);
        self.tell_given_up(out);
        match admitted {
            Admitted::Full => Err(RequestError::QueueFull { messages: limits.messages, bytes: limits.bytes }),
            admitted => Ok(admitted),
        }
    }

    pub(super) fn evict(&mut self, oldest: bool, out: &mut Outputs<Event>) -> Option<Position> {
        let position = self.outbound.evict(oldest, self.recorded, out);
        self.tell_given_up(out);
        position
    }

    pub(super) fn give_up_expired(&mut self, wall: Wall, out: &mut Outputs<Event>) {
        self.outbound.give_up_expired(wall, self.recorded, out);
        self.tell_given_up(out);
    }

    /// Takes a message while there is no connection.
    pub(super) fn publish(
        &mut self,
        wall: Wall,
        made: Wall,
        outgoing: Outgoing,
        wanted: impl FnOnce() -> bool,
        out: &mut Outputs<Event>,
    ) -> Result<Admitted, RequestError> {
        self.deliver(wall, outgoing.into_delivery(made), wanted, |_| false, out)
    }
}
