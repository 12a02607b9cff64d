//! What a publish waits for: that other workers answer, that a session on its way arrives.
//!
//! A message is routed in one go. What cannot be told of a delivery there and then is an open part; when all parts have
//! come to an end, whoever waits is told of it.

use std::collections::HashMap;
use std::sync::Arc;

use gridmq_proto::SharedMessage;
use gridmq_proto::session::{PublishToken, Record};

use super::firing::Firing;
use super::journal::Dependent;
use super::publish::Publisher;
use super::{ConnKey, State, Worker};
use crate::directory::{Slot, WorkerId};
use crate::mailbox::{Outcome, TicketId};
use crate::routed::{self, Again, Origin, RoutedAs};
use crate::tables::FiringId;

/// Names an open part on this worker.
pub(super) type PartId = u64;

/// Who waits.
#[derive(Debug)]
pub(super) enum Whom {
    /// The one who published.
    Publisher { key: ConnKey, slot: Arc<Slot>, token: PublishToken, matched: bool, routed: Option<RoutedAs> },
    /// One who published at QoS 0, and is not read from meanwhile.
    Held(ConnKey),
    /// Another worker.
    Worker { to: WorkerId, ticket: TicketId },
    /// Somebody who waits for a part.
    Part(PartId),
    /// A session that gave messages away: it keeps them in the store until others have them.
    Giver { slot: Arc<Slot>, incarnation: u64, records: Vec<Record> },
    /// A will on its way, which the store keeps until all have it.
    Heirs(FiringId),
}

/// Somebody who waits for parts.
#[derive(Debug)]
pub(super) struct Ticket {
    whom: Whom,
    waiting: usize,
    outcome: Outcome,
}

/// The open parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    last: PartId,
    /// Those of the message that is being routed.
    open: Vec<PartId>,
    /// What is being routed, where that must not happen twice.
    pub(super) origin: Option<Origin>,
    /// The will that is being routed, if the store has it.
    pub(super) firing: Option<Box<Firing>>,
    /// Who waits for the others.
    waited_for: HashMap<PartId, TicketId>,
}

impl Parts {
    /// Opens a part of the message that is being routed.
    pub(super) fn open(&mut self) -> PartId {
        let part = self.number();
        self.open.push(part);
        part
    }

    /// Makes place for a message that is routed in between.
    pub(super) fn put_aside(&mut self, origin: Option<Origin>) -> (Vec<PartId>, Option<Origin>) {
        (std::mem::take(&mut self.open), std::mem::replace(&mut self.origin, origin))
    }

    /// Goes on with what was put aside.
    pub(super) fn take_up(&mut self, (open, origin): (Vec<PartId>, Option<Origin>)) {
        (self.open, self.origin) = (open, origin);
    }

    /// A number that was not given before.
    pub(super) const fn number(&mut self) -> PartId {
        self.last += 1;
        self.last
    }
}

impl Worker {
    /// What is about to be routed, where its publisher may send it on another connection
    /// again, and who needs it no more, or still.
    pub(super) fn begin_routing(
        &mut self,
        publisher: Option<&Publisher>,
        message: &SharedMessage,
    ) -> Option<(RoutedAs, Option<Again>)> {
        let Publisher { key, slot, sent_as, .. } = publisher?;
        let (packet_id, dup) = (*sent_as)?;
        self.conn(*key)?.machine.session().filter(|session| session.expiry_interval() != 0)?;
        let fingerprint = routed::fingerprint(message.message());
        if !self.shared.volatile {
            // Even after the end of this process.
            let client_id = slot.key.client_id.clone();
            self.parts.origin = Some(Origin::Published { client_id, packet_id, fingerprint });
        }
        let routed = RoutedAs { id: packet_id, fingerprint };
        Some((routed, self.shared.unfinished.again(slot.id, routed, dup)))
    }

