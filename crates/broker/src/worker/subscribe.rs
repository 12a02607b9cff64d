//! SUBSCRIBE and UNSUBSCRIBE, and the retained messages that follow.

use std::collections::BTreeSet;
use std::sync::Arc;

use gridmq_proto::packet::{RetainHandling, Subscribe, Unsubscribe};
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::{Admitted, Delivery};
use gridmq_proto::time::Now;
use gridmq_proto::topic::DEFAULT_MAX_LEVELS;
use gridmq_proto::{ReasonCode, SubscriptionFilter};
use smallvec::SmallVec;

use super::connect::bounded;
use super::{ConnKey, Scan, State, Worker};
use crate::directory::SlotId;
use crate::index::Entry;
use crate::observer::Occurrence;
use crate::retained::{Cursor, Query};

/// Retained topics looked at in one turn.
const SLICE: usize = 256;

impl Worker {
    pub(super) fn on_subscribe(&mut self, now: Now, key: ConnKey, subscribe: &Subscribe) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let (Some(client), Some(session)) = (&conn.client, conn.machine.session()) else { return };
        let realm = Arc::clone(&conn.realm);
        let slot = Arc::clone(&client.slot);
        let gate = realm.gate.load();
        let maximum_qos = gate.connection_limits().maximum_qos;
        let mut reasons = Vec::with_capacity(subscribe.filters.len());
        let mut words = Vec::new();
        let mut granted = Vec::new();
        let mut named = BTreeSet::new();
        let shared = &self.shared;
        let not_stored = session.expiry_interval() != 0 && !shared.volatile && shared.store_state.is_down();
        if not_stored {
            words.push(shared.store_state.words().to_owned());
        }
        for entry in &subscribe.filters {
            let filter = &entry.filter;
            if not_stored {
                reasons.push(ReasonCode::QuotaExceeded);
                continue;
            }
            if filter.filter().level_count() > DEFAULT_MAX_LEVELS {
                words.push(format!("'{filter}' has more than {DEFAULT_MAX_LEVELS} levels"));
                reasons.push(ReasonCode::TopicFilterInvalid);
                continue;
            }
            if session.subscriptions().len() + granted.len() >= self.shared.limits.subscriptions
                && !session.subscriptions().contains_key(filter)
            {
                words.push(format!("a session may have {} subscriptions", self.shared.limits.subscriptions));
                reasons.push(ReasonCode::QuotaExceeded);
                continue;
            }
            match gate.subscribe(&client.admission, filter) {
                Ok(allowed) => {
                    let filter = detached(allowed.into_inner());
                    let mut options = entry.options;
                    options.qos = options.qos.min(maximum_qos);
                    reasons.push(ReasonCode::granted(options.qos));
                    // The second of two equal ones finds the first [MQTT-3.8.4-5].
                    let is_new = named.insert(&entry.filter) && !session.subscriptions().contains_key(&filter);
                    granted.push((
                        filter,
                        Subscription { options, identifier: subscribe.subscription_identifier },
                        is_new,
                    ));
                }
                Err(denied) => {
                    let why = denied.to_string();
                    let client_id: &str = &slot.key.client_id;
                    tracing::warn!(client_id, %filter, why, "subscription not allowed");
                    self.shared.observe(&Occurrence::Denied { client_id, wanted: filter.as_str(), why: &why });
                    words.push(why);
                    reasons.push(denied.reason);
                }
            }
        }
        let version = if granted.is_empty() {
            0
        } else {
            realm.index.update(|index| {
                for (filter, subscription, _) in &granted {
                    let entry = Entry { slot: Arc::clone(&slot), subscription: *subscription };
                    index.insert(filter, slot.id, entry);
                }
            })
        };
        let words = (!words.is_empty()).then(|| bounded(words.join("; ")));
        let Some(conn) = self.conn(key) else { return };
        if !conn.machine.decide_subscribe(now, reasons, words) {
            return;
        }
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        // A shared subscription gets no retained messages (MQTT 5.0 §4.8.2).
        let wanted = granted.into_iter().filter(|(filter, subscription, is_new)| {
            let asked = match subscription.options.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => *is_new,
                RetainHandling::DoNotSend => false,
            };
            asked && filter.group().is_none()
        });
        let scans: Vec<_> = wanted
            .map(|(filter, subscription, _)| Scan { filter, subscription, version, cursor: Cursor::default() })
            .collect();
        // Asked again, the same filter begins anew: scans that wait for room are no more than the subscriptions.
        local.scans.retain(|waiting| scans.iter().all(|scan| scan.filter != waiting.filter));
        local.scans.extend(scans);
        self.scan(now, slot.id);
    }

    /// Sends one slice of the retained messages that a session's new subscriptions still get. `true`: there are more,
    /// and there is room for them.
    pub(super) fn scan(&mut self, now: Now, slot: SlotId) -> bool {
        let shared = Arc::clone(&self.shared);
        let Some(local) = self.locals.get_mut(&slot) else { return false };
        let State::Online(key) = local.state else { return false };
        let Some(scan) = local.scans.first_mut() else { return false };
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return false };
        let mut room = true;
        let namespace = local.slot.key.namespace;
        let limit = shared.limits.egress_bytes;
        let Scan { filter, subscription, version, cursor } = scan;
        let identifiers: SmallVec<_> = subscription.identifier.into_iter().collect();
        let qos = subscription.options.qos;
        let query = Query { namespace, filter: filter.filter(), version: *version, wall: now.wall };
        let mut expired = Vec::new();
        let ended = shared.retained.scan(&query, cursor, SLICE, &mut expired, |retained| {
            if conn.outgoing.len() + conn.undrained > limit {
                room = false;
                return false;
            }
            let delivery = Delivery {
                retain: true,
                subscription_identifiers: identifiers.clone(),
                expires_at: retained.expires_at,
                ..Delivery::new(retained.message.clone(), qos.min(retained.qos))
            };
            conn.undrained += retained.message.weight();
            room = conn.machine.deliver(now, delivery) != Admitted::Full;
            room
        });
        if ended {
            local.scans.remove(0);
        }
        let more = room && !local.scans.is_empty();
        for (namespace, topic) in expired {
            self.journal.draft.write_retained(namespace, topic);
        }
        self.wake(key);
        more
    }

    /// Goes on with retained messages now that the connection has written everything. `true`: there are more.
    pub(crate) fn resume_scans(&mut self, now: Now, key: ConnKey) -> bool {
        let Some(slot) = self.slot_of(key) else { return false };
        if self.locals.get(&slot).is_none_or(|local| local.scans.is_empty()) {
            return false;
        }
        let more = self.scan(now, slot);
        self.drain(now, key);
        more || self.conn(key).is_some_and(|conn| !conn.outgoing.is_empty())
    }

    pub(super) fn on_unsubscribe(&mut self, now: Now, key: ConnKey, unsubscribe: &Unsubscribe) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let (Some(client), Some(session)) = (&conn.client, conn.machine.session()) else { return };
        let realm = Arc::clone(&conn.realm);
        let slot = Arc::clone(&client.slot);
        // The second of two equal ones finds nothing [MQTT-3.10.4-6].
        let mut named = BTreeSet::new();
        let had: Vec<bool> = (unsubscribe.filters.iter())
            .map(|filter| named.insert(filter) && session.subscriptions().contains_key(filter))
            .collect();
        if had.contains(&true) {
            realm.index.update(|index| {
                for filter in &unsubscribe.filters {
                    index.remove(filter, &slot.id);
                }
            });
        }
        if let Some(local) = self.locals.get_mut(&slot.id) {
            local.scans.retain(|scan| !unsubscribe.filters.contains(&scan.filter));
        }
        let reasons = had
            .into_iter()
            .map(|had| if had { ReasonCode::Success } else { ReasonCode::NoSubscriptionExisted })
            .collect();
        if let Some(conn) = self.conn(key) {
            conn.machine.decide_unsubscribe(now, reasons);
        }
    }
}

/// In memory of its own: a slice would keep the whole read buffer of the SUBSCRIBE.
fn detached(filter: SubscriptionFilter) -> SubscriptionFilter {
    filter.detached()
}
