//! What the program that embeds the broker asks of a worker.

use std::sync::Arc;

use gridmq_namespace::Gate;
use gridmq_namespace::gate::DecisionCache;
use gridmq_proto::packet::{RetainHandling, SubscribeOptions};
use gridmq_proto::session::server::{Session, Subscription};
use gridmq_proto::session::{PublishToken, Verdict};
use gridmq_proto::{QoS, ReasonCode, SubscriptionFilter, TopicName, Version};
use tokio::sync::oneshot;

use super::connect::refusal;
use super::publish::{Publisher, Routable};
use super::{ConnKey, Scan, State, Worker};
use crate::control::{ConnectionInfo, SessionDetails, SessionInfo, SubscribeError};
use crate::directory::Slot;
use crate::events::Event;
use crate::hooks::{Caller, Publication, PublishDecision, SessionEnd};
use crate::index::Entry;
use crate::observer::ConnectionId;
use crate::retained::Cursor;
use crate::strategy::SharedStrategy;
use crate::sys;

/// The place of a publisher that is no connection.
const PROGRAM: usize = usize::MAX;

impl Worker {
    fn session_of(&self, slot: &Slot) -> Option<&Session> {
        match &self.locals.get(&slot.id)?.state {
            State::Online(key) => {
                self.conns.get(key.place).filter(|conn| conn.id == key.id).and_then(|conn| conn.machine.session())
            }
            State::Offline(session) => Some(session),
            State::Arriving(_) | State::Away => None,
        }
    }

    /// `None`: the session is not here.
    pub(crate) fn session_info(&self, slot: &Slot) -> Option<SessionInfo> {
        let session = self.session_of(slot)?;
        let local = self.locals.get(&slot.id)?;
        let connection = match local.state {
            State::Online(key) => self.conns.get(key.place).filter(|conn| conn.id == key.id),
            _ => None,
        };
        let (queued_messages, queued_bytes) = session.load();
        let admitted = local.admitted.as_ref();
        Some(SessionInfo {
            client_id: slot.key.client_id.clone(),
            authentication_name: admitted.map(|(admission, _)| admission.principal().authentication_name().clone()),
            connection: connection.and_then(|conn| {
                Some(ConnectionInfo {
                    id: conn.id,
                    from: conn.from.to_string(),
                    version: conn.machine.version(),
                    since: conn.client.as_ref()?.since,
                })
            }),
            expiry_interval: session.expiry_interval(),
            subscriptions: session.subscriptions().len(),
            queued_messages,
            queued_bytes,
            in_flight: session.in_flight(),
            worker: self.id,
        })
    }

    pub(crate) fn session_details(&self, slot: &Slot) -> Option<SessionDetails> {
        let info = self.session_info(slot)?;
        let session = self.session_of(slot)?;
        let subscriptions = session.subscriptions().iter().map(|(filter, how)| (filter.clone(), how.options)).collect();
        Some(SessionDetails { info, subscriptions })
    }

    /// Ends the connection of a session's client. `None`: the session is not here.
    pub(crate) fn put_out(&mut self, slot: &Slot, verdict: &Verdict) -> Option<bool> {
        let now = self.now();
        match self.locals.get(&slot.id)?.state {
            State::Online(key) => {
                if let Some(conn) = self.conn(key) {
                    conn.put_out = true;
                    conn.machine.disconnect_with(verdict.clone());
                }
                self.drain(now, key);
                self.wake(key);
                Some(true)
            }
            State::Offline(_) => Some(false),
            State::Arriving(_) | State::Away => None,
        }
    }

    /// Ends a session, with its connection if it has one. `None`: the session is not here.
    pub(crate) fn end_at_once(&mut self, slot: &Arc<Slot>) -> Option<bool> {
        let now = self.now();
        let local = self.locals.get_mut(&slot.id)?;
        if !matches!(local.state, State::Online(_) | State::Offline(_)) {
            return None;
        }
        local.ending = Some(SessionEnd::Discarded);
        let words = "the session was ended by the program that runs the broker".to_owned();
        if self.put_out(slot, &refusal(ReasonCode::AdministrativeAction, words)) == Some(false) {
            self.end_session(now, slot);
        }
        Some(true)
    }

