//! What happens to a connection, one thing after the other.

use std::time::Duration;

use gridmq_proto::SubscriptionFilter;
use tokio::sync::broadcast;

use crate::error::{AuthError, ConnectError, DisconnectCause};

/// Events that wait for a slow reader; older ones are lost to it.
pub(crate) const BUFFER: usize = 64;

/// Something that happened to a connection. [`ConnectionState`](crate::ConnectionState) says what is so now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The server has accepted us: for the first time, or again after the connection was lost.
    Connected {
        /// Whether the server has a session of ours.
        session_present: bool,
    },
    /// An attempt to connect failed.
    AttemptFailed {
        /// Why.
        error: ConnectError,
        /// Attempts that have failed since there was a connection.
        attempts: u32,
        /// When the next one is; absent: there is none.
        retry_in: Option<Duration>,
    },
    /// The connection was lost.
    Lost {
        /// Why.
        cause: DisconnectCause,
        /// When the client tries to come back.
        retry_in: Duration,
    },
    /// The client leaves to come back with another certificate.
    Rotating {
        /// The generation in use until now.
        from: u64,
        /// The newest one.
        to: u64,
    },
    /// An attempt to come back failed.
    RotationFailed {
        /// The generation that it used.
        generation: u64,
        /// Attempts of this move so far.
        attempts: u32,
        /// Why.
        error: ConnectError,
        /// When the next one is; absent: there is none.
        retry_in: Option<Duration>,
    },
    /// The client is back.
    Rotated {
        /// The generation in use from now on. If the server refused the newer one, the old one again.
        generation: u64,
        /// Whether the server still had the session.
        session_present: bool,
    },
    /// The client has proved anew who it is, before the proof before ran out: see [`auth`](crate::auth).
    Reauthenticated,
    /// A new proof of who the client is could not be had. The one in use holds on until it runs out.
    ReauthenticationFailed {
        /// Why.
        error: AuthError,
        /// When the client asks again; absent: what is in use has run out, and the server decides.
        retry_in: Option<Duration>,
    },
    /// The server does not have the session any more (catalogue G11). Subscriptions are made again, and what it had not
    /// acknowledged is published again; messages that it would have kept for this client are lost.
    SessionLost,
    /// A subscription could not be made again; its stream has ended.
    SubscriptionLost {
        /// Which.
        filter: SubscriptionFilter,
    },
    /// The connection is over, and there will be no other.
    Disconnected(DisconnectCause),
}

/// The events of one client from a point in time on: see [`Client::events`](crate::Client::events).
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<ConnectionEvent>);

impl Events {
    /// The next event; `None` after the connection's end. Who falls behind by more than 64 events loses the oldest.
    pub async fn next(&mut self) -> Option<ConnectionEvent> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
