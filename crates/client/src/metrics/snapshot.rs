//! What the metrics said at one moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_proto::QoS;
use gridmq_proto::packet::PacketType;

use super::families::{self, Family};
use super::{Cause, Condition, Distribution, Exchange, MessageFate, TYPES};
use crate::inspect::Direction;

const DAY: f64 = 86_400.0;
const QOS: [(QoS, &str); 3] = [(QoS::AtMostOnce, "0"), (QoS::AtLeastOnce, "1"), (QoS::ExactlyOnce, "2")];

/// What the [`Metrics`](super::Metrics) said at one moment. Counters began at 0 with the client.
///
/// ```
/// let snapshot = gridmq_client::metrics::Metrics::new().snapshot();
/// assert!(snapshot.counters().all(|reading| reading.value == 0));
/// assert_eq!(snapshot.certificate_days_left(), None);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// When.
    pub taken: SystemTime,
    /// Attempts to connect that were begun.
    pub connect_attempts: u64,
    /// Those that the server answered with success.
    pub connects: u64,
    /// Those that failed.
    pub connect_failures: u64,
    /// Messages at QoS 0 for which a stream had no room.
    pub overflowed: u64,
    /// Messages taken from the application that the server has not acknowledged.
    pub queue_messages: u64,
    /// Their weight in bytes.
    pub queue_bytes: u64,
    /// Those of them that were sent.
    pub in_flight: u64,
    /// Subscriptions that the client holds.
    pub subscriptions: u64,
    /// What the client was doing.
    pub condition: Condition,
    pub(super) reconnects: [u64; Cause::ALL.len()],
    pub(super) packets: [[u64; TYPES]; 2],
    pub(super) bytes: [[u64; TYPES]; 2],
    pub(super) messages: [[u64; 3]; MessageFate::ALL.len()],
    pub(super) received: [u64; 3],
    /// Seconds since 1970.
    pub(super) certificate_until: Option<u64>,
    pub(super) round_trips: [Distribution; Exchange::ALL.len()],
}

/// One number, or one distribution.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reading<T> {
    /// What it is.
    pub family: &'static Family,
    /// How much.
    pub value: T,
    labels: [(&'static str, &'static str); 2],
    count: usize,
}

impl<T> Reading<T> {
    fn new<const N: usize>(family: &'static Family, labels: [(&'static str, &'static str); N], value: T) -> Self {
        let mut all = [("", ""); 2];
        for (place, label) in all.iter_mut().zip(labels) {
            *place = label;
        }
        Self { family, value, labels: all, count: N.min(2) }
    }

    /// What tells it from the others of its family: names and values.
    #[must_use]
    pub fn labels(&self) -> &[(&'static str, &'static str)] {
        self.labels.get(..self.count).unwrap_or_default()
    }
}

impl Snapshot {
    /// Connections that ended for that cause and that the client set out to replace.
    #[must_use]
    pub fn reconnects(&self, cause: Cause) -> u64 {
        self.reconnects.get(cause as usize).copied().unwrap_or_default()
    }

    /// Packets of that type.
    #[must_use]
    pub fn packets(&self, direction: Direction, packet_type: PacketType) -> u64 {
        of_type(&self.packets, direction, packet_type)
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self, direction: Direction, packet_type: PacketType) -> u64 {
        of_type(&self.bytes, direction, packet_type)
    }

    /// What became of messages that the application published at that QoS.
    #[must_use]
    pub fn messages(&self, outcome: MessageFate, qos: QoS) -> u64 {
        let by_qos = self.messages.get(outcome as usize);
        by_qos.and_then(|by_qos| by_qos.get(usize::from(qos as u8))).copied().unwrap_or_default()
    }

    /// Messages that arrived at that QoS.
    #[must_use]
    pub fn received(&self, qos: QoS) -> u64 {
        self.received.get(usize::from(qos as u8)).copied().unwrap_or_default()
    }

    /// How long exchanges took.
    #[must_use]
    pub fn round_trip(&self, exchange: Exchange) -> &Distribution {
        let [publish, ping] = &self.round_trips;
        match exchange {
            Exchange::Publish => publish,
            Exchange::Ping => ping,
        }
    }

