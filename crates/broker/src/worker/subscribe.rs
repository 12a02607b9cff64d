//! SUBSCRIBE and UNSUBSCRIBE, and the retained messages that follow.

use std::collections::BTreeSet;
use std::sync::Arc;

use gridmq_proto::packet::{AckProperties, RetainHandling, Subscribe, SubscribeOptions, Unsubscribe};
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::{Admitted, Delivery};
use gridmq_proto::time::Now;
use gridmq_proto::topic::DEFAULT_MAX_LEVELS;
use gridmq_proto::{ReasonCode, SubscriptionFilter};
use smallvec::SmallVec;

use super::connect::bounded;
use super::hooked::{Hooked, ask_to_deliver};
use super::{ConnKey, Scan, State, Worker};
use crate::directory::SlotId;
use crate::events::Event;
use crate::hooks::Refused;
use crate::index::Entry;
use crate::observer::Occurrence;
use crate::retained::{Cursor, Query};

/// Retained topics looked at in one turn.
const SLICE: usize = 256;

impl Worker {
    pub(super) fn on_subscribe(&mut self, now: Now, key: ConnKey, subscribe: Box<Subscribe>) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let (Some(client), Some(session)) = (&conn.client, conn.machine.session()) else { return };
        let slot = Arc::clone(&client.slot);
        let gate = conn.realm.gate.load();
        let maximum_qos = gate.connection_limits().maximum_qos;
        let mut judged = Vec::with_capacity(subscribe.filters.len());
        let mut granted = 0;
        let shared = &self.shared;
        let not_stored = session.expiry_interval() != 0 && !shared.volatile && shared.store_state.is_down();
        for entry in &subscribe.filters {
            let filter = &entry.filter;
            let outcome = if not_stored {
                Err(Refused::new(ReasonCode::QuotaExceeded).words(shared.store_state.words().to_owned()))
            } else if filter.filter().level_count() > DEFAULT_MAX_LEVELS {
                let words = format!("'{filter}' has more than {DEFAULT_MAX_LEVELS} levels");
                Err(Refused::new(ReasonCode::TopicFilterInvalid).words(words))
            } else if session.subscriptions().len() + granted >= self.shared.live.subscriptions()
                && !session.subscriptions().contains_key(filter)
            {
                let words = format!("a session may have {} subscriptions", self.shared.live.subscriptions());
                Err(Refused::new(ReasonCode::QuotaExceeded).words(words))
            } else {
                match gate.subscribe(&client.admission, filter) {
                    Ok(_allowed) => {
                        granted += 1;
                        Ok(SubscribeOptions { qos: entry.options.qos.min(maximum_qos), ..entry.options })
                    }
                    Err(denied) => {
                        let why = denied.to_string();
                        let client_id: &str = &slot.key.client_id;
                        tracing::warn!(client_id, %filter, why, "subscription not allowed");
                        self.shared.observe(&Occurrence::Denied { client_id, wanted: filter.as_str(), why: &why });
                        self.shared.events.tell(|| Event::Denied {
                            client_id: slot.key.client_id.clone(),
                            wanted: filter.to_string(),
                            why: why.clone(),
                        });
                        Err(Refused::new(denied.reason).words(why))
                    }
                }
            };
            judged.push(outcome);
        }
        if self.shared.hooks.subscribe.is_empty() && self.shared.hooks.subscribe_later.is_empty() {
            self.subscribe_judged(now, key, &subscribe, judged);
        } else {
            self.ask_before_subscribing(now, key, subscribe, judged);
        }
    }

    /// Makes the subscriptions that are granted, and answers. One outcome per filter.
    pub(super) fn subscribe_judged(
        &mut self,
        now: Now,
        key: ConnKey,
        subscribe: &Subscribe,
        judged: Vec<Result<SubscribeOptions, Refused>>,
    ) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let (Some(client), Some(session)) = (&conn.client, conn.machine.session()) else { return };
        let realm = Arc::clone(&conn.realm);
        let slot = Arc::clone(&client.slot);
        let mut reasons = Vec::with_capacity(subscribe.filters.len());
        let mut words = Vec::new();
        let mut user_properties = Vec::new();
        let mut granted = Vec::new();
        let mut named = BTreeSet::new();
        for (entry, outcome) in subscribe.filters.iter().zip(judged) {
            match outcome {
                Ok(options) => {
                    let filter = detached(entry.filter.clone());
                    reasons.push(ReasonCode::granted(options.qos));
                    // The second of two equal ones finds the first [MQTT-3.8.4-5].
                    let is_new = named.insert(&entry.filter) && !session.subscriptions().contains_key(&filter);
                    let identifier = subscribe.subscription_identifier;
                    granted.push((filter, Subscription { options, identifier }, is_new, entry.options));
                }
                Err(refused) => {
                    reasons.push(refused.reason);
                    words.extend(refused.words.map(|words| words.to_string()));
                    user_properties.extend(refused.user_properties);
                }
            }
        }
        let version = if granted.is_empty() {
            0
        } else {
            realm.index.update(|index| {
                for (filter, subscription, ..) in &granted {
                    let entry = Entry { slot: Arc::clone(&slot), subscription: *subscription };
                    index.insert(filter, slot.id, entry);
                }
            })
        };
        let reason_string = (!words.is_empty()).then(|| bounded(words.join("; ")));
        let Some(conn) = self.conn(key) else { return };
        if !conn.machine.decide_subscribe_with(now, reasons, AckProperties { reason_string, user_properties }) {
            return;
        }
        for (filter, subscription, _, asked) in &granted {
            if (SubscribeOptions { qos: subscription.options.qos, ..*asked }) != subscription.options {
                conn.machine.add_subscription(filter.clone(), *subscription);
            }
        }
        for (filter, subscription, ..) in &granted {
            self.tell_subscribed(&slot, filter, subscription.options.qos);
        }
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        // A shared subscription gets no retained messages (MQTT 5.0 §4.8.2).
        let wanted = granted.into_iter().filter(|(filter, subscription, is_new, _)| {
            let asked = match subscription.options.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => *is_new,
                RetainHandling::DoNotSend => false,
            };
            asked && filter.group().is_none()
        });
        let scans: Vec<_> = wanted
            .map(|(filter, subscription, ..)| Scan { filter, subscription, version, cursor: Cursor::default() })
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
        let limit = shared.live.egress_bytes();
        let receiver_slot = Arc::clone(&local.slot);
        let principal = local.admitted.as_ref().map(|(admission, _)| Arc::clone(admission.principal()));
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
            let at = qos.min(retained.qos);
            let hooked = ask_to_deliver(&shared, &receiver_slot, principal.as_ref(), &retained.message, at, true);
            let message = match hooked {
                Hooked::AsIs => retained.message.clone(),
                Hooked::Withheld => return true,
                Hooked::Other(other) => other,
            };
            let delivery = Delivery {
                retain: true,
                subscription_identifiers: identifiers.clone(),
                expires_at: retained.expires_at,
                ..Delivery::new(message, at)
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
        let mut said = AckProperties::default();
        let mut removed = Vec::new();
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            if !(named.insert(filter) && session.subscriptions().contains_key(filter)) {
                reasons.push(ReasonCode::NoSubscriptionExisted);
            } else if let Some(refused) = self.ask_before_unsubscribing(key, filter) {
                if !conn.machine.version().is_v5() {
                    // UNSUBACK of 3.1.1 cannot say no.
                    if let Some(conn) = self.conn(key) {
                        conn.machine.disconnect_with(refused.into());
                    }
                    return;
                }
                reasons.push(refused.reason);
                said.reason_string = refused.words.or(said.reason_string);
                said.user_properties.extend(refused.user_properties);
            } else {
                reasons.push(ReasonCode::Success);
                removed.push(filter);
            }
        }
        for filter in &removed {
            self.tell_unsubscribed(&slot, filter);
        }
        if !removed.is_empty() {
            realm.index.update(|index| {
                for filter in &removed {
                    index.remove(filter, &slot.id);
                }
            });
        }
        if let Some(local) = self.locals.get_mut(&slot.id) {
            local.scans.retain(|scan| !removed.contains(&&scan.filter));
        }
        if let Some(conn) = self.conn(key) {
            conn.machine.decide_unsubscribe_with(now, reasons, said);
        }
    }
}

/// In memory of its own: a slice would keep the whole read buffer of the SUBSCRIBE.
fn detached(filter: SubscriptionFilter) -> SubscriptionFilter {
    filter.detached()
}
