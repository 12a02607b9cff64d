//! Messages from the application, and the store that keeps them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gridmq_proto::QoS;
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::session::{Admitted, Position, Record, Seq};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use super::{COMMANDS, Driver, PublishCommand};
use crate::error::PublishError;
use crate::lifecycle::Phase;
use crate::metrics::MessageFate;
use crate::outbox::{Gauge, Overflow};
use crate::store::{SessionStore, StoreError};

/// Bytes that wait to be written, beyond which no publish is taken.
const MAX_BACKLOG: usize = 256 * 1024;

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
    /// One that has failed, to be closed at the end.
    failed: Option<Box<dyn SessionStore>>,
    gauge: Arc<Gauge>,
    /// The next message, for which there is no room.
    pub(super) waiting: Option<PublishCommand>,
    /// Records for the store, and the number of the last one.
    records: Vec<Record>,
    seq: Seq,
    /// What the store was given: its number, and that of the last record.
    given: VecDeque<(u64, Seq)>,
    storing: VecDeque<Storing>,
    /// When something of the queue expires, or the message's own time is up, while one waits for its place.
    expiry: Option<Pin<Box<Sleep>>>,
}

impl Outbox {
    pub(super) fn new(store: Option<Box<dyn SessionStore>>, gauge: Arc<Gauge>) -> Self {
        Self {
            store,
            failed: None,
            gauge,
            waiting: None,
            records: Vec::new(),
            seq: 0,
            given: VecDeque::new(),
            storing: VecDeque::new(),
            expiry: None,
        }
    }

    /// The client has ended.
    pub(super) fn take_store(&mut self) -> Option<Box<dyn SessionStore>> {
        self.store.take().or_else(|| self.failed.take())
    }

    /// It has failed: nothing is asked of it any more.
    fn retire_store(&mut self) {
        self.failed = self.store.take();
        self.storing.clear();
    }

    /// Messages that were handed over and not taken, and the bytes of what is known of them.
    pub(super) fn untaken(&self, publishes: &mpsc::Receiver<PublishCommand>) -> (usize, usize) {
        let waiting = self.waiting.as_ref().filter(|command| !command.admission.is_closed());
        let bytes = waiting.map_or(0, |command| command.outgoing.message.weight());
        (publishes.len() + usize::from(waiting.is_some()), bytes)
    }

    /// Whether what was recorded may outlive the client.
    pub(super) const fn is_kept(&self) -> bool {
        self.store.is_some() || self.failed.is_some()
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
        self.may_take() && waiting.is_none_or(|command| self.is_unwanted(command) || self.fits(command))
    }

    /// Nobody waits for it any more, or its time is up.
    fn is_unwanted(&self, command: &PublishCommand) -> bool {
        let is_late = |until| until <= self.clock.instant(self.link.now());
        command.admission.is_closed() || command.until.is_some_and(is_late)
    }

    fn may_take(&self) -> bool {
        self.link.backlog() < MAX_BACKLOG && self.outbox.store.as_ref().is_none_or(|store| store.has_room())
    }

