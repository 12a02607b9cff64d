//! Decisions about topics that one connection publishes to again and again.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::Denied;
use crate::principal::Principal;

type Decision = Result<(), Denied>;

/// The last decisions about one connection's topics.
///
/// It holds at most 64 topics of at most 256 bytes, 16 KiB of text, and forgets the oldest first; other topics are
/// judged each time. Whatever it holds is dropped when the rules' generation or the principal changes.
#[derive(Debug)]
pub struct DecisionCache {
    generation: u64,
    /// Held, so that another principal cannot come to lie at its address.
    owner: Option<Arc<Principal>>,
    capacity: usize,
    // The keys are a peer's, but too few to make an unkeyed hash slow.
    decisions: HashMap<Arc<str>, Decision, BuildHasherDefault<DefaultHasher>>,
    oldest: VecDeque<Arc<str>>,
}

impl DecisionCache {
    /// How many topics a cache holds unless told otherwise.
    pub const DEFAULT_CAPACITY: usize = 64;
    /// Bytes of the longest topic that is held.
    pub const MAXIMUM_TOPIC: usize = 256;

    /// An empty cache for 64 topics; it allocates nothing before the first decision.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// An empty cache for that many topics; 0 caches nothing.
    #[must_use]
    pub fn with_capacity(topics: usize) -> Self {
        Self { generation: 0, owner: None, capacity: topics, decisions: HashMap::default(), oldest: VecDeque::new() }
    }

    /// How many topics it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// The decision about `topic`, if it was made under that generation for that principal.
    pub(super) fn lookup(&mut self, generation: u64, principal: &Arc<Principal>, topic: &str) -> Option<Decision> {
        let same_owner = self.owner.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, principal));
        if !same_owner || self.generation != generation {
            self.decisions.clear();
            self.oldest.clear();
            self.owner = Some(Arc::clone(principal));
            self.generation = generation;
            return None;
        }
        self.decisions.get(topic).cloned()
    }

    /// Holds a decision under the generation and for the principal of the last lookup.
    pub(super) fn remember(&mut self, topic: &str, decision: &Decision) {
        if self.capacity == 0 || topic.len() > Self::MAXIMUM_TOPIC {
            return;
        }
        if self.decisions.len() >= self.capacity
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.decisions.remove(&oldest);
        }
        let topic: Arc<str> = topic.into();
        if self.decisions.insert(Arc::clone(&topic), decision.clone()).is_none() {
            self.oldest.push_back(topic);
        }
    }
}

impl Default for DecisionCache {
    fn default() -> Self {
        Self::new()
    }
}