    /// Has `whom` told when every open part and `remote` others have ended. `Some`: the ticket for the others.
    pub(super) fn wait_for_parts(&mut self, whom: Whom, outcome: Outcome, remote: usize) -> Option<TicketId> {
        let waiting = remote + self.parts.open.len();
        if waiting == 0 {
            self.tell(whom, outcome);
            return None;
        }
        let ticket = self.tickets.insert(Ticket { whom, waiting, outcome });
        for part in self.parts.open.drain(..) {
            self.parts.waited_for.insert(part, ticket);
        }
        Some(ticket)
    }

    /// A part ends when the receipt for that ticket comes.
    pub(super) fn await_receipt(&mut self, part: PartId) -> TicketId {
        self.tickets.insert(Ticket { whom: Whom::Part(part), waiting: 1, outcome: Outcome::TAKEN })
    }

    /// Has whoever waits for `part` wait for the open parts and for `remote` others too. The ticket for the others.
    pub(super) fn add_parts(&mut self, part: PartId, remote: usize) -> Option<TicketId> {
        let ticket = self.parts.waited_for.get(&part).copied();
        let Some((ticket, entry)) = ticket.and_then(|id| Some((id, self.tickets.get_mut(id)?))) else {
            self.parts.open.clear();
            return None;
        };
        entry.waiting += remote + self.parts.open.len();
        for part in self.parts.open.drain(..) {
            self.parts.waited_for.insert(part, ticket);
        }
        Some(ticket)
    }

    /// Whether every delivery so far has come to an end.
    pub(super) fn has_no_open_parts(&self) -> bool {
        self.parts.open.is_empty()
    }

    /// Nobody waits for the open parts.
    pub(super) fn forget_parts(&mut self) {
        self.parts.open.clear();
    }

    pub(super) fn end_part(&mut self, part: PartId, outcome: Outcome) {
        if let Some(ticket) = self.parts.waited_for.remove(&part) {
            self.part_ended(ticket, outcome);
        }
    }

    /// Another worker tells what became of its part of a message.
    pub(super) fn on_receipt(&mut self, ticket: TicketId, outcome: Outcome) {
        // What it keeps is durable by now.
        self.part_ended(ticket, Outcome { stored: false, ..outcome });
    }

    fn part_ended(&mut self, ticket: TicketId, outcome: Outcome) {
        let Some(entry) = self.tickets.get_mut(ticket) else { return };
        entry.outcome.add(outcome);
        entry.waiting -= 1;
        if entry.waiting == 0 {
            let Ticket { whom, outcome, .. } = self.tickets.remove(ticket);
            if let Whom::Publisher { key, .. } | Whom::Held(key) = &whom {
                self.go_on_reading(*key, ticket);
            }
            self.tell(whom, outcome);
        }
    }

    /// A message has gone to all: its publisher may send more.
    fn go_on_reading(&mut self, key: ConnKey, ticket: TicketId) {
        if self.conn(key).is_some_and(|conn| conn.fan_out.take_if(|waits| *waits == ticket).is_some()) {
            self.wake(key);
        }
    }

    fn tell(&mut self, whom: Whom, outcome: Outcome) {
        match whom {
            Whom::Publisher { key, slot, token, matched, routed } => {
                self.answer_routed(key, slot, token, matched, outcome, routed);
            }
            Whom::Worker { to, ticket } => {
                self.after_batch(outcome.stored, Dependent::Receipt { to, ticket, outcome });
            }
            Whom::Held(_) => {}
            Whom::Part(part) => self.end_part(part, outcome),
            Whom::Heirs(id) => self.journal.draft.write_firing(self.shared.realm.id, id, || None),
            Whom::Giver { slot, incarnation, records } => {
                // Its rows may be another session's by now, or another worker's: then they come again after a restart.
                let is_here = self.locals.get(&slot.id).is_some_and(|local| {
                    local.incarnation == incarnation && matches!(local.state, State::Online(_) | State::Offline(_))
                });
                for record in records.into_iter().filter(|_| is_here) {
                    self.journal.draft.write(slot.key.namespace, &slot.key.client_id, &record);
                }
            }
        }
    }
}
