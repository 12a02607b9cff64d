//! What a client counts and measures.
//!
//! A client adds to its [`Metrics`] as it works; a [`Snapshot`] is what they said at one moment. Adding is a relaxed
//! addition to an atomic number: no lock, no allocation. Packets and bytes are added once for all that a turn of the
//! client's task has read and written.
//!
//! # Prometheus
//! [`Snapshot::open_metrics`] writes the text that a scrape wants, and [`open_metrics`] that of several clients.
//!
//! ```
//! use gridmq_client::metrics::{CONTENT_TYPE, Metrics};
//!
//! let metrics = Metrics::new();
//! let text = metrics.snapshot().open_metrics(&[("site", "north")]);
//! assert!(text.contains("gridmq_client_connects_total{site=\"north\"} 0\n"));
//! assert!(text.ends_with("# EOF\n") && CONTENT_TYPE.starts_with("application/openmetrics-text"));
//! ```
//!
//! # OpenTelemetry
//! An exporter reads [`Snapshot::counters`], [`Snapshot::gauges`] and [`Snapshot::histograms`] from its observable
//! instruments: each [`Reading`] has a [`Family`] with name, unit and help, and its labels.
//!
//! ```
//! # let metrics = gridmq_client::metrics::Metrics::new();
//! let snapshot = metrics.snapshot();
//! for reading in snapshot.counters() {
//!     println!("{} {:?} = {}", reading.family.name, reading.labels(), reading.value);
//! }
//! for reading in snapshot.gauges() {
//!     println!("{} {:?} = {}", reading.family.name, reading.labels(), reading.value);
//! }
//! for reading in snapshot.histograms() {
//!     let buckets: Vec<_> = reading.value.buckets().collect();
//!     println!("{} {:?}: {} in {:?}, {buckets:?}", reading.family.name, reading.labels(), reading.value.count(),
//!         reading.value.sum());
//! }
//! ```

mod distribution;
mod families;
mod snapshot;
mod text;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use gridmq_proto::QoS;
use gridmq_proto::packet::PacketType;

pub use self::distribution::{BUCKETS, Distribution};
pub use self::families::{Family, Unit};
pub use self::snapshot::{Reading, Snapshot};
pub use self::text::{CONTENT_TYPE, open_metrics};

use self::distribution::Histogram;
use crate::error::{DisconnectCause, DisconnectKind, WebSocketError};
use crate::inspect::Direction;

/// Why a client set out to connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The application asked for it.
    Requested,
    /// The server sent DISCONNECT with a reason code.
    Server,
    /// The server closed the connection and said nothing.
    Closed,
    /// The server did not answer within the keep-alive time.
    KeepAlive,
    /// The server broke the protocol.
    Violation,
    /// TLS ended the connection.
    Tls,
    /// Authentication that had been going on did not succeed.
    Authentication,
    /// Reading or writing failed.
    Network,
    /// There is another certificate.
    Rotation,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Requested,
        Self::Server,
        Self::Closed,
        Self::KeepAlive,
        Self::Violation,
        Self::Tls,
        Self::Authentication,
        Self::Network,
        Self::Rotation,
    ];

    /// The value of the label `cause`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Server => "server",
            Self::Closed => "closed",
            Self::KeepAlive => "keep_alive",
            Self::Violation => "violation",
            Self::Tls => "tls",
            Self::Authentication => "authentication",
            Self::Network => "network",
            Self::Rotation => "rotation",
        }
    }
}

impl From<&DisconnectCause> for Cause {
    fn from(cause: &DisconnectCause) -> Self {
        match cause.kind() {
            DisconnectKind::Server(_) => Self::Server,
            DisconnectKind::Closed
            | DisconnectKind::WebSocket(WebSocketError::Left { .. } | WebSocketError::CloseCode) => Self::Closed,
            DisconnectKind::KeepAlive => Self::KeepAlive,
            DisconnectKind::Violation(_) | DisconnectKind::WebSocket(_) => Self::Violation,
            DisconnectKind::Tls(_) => Self::Tls,
            DisconnectKind::Auth(_) => Self::Authentication,
            DisconnectKind::Network(_) => Self::Network,
            _ => Self::Requested,
        }
    }
}

