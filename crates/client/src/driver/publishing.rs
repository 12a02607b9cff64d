//! Messages from the application, and the store that keeps them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gridmq_proto::session::client::RequestError;
use gridmq_proto::session::{Admitted, End, Position, Record, Seq};
use gridmq_proto::time::Monotonic;
use tokio::sync::oneshot;

use super::{COMMANDS, Driver, PublishCommand};
use crate::error::{DisconnectCause, Ending, PublishError};
use crate::lifecycle::Phase;
use crate::metrics::Outcome;
use crate::outbox::{Gauge, Overflow};
use crate::store::{SessionStore, StoreError};

/// Bytes that wait to be written, beyond which no publish is taken.
const MAX_BACKLOG: usize = 256 * 1024;
/// While there is no room, how often to look whether there is again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Somebody who wants to know that a message is stored.
#[derive(Debug)]
struct Storing {
    position: Option<Position>,
    /// What it waits for; absent: it has not been handed to the store.
    number: Option<u64>,
    stored: oneshot::Sender<Option<Position>>,
}

/// What is on its way into the session, and into its store.
#[derive(Debug)]
pub(super) struct Outbox {
    store: Option<Box<dyn SessionStore>>,
    gauge: Arc<Gauge>,
    /// The next message, for which there is no room.
    waiting: Option<PublishCommand>,
    /// Records for the store, and the number of the last one.
    records: Vec<Record>,
    seq: Seq,
    /// What the store was given: its number, and that of the last record.
    given: VecDeque<(u64, Seq)>,
    storing: VecDeque<Storing>,
}

impl Outbox {
    pub(super) fn new(store: Option<Box<dyn SessionStore>>, gauge: Arc<Gauge>) -> Self {
        Self {
            store,
            gauge,
            waiting: None,
            records: Vec::new(),
            seq: 0,
            given: VecDeque::new(),
            storing: VecDeque::new(),
        }
    }

    /// No message will be taken any more.
    pub(super) fn fail(&mut self, cause: &DisconnectCause) {
        if let Some(PublishCommand { reply, .. }) = self.waiting.take() {
            drop(reply.send(Err(PublishError::Disconnected(cause.clone()))));
        }
    }

    fn stored(&mut self, up_to: Option<u64>) {
        while let Some(storing) = self.storing.pop_front_if(|storing| storing.number <= up_to) {
            // Who asked may have gone.
            let _ = storing.stored.send(storing.position);
        }
    }
}

impl Driver {
    /// Whether the next message would be taken.
    pub(super) fn has_room(&self) -> bool {
        let waiting = self.outbox.waiting.as_ref();
        self.may_take() && waiting.is_none_or(|command| command.admission.is_closed() || self.fits(command))
    }

    fn may_take(&self) -> bool {
        self.link.backlog() < MAX_BACKLOG && self.outbox.store.as_ref().is_none_or(|store| store.has_room())
    }

    fn fits(&self, command: &PublishCommand) -> bool {
        let load = self.link.machine().session().map_or((0, 0), |session| session.load());
        self.plan.queue.fits(load, command.outgoing.message.weight())
    }

    pub(super) fn look_again(&self, has_room: bool) -> Option<Monotonic> {
        (!has_room).then(|| self.link.now().after(LOOK_AGAIN))
    }

