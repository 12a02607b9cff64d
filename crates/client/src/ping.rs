//! Asking for a sign of life.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::client::Client;
use crate::driver::Request;
use crate::error::PingError;
use crate::publish::Pending;

/// A PINGREQ to send; await it to send it, and to wait for the answer.
///
/// ```no_run
/// # async fn run(client: gridmq_client::Client) -> Result<(), gridmq_client::error::PingError> {
/// client.ping().timeout(std::time::Duration::from_secs(2)).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a request is sent when it is awaited"]
pub struct PingRequest {
    client: Client,
    timeout: Duration,
    /// Under way, once it was polled.
    exchange: Option<Pending<Result<Option<()>, tokio::time::error::Elapsed>>>,
}

impl std::fmt::Debug for PingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PingRequest").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl PingRequest {
    pub(crate) fn new(client: Client) -> Self {
        Self { timeout: client.request_timeout(), client, exchange: None }
    }

    /// How long to wait for the answer; the client's request timeout when not called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Future for PingRequest {
    type Output = Result<(), PingError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { client, timeout, exchange } = &mut *self;
        let after = *timeout;
        let exchange = exchange.get_or_insert_with(|| {
            let client = client.clone();
            Box::pin(async move {
                let (reply, answer) = oneshot::channel();
                let exchange = async {
                    client.requests().send(Request::Ping(reply)).await.ok()?;
                    answer.await.ok()
                };
                tokio::time::timeout(after, exchange).await
            })
        });
        exchange.as_mut().poll(cx).map(|answered| match answered {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(PingError::Disconnected(self.client.cause())),
            Err(_) => Err(PingError::Timeout { after }),
        })
    }
}