    /// Subscribes a session on behalf of its client. `None`: the session is not here.
    pub(crate) fn subscribe_for(
        &mut self,
        slot: &Arc<Slot>,
        filter: &SubscriptionFilter,
        mut options: SubscribeOptions,
    ) -> Option<Result<(), SubscribeError>> {
        let now = self.now();
        let session = self.session_of(slot)?;
        let limit = self.shared.live.subscriptions();
        let is_new = !session.subscriptions().contains_key(filter);
        if is_new && session.subscriptions().len() >= limit {
            return Some(Err(SubscribeError::TooMany { limit }));
        }
        let realm = Arc::clone(&self.shared.realm);
        options.qos = options.qos.min(realm.gate.load().connection_limits().maximum_qos);
        let subscription = Subscription { options, identifier: None };
        let filter = filter.detached();
        let entry = Entry { slot: Arc::clone(slot), subscription };
        let version = realm.index.update(|index| {
            index.insert(&filter, slot.id, entry);
        });
        self.tell_subscribed(slot, &filter, options.qos);
        let local = self.locals.get_mut(&slot.id)?;
        match &mut local.state {
            State::Online(key) => {
                let key = *key;
                local.scans.retain(|scan| scan.filter != filter);
                let retained = match options.retain_handling {
                    RetainHandling::Send => true,
                    RetainHandling::SendIfNew => is_new,
                    RetainHandling::DoNotSend => false,
                };
                if retained && filter.group().is_none() {
                    let cursor = Cursor::default();
                    local.scans.push(Scan { filter: filter.clone(), subscription, version, cursor });
                }
                if let Some(conn) = self.conn(key) {
                    conn.machine.add_subscription(filter, subscription);
                }
                self.drain(now, key);
                self.scan(now, slot.id);
                self.drain(now, key);
                self.wake(key);
            }
            State::Offline(session) => {
                let draft = &mut self.journal.draft;
                session.add_subscription(filter, subscription, |record| {
                    draft.write(slot.key.namespace, &slot.key.client_id, &record);
                });
            }
            State::Arriving(_) | State::Away => {}
        }
        Some(Ok(()))
    }

    /// Takes a subscription away. `None`: the session is not here.
    pub(crate) fn unsubscribe_for(&mut self, slot: &Arc<Slot>, filter: &SubscriptionFilter) -> Option<bool> {
        let now = self.now();
        if !self.session_of(slot)?.subscriptions().contains_key(filter) {
            return Some(false);
        }
        self.shared.realm.index.update(|index| {
            index.remove(filter, &slot.id);
        });
        self.tell_unsubscribed(slot, filter);
        let local = self.locals.get_mut(&slot.id)?;
        local.scans.retain(|scan| scan.filter != *filter);
        match &mut local.state {
            State::Online(key) => {
                let key = *key;
                if let Some(conn) = self.conn(key) {
                    conn.machine.drop_subscription(filter);
                }
                self.drain(now, key);
            }
            State::Offline(session) => {
                let draft = &mut self.journal.draft;
                session.drop_subscription(filter, |record| {
                    draft.write(slot.key.namespace, &slot.key.client_id, &record);
                });
            }
            State::Arriving(_) | State::Away => {}
        }
        Some(true)
    }

    pub(super) fn tell_subscribed(&self, slot: &Slot, filter: &SubscriptionFilter, qos: QoS) {
        let client_id = || slot.key.client_id.clone();
        self.shared.events.tell(|| Event::Subscribed { client_id: client_id(), filter: filter.detached(), qos });
    }

    pub(super) fn tell_unsubscribed(&self, slot: &Slot, filter: &SubscriptionFilter) {
        let client_id = || slot.key.client_id.clone();
        self.shared.events.tell(|| Event::Unsubscribed { client_id: client_id(), filter: filter.detached() });
    }

