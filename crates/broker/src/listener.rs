//! Where a broker listens.

use std::net::SocketAddr;

use gridmq_tls::ServerConfig;

/// One listening address.
#[derive(Debug, Clone)]
pub struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) security: Security,
}

#[derive(Debug, Clone)]
pub(crate) enum Security {
    Tls(ServerConfig),
    Plain { trust: bool },
}

impl Listener {
    /// MQTT over TLS, by custom on port 8883. Port 0 takes any free one.
    #[must_use]
    pub const fn tls(address: SocketAddr, config: ServerConfig) -> Self {
        Self { address, security: Security::Tls(config) }
    }

    /// MQTT without encryption, by custom on port 1883.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self { address, security: Security::Plain { trust: false } }
    }

    /// On a plain listener: take clients at their word, that is by user name without proof. It holds only where the
    /// address is loopback, and only for clients that come from there.
    #[must_use]
    pub fn trust_plain(mut self, trust: bool) -> Self {
        if let Security::Plain { trust: trusted } = &mut self.security {
            *trusted = trust && self.address.ip().is_loopback();
        }
        self
    }
}
