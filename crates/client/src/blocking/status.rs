//! What is so, and waiting for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gridmq_proto::ByteString;
#[cfg(feature = "tls")]
use gridmq_tls::CredentialStatus;

use super::engine::outside;
use super::{Client, Error, Events, UndeliveredMessages};
use crate::error::DisconnectCause;
use crate::metrics::Metrics;
use crate::outbox::QueueStatus;
use crate::state::{ConnectionInfo, ConnectionState};

impl Client {
    /// What the client is doing now.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.client.state().borrow().clone()
    }

    /// Whether there is a connection at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Why there is no connection any more and will be none: see [`crate::Client::disconnected`].
    #[must_use]
    pub fn disconnected(&self) -> Option<DisconnectCause> {
        self.client.disconnected()
    }

    /// What the connection agreed on, or the latest one; `None` if there has been none.
    #[must_use]
    pub fn info(&self) -> Option<Arc<ConnectionInfo>> {
        self.client.info()
    }

    /// How many messages wait to be sent or acknowledged.
    #[must_use]
    pub fn queue(&self) -> QueueStatus {
        self.client.queue()
    }

    /// Waits until there is a connection, at most for that long; `None` if there is none in that time.
    ///
    /// # Errors
    /// With the reason for which there will be none.
    pub fn connected(&self, after: Duration) -> Result<Option<Arc<ConnectionInfo>>, Error<DisconnectCause>> {
        outside()?;
        let until = Instant::now().checked_add(after);
        self.engine.wait(self.client.connected(), until).transpose().map_err(Error::Failed)
    }

    /// Waits until the client is in such a state, at most for that long; `None` if it is not in that time. Each state
    /// that is seen is looked at once.
    ///
    /// # Errors
    /// If the client ends before.
    pub fn wait_for_state(
        &self,
        after: Duration,
        mut matches: impl FnMut(&ConnectionState) -> bool,
    ) -> Result<Option<ConnectionState>, Error<DisconnectCause>> {
        outside()?;
        let until = Instant::now().checked_add(after);
        let mut state = self.client.state();
        let reached = async {
            // Asked once for each state: an answer may be another the next time.
            let mut hit = false;
            let ends = |state: &ConnectionState| matches!(state, ConnectionState::Disconnected(_));
            let found = state.wait_for(|state| {
                hit = matches(state);
                hit || ends(state)
            });
            let state = found.await.ok()?.clone();
            hit.then_some(state)
        };
        match self.engine.wait(reached, until) {
            None => Ok(None),
            Some(Some(state)) => Ok(Some(state)),
            Some(None) => Err(Error::Failed(self.client.cause())),
        }
    }

    /// What happens, one thing after the other: see [`crate::Client::events`].
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.client.events(), Arc::clone(&self.engine))
    }

    /// Messages that did not make it and whose outcome nobody awaits: see [`crate::Client::undelivered`].
    #[must_use]
    pub fn undelivered(&self) -> UndeliveredMessages {
        UndeliveredMessages::new(self.client.undelivered(), Arc::clone(&self.engine))
    }

    /// The client identifier: see [`crate::Client::client_id`].
    #[must_use]
    pub fn client_id(&self) -> ByteString {
        self.client.client_id()
    }

    /// What this client counts and measures.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        self.client.metrics()
    }

    /// How the certificates of this client stand: see [`crate::Client::credential_status`].
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn credential_status(&self) -> Option<CredentialStatus> {
        self.client.credential_status()
    }

    /// Ends the wait before the next attempt to connect: see [`crate::Client::reconnect_now`].
    pub fn reconnect_now(&self) {
        self.client.reconnect_now();
    }
}
