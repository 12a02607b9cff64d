//! Where a client is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Where a connection comes from: for a listener behind a proxy, what the proxy says of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// An address of the network.
    Ip(SocketAddr),
    /// A process of this machine, over a Unix socket; also a proxy's client over one.
    Unix,
    /// The program that the broker runs in, without a socket ([`Control::dial`](crate::Control::dial)).
    Program,
}

impl PeerAddress {
    /// Its IP address; nothing over a Unix socket. An IPv4 address in IPv6 clothes is shown as IPv4.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip().to_canonical()),
            Self::Unix | Self::Program => None,
        }
    }

    /// Whether it is this machine itself.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

/// `192.0.2.1:5321`, `unix` or `program`.
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Program => f.write_str("program"),
        }
    }
}
