//! The end of connections and of sessions, and wills.

use std::sync::Arc;
use std::time::Duration;

use gridmq_namespace::gate::DecisionCache;
use gridmq_proto::packet::Will;
use gridmq_proto::session::server::Session;
use gridmq_proto::session::{Delivery, End, Record};
use gridmq_proto::time::{Monotonic, Now};
use gridmq_proto::{QoS, ReasonCode};

use super::journal::AfterSubmission;
use super::parts::Whom;
use super::publish::Routable;
use super::{ConnKey, Local, State, Worker};
use crate::directory::{Slot, SlotId};
use crate::events::{EndedBy, Event};
use crate::hooks::SessionEnd;
use crate::mailbox::{Outcome, PendingWill, Target, Testator};
use crate::observer::Occurrence;
use crate::revive::Revived;
use crate::tables::{SessionRow, WillRow};

/// Sessions looked at in one turn of the clerk.
const RINGS: usize = 256;

impl Worker {
    pub(super) fn on_ended(&mut self, now: Now, key: ConnKey, end: &End, will: Option<Box<Will>>) {
        let caller = if self.shared.hooks.end.is_empty() { None } else { self.caller(key) };
        let Some(conn) = self.conn(key) else { return };
        if conn.fan_out.take().is_some() {
            // It may come back and publish more.
            self.send_rest(now);
        }
        let Some(conn) = self.conn(key) else { return };
        conn.pondering = None;
        conn.arrival = None;
        conn.challenge = None;
        let from = conn.from;
        let Some(client) = conn.client.take() else {
            self.shared.counters.connections_refused.one();
            if !matches!(end, End::Refused(_)) {
                self.shared.counters.refusals.count("ended");
                let why = end_words(end);
                tracing::info!(%from, why, "connection ended before its client was in");
                self.shared.observe(&Occurrence::Refused { from, why: &why });
                let reason = EndedBy::of(end).1;
                self.shared.events.tell(|| Event::Refused { from: from.to_string(), reason, why: why.clone() });
            }
            return self.forget_waiting(key);
        };
        let session = conn.machine.take_session();
        let put_out = conn.put_out;
        let slot = client.slot;
        slot.set_online(false);
        self.shared.counters.clients_connected.less_one();
        let (client_id, why): (&str, _) = (&slot.key.client_id, end_words(end));
        tracing::info!(%from, client_id, why, "client disconnected");
        self.shared.observe(&Occurrence::Disconnected { connection: key.id, client_id, why: &why });
        self.shared.events.tell(|| {
            let (by, reason) = EndedBy::of(end);
            Event::Disconnected {
                connection: key.id,
                client_id: slot.key.client_id.clone(),
                by: if put_out { EndedBy::Program } else { by },
                reason,
                why: why.clone(),
            }
        });
        if let Some(caller) = caller {
            self.shared.hooks.end.iter().for_each(|hook| hook.disconnected(&caller, &why));
        }
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        if !matches!(local.state, State::Online(current) if current == key) {
            return;
        }
        local.state = State::Away;
        if client.will_stored {
            let due = |will: &Will| now.wall.after(Duration::from_secs(u64::from(will.delay_interval)));
            let row = |will: &Will| WillRow { will: will.clone(), due: Some(due(will)) };
            self.journal.draft.write_will(&slot, || will.as_deref().map(row));
        }
        local.will = will.map(|will| {
            let due = now.monotonic.after(Duration::from_secs(u64::from(will.delay_interval)));
            let testator = Testator::Admitted(client.admission.clone(), client.credentials.clone());
            (due, PendingWill { will, testator, stored: client.will_stored })
        });
        let Some(mut session) = session else { return self.end_session(now, &slot) };
        self.reassign(now, &slot, &mut session, false);
        if matches!(end, End::Closed(ReasonCode::SessionTakenOver)) {
            // Whoever took it over decides what becomes of it.
            if let Some(local) = self.locals.get_mut(&slot.id) {
                local.state = State::Offline(Box::new(session));
            }
            return;
        }
        self.settle(now, slot.id, session);
    }

