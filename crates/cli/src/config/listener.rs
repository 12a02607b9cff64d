//! What each `[[listener]]` of `gridmq serve` is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use gridmq_broker::{ListenAddress, ListenerLimits, NetworkError, ProxyProtocol, WebSocket};
use gridmq_tls::server::{HostPattern, HostPatternError};
use serde::Deserialize;

use super::Address;
use super::section::section;
use super::value::{Span, Value, quoted};

/// What is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// MQTT over TCP.
    Tcp,
    /// MQTT over TLS.
    #[default]
    Tls,
    /// MQTT over WebSocket.
    Ws,
    /// MQTT over WebSocket over TLS.
    Wss,
}

impl Kind {
    /// Whether it has TLS.
    pub(crate) const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

impl Value for Kind {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }))
    }
}

section! {
    /// One more place to listen, with its own settings, beside those of listen and plain.
    Listener {
        /// IP:PORT, or a port alone for this machine only. This or unix is needed.
        address: Option<Address> = None, example "'0.0.0.0:8883'";
        /// The path of a Unix socket, in the place of address.
        unix: Option<PathBuf> = None, example "'/run/gridmq/mqtt.sock'";
        /// Who may connect to that: its file's mode, as chmod takes it. Default: 0660.
        unix_mode: Option<String> = None, example "'0660'";
        /// tls, or tcp, which is without TLS; wss and ws are the same in WebSocket frames.
        kind: Kind = Kind::Tls;
        /// For ws and wss: the path in the address. Default: /mqtt.
        path: Option<String> = None, example "'/mqtt'";
        /// For ws and wss: pages of which origins browsers may connect from. Default: all.
        origins: Option<Vec<String>> = None, example "['https://example.com']";
        /// The networks that proxies connect from, each connection with a header of the PROXY protocol. Default: off.
        proxies: Option<Vec<String>> = None, example "['10.0.0.0/8']";
        /// Whether those are believed when they say that they have verified a client's certificate, and its common name.
        proxy_names: bool = false;
        /// Its certificate chain, PEM. Default: that of the whole broker.
        cert: Option<PathBuf> = None, example "'other.pem'";
        /// The private key of that, PEM. Default: it is in the file of cert.
        key: Option<PathBuf> = None, example "'other.key'";
        /// For tls and wss: the application protocols that are spoken here (ALPN, RFC 7301). A client that offers only
        /// others is refused, one that offers none is not; browsers offer http/1.1 for wss. Default: nobody is asked.
        alpn: Option<Vec<String>> = None, example "['mqtt']";
        /// Open connections here; more are closed at once. Default, as with the next three: that of the section limits.
        connections: Option<usize> = None, example "1000";
        /// handshake-timeout of the section limits, if it is shorter here.
        handshake_timeout: Option<Span> = None, example "'5s'";
        /// connect-timeout of the section limits, if it is shorter here.
        connect_timeout: Option<Span> = None, example "'5s'";
        /// The largest packet that is taken here, in bytes. Default: what the rules say.
        maximum_packet_size: Option<u32> = None, example "65536";
        /// For tcp and ws on a loopback address or a Unix socket: take clients of a namespace at their word, by user name.
        trust_plain: bool = false;
    }
}

section! {
    /// A certificate for clients that ask for certain names (SNI), on every listener with TLS. Who asks for no name or
    /// for another gets the listener's own.
    Certificate {
        /// The names: mqtt.example.com, or *.example.com.
        names: Vec<String> = Vec::new(), example "['mqtt.example.com']";
        /// The certificate chain, PEM. Watched, as all are.
        cert: PathBuf = PathBuf::new(), example "'other.pem'";
        /// The private key of that, PEM. Default: it is in the file of cert.
        key: Option<PathBuf> = None, example "'other.key'";
    }
}

impl Certificate {
    /// What no key alone shows to be wrong.
    pub(super) fn agree(&self) -> Result<(), String> {
        if self.names.is_empty() || self.cert.as_os_str().is_empty() {
            return Err(
                "it needs names and cert, such as names = ['mqtt.example.com'] and cert = 'other.pem'".to_owned()
            );
        }
        self.patterns().map(|_| ())
    }

