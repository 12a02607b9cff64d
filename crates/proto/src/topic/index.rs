//! Which subscriptions a topic matches.

mod group;
mod hamt;
mod hash;
mod levels;
mod node;

pub use group::Group;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{SubscriptionFilter, TopicName};
use hash::Seed;
use levels::{FilterPath, TopicLevels};
use node::{Entries, Node};

/// Subscriptions by filter: a trie of topic levels that finds what a topic matches.
///
/// A key `K` names a subscriber, a value `V` holds its options; a key has one value for each plain filter and one for
/// each pair of group and filter. Every part is shared between clones: [`Clone`] costs O(1), and a change copies only
/// the way to what it changes. So one writer keeps an index, changes it, and publishes clones that readers use without
/// a lock.
///
/// Costs: a lookup visits the filter prefixes that the topic matches, whatever else is stored. Inserting and removing
/// take O(levels × log n). A stored filter costs memory for each of its levels, so bound their number before inserting
/// (see [`DEFAULT_MAX_LEVELS`](super::DEFAULT_MAX_LEVELS)). Nothing recurses on levels, dropping included.
pub struct SubscriptionIndex<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
    seed: Seed,
}

/// One thing that a topic matches.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "a subscription is plain or shared")]
pub enum Match<'a, K, V> {
    /// A plain subscription.
    Subscriber(&'a K, &'a V),
    /// A shared subscription's group; one of its members gets the message.
    Group(&'a Group<K, V>),
}

impl<K, V> Clone for Match<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Match<'_, K, V> {}

impl<K, V> SubscriptionIndex<K, V> {
    /// An empty index. Peers choose what is hashed, so `seed` must be unpredictable to them.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { root: Arc::new(Node::default()), len: 0, seed: Seed::new(seed) }
    }

    /// How many subscriptions there are, each member of each group counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no subscription.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Calls `found` for every subscription and every group that the topic matches; answers how many filters it matched.
    ///
    /// A key with several matching filters is reported once for each, so with one filter no plain key comes twice. The order is the same for the same content and
    /// seed. Topics that begin with `$` match no filter that begins with a wildcard [MQTT-4.7.2-1].
    pub fn for_each_match<'a>(&'a self, topic: &TopicName, mut found: impl FnMut(Match<'a, K, V>)) -> usize {
        let mut filters = 0;
        self.walk(topic, |entries| {
            filters += 1;
            entries.plain.iter().for_each(|(key, value)| found(Match::Subscriber(key, value)));
            entries.groups.iter().for_each(|(_, group)| found(Match::Group(group)));
        });
        filters
    }

    /// How many nodes a lookup of the topic looks at.
    #[doc(hidden)]
    #[must_use]
    pub fn visited(&self, topic: &TopicName) -> usize {
        self.walk(topic, |_| {})
    }

    /// Gives the entries of every filter that the topic matches; counts the nodes that it looked at.
    fn walk<'a>(&'a self, topic: &TopicName, mut found: impl FnMut(&'a Entries<K, V>)) -> usize {
        let mut levels = TopicLevels::new(topic.as_str(), self.seed);
        let mut pending: SmallVec<[(&Node<K, V>, usize); 16]> = SmallVec::new();
        pending.push((&self.root, 0));
        let mut visited = 0;
        while let Some((node, depth)) = pending.pop() {
            visited += 1;
            let wild = depth > 0 || !topic.is_reserved();
            if wild && let Some(entries) = &node.below {
                found(entries);
            }
            let Some(level) = levels.at(depth) else {
                node.here.as_deref().into_iter().for_each(&mut found);
                continue;
            };
            if wild && let Some(child) = &node.any {
                pending.push((child, depth + 1));
            }
            if let Some(child) = node.children.get(level.hash, level.text) {
                pending.push((child, depth + 1));
            }
        }
        visited
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SubscriptionIndex<K, V> {
    /// The value that the key has for exactly this filter.
    #[must_use]
    pub fn get(&self, filter: &SubscriptionFilter, key: &K) -> Option<&V> {
        let path = FilterPath::new(filter.filter(), self.seed);
        let mut node = &*self.root;
        for level in &path.levels {
            node = node.child(level)?;
        }
        let entries = node.entries(path.below)?;
        match filter.group() {
            None => entries.plain.get(self.seed.key(key), key),
            Some(group) => entries.groups.get(self.seed.text(group), group)?.get(self.seed.key(key), key),
        }
    }

    /// Stores a subscription; gives the value that it replaced.
    pub fn insert(&mut self, filter: &SubscriptionFilter, key: K, value: V) -> Option<V> {
        let path = FilterPath::new(filter.filter(), self.seed);
        let hash = self.seed.key(&key);
        let mut node = Arc::make_mut(&mut self.root);
        for level in &path.levels {
            node = node.child_mut(level)?;
        }
        let entries = node.entries_mut(path.below);
        let old = match filter.group() {
            None => entries.plain.insert(hash, key, value),
            Some(group) => entries.group_mut(self.seed.text(group), group)?.insert(hash, key, value),
        };
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes a subscription and what only it needed; gives its value.
    pub fn remove(&mut self, filter: &SubscriptionFilter, key: &K) -> Option<V> {
        // Looking first means that a miss copies nothing that a clone shares.
        let value = self.get(filter, key)?.clone();
        let path = FilterPath::new(filter.filter(), self.seed);
        let lone = self.lone_tail(filter, &path);
        let mut node = Arc::make_mut(&mut self.root);
        match lone {
            Some(kept) => {
                for level in path.levels.iter().take(kept) {
                    node = node.child_mut(level)?;
                }
                match path.levels.get(kept) {
                    Some(level) => node.remove_child(level),
                    None => node.remove_entries(path.below),
                }
            }
            None => {
                for level in &path.levels {
                    node = node.child_mut(level)?;
                }
                let entries = node.entries_mut(path.below);
                let hash = self.seed.key(key);
                match filter.group() {
                    None => drop(entries.plain.remove(hash, key)),
                    Some(group) => entries.remove_member(self.seed.text(group), group, hash, key),
                }
            }
        }
        self.len -= 1;
        Some(value)
    }

    /// If nothing but the one present subscription of `filter` is stored there: the number of levels to keep.
    fn lone_tail(&self, filter: &SubscriptionFilter, path: &FilterPath<'_>) -> Option<usize> {
        let mut node = &*self.root;
        let mut kept = 0;
        for (depth, level) in path.levels.iter().enumerate() {
            if node.weight() > 1 {
                kept = depth;
            }
            node = node.child(level)?;
        }
        if node.weight() > 1 {
            kept = path.levels.len();
        }
        let entries = node.entries(path.below)?;
        let group_len =
            filter.group().map_or(1, |group| entries.groups.get(self.seed.text(group), group).map_or(0, Group::len));
        (entries.weight() == 1 && group_len == 1).then_some(kept)
    }
}

impl<K, V> Clone for SubscriptionIndex<K, V> {
    fn clone(&self) -> Self {
        Self { root: Arc::clone(&self.root), len: self.len, seed: self.seed }
    }
}

impl<K, V> fmt::Debug for SubscriptionIndex<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionIndex").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
