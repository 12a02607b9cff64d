//! What is known of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use gridmq_proto::packet::ConnAckProperties;
use gridmq_proto::session::client::ServerLimits;
use gridmq_proto::{ByteString, Version};
use gridmq_tls::stream::HandshakeInfo;

use crate::error::{ConnectError, DisconnectCause};

/// Whether there is a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The server has accepted us.
    Connected(Arc<ConnectionInfo>),
    /// The client is on its way to another certificate: it finishes what it has begun, leaves and comes back. Publishes
    /// and requests wait.
    Rotating {
        /// The generation in use before.
        from: u64,
        /// The newest one.
        to: u64,
        /// Attempts to come back that have failed.
        attempts: u32,
        /// Why the latest did.
        error: Option<Arc<ConnectError>>,
    },
    /// There is no connection any more.
    Disconnected(DisconnectCause),
}

/// What a connection agreed on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The protocol's version.
    pub version: Version,
    /// The server's address; absent over a stream that the caller brought.
    pub address: Option<SocketAddr>,
    /// What TLS agreed on; absent without TLS.
    pub tls: Option<HandshakeInfo>,
    /// The generation of the certificate that is in use; absent without
    /// [`Options::credentials`](crate::Options::credentials).
    pub generation: Option<u64>,
    /// Whether the server goes on with a stored session.
    pub session_present: bool,
    /// The client identifier in force: ours, or the one that the server assigned.
    pub client_id: ByteString,
    /// What the server takes, with the standard's defaults where it was silent.
    pub limits: ServerLimits,
    /// The properties of the CONNACK as they came; all absent on 3.1.1.
    pub properties: ConnAckProperties,
}
