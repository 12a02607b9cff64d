//! Which subscriptions a message may be for, without looking at each.

use std::collections::HashMap;

use gridmq_proto::SubscriptionFilter;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::topic::{Match, SubscriptionIndex};

use crate::clock;
use crate::inbox::SubscriptionKey;
use crate::message::Message;

/// Subscriptions by topic filter and by identifier.
#[derive(Debug)]
pub(super) struct Lookup {
    by_topic: SubscriptionIndex<SubscriptionKey, ()>,
    by_identifier: HashMap<SubscriptionId, Vec<SubscriptionKey>>,
}

impl Lookup {
    pub(super) fn new() -> Self {
        Self { by_topic: SubscriptionIndex::new(clock::random()), by_identifier: HashMap::new() }
    }

    pub(super) fn add(
        &mut self,
        key: SubscriptionKey,
        filter: &SubscriptionFilter,
        identifier: Option<SubscriptionId>,
    ) {
        self.by_topic.insert(&plain(filter), key, ());
        if let Some(identifier) = identifier {
            self.by_identifier.entry(identifier).or_default().push(key);
        }
    }

    pub(super) fn remove(
        &mut self,
        key: SubscriptionKey,
        filter: &SubscriptionFilter,
        identifier: Option<SubscriptionId>,
    ) {
        self.by_topic.remove(&plain(filter), &key);
        let Some(identifier) = identifier else { return };
        if let Some(keys) = self.by_identifier.get_mut(&identifier) {
            keys.retain(|&other| other != key);
            if keys.is_empty() {
                self.by_identifier.remove(&identifier);
            }
        }
    }

    /// Those that the message's topic matches or that it names, in their order, each once: no other takes it.
    pub(super) fn candidates(&self, message: &Message) -> Vec<SubscriptionKey> {
        let mut keys = Vec::new();
        self.by_topic.for_each_match(message.topic(), |found| match found {
            Match::Subscriber(&key, ()) => keys.push(key),
            // All are stored as plain ones: a group's message is for each of its subscriptions here.
            Match::Group(_) => {}
        });
        let named = message.subscription_identifiers().iter().filter_map(|name| self.by_identifier.get(name));
        keys.extend(named.flatten());
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn plain(filter: &SubscriptionFilter) -> SubscriptionFilter {
    SubscriptionFilter::Plain(filter.filter().clone())
}