    /// A connection has gone that waited for a session on its way.
    fn forget_waiting(&mut self, key: ConnKey) {
        let Some(slot) = self.conn(key).and_then(|conn| conn.awaiting.take()) else { return };
        if let Some(State::Arriving(arriving)) = self.locals.get_mut(&slot).map(|local| &mut local.state)
            && arriving.waiting.as_ref().is_some_and(|waiting| waiting.key == key)
        {
            arriving.waiting = None;
        }
    }

    /// A session is without a connection: it waits for its client, or ends.
    pub(super) fn settle(&mut self, now: Now, slot: SlotId, session: Session) {
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let slot = Arc::clone(&local.slot);
        // DISCONNECT may have asked for more than the rules allow.
        let maximum = self.shared.realm.gate.load().session_limits().maximum_expiry.as_secs();
        let interval = session.expiry_interval().min(u32::try_from(maximum).unwrap_or(u32::MAX));
        if interval == 0 || local.overflowed || local.ending.is_some() {
            local.state = State::Offline(Box::new(session));
            return self.end_session(now, &slot);
        }
        let expires = (interval != u32::MAX).then(|| now.monotonic.after(Duration::from_secs(u64::from(interval))));
        local.expires = expires;
        local.state = State::Offline(Box::new(session));
        let will = local.will.as_ref().map(|&(due, _)| due);
        if let Some((admission, _)) = &local.admitted {
            let name = admission.principal().authentication_name();
            let row = || SessionRow { owner: name.to_string(), disconnected_at: Some(now.wall) };
            self.journal.draft.write_session_row(&slot, row);
        }
        self.set_alarm(slot.id);
        if will.is_some_and(|due| due <= now.monotonic) {
            self.fire_will(now, slot.id);
        }
    }

    /// Ends a session that has no connection: its will fires, its subscriptions and messages go.
    pub(super) fn end_session(&mut self, now: Now, slot: &Arc<Slot>) {
        self.fire_will(now, slot.id);
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        let session = match std::mem::replace(&mut local.state, State::Away) {
            State::Offline(session) => Some(*session),
            State::Away => None,
            other => {
                local.state = other;
                return;
            }
        };
        let keep = !local.leaving.is_empty();
        let why = if local.overflowed { SessionEnd::Overflowed } else { SessionEnd::WithConnection };
        let why = local.ending.unwrap_or(why);
        if let Some(session) = session {
            self.discard(now, slot, session);
            self.tell_session_ended(slot, why);
        }
        // Not before its rows are on their way out: they would take those of a new session along.
        self.after_submission(AfterSubmission::Release(Arc::clone(slot)));
        if !keep {
            // Claimed meanwhile: the fence that is on its way finds nothing here, and says so.
            self.forget(slot.id);
        }
    }

    pub(super) fn tell_session_ended(&self, slot: &Slot, end: SessionEnd) {
        let client_id = &slot.key.client_id;
        self.shared.hooks.end.iter().for_each(|hook| hook.session_ended(client_id, end));
        self.shared.events.tell(|| Event::SessionEnded { client_id: client_id.clone(), end });
    }

    /// Takes up sessions that were stored.
    pub(super) fn adopt(&mut self, sessions: Vec<Revived>) {
        let now = self.now();
        for Revived { slot, session, expires_in, will } in sessions {
            let mut local = Local::new(Arc::clone(&slot), State::Offline(Box::new(session)));
            local.expires = expires_in.map(|rest| now.monotonic.after(rest));
            local.will = will.map(|(left, will)| (now.monotonic.after(left), will));
            self.locals.insert(slot.id, local);
            self.shared.counters.sessions.one();
            self.set_alarm(slot.id);
        }
        if self.id == 0 {
            let wills = self.shared.unfinished.take_wills();
            self.fire_again(now, wills);
        }
    }

    /// Drops what a session holds: its subscriptions, its messages, its rows.
    pub(super) fn discard(&mut self, now: Now, slot: &Arc<Slot>, mut session: Session) {
        // Another member takes what this one of a shared subscription will not.
        self.reassign(now, slot, &mut session, true);
        self.fire_will(now, slot.id);
        if let Some(local) = self.locals.get_mut(&slot.id) {
            local.incarnation += 1;
        }
        if !session.subscriptions().is_empty() {
            self.shared.realm.index.update(|index| {
                for filter in session.subscriptions().keys() {
                    index.remove(filter, &slot.id);
                }
            });
        }
        if session.expiry_interval() != 0 {
            self.shared.unfinished.forget_session(slot.id);
            let (namespace, client_id) = (slot.key.namespace, &slot.key.client_id);
            self.journal.draft.write(namespace, client_id, &Record::Ended);
        }
    }

