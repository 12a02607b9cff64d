//! What a publishing link remembers: its packets, what is unacknowledged, what was acknowledged.

use gridmq_proto::{PacketId, QoS};

use crate::payload::Stamp;
use crate::plan::{Batch, Pace, Plan, Stop};
use crate::scan::{PUBACK, PUBCOMP, PUBREC};
use crate::shared::{Counts, Histograms, Phase, Shared};
use crate::template::{Patch, Pattern, Ring, TemplateError};
use crate::tracker::Tracker;

/// At full speed the time of one message in so many is taken.
pub(crate) const SAMPLE: u32 = 16;

/// A publisher.
#[derive(Debug)]
pub(crate) struct Publisher {
    number: u32,
    pub(crate) ring: Ring,
    pub(crate) sent: u32,
    /// Not more than these.
    limit: u32,
    flight: Option<Flight>,
    /// By number, what the broker acknowledged with success.
    pub(crate) acknowledged: Tracker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Sent,
    /// PUBREC has come, PUBREL is on its way.
    Released,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    state: State,
    seq: u32,
    at: u64,
}

/// What is unacknowledged; packet identifiers begin with 1.
#[derive(Debug)]
struct Flight {
    qos: QoS,
    slots: Vec<Slot>,
    free: Vec<PacketId>,
}

/// What an acknowledgement asks of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    PubRel(PacketId),
}

impl Flight {
    fn new(qos: QoS, window: u16) -> Self {
        let ids = (1..=window).rev().filter_map(PacketId::new);
        let slot = Slot { state: State::Free, seq: 0, at: 0 };
        Self { qos, slots: vec![slot; usize::from(window) + 1], free: ids.collect() }
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(id.get()))
    }

    fn take(&mut self, seq: u32, at: u64) -> Option<PacketId> {
        let id = self.free.pop()?;
        *self.slot(id)? = Slot { state: State::Sent, seq, at };
        Some(id)
    }

    fn give(&mut self, id: PacketId) {
        if let Some(slot) = self.slot(id) {
            slot.state = State::Free;
            self.free.push(id);
        }
    }
}

impl Publisher {
    /// One that has at most `receive_maximum` unacknowledged, if the server says so.
    pub(crate) fn new(shared: &Shared, number: u32, receive_maximum: u16) -> Result<Self, TemplateError> {
        let plan = &shared.plan;
        let pattern = Pattern {
            version: plan.version,
            topic: plan.topic_of(shared.run, number),
            qos: plan.qos,
            retain: plan.retain,
            properties: properties(plan),
            run: shared.run,
            stream: u16::try_from(number).unwrap_or(u16::MAX),
            size: plan.size,
        };
        let ring = Ring::new(
            &pattern,
            match plan.batch {
                Batch::One => 1,
                Batch::Bytes(bytes) => bytes,
            },
        )?;
        let window = u16::try_from(plan.window).unwrap_or(u16::MAX).min(receive_maximum);
        let limit = match plan.stop {
            Stop::Count(all) => {
                let (all, publishers) = (u128::from(all), u128::from(plan.publishers));
                u32::try_from((all + publishers - 1 - u128::from(number)) / publishers).unwrap_or(u32::MAX)
            }
            Stop::After(_) => u32::MAX,
        };
        let flight = (plan.qos != QoS::AtMostOnce).then(|| Flight::new(plan.qos, window));
        Ok(Self { number, ring, sent: 0, limit, flight, acknowledged: Tracker::default() })
    }

    /// How many more may go now.
    fn allowed(&self, shared: &Shared) -> u32 {
        let plan = &shared.plan;
        let left = self.limit - self.sent;
        let free = self.flight.as_ref().map_or(u32::MAX, |flight| u32::try_from(flight.free.len()).unwrap_or(u32::MAX));
        let most = left.min(free);
        let copies = u64::from(plan.copies());
        if plan.pace != Pace::Closed || copies == 0 || most == 0 {
            return most;
        }
        let Some(stream) = shared.streams.get(self.number as usize) else { return 0 };
        let window = u64::from(plan.window);
        let credit = || window.saturating_sub(u64::from(self.sent).saturating_sub(stream.passed() / copies));
        // Half a window at least: messages that leave by twos measure something else than a load.
        let enough = (window / 2).max(1);
        let ready = (u64::from(self.sent) + enough).saturating_sub(window) * copies;
        if credit() < enough && stream.wait_for(ready) {
            return 0;
        }
        most.min(u32::try_from(credit()).unwrap_or(u32::MAX))
    }

