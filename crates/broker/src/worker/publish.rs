//! Routing: from a message that may be published to the sessions that get it.

use std::sync::Arc;

use gridmq_namespace::gate::Authorized;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::session::server::{Inbound, Subscription};
use gridmq_proto::session::{PublishToken, Verdict};
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::topic::{Group, Match};
use gridmq_proto::{Message, QoS, ReasonCode, SharedMessage};
use smallvec::SmallVec;

use super::connect::refusal;
use super::journal::Dependent;
use super::{ConnKey, Ticket, Worker, expiry};
use crate::directory::{Slot, SlotId, WorkerId};
use crate::index::Entry;
use crate::mailbox::{Mail, Outcome, Routed, Target, TicketId};
use crate::observer::Occurrence;
use crate::shared::Realm;
use crate::tables::RetainedRow;

/// Bytes up to which a message is copied rather than kept as a slice of a read buffer.
const SMALL: usize = 4096;

/// A message as the router takes it, once it is authorized.
#[derive(Debug)]
pub(super) struct Routable {
    pub(super) message: Message,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

/// Who publishes, where a verdict is due or No Local has to be kept.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    key: ConnKey,
    slot: Arc<Slot>,
    token: Option<PublishToken>,
}

/// A session that a message matched, its overlapping subscriptions merged.
#[derive(Debug)]
pub(super) struct Hit {
    slot: Arc<Slot>,
    target: Target,
}

