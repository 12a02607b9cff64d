//! What rules are told about a client.

use std::fmt;
use std::net::IpAddr;

use bytestring::ByteString;
use gridmq_tls::PresentedPeer;

use super::Proof;

/// What a client said and showed when it connected.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "the broker builds it field by field")]
pub struct ConnectRequest<'a> {
    /// The client identifier; may be empty.
    pub client_id: &'a str,
    /// The user name.
    pub username: Option<&'a str>,
    /// The password; it is never shown.
    pub password: Option<&'a [u8]>,
    /// The authentication method of MQTT 5.
    pub authentication_method: Option<&'a str>,
    /// The data for that method; it is never shown.
    pub authentication_data: Option<&'a [u8]>,
    /// What [`Rules::prepare`](super::Rules::prepare) had computed, or what the authentication method has proven.
    pub proof: Option<&'a Proof>,
    /// The address that the client comes from, where it has one.
    pub source: Option<IpAddr>,
    /// The certificates that the client showed, with whose key it signed the handshake.
    pub presented: Option<&'a PresentedPeer>,
    /// The common name of the client's certificate, as said by a proxy that ended its TLS, has verified it and is
    /// trusted with that by the listener.
    pub vouched: Option<&'a str>,
    /// What carries the connection.
    pub transport: Transport,
}

impl<'a> ConnectRequest<'a> {
    /// A client that says nothing but its identifier.
    #[must_use]
    pub const fn new(client_id: &'a str, transport: Transport) -> Self {
        Self {
            client_id,
            username: None,
            password: None,
            authentication_method: None,
            authentication_data: None,
            proof: None,
            source: None,
            presented: None,
            vouched: None,
            transport,
        }
    }
}

impl fmt::Debug for ConnectRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "…"))
            .field("authentication_method", &self.authentication_method)
            .field("authentication_data", &self.authentication_data.map(|_| "…"))
            .field("proof", &self.proof)
            .field("source", &self.source)
            .field("presented", &self.presented.is_some())
            .field("vouched", &self.vouched)
            .field("transport", &self.transport)
            .finish()
    }
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "encrypted or not")]
pub enum Transport {
    /// TLS.
    Tls,
    /// No encryption.
    Plain {
        /// Whether the listener takes clients at their word, as it may on loopback only.
        trusted: bool,
    },
}

/// What a connection keeps to be judged again. It has no password: none is needed twice.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "the broker builds it field by field")]
pub struct Credentials {
    /// The certificates that the client showed.
    pub presented: Option<PresentedPeer>,
    /// The user name.
    pub username: Option<ByteString>,
    /// What a proxy vouched for.
    pub vouched: Option<ByteString>,
    /// What carries the connection.
    pub transport: Transport,
}

impl From<&ConnectRequest<'_>> for Credentials {
    fn from(request: &ConnectRequest<'_>) -> Self {
        Self {
            presented: request.presented.cloned(),
            username: request.username.map(ByteString::from),
            vouched: request.vouched.map(ByteString::from),
            transport: request.transport,
        }
    }
}
