//! Sessions that move between workers.
//!
//! ```text
//!  new worker N                 every worker X              old worker O
//!  claims the slot (epoch e)
//!  ── Fence(e) ───────────────▶ ── Passed(e) ────────────▶  ends the connection with 0x8E
//!  ── Fence(e) ────────────────────────────────────────▶    takes what X sent before its pass
//!  holds what is routed to it                               all have passed:
//!  ◀───────────────────────────────── HandOver(e, session) ──
//!  applies what it held, in order; lets the client in
//! ```
//! Mail between two workers is first in, first out, and X routes to N once it has seen the fence. So when all have
//! passed, O has everything that was routed to it, and every message of a publisher arrives in its order.
//!
//! A session can move on before it has arrived, and come back to a worker that still has to give it away: each move
//! is known by its epoch, and a message belongs to the first move away after the epoch that it was routed in.

use std::sync::Arc;

use bytes::Bytes;
use gridmq_namespace::gate::{Admission, Credentials};
use gridmq_proto::session::server::{self, Session};
use gridmq_proto::session::{Delivery, PublishToken, QueueLimits, Verdict};
use gridmq_proto::time::Now;
use gridmq_proto::{QoS, ReasonCode};

use super::deliver::UNLIMITED;
use super::journal::AfterSubmission;
use super::parts::{PartId, Parts, Whom};
use super::{ConnKey, Local, State, Worker};
use crate::directory::{Slot, SlotId, WorkerId};
use crate::mailbox::{Estate, Mail, Outcome, Unable};
use crate::routed::{Origin, RoutedAs};

/// Messages held for a session that is on its way, and bytes; further ones are refused.
const HELD: usize = 10_000;
const HELD_BYTES: usize = 16 << 20;

/// A client whose session is on its way.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) key: ConnKey,
    pub(super) clean_start: bool,
    pub(super) assigned_client_id: bool,
    pub(super) expiry_interval: u32,
    pub(super) queue_limits: QueueLimits,
    /// Data that ends enhanced authentication.
    pub(super) authentication_data: Option<Bytes>,
    pub(super) welcome: server::Welcome,
    pub(super) admission: Admission,
    pub(super) credentials: Credentials,
}

/// A session that is on its way here.
#[derive(Debug)]
pub(super) struct Arriving {
    epoch: u64,
    pub(super) waiting: Option<Waiting>,
    held: Vec<Held>,
    held_bytes: usize,
}

/// What came for a session before the session.
#[derive(Debug)]
enum Held {
    /// And the part that ends when the session has it.
    Delivery(Delivery, Option<PartId>, Option<Origin>),
    Verdict(PublishToken, Verdict, Option<RoutedAs>),
}

/// A session that is on its way from here.
#[derive(Debug)]
pub(super) struct Leaving {
    epoch: u64,
    /// Unknown until its fence has come.
    to: Option<WorkerId>,
    /// One bit per worker.
    passed: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// It is here and can go when all have passed.
    Here(Box<Estate>),
    /// It has not arrived itself.
    Awaited(Box<Arriving>),
    /// It had ended.
    Nothing,
}

impl Arriving {
    fn hold(&mut self, delivery: Delivery, forced: bool, parts: &mut Parts) -> Outcome {
        if !forced && (self.held.len() >= HELD || self.held_bytes >= HELD_BYTES) {
            return Outcome::refused(Unable::QueueFull);
        }
        self.held_bytes += delivery.message.weight();
        // Who published it hears nothing before the session has it.
        let part = (delivery.qos != QoS::AtMostOnce).then(|| parts.open());
        let origin = parts.origin.clone().filter(|origin| origin.is_noted_at(delivery.qos));
        self.held.push(Held::Delivery(delivery, part, origin));
        Outcome::TAKEN
    }
}

