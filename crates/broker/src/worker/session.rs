//! The end of connections and of sessions, and wills.

use std::sync::Arc;
use std::time::Duration;

use gridmq_namespace::gate::DecisionCache;
use gridmq_proto::packet::Will;
use gridmq_proto::session::server::Session;
use gridmq_proto::session::{Delivery, End};
use gridmq_proto::time::{Monotonic, Now};
use gridmq_proto::{QoS, ReasonCode};

use super::publish::Routable;
use super::{ConnKey, Local, State, Worker, end_words};
use crate::directory::{Slot, SlotId};
use crate::mailbox::PendingWill;
use crate::observer::Occurrence;
use crate::revive::Revived;
use crate::tables::{self, SessionRow};

impl Worker {
    pub(super) fn on_ended(&mut self, now: Now, key: ConnKey, end: &End, will: Option<Box<Will>>) {
        let Some(conn) = self.conn(key) else { return };
        let from = conn.from;
        let Some(client) = conn.client.take() else {
            self.shared.counters.connections_refused.one();
            if !matches!(end, End::Refused(_)) {
                let why = end_words(end);
                tracing::info!(%from, why, "connection ended before its client was in");
                self.shared.observe(&Occurrence::Refused { from, why: &why });
            }
            return self.forget_waiting(key);
        };
        let session = conn.machine.take_session();
        let slot = client.slot;
        slot.set_online(false);
        self.shared.counters.clients_connected.less_one();
        let (client_id, why): (&str, _) = (&slot.key.client_id, end_words(end));
        tracing::info!(%from, client_id, why, "client disconnected");
        self.shared.observe(&Occurrence::Disconnected { connection: key.id, client_id, why: &why });
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        if !matches!(local.state, State::Online(current) if current == key) {
            return;
        }
        local.state = State::Away;
        local.will = will.map(|will| {
            let due = now.monotonic.after(Duration::from_secs(u64::from(will.delay_interval)));
            let (admission, credentials) = (client.admission.clone(), client.credentials.clone());
            (due, PendingWill { will, admission, credentials })
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
        self.settle(now, slot.id, session, Some(end));
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
    pub(super) fn settle(&mut self, now: Now, slot: SlotId, session: Session, end: Option<&End>) {
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let slot = Arc::clone(&local.slot);
        let interval = session.expiry_interval();
        let overflowed = matches!(end, Some(End::Closed(ReasonCode::QuotaExceeded)));
        if interval == 0 || overflowed {
            local.state = State::Offline(Box::new(session));
            return self.end_session(now, &slot);
        }
        let expires = (interval != u32::MAX).then(|| now.monotonic.after(Duration::from_secs(u64::from(interval))));
        local.expires = expires;
        local.state = State::Offline(Box::new(session));
        let will = local.will.as_ref().map(|&(due, _)| due);
        if let Some((admission, _)) = &local.admitted {
            let row = SessionRow {
                owner: admission.principal().authentication_name().to_string(),
                disconnected_at: Some(now.wall),
            };
            tables::write_session_row(&mut self.journal.batch, slot.key.namespace, &slot.key.client_id, &row);
        }
        for at in [expires, will].into_iter().flatten() {
            self.alarm(at, slot.id);
        }
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
        if let Some(session) = session {
            self.discard(now, slot, session);
        }
        let released = self.shared.directory.release(slot, self.id);
        if released {
            self.shared.counters.sessions.less_one();
        }
        if !keep {
            // Claimed meanwhile: the fence that is on its way finds nothing here, and says so.
            self.locals.remove(&slot.id);
        }
    }

    /// Takes up sessions that were stored.
    pub(super) fn adopt(&mut self, sessions: Vec<Revived>) {
        let now = self.now();
        for Revived { slot, session, expires_in } in sessions {
            let mut local = Local::new(Arc::clone(&slot), State::Offline(Box::new(session)));
            local.expires = expires_in.map(|rest| now.monotonic.after(rest));
            let expires = local.expires;
            self.locals.insert(slot.id, local);
            self.shared.counters.sessions.one();
            if let Some(at) = expires {
                self.alarm(at, slot.id);
            }
        }
    }

    /// Drops what a session holds: its subscriptions, its messages, its rows.
    pub(super) fn discard(&mut self, now: Now, slot: &Arc<Slot>, mut session: Session) {
        // Another member takes what this one of a shared subscription will not.
        self.reassign(now, slot, &mut session, true);
        self.fire_will(now, slot.id);
        if !session.subscriptions().is_empty() {
            self.shared.realm.index.update(|index| {
                for filter in session.subscriptions().keys() {
                    index.remove(filter, &slot.id);
                }
            });
        }
        if session.expiry_interval() != 0 {
            let (namespace, client_id) = (slot.key.namespace, &slot.key.client_id);
            tables::write(&mut self.journal.batch, namespace, client_id, &gridmq_proto::session::Record::Ended);
        }
    }

    /// A will whose session was taken over: due now if it has no delay, or if its session ends.
    pub(super) fn will_of_taken_over(&mut self, now: Now, slot: &Arc<Slot>, clean_start: bool) {
        let due = self
            .locals
            .get(&slot.id)
            .and_then(|local| local.will.as_ref())
            .is_some_and(|(_, pending)| clean_start || pending.will.delay_interval == 0);
        if due {
            self.fire_will(now, slot.id);
        }
    }

    /// Publishes the session's will, if it has one, judged by the rules as they are now.
    pub(super) fn fire_will(&mut self, now: Now, slot: SlotId) {
        let Some((_, pending)) = self.locals.get_mut(&slot).and_then(|local| local.will.take()) else { return };
        let PendingWill { will, admission, credentials } = pending;
        let realm = Arc::clone(&self.shared.realm);
        let gate = realm.gate.load();
        let topic = will.message.topic.clone();
        let judged = if admission.generation() == gate.generation() {
            Ok(admission)
        } else {
            gate.readmit(&admission, &credentials, now.wall).map_err(|refusal| refusal.to_string())
        };
        let routable = Routable { message: will.message, qos: will.qos, retain: will.retain };
        let mut cache = DecisionCache::with_capacity(0);
        let authorized = judged.and_then(|admission| {
            gate.publish(&admission, &mut cache, &topic, routable).map_err(|denied| denied.to_string())
        });
        match authorized {
            Ok(authorized) => {
                self.route(now, &realm, authorized, None);
            }
            Err(why) => tracing::warn!(%topic, why, "a will was not published"),
        }
    }

    /// Has the clerk look at a session at that time.
    pub(super) fn alarm(&mut self, at: Monotonic, slot: SlotId) {
        let first = self.alarms.first().is_none_or(|&(first, _)| at < first);
        self.alarms.insert((at, slot));
        if first {
            self.clerk.notify_one();
        }
    }

    /// Looks at every session whose time has come; answers when to come again.
    pub(super) fn ring(&mut self, now: Now) -> Option<Monotonic> {
        while let Some(&(at, slot)) = self.alarms.first() {
            if at > now.monotonic {
                return Some(at);
            }
            self.alarms.remove(&(at, slot));
            let Some(local) = self.locals.get_mut(&slot) else { continue };
            if !matches!(local.state, State::Offline(_)) {
                continue;
            }
            let slot = Arc::clone(&local.slot);
            let expired = local.expires.is_some_and(|at| at <= now.monotonic);
            let due = local.will.as_ref().is_some_and(|&(at, _)| at <= now.monotonic);
            if expired {
                tracing::info!(client_id = &*slot.key.client_id, "session expired");
                self.end_session(now, &slot);
            } else if due {
                self.fire_will(now, slot.id);
            }
        }
        self.commit();
        None
    }

    /// Ends a session because it holds more than it may; the client hears of it if it is there.
    pub(super) fn overflow(&mut self, now: Now, slot: SlotId) {
        let Some(local) = self.locals.get(&slot) else { return };
        let slot = Arc::clone(&local.slot);
        self.shared.counters.sessions_overflowed.one();
        tracing::warn!(client_id = &*slot.key.client_id, "session ended: its queue is full");
        match local.state {
            State::Online(key) => {
                if let Some(conn) = self.conn(key) {
                    let words = "the session's queue is full, so the session ends".into();
                    conn.machine.disconnect(ReasonCode::QuotaExceeded, Some(words));
                }
                self.wake(key);
            }
            State::Offline(_) => self.end_session(now, &slot),
            State::Arriving(_) | State::Away => {}
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
            self.another_member(share, delivery.message.message(), slot.id, ends)
        };
        let mut records = Vec::new();
        let orphans = session.take_out_offline(|delivery| other(delivery).is_some(), |record| records.push(record));
        let orphans: Vec<_> = orphans.into_iter().filter_map(|delivery| Some((other(&delivery)?, delivery))).collect();
        for record in records {
            tables::write(&mut self.journal.batch, slot.key.namespace, &slot.key.client_id, &record);
        }
        for ((other, target), delivery) in orphans {
            self.shared.counters.messages_reassigned.one();
            self.send_to(now, &other, target, delivery.message, delivery.expires_at);
        }
    }
}