    /// Clears retained messages; answers how many there were.
    pub(crate) fn clear_retained(&mut self, topics: &[TopicName]) -> usize {
        let realm = Arc::clone(&self.shared.realm);
        let before = self.shared.retained.len();
        for topic in topics {
            let empty = gridmq_proto::Message::new(topic.clone(), bytes::Bytes::new());
            let empty = gridmq_proto::SharedMessage::new(empty);
            self.shared.retained.set(realm.id, &empty, QoS::AtMostOnce, None, &realm.index);
            self.journal.draft.write_retained(realm.id, topic.clone().into_inner());
        }
        before.saturating_sub(self.shared.retained.len())
    }

    /// Routes a message of the program's own, or one on behalf of a client whose session is here; the verdict goes to
    /// `answer`.
    pub(crate) fn inject(
        &mut self,
        publication: Publication,
        client: Option<&Arc<Slot>>,
        answer: oneshot::Sender<Verdict>,
    ) {
        let now = self.now();
        let realm = Arc::clone(&self.shared.realm);
        let mut publication = publication;
        let admission = match client {
            None => None,
            Some(slot) => match self.locals.get(&slot.id).and_then(|local| local.admitted.as_ref()) {
                Some((admission, _)) => Some(admission.clone()),
                None => {
                    let words = "the client has not connected since the broker started".to_owned();
                    let _ = answer.send(refusal(ReasonCode::NotAuthorized, words));
                    return;
                }
            },
        };
        if client.is_some() && sys::is_own(&self.shared, publication.message.topic.as_str()) {
            let words = "topics under $SYS/ are the broker's own".to_owned();
            let _ = answer.send(refusal(ReasonCode::NotAuthorized, words));
            return;
        }
        if let Some(admission) = &admission {
            let gate = realm.gate.load();
            let mut cache = DecisionCache::with_capacity(0);
            if let Err(denied) = gate.publish(admission, &mut cache, &publication.message.topic, ()) {
                let _ = answer.send(refusal(denied.reason, denied.to_string()));
                return;
            }
        }
        if !self.shared.hooks.publish.is_empty() {
            let principal = admission.as_ref().map_or_else(
                || Arc::clone(&self.shared.program.principal),
                |admission| Arc::clone(admission.principal()),
            );
            let client_id = client.map(|slot| slot.key.client_id.clone()).unwrap_or_default();
            let caller = Caller { connection: None, client_id, principal, version: Version::V5 };
            match self.shared.hooks.publish(&caller, &mut publication) {
                PublishDecision::Route => {}
                PublishDecision::Refuse(refused) | PublishDecision::Disconnect(refused) => {
                    let _ = answer.send(refused.into());
                    return;
                }
                PublishDecision::Consume | PublishDecision::RouteAs(_) => {
                    let _ = answer.send(ReasonCode::Success.into());
                    return;
                }
            }
        }
        self.next_injection = self.next_injection.wrapping_add(1);
        let key = ConnKey { place: PROGRAM, id: ConnectionId(self.next_injection) };
        self.injected.insert(self.next_injection, answer);
        let slot = Arc::clone(client.unwrap_or(&self.shared.program.slot));
        let publisher = Publisher { key, slot, token: Some(PublishToken::NONE), sent_as: None };
        let Publication { message, qos, retain } = publication;
        self.shared.counters.messages_received.one();
        let authorized = Gate::inject_as_system(Routable { message, qos, retain });
        self.route(now, &realm, authorized, Some(publisher));
    }

    /// Where shared subscriptions look at it: what the client has not acknowledged.
    pub(super) fn note_load(&mut self, key: ConnKey) {
        if self.shared.shared_strategy != SharedStrategy::LeastInFlight {
            return;
        }
        if let Some(conn) = self.conn(key)
            && let (Some(client), Some(session)) = (&conn.client, conn.machine.session())
        {
            client.slot.set_load(session.load().0);
        }
    }

    /// Whether the verdict is on an injected message; its program hears of it.
    pub(super) fn injection_done(&mut self, key: ConnKey, verdict: &Verdict) -> bool {
        if key.place != PROGRAM {
            return false;
        }
        if let Some(answer) = self.injected.remove(&key.id.0) {
            // The program may not care.
            let _ = answer.send(verdict.clone());
        }
        true
    }
}
