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
                losses.lost_acknowledged += tracker.missing_of(acknowledged, *count);
            }
        };
        if shared.plan.audience == Audience::One {
            shared.together.iter().enumerate().for_each(|(stream, tracker)| judge(stream, &tracker.lock()));
            return losses;
        }
        for (first, trackers) in received {
            trackers.iter().enumerate().for_each(|(at, tracker)| judge(first as usize + at, tracker));
        }
        losses
    }
}
