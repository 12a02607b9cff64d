//! What is known of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use gridmq_proto::packet::ConnAckProperties;
use gridmq_proto::session::client::ServerLimits;
use gridmq_proto::{ByteString, Version};
use tokio::time::Instant;

use crate::error::{ConnectError, DisconnectCause};
use crate::secure::HandshakeInfo;

/// Whether there is a connection.
///
/// ```no_run
/// use gridmq_client::{Client, ConnectionState};
///
/// # async fn run(client: Client) {
/// let mut state = client.state();
/// while state.changed().await.is_ok() {
///     match &*state.borrow_and_update() {
///         ConnectionState::Connected(info) => println!("connected to {}", info.server),
///         ConnectionState::Waiting { why, .. } => println!("{why}"),
///         ConnectionState::Disconnected(cause) => println!("over: {cause}"),
///         other => println!("{other:?}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionState {
    /// An attempt to connect is on its way.
    Connecting {
        /// Attempts that have failed since there was a connection.
        attempts: u32,
    },
    /// The server has accepted us.
    Connected(Arc<ConnectionInfo>),
    /// There is no connection, and the next attempt waits for its time.
    Waiting {
        /// Why there is none.
        why: Setback,
        /// Attempts that have failed since there was a connection.
        attempts: u32,
        /// When the next one begins.
        retry_at: Instant,
    },
    /// The client is on its way to another certificate: it finishes what it has begun, leaves and comes back.
    Rotating {
        /// The generation in use before.
        from: u64,
        /// The newest one.
        to: u64,
        /// Attempts to come back that have failed.
        attempts: u32,
        /// Why the latest did.
        error: Option<ConnectError>,
    },
    /// There is no connection any more, and there will be none.
    Disconnected(DisconnectCause),
}

/// Why there is no connection at the moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Setback {
    /// An attempt failed.
    Failed(ConnectError),
    /// A connection ended that was up.
    Lost(DisconnectCause),
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Lost(cause) => cause.fmt(f),
        }
    }
}

/// What a connection agreed on.
///
/// ```no_run
/// # fn show(client: &gridmq_client::Client) {
/// if let Some(info) = client.info() {
///     println!("{} as {}, session present: {}", info.server, info.client_id, info.session_present);
///     println!("takes {:?} at most", info.limits.maximum_qos);
/// }
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The protocol's version.
    pub version: Version,
    /// The server, as the client was told of it: `host:port`.
    pub server: String,
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

/// Without the properties: they are for this client, and logs get to see this.
impl fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, server, address, tls, generation, session_present, client_id, limits, properties: _ } =
            self;
        f.debug_struct("ConnectionInfo")
            .field("version", version)
            .field("server", server)
            .field("address", address)
            .field("tls", tls)
            .field("generation", generation)
            .field("session_present", session_present)
            .field("client_id", client_id)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}
