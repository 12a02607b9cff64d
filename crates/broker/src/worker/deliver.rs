//! Mail, and deliveries to sessions of this worker.

use std::sync::Arc;

use gridmq_namespace::profile::Overflow;
use gridmq_proto::session::server::Session;
use gridmq_proto::session::{Admitted, Delivery, PublishToken, QueueLimits, Verdict};
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::{QoS, SharedMessage, TopicName};
use smallvec::SmallVec;

use super::hooked::Hooked;
use super::parts::Whom;
use super::{State, Worker};
use crate::directory::{Slot, SlotId, WorkerId};
use crate::events::{Dropped, Event};
use crate::mailbox::{Mail, Outcome, Routed, Target, Unable};
use crate::routed::RoutedAs;

/// What an entry in a machine's queue costs besides its message, in bytes.
const ENTRY: usize = 64;
/// Bytes of entries at which a machine's queue is encoded at once.
const DRAIN: usize = 128 * 1024;

/// For what has to be taken.
pub(super) const UNLIMITED: QueueLimits = QueueLimits { messages: usize::MAX, bytes: usize::MAX };

impl Worker {
    /// Handles one piece of mail from another worker.
    pub(super) fn receive(&mut self, now: Now, from: WorkerId, mail: Mail) {
        match mail {
            Mail::Deliver(routed) => self.on_deliver(now, from, *routed),
            Mail::Receipt { ticket, outcome } => self.on_receipt(ticket, outcome),
            Mail::Fence { slot, epoch, from: old } => self.on_fence(now, from, &slot, epoch, old),
            Mail::Passed { slot, epoch } => self.on_passed(from, slot, epoch),
            Mail::HandOver { slot, epoch, estate } => self.on_hand_over(now, slot, epoch, estate),
            Mail::Complete { slot, token, verdict, routed } => self.complete_away(&slot, token, verdict, routed),
            Mail::RulesChanged => self.rules_changed(),
            Mail::Stored => self.stored(),
            Mail::Order(order) => order.run(self),
            // The post starts connections itself.
            Mail::Accepted(_) => {}
        }
    }

    fn on_deliver(&mut self, now: Now, from: WorkerId, routed: Routed) {
        let Routed { message, expires_at, targets, ticket, origin } = routed;
        self.begin_message();
        self.parts.origin = origin;
        let mut outcome = Outcome::TAKEN;
        for target in targets {
            outcome.add(self.deliver(now, target, &message, expires_at));
        }
        match ticket {
            Some(ticket) => {
                self.wait_for_parts(Whom::Worker { to: from, ticket }, outcome, 0);
            }
            None => self.forget_parts(),
        }
        self.parts.origin = None;
    }

    /// Hands a message to a session, which is here or on the move.
    pub(super) fn deliver(
        &mut self,
        now: Now,
        target: Target,
        message: &SharedMessage,
        expires_at: Option<Wall>,
    ) -> Outcome {
        let Target { slot, epoch, qos, retain, identifiers, share, forced } = target;
        let replaced;
        let message = match self.ask_before_delivery(slot, message, qos, false) {
            Hooked::AsIs => message,
            Hooked::Withheld => return Outcome::TAKEN,
            Hooked::Other(other) => {
                replaced = other;
                &replaced
            }
        };
        let delivery = Delivery {
            message: message.clone(),
            qos,
            retain,
            subscription_identifiers: identifiers,
            expires_at,
            share: share.clone(),
        };
        let mut outcome = match self.deliver_moving(now, epoch, slot, delivery, forced) {
            Ok(outcome) => outcome,
            Err(delivery) => self.deliver_here(now, slot, delivery, forced),
        };
        if let Some(refused) = &mut outcome.refused {
            refused.by.add(slot, share.as_deref());
        }
        outcome
    }