impl Worker {
    /// Asks the session's last worker for it.
    pub(super) fn ask_for(&mut self, now: Now, slot: Arc<Slot>, from: WorkerId, epoch: u64, waiting: Waiting) {
        self.shared.counters.sessions_moved.one();
        if let Some(conn) = self.conn(waiting.key) {
            conn.awaiting = Some(slot.id);
        }
        let arriving = Arriving { epoch, waiting: Some(waiting), held: Vec::new(), held_bytes: 0 };
        // What is here was claimed by a worker whose fence has not come yet, and goes there.
        let kept = self.locals.get(&slot.id).filter(|local| !matches!(local.state, State::Away));
        if let Some(next) = kept.map(|local| local.epoch + 1) {
            self.leave(now, &slot, next, None);
        }
        let local = self.locals.entry(slot.id).or_insert_with(|| Local::new(Arc::clone(&slot), State::Away));
        local.epoch = epoch;
        local.state = State::Arriving(Box::new(arriving));
        for to in self.shared.workers() {
            if to != self.id {
                self.post(to, Mail::Fence { slot: Arc::clone(&slot), epoch, from }, None);
            }
        }
        // This worker routes nothing more to the old one.
        self.post(from, Mail::Passed { slot: slot.id, epoch }, None);
    }

    /// The session is another worker's now.
    pub(super) fn on_fence(&mut self, now: Now, to: WorkerId, slot: &Arc<Slot>, epoch: u64, from: WorkerId) {
        // What was published before is not for a session that takes its place.
        self.send_rest(now);
        if from != self.id {
            return self.post(from, Mail::Passed { slot: slot.id, epoch }, None);
        }
        self.leave(now, slot, epoch, Some(to));
        self.hand_over_if_complete(slot.id, epoch);
    }

    /// Begins the move away from here in that epoch, or tells the one that has begun where it goes.
    fn leave(&mut self, now: Now, slot: &Arc<Slot>, epoch: u64, to: Option<WorkerId>) {
        if let Some(local) = self.locals.get_mut(&slot.id)
            && let Some(begun) = local.leaving.iter_mut().find(|leaving| leaving.epoch == epoch)
        {
            begun.to = to;
            return;
        }
        // What is here now may have come later.
        let has_it = self.locals.get(&slot.id).is_some_and(|local| local.epoch + 1 == epoch);
        let what = if has_it { self.let_go(now, slot) } else { What::Nothing };
        let passed = self.early_passes.remove(&(slot.id, epoch)).unwrap_or(0) | 1 << self.id;
        let local = self.locals.entry(slot.id).or_insert_with(|| Local::new(Arc::clone(slot), State::Away));
        let place = local.leaving.partition_point(|leaving| leaving.epoch < epoch);
        local.leaving.insert(place, Leaving { epoch, to, passed, what });
    }

    /// Takes the session out of whatever state it is in here.
    fn let_go(&mut self, now: Now, slot: &Arc<Slot>) -> What {
        let Some(local) = self.locals.get_mut(&slot.id) else { return What::Nothing };
        local.expires = None;
        let session = match std::mem::replace(&mut local.state, State::Away) {
            State::Away => return What::Nothing,
            State::Arriving(mut arriving) => {
                if let Some(waiting) = arriving.waiting.take() {
                    self.refuse(now, waiting.key, overtaken());
                    self.wake(waiting.key);
                }
                return What::Awaited(arriving);
            }
            State::Offline(session) => Some(*session),
            State::Online(key) => {
                local.state = State::Online(key);
                let session = self.kick(now, key, slot);
                if let Some(local) = self.locals.get_mut(&slot.id) {
                    local.state = State::Away;
                }
                session
            }
        };
        let Some(session) = session else { return What::Nothing };
        let Some(local) = self.locals.get_mut(&slot.id) else { return What::Nothing };
        let will = local.will.take().map(|(_, will)| will);
        let scans = std::mem::take(&mut local.scans);
        let judged = local.judged;
        let admitted = local.admitted.clone();
        self.set_alarm(slot.id);
        What::Here(Box::new(Estate { session, will, scans, judged, admitted }))
    }

