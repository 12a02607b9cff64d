//! The state as it would be after what a request has done so far.

use std::collections::{BTreeMap, HashMap};

use super::stored::{Change, State, Stored, authentication_name, list_of, name_in};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    state: &'a State,
    /// By key; `None`: removed.
    changed: BTreeMap<String, Option<Stored>>,
    /// How many each list has, of those that have changed.
    counts: HashMap<String, usize>,
    /// Clients by authentication name, of those that have changed; `None`: nobody has it any more.
    names: HashMap<String, Option<String>>,
    last: u64,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        let (changed, counts, names) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { state, changed, counts, names, last: state.last }
    }

    /// A draft that goes on from here and is thrown away.
    pub(super) fn trial(&self) -> Self {
        self.clone()
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

    /// How many a list has.
    pub(super) fn count(&self, list: &str) -> usize {
        self.counts.get(list).or_else(|| self.state.counts.get(list)).copied().unwrap_or(0)
    }

    /// The key of the client of that list that has this authentication name, in any case.
    pub(super) fn named(&self, list: &str, name: &str) -> Option<&str> {
        let name = name_in(list, name);
        match self.names.get(&name) {
            Some(changed) => changed.as_deref(),
            None => self.state.names.get(&name).map(String::as_str),
        }
    }

    /// The etag of what is put next.
    pub(super) const fn next_etag(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn put(&mut self, key: String, stored: Stored) {
        self.take_out(&key);
        let list = list_of(&key).to_owned();
        let count = self.count(&list) + 1;
        self.counts.insert(list, count);
        if let Some(name) = authentication_name(&key, &stored) {
            self.names.insert(name, Some(key.clone()));
        }
        self.changed.insert(key, Some(stored));
    }

    /// Removes a resource and all that is below it.
    pub(super) fn remove(&mut self, key: &str) {
        let below: Vec<_> = self.below(&format!("{key}/")).into_iter().map(|(key, _)| key).collect();
        for key in below.into_iter().chain([key.to_owned()]) {
            self.take_out(&key);
            self.changed.insert(key, None);
        }
    }

    /// Has the lists forget a resource, if there is one.
    fn take_out(&mut self, key: &str) {
        let Some(stored) = self.get(key) else { return };
        let name = authentication_name(key, stored);
        let list = list_of(key).to_owned();
        let count = self.count(&list).saturating_sub(1);
        self.counts.insert(list, count);
        if let Some(name) = name {
            self.names.insert(name, None);
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