    /// Makes packets ready, as many as may go.
    pub(crate) fn refill(&mut self, shared: &Shared, counts: &mut Counts, histograms: &mut Histograms) {
        if self.ring.room() == 0 || shared.phase() != Phase::Running {
            return;
        }
        let most = self.allowed(shared);
        if most == 0 {
            return;
        }
        let now = shared.now();
        let (plan, number) = (&shared.plan, self.number);
        let rate = match plan.pace {
            Pace::Rate { per_second } => Some(per_second),
            _ => None,
        };
        let Self { ring, sent, flight, .. } = self;
        let filled = ring.fill(most as usize, || {
            let due = rate.map(|rate| shared.due(number, *sent, rate));
            if due.is_some_and(|due| due > now) {
                return None;
            }
            if let Some(due) = due {
                let _ = histograms.send_lag.record(now.saturating_sub(due).max(1));
            }
            let (seq, at) = (*sent, due.unwrap_or(now));
            let id = match flight {
                Some(flight) => Some(flight.take(seq, at)?),
                None => None,
            };
            *sent += 1;
            let stamp = Stamp { run: shared.run, stream: u16::try_from(number).unwrap_or(u16::MAX), seq, sent: at };
            let topic = (u64::from(seq) * u64::from(plan.publishers) + u64::from(number)) % u64::from(plan.topics);
            Some(Patch { id, number: u32::try_from(topic).unwrap_or(0), stamp })
        });
        counts.sent += filled as u64;
    }

    /// Takes an acknowledgement.
    pub(crate) fn acknowledge(
        &mut self,
        (first, id, reason): (u8, PacketId, u8),
        (shared, now): (&Shared, u64),
        counts: &mut Counts,
        histograms: &mut Histograms,
    ) -> Answer {
        let Some(flight) = &mut self.flight else {
            counts.unexpected += 1;
            return Answer::Nothing;
        };
        let qos = flight.qos;
        let Some(slot) = flight.slot(id) else {
            counts.unexpected += 1;
            return Answer::Nothing;
        };
        let Slot { state, seq, at } = *slot;
        match (first, qos, state) {
            (PUBACK, QoS::AtLeastOnce, State::Sent) | (PUBREC, QoS::ExactlyOnce, State::Sent) => {
                if matches!(shared.plan.pace, Pace::Rate { .. }) || seq.is_multiple_of(SAMPLE) {
                    let _ = histograms.acknowledged.record(now.saturating_sub(at).max(1));
                }
                if reason >= 0x80 {
                    counts.refused += 1;
                    *shared.refusals.lock().entry(reason).or_default() += 1;
                    flight.give(id);
                    return Answer::Nothing;
                }
                self.acknowledged.see(seq);
                counts.acknowledged += 1;
                if first == PUBREC {
                    slot.state = State::Released;
                    return Answer::PubRel(id);
                }
                flight.give(id);
            }
            (PUBREC, QoS::ExactlyOnce, State::Released) => return Answer::PubRel(id),
            (PUBCOMP, QoS::ExactlyOnce, State::Released) => flight.give(id),
            _ => counts.unexpected += 1,
        }
        Answer::Nothing
    }

    /// Whether everything that was sent is settled.
    pub(crate) fn settled(&self) -> bool {
        self.flight.as_ref().is_none_or(|flight| flight.free.len() + 1 == flight.slots.len())
    }
}

fn properties(plan: &Plan) -> Option<Box<gridmq_proto::MessageProperties>> {
    (plan.user_properties > 0).then(|| {
        let one = |number| (format!("property-{number:03}").into(), "a value of some length".into());
        let user_properties = (0..plan.user_properties).map(one).collect();
        Box::new(gridmq_proto::MessageProperties { user_properties, ..Default::default() })
    })
}
