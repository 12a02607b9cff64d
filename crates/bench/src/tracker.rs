//! Which numbers of a sequence have been seen: in order, late, twice, never.

use std::ops::Range;

/// How many ranges of missing numbers are remembered; what is pushed out counts as lost.
pub const MAX_RANGES: usize = 4096;

/// What a number is to what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a number is one of these")]
pub enum Seen {
    /// The next one.
    InOrder,
    /// Beyond the next one: so many are missing before it, for now.
    Ahead(u32),
    /// One that was missing: it comes out of order.
    Late,
    /// Seen before, or forgotten.
    Again,
}

/// Remembers which numbers from 0 have been seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracker {
    next: u32,
    /// Absent while nothing is missing.
    gaps: Option<Box<Gaps>>,
}

/// The missing numbers below `next`: ranges that are apart and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Gaps {
    ranges: Vec<Range<u32>>,
    forgotten: u64,
}

impl Tracker {
    /// Takes a number.
    pub fn see(&mut self, seq: u32) -> Seen {
        if seq == self.next {
            self.next = self.next.saturating_add(1);
            return Seen::InOrder;
        }
        if seq > self.next {
            let skipped = seq - self.next;
            let gaps = self.gaps.get_or_insert_default();
            if gaps.ranges.len() == MAX_RANGES {
                gaps.forgotten += gaps.ranges.remove(0).len() as u64;
            }
            gaps.ranges.push(self.next..seq);
            self.next = seq.saturating_add(1);
            return Seen::Ahead(skipped);
        }
        if self.gaps.as_mut().is_some_and(|gaps| gaps.fill(seq)) { Seen::Late } else { Seen::Again }
    }

    /// One more than the highest number seen.
    #[must_use]
    pub const fn next(&self) -> u32 {
        self.next
    }

    /// Missing numbers that could not be remembered one by one. They count as missing.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.gaps.as_ref().map_or(0, |gaps| gaps.forgotten)
    }

    /// The ranges below `end` that were not seen, lowest first, without the forgotten.
    pub fn missing(&self, end: u32) -> impl Iterator<Item = Range<u32>> + '_ {
        let inner = self.gaps.iter().flat_map(|gaps| gaps.ranges.iter().cloned());
        let tail = (self.next < end).then_some(self.next..end);
        inner.map(move |range| range.start.min(end)..range.end.min(end)).chain(tail).filter(|range| !range.is_empty())
    }

    /// How many below `end` were not seen.
    #[must_use]
    pub fn missing_count(&self, end: u32) -> u64 {
        self.missing(end).map(|range| u64::from(range.end - range.start)).sum::<u64>() + self.forgotten()
    }

    /// How many below `end` this one has not seen though `other` has.
    #[must_use]
    pub fn missing_of(&self, other: &Self, end: u32) -> u64 {
        let mut unseen = other.missing(end).peekable();
        let mut count = self.forgotten();
        for range in self.missing(end) {
            count += u64::from(range.end - range.start);
            while let Some(other) = unseen.peek() {
                let (from, to) = (range.start.max(other.start), range.end.min(other.end));
                count -= u64::from(to.saturating_sub(from));
                if other.end > range.end {
                    break;
                }
                unseen.next();
            }
        }
        count
    }
}

impl Gaps {
    /// Takes a number out of the missing; `false` if it was not among them.
    fn fill(&mut self, seq: u32) -> bool {
        let at = self.ranges.partition_point(|range| range.end <= seq);
        let Some(range) = self.ranges.get_mut(at).filter(|range| range.start <= seq) else { return false };
        let (before, after) = (range.start..seq, seq + 1..range.end);
        match (before.is_empty(), after.is_empty()) {
            (true, true) => drop(self.ranges.remove(at)),
            (true, false) => *range = after,
            (false, true) => *range = before,
            (false, false) => {
                *range = before;
                // One more than may be: the lowest is given up rather than the newest.
                self.ranges.insert(at + 1, after);
                if self.ranges.len() > MAX_RANGES {
                    self.forgotten += self.ranges.remove(0).len() as u64;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Says the same from the set of all that was seen.
    #[derive(Default)]
    struct Model {
        seen: HashSet<u32>,
        next: u32,
    }

    impl Model {
        fn see(&mut self, seq: u32) -> Seen {
            let said = match seq {
                seq if !self.seen.insert(seq) => Seen::Again,
                seq if seq == self.next => Seen::InOrder,
                seq if seq > self.next => Seen::Ahead(seq - self.next),
                _ => Seen::Late,
            };
            self.next = self.next.max(seq + 1);
            said
        }
    }

    proptest! {
        #[test]
        fn it_says_what_a_set_of_all_numbers_says(seqs in proptest::collection::vec(0u32..200, 0..400), end in 0u32..260) {
            let (mut tracker, mut model) = (Tracker::default(), Model::default());
            for seq in seqs {
                prop_assert_eq!(tracker.see(seq), model.see(seq));
            }
            let missing: Vec<u32> = tracker.missing(end).flatten().collect();
            let expected: Vec<u32> = (0..end).filter(|seq| !model.seen.contains(seq)).collect();
            prop_assert_eq!(tracker.missing_count(end), expected.len() as u64);
            prop_assert_eq!(missing, expected);
            prop_assert_eq!(tracker.forgotten(), 0);
        }

        #[test]
        fn what_one_misses_of_another_is_the_difference_of_the_sets(
            got in proptest::collection::vec(0u32..120, 0..200),
            acknowledged in proptest::collection::vec(0u32..120, 0..200),
            end in 0u32..140,
        ) {
            let all = |seqs: &[u32]| seqs.iter().fold(Tracker::default(), |mut tracker, &seq| { tracker.see(seq); tracker });
            let (got_set, acknowledged_set) = (HashSet::<u32>::from_iter(got.clone()), HashSet::<u32>::from_iter(acknowledged.clone()));
            let expected = acknowledged_set.difference(&got_set).filter(|&&seq| seq < end).count() as u64;
            prop_assert_eq!(all(&got).missing_of(&all(&acknowledged), end), expected);
        }
    }

    #[test]
    fn more_gaps_than_can_be_kept_are_counted_as_missing() {
        let mut tracker = Tracker::default();
        let ranges = u32::try_from(MAX_RANGES).unwrap() + 10;
        for seq in 1..=ranges {
            tracker.see(seq * 2);
        }
        assert_eq!(tracker.forgotten(), 11, "0 belongs to the first gap");
        assert_eq!(tracker.missing_count(tracker.next()), u64::from(ranges) + 1);
    }
}
