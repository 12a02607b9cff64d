//! The levels of topics and filters with their hashes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::Split;

use smallvec::SmallVec;

use crate::topic::TopicFilter;

/// The hash of a key or a level. The secret seed is hashed first, so peers cannot choose texts that collide.
pub(super) fn hash_of<T: Hash + ?Sized>(seed: u64, value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    value.hash(&mut hasher);
    hasher.finish()
}

/// A literal level.
#[derive(Clone, Copy)]
pub(super) struct Level<'t> {
    pub(super) hash: u64,
    pub(super) text: &'t str,
}

/// The levels of a topic, each hashed when first reached and only then.
pub(super) struct TopicLevels<'t> {
    rest: Split<'t, char>,
    reached: SmallVec<[Level<'t>; 16]>,
    seed: u64,
}

impl<'t> TopicLevels<'t> {
    pub(super) fn new(topic: &'t str, seed: u64) -> Self {
        Self { rest: topic.split('/'), reached: SmallVec::new(), seed }
    }

    /// The level below `depth` others, if the topic is that deep.
    pub(super) fn at(&mut self, depth: usize) -> Option<Level<'t>> {
        while self.reached.len() <= depth {
            let text = self.rest.next()?;
            self.reached.push(Level { hash: hash_of(self.seed, text), text });
        }
        self.reached.get(depth).copied()
    }
}

/// One level of a filter, a final `#` apart.
#[derive(Clone, Copy)]
pub(super) enum FilterLevel<'t> {
    /// `+`.
    Any,
    Literal(Level<'t>),
}

/// Where in the trie a filter's subscriptions are.
pub(super) struct FilterPath<'t> {
    pub(super) levels: SmallVec<[FilterLevel<'t>; 8]>,
    /// Whether a `#` follows the levels.
    pub(super) below: bool,
}

impl<'t> FilterPath<'t> {
    pub(super) fn new(filter: &'t TopicFilter, seed: u64) -> Self {
        let mut path = Self { levels: SmallVec::new(), below: false };
        for text in filter.as_str().split('/') {
            match text {
                "#" => path.below = true,
                "+" => path.levels.push(FilterLevel::Any),
                _ => path.levels.push(FilterLevel::Literal(Level { hash: hash_of(seed, text), text })),
            }
        }
        path
    }
}
