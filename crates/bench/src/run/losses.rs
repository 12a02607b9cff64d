//! What was sent, held against what arrived.

use crate::plan::Audience;
use crate::shared::Shared;
use crate::tracker::Tracker;
use crate::worker::Outcome;

#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Deliveries that should have been.
    pub(super) lost: u64,
    /// Of those, of messages that the broker had acknowledged.
    pub(super) lost_acknowledged: u64,
    /// Publishers with messages that were never settled.
    pub(super) unfinished: u64,
    /// More was missing than could be remembered.
    pub(super) overflowed: bool,
}

impl Losses {
    /// Compares what each publisher sent, and was told, with what each subscriber has seen.
    pub(super) fn of(shared: &Shared, outcomes: Vec<Outcome>) -> Self {
        let mut losses = Self::default();
        let mut sent: Vec<(u32, Tracker)> = vec![(0, Tracker::default()); shared.streams.len()];
        let mut received = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Published { publisher, sent: count, acknowledged, settled } => {
                    losses.unfinished += u64::from(!settled);
                    losses.overflowed |= acknowledged.forgotten() > 0;
                    if let Some(stream) = sent.get_mut(publisher as usize) {
                        *stream = (count, acknowledged);
                    }
                }
                Outcome::Received { first, trackers } => received.push((first, trackers)),
            }
        }
        let exact = shared.plan.qos != gridmq_proto::QoS::AtMostOnce;
        let mut judge = |stream: usize, tracker: &Tracker| {
            let Some((count, acknowledged)) = sent.get(stream) else { return };
            losses.lost += tracker.missing_count(*count);
            losses.overflowed |= tracker.forgotten() > 0;
            if exact {
                losses.lost_acknowledged += accused(tracker, acknowledged, *count);
            }
        };
        if shared.plan.audience == Audience::One {
            shared.together.iter().enumerate().for_each(|(stream, tracker)| judge(stream, &tracker.lock()));
        } else {
            for (first, trackers) in received {
                trackers.iter().enumerate().for_each(|(at, tracker)| judge(first as usize + at, tracker));
            }
        }
        // What was refused is nobody's loss.
        let refused = shared.counts().refused * u64::from(shared.plan.copies());
        losses.lost = losses.lost.saturating_sub(refused).max(losses.lost_acknowledged);
        losses
    }
}

/// How many of the first `count` messages were acknowledged and not seen. Where more was missing than is remembered, only
/// those that are sure.
fn accused(seen: &Tracker, acknowledged: &Tracker, count: u32) -> u64 {
    let found = seen.missing_of(acknowledged, count);
    if acknowledged.missing_count(count) == 0 {
        return found;
    }
    found.saturating_sub(seen.forgotten()).saturating_sub(acknowledged.forgotten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(seqs: impl Iterator<Item = u32>) -> Tracker {
        let mut tracker = Tracker::default();
        for seq in seqs {
            tracker.see(seq);
        }
        tracker
    }

    #[test]
    fn nobody_is_accused_of_what_was_forgotten_unless_all_was_acknowledged() {
        // Every second one, of more than can be remembered.
        let half = with((0..40_000).filter(|seq| seq % 2 == 1));
        assert_eq!(accused(&half, &with(0..40_000), 40_000), 20_000);
        assert_eq!(accused(&half, &half, 40_000), 0, "the others were refused");
    }
}
