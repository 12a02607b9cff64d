//! Where hooks are asked, between the rules and the router.

use std::sync::Arc;

use gridmq_namespace::gate::{Admission, Authorized};
use gridmq_namespace::{Gate, Principal};
use gridmq_proto::packet::{Subscribe, SubscribeOptions};
use gridmq_proto::session::Verdict;
use gridmq_proto::time::Now;
use gridmq_proto::{QoS, ReasonCode, SharedMessage, SubscriptionFilter, Version};

use super::publish::{Publisher, Routable};
use super::{ConnKey, Worker};
use crate::directory::{Slot, SlotId};
use crate::hooks::{
    Caller, DeliverDecision, Later, Publication, PublishDecision, Receiver, Refused, SubscribeDecision,
    UnsubscribeDecision, Wanted,
};
use crate::shared::{Realm, Shared};

/// What hooks make of a delivery.
pub(super) enum Hooked {
    AsIs,
    Withheld,
    Other(SharedMessage),
}

/// Asks before a session gets a message.
pub(super) fn ask_to_deliver(
    shared: &Shared,
    slot: &Slot,
    principal: Option<&Arc<Principal>>,
    message: &SharedMessage,
    qos: QoS,
    retained: bool,
) -> Hooked {
    let mut made: Option<SharedMessage> = None;
    for hook in &shared.hooks.deliver {
        let receiver = Receiver { client_id: &slot.key.client_id, principal, qos, retained };
        match hook.deliver(&receiver, made.as_ref().unwrap_or(message).message()) {
            DeliverDecision::Deliver => {}
            DeliverDecision::DeliverAs(other) => made = Some(SharedMessage::new(*other)),
            DeliverDecision::Withhold => return Hooked::Withheld,
        }
    }
    made.map_or(Hooked::AsIs, Hooked::Other)
}

impl From<Routable> for Publication {
    fn from(Routable { message, qos, retain }: Routable) -> Self {
        Self { message, qos, retain }
    }
}

/// A hook's decision stands for the program's own: the rules have allowed what it was made of.
fn routable(publication: Publication) -> Authorized<Routable> {
    let Publication { message, qos, retain } = publication;
    Gate::inject_as_system(Routable { message, qos, retain })
}

impl Worker {
    pub(super) fn caller(&self, key: ConnKey) -> Option<Caller> {
        let conn = self.conns.get(key.place).filter(|conn| conn.id == key.id)?;
        let client = conn.client.as_ref()?;
        Some(Caller {
            connection: Some(key.id),
            client_id: client.slot.key.client_id.clone(),
            principal: Arc::clone(client.admission.principal()),
            version: conn.machine.version(),
        })
    }

    pub(super) fn ask_before_routing(
        &mut self,
        now: Now,
        realm: &Arc<Realm>,
        authorized: Authorized<Routable>,
        publisher: Publisher,
    ) {
        let Some(caller) = self.caller(publisher.key) else { return };
        let mut publication = Publication::from(authorized.into_inner());
        let decision = self.shared.hooks.publish(&caller, &mut publication);
        if decision != PublishDecision::Route {
            return self.route_decided(now, realm, publication, publisher, decision);
        }
        let Some(later) = self.shared.hooks.publish_later(&caller, &publication) else {
            return self.route(now, realm, routable(publication), Some(publisher));
        };
        let Publisher { key, slot, token, .. } = publisher.clone();
        let Some(place) = self.place() else {
            let words = "too many publishes wait to be judged: publish again later".to_owned();
            return self.answer_refused(key, &slot, token, ReasonCode::QuotaExceeded, words);
        };
        let realm = Arc::clone(realm);
        self.ponder_whatever(key, place, later, move |worker, now, decision| {
            let decision = decision.unwrap_or_else(|| {
                Refused::new(ReasonCode::ImplementationSpecificError)
                    .words("the decision took too long: publish again later")
                    .into()
            });
            worker.route_decided(now, &realm, publication, publisher, decision);
        });
    }

    fn route_decided(
        &mut self,
        now: Now,
        realm: &Arc<Realm>,
        publication: Publication,
        publisher: Publisher,
        decision: PublishDecision,
    ) {
        let Publisher { key, slot, token, .. } = publisher.clone();
        match decision {
            PublishDecision::Route => self.route(now, realm, routable(publication), Some(publisher)),
            PublishDecision::RouteAs(other) => self.route(now, realm, routable(*other), Some(publisher)),
            PublishDecision::Consume => {
                if let Some(token) = token {
                    self.complete(key, &slot, token, ReasonCode::Success.into(), None);
                }
            }
            PublishDecision::Refuse(refused) => {
                self.told_refused(&slot, &publication, &refused);
                self.answer_refused_with(key, &slot, token, refused.into());
            }
            PublishDecision::Disconnect(refused) => {
                self.told_refused(&slot, &publication, &refused);
                let verdict = Verdict::from(refused);
                if let Some(conn) = self.conn(key) {
                    conn.machine.disconnect_with(verdict.clone());
                }
                if let Some(token) = token {
                    // The session may outlive the connection, and must not wait for it.
                    self.complete(key, &slot, token, verdict, None);
                }
            }
        }
    }

    fn told_refused(&self, slot: &Slot, publication: &Publication, refused: &Refused) {
        self.shared.counters.messages_refused.one();
        self.shared.counters.refused_by_hook.one();
        let client_id: &str = &slot.key.client_id;
        let topic = &publication.message.topic;
        tracing::info!(client_id, %topic, reason = %refused.reason, "a hook refused a publish");
    }

