//! CONNECT (MQTT 5.0 §3.1).

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use super::UserProperties;
use crate::{Message, QoS, Version};

/// The client's request for a connection.
#[derive(Clone, PartialEq, Eq)]
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
#[derive(Clone, PartialEq, Eq)]
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
#[derive(Clone, PartialEq, Eq, Default)]
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

/// Logs get to see packets, and must not get to see passwords and tokens; some servers take tokens as user names.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, clean_start, keep_alive, client_id, username, password, will, properties } = self;
        f.debug_struct("Connect")
            .field("version", version)
            .field("clean_start", clean_start)
            .field("keep_alive", keep_alive)
            .field("client_id", client_id)
            .field("username", &username.as_ref().map(|name| Hidden(name.as_bytes())))
            .field("password", &password.as_deref().map(Hidden))
            .field("will", will)
            .field("properties", properties)
            .finish()
    }
}

/// Nor what is for the subscribers of the will.
impl fmt::Debug for Will {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, qos, retain, delay_interval } = self;
        f.debug_struct("Will")
            .field("topic", &message.topic)
            .field("payload", &Hidden(&message.payload))
            .field("qos", qos)
            .field("retain", retain)
            .field("delay_interval", delay_interval)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConnectProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            session_expiry_interval,
            receive_maximum,
            maximum_packet_size,
            topic_alias_maximum,
            request_response_information,
            request_problem_information,
            authentication_method,
            authentication_data,
            user_properties,
        } = self;
        f.debug_struct("ConnectProperties")
            .field("session_expiry_interval", session_expiry_interval)
            .field("receive_maximum", receive_maximum)
            .field("maximum_packet_size", maximum_packet_size)
            .field("topic_alias_maximum", topic_alias_maximum)
            .field("request_response_information", request_response_information)
            .field("request_problem_information", request_problem_information)
            .field("authentication_method", authentication_method)
            .field("authentication_data", &authentication_data.as_deref().map(Hidden))
            .field("user_properties", user_properties)
            .finish()
    }
}

/// A secret of which only the length is shown.
pub(super) struct Hidden<'a>(pub(super) &'a [u8]);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes, not shown)", self.0.len())
    }
}

impl ConnectProperties {
    /// The name of the first that is set, for errors.
    pub(crate) fn first_set(&self) -> Option<&'static str> {
        [
            ("the session expiry interval", self.session_expiry_interval.is_some()),
            ("the receive maximum", self.receive_maximum.is_some()),
            ("the maximum packet size", self.maximum_packet_size.is_some()),
            ("the topic alias maximum", self.topic_alias_maximum.is_some()),
            ("the request for response information", self.request_response_information.is_some()),
            ("the request for problem information", self.request_problem_information.is_some()),
            ("an authentication method", self.authentication_method.is_some()),
            ("authentication data", self.authentication_data.is_some()),
            ("a user property", !self.user_properties.is_empty()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }
}