impl Worker {
    pub(super) fn on_publish(&mut self, now: Now, key: ConnKey, inbound: Inbound) {
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return };
        let realm = Arc::clone(&conn.realm);
        let Some(client) = &conn.client else { return };
        let Inbound { token, message, qos, retain, .. } = inbound;
        let topic = message.topic.clone();
        let gate = realm.gate.load();
        let routable = Routable { message, qos, retain };
        self.shared.counters.messages_received.one();
        match gate.publish(&client.admission, &mut conn.cache, &topic, routable) {
            Ok(authorized) => {
                let publisher = Publisher { key, slot: Arc::clone(&client.slot), token };
                self.route(now, &realm, authorized, Some(publisher));
            }
            Err(denied) => {
                let slot = Arc::clone(&client.slot);
                let words = denied.to_string();
                let client_id: &str = &slot.key.client_id;
                self.shared.counters.messages_refused.one();
                tracing::warn!(client_id, %topic, why = words, "publish not allowed");
                self.shared.observe(&Occurrence::Denied { client_id, wanted: topic.as_str(), why: &words });
                self.answer_refused(key, &slot, token, denied.reason, words);
            }
        }
    }

    /// Tells a publisher no: by an acknowledgement where the protocol has one for that, else by the end of the
    /// connection, since a publish that is acknowledged or ignored would look like one that was taken.
    fn answer_refused(
        &mut self,
        key: ConnKey,
        slot: &Arc<Slot>,
        token: Option<PublishToken>,
        reason: ReasonCode,
        words: String,
    ) {
        let verdict = refusal(reason, words);
        match token {
            Some(token) => self.complete(key, slot, token, verdict),
            None => {
                if let Some(conn) = self.conn(key) {
                    conn.machine.disconnect(verdict.reason, verdict.words);
                }
            }
        }
    }

    /// Sends a message to every session that it matches, and has the publisher told when all have taken it.
    pub(super) fn route(
        &mut self,
        now: Now,
        realm: &Arc<Realm>,
        authorized: Authorized<Routable>,
        publisher: Option<Publisher>,
    ) {
        let Routable { message, qos, retain } = authorized.into_inner();
        let expires_at = expiry(now, message.properties().message_expiry_interval);
        // A small message that may have to wait must not keep the whole read buffer that it came in.
        let waits = qos != QoS::AtMostOnce && message.weight() <= SMALL;
        let message = SharedMessage::new(if waits { message.detached() } else { message });
        let snapshot = if retain {
            let kept = self.shared.retained.set(realm.id, &message, qos, expires_at, &realm.index);
            let Some(snapshot) = kept else {
                tracing::warn!(topic = %message.message().topic, "not retained: there are as many as there may be");
                if let Some(Publisher { key, slot, token }) = publisher {
                    let words = "there are as many retained messages as there may be".to_owned();
                    self.shared.counters.messages_refused.one();
                    self.answer_refused(key, &slot, token, ReasonCode::QuotaExceeded, words);
                }
                return;
            };
            self.store_retained(realm, &message, qos, expires_at);
            snapshot
        } else {
            realm.index.load()
        };
        let mut hits = std::mem::take(&mut self.hits);
        let turn = self.turn;
        let from = publisher.as_ref().map(|publisher| publisher.slot.id);
        snapshot.filters.for_each_match(&message.message().topic, |found| match found {
            Match::Subscriber(_, entry) => {
                if !(entry.subscription.options.no_local && from == Some(entry.slot.id)) {
                    hits.push(Hit::new(entry, qos, retain, None));
                }
            }
            Match::Group(group) => {
                let filter = || format!("$share/{}", group.name());
                hits.extend(pick(group, turn, None).map(|entry| Hit::new(entry, qos, retain, Some(filter().into()))));
            }
        });
        drop(snapshot);
        self.turn = self.turn.wrapping_add(1);
        if hits.len() > 1 {
            merge(&mut hits);
        }
        self.dispatch(now, message, expires_at, &mut hits, publisher);
        hits.clear();
        self.hits = hits;
    }

    fn store_retained(&mut self, realm: &Realm, message: &SharedMessage, qos: QoS, expires_at: Option<Wall>) {
        let message = message.message();
        let row = || RetainedRow { message: message.clone(), qos, expires_at };
        let draft = &mut self.journal.draft;
        draft.write_retained(realm.id, &message.topic, || (!message.payload.is_empty()).then(row));
    }

    fn dispatch(
        &mut self,
        now: Now,
        message: SharedMessage,
        expires_at: Option<Wall>,
        hits: &mut Vec<Hit>,
        publisher: Option<Publisher>,
    ) {
        let matched = !hits.is_empty();
        self.shared.counters.messages_delivered.add(hits.len() as u64);
        let filler = publisher.as_ref().map(|publisher| publisher.key);
        let wants_receipt = publisher.as_ref().is_some_and(|publisher| publisher.token.is_some());
        // One piece of mail per other worker.
        let mut remote: SmallVec<[(WorkerId, SmallVec<[Target; 2]>); 4]> = SmallVec::new();
        let mut full = false;
        for Hit { slot, mut target } in hits.drain(..) {
            let worker;
            (worker, target.epoch) = slot.place();
            if worker == self.id {
                full |= self.deliver(now, target, &message, expires_at) == Outcome::Full;
                continue;
            }
            match remote.iter_mut().find(|(to, _)| *to == worker) {
                Some((_, targets)) => targets.push(target),
                None => remote.push((worker, SmallVec::from_iter([target]))),
            }
        }
        let waiting = if wants_receipt {
            remote.iter().filter(|(_, targets)| targets.iter().any(|target| target.qos != QoS::AtMostOnce)).count()
        } else {
            0
        };
        let ticket = match &publisher {
            Some(Publisher { key, slot, token: Some(token) }) if waiting > 0 => {
                let (key, slot, token) = (*key, Arc::clone(slot), *token);
                Some(self.tickets.insert(Ticket { key, slot, token, waiting, matched, full }))
            }
            _ => None,
        };
        for (to, targets) in remote {
            let answered = targets.iter().any(|target| target.qos != QoS::AtMostOnce);
            let ticket = ticket.filter(|_| answered);
            let routed = Routed { message: message.clone(), expires_at, targets, ticket };
            self.post(to, Mail::Deliver(Box::new(routed)), filler);
        }
        if let (Some(Publisher { key, slot, token: Some(token) }), None) = (publisher, ticket) {
            self.answer_routed(key, slot, token, matched, full);
        }
    }

    /// Another worker tells what became of its part of a publish.
    pub(super) fn on_receipt(&mut self, ticket: TicketId, outcome: Outcome) {
        let Some(entry) = self.tickets.get_mut(ticket) else { return };
        entry.full |= outcome == Outcome::Full;
        entry.waiting -= 1;
        if entry.waiting == 0 {
            let Ticket { key, slot, token, matched, full, .. } = self.tickets.remove(ticket);
            self.answer_routed(key, slot, token, matched, full);
        }
    }

    fn answer_routed(&mut self, key: ConnKey, slot: Arc<Slot>, token: PublishToken, matched: bool, full: bool) {
        let verdict = if full {
            self.shared.counters.messages_refused.one();
            let words = "a subscriber's queue is full; publish again later".into();
            Verdict { reason: ReasonCode::QuotaExceeded, words: Some(words) }
        } else if matched {
            ReasonCode::Success.into()
        } else {
            ReasonCode::NoMatchingSubscribers.into()
        };
        self.after_batch(Dependent::Verdict { key, slot, token, verdict });
    }

    /// Completes a publish on the connection that made it, or on its session where that is now.
    pub(super) fn complete(&mut self, key: ConnKey, slot: &Arc<Slot>, token: PublishToken, verdict: Verdict) {
        if let Some(conn) = self.conn(key)
            && conn.machine.is_connected()
        {
            if conn.machine.version().is_v5() {
                conn.machine.complete(token, verdict);
            } else if verdict.reason.is_failure() {
                // Before 5.0 an acknowledgement can only say yes.
                conn.machine.disconnect(verdict.reason, verdict.words);
            } else {
                conn.machine.complete(token, ReasonCode::Success);
            }
            return self.wake(key);
        }
        self.complete_away(slot, token, verdict);
    }

    /// Another member of a shared subscription for a message; one that is online, or any if `offline_too`.
    pub(super) fn another_member(
        &self,
        share: &str,
        message: &Message,
        qos: QoS,
        but: SlotId,
        offline_too: bool,
    ) -> Option<(Arc<Slot>, Target)> {
        let snapshot = self.shared.realm.index.load();
        let mut other = None;
        snapshot.filters.for_each_match(&message.topic, |found| {
            if let Match::Group(group) = found
                && share.strip_prefix("$share/") == Some(group.name())
                && other.is_none()
            {
                let entry = pick(group, self.turn, Some(but)).filter(|entry| offline_too || entry.slot.is_online());
                other = entry.map(|entry| {
                    let hit = Hit::new(entry, qos, false, Some(share.into()));
                    (hit.slot, hit.target)
                });
            }
        });
        other
    }
}

