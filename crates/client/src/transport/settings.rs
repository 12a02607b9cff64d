//! What the application may choose of the way to a server.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::Version;

use super::http::{is_field_value, is_token};
use super::{Dialer, Proxy};
use crate::address::{self, Address, Carrier};
use crate::error::{AddressError, ConnectErrorKind};

/// Which of a name's addresses are tried, and which first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AddressFamily {
    /// All, in the system's order (RFC 6724), families in turn (RFC 8305 §4).
    #[default]
    Any,
    /// Only IPv4.
    V4,
    /// Only IPv6.
    V6,
    /// All, IPv4 first, families in turn.
    PreferV4,
    /// All, IPv6 first, families in turn.
    PreferV6,
}

/// In which order several servers are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ServerOrder {
    /// As they were given: the first is the one to be on.
    #[default]
    InOrder,
    /// From one that chance chooses for each round, and on from there, so that many clients spread over the servers.
    Random,
}

/// The address, and perhaps the port, that connections are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalAddress(pub(crate) SocketAddr);

impl From<SocketAddr> for LocalAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl From<IpAddr> for LocalAddress {
    fn from(address: IpAddr) -> Self {
        Self((address, 0).into())
    }
}

impl From<Ipv4Addr> for LocalAddress {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::from(address).into()
    }
}

impl From<Ipv6Addr> for LocalAddress {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::from(address).into()
    }
}

/// How long sent bytes may stay unacknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UserTimeout {
    /// 1.5 times the keep-alive, when the server would give us up too.
    #[default]
    KeepAlive,
    Off,
    After(Duration),
}

/// In seconds; what Linux takes.
const MAX_TCP_KEEP_ALIVE: u64 = 32_767;
/// In milliseconds; what Linux takes.
const MAX_USER_TIMEOUT: u128 = i32::MAX as u128;

/// How a TCP socket is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TcpSettings {
    pub(crate) local: Option<LocalAddress>,
    pub(crate) no_delay: bool,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) user_timeout: UserTimeout,
    pub(crate) send_buffer: Option<u32>,
    pub(crate) receive_buffer: Option<u32>,
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self {
            local: None,
            no_delay: true,
            keep_alive: None,
            user_timeout: UserTimeout::default(),
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

/// What is asked for in the upgrade to WebSocket.
#[derive(Clone, Default)]
pub(crate) struct WebSocketSettings {
    /// In place of the address's.
    pub(crate) path: Option<String>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// Values may be secrets.
impl fmt::Debug for WebSocketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("WebSocketSettings").field("subprotocol", &self.subprotocol).field("headers", &names).finish()
    }
}

impl WebSocketSettings {
    /// The registered names: `mqttv3.1` is MQTT 3.1's, `mqtt` is that of 3.1.1 and 5.0 [MQTT-6.0.0-3].
    #[cfg_attr(not(feature = "websocket"), allow(dead_code, reason = "asked for with the feature"))]
    pub(crate) fn subprotocol_for(&self, version: Version) -> &str {
        match (&self.subprotocol, version) {
            (Some(own), _) => own,
            (None, Version::V3_1) => "mqttv3.1",
            (None, _) => "mqtt",
        }
    }

    /// Whether the request says who we are (RFC 9110 §11.6.2).
    pub(crate) fn authorizes(&self) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }

    fn check(&self) -> Result<(), ConnectErrorKind> {
        /// Fields that the upgrade itself writes, and those that change where a request ends: a server in front would
        /// read two requests where the one behind reads one.
        const OURS: [&str; 14] = [
            "host",
            "upgrade",
            "connection",
            "sec-websocket-accept",
            "sec-websocket-key",
            "sec-websocket-version",
            "sec-websocket-protocol",
            "sec-websocket-extensions",
            "content-length",
            "transfer-encoding",
            "expect",
            "te",
            "trailer",
            "keep-alive",
        ];
        for (name, value) in &self.headers {
            if !is_token(name) || !is_field_value(value) {
                let problem =
                    format!("{name:?} and its value do not make an HTTP field: no control characters in either");
                return Err(ConnectErrorKind::Option { option: "websocket_header", problem });
            }
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                let problem = format!("{name} belongs to the upgrade to WebSocket itself: leave it out");
                return Err(ConnectErrorKind::Option { option: "websocket_header", problem });
            }
        }
        if self.subprotocol.as_deref().is_some_and(|name| !is_token(name)) {
            let problem = "it is not a name of letters, digits and hyphens, such as mqtt".to_owned();
            return Err(ConnectErrorKind::Option { option: "websocket_subprotocol", problem });
        }
        if let Some(path) = &self.path {
            address::websocket_path(path).map_err(ConnectErrorKind::Address)?;
        }
        Ok(())
    }
}

