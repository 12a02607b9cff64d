//! What a broker does, as plainly as it can be written: maps and loops, one thing after the other.

use std::collections::BTreeMap;

use gridmq_proto::QoS;
use gridmq_proto::packet::{RetainHandling, SubscribeOptions};

pub(crate) type ClientId = usize;

/// What a client is to receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// In order.
    pub(crate) identifiers: Vec<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) options: SubscribeOptions,
    pub(crate) identifier: Option<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) online: bool,
    /// It outlives its connection.
    pub(crate) lasting: bool,
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    /// For a client that is away.
    pub(crate) waiting: Vec<Message>,
    pub(crate) will: Option<Will>,
}

/// What a publish did.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    /// For clients that are online.
    pub(crate) to: Vec<(ClientId, Message)>,
    /// Somebody subscribes to it.
    pub(crate) matched: bool,
    /// A client that is away was matched.
    pub(crate) away: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) sessions: BTreeMap<ClientId, Session>,
    pub(crate) retained: BTreeMap<String, (String, QoS)>,
}

impl Model {
    /// `from`: nobody for a will.
    pub(crate) fn publish(
        &mut self,
        from: Option<ClientId>,
        topic: &str,
        payload: &str,
        qos: QoS,
        retain: bool,
    ) -> Routed {
        if retain && payload.is_empty() {
            self.retained.remove(topic);
        } else if retain {
            self.retained.insert(topic.to_owned(), (payload.to_owned(), qos));
        }
        let mut routed = Routed::default();
        for (&client, session) in &mut self.sessions {
            let mut message: Option<Message> = None;
            for (filter, subscription) in &session.subscriptions {
                if !matches(filter, topic) || subscription.options.no_local && from == Some(client) {
                    continue;
                }
                let message = message.get_or_insert_with(|| Message {
                    topic: topic.to_owned(),
                    payload: payload.to_owned(),
                    qos: QoS::AtMostOnce,
                    retain: false,
                    identifiers: Vec::new(),
                });
                message.qos = message.qos.max(subscription.options.qos.min(qos));
                message.retain |= retain && subscription.options.retain_as_published;
                message.identifiers.extend(subscription.identifier);
            }
            let Some(mut message) = message else { continue };
            message.identifiers.sort_unstable();
            routed.matched = true;
            if session.online {
                routed.to.push((client, message));
            } else {
                routed.away = true;
                if message.qos != QoS::AtMostOnce {
                    session.waiting.push(message);
                }
            }
        }
        routed
    }

    /// The connection of a client ends; its will, if it is to be published, has been taken and published.
    pub(crate) fn leave(&mut self, client: ClientId) {
        let session = self.sessions.get_mut(&client).expect("it is there");
        session.online = false;
        session.will = None;
        if !session.lasting {
            self.sessions.remove(&client);
        }
    }

    /// A client connects. Answers whether its session was present, and what waits in it.
    pub(crate) fn connect(
        &mut self,
        client: ClientId,
        clean_start: bool,
        lasting: bool,
        will: Option<Will>,
    ) -> (bool, Vec<Message>) {
        if clean_start || self.sessions.get(&client).is_some_and(|session| !session.lasting) {
            self.sessions.remove(&client);
        }
        let present = self.sessions.contains_key(&client);
        let session = self.sessions.entry(client).or_default();
        session.online = true;
        session.lasting = lasting;
        session.will = will;
        (present, std::mem::take(&mut session.waiting))
    }

    /// Answers the retained messages that the new subscription gets.
    pub(crate) fn subscribe(&mut self, client: ClientId, filter: &str, subscription: Subscription) -> Vec<Message> {
        let session = self.sessions.get_mut(&client).expect("it is there");
        let is_new = session.subscriptions.insert(filter.to_owned(), subscription.clone()).is_none();
        let wanted = match subscription.options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if !wanted {
            return Vec::new();
        }
        let matching = self.retained.iter().filter(|(topic, _)| matches(filter, topic));
        matching
            .map(|(topic, (payload, qos))| Message {
                topic: topic.clone(),
                payload: payload.clone(),
                qos: (*qos).min(subscription.options.qos),
                retain: true,
                identifiers: subscription.identifier.into_iter().collect(),
            })
            .collect()
    }

    /// Answers whether there was such a subscription.
    pub(crate) fn unsubscribe(&mut self, client: ClientId, filter: &str) -> bool {
        self.sessions.get_mut(&client).expect("it is there").subscriptions.remove(filter).is_some()
    }

    pub(crate) fn online(&self) -> Vec<ClientId> {
        self.sessions.iter().filter(|(_, session)| session.online).map(|(&client, _)| client).collect()
    }
}

/// Whether the filter matches the topic (MQTT 5.0 §4.7).
fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let filter: Vec<_> = filter.split('/').collect();
    let topic: Vec<_> = topic.split('/').collect();
    for (level, &wanted) in filter.iter().enumerate() {
        if wanted == "#" {
            return true;
        }
        match topic.get(level) {
            Some(&found) if wanted == "+" || wanted == found => {}
            _ => return false,
        }
    }
    filter.len() == topic.len()
}