/// What became of a message that the application gave to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageFate {
    /// The client has taken it.
    Published,
    /// The server has it (QoS 1 and 2), or it is written (QoS 0).
    Acknowledged,
    /// The server refused it.
    Refused,
    /// The client gave it up: the queue was full, the server takes no such message, it had expired, or the client ended.
    Dropped,
    /// Whoever published it stopped waiting; it may have arrived all the same.
    TimedOut,
}

impl MessageFate {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Published, Self::Acknowledged, Self::Refused, Self::Dropped, Self::TimedOut];
}

/// Two packets between which time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exchange {
    /// PUBLISH until PUBACK (QoS 1) or PUBCOMP (QoS 2). Of more than 64 messages in flight at once, some are left out.
    Publish,
    /// PINGREQ until PINGRESP.
    Ping,
}

impl Exchange {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Publish, Self::Ping];

    /// The value of the label `exchange`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Ping => "ping",
        }
    }
}

/// What a client is doing: [`ConnectionState`](crate::ConnectionState) as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Condition {
    /// It has not begun.
    #[default]
    Idle,
    /// It is on its way to a connection.
    Connecting,
    /// The server has accepted it.
    Connected,
    /// It waits before the next attempt.
    Waiting,
    /// It is on its way to another certificate.
    Rotating,
    /// It has ended, and does not come back.
    Disconnected,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Idle, Self::Connecting, Self::Connected, Self::Waiting, Self::Rotating, Self::Disconnected];

    /// The value of the label `gridmq_client_state`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::Rotating => "rotating",
            Self::Disconnected => "disconnected",
        }
    }
}

/// What waits in a client at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    /// Messages that were taken and are not acknowledged.
    pub(crate) messages: u64,
    /// Their weight in bytes.
    pub(crate) bytes: u64,
    /// Those of them that were sent.
    pub(crate) in_flight: u64,
    pub(crate) subscriptions: u64,
}

/// One number per case of something.
#[derive(Debug)]
struct By<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for By<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> By<N> {
    fn add(&self, index: usize, count: u64) {
        if let Some(counter) = self.0.get(index) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn read(&self) -> [u64; N] {
        std::array::from_fn(|index| self.0.get(index).map_or(0, |counter| counter.load(Ordering::Relaxed)))
    }
}

/// How many packet types there are.
const TYPES: usize = PacketType::ALL.len();

/// No certificate, in place of when it ends.
const NO_CERTIFICATE: u64 = u64::MAX;

/// What one client, or several that share it, count and measure: see [the module](self).
///
/// ```
/// use std::sync::Arc;
///
/// use gridmq_client::Options;
/// use gridmq_client::metrics::Metrics;
///
/// let metrics = Arc::new(Metrics::new());
/// let options = Options::new("mqtt://localhost").metrics(Arc::clone(&metrics));
/// assert!(metrics.snapshot().open_metrics(&[]).contains("gridmq_client_connects"));
/// # drop(options);
/// ```
#[derive(Debug)]
pub struct Metrics {
    /// Tried, succeeded, failed.
    connects: By<3>,
    reconnects: By<{ Cause::ALL.len() }>,
    /// By direction, then by type.
    packets: [By<TYPES>; 2],
    bytes: [By<TYPES>; 2],
    /// By outcome, then by QoS.
    messages: [By<3>; MessageFate::ALL.len()],
    received: By<3>,
    overflowed: AtomicU64,
    queue_messages: AtomicU64,
    queue_bytes: AtomicU64,
    in_flight: AtomicU64,
    subscriptions: AtomicU64,
    /// Seconds since 1970.
    certificate_until: AtomicU64,
    /// Index into [`Condition::ALL`].
    condition: AtomicU8,
    round_trips: [Histogram; Exchange::ALL.len()],
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connects: By::default(),
            reconnects: By::default(),
            packets: Default::default(),
            bytes: Default::default(),
            messages: Default::default(),
            received: By::default(),
            overflowed: AtomicU64::new(0),
            queue_messages: AtomicU64::new(0),
            queue_bytes: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
            certificate_until: AtomicU64::new(NO_CERTIFICATE),
            condition: AtomicU8::new(Condition::Idle as u8),
            round_trips: Default::default(),
        }
    }
}