/// How to get from an address to a byte stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransportOptions {
    /// Servers beside the first.
    pub(crate) servers: Vec<Result<Address, AddressError>>,
    pub(crate) order: ServerOrder,
    pub(crate) family: AddressFamily,
    pub(crate) tcp: TcpSettings,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) dialer: Option<Arc<dyn Dialer>>,
    pub(crate) websocket: WebSocketSettings,
}

impl TransportOptions {
    /// All servers, the first before the others, if they and the options can work; else the server at fault as it is
    /// shown, and why.
    pub(crate) fn addresses(&self, first: &Address) -> Result<Vec<Address>, (String, ConnectErrorKind)> {
        let mut addresses = vec![first.clone()];
        for server in &self.servers {
            match server {
                Ok(address) => addresses.push(address.clone()),
                Err(error) => return Err((String::new(), ConnectErrorKind::Address(error.clone()))),
            }
        }
        for address in &addresses {
            self.check(address).map_err(|kind| (address.shown(), kind))?;
        }
        Ok(addresses)
    }

    fn check(&self, address: &Address) -> Result<(), ConnectErrorKind> {
        let option = |option, problem: &str| ConnectErrorKind::Option { option, problem: problem.to_owned() };
        self.websocket.check()?;
        if let Some(proxy) = &self.proxy {
            proxy.check()?;
            if address.carrier == Carrier::Unix {
                return Err(option("proxy", "a Unix socket is on this machine: leave the proxy or the socket out"));
            }
            proxy.check_target(&address.host)?;
        }
        if self.dialer.is_some() && address.carrier == Carrier::Unix {
            return Err(option("dialer", "a unix:// address says itself what to open: give a host for the dialer"));
        }
        if let (Some(local), AddressFamily::V4 | AddressFamily::V6) = (self.tcp.local, self.family)
            && local.0.is_ipv4() != (self.family == AddressFamily::V4)
        {
            return Err(option("local_address", "it is not of the family that address_family allows"));
        }
        let keep_alive_fits = |idle: Duration| (1..=MAX_TCP_KEEP_ALIVE).contains(&idle.as_secs());
        if !self.tcp.keep_alive.is_none_or(keep_alive_fits) {
            return Err(option("tcp_keep_alive", "systems take 1 s to 32,767 s (9 hours): give a time between"));
        }
        if let UserTimeout::After(timeout) = self.tcp.user_timeout
            && !(1..=MAX_USER_TIMEOUT).contains(&timeout.as_millis())
        {
            return Err(option(
                "tcp_user_timeout",
                "systems take 1 ms to 24 days: give a time between, or None for the system's own",
            ));
        }
        let zero = |value: Option<u32>| value == Some(0);
        if zero(self.tcp.send_buffer) || zero(self.tcp.receive_buffer) {
            return Err(option("tcp_buffers", "a buffer of 0 bytes holds nothing: leave it out for the system's own"));
        }
        Ok(())
    }

    /// The family that addresses have to be of, if one is left.
    pub(crate) fn only_v4(&self) -> Option<bool> {
        match (self.family, self.tcp.local) {
            (AddressFamily::V4, _) => Some(true),
            (AddressFamily::V6, _) => Some(false),
            (_, Some(local)) => Some(local.0.is_ipv4()),
            _ => None,
        }
    }
}