    pub(super) fn deliver_here(&mut self, now: Now, slot: SlotId, delivery: Delivery, forced: bool) -> Outcome {
        let limit = self.shared.live.egress_bytes();
        let away = self.locals.get(&slot).is_some_and(|local| matches!(local.state, State::Offline(_)));
        let delivery = match away {
            // Its member has gone since it was chosen.
            true => match self.pass_on(now, slot, delivery, false) {
                Ok(outcome) => return outcome,
                Err(delivery) => delivery,
            },
            false => delivery,
        };
        let Some(local) = self.locals.get_mut(&slot) else {
            // Nobody waits for it any more, unless it is a group.
            return self.pass_on(now, slot, delivery, true).unwrap_or(Outcome::TAKEN);
        };
        let lasts = delivery.qos != QoS::AtMostOnce && !self.shared.volatile;
        let routed = self.parts.origin.clone().filter(|origin| origin.is_noted_at(delivery.qos));
        let routed = routed.map(|origin| (origin, delivery.share.clone()));
        let refuses = lasts && !forced && self.shared.store_state.is_down();
        let told = self.shared.events.is_heard().then(|| delivery.message.clone());
        let local_slot = Arc::clone(&local.slot);
        let (admitted, lasts) = match &mut local.state {
            State::Online(key) => {
                let key = *key;
                let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else {
                    return Outcome::TAKEN;
                };
                if delivery.qos == QoS::AtMostOnce && conn.outgoing.len() + conn.undrained > limit {
                    self.shared.counters.messages_dropped.one();
                    let (slot, topic) = (&local.slot, &delivery.message.message().topic);
                    self.shared.events.tell(|| dropped(slot, topic, Dropped::NotRead));
                    return Outcome::TAKEN;
                }
                let lasts = lasts && conn.machine.session().is_some_and(|session| session.expiry_interval() != 0);
                if lasts && refuses {
                    return Outcome::refused(Unable::Store);
                }
                conn.undrained += delivery.message.weight() + ENTRY;
                let crowded = conn.undrained > DRAIN && conn.machine.is_connected();
                let limits = conn.machine.session().map(Session::queue_limits).filter(|_| forced);
                if limits.is_some() {
                    conn.machine.set_queue_limits(UNLIMITED);
                }
                let admitted = conn.machine.deliver(now, delivery);
                if let Some(limits) = limits {
                    conn.machine.set_queue_limits(limits);
                }
                if lasts {
                    // Whoever published it waits until it is durable here.
                    self.journal.unread.push(key);
                }
                if crowded {
                    // Encoded it takes less room than as entries; nothing but sending lies ready.
                    self.drain(now, key);
                }
                self.wake(key);
                (admitted, lasts)
            }
            State::Offline(_) if refuses => return Outcome::refused(Unable::Store),
            State::Offline(session) => {
                let (namespace, client_id) = (local.slot.key.namespace, &local.slot.key.client_id);
                let draft = &mut self.journal.draft;
                // What is kept for long must not keep the read buffer that it came in.
                let delivery = detached(delivery);
                let mut take = |session: &mut Session, delivery| {
                    let limits = session.queue_limits();
                    if forced {
                        session.set_queue_limits(UNLIMITED);
                    }
                    let admitted =
                        session.deliver(now.wall, delivery, |record| draft.write(namespace, client_id, &record));
                    session.set_queue_limits(limits);
                    admitted
                };
                let admitted = take(session, delivery.clone());
                let full = admitted == Admitted::Full;
                let mut expired = Vec::new();
                let admitted = if full && session.drop_expired(now.wall, |record| expired.push(record)) > 0 {
                    // What has expired holds no place [MQTT-3.3.2-5].
                    let admitted = take(session, delivery);
                    for record in expired {
                        draft.write(namespace, client_id, &record);
                    }
                    admitted
                } else {
                    admitted
                };
                (admitted, lasts)
            }
            State::Arriving(_) | State::Away => return Outcome::TAKEN,
        };
        if admitted != Admitted::Full {
            if lasts && let Some((origin, share)) = routed {
                self.journal.draft.write_routed(&origin, &local_slot, share.as_deref());
            }
            return Outcome { stored: lasts, refused: None };
        }
        let rules = self.shared.realm.gate.load().session_limits();
        let limits = self
            .locals
            .get(&slot)
            .map_or(rules.offline_queue, |local| self.shared.insiders.queue(&local.slot.key.client_id, &rules));
        match limits.overflow {
            Overflow::EndSession => {
                self.overflow(slot);
                Outcome::TAKEN
            }
            _ => {
                if let (Some(local), Some(message)) = (self.locals.get(&slot), told) {
                    let topic = &message.message().topic;
                    self.shared.events.tell(|| dropped(&local.slot, topic, Dropped::QueueFull));
                }
                Outcome::refused(Unable::QueueFull)
            }
        }
    }