    pub(super) fn publishes(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            let takes =
                matches!(self.life.phase(), Phase::Up | Phase::Greeting | Phase::Waiting { .. } | Phase::Opening);
            if self.ended || !takes || !self.may_take() {
                return false;
            }
            let command = match self.outbox.waiting.take() {
                Some(command) => command,
                None => match self.channels.publishes.poll_recv(cx) {
                    Poll::Ready(Some(command)) => command,
                    // With the last request gone too, the next turn says goodbye.
                    Poll::Ready(None) => return !self.ended && self.life.phase() == Phase::Up,
                    Poll::Pending => return false,
                },
            };
            if command.admission.is_closed() {
                continue;
            }
            if self.fits(&command) || self.make_room(&command) {
                self.publish(command);
            } else if self.plan.queue.overflow == Overflow::Wait {
                self.outbox.waiting = Some(command);
                return false;
            } else {
                let (messages, bytes) = (self.plan.queue.messages, self.plan.queue.bytes);
                let full = PublishError::Limit(RequestError::QueueFull { messages, bytes });
                self.watch.metrics().message(Outcome::Dropped, command.outgoing.qos);
                drop(command.reply.send(Err(full)));
            }
        }
        true
    }

    /// Drops messages that were never sent, as far as the policy says.
    fn make_room(&mut self, command: &PublishCommand) -> bool {
        while !self.fits(command) {
            let evicted = match self.plan.queue.overflow {
                Overflow::DropOldest => self.link.with(|machine, _| machine.evict_oldest()),
                Overflow::DropNewest => self.link.with(|machine, _| machine.evict_newest()),
                Overflow::Wait | Overflow::Refuse => None,
            };
            let Some(position) = evicted else { return false };
            if let Some(qos) = self.replies.dropped(position) {
                self.watch.metrics().message(Outcome::Dropped, qos);
            }
        }
        true
    }

    fn publish(&mut self, command: PublishCommand) {
        let PublishCommand { outgoing, admission, stored, reply } = command;
        if admission.send(()).is_err() {
            // Nobody wants it any more.
            return;
        }
        let qos = outgoing.qos;
        let admitted = self.link.with(|machine, now| machine.publish(now, outgoing));
        self.watch.admitted(&admitted, qos);
        let position = match admitted {
            Ok(Admitted::Sent(None)) => {
                self.replies.write(self.link.progress().0, reply);
                None
            }
            Ok(Admitted::Sent(Some(position)) | Admitted::Queued(position)) => {
                self.replies.publish(position, qos, reply);
                Some(position)
            }
            // The session's queue has no limit of its own here, so these do not occur.
            Ok(Admitted::Dropped | Admitted::Full) => return,
            Err(error) => return drop(reply.send(Err(PublishError::Limit(error)))),
        };
        if let Some(stored) = stored {
            self.outbox.storing.push_back(Storing { position, number: None, stored });
        }
    }

    /// Takes over what the machine wants stored, before there is another.
    pub(super) fn collect(&mut self) {
        if let Some(seq) = self.link.take_records(&mut self.outbox.records) {
            self.outbox.seq = seq;
        }
    }

    /// Hands records to the store, and lets go what has waited for them. `true`: there is more to do at once.
    pub(super) fn keep(&mut self, cx: &mut Context<'_>) -> bool {
        self.collect();
        if let Some(session) = self.link.machine().session() {
            self.outbox.gauge.set(session);
        }
        match self.exchange(cx) {
            Ok(None) => false,
            Ok(Some(seq)) => {
                self.link.with(|machine, _| machine.persisted(seq));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the client ends, because its session cannot be stored any more");
                self.outbox.store = None;
                self.outbox.storing.clear();
                let failure = Some(io::Error::other(error));
                self.end(DisconnectCause::new(Ending { end: End::ConnectionLost, farewell: None, failure }));
                self.link.hang_up();
                true
            }
        }
    }

    /// How far the records are durable now, if that is news.
    fn exchange(&mut self, cx: &mut Context<'_>) -> Result<Option<Seq>, StoreError> {
        let outbox = &mut self.outbox;
        let Some(store) = &mut outbox.store else {
            outbox.records.clear();
            let seq = (outbox.seq != 0).then(|| std::mem::take(&mut outbox.seq));
            outbox.stored(Some(u64::MAX));
            return Ok(seq);
        };
        if !outbox.records.is_empty() {
            let number = store.append(std::mem::take(&mut outbox.records))?;
            outbox.given.push_back((number, outbox.seq));
        }
        // What was taken without a record has nothing more to wait for than what was taken before it.
        let last = outbox.given.back().map_or(0, |&(number, _)| number);
        for storing in outbox.storing.iter_mut().rev().take_while(|storing| storing.number.is_none()) {
            storing.number = Some(last);
        }
        let mut safe = None;
        let mut durable = 0;
        while let Poll::Ready(progress) = store.poll_durable(cx) {
            durable = progress?;
            while let Some((_, seq)) = outbox.given.pop_front_if(|&mut (number, _)| number <= durable) {
                safe = Some(seq);
            }
        }
        let up_to = outbox.given.front().map_or(u64::MAX, |&(number, _)| number - 1);
        outbox.stored(Some(up_to.max(durable)));
        Ok(safe)
    }
}