    /// The names.
    pub(crate) fn patterns(&self) -> Result<Vec<HostPattern>, String> {
        self.names.iter().map(|name| name.parse().map_err(|error: HostPatternError| error.to_string())).collect()
    }
}

impl Listener {
    /// Where it listens; a port alone is two addresses.
    pub(crate) fn addresses(&self) -> Result<Vec<ListenAddress>, String> {
        match (&self.address, &self.unix) {
            (Some(address), None) => Ok(address.addresses().iter().map(|address| (*address).into()).collect()),
            #[cfg(unix)]
            (None, Some(path)) => {
                let mode = self.unix_mode.as_deref().map_or(Ok(0o660), |mode| u32::from_str_radix(mode, 8));
                let mode = mode.ok().filter(|mode| *mode <= 0o777);
                let mode = mode.ok_or("unix-mode is not a mode such as '0660'")?;
                Ok(vec![gridmq_broker::UnixSocket::new(path).mode(mode).into()])
            }
            #[cfg(not(unix))]
            (None, Some(_)) => Err("there are no Unix sockets on this system: give it an address".to_owned()),
            (Some(_), Some(_)) => Err("it has an address and unix: write two [[listener]]".to_owned()),
            (None, None) => Err("it has no address: add one, such as address = '0.0.0.0:8883'".to_owned()),
        }
    }

    /// All of it but where it is, and TLS.
    pub(crate) fn dress(&self, listener: gridmq_broker::Listener) -> Result<gridmq_broker::Listener, String> {
        let mut limits = ListenerLimits::default();
        limits = self.connections.map_or(limits, |most| limits.connections(most));
        limits = self.handshake_timeout.map_or(limits, |time| limits.handshake_timeout(time.0));
        limits = self.connect_timeout.map_or(limits, |time| limits.connect_timeout(time.0));
        limits = self.maximum_packet_size.map_or(limits, |bytes| limits.maximum_packet_size(bytes));
        let mut listener = listener.limits(limits).trust_plain(self.trust_plain);
        if self.kind.is_websocket() {
            let websocket = WebSocket::default().origins(self.origins.clone().unwrap_or_default());
            listener = listener.websocket(match &self.path {
                Some(path) => websocket.path(path),
                None => websocket,
            });
        }
        if let Some(networks) = &self.proxies {
            let networks =
                networks.iter().map(|network| network.parse().map_err(|error: NetworkError| error.to_string()));
            let proxy = ProxyProtocol::from_sources(networks.collect::<Result<Vec<_>, _>>()?);
            listener = listener.proxy_protocol(proxy.trust_names(self.proxy_names));
        }
        Ok(listener)
    }

    /// What no key alone shows to be wrong.
    pub(super) fn agree(&self) -> Result<(), String> {
        let addresses = self.addresses()?;
        self.dress(gridmq_broker::Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))))?;
        if self.key.is_some() && self.cert.is_none() {
            return Err("it has key without cert: name the certificate too".to_owned());
        }
        if !self.kind.is_secure() && self.cert.is_some() {
            return Err("it has a certificate and its kind is without TLS: write kind = 'tls' or 'wss'".to_owned());
        }
        if let Some(protocols) = &self.alpn {
            if !self.kind.is_secure() {
                return Err("alpn is for kind = 'tls' and 'wss'".to_owned());
            }
            if protocols.is_empty() || protocols.iter().any(|name| name.is_empty() || name.len() > 255) {
                return Err("alpn is a list of names of 1 to 255 bytes, such as ['mqtt']".to_owned());
            }
        }
        if !self.kind.is_websocket() && (self.path.is_some() || self.origins.is_some()) {
            return Err("path and origins are for kind = 'ws' and 'wss'".to_owned());
        }
        if self.trust_plain {
            if self.kind.is_secure() {
                return Err("trust-plain is for kind = 'tcp' and 'ws'".to_owned());
            }
            let mut tcp = addresses.iter().filter_map(ListenAddress::tcp);
            if let Some(address) = tcp.find(|address| !address.ip().is_loopback()) {
                return Err(format!("trust-plain holds on loopback addresses only, not on {address}"));
            }
        }
        Ok(())
    }
}
