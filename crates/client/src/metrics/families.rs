//! Names, units and meanings, in one table.

/// What is counted or measured, whatever its labels.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family {
    /// The name, without the suffixes that a text format adds.
    pub name: &'static str,
    /// The unit.
    pub unit: Unit,
    /// What it means, in a sentence.
    pub help: &'static str,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Things: packets, messages, attempts.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Days of 86,400 s.
    Days,
}

impl Unit {
    /// The unit as OpenMetrics names it, which the family's name ends with; nothing for things.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Days => "days",
        }
    }
}

const fn family(name: &'static str, unit: Unit, help: &'static str) -> Family {
    Family { name, unit, help }
}

pub(super) static CONNECT_ATTEMPTS: Family =
    family("gridmq_client_connect_attempts", Unit::Count, "Attempts to connect that were begun.");
pub(super) static CONNECTS: Family =
    family("gridmq_client_connects", Unit::Count, "Attempts that the server answered with a CONNACK of success.");
pub(super) static CONNECT_FAILURES: Family =
    family("gridmq_client_connect_failures", Unit::Count, "Attempts to connect that failed at any stage.");
pub(super) static RECONNECTS: Family = family(
    "gridmq_client_reconnects",
    Unit::Count,
    "Connections that ended and that the client set out to replace, by cause.",
);
pub(super) static PACKETS: Family = family("gridmq_client_packets", Unit::Count, "MQTT packets sent and received.");
pub(super) static BYTES: Family = family(
    "gridmq_client_packet_bytes",
    Unit::Bytes,
    "Bytes of MQTT packets sent and received, without TLS and what lies below.",
);
pub(super) static PUBLISHED: Family =
    family("gridmq_client_messages_published", Unit::Count, "Messages that the client took from the application.");
pub(super) static ACKNOWLEDGED: Family = family(
    "gridmq_client_messages_acknowledged",
    Unit::Count,
    "Messages that the server acknowledged, or that were written at QoS 0.",
);
pub(super) static REFUSED: Family =
    family("gridmq_client_messages_refused", Unit::Count, "Messages that the server refused.");
pub(super) static DROPPED: Family = family(
    "gridmq_client_messages_dropped",
    Unit::Count,
    "Messages that the client gave up: the queue was full, the server takes no such message, they had expired, or the \
     client ended.",
);
pub(super) static TIMED_OUT: Family = family(
    "gridmq_client_messages_timed_out",
    Unit::Count,
    "Messages whose publisher stopped waiting; they may have arrived all the same.",
);
pub(super) static RECEIVED: Family =
    family("gridmq_client_messages_received", Unit::Count, "Messages that arrived, by the QoS they came with.");
pub(super) static OVERFLOWED: Family = family(
    "gridmq_client_messages_overflowed",
    Unit::Count,
    "Messages that arrived at QoS 0 and found a stream's buffer full.",
);
pub(super) static QUEUE_MESSAGES: Family = family(
    "gridmq_client_queue_messages",
    Unit::Count,
    "Messages taken from the application that the server has not acknowledged.",
);
pub(super) static QUEUE_BYTES: Family =
    family("gridmq_client_queue_bytes", Unit::Bytes, "Weight of the messages that are queued.");
pub(super) static IN_FLIGHT: Family =
    family("gridmq_client_in_flight_messages", Unit::Count, "Queued messages that were sent.");
pub(super) static SUBSCRIPTIONS: Family =
    family("gridmq_client_subscriptions", Unit::Count, "Subscriptions that the client holds.");
pub(super) static CERTIFICATE_LEFT: Family = family(
    "gridmq_client_certificate_left_days",
    Unit::Days,
    "Days until the client's certificate runs out; below 0 if it has.",
);
pub(super) static CERTIFICATE_UNTIL: Family = family(
    "gridmq_client_certificate_until_seconds",
    Unit::Seconds,
    "When the client's certificate runs out, in seconds since 1970.",
);
pub(super) static STATE: Family = family("gridmq_client_state", Unit::Count, "What the client is doing.");
pub(super) static ROUND_TRIP: Family = family(
    "gridmq_client_round_trip_seconds",
    Unit::Seconds,
    "From PUBLISH to PUBACK or PUBCOMP, and from PINGREQ to PINGRESP.",
);