    /// Asks the synchronous hooks about a message that no connection waits for: a will. `None`: it is not published.
    pub(super) fn ask_about_will(
        &self,
        slot: SlotId,
        admission: &Admission,
        authorized: Authorized<Routable>,
    ) -> Option<Authorized<Routable>> {
        if self.shared.hooks.publish.is_empty() {
            return Some(authorized);
        }
        let caller = Caller {
            connection: None,
            client_id: self.locals.get(&slot)?.slot.key.client_id.clone(),
            principal: Arc::clone(admission.principal()),
            version: Version::V5,
        };
        let mut publication = Publication::from(authorized.into_inner());
        match self.shared.hooks.publish(&caller, &mut publication) {
            PublishDecision::Route => Some(routable(publication)),
            decision => {
                let topic = &publication.message.topic;
                tracing::info!(client_id = &*caller.client_id, %topic, ?decision, "a hook kept a will");
                None
            }
        }
    }

    pub(super) fn ask_before_subscribing(
        &mut self,
        now: Now,
        key: ConnKey,
        subscribe: Box<Subscribe>,
        mut judged: Vec<Result<SubscribeOptions, Refused>>,
    ) {
        let Some(caller) = self.caller(key) else { return };
        let shared = Arc::clone(&self.shared);
        let wanted = |judged: &[Result<SubscribeOptions, Refused>]| -> Vec<Wanted> {
            let allowed = subscribe.filters.iter().zip(judged);
            allowed
                .filter_map(|(entry, outcome)| {
                    let options = *outcome.as_ref().ok()?;
                    Some(Wanted { filter: entry.filter.clone(), options })
                })
                .collect()
        };
        for hook in &shared.hooks.subscribe {
            let answers = wanted(&judged).iter().map(|wanted| hook.subscribe(&caller, wanted)).collect();
            apply(&mut judged, answers);
        }
        let left = wanted(&judged);
        let hooks = shared.hooks.subscribe_later.iter().filter(|_| !left.is_empty());
        let later: Vec<Later<_>> = hooks.filter_map(|hook| hook.subscribe(&caller, &left)).collect();
        if later.is_empty() {
            return self.subscribe_judged(now, key, &subscribe, judged);
        }
        let Some(place) = self.place() else {
            let refused =
                Refused::new(ReasonCode::QuotaExceeded).words("too many subscriptions wait to be judged: try later");
            refuse_all(&mut judged, &refused);
            return self.subscribe_judged(now, key, &subscribe, judged);
        };
        let all = async move {
            let mut answers = Vec::new();
            for answer in later {
                answers.push(answer.await);
            }
            answers
        };
        self.ponder(key, place, all, move |worker, now, answers| {
            match answers {
                Some(answers) => apply_each(&mut judged, answers),
                None => {
                    let reason = ReasonCode::ImplementationSpecificError;
                    refuse_all(&mut judged, &Refused::new(reason).words("the decision took too long: try again later"));
                }
            }
            worker.subscribe_judged(now, key, &subscribe, judged);
        });
    }

    /// `Some`: a hook keeps the subscription.
    pub(super) fn ask_before_unsubscribing(&self, key: ConnKey, filter: &SubscriptionFilter) -> Option<Refused> {
        if self.shared.hooks.subscribe.is_empty() {
            return None;
        }
        let caller = self.caller(key)?;
        self.shared.hooks.subscribe.iter().find_map(|hook| match hook.unsubscribe(&caller, filter) {
            UnsubscribeDecision::Remove => None,
            UnsubscribeDecision::Refuse(refused) => Some(refused),
        })
    }

    pub(super) fn ask_before_delivery(
        &self,
        slot: SlotId,
        message: &SharedMessage,
        qos: QoS,
        retained: bool,
    ) -> Hooked {
        if self.shared.hooks.deliver.is_empty() {
            return Hooked::AsIs;
        }
        let Some(local) = self.locals.get(&slot) else { return Hooked::AsIs };
        let principal = local.admitted.as_ref().map(|(admission, _)| admission.principal());
        ask_to_deliver(&self.shared, &local.slot, principal, message, qos, retained)
    }
}

/// Applies answers to what is allowed so far, in order; a missing one refuses.
fn apply(judged: &mut [Result<SubscribeOptions, Refused>], answers: Vec<SubscribeDecision>) {
    let mut answers = answers.into_iter();
    for outcome in judged.iter_mut() {
        let Ok(options) = outcome else { continue };
        match answers.next() {
            Some(SubscribeDecision::Grant) => {}
            Some(SubscribeDecision::GrantAs(other)) => {
                *outcome = Ok(SubscribeOptions { qos: other.qos.min(options.qos), ..other });
            }
            Some(SubscribeDecision::Refuse(refused)) => *outcome = Err(refused),
            None => *outcome = Err(refusal_of_silence()),
        }
    }
}

/// Applies the answers of several hooks, all of which were asked about the same filters.
fn apply_each(judged: &mut [Result<SubscribeOptions, Refused>], answers: Vec<Vec<SubscribeDecision>>) {
    let asked: Vec<usize> =
        judged.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).map(|(place, _)| place).collect();
    for answers in answers {
        let mut answers = answers.into_iter();
        for &place in &asked {
            let answer = answers.next();
            if let Some(outcome) = judged.get_mut(place).filter(|outcome| outcome.is_ok()) {
                apply(std::slice::from_mut(outcome), answer.into_iter().collect());
            }
        }
    }
}

fn refusal_of_silence() -> Refused {
    Refused::new(ReasonCode::ImplementationSpecificError).words("no decision came")
}

fn refuse_all(judged: &mut [Result<SubscribeOptions, Refused>], refused: &Refused) {
    for outcome in judged.iter_mut().filter(|outcome| outcome.is_ok()) {
        *outcome = Err(refused.clone());
    }
}