    /// Ends the connection that has the session, because another took it over; answers the session.
    pub(super) fn kick(&mut self, now: Now, key: ConnKey, slot: &Arc<Slot>) -> Option<Session> {
        let conn = self.conn(key)?;
        conn.machine.disconnect(ReasonCode::SessionTakenOver, None);
        self.drain(now, key);
        self.wake(key);
        // The end of the connection left the session offline here.
        let local = self.locals.get_mut(&slot.id)?;
        match std::mem::replace(&mut local.state, State::Away) {
            State::Offline(session) => Some(*session),
            other => {
                local.state = other;
                None
            }
        }
    }

    pub(super) fn on_passed(&mut self, from: WorkerId, slot: SlotId, epoch: u64) {
        let bit = 1u64 << from;
        let leaving = self
            .locals
            .get_mut(&slot)
            .and_then(|local| local.leaving.iter_mut().find(|leaving| leaving.epoch == epoch));
        match leaving {
            Some(leaving) => {
                leaving.passed |= bit;
                self.hand_over_if_complete(slot, epoch);
            }
            None => *self.early_passes.entry((slot, epoch)).or_default() |= bit,
        }
    }

    fn hand_over_if_complete(&mut self, slot: SlotId, epoch: u64) {
        let all = u64::MAX >> (64 - self.shared.inboxes.len().clamp(1, 64));
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let Some(index) = local.leaving.iter().position(|leaving| leaving.epoch == epoch) else { return };
        let to = local
            .leaving
            .get(index)
            .filter(|leaving| leaving.passed == all && !matches!(leaving.what, What::Awaited(_)))
            .and_then(|leaving| leaving.to);
        let Some(to) = to else { return };
        let Leaving { what, .. } = local.leaving.remove(index);
        if local.leaving.is_empty() && matches!(local.state, State::Away) {
            self.forget(slot);
        }
        let estate = match what {
            What::Here(estate) => Some(estate),
            What::Awaited(_) | What::Nothing => None,
        };
        // Not before what is stored of it here: what its new worker stores comes after that.
        self.after_submission(AfterSubmission::Post(to, Mail::HandOver { slot, epoch, estate }));
    }

    pub(super) fn on_hand_over(&mut self, now: Now, slot: SlotId, epoch: u64, estate: Option<Box<Estate>>) {
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let found = estate.is_some();
        if let State::Arriving(arriving) = &local.state
            && arriving.epoch == epoch
        {
            let State::Arriving(arriving) = std::mem::replace(&mut local.state, State::Away) else { return };
            let slot = Arc::clone(&local.slot);
            let Arriving { waiting, held, .. } = *arriving;
            let limits = waiting.as_ref().map(|waiting| waiting.queue_limits).unwrap_or_default();
            let estate = match estate {
                Some(estate) => Estate { session: self.apply_held(now, &slot, estate.session, held), ..*estate },
                None => {
                    self.give_away(now, slot.id, held);
                    empty(&slot, limits)
                }
            };
            let Estate { session, will, scans, judged, admitted } = estate;
            let Some(local) = self.locals.get_mut(&slot.id) else { return };
            local.scans = scans;
            local.judged = judged;
            local.admitted = admitted;
            local.will = will.map(|pending| {
                let delay = std::time::Duration::from_secs(u64::from(pending.will.delay_interval));
                (now.monotonic.after(delay), pending)
            });
            match waiting {
                Some(waiting) => {
                    let session = self.will_of_taken_over(now, &slot, waiting.clean_start, session);
                    self.accept(now, &slot, waiting, session, found);
                }
                None => self.settle(now, slot.id, session),
            }
            return;
        }
        // It is already expected elsewhere.
        let slot = Arc::clone(&local.slot);
        let awaited = local.leaving.iter_mut().find_map(|leaving| match &mut leaving.what {
            What::Awaited(arriving) if arriving.epoch == epoch => {
                let held = std::mem::take(&mut arriving.held);
                leaving.what = What::Nothing;
                Some((leaving.epoch, held))
            }
            _ => None,
        });
        let Some((next, held)) = awaited else { return };
        match estate {
            Some(estate) => {
                let session = self.apply_held(now, &slot, estate.session, held);
                let estate = Estate { session, ..*estate };
                let leaving = self
                    .locals
                    .get_mut(&slot.id)
                    .and_then(|local| local.leaving.iter_mut().find(|leaving| leaving.epoch == next));
                if let Some(leaving) = leaving {
                    leaving.what = What::Here(Box::new(estate));
                }
            }
            None => self.give_away(now, slot.id, held),
        }
        self.hand_over_if_complete(slot.id, next);
    }