/// For the parts of the client.
impl Metrics {
    /// An attempt to connect begins.
    pub(crate) fn attempt(&self) {
        self.connects.add(0, 1);
    }

    pub(crate) fn connected(&self) {
        self.connects.add(1, 1);
    }

    pub(crate) fn failed(&self) {
        self.connects.add(2, 1);
    }

    /// A connection has ended, and there will be another.
    pub(crate) fn reconnect(&self, cause: Cause) {
        self.reconnects.add(cause as usize, 1);
    }

    pub(crate) fn traffic(&self, direction: Direction, packet_type: usize, packets: u64, bytes: u64) {
        if let (Some(counts), Some(sizes)) = (self.packets.get(direction as usize), self.bytes.get(direction as usize))
        {
            counts.add(packet_type, packets);
            sizes.add(packet_type, bytes);
        }
    }

    pub(crate) fn message(&self, outcome: MessageFate, qos: QoS) {
        if let Some(by_qos) = self.messages.get(outcome as usize) {
            by_qos.add(usize::from(qos as u8), 1);
        }
    }

    /// Somebody has stopped waiting for a message.
    pub(crate) fn timed_out(&self, qos: QoS) {
        self.message(MessageFate::TimedOut, qos);
    }

    /// Messages arrived at that QoS.
    pub(crate) fn received(&self, qos: QoS, count: u64) {
        self.received.add(usize::from(qos as u8), count);
    }

    /// Streams had no room for so many messages.
    pub(crate) fn overflowed(&self, count: u64) {
        self.overflowed.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn load(&self, load: Load) {
        self.queue_messages.store(load.messages, Ordering::Relaxed);
        self.queue_bytes.store(load.bytes, Ordering::Relaxed);
        self.in_flight.store(load.in_flight, Ordering::Relaxed);
        self.subscriptions.store(load.subscriptions, Ordering::Relaxed);
    }

    /// The certificate in use runs out so many seconds after 1970.
    pub(crate) fn certificate(&self, until: u64) {
        self.certificate_until.store(until, Ordering::Relaxed);
    }

    pub(crate) fn condition(&self, condition: Condition) {
        self.condition.store(condition as u8, Ordering::Relaxed);
    }

    pub(crate) fn round_trip(&self, exchange: Exchange, took: Duration) {
        if let Some(histogram) = self.round_trips.get(exchange as usize) {
            histogram.record(took);
        }
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What they say now. Each number is right by itself; numbers that belong together may be a moment apart.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(SystemTime::now())
    }

    /// The snapshot of that moment, from which the days of a certificate are counted.
    pub(crate) fn snapshot_at(&self, taken: SystemTime) -> Snapshot {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let [connect_attempts, connects, connect_failures] = self.connects.read();
        let condition = usize::from(self.condition.load(Ordering::Relaxed));
        Snapshot {
            taken,
            connect_attempts,
            connects,
            connect_failures,
            reconnects: self.reconnects.read(),
            packets: self.packets.each_ref().map(By::read),
            bytes: self.bytes.each_ref().map(By::read),
            messages: self.messages.each_ref().map(By::read),
            received: self.received.read(),
            overflowed: read(&self.overflowed),
            queue_messages: read(&self.queue_messages),
            queue_bytes: read(&self.queue_bytes),
            in_flight: read(&self.in_flight),
            subscriptions: read(&self.subscriptions),
            certificate_until: Some(read(&self.certificate_until)).filter(|at| *at != NO_CERTIFICATE),
            condition: Condition::ALL.get(condition).copied().unwrap_or_default(),
            round_trips: self.round_trips.each_ref().map(Histogram::read),
        }
    }
}

#[cfg(test)]
mod tests;
