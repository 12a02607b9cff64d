//! Which subscriptions a message may be for, without looking at each.

use std::collections::HashMap;
use std::fmt::Debug;

use gridmq_proto::SubscriptionFilter;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::topic::{Match, SubscriptionIndex};

use crate::clock;
use crate::inbox::SubscriptionKey;
use crate::message::Message;

/// Finds subscriptions. A trait, and the router is given what makes one: a program that does not subscribe does not
/// carry it.
pub(crate) trait Lookup: Debug + Send {
    fn add(&mut self, key: SubscriptionKey, filter: &SubscriptionFilter, identifier: Option<SubscriptionId>);

    fn remove(&mut self, key: SubscriptionKey, filter: &SubscriptionFilter, identifier: Option<SubscriptionId>);

    /// Those that the message's topic matches or that it names, in their order, each once: no other takes it.
    fn candidates(&self, message: &Message) -> Vec<SubscriptionKey>;
}

pub(crate) type NewLookup = fn() -> Box<dyn Lookup>;

pub(crate) fn new_lookup() -> Box<dyn Lookup> {
    Box::new(Index { by_topic: SubscriptionIndex::new(clock::random()), by_identifier: HashMap::new() })
}

/// Subscriptions by topic filter and by identifier.
#[derive(Debug)]
struct Index {
    by_topic: SubscriptionIndex<SubscriptionKey, ()>,
    by_identifier: HashMap<SubscriptionId, Vec<SubscriptionKey>>,
}

impl Lookup for Index {
    fn add(&mut self, key: SubscriptionKey, filter: &SubscriptionFilter, identifier: Option<SubscriptionId>) {
        self.by_topic.insert(&plain(filter), key, ());
        if let Some(identifier) = identifier {
            self.by_identifier.entry(identifier).or_default().push(key);
        }
    }

    fn remove(&mut self, key: SubscriptionKey, filter: &SubscriptionFilter, identifier: Option<SubscriptionId>) {
        self.by_topic.remove(&plain(filter), &key);
        let Some(identifier) = identifier else { return };
        if let Some(keys) = self.by_identifier.get_mut(&identifier) {
            keys.retain(|&other| other != key);
            if keys.is_empty() {
                self.by_identifier.remove(&identifier);
            }
        }
    }

    fn candidates(&self, message: &Message) -> Vec<SubscriptionKey> {
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
