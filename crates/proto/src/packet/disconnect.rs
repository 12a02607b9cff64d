//! DISCONNECT (MQTT 5.0 §3.14).

use bytestring::ByteString;

use super::UserProperties;
use crate::ReasonCode;

/// The last packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Disconnect {
    /// Why, MQTT 5.0 only (`NormalDisconnection` on 3.1.1).
    pub reason: ReasonCode,
    /// MQTT 5.0 only.
    pub properties: DisconnectProperties,
}

/// The properties of DISCONNECT (MQTT 5.0 §3.14.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct DisconnectProperties {
    /// Client only: a new expiry for the session, in seconds; `Some(0)` differs from absent.
    pub session_expiry_interval: Option<u32>,
    /// Words for people.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
    /// Server only: another server to use.
    pub server_reference: Option<ByteString>,
}
