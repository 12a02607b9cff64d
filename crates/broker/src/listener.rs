//! Where a broker listens.

use std::net::SocketAddr;
use std::sync::Arc;

use gridmq_tls::client::ConfigError;
use gridmq_tls::{CredentialProvider, Identity, ServerConfig};

use crate::credentials::TlsCell;

/// One listening address.
#[derive(Debug, Clone)]
pub struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) security: Security,
}

#[derive(Debug, Clone)]
pub(crate) enum Security {
    Tls(Arc<TlsCell>),
    Plain { trust: bool },
}

impl Listener {
    /// MQTT over TLS, by custom on port 8883. Port 0 takes any free one. [`Broker::set_tls`](crate::Broker::set_tls)
    /// replaces the configuration.
    #[must_use]
    pub fn tls(address: SocketAddr, config: ServerConfig) -> Self {
        Self { address, security: Security::Tls(Arc::new(TlsCell::new(config))) }
    }

    /// MQTT over TLS with a certificate that changes: for each generation of `credentials`, connections that come from
    /// then on get what `make` makes of its identity. Those that are there keep theirs. If `make` fails, the
    /// configuration before stays, and [`Broker::credentials`](crate::Broker::credentials) says why.
    ///
    /// # Errors
    /// What `make` says of the current generation.
    pub fn tls_with(
        address: SocketAddr,
        credentials: Arc<dyn CredentialProvider>,
        make: impl Fn(Identity) -> Result<ServerConfig, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let cell = TlsCell::following(credentials, Box::new(make))?;
        Ok(Self { address, security: Security::Tls(Arc::new(cell)) })
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
