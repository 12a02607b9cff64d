//! What a broker tells and grants its clients, apart from any client's rights.

use std::time::Duration;

use gridmq_proto::QoS;

/// What holds for every connection; the broker states it in CONNACK and enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// The highest QoS of a PUBLISH (MQTT 5.0 §3.2.2.3.4).
    pub maximum_qos: QoS,
    /// Bytes of a packet from the client (§3.2.2.3.6).
    pub maximum_packet_size: u32,
    /// Topic aliases that the client may use (§3.2.2.3.8).
    pub topic_alias_maximum: u16,
    /// Topic aliases that the broker sets at most, where the client takes them (§3.1.2.11.5). 0 in both profiles: a
    /// message is then encoded once for all who get it, where an alias saves bytes on the wire.
    pub outbound_topic_aliases: u16,
    /// Unacknowledged messages that the client may have under way (§3.2.2.3.3).
    pub receive_maximum: u16,
    /// Whether messages may be retained (§3.2.2.3.5).
    pub retain_available: bool,
    /// Whether subscriptions may carry identifiers (§3.2.2.3.12).
    pub subscription_identifiers_available: bool,
    /// Whether MQTT 5 clients may share subscriptions (§3.2.2.3.13).
    pub shared_subscription_available: bool,
    /// The longest keep-alive in seconds; longer ones, and none, are answered with this one (§3.2.2.3.14).
    /// `None` accepts every keep-alive.
    pub maximum_keep_alive: Option<u16>,
    /// Unacknowledged messages that are sent to a client whatever its own receive maximum is.
    pub outbound_window: u16,
}

impl ConnectionLimits {
    /// Event Grid's documented values.
    pub const EVENT_GRID: Self = Self {
        maximum_qos: QoS::AtLeastOnce,
        maximum_packet_size: 524_288,
        topic_alias_maximum: 10,
        outbound_topic_aliases: 0,
        receive_maximum: 1000,
        retain_available: true,
        subscription_identifiers_available: false,
        shared_subscription_available: true,
        maximum_keep_alive: Some(1160),
        outbound_window: 16,
    };

    /// Every feature of MQTT 5, packets of at most 1 MiB.
    ///
    /// The protocol's own maximum of 268,435,455 bytes would let each client hold that much memory.
    pub const OPEN: Self = Self {
        maximum_qos: QoS::ExactlyOnce,
        maximum_packet_size: 1_048_576,
        topic_alias_maximum: 32,
        outbound_topic_aliases: 0,
        receive_maximum: 1000,
        retain_available: true,
        subscription_identifiers_available: true,
        shared_subscription_available: true,
        maximum_keep_alive: None,
        outbound_window: 100,
    };
}

/// What holds for sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimits {
    /// Sessions, online and offline, that one authentication name may have; `None` is without limit.
    pub maximum_per_name: Option<u32>,
    /// The longest time that a session outlives its connection; longer requests are reduced to it.
    pub maximum_expiry: Duration,
    /// Whether only the authentication name that made a session may take it over or resume it.
    pub owner_only: bool,
    /// What is kept for a client that is away.
    pub offline_queue: QueueLimits,
}

impl SessionLimits {
    /// Event Grid's documented values for a namespace that sets none.
    pub const EVENT_GRID: Self = Self {
        maximum_per_name: Some(1),
        maximum_expiry: Duration::from_secs(3600),
        owner_only: true,
        offline_queue: QueueLimits { messages: 100, bytes: 1_048_576, overflow: Overflow::EndSession },
    };

    /// No limit but on memory: 1000 messages or 16 MiB are kept for a client that is away.
    pub const OPEN: Self = Self {
        maximum_per_name: None,
        maximum_expiry: Duration::from_secs(u32::MAX as u64),
        owner_only: false,
        offline_queue: QueueLimits { messages: 1000, bytes: 16 * 1_048_576, overflow: Overflow::Refuse },
    };
}

/// What is kept for a client that is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Messages.
    pub messages: u32,
    /// Bytes of their topics, payloads and properties.
    pub bytes: u64,
    /// What happens to the message that does not fit.
    pub overflow: Overflow,
}

/// What happens when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The session ends, as Event Grid ends it.
    EndSession,
    /// The new message is not queued; the publisher hears of it where the protocol can say so.
    Refuse,
}
