//! Options of the way to the server.

use std::sync::Arc;
use std::time::Duration;

use super::Options;
use crate::address::Address;
use crate::transport::{AddressFamily, Dialer, LocalAddress, Proxy, ServerOrder, UserTimeout};

impl Options {
    /// Another server to connect to when the ones before cannot be reached, as an address like the first. Trust,
    /// identity, proxy and dialer hold for all.
    pub fn server(mut self, address: &str) -> Self {
        self.transport.servers.push(Address::parse(address));
        self
    }

    /// More servers, as with [`server`](Self::server).
    pub fn servers<'a>(mut self, addresses: impl IntoIterator<Item = &'a str>) -> Self {
        self.transport.servers.extend(addresses.into_iter().map(Address::parse));
        self
    }

    /// In which order several servers are tried; as they were given when not called.
    pub const fn server_order(mut self, order: ServerOrder) -> Self {
        self.transport.order = order;
        self
    }

    /// Which of a name's addresses are tried, and which first; all in the system's order when not called.
    pub const fn address_family(mut self, family: AddressFamily) -> Self {
        self.transport.family = family;
        self
    }

    /// The local address, and perhaps port, to connect from: an `IpAddr` or a `SocketAddr`. The system chooses when not
    /// called. Only servers' addresses of the same family are tried. With a port, one connection is possible at a time.
    pub fn local_address(mut self, address: impl Into<LocalAddress>) -> Self {
        self.transport.tcp.local = Some(address.into());
        self
    }

    /// Whether TCP sends small packets at once (no Nagle's algorithm); yes when not called.
    pub const fn tcp_no_delay(mut self, no_delay: bool) -> Self {
        self.transport.tcp.no_delay = no_delay;
        self
    }

    /// Has TCP probe a connection that was silent for so long, in whole seconds, on the system's schedule. Off when not
    /// called: MQTT's keep-alive does more.
    pub const fn tcp_keep_alive(mut self, idle: Duration) -> Self {
        self.transport.tcp.keep_alive = Some(idle);
        self
    }

    /// How long sent bytes may stay unacknowledged by the server's machine until the connection is given up (RFC 5482),
    /// `None` for the system's own time; 1.5 times the keep-alive when not called: the one that
    /// is asked for, as this is set before the server can name another. Only Linux and Android can be told;
    /// elsewhere, the client notices by MQTT's keep-alive.
    pub const fn tcp_user_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.transport.tcp.user_timeout = match timeout {
            Some(timeout) => UserTimeout::After(timeout),
            None => UserTimeout::Off,
        };
        self
    }

    /// The sizes of TCP's buffers in bytes, as hints to the system, for what is sent and what is received. The system
    /// chooses, and adapts them, when not called; on Linux and Android it is then told to take no more than 32 KiB that it
    /// cannot send yet (`TCP_NOTSENT_LOWAT`).
    pub const fn tcp_buffers(mut self, send: u32, receive: u32) -> Self {
        self.transport.tcp.send_buffer = Some(send);
        self.transport.tcp.receive_buffer = Some(receive);
        self
    }

    /// Goes through a proxy, whatever the scheme of the address but `unix`.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.transport.proxy = Some(proxy);
        self
    }

    /// Has byte streams opened by the application, at every attempt; proxy, TLS and WebSocket go over them.
    pub fn dialer(mut self, dialer: Arc<dyn Dialer>) -> Self {
        self.transport.dialer = Some(dialer);
        self
    }

    /// The path, and perhaps query, to ask for with `ws://` and `wss://`, in place of the address's.
    #[cfg(feature = "websocket")]
    pub fn websocket_path(mut self, path: impl Into<String>) -> Self {
        self.transport.websocket.path = Some(path.into());
        self
    }

    /// Adds an HTTP field to the request for the upgrade to WebSocket, such as `Authorization` or `Cookie`. Values are
    /// never shown in logs or errors. They go to every server that is connected to, also where
    /// [`follow_server_reference`](crate::Reconnect::follow_server_reference) leads; `Authorization` goes over `ws://`
    /// only as [`plain_tokens`](Self::plain_tokens) says.
    #[cfg(feature = "websocket")]
    pub fn websocket_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.transport.websocket.headers.push((name.into(), value.into()));
        self
    }

    /// The subprotocol of WebSocket to ask for; the server has to agree. `mqtt`, or `mqttv3.1` with MQTT 3.1, when not
    /// called [MQTT-6.0.0-3].
    #[cfg(feature = "websocket")]
    pub fn websocket_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.transport.websocket.subprotocol = Some(name.into());
        self
    }
}

#[cfg(test)]
impl Options {
    /// The plan that they make.
    pub(crate) fn planned(self) -> crate::connect::Plan {
        self.plan(super::checks::Purpose::Session).unwrap()
    }
}
