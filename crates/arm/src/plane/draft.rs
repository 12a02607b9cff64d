//! The state as it would be after what a request has done so far.

use std::collections::BTreeMap;

use super::stored::{Change, State, Stored};

/// See the module.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    state: &'a State,
    /// By key; `None`: removed.
    changed: BTreeMap<String, Option<Stored>>,
    last: u64,
}

impl<'a> Draft<'a> {
    pub(super) const fn new(state: &'a State) -> Self {
        Self { state, changed: BTreeMap::new(), last: state.last }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Stored> {
        match self.changed.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.state.get(key),
        }
    }

    /// Those whose keys begin so, in the order of their keys.
    pub(super) fn below(&self, prefix: &str) -> Vec<(String, &Stored)> {
        let mut all: BTreeMap<&String, &Stored> = self.state.below(prefix).collect();
        for (key, changed) in self.changed.iter().filter(|(key, _)| key.starts_with(prefix)) {
            match changed {
                Some(stored) => all.insert(key, stored),
                None => all.remove(key),
            };
        }
        all.into_iter().map(|(key, stored)| (key.clone(), stored)).collect()
    }

    /// The etag of what is put next.
    pub(super) const fn next_etag(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn put(&mut self, key: String, stored: Stored) {
        self.changed.insert(key, Some(stored));
    }

    /// Removes a resource and all that is below it.
    pub(super) fn remove(&mut self, key: &str) {
        let below: Vec<_> = self.below(&format!("{key}/")).into_iter().map(|(key, _)| key).collect();
        for key in below.into_iter().chain([key.to_owned()]) {
            self.changed.insert(key, None);
        }
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        let change = |(key, stored): (String, Option<Stored>)| match stored {
            // Every key is a string and nothing fails to serialise.
            Some(stored) => Change::Put { key, row: serde_json::to_vec(&stored).unwrap_or_default() },
            None => Change::Remove { key },
        };
        self.changed.into_iter().map(change).collect()
    }
}