    /// A will whose session was taken over: due now if it has no delay, or if its session ends. The session may
    /// subscribe to it.
    pub(super) fn will_of_taken_over(
        &mut self,
        now: Now,
        slot: &Arc<Slot>,
        clean_start: bool,
        session: Session,
    ) -> Session {
        let due = self
            .locals
            .get(&slot.id)
            .and_then(|local| local.will.as_ref())
            .is_some_and(|(_, pending)| clean_start || pending.will.delay_interval == 0);
        if due { self.holding(now, slot, session, |worker| worker.fire_will(now, slot.id)) } else { session }
    }

    /// Publishes the session's will, if it has one, judged by the rules as they are now.
    pub(super) fn fire_will(&mut self, now: Now, slot: SlotId) {
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let Some((_, PendingWill { will, testator, stored })) = local.will.take() else { return };
        if stored {
            self.journal.draft.write_will(&local.slot, || None);
        }
        let client_id = local.slot.key.client_id.clone();
        let realm = Arc::clone(&self.shared.realm);
        let gate = realm.gate.load();
        let topic = will.message.topic.clone();
        let judged = match testator {
            Testator::Admitted(admission, _) if admission.generation() == gate.generation() => Ok(admission),
            Testator::Admitted(admission, credentials) => gate.readmit(&admission, &credentials, now.wall),
            Testator::Stored(name) => gate.readmit_stored(&name, &client_id, now.wall),
        };
        let judged = judged.map_err(|refusal| refusal.to_string());
        let routable = Routable { message: will.message, qos: will.qos, retain: will.retain };
        let mut cache = DecisionCache::with_capacity(0);
        let authorized = judged.and_then(|admission| {
            let authorized = gate.publish(&admission, &mut cache, &topic, routable);
            authorized.map(|authorized| (admission, authorized)).map_err(|denied| denied.to_string())
        });
        match authorized {
            Ok((admission, authorized)) => {
                if let Some(authorized) = self.ask_about_will(slot, &admission, authorized) {
                    self.route_will(now, &realm, authorized, stored);
                }
            }
            Err(why) => tracing::warn!(%topic, why, "a will was not published"),
        }
    }

    /// Has the clerk look at a session when its will is due or it expires, and at no other time.
    pub(super) fn set_alarm(&mut self, slot: SlotId) {
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let offline = matches!(local.state, State::Offline(_));
        let will = local.will.as_ref().map(|&(due, _)| due);
        let next = [local.expires, will].into_iter().flatten().min().filter(|_| offline);
        let before = std::mem::replace(&mut local.alarm, next);
        if before == next {
            return;
        }
        if let Some(at) = before {
            self.alarms.remove(&(at, slot));
        }
        if let Some(at) = next {
            if self.alarms.first().is_none_or(|&(first, _)| at < first) {
                self.clerk.notify_one();
            }
            self.alarms.insert((at, slot));
        }
    }

    /// Forgets a session that is no longer here.
    pub(super) fn forget(&mut self, slot: SlotId) {
        if let Some(at) = self.locals.remove(&slot).and_then(|local| local.alarm) {
            self.alarms.remove(&(at, slot));
        }
    }

    /// Looks at sessions whose time has come, some in one turn; answers when to come again.
    pub(super) fn ring(&mut self, now: Now) -> Option<Monotonic> {
        for _ in 0..RINGS {
            let Some(&(at, slot)) = self.alarms.first().filter(|&&(at, _)| at <= now.monotonic) else { break };
            self.alarms.remove(&(at, slot));
            let Some(local) = self.locals.get_mut(&slot) else { continue };
            local.alarm = None;
            if !matches!(local.state, State::Offline(_)) {
                continue;
            }
            let slot = Arc::clone(&local.slot);
            if local.expires.is_some_and(|at| at <= now.monotonic) {
                tracing::info!(client_id = &*slot.key.client_id, "session expired");
                local.ending = Some(SessionEnd::Expired);
                self.end_session(now, &slot);
            } else {
                self.fire_will(now, slot.id);
                self.set_alarm(slot.id);
            }
        }
        self.commit();
        self.alarms.first().map(|&(at, _)| at)
    }

