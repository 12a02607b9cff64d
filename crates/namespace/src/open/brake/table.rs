//! A map that forgets what was not used for long.

use std::collections::HashMap;
use std::hash::Hash;

/// A map of at most `capacity` keys. When half of them are new, the half that nobody asked for since is forgotten.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Copy, V: Default + Copy> Table<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(key) {
            self.make_young(*key, value);
        }
        self.young.get_mut(key)
    }

    /// What is there, or a default that is there from now on.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        let value = self.old.remove(&key);
        if value.is_some() || !self.young.contains_key(&key) {
            self.make_young(key, value.unwrap_or_default());
        }
        self.young.entry(key).or_default()
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    fn make_young(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}
