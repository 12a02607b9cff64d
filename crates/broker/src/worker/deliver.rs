//! Mail, and deliveries to sessions of this worker.

use std::sync::Arc;

use gridmq_namespace::profile::Overflow;
use gridmq_proto::session::{Admitted, Delivery, PublishToken, Verdict};
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::{QoS, SharedMessage};
use smallvec::SmallVec;

use super::journal::Dependent;
use super::{State, Worker};
use crate::directory::{Slot, SlotId, WorkerId};
use crate::mailbox::{Mail, Outcome, Routed, Target};
use crate::tables;

impl Worker {
    /// Handles one piece of mail from another worker.
    pub(super) fn receive(&mut self, from: WorkerId, mail: Mail) {
        let now = self.now();
        match mail {
            Mail::Deliver(routed) => self.on_deliver(now, from, *routed),
            Mail::Receipt { ticket, outcome } => self.on_receipt(ticket, outcome),
            Mail::Fence { slot, epoch, from: old } => self.on_fence(now, from, &slot, epoch, old),
            Mail::Passed { slot, epoch } => self.on_passed(from, slot, epoch),
            Mail::HandOver { slot, epoch, estate } => self.on_hand_over(now, slot, epoch, estate),
            Mail::Complete { slot, token, verdict } => self.complete_away(slot, token, verdict),
            Mail::RulesChanged => self.rules_changed(),
            Mail::Stored => self.stored(),
            // The post starts connections itself.
            Mail::Accepted(_) => {}
        }
        self.commit();
    }

    fn on_deliver(&mut self, now: Now, from: WorkerId, routed: Routed) {
        let Routed { message, expires_at, targets, ticket } = routed;
        let mut outcome = Outcome::Taken;
        for target in targets {
            if self.deliver(now, from, target, &message, expires_at) == Outcome::Full {
                outcome = Outcome::Full;
            }
        }
        if let Some(ticket) = ticket {
            self.after_batch(Dependent::Receipt { to: from, ticket, outcome });
        }
    }

    /// Hands a message to a session, which is here or on the move. `from`: the worker that routed it.
    pub(super) fn deliver(
        &mut self,
        now: Now,
        from: WorkerId,
        target: Target,
        message: &SharedMessage,
        expires_at: Option<Wall>,
    ) -> Outcome {
        let Target { slot, qos, retain, identifiers, share } = target;
        let delivery = Delivery {
            message: message.clone(),
            qos,
            retain,
            subscription_identifiers: identifiers,
            expires_at,
            share,
        };
        match self.deliver_moving(now, from, slot, delivery) {
            Ok(outcome) => outcome,
            Err(delivery) => self.deliver_here(now, slot, delivery),
        }
    }

    pub(super) fn deliver_here(&mut self, now: Now, slot: SlotId, delivery: Delivery) -> Outcome {
        let limit = self.shared.limits.egress_bytes;
        let Some(local) = self.locals.get_mut(&slot) else { return Outcome::Taken };
        let admitted = match &mut local.state {
            State::Online(key) => {
                let key = *key;
                let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else {
                    return Outcome::Taken;
                };
                if delivery.qos == QoS::AtMostOnce && conn.outgoing.len() + conn.undrained > limit {
                    self.shared.counters.messages_dropped.one();
                    return Outcome::Taken;
                }
                conn.undrained += delivery.message.weight();
                let admitted = conn.machine.deliver(now, delivery);
                self.wake(key);
                admitted
            }
            State::Offline(session) => {
                let (namespace, client_id) = (local.slot.key.namespace, &local.slot.key.client_id);
                let batch = &mut self.journal.batch;
                // What is kept for long must not keep the read buffer that it came in.
                let delivery = detached(delivery);
                session.deliver(now.wall, delivery, |record| tables::write(batch, namespace, client_id, &record))
            }
            State::Arriving(_) | State::Away => return Outcome::Taken,
        };
        if admitted != Admitted::Full {
            return Outcome::Taken;
        }
        match self.shared.realm.gate.load().session_limits().offline_queue.overflow {
            Overflow::EndSession => {
                self.overflow(now, slot);
                Outcome::Taken
            }
            _ => Outcome::Full,
        }
    }

    /// Sends one message to one session, wherever it is; nobody waits to hear of it.
    pub(super) fn send_to(
        &mut self,
        now: Now,
        slot: &Arc<Slot>,
        target: Target,
        message: SharedMessage,
        expires_at: Option<Wall>,
    ) {
        let worker = slot.worker();
        if worker == self.id {
            self.deliver(now, self.id, target, &message, expires_at);
            return;
        }
        let targets = SmallVec::from_iter([target]);
        self.post(worker, Mail::Deliver(Box::new(Routed { message, expires_at, targets, ticket: None })), None);
    }

    /// The verdict on a publish whose connection has ended.
    pub(super) fn complete_away(&mut self, slot: SlotId, token: PublishToken, verdict: Verdict) {
        let Some(verdict) = self.complete_moving(slot, token, verdict) else { return };
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let worker = local.slot.worker();
        match &mut local.state {
            State::Offline(session) => {
                let (namespace, client_id) = (local.slot.key.namespace, &local.slot.key.client_id);
                let batch = &mut self.journal.batch;
                session.complete_offline(token, verdict, |record| {
                    tables::write(batch, namespace, client_id, &record);
                });
            }
            State::Online(key) => {
                let key = *key;
                if let Some(conn) = self.conn(key) {
                    conn.machine.complete(token, verdict);
                }
                self.wake(key);
            }
            State::Arriving(_) | State::Away if worker != self.id => {
                self.post(worker, Mail::Complete { slot, token, verdict }, None);
            }
            State::Arriving(_) | State::Away => {}
        }
    }
}

fn detached(delivery: Delivery) -> Delivery {
    Delivery { message: SharedMessage::new(delivery.message.message().detached()), ..delivery }
}
