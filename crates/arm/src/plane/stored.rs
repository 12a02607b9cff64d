//! The resources as they are kept.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use gridmq_namespace::Resources;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::kind::Kind;
use crate::template::ResourceId;

/// A change of the state, and of the row that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "what can become of a row")]
pub enum Change {
    /// The row is this.
    Put {
        /// Its key.
        key: String,
        /// Its bytes.
        row: Vec<u8>,
    },
    /// There is no such row any more.
    Remove {
        /// Its key.
        key: String,
    },
}

/// A row that is none of a plane's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored resource '{key}' cannot be read: {problem}; restore a backup")]
#[non_exhaustive]
pub struct RowError {
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A resource, or a resource group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// As it was written first.
    pub(super) id: String,
    /// All but `id`, `name` and `type`; valid.
    pub(super) body: Map<String, Json>,
    /// Rises with each change of anything.
    pub(super) etag: u64,
    /// Its etag when it was made.
    pub(super) made: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<[String; 2]>,
}

impl Stored {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.id.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// With its name, as a document of a namespace has it.
    pub(super) fn named(&self) -> Json {
        let mut body = self.body.clone();
        body.insert("name".to_owned(), Json::from(self.name()));
        Json::Object(body)
    }
}

/// Two ids that differ in case alone are one.
pub(super) fn key_of(id: &ResourceId) -> String {
    id.to_string().to_lowercase()
}

/// The list that a resource is in: what stands before its name.
pub(super) fn list_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(list, _)| list)
}

/// The authentication name in that list, in any case.
pub(super) fn name_in(list: &str, name: &str) -> String {
    format!("{list}/{}", name.to_lowercase())
}

/// The authentication name of a client, in its list.
pub(super) fn authentication_name(key: &str, stored: &Stored) -> Option<String> {
    let list = list_of(key);
    let given = stored.body.get("properties").and_then(|it| it.get("authenticationName")).and_then(Json::as_str);
    list.ends_with("/clients").then(|| name_in(list, given.unwrap_or_else(|| stored.name())))
}

/// All resources by key.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    all: BTreeMap<String, Stored>,
    /// How many each list has.
    pub(super) counts: HashMap<String, usize>,
    /// Clients by authentication name in their list.
    pub(super) names: HashMap<String, String>,
    /// The last etag that was given.
    pub(super) last: u64,
}

impl State {
    pub(super) fn get(&self, key: &str) -> Option<&Stored> {
        self.all.get(key)
    }

    /// Those whose keys begin so.
    pub(super) fn below<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a String, &'a Stored)> + use<'a> {
        let prefix = prefix.to_owned();
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        self.all.range::<str, _>(from).take_while(move |(key, _)| key.starts_with(&*prefix))
    }

    pub(super) fn take(&mut self, key: &str, row: &[u8]) -> Result<(), RowError> {
        let stored: Stored = serde_json::from_slice(row)
            .map_err(|error| RowError { key: key.to_owned(), problem: error.to_string() })?;
        self.last = self.last.max(stored.etag);
        self.forget(key);
        *self.counts.entry(list_of(key).to_owned()).or_default() += 1;
        self.names.extend(authentication_name(key, &stored).map(|name| (name, key.to_owned())));
        self.all.insert(key.to_owned(), stored);
        Ok(())
    }

    fn forget(&mut self, key: &str) {
        let Some(stored) = self.all.remove(key) else { return };
        if let Some(count) = self.counts.get_mut(list_of(key)) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(list_of(key));
            }
        }
        if let Some(name) = authentication_name(key, &stored)
            && self.names.get(&name).is_some_and(|of| of == key)
        {
            self.names.remove(&name);
        }
    }

    pub(super) fn change(&mut self, change: &Change) {
        match change {
            // What was decided can be read.
            Change::Put { key, row } => drop(self.take(key, row)),
            Change::Remove { key } => self.forget(key),
        }
    }

    pub(super) fn served(&self) -> Option<Resources> {
        let enabled = |stored: &&Stored| {
            let state = stored.body.get("properties")?.pointer("/topicSpacesConfiguration/state")?.as_str()?;
            Some(state.eq_ignore_ascii_case("Enabled"))
        };
        let namespaces = self
            .all
            .values()
            .filter(|stored| ResourceId::parse(&stored.id).is_ok_and(|id| Kind::of(&id.kind) == Some(Kind::Namespace)));
        let first = namespaces.filter(|stored| enabled(stored) == Some(true)).min_by_key(|stored| stored.made)?;
        let mut document = Map::new();
        document.insert("namespace".to_owned(), first.named());
        let prefix = first.id.to_lowercase();
        for kind in Kind::ALL {
            if let Some(list) = kind.list() {
                let below = format!("{prefix}/{}/", list.to_lowercase());
                let parts: Vec<_> = self.below(&below).map(|(_, stored)| stored.named()).collect();
                document.insert(list.to_owned(), Json::from(parts));
            }
        }
        // Each was valid when it was taken in, and so is all of them together.
        serde_json::from_value(Json::Object(document)).ok()
    }
}
