//! The levels of topics and filters with their hashes.

use smallvec::SmallVec;

use super::hash::Seed;
use crate::topic::TopicFilter;

/// A literal level.
#[derive(Clone, Copy)]
pub(super) struct Level<'t> {
    pub(super) hash: u64,
    pub(super) text: &'t str,
}

/// The levels of a topic, each hashed when first reached and only then.
pub(super) struct TopicLevels<'t> {
    /// Not reached yet; absent after the last level.
    rest: Option<&'t str>,
    reached: SmallVec<[Level<'t>; 16]>,
    seed: Seed,
}

impl<'t> TopicLevels<'t> {
    pub(super) fn new(topic: &'t str, seed: Seed) -> Self {
        Self { rest: Some(topic), reached: SmallVec::new(), seed }
    }

    /// The level below `depth` others, if the topic is that deep.
    pub(super) fn at(&mut self, depth: usize) -> Option<Level<'t>> {
        while self.reached.len() <= depth {
            let rest = self.rest?;
            let separator = rest.bytes().position(|byte| byte == b'/');
            let (text, after) = match separator.and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?))) {
                Some((text, after)) => (text, Some(after)),
                None => (rest, None),
            };
            self.rest = after;
            self.reached.push(Level { hash: self.seed.text(text), text });
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
    pub(super) fn new(filter: &'t TopicFilter, seed: Seed) -> Self {
        let mut path = Self { levels: SmallVec::new(), below: false };
        for text in filter.as_str().split('/') {
            match text {
                "#" => path.below = true,
                "+" => path.levels.push(FilterLevel::Any),
                _ => path.levels.push(FilterLevel::Literal(Level { hash: seed.text(text), text })),
            }
        }
        path
    }
}