    /// Does `what` while everything for a session that is at hand is held, and then has the session take it.
    pub(super) fn holding(
        &mut self,
        now: Now,
        slot: &Arc<Slot>,
        session: Session,
        what: impl FnOnce(&mut Self),
    ) -> Session {
        let Some(local) = self.locals.get_mut(&slot.id) else { return session };
        let epoch = local.epoch;
        local.state = State::Arriving(Box::new(Arriving { epoch, waiting: None, held: Vec::new(), held_bytes: 0 }));
        what(self);
        let Some(local) = self.locals.get_mut(&slot.id) else { return session };
        match std::mem::replace(&mut local.state, State::Away) {
            State::Arriving(arriving) => self.apply_held(now, slot, session, arriving.held),
            other => {
                local.state = other;
                session
            }
        }
    }

    fn apply_held(&mut self, now: Now, slot: &Arc<Slot>, mut session: Session, held: Vec<Held>) -> Session {
        let (namespace, client_id) = (slot.key.namespace, &slot.key.client_id);
        let lasts = session.expiry_interval() != 0 && !self.shared.volatile;
        let mut ended = Vec::new();
        let draft = &mut self.journal.draft;
        for held in held {
            match held {
                Held::Delivery(delivery, part, origin) => {
                    let share = delivery.share.clone();
                    // There was room for it when it was held.
                    let limits = session.queue_limits();
                    session.set_queue_limits(UNLIMITED);
                    let _admitted =
                        session.deliver(now.wall, delivery, |record| draft.write(namespace, client_id, &record));
                    session.set_queue_limits(limits);
                    if let Some(origin) = origin.filter(|_| lasts) {
                        draft.write_routed(&origin, slot, share.as_deref());
                    }
                    ended.extend(part);
                }
                Held::Verdict(token, verdict, routed) => {
                    if !session.awaits(token) {
                        draft.forget_routed(&self.shared.unfinished, slot, routed);
                    }
                    session.complete_offline(token, verdict, |record| draft.write(namespace, client_id, &record));
                }
            }
        }
        for part in ended {
            self.end_part(part, Outcome { stored: lasts, refused: None });
        }
        session
    }

    /// Drops what was held for a session that has ended, but for what other members of a group can have.
    fn give_away(&mut self, now: Now, slot: SlotId, held: Vec<Held>) {
        for held in held {
            let (delivery, part, origin) = match held {
                Held::Delivery(delivery, part, origin) => (delivery, part, origin),
                Held::Verdict(_, _, routed) => {
                    if let Some(local) = self.locals.get(&slot) {
                        self.journal.draft.forget_routed(&self.shared.unfinished, &local.slot, routed);
                    }
                    continue;
                }
            };
            self.parts.origin = origin;
            let outcome = self.pass_on(now, slot, delivery, true).unwrap_or(Outcome::TAKEN);
            self.parts.origin = None;
            match part {
                Some(part) => {
                    self.wait_for_parts(Whom::Part(part), outcome, 0);
                }
                None => self.forget_parts(),
            }
        }
    }

