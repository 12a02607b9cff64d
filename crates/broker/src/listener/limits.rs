//! What holds for one listener.

use std::time::Duration;

/// What holds for the connections of one listener. Nothing is set by default; the [broker's](crate::Limits) always
/// hold as well, so only a lower number has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct ListenerLimits {
    pub(crate) connections: Option<usize>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) maximum_packet_size: Option<u32>,
}

impl ListenerLimits {
    /// Open connections; more are closed at once.
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// From the connection's beginning to the end of PROXY header, TLS handshake and WebSocket upgrade.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
        self
    }

    /// From the connection's beginning to a whole CONNECT.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The largest packet that is taken from a client, in bytes; MQTT 5.0 clients are told in CONNACK.
    pub const fn maximum_packet_size(mut self, bytes: u32) -> Self {
        self.maximum_packet_size = Some(bytes);
        self
    }
}
