//! Routing: from a message that may be published to the sessions that get it.

use std::rc::Rc;
use std::sync::Arc;

use gridmq_namespace::gate::Authorized;
use gridmq_proto::session::server::Inbound;
use gridmq_proto::session::{PublishToken, Verdict};
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::topic::Match;
use gridmq_proto::{Message, PacketId, QoS, ReasonCode, SharedMessage};
use smallvec::SmallVec;

use super::connect::refusal;
use super::fan_out::Sent;
use super::hit::{Hit, merge};
use super::journal::Dependent;
use super::parts::Whom;
use super::routes::{Known, Route};
use super::{ConnKey, Worker, expiry};
use crate::directory::{Slot, SlotId, WorkerId};
use crate::events::Event;
use crate::index::{Entry, Snapshot};
use crate::mailbox::{Mail, Outcome, Refused, Routed, Target, TicketId, Unable};
use crate::observer::Occurrence;
use crate::routed::{Again, RoutedAs};
use crate::shared::Realm;
use crate::strategy::{Choice, pick};
use crate::sys;

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
    pub(super) key: ConnKey,
    pub(super) slot: Arc<Slot>,
    pub(super) token: Option<PublishToken>,
    /// The packet identifier of a QoS 2 message, and whether it was marked as sent before.
    pub(super) sent_as: Option<(PacketId, bool)>,
}

/// What other workers get of a message: one piece of mail for each.
#[derive(Debug, Default)]
pub(super) struct Remote(SmallVec<[(WorkerId, SmallVec<[Target; 2]>); 4]>);

impl Remote {
    /// How many of them will answer.
    pub(super) fn receipts(&self) -> usize {
        self.0.iter().filter(|(_, targets)| needs_receipt(targets)).count()
    }

    fn add(&mut self, worker: WorkerId, target: Target) {
        match self.0.iter_mut().find(|(to, _)| *to == worker) {
            Some((_, targets)) => targets.push(target),
            None => self.0.push((worker, SmallVec::from_iter([target]))),
        }
    }
}

fn needs_receipt(targets: &[Target]) -> bool {
    targets.iter().any(|target| target.qos != QoS::AtMostOnce)
}

