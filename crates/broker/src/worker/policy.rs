//! After a change of rules everybody is judged again, in slices; when a proof ends, its client.

use std::sync::Arc;
use std::time::Duration;

use gridmq_namespace::Admission;
use gridmq_proto::ReasonCode;
use gridmq_proto::time::{Monotonic, Now};

use super::connect::bounded;
use super::{ConnKey, State, Worker};
use crate::directory::SlotId;
use crate::hooks::SessionEnd;

/// Sessions judged in one turn.
const SLICE: usize = 64;

impl Worker {
    pub(super) fn rules_changed(&mut self) {
        self.rejudge = self.locals.keys().copied().collect();
        self.clerk.notify_one();
    }

    /// What proved who a connection's client is has ended: it stays if the rules still let it in.
    pub(super) fn proof_ended(&mut self, now: Now, key: ConnKey) {
        let Some(conn) = self.conn(key) else { return };
        conn.proof_ends = None;
        let Some(slot) = self.slot_of(key) else { return };
        if let Some(local) =
            self.locals.get_mut(&slot).filter(|local| matches!(local.state, State::Online(it) if it == key))
        {
            local.judged = None;
            self.judge(now, slot);
        }
    }

    /// Judges some sessions again. `true`: there are more.
    pub(super) fn judge_slice(&mut self, now: Now) -> bool {
        for _ in 0..SLICE {
            let Some(slot) = self.rejudge.pop_front() else { break };
            self.judge(now, slot);
        }
        self.commit();
        !self.rejudge.is_empty()
    }

    /// Ends what is no longer allowed: the client's connection if it would not be let in now or has lost a
    /// subscription, and a session without a connection if its client would not be let in. A will is judged when it
    /// fires.
    fn judge(&mut self, now: Now, slot: SlotId) {
        let realm = Arc::clone(&self.shared.realm);
        let gate = realm.gate.load();
        let Some(local) = self.locals.get_mut(&slot) else { return };
        let Some((admission, credentials)) = &mut local.admitted else { return };
        if local.judged == Some(gate.generation()) {
            return;
        }
        let slot = Arc::clone(&local.slot);
        let client_id: &str = &slot.key.client_id;
        match gate.readmit(admission, credentials, now.wall) {
            Ok(renewed) => {
                *admission = renewed;
                local.judged = Some(gate.generation());
            }
            Err(refusal) => {
                let why = refusal.to_string();
                local.ending = Some(SessionEnd::NotAdmitted).filter(|_| matches!(local.state, State::Offline(_)));
                tracing::info!(client_id, why, "client no longer admitted");
                match local.state {
                    State::Online(key) => {
                        if let Some(conn) = self.conn(key) {
                            conn.machine.disconnect(refusal.reason, Some(bounded(why)));
                        }
                        self.drain(now, key);
                        self.wake(key);
                    }
                    State::Offline(_) => self.end_session(now, &slot),
                    State::Arriving(_) | State::Away => {}
                }
                return;
            }
        }
        let admission = admission.clone();
        let filters: Vec<_> = match &local.state {
            State::Online(key) => {
                let conn = self.conns.get(key.place).filter(|conn| conn.id == key.id);
                conn.and_then(|conn| conn.machine.session())
                    .map(|session| session.subscriptions().keys().cloned().collect())
                    .unwrap_or_default()
            }
            State::Offline(session) => session.subscriptions().keys().cloned().collect(),
            State::Arriving(_) | State::Away => return,
        };
        let lost: Vec<_> = filters.into_iter().filter(|filter| gate.subscribe(&admission, filter).is_err()).collect();
        if !lost.is_empty() {
            realm.index.update(|index| {
                for filter in &lost {
                    index.remove(filter, &slot.id);
                }
            });
        }
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        local.scans.retain(|scan| !lost.contains(&scan.filter));
        match &mut local.state {
            State::Online(key) => {
                let key = *key;
                if let Some(conn) = self.conn(key) {
                    conn.proof_ends = proof_end(now, &admission);
                    if let Some(client) = &mut conn.client {
                        client.admission = admission;
                    }
                    for filter in &lost {
                        conn.machine.drop_subscription(filter);
                    }
                    if let Some(filter) = lost.first() {
                        let words = format!("the subscription '{filter}' is no longer allowed");
                        tracing::info!(client_id, %filter, "subscription no longer allowed");
                        conn.machine.disconnect(ReasonCode::NotAuthorized, Some(bounded(words)));
                    }
                }
                self.drain(now, key);
                self.wake(key);
            }
            State::Offline(session) => {
                let draft = &mut self.journal.draft;
                for filter in &lost {
                    session.drop_subscription(filter, |record| {
                        draft.write(slot.key.namespace, &slot.key.client_id, &record);
                    });
                }
            }
            State::Arriving(_) | State::Away => {}
        }
    }
}

/// When a client has to be judged again since its proof ends; a second from now at the earliest, should the rules let in
/// whose proof has ended.
pub(super) fn proof_end(now: Now, admission: &Admission) -> Option<Monotonic> {
    let ends = admission.principal().expires_at()?;
    Some(now.monotonic.after(ends.since(now.wall).max(Duration::from_secs(1))))
}

#[cfg(test)]
mod tests;