    /// Days until the client's certificate runs out, below 0 if it has; `None` without a certificate.
    #[must_use]
    pub fn certificate_days_left(&self) -> Option<f64> {
        let now = match self.taken.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        };
        self.certificate_until.map(|until| (count(until) - now) / DAY)
    }

    /// When the client's certificate runs out; `None` without one.
    #[must_use]
    pub fn certificate_until(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.certificate_until?))
    }

    /// Numbers that only grow, family by family.
    pub fn counters(&self) -> impl Iterator<Item = Reading<u64>> + use<> {
        self.all_counters().into_iter()
    }

    /// Numbers that go up and down. Of `gridmq_client_state` the state that is has 1, the others 0. A client without a
    /// certificate has no numbers about it.
    pub fn gauges(&self) -> impl Iterator<Item = Reading<f64>> + use<> {
        self.all_gauges().into_iter()
    }

    /// How long things took.
    pub fn histograms(&self) -> impl Iterator<Item = Reading<Distribution>> + use<> {
        self.all_histograms().into_iter()
    }

    pub(super) fn all_counters(&self) -> Vec<Reading<u64>> {
        let mut all = vec![
            Reading::new(&families::CONNECT_ATTEMPTS, [], self.connect_attempts),
            Reading::new(&families::CONNECTS, [], self.connects),
            Reading::new(&families::CONNECT_FAILURES, [], self.connect_failures),
        ];
        let cause =
            |cause: Cause| Reading::new(&families::RECONNECTS, [("cause", cause.name())], self.reconnects(cause));
        all.extend(Cause::ALL.map(cause));
        for (family, numbers) in [(&families::PACKETS, &self.packets), (&families::BYTES, &self.bytes)] {
            for direction in Direction::ALL {
                all.extend(PacketType::ALL.map(|packet_type| {
                    let labels = [("direction", direction.name()), ("type", packet_type.name())];
                    Reading::new(family, labels, of_type(numbers, direction, packet_type))
                }));
            }
        }
        for outcome in MessageFate::ALL {
            let family = match outcome {
                MessageFate::Published => &families::PUBLISHED,
                MessageFate::Acknowledged => &families::ACKNOWLEDGED,
                MessageFate::Refused => &families::REFUSED,
                MessageFate::Dropped => &families::DROPPED,
                MessageFate::TimedOut => &families::TIMED_OUT,
            };
            all.extend(QOS.map(|(qos, name)| Reading::new(family, [("qos", name)], self.messages(outcome, qos))));
        }
        all.extend(QOS.map(|(qos, name)| Reading::new(&families::RECEIVED, [("qos", name)], self.received(qos))));
        all.push(Reading::new(&families::OVERFLOWED, [], self.overflowed));
        all
    }

    pub(super) fn all_gauges(&self) -> Vec<Reading<f64>> {
        let mut all: Vec<_> = [
            (&families::QUEUE_MESSAGES, self.queue_messages),
            (&families::QUEUE_BYTES, self.queue_bytes),
            (&families::IN_FLIGHT, self.in_flight),
            (&families::SUBSCRIPTIONS, self.subscriptions),
        ]
        .map(|(family, value)| Reading::new(family, [], count(value)))
        .into();
        if let (Some(until), Some(left)) = (self.certificate_until, self.certificate_days_left()) {
            all.push(Reading::new(&families::CERTIFICATE_UNTIL, [], count(until)));
            all.push(Reading::new(&families::CERTIFICATE_LEFT, [], left));
        }
        all.extend(Condition::ALL.map(|condition| {
            let is = f64::from(u8::from(condition == self.condition));
            Reading::new(&families::STATE, [(families::STATE.name, condition.name())], is)
        }));
        all
    }

    pub(super) fn all_histograms(&self) -> Vec<Reading<Distribution>> {
        let reading = |exchange: Exchange| {
            Reading::new(&families::ROUND_TRIP, [("exchange", exchange.name())], *self.round_trip(exchange))
        };
        Exchange::ALL.map(reading).into()
    }

    /// The text that a Prometheus scrape wants: OpenMetrics 1.0, complete, with these labels on every sample. See
    /// [`open_metrics`](super::open_metrics) for several clients and for what labels may be.
    #[must_use]
    pub fn open_metrics(&self, labels: &[(&str, &str)]) -> String {
        super::open_metrics([(labels, self)])
    }
}

fn of_type(numbers: &[[u64; TYPES]; 2], direction: Direction, packet_type: PacketType) -> u64 {
    let by_type = numbers.get(direction as usize);
    let index = usize::from(packet_type.as_u8()) - 1;
    by_type.and_then(|by_type| by_type.get(index)).copied().unwrap_or_default()
}

#[allow(clippy::cast_precision_loss, reason = "counts and times far below 2^53")]
const fn count(number: u64) -> f64 {
    number as f64
}