impl Worker {
    pub(super) fn on_publish(&mut self, now: Now, key: ConnKey, inbound: Inbound) {
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return };
        let realm = Rc::clone(&conn.realm);
        let Some(client) = &conn.client else { return };
        let Inbound { token, packet_id, message, qos, retain, dup } = inbound;
        let topic = message.topic.clone();
        if sys::is_own(&self.shared, topic.as_str()) {
            let slot = Arc::clone(&client.slot);
            let words = format!("'{topic}' is the broker's own: nobody else publishes under $SYS/");
            self.shared.counters.messages_refused.one();
            self.shared.counters.refused_by_rules.one();
            return self.answer_refused(key, &slot, token, ReasonCode::NotAuthorized, words);
        }
        let gate = realm.gate.load();
        let routable = Routable { message, qos, retain };
        if let (Some(token), true) = (token, conn.withheld.is_some()) {
            // One before it stays unacknowledged, so this one would too.
            return conn.machine.abandon(token);
        }
        self.shared.counters.received(qos);
        match gate.publish(&client.admission, &mut conn.cache, &topic, routable) {
            Ok(authorized) => {
                let sent_as = packet_id.filter(|_| qos == QoS::ExactlyOnce).map(|id| (id, dup));
                let publisher = Publisher { key, slot: Arc::clone(&client.slot), token, sent_as };
                if self.shared.hooks.is_silent_at_publish() {
                    self.route(now, &realm, authorized, Some(publisher));
                } else {
                    self.ask_before_routing(now, &realm, authorized, publisher);
                }
            }
            Err(denied) => {
                let slot = Arc::clone(&client.slot);
                let words = denied.to_string();
                let client_id: &str = &slot.key.client_id;
                self.shared.counters.messages_refused.one();
                self.shared.counters.refused_by_rules.one();
                tracing::warn!(client_id, %topic, why = words, "publish not allowed");
                self.shared.observe(&Occurrence::Denied { client_id, wanted: topic.as_str(), why: &words });
                self.shared.events.tell(|| Event::Denied {
                    client_id: slot.key.client_id.clone(),
                    wanted: topic.to_string(),
                    why: words.clone(),
                });
                self.answer_refused(key, &slot, token, denied.reason, words);
            }
        }
    }

    /// Tells a publisher no: by an acknowledgement where the protocol has one for that, else by the end of the
    /// connection, since a publish that is acknowledged or ignored would look like one that was taken.
    pub(super) fn answer_refused(
        &mut self,
        key: ConnKey,
        slot: &Arc<Slot>,
        token: Option<PublishToken>,
        reason: ReasonCode,
        words: String,
    ) {
        self.answer_refused_with(key, slot, token, refusal(reason, words));
    }

    /// As [`answer_refused`](Self::answer_refused), with all that can be said.
    pub(super) fn answer_refused_with(
        &mut self,
        key: ConnKey,
        slot: &Arc<Slot>,
        token: Option<PublishToken>,
        verdict: Verdict,
    ) {
        match token {
            Some(token) => self.complete(key, slot, token, verdict, None),
            None => {
                if let Some(conn) = self.conn(key) {
                    conn.machine.disconnect_with(verdict);
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
        if retain && !self.shared.volatile && self.shared.store_state.is_down() {
            if let Some(Publisher { key, slot, token, .. }) = publisher {
                self.shared.counters.messages_refused.one();
                self.shared.counters.refused_store.one();
                let words = self.shared.store_state.words().to_owned();
                self.answer_refused(key, &slot, token, ReasonCode::QuotaExceeded, words);
            }
            return;
        }
        if retain {
            let kept = self.shared.retained.set(realm.id, &message, qos, expires_at, &realm.index);
            let Some(snapshot) = kept else {
                tracing::warn!(topic = %message.message().topic, "not retained: there are as many as there may be");
                if let Some(Publisher { key, slot, token, .. }) = publisher {
                    let words = "there are as many retained messages as there may be".to_owned();
                    self.shared.counters.messages_refused.one();
                    self.shared.counters.refused_retained_full.one();
                    self.answer_refused(key, &slot, token, ReasonCode::QuotaExceeded, words);
                }
                return;
            };
            let topic = message.message().topic.clone();
            if !sys::is_own(&self.shared, topic.as_str()) {
                self.journal.draft.write_retained(realm.id, topic.into_inner());
            }
            return self.look_up(now, &snapshot, Known::New, (message, expires_at), (qos, retain), publisher);
        }
        let snapshot = realm.index.load();
        match self.routes.find(message.message().topic.as_str(), snapshot.version) {
            Known::Route(route) => {
                drop(snapshot);
                self.follow(now, &route, (message, expires_at), qos, publisher);
            }
            known => self.look_up(now, &snapshot, known, (message, expires_at), (qos, retain), publisher),
        }
    }

    /// Sends a message where its topic is known to go.
    fn follow(
        &mut self,
        now: Now,
        route: &Rc<Route>,
        (message, expires_at): (SharedMessage, Option<Wall>),
        qos: QoS,
        mut publisher: Option<Publisher>,
    ) {
        if let Some(publisher) = publisher.take_if(|it| self.goes_in_rounds(Some(it), route.targets.len())) {
            return self.follow_in_rounds(route, Sent { message, expires_at, qos, retain: false }, publisher);
        }
        let from = publisher.as_ref().map(|publisher| publisher.slot.id);
        let matched = route.targets.iter().filter(|(slot, it)| !(it.options.no_local && from == Some(slot.id)));
        let hits = matched.map(|(slot, it)| Hit::new(slot, it, qos, false, None));
        if route.overlaps {
            let mut all = std::mem::take(&mut self.hits);
            all.extend(hits);
            merge(&mut all);
            self.dispatch(now, message, expires_at, all.drain(..), publisher, Outcome::TAKEN);
            self.hits = all;
        } else {
            self.dispatch(now, message, expires_at, hits, publisher, Outcome::TAKEN);
        }
    }

    /// Sends a message to what its topic matches in the index, and remembers that if the topic was seen before.
    fn look_up(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        known: Known,
        (message, expires_at): (SharedMessage, Option<Wall>),
        (qos, retain): (QoS, bool),
        mut publisher: Option<Publisher>,
    ) {
        let topic = &message.message().topic;
        let mut hits = std::mem::take(&mut self.hits);
        let choice = Choice { strategy: self.shared.shared_strategy, turn: self.turn };
        let hasher = &self.shared.hasher;
        let from = publisher.as_ref().map(|publisher| publisher.slot.id);
        let mut route = matches!(known, Known::Seen).then(Vec::new);
        let mut grouped = false;
        let filters = snapshot.filters.for_each_match(topic, |found| match found {
            Match::Subscriber(_, Entry { slot, subscription }) => {
                if let Some(route) = &mut route {
                    route.push((Arc::clone(slot), *subscription));
                }
                if !(subscription.options.no_local && from == Some(slot.id)) {
                    hits.push(Hit::new(slot, subscription, qos, retain, None));
                }
            }
            Match::Group(group) => {
                (route, grouped) = (None, true);
                let share = || Arc::from(format!("$share/{}", group.name()));
                let member = choice.pick(group, topic, from, hasher);
                hits.extend(member.map(|entry| Hit::new(&entry.slot, &entry.subscription, qos, retain, Some(share()))));
            }
        });
        if let Some(route) = route {
            self.routes.keep(topic.as_str(), snapshot.version, route, filters > 1);
        }
        // Only groups take turns: messages between theirs must not have a member passed over again and again.
        self.turn = self.turn.wrapping_add(usize::from(grouped));
        let outcome = Outcome { stored: retain && !self.shared.volatile, refused: None };
        if let Some(publisher) = publisher.take_if(|it| self.goes_in_rounds(Some(it), hits.len())) {
            hits.clear();
            self.hits = hits;
            let sent = Sent { message, expires_at, qos, retain };
            return self.find_and_send_in_rounds(snapshot, choice, sent, publisher, outcome);
        }
        // One filter gives each session once.
        if filters > 1 && hits.len() > 1 {
            merge(&mut hits);
        }
        self.dispatch(now, message, expires_at, hits.drain(..), publisher, outcome);
        self.hits = hits;
    }

    fn dispatch(
        &mut self,
        now: Now,
        message: SharedMessage,
        expires_at: Option<Wall>,
        hits: impl Iterator<Item = Hit>,
        publisher: Option<Publisher>,
        mut outcome: Outcome,
    ) {
        self.begin_message();
        let filler = publisher.as_ref().map(|publisher| publisher.key);
        let mut firing = self.parts.firing.take();
        let (routed, again) = match &mut firing {
            Some(firing) => (None, firing.again.take()),
            None => {
                self.begin_routing(publisher.as_ref(), &message).map_or((None, None), |(id, again)| (Some(id), again))
            }
        };
        let mut remote = Remote::default();
        let matched = self.spread(now, (&message, expires_at), hits, again.as_ref(), &mut outcome, &mut remote);
        let receipts = remote.receipts();
        let ticket = match (publisher, firing) {
            (Some(Publisher { key, slot, token: Some(token), .. }), _) => {
                self.wait_for_parts(Whom::Publisher { key, slot, token, matched, routed }, outcome, receipts)
            }
            (_, Some(firing)) => self.keep_will(&firing, &message, outcome, receipts),
            _ => {
                self.forget_parts();
                None
            }
        };
        self.post_to_others(remote, (&message, expires_at), ticket, filler);
        self.parts.origin = None;
    }

    /// Hands a message to the sessions of this worker, and gathers what goes to others. Whether there were any.
    pub(super) fn spread(
        &mut self,
        now: Now,
        (message, expires_at): (&SharedMessage, Option<Wall>),
        hits: impl Iterator<Item = Hit>,
        again: Option<&Again>,
        outcome: &mut Outcome,
        remote: &mut Remote,
    ) -> bool {
        let mut matched = 0;
        for Hit { worker, target } in hits {
            matched += 1;
            if again.is_some_and(|again| again.is_done_with(&target)) {
                continue;
            }
            if worker == self.id {
                outcome.add(self.deliver(now, target, message, expires_at));
            } else {
                remote.add(worker, target);
            }
        }
        self.shared.counters.messages_delivered.add(matched);
        matched > 0
    }

    /// Sends other workers their share; `ticket`: of who waits for their receipts.
    pub(super) fn post_to_others(
        &mut self,
        remote: Remote,
        (message, expires_at): (&SharedMessage, Option<Wall>),
        ticket: Option<TicketId>,
        filler: Option<ConnKey>,
    ) {
        for (to, targets) in remote.0 {
            let ticket = ticket.filter(|_| needs_receipt(&targets));
            let origin = self.parts.origin.clone().filter(|_| ticket.is_some());
            let routed = Routed { message: message.clone(), expires_at, targets, ticket, origin };
            self.post(to, Mail::Deliver(Box::new(routed)), filler);
        }
    }

    pub(super) fn answer_routed(
        &mut self,
        key: ConnKey,
        slot: Arc<Slot>,
        token: PublishToken,
        matched: bool,
        outcome: Outcome,
        routed: Option<RoutedAs>,
    ) {
        let verdict = if let Some(refused) = outcome.refused {
            let Refused { why, by } = *refused;
            self.shared.counters.messages_refused.one();
            if let Some(id) = routed {
                // Sent again, it is not for those who have it.
                self.shared.unfinished.is_lacked(slot.id, id, by);
            }
            let words = match why {
                Unable::QueueFull => {
                    self.shared.counters.refused_queue_full.one();
                    "a subscriber's queue is full; publish again later".into()
                }
                Unable::Store => {
                    self.shared.counters.refused_store.one();
                    self.shared.store_state.words().into()
                }
            };
            Verdict { words: Some(words), ..Verdict::from(ReasonCode::QuotaExceeded) }
        } else {
            if let Some(id) = routed {
                self.shared.unfinished.forget(slot.id, id);
            }
            if matched { ReasonCode::Success.into() } else { ReasonCode::NoMatchingSubscribers.into() }
        };
        self.after_batch(outcome.stored, Dependent::Verdict { key, slot, token, verdict, routed });
    }

    /// Completes a publish on the connection that made it, or on its session where that is now.
    /// `routed`: its packet identifier, if it may be sent again on another connection.
    pub(super) fn complete(
        &mut self,
        key: ConnKey,
        slot: &Arc<Slot>,
        token: PublishToken,
        verdict: Verdict,
        routed: Option<RoutedAs>,
    ) {
        if let Some(conn) = self.conn(key).filter(|conn| conn.machine.is_connected()) {
            if verdict.reason.is_failure() && conn.machine.version().is_v5() {
                // What it publishes next under this identifier is another message.
                self.journal.draft.forget_routed(&self.shared.unfinished, slot, routed);
            }
            return self.complete_here(key, token, verdict);
        }
        if !self.injection_done(key, &verdict) {
            self.complete_away(slot, token, verdict, routed);
        }
    }

    /// Completes a publish on a connection.
    pub(super) fn complete_here(&mut self, key: ConnKey, token: PublishToken, verdict: Verdict) {
        let (now, patience) = (self.now(), self.shared.limits.refused_publish_timeout);
        let Some(conn) = self.conn(key) else { return };
        if conn.machine.version().is_v5() {
            conn.machine.complete(token, verdict);
        } else if verdict.reason == ReasonCode::QuotaExceeded {
            // Before 5.0 an acknowledgement can only say yes, and what has no room now may have some later: the client
            // hears nothing, and sends it again on its next connection. Closed at once, it would do so at once.
            conn.machine.abandon(token);
            if conn.withheld.is_none() {
                conn.withheld = Some((now.monotonic.after(patience), verdict));
                self.drain(now, key);
            }
        } else if verdict.reason.is_failure() {
            conn.machine.abandon(token);
            conn.machine.disconnect_with(verdict);
        } else {
            conn.machine.complete(token, ReasonCode::Success);
        }
        self.wake(key);
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
                    let hit = Hit::new(&entry.slot, &entry.subscription, qos, false, Some(share.into()));
                    (Arc::clone(&entry.slot), hit.target)
                });
            }
        });
        other
    }
}

#[cfg(test)]
pub(super) mod tests;
