//! What a subscribing link has seen.

use gridmq_proto::{PacketId, QoS};

use crate::payload::{self, Stamp};
use crate::plan::{Audience, Pace};
use crate::publisher::SAMPLE;
use crate::shared::{Counts, Histograms, Shared};
use crate::tracker::{Seen, Tracker};

/// Identifiers in 64 words of 1024.
const WORDS: usize = 1024;

/// A subscriber.
#[derive(Debug)]
pub(crate) struct Subscriber {
    /// The first stream that it gets; the others follow.
    pub(crate) first: u32,
    /// One per stream; none where each message is for one of all.
    pub(crate) trackers: Vec<Tracker>,
    /// At QoS 2: identifiers that were received and not released.
    held: Vec<u64>,
    /// Messages that it is past and has not said so, of one stream.
    passed: (u16, u64),
}

impl Subscriber {
    pub(crate) fn new(shared: &Shared, number: u32) -> Self {
        let (first, streams) = match shared.plan.audience {
            Audience::All => (0, shared.plan.publishers),
            Audience::Pair => (number, 1),
            Audience::One => (0, 0),
        };
        let held = if shared.plan.delivered_qos() == QoS::ExactlyOnce { vec![0; WORDS] } else { Vec::new() };
        Self { first, trackers: (0..streams).map(|_| Tracker::default()).collect(), held, passed: (0, 0) }
    }

    /// Counts a message.
    pub(crate) fn publish(
        &mut self,
        (dup, _retain, id, body): (bool, bool, Option<PacketId>, &[u8]),
        (shared, now): (&Shared, u64),
        counts: &mut Counts,
        histograms: &mut Histograms,
    ) {
        let Some(stamp) = Stamp::read(body).filter(|stamp| stamp.run == shared.run) else {
            counts.foreign += 1;
            return;
        };
        if !payload::is_whole(body, stamp, shared.plan.size, shared.plan.check) {
            counts.corrupt += 1;
            return;
        }
        let again_in_flight = id.is_some_and(|id| self.hold(id)) && dup;
        let seen = if shared.plan.audience == Audience::One {
            let Some(tracker) = shared.together.get(usize::from(stamp.stream)) else {
                counts.foreign += 1;
                return;
            };
            let mut tracker = tracker.lock();
            let before = tracker.next();
            let seen = tracker.see(stamp.seq);
            let passed = tracker.next() - before;
            drop(tracker);
            self.pass(stamp.stream, passed.into(), shared);
            // Subscribers of one message each have no order among them.
            if seen == Seen::Late { Seen::InOrder } else { seen }
        } else {
            let at = u32::from(stamp.stream).checked_sub(self.first).map(|at| at as usize);
            let Some(tracker) = at.and_then(|at| self.trackers.get_mut(at)) else {
                counts.foreign += 1;
                return;
            };
            let seen = tracker.see(stamp.seq);
            match seen {
                Seen::InOrder => self.pass(stamp.stream, 1, shared),
                Seen::Ahead(skipped) => self.pass(stamp.stream, u64::from(skipped) + 1, shared),
                Seen::Late | Seen::Again => {}
            }
            seen
        };
        match seen {
            Seen::Again if again_in_flight || (dup && shared.plan.delivered_qos() == QoS::AtLeastOnce) => {
                counts.duplicated_with_dup += 1;
                return;
            }
            Seen::Again => {
                counts.duplicated += 1;
                return;
            }
            Seen::Late => counts.out_of_order += 1,
            Seen::InOrder | Seen::Ahead(_) => {}
        }
        counts.delivered += 1;
        if matches!(shared.plan.pace, Pace::Rate { .. }) || stamp.seq.is_multiple_of(SAMPLE) {
            let _ = histograms.latency.record(now.saturating_sub(stamp.sent).max(1));
        }
    }

    /// Says how far it is: once for a run of messages of one stream.
    fn pass(&mut self, stream: u16, messages: u64, shared: &Shared) {
        if self.passed.0 != stream {
            self.pass_on(shared);
            self.passed.0 = stream;
        }
        self.passed.1 += messages;
    }

    pub(crate) fn pass_on(&mut self, shared: &Shared) {
        let (stream, messages) = self.passed;
        if messages > 0 {
            shared.pass(stream, messages);
            self.passed.1 = 0;
        }
    }

    /// Remembers an identifier at QoS 2; whether it was there already.
    fn hold(&mut self, id: PacketId) -> bool {
        let (word, bit) = (usize::from(id.get() / 64), 1 << (id.get() % 64));
        let Some(word) = self.held.get_mut(word) else { return false };
        let was = *word & bit != 0;
        *word |= bit;
        was
    }

    /// PUBREL has come.
    pub(crate) fn release(&mut self, id: PacketId) {
        if let Some(word) = self.held.get_mut(usize::from(id.get() / 64)) {
            *word &= !(1 << (id.get() % 64));
        }
    }
}
