//! Which member of a shared subscription gets a message.

use std::hash::{BuildHasher, RandomState};

use gridmq_proto::TopicName;
use gridmq_proto::topic::Group;

use crate::directory::SlotId;
use crate::index::Entry;

/// Which member of a shared subscription gets a message (MQTT 5.0 §4.8.2 leaves it to the server). Members that are
/// connected come first, whatever the strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SharedStrategy {
    /// One after the other, counted by each worker for itself.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The one that has the fewest messages of QoS 1 and 2 that it did not acknowledge yet, as far as the publisher's
    /// worker knows; of several, the next in turn. At most 32 members are compared.
    LeastInFlight,
    /// The same for all messages of one publisher, while the members are the same.
    StickyByPublisher,
    /// The same for all messages to one topic, while the members are the same: their order is kept.
    StickyByTopic,
}

/// Members looked at for one that is online.
const TRIES: usize = 32;

/// What a choice is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) strategy: SharedStrategy,
    /// Counts up.
    pub(crate) turn: usize,
}

impl Choice {
    pub(crate) fn pick<'a>(
        self,
        group: &'a Group<SlotId, Entry>,
        topic: &TopicName,
        publisher: Option<SlotId>,
        hasher: &RandomState,
    ) -> Option<&'a Entry> {
        let hash = |hash: u64| usize::try_from(hash % (1 << 31)).unwrap_or(0);
        let start = match self.strategy {
            SharedStrategy::RoundRobin => self.turn,
            SharedStrategy::Random => hash(hasher.hash_one(self.turn)),
            SharedStrategy::LeastInFlight => return self.least(group),
            SharedStrategy::StickyByPublisher => hash(hasher.hash_one(publisher)),
            SharedStrategy::StickyByTopic => hash(hasher.hash_one(topic.as_str())),
        };
        pick(group, start, None)
    }

    fn least(self, group: &Group<SlotId, Entry>) -> Option<&Entry> {
        let members = (0..group.len().min(TRIES)).filter_map(|step| group.pick(self.turn.wrapping_add(step)));
        // The first of equals: `min_by_key` keeps it.
        let least = members.map(|(_, entry)| entry).min_by_key(|entry| (!entry.slot.is_online(), entry.slot.load()))?;
        least.slot.add_load();
        Some(least)
    }
}

/// The member at `turn`: the next that is online, or the next at all if none is.
pub(crate) fn pick(group: &Group<SlotId, Entry>, turn: usize, but: Option<SlotId>) -> Option<&Entry> {
    let fits = |entry: &&Entry| but != Some(entry.slot.id);
    let members = (0..group.len().min(TRIES)).filter_map(|step| group.pick(turn.wrapping_add(step)));
    let mut fallback = None;
    for (_, entry) in members {
        if !fits(&entry) {
            continue;
        }
        if entry.slot.is_online() {
            return Some(entry);
        }
        fallback = fallback.or(Some(entry));
    }
    fallback
}