    /// Has a session end because it holds more than it may. It ends with the turn: its will may overflow others.
    pub(super) fn overflow(&mut self, slot: SlotId) {
        let Some(local) = self.locals.get_mut(&slot) else { return };
        if !std::mem::replace(&mut local.overflowed, true) {
            self.overflowed.push_back(slot);
        }
    }

    /// Ends sessions that hold more than they may; a client hears of it if it is there.
    pub(super) fn end_overflowed(&mut self) {
        while let Some(slot) = self.overflowed.pop_front() {
            let Some(local) = self.locals.get(&slot) else { continue };
            let now = self.now();
            let slot = Arc::clone(&local.slot);
            self.shared.counters.sessions_overflowed.one();
            tracing::warn!(client_id = &*slot.key.client_id, "session ended: its queue is full");
            self.shared.observe(&Occurrence::Overflowed { client_id: &slot.key.client_id });
            match local.state {
                State::Online(key) => {
                    if let Some(conn) = self.conn(key) {
                        let words = "the session's queue is full, so the session ends".into();
                        conn.machine.disconnect(ReasonCode::QuotaExceeded, Some(words));
                    }
                    self.drain(now, key);
                    self.wake(key);
                }
                State::Offline(_) => self.end_session(now, &slot),
                State::Arriving(_) | State::Away => {}
            }
        }
    }

    /// Gives messages of shared subscriptions that a member did not acknowledge to another that is there, or to any
    /// other if the member's session `ends`. QoS 2 stays with the member that it was sent to [MQTT-4.8.2-4],
    /// [MQTT-4.8.2-5].
    pub(super) fn reassign(&mut self, now: Now, slot: &Arc<Slot>, session: &mut Session, ends: bool) {
        if !session.subscriptions().keys().any(|filter| filter.group().is_some()) {
            return;
        }
        let other = |delivery: &Delivery| {
            let share = delivery.share.as_ref().filter(|_| delivery.qos != QoS::ExactlyOnce)?;
            self.another_member(share, delivery.message.message(), delivery.qos, slot.id, ends)
        };
        let mut records = Vec::new();
        let orphans = session.take_out_offline(|delivery| other(delivery).is_some(), |record| records.push(record));
        let orphans: Vec<_> = orphans.into_iter().filter_map(|delivery| Some((other(&delivery)?, delivery))).collect();
        let mut outcome = Outcome::TAKEN;
        for ((other, target), delivery) in orphans {
            self.shared.counters.messages_reassigned.one();
            // It was acknowledged long ago: it is taken, full queue or not.
            let target = Target { forced: true, ..target };
            outcome.add(self.send_to(now, &other, target, delivery.message, delivery.expires_at));
        }
        if self.has_no_open_parts() {
            for record in records {
                self.journal.draft.write(slot.key.namespace, &slot.key.client_id, &record);
            }
            return;
        }
        let incarnation = self.locals.get(&slot.id).map_or(0, |local| local.incarnation);
        self.wait_for_parts(Whom::Giver { slot: Arc::clone(slot), incarnation, records }, outcome, 0);
    }
}

/// Why a connection ended, for people.
pub(super) fn end_words(end: &End) -> String {
    match end {
        End::PeerDisconnected(reason) => format!("the client sent DISCONNECT: {reason}"),
        End::ConnectionLost => "the connection was closed without DISCONNECT".to_owned(),
        End::Violation(violation) => format!("the client broke the protocol: {violation}"),
        End::KeepAliveTimeout => "nothing came within one and a half keep-alive intervals".to_owned(),
        End::Deadline(stage) => format!("a deadline passed: {stage:?}"),
        End::Refused(reason) => format!("refused: {reason}"),
        End::Closed(reason) => format!("closed by the broker: {reason}"),
        _ => "ended".to_owned(),
    }
}
