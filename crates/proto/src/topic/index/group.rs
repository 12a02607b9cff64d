//! The members of a shared subscription.

use std::fmt;
use std::sync::Arc;

use super::hamt::PersistentMap;

/// The subscribers of one `$share/name/filter` (MQTT 5.0 §4.8.2). A group in an index has a member.
#[derive(Clone)]
pub struct Group<K, V> {
    name: Arc<str>,
    members: PersistentMap<K, V>,
}

impl<K, V> Group<K, V> {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, members: PersistentMap::default() }
    }

    /// The group's name. The same name with another filter is another group.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in an order that depends only on who they are and on the index's seed.
    pub fn members(&self) -> impl Iterator<Item = (&K, &V)> {
        self.members.iter()
    }

    /// The member at place `n` modulo [`len`](Self::len) of [`members`](Self::members), in O(log n).
    ///
    /// A count gives round robin, a random number a random choice; the next `n` gives another member if this one
    /// cannot take the message.
    #[must_use]
    pub fn pick(&self, n: usize) -> Option<(&K, &V)> {
        self.members.nth(n.checked_rem(self.len())?)
    }
}

impl<K: Clone + Eq, V: Clone> Group<K, V> {
    pub(super) fn get(&self, hash: u64, key: &K) -> Option<&V> {
        self.members.get(hash, key)
    }

    pub(super) fn insert(&mut self, hash: u64, key: K, value: V) -> Option<V> {
        self.members.insert(hash, key, value)
    }

    pub(super) fn remove(&mut self, hash: u64, key: &K) -> Option<V> {
        self.members.remove(hash, key)
    }
}

impl<K, V> fmt::Debug for Group<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("name", &self.name).field("len", &self.len()).finish_non_exhaustive()
    }
}
