//! AUTH (MQTT 5.0 §3.15).

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::UserProperties;
use super::connect::Hidden;
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
#[derive(Clone, PartialEq, Eq, Default)]
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

/// As the CONNECT's: the data may be a token.
impl fmt::Debug for AuthProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authentication_method, authentication_data, reason_string, user_properties } = self;
        f.debug_struct("AuthProperties")
            .field("authentication_method", authentication_method)
            .field("authentication_data", &authentication_data.as_deref().map(Hidden))
            .field("reason_string", reason_string)
            .field("user_properties", user_properties)
            .finish()
    }
}
