//! Decisions about topics that one connection publishes to again and again.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
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
    decisions: HashMap<Arc<str>, Decision, BuildHasherDefault<TopicHasher>>,
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

/// The keys are a peer's, but too few to make a hash without a key slow.
#[derive(Debug, Default, Clone, Copy)]
struct TopicHasher(u64);

impl TopicHasher {
    const fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for TopicHasher {
    fn finish(&self) -> u64 {
        // The low bits choose a bucket, and depend on the low bits of what was hashed alone.
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|&word| self.add(u64::from_le_bytes(word)));
        rest.iter().for_each(|&byte| self.add(u64::from(byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }
}
