//! What is so, what happens, and how to hurry it.

use std::fmt;
use std::sync::Arc;

use gridmq_proto::ByteString;
#[cfg(feature = "tls")]
use gridmq_tls::CredentialStatus;
use tokio::sync::watch;

use super::Client;
use crate::error::DisconnectCause;
use crate::events::{Events, UndeliveredMessages};
use crate::metrics::Metrics;
use crate::outbox::QueueStatus;
use crate::state::{ConnectionInfo, ConnectionState};

impl Client {
    /// The connection's state, to look at and to watch.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    /// Whether there is a connection at the moment. One that leaves for another certificate does not count.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(&*self.0.state.borrow(), ConnectionState::Connected(_))
    }

    /// Waits until there is a connection, such as after [`Options::start`](crate::Options::start), and gives what it
    /// agreed on. It may be lost again at any moment. For as long as the client goes on trying, so does this.
    ///
    /// # Errors
    /// With the reason for which there will be none.
    pub async fn connected(&self) -> Result<Arc<ConnectionInfo>, DisconnectCause> {
        let settled =
            |state: &ConnectionState| matches!(state, ConnectionState::Connected(_) | ConnectionState::Disconnected(_));
        let mut state = self.state();
        let info = state.wait_for(settled).await.ok().and_then(|state| match &*state {
            ConnectionState::Connected(info) => Some(Arc::clone(info)),
            _ => None,
        });
        info.ok_or_else(|| self.cause())
    }

    /// The client identifier: the one of the options, or the one that the server has assigned; empty while there is
    /// neither.
    #[must_use]
    pub fn client_id(&self) -> ByteString {
        match &*self.0.info.borrow() {
            Some(info) => info.client_id.clone(),
            None => self.0.client_id.clone(),
        }
    }

    /// Ends the wait before the next attempt, and begins those after it anew with the shortest: for when the
    /// application knows that the network is back. Changes nothing while there is a connection, or an attempt is under
    /// way.
    pub fn reconnect_now(&self) {
        self.0.inbox.hurry();
    }

    /// What happens, one thing after the other. Who asks first gets everything since the client was started, the first
    /// connection among it; who asks later gets what happens from then on. Handles that are clones count as one.
    pub fn events(&self) -> Events {
        self.0.events.events()
    }

    /// Messages that were taken, did not make it, and whose outcome nobody awaits any more: their request timed out,
    /// their [`Ticket`](crate::Ticket) was dropped, or they were published before a restart and came out of the
    /// [store](crate::store). What stays in a store is not among them.
    ///
    /// From the client's start on the latest 1,000 are kept until somebody takes them, and of topics and servers'
    /// answers 1 MiB; how many were lost is told with [`Undelivered::Missed`](crate::Undelivered::Missed). Each is told
    /// once, whichever stream takes it. The log has a line for each kind of failure, with their number.
    pub fn undelivered(&self) -> UndeliveredMessages {
        self.0.undelivered.stream()
    }

    /// What this client counts and measures.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.metrics)
    }

    /// How the certificates of this client stand: the newest generation, when it ends, and why the latest attempt at a
    /// newer one failed. `None` without [`Options::credentials`](crate::Options::credentials). The generation that the
    /// connection uses is in [`Self::info`].
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn credential_status(&self) -> Option<CredentialStatus> {
        self.0.credentials.as_ref().map(|credentials| credentials.status())
    }

    /// Why there is no connection any more and will be none; `None` while there is one, or the client is on its way to
    /// one.
    #[must_use]
    pub fn disconnected(&self) -> Option<DisconnectCause> {
        match &*self.0.state.borrow() {
            ConnectionState::Disconnected(cause) => Some(cause.clone()),
            _ if self.0.requests.is_closed() => Some(DisconnectCause::stopped()),
            _ => None,
        }
    }

    /// What the connection agreed on, or the latest one; `None` if there has been none.
    #[must_use]
    pub fn info(&self) -> Option<Arc<ConnectionInfo>> {
        self.0.info.borrow().clone()
    }

    /// How many messages wait to be sent or acknowledged, and how far they have come.
    #[must_use]
    pub fn queue(&self) -> QueueStatus {
        self.0.gauge.status()
    }
}

impl Client {
    /// Messages and bytes that are neither acknowledged nor written.
    pub(crate) fn unfinished(&self) -> (usize, usize) {
        self.0.gauge.unfinished()
    }
}

/// Who it is and how it stands; nothing that the connection agreed on, for logs get to see it.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.0.state.borrow() {
            ConnectionState::Connecting { .. } => "connecting",
            ConnectionState::Connected(_) => "connected",
            ConnectionState::Waiting { .. } => "waiting",
            ConnectionState::Rotating { .. } => "rotating",
            ConnectionState::Disconnected(_) => "disconnected",
        };
        f.debug_struct("Client")
            .field("client_id", &self.client_id())
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
