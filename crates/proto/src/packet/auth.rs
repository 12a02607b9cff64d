//! AUTH (MQTT 5.0 §3.15).

use bytes::Bytes;
use bytestring::ByteString;

use super::UserProperties;
use crate::ReasonCode;

/// A step of enhanced authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Auth {
    /// `Success`, `ContinueAuthentication` or `ReAuthenticate`.
    pub reason: ReasonCode,
    /// What it carries.
    pub properties: AuthProperties,
}

/// The properties of AUTH (MQTT 5.0 §3.15.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct AuthProperties {
    /// The method.
    pub authentication_method: Option<ByteString>,
    /// Data for that method.
    pub authentication_data: Option<Bytes>,
    /// Words for people.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
}
