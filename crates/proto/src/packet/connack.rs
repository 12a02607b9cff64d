//! CONNACK (MQTT 5.0 §3.2).

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use super::UserProperties;
use super::connect::Hidden;
use crate::{QoS, ReasonCode};

/// The server's answer to CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct ConnAck {
    /// Whether the server goes on with a stored session.
    pub session_present: bool,
    /// Success, or why not. On 3.1.1 this is mapped to and from the six return codes.
    pub reason: ReasonCode,
    /// MQTT 5.0 only.
    pub properties: ConnAckProperties,
}

/// The properties of CONNACK (MQTT 5.0 §3.2.2.3).
#[derive(Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct ConnAckProperties {
    /// The expiry that the server uses instead of the one asked for.
    pub session_expiry_interval: Option<u32>,
    /// How many unacknowledged QoS > 0 PUBLISH the server takes at once; absent means 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Highest QoS that the server takes; absent means 2 (never `ExactlyOnce` on the wire).
    pub maximum_qos: Option<QoS>,
    /// Whether the server keeps retained messages; absent means yes.
    pub retain_available: Option<bool>,
    /// Largest packet that the server takes, in bytes; absent means no limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The client identifier that the server chose.
    pub assigned_client_identifier: Option<ByteString>,
    /// Highest topic alias that the server takes; absent means 0.
    pub topic_alias_maximum: Option<u16>,
    /// Words for people.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
    /// Whether wildcards work in subscriptions; absent means yes.
    pub wildcard_subscription_available: Option<bool>,
    /// Whether subscription identifiers work; absent means yes.
    pub subscription_identifiers_available: Option<bool>,
    /// Whether shared subscriptions work; absent means yes.
    pub shared_subscription_available: Option<bool>,
    /// The keep-alive, in seconds, that the client must use instead of its own.
    pub server_keep_alive: Option<u16>,
    /// The base of response topics.
    pub response_information: Option<ByteString>,
    /// Another server to use.
    pub server_reference: Option<ByteString>,
    /// The method of enhanced authentication.
    pub authentication_method: Option<ByteString>,
    /// Data for that method.
    pub authentication_data: Option<Bytes>,
}

/// Logs get to see packets, and must not get to see what proves who somebody is.
impl fmt::Debug for ConnAckProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            session_expiry_interval,
            receive_maximum,
            maximum_qos,
            retain_available,
            maximum_packet_size,
            assigned_client_identifier,
            topic_alias_maximum,
            reason_string,
            user_properties,
            wildcard_subscription_available,
            subscription_identifiers_available,
            shared_subscription_available,
            server_keep_alive,
            response_information,
            server_reference,
            authentication_method,
            authentication_data,
        } = self;
        f.debug_struct("ConnAckProperties")
            .field("session_expiry_interval", session_expiry_interval)
            .field("receive_maximum", receive_maximum)
            .field("maximum_qos", maximum_qos)
            .field("retain_available", retain_available)
            .field("maximum_packet_size", maximum_packet_size)
            .field("assigned_client_identifier", assigned_client_identifier)
            .field("topic_alias_maximum", topic_alias_maximum)
            .field("reason_string", reason_string)
            .field("user_properties", user_properties)
            .field("wildcard_subscription_available", wildcard_subscription_available)
            .field("subscription_identifiers_available", subscription_identifiers_available)
            .field("shared_subscription_available", shared_subscription_available)
            .field("server_keep_alive", server_keep_alive)
            .field("response_information", response_information)
            .field("server_reference", server_reference)
            .field("authentication_method", authentication_method)
            .field("authentication_data", &authentication_data.as_deref().map(Hidden))
            .finish()
    }
}