    fn fits(&self, command: &PublishCommand) -> bool {
        let machine = self.link.machine();
        // What goes straight to the connection, or is refused without one, needs no place.
        if command.outgoing.qos == QoS::AtMostOnce && (machine.is_connected() || !self.plan.queue.at_most_once) {
            return true;
        }
        let load = machine.session().map_or((0, 0), |session| session.load());
        self.plan.queue.fits(load, command.outgoing.message.weight())
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
                    Poll::Ready(None) => {
                        return !self.ended && !self.departure.is_leaving() && self.life.phase() == Phase::Up;
                    }
                    Poll::Pending => return false,
                },
            };
            if self.is_unwanted(&command) {
                continue;
            }
            if self.fits(&command) || self.make_room(&command) {
                self.publish(command);
            } else if self.plan.queue.overflow == Overflow::Wait {
                if self.wait(command, cx) {
                    return false;
                }
            } else {
                let (messages, bytes) = (self.plan.queue.messages, self.plan.queue.bytes);
                let Outgoing { message, qos, .. } = command.outgoing;
                self.watch.metrics().message(MessageFate::Dropped, qos);
                let full = PublishError::QueueFull { topic: message.topic, messages, bytes };
                drop(command.reply.send(Err(full)));
            }
        }
        true
    }

    /// Keeps a message until there is room; `false`: nobody wants it any more.
    fn wait(&mut self, mut command: PublishCommand, cx: &mut Context<'_>) -> bool {
        if command.admission.poll_closed(cx).is_ready() {
            return false;
        }
        let next = self.link.machine().session().and_then(|session| session.next_expiry());
        let expiry = next.map(|at| {
            let now = self.clock.now();
            self.clock.instant(now.monotonic.after(at.since(now.wall)))
        });
        let at = [expiry, command.until].into_iter().flatten().min();
        self.outbox.waiting = Some(command);
        self.outbox.expiry = at.map(|at| Box::pin(tokio::time::sleep_until(at)));
        if self.outbox.expiry.as_mut().is_some_and(|expiry| expiry.as_mut().poll(cx).is_ready()) {
            cx.waker().wake_by_ref();
        }
        true
    }

    /// Gives up messages that have expired and, as far as the policy says, some that were never sent. Where that would
    /// not make room enough, none of these.
    fn make_room(&mut self, command: &PublishCommand) -> bool {
        self.link.with(|machine, now| machine.give_up_expired(now));
        if self.fits(command) {
            return true;
        }
        for _ in 0..self.victims(command).unwrap_or(0) {
            self.link.with(|machine, _| match self.plan.queue.overflow {
                Overflow::DropOldest => machine.evict_oldest(),
                Overflow::DropNewest => machine.evict_newest(),
                Overflow::Wait | Overflow::Refuse => None,
            });
        }
        self.fits(command)
    }

    /// How many messages have to give way, if that is enough.
    fn victims(&self, command: &PublishCommand) -> Option<usize> {
        let session = self.link.machine().session()?;
        let mut weights = session.unsent_weights();
        let (mut messages, mut bytes) = session.load();
        for count in 1.. {
            let weight = match self.plan.queue.overflow {
                Overflow::DropOldest => weights.next()?,
                Overflow::DropNewest => weights.next_back()?,
                Overflow::Wait | Overflow::Refuse => return None,
            };
            (messages, bytes) = (messages - 1, bytes - weight);
            if self.plan.queue.fits((messages, bytes), command.outgoing.message.weight()) {
                return Some(count);
            }
        }
        None
    }

    fn publish(&mut self, command: PublishCommand) {
        let PublishCommand { outgoing, made, until: _, admission, stored, reply } = command;
        let (qos, weight) = (outgoing.qos, outgoing.message.weight());
        let machine = self.link.machine();
        let has_place = qos != QoS::AtMostOnce || !machine.is_connected();
        let place = machine.session().filter(|_| has_place).map(|session| session.last_position() + 1);
        // Told when nothing stands in its way: who hears a place may rely on it.
        let wanted = move || admission.send(place).is_ok();
        let admitted =
            self.link.with(|machine, now| machine.publish_if(now, made.unwrap_or(now.wall), outgoing, wanted));
        if matches!(admitted, Ok(Admitted::Dropped)) {
            // Nobody wants it any more.
            return;
        }
        self.watch.admitted(&admitted, qos);
        let position = match admitted {
            Ok(Admitted::Sent(None)) => {
                self.replies.write(self.link.progress().0, weight, reply);
                None
            }
            Ok(Admitted::Sent(Some(position)) | Admitted::Queued(position)) => {
                self.replies.publish(position, qos, weight, reply);
                Some(position)
            }
            // The session's queue has no limit of its own here, so it is never full.
            Ok(Admitted::Dropped | Admitted::Full) => return,
            Err(limit) => {
                let topic = reply.topic.clone();
                return drop(reply.send(Err(PublishError::limit(topic, limit))));
            }
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
        self.outbox.gauge.set_unwritten(self.replies.unwritten_load());
        match self.exchange(cx) {
            Ok(None) => false,
            Ok(Some(seq)) => {
                self.link.with(|machine, _| machine.persisted(seq));
                true
            }
            Err(error) => {
                self.outbox.retire_store();
                self.store_failed(error);
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
            let reached = progress?;
            if reached <= durable {
                break;
            }
            durable = reached;
            while let Some((_, seq)) = outbox.given.pop_front_if(|&mut (number, _)| number <= durable) {
                safe = Some(seq);
            }
        }
        let up_to = outbox.given.front().map_or(u64::MAX, |&(number, _)| number - 1);
        outbox.stored(Some(up_to.max(durable)));
        Ok(safe)
    }
}