impl Hit {
    fn new(entry: &Entry, published: QoS, retain: bool, share: Option<Arc<str>>) -> Self {
        let Subscription { options, identifier } = entry.subscription;
        let target = Target {
            slot: entry.slot.id,
            epoch: 0,
            qos: options.qos.min(published),
            retain: retain && options.retain_as_published,
            identifiers: identifier.into_iter().collect::<SmallVec<[SubscriptionId; 2]>>(),
            share,
        };
        Self { slot: Arc::clone(&entry.slot), target }
    }
}

/// One copy per session, at the highest QoS that matched, with every identifier [MQTT-3.3.4-2]. What comes through a
/// shared subscription is a delivery of its own.
fn merge(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.target.slot, hit.target.share.is_some()));
    hits.dedup_by(|later, kept| {
        let same = later.target.slot == kept.target.slot && later.target.share.is_none() && kept.target.share.is_none();
        if same {
            kept.target.qos = kept.target.qos.max(later.target.qos);
            kept.target.retain |= later.target.retain;
            kept.target.identifiers.extend(later.target.identifiers.drain(..));
        }
        same
    });
}

/// Members of a group looked at for one that is online.
const TRIES: usize = 32;

/// The member whose turn it is: the next that is online, or the next at all if none is.
fn pick(group: &Group<SlotId, Entry>, turn: usize, but: Option<SlotId>) -> Option<&Entry> {
    let fits = |entry: &&Entry| but != Some(entry.slot.id);
    let members = (0..group.len().min(TRIES)).filter_map(|step| group.pick(turn.wrapping_add(step)));
    let mut fallback = None;
    for (_, entry) in members {
        if !fits(&entry) {
            continue;
        }
        if entry.slot.is_online() {
            return Some(entry);
        }
        fallback = fallback.or(Some(entry));
    }
    fallback
}