    /// Where a delivery that was routed in that epoch goes while the session moves: `Err` hands it back if it does
    /// not.
    pub(super) fn deliver_moving(
        &mut self,
        now: Now,
        epoch: u64,
        slot: SlotId,
        delivery: Delivery,
        forced: bool,
    ) -> Result<Outcome, Delivery> {
        let Some(local) = self.locals.get_mut(&slot) else { return Err(delivery) };
        if let Some(leaving) = local.leaving.iter_mut().find(|leaving| leaving.epoch > epoch) {
            if matches!(leaving.what, What::Nothing) {
                return Ok(self.pass_on(now, slot, delivery, true).unwrap_or(Outcome::TAKEN));
            }
            return Ok(match &mut leaving.what {
                What::Here(estate) => {
                    let (namespace, client_id) = (local.slot.key.namespace, &local.slot.key.client_id);
                    let draft = &mut self.journal.draft;
                    let share = delivery.share.clone();
                    let origin = self.parts.origin.as_ref().filter(|origin| origin.is_noted_at(delivery.qos));
                    let limits = estate.session.queue_limits();
                    if forced {
                        estate.session.set_queue_limits(UNLIMITED);
                    }
                    let admitted = estate.session.deliver(now.wall, delivery, |record| {
                        draft.write(namespace, client_id, &record);
                    });
                    estate.session.set_queue_limits(limits);
                    match admitted {
                        gridmq_proto::session::Admitted::Full => Outcome::refused(Unable::QueueFull),
                        _ => {
                            if let Some(origin) = origin {
                                draft.write_routed(origin, &local.slot, share.as_deref());
                            }
                            Outcome { stored: !self.shared.volatile, refused: None }
                        }
                    }
                }
                What::Awaited(arriving) => arriving.hold(delivery, forced, &mut self.parts),
                What::Nothing => Outcome::TAKEN,
            });
        }
        match &mut local.state {
            State::Arriving(arriving) => Ok(arriving.hold(delivery, forced, &mut self.parts)),
            _ => Err(delivery),
        }
    }

    /// As [`deliver_moving`](Self::deliver_moving), for a verdict. `Some` hands it back.
    pub(super) fn complete_moving(
        &mut self,
        slot: SlotId,
        token: PublishToken,
        verdict: Verdict,
        routed: Option<RoutedAs>,
    ) -> Option<Verdict> {
        let Some(local) = self.locals.get_mut(&slot) else { return Some(verdict) };
        let (namespace, client_id) = (local.slot.key.namespace, local.slot.key.client_id.clone());
        let draft = &mut self.journal.draft;
        match local.leaving.last_mut().map(|leaving| &mut leaving.what) {
            Some(What::Here(estate)) => {
                if !estate.session.awaits(token) {
                    draft.forget_routed(&self.shared.unfinished, &local.slot, routed);
                }
                estate.session.complete_offline(token, verdict, |record| {
                    draft.write(namespace, &client_id, &record);
                });
                return None;
            }
            Some(What::Awaited(arriving)) => {
                arriving.held.push(Held::Verdict(token, verdict, routed));
                return None;
            }
            Some(What::Nothing) | None => {}
        }
        match &mut local.state {
            State::Arriving(arriving) => {
                arriving.held.push(Held::Verdict(token, verdict, routed));
                None
            }
            _ => Some(verdict),
        }
    }
}

/// For a client that another one overtook while its session was on its way. 0x8E is not for CONNACK.
pub(super) fn overtaken() -> Verdict {
    let words = "another connection has taken the session over meanwhile".into();
    Verdict { words: Some(words), ..Verdict::from(ReasonCode::ServerBusy) }
}

fn empty(slot: &Slot, limits: QueueLimits) -> Estate {
    Estate {
        session: Session::new(slot.key.client_id.clone(), limits),
        will: None,
        scans: Vec::new(),
        judged: None,
        admitted: None,
    }
}