    /// Gives a message of a shared subscription, which its member has not seen, to another one; `Err` hands it back.
    pub(super) fn pass_on(
        &mut self,
        now: Now,
        slot: SlotId,
        delivery: Delivery,
        offline_too: bool,
    ) -> Result<Outcome, Delivery> {
        let Some(share) = &delivery.share else { return Err(delivery) };
        let message = delivery.message.message();
        let Some((other, target)) = self.another_member(share, message, delivery.qos, slot, offline_too) else {
            return Err(delivery);
        };
        self.shared.counters.messages_reassigned.one();
        Ok(self.send_to(now, &other, target, delivery.message, delivery.expires_at))
    }

    /// Sends one message to one session, wherever it is. What its worker will tell is an open part.
    pub(super) fn send_to(
        &mut self,
        now: Now,
        slot: &Arc<Slot>,
        mut target: Target,
        message: SharedMessage,
        expires_at: Option<Wall>,
    ) -> Outcome {
        let worker;
        (worker, target.epoch) = slot.place();
        if worker == self.id {
            return self.deliver(now, target, &message, expires_at);
        }
        let ticket = (target.qos != QoS::AtMostOnce).then(|| {
            let part = self.parts.open();
            self.await_receipt(part)
        });
        let targets = SmallVec::from_iter([target]);
        let routed = Routed { message, expires_at, targets, ticket, origin: self.parts.origin.clone() };
        self.post(worker, Mail::Deliver(Box::new(routed)), None);
        Outcome::TAKEN
    }

    /// The verdict on a publish whose connection has ended. Where its session has ended too, those who have the message
    /// need not be known any more.
    pub(super) fn complete_away(
        &mut self,
        slot: &Arc<Slot>,
        token: PublishToken,
        verdict: Verdict,
        routed: Option<RoutedAs>,
    ) {
        let Some(verdict) = self.complete_moving(slot.id, token, verdict, routed) else { return };
        let worker = slot.worker();
        let forward = |verdict| Mail::Complete { slot: Arc::clone(slot), token, verdict, routed };
        let Some(local) = self.locals.get_mut(&slot.id) else {
            if worker != self.id {
                self.post(worker, forward(verdict), None);
            } else {
                self.journal.draft.forget_routed(&self.shared.unfinished, slot, routed);
            }
            return;
        };
        match &mut local.state {
            State::Offline(session) => {
                if !session.awaits(token) {
                    self.journal.draft.forget_routed(&self.shared.unfinished, slot, routed);
                }
                let (namespace, client_id) = (local.slot.key.namespace, &local.slot.key.client_id);
                let draft = &mut self.journal.draft;
                session.complete_offline(token, verdict, |record| {
                    draft.write(namespace, client_id, &record);
                });
            }
            State::Online(key) => {
                let key = *key;
                if !self.conn(key).and_then(|conn| conn.machine.session()).is_some_and(|it| it.awaits(token)) {
                    self.journal.draft.forget_routed(&self.shared.unfinished, slot, routed);
                }
                self.complete_here(key, token, verdict);
            }
            State::Arriving(_) | State::Away if worker != self.id => {
                self.post(worker, forward(verdict), None);
            }
            State::Arriving(_) | State::Away => self.journal.draft.forget_routed(&self.shared.unfinished, slot, routed),
        }
    }
}

fn dropped(slot: &Slot, topic: &TopicName, why: Dropped) -> Event {
    Event::MessageDropped { client_id: slot.key.client_id.clone(), topic: topic.clone(), why }
}

fn detached(delivery: Delivery) -> Delivery {
    Delivery { message: SharedMessage::new(delivery.message.message().detached()), ..delivery }
}
