//! Who watches the client.

use std::sync::Arc;

use super::Options;
use super::checks::Purpose;
use crate::error::ConnectError;
use crate::inspect::Inspector;
use crate::metrics::Metrics;
use crate::raw::RawClient;

impl Options {
    /// Counts and measures here; otherwise the client makes [`Metrics`] of its own, which
    /// [`Client::metrics`](crate::Client::metrics) gives. Use it to watch a client that has not connected yet. Clients
    /// that share one add up, but for what is so at the moment (queue, state, certificate), where the last one counts.
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.watch.metrics = Some(metrics);
        self
    }

    /// Shows every packet to this inspector; [`inspect::Log`](crate::inspect::Log) logs them.
    pub fn inspector(mut self, inspector: Arc<dyn Inspector>) -> Self {
        self.watch.inspector = Some(inspector);
        self
    }

    /// What the client's spans and logs call it; its identifier when not called. For identifiers that logs should not
    /// have.
    pub fn log_name(mut self, name: impl Into<String>) -> Self {
        self.watch.log_name = Some(name.into());
        self
    }
}

impl Options {
    /// Opens the transport to the server, the first if there are several, and sends nothing: see [`raw`](crate::raw).
    /// A user provider and an authenticator are asked once, before; AUTH packets are the caller's to answer. A store is
    /// not opened.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), up to where CONNECT would be sent.
    ///
    /// # Panics
    /// As [`connect`](Self::connect).
    pub async fn open_raw(self) -> Result<RawClient, ConnectError> {
        let plan = self.plan(Purpose::Raw)?;
        Box::pin(RawClient::open(&plan)).await
    }
}
