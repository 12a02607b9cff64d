//! CONNECT (MQTT 5.0 §3.1).

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use super::UserProperties;
use crate::{Message, QoS, Version};

/// The client's request for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Connect {
    /// The version asked for.
    pub version: Version,
    /// Clean Start (5.0) or Clean Session (3.1.1).
    pub clean_start: bool,
    /// Seconds; 0 turns the keep-alive off.
    pub keep_alive: u16,
    /// May be empty: the server then assigns one (5.0).
    pub client_id: ByteString,
    /// The user name.
    pub username: Option<ByteString>,
    /// The password.
    pub password: Option<Bytes>,
    /// What the server publishes if the connection is lost.
    pub will: Option<Box<Will>>,
    /// MQTT 5.0 only.
    pub properties: ConnectProperties,
}

/// The will message and how to publish it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Will {
    /// The message.
    pub message: Message,
    /// At which QoS.
    pub qos: QoS,
    /// Whether it is to be retained.
    pub retain: bool,
    /// Seconds to wait before publishing it, MQTT 5.0 only (0 when absent).
    pub delay_interval: u32,
}

/// The properties of CONNECT (MQTT 5.0 §3.1.2.11).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct ConnectProperties {
    /// Seconds that the session outlives the connection; absent means 0, `u32::MAX` for ever.
    pub session_expiry_interval: Option<u32>,
    /// How many unacknowledged QoS > 0 PUBLISH the client takes at once; absent means 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Largest packet that the client takes, in bytes; absent means no limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Highest topic alias that the client takes; absent means 0.
    pub topic_alias_maximum: Option<u16>,
    /// Whether the client wants Response Information; absent means no.
    pub request_response_information: Option<bool>,
    /// Whether the client wants reason strings and user properties on failures; absent means yes.
    pub request_problem_information: Option<bool>,
    /// The method of enhanced authentication.
    pub authentication_method: Option<ByteString>,
    /// Data for that method.
    pub authentication_data: Option<Bytes>,
    /// User properties.
    pub user_properties: UserProperties,
}
