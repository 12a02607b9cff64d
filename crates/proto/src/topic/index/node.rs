//! The trie's nodes.

use std::sync::Arc;

use super::group::Group;
use super::hamt::PersistentMap;
use super::levels::FilterLevel;

/// What is stored for the filters that begin with the same levels.
#[derive(Clone)]
pub(super) struct Node<K, V> {
    /// By literal next level.
    pub(super) children: PersistentMap<Arc<str>, Arc<Self>>,
    /// Next level `+`.
    pub(super) any: Option<Arc<Self>>,
    /// The filter that ends here.
    pub(super) here: Option<Arc<Entries<K, V>>>,
    /// The filter that ends here with a `#`.
    pub(super) below: Option<Arc<Entries<K, V>>>,
}

/// The subscriptions to one filter; never empty once stored.
#[derive(Clone)]
pub(super) struct Entries<K, V> {
    pub(super) plain: PersistentMap<K, V>,
    pub(super) groups: PersistentMap<Arc<str>, Group<K, V>>,
}

impl<K, V> Default for Node<K, V> {
    fn default() -> Self {
        Self { children: PersistentMap::default(), any: None, here: None, below: None }
    }
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self { plain: PersistentMap::default(), groups: PersistentMap::default() }
    }
}

impl<K, V> Node<K, V> {
    pub(super) fn child(&self, level: &FilterLevel<'_>) -> Option<&Self> {
        match level {
            FilterLevel::Any => self.any.as_deref(),
            FilterLevel::Literal(level) => self.children.get(level.hash, level.text).map(AsRef::as_ref),
        }
    }

    pub(super) fn entries(&self, below: bool) -> Option<&Entries<K, V>> {
        if below { self.below.as_deref() } else { self.here.as_deref() }
    }

    /// How many children and kinds of entries keep this node.
    pub(super) fn weight(&self) -> usize {
        self.children.len()
            + usize::from(self.any.is_some())
            + usize::from(self.here.is_some())
            + usize::from(self.below.is_some())
    }

    fn unlink(&mut self, pending: &mut Vec<Arc<Self>>) {
        pending.extend(self.any.take());
        std::mem::take(&mut self.children).take_unshared(|child| pending.push(child));
    }
}

impl<K: Clone, V: Clone> Node<K, V> {
    /// The child of that level, made if there is none. Always `Some`.
    pub(super) fn child_mut(&mut self, level: &FilterLevel<'_>) -> Option<&mut Self> {
        let child = match level {
            FilterLevel::Any => self.any.get_or_insert_default(),
            FilterLevel::Literal(level) => {
                self.children.get_or_insert_with(level.hash, level.text, || (level.text.into(), Arc::default()))?.0
            }
        };
        Some(Arc::make_mut(child))
    }

    pub(super) fn remove_child(&mut self, level: &FilterLevel<'_>) {
        match level {
            FilterLevel::Any => self.any = None,
            FilterLevel::Literal(level) => drop(self.children.remove(level.hash, level.text)),
        }
    }

    /// The entries of that kind, made if there are none.
    pub(super) fn entries_mut(&mut self, below: bool) -> &mut Entries<K, V> {
        let entries = if below { &mut self.below } else { &mut self.here };
        Arc::make_mut(entries.get_or_insert_default())
    }

    pub(super) fn remove_entries(&mut self, below: bool) {
        if below {
            self.below = None;
        } else {
            self.here = None;
        }
    }
}

/// A chain of nodes is as long as a filter has levels: dropping it link by link keeps the stack flat.
impl<K, V> Drop for Node<K, V> {
    fn drop(&mut self) {
        if self.any.is_none() && self.children.is_empty() {
            return;
        }
        let mut pending = Vec::new();
        self.unlink(&mut pending);
        while let Some(node) = pending.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                node.unlink(&mut pending);
            }
        }
    }
}

impl<K, V> Entries<K, V> {
    /// How many plain subscriptions and groups there are.
    pub(super) fn weight(&self) -> usize {
        self.plain.len() + self.groups.len()
    }
}

impl<K: Clone + Eq, V: Clone> Entries<K, V> {
    /// The group of that name, made if there is none. Always `Some`.
    pub(super) fn group_mut(&mut self, hash: u64, name: &str) -> Option<&mut Group<K, V>> {
        let make = || {
            let name: Arc<str> = name.into();
            (Arc::clone(&name), Group::new(name))
        };
        Some(self.groups.get_or_insert_with(hash, name, make)?.0)
    }

    /// Removes a member, and its group with the last one.
    pub(super) fn remove_member(&mut self, group_hash: u64, name: &str, hash: u64, key: &K) {
        let Some(group) = self.group_mut(group_hash, name) else { return };
        group.remove(hash, key);
        if group.is_empty() {
            self.groups.remove(group_hash, name);
        }
    }
}
