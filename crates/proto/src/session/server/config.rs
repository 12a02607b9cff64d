//! What a server announces and enforces, and its deadlines.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use crate::QoS;

/// What a server announces in CONNACK and then enforces.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field over the default")]
pub struct Limits {
    /// Highest QoS that clients may publish at; subscriptions are granted at most this. Default 2.
    pub maximum_qos: QoS,
    /// Unacknowledged QoS > 0 PUBLISH taken at once; on 3.1.1 reading stops there. Default 1,000.
    pub receive_maximum: NonZeroU16,
    /// Largest packet taken, in bytes, enforced by the decoder. Default 1 MiB.
    pub maximum_packet_size: NonZeroU32,
    /// Topic aliases that a client may set. Default 16.
    pub topic_alias_maximum: u16,
    /// Topic aliases that the server sets at most, where the client takes them. Default 0: a message is then
    /// encoded once for all its subscribers.
    pub outbound_topic_aliases: u16,
    /// Whether messages may be retained. Default yes.
    pub retain_available: bool,
    /// Whether subscriptions may have wildcards. Default yes.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers. Default yes.
    pub subscription_identifiers_available: bool,
    /// Whether `$share` works. Default yes.
    pub shared_subscription_available: bool,
    /// Longest keep-alive, in seconds; longer ones and 0 are lowered to it (MQTT 5.0 only). Default none.
    pub keep_alive_maximum: Option<NonZeroU16>,
    /// Messages sent and not acknowledged at most, where the client's Receive Maximum is higher. Default 1,000.
    pub outbound_window: NonZeroU16,
}

impl Default for Limits {
    fn default() -> Self {
        const THOUSAND: NonZeroU16 = NonZeroU16::new(1000).unwrap();
        const MEBIBYTE: NonZeroU32 = NonZeroU32::new(1 << 20).unwrap();
        Self {
            maximum_qos: QoS::ExactlyOnce,
            receive_maximum: THOUSAND,
            maximum_packet_size: MEBIBYTE,
            topic_alias_maximum: 16,
            outbound_topic_aliases: 0,
            retain_available: true,
            wildcard_subscription_available: true,
            subscription_identifiers_available: true,
            shared_subscription_available: true,
            keep_alive_maximum: None,
            outbound_window: THOUSAND,
        }
    }
}

/// How a [`Connection`](super::Connection) behaves.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field over the default")]
pub struct Config {
    /// From the connection's start to its CONNECT, and from each server AUTH to the client's. Default 10 s.
    pub connect_timeout: Duration,
    /// For the owner to decide. Default 10 s.
    pub decision_timeout: Duration,
    /// What is announced and enforced.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            decision_timeout: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}
