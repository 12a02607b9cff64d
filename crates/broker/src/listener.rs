//! Where a broker listens, and what it speaks there.

mod address;
mod door;
mod limits;
mod socket;

use std::sync::Arc;

use gridmq_tls::client::ConfigError;
use gridmq_tls::{CredentialProvider, HostPattern, Identity, ServerConfig};

pub use address::ListenAddress;
#[cfg(unix)]
pub use address::UnixSocket;
pub(crate) use door::Door;
pub use limits::ListenerLimits;
pub(crate) use socket::{Bound, Incoming, Socket, bind};

use crate::credentials::TlsCell;
use crate::proxy::ProxyProtocol;
use crate::websocket::WebSocket;

/// One listening address: where, with TLS or plain, MQTT as it is or in WebSocket frames, from clients or from a proxy.
///
/// ```
/// use gridmq_broker::{Listener, ListenerLimits, ProxyProtocol, WebSocket};
///
/// let everywhere = std::net::SocketAddr::from(([0, 0, 0, 0], 8083));
/// let listener = Listener::plain(everywhere)
///     .websocket(WebSocket::default())
///     .proxy_protocol(ProxyProtocol::from_sources(["10.0.0.0/8".parse().unwrap()]))
///     .limits(ListenerLimits::default().connections(1_000));
/// # let _ = listener;
/// ```
#[derive(Debug, Clone)]
pub struct Listener {
    pub(crate) address: ListenAddress,
    pub(crate) security: Security,
    pub(crate) websocket: Option<WebSocket>,
    pub(crate) proxy: Option<ProxyProtocol>,
    pub(crate) limits: ListenerLimits,
}

#[derive(Debug, Clone)]
pub(crate) enum Security {
    Tls(Arc<TlsCell>),
    Plain { trust: bool },
}

impl Listener {
    fn new(address: ListenAddress, security: Security) -> Self {
        Self { address, security, websocket: None, proxy: None, limits: ListenerLimits::default() }
    }

    /// MQTT over TLS, by custom on port 8883. Port 0 takes any free one. [`Broker::set_tls`](crate::Broker::set_tls)
    /// replaces the configuration.
    ///
    /// ALPN (RFC 7301): give the configuration the protocol `mqtt` (with WebSocket: `http/1.1`), and it is chosen when
    /// a client offers it. A client that offers none is served, one that offers only others is refused in the
    /// handshake. A configuration without protocols does not look at what is offered.
    #[must_use]
    pub fn tls(address: impl Into<ListenAddress>, config: ServerConfig) -> Self {
        Self::new(address.into(), Security::Tls(Arc::new(TlsCell::new(config))))
    }

    /// MQTT over TLS with a certificate that changes: for each generation of `credentials`, connections that come from
    /// then on get what `make` makes of its identity. Those that are there keep theirs. If `make` fails, the
    /// configuration before stays, and [`Broker::credentials`](crate::Broker::credentials) says why.
    ///
    /// # Errors
    /// What `make` says of the current generation.
    pub fn tls_with(
        address: impl Into<ListenAddress>,
        credentials: Arc<dyn CredentialProvider>,
        make: impl Fn(Identity) -> Result<ServerConfig, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let cell = TlsCell::following(credentials, Box::new(make))?;
        Ok(Self::new(address.into(), Security::Tls(Arc::new(cell))))
    }

    /// On a TLS listener: another certificate for clients that ask for one of these names (SNI, RFC 6066 section 3),
    /// which is replaced as its credentials say. An exact name goes before a wildcard, a later certificate before an
    /// earlier one of the same name; who asks for no name, or for another, is shown the listener's own. All else, such
    /// as which clients are trusted, is the listener's. A plain listener has no use for it.
    ///
    /// # Errors
    /// When the current generation cannot be used.
    pub fn certificate_for(
        self,
        names: impl IntoIterator<Item = HostPattern>,
        credentials: Arc<dyn CredentialProvider>,
    ) -> Result<Self, ConfigError> {
        if let Security::Tls(cell) = &self.security {
            cell.add(names.into_iter().collect(), credentials)?;
        }
        Ok(self)
    }

    /// MQTT without encryption, by custom on port 1883.
    #[must_use]
    pub fn plain(address: impl Into<ListenAddress>) -> Self {
        Self::new(address.into(), Security::Plain { trust: false })
    }

    /// On a plain listener: take clients at their word, that is by user name without proof. It holds only where the
    /// address is loopback or a Unix socket, and only for clients that come from there; a proxy's clients never do.
    #[must_use]
    pub fn trust_plain(mut self, trust: bool) -> Self {
        if let Security::Plain { trust: trusted } = &mut self.security {
            *trusted = trust && self.address.is_local();
        }
        self
    }

    /// MQTT in WebSocket frames (RFC 6455; MQTT 5.0 section 6).
    #[must_use]
    pub fn websocket(mut self, websocket: WebSocket) -> Self {
        self.websocket = Some(websocket);
        self
    }

    /// Behind a proxy that says whom each connection is from (PROXY protocol, version 1 or 2). Every connection must
    /// then begin so.
    #[must_use]
    pub fn proxy_protocol(mut self, proxy: ProxyProtocol) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// What holds here, within what holds for the whole broker.
    #[must_use]
    pub const fn limits(mut self, limits: ListenerLimits) -> Self {
        self.limits = limits;
        self
    }
}
