//! A client that asks to come in.

use std::fmt;
use std::net::IpAddr;

use bytestring::ByteString;
use gridmq_proto::packet::{Connect, UserProperties, Will};
use gridmq_tls::PresentedPeer;
use zeroize::Zeroizing;

use super::Caller;

/// A CONNECT that the rules accept, for hooks. The password is never shown.
#[derive(Clone)]
#[non_exhaustive]
pub struct Connecting {
    /// Its connection, its client identifier (empty: one will be assigned), who the rules say it is, its version.
    pub caller: Caller,
    /// Where it comes from, if it has an address.
    pub source: Option<IpAddr>,
    /// Clean Start, or Clean Session before MQTT 5.0.
    pub clean_start: bool,
    /// Seconds; 0: none.
    pub keep_alive: u16,
    /// The user name.
    pub username: Option<ByteString>,
    /// The password.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The method of enhanced authentication that was completed.
    pub authentication_method: Option<ByteString>,
    /// Its will.
    pub will: Option<Box<Will>>,
    /// Its user properties.
    pub user_properties: UserProperties,
    /// The certificates that it showed.
    pub presented: Option<PresentedPeer>,
}

impl Connecting {
    pub(crate) fn new(
        caller: Caller,
        source: Option<IpAddr>,
        connect: &Connect,
        presented: Option<&PresentedPeer>,
    ) -> Self {
        Self {
            caller,
            source,
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            username: connect.username.clone(),
            password: connect.password.as_ref().map(|password| Zeroizing::new(password.to_vec())),
            authentication_method: connect.properties.authentication_method.clone(),
            will: connect.will.clone(),
            user_properties: connect.properties.user_properties.clone(),
            presented: presented.cloned(),
        }
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("caller", &self.caller)
            .field("source", &self.source)
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}
