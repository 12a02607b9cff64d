//! Finishing what was handed over for publishing.

use std::future::IntoFuture;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::client::Client;
use crate::driver::{Request, ShutdownCommand};
use crate::error::DisconnectCause;
use crate::publish::Pending;

/// What stands for a time that no clock reaches.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Waits for messages; await it to begin.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct FlushRequest {
    client: Client,
    timeout: Option<Duration>,
}

/// Why not every message was finished.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The time was up first.
    #[error(
        "{messages} messages with {bytes} bytes were not acknowledged, or at QoS 0 not written, within {after:?}: allow \
         more time, or give the client a store, which keeps those of QoS 1 and 2 for its next start"
    )]
    Timeout {
        /// How long was waited.
        after: Duration,
        /// Messages that wait, are unacknowledged, or, at QoS 0, not written.
        messages: usize,
        /// Bytes of their topics, payloads and properties.
        bytes: usize,
    },
    /// The client ended first.
    #[error("{messages} messages with {bytes} bytes were not acknowledged, or at QoS 0 not written: {cause}")]
    Disconnected {
        /// Why it ended.
        cause: DisconnectCause,
        /// Messages that waited, were unacknowledged, or, at QoS 0, not written.
        messages: usize,
        /// Bytes of their topics, payloads and properties.
        bytes: usize,
    },
}

impl FlushError {
    /// How many messages were left, and how many bytes they have.
    #[must_use]
    pub const fn left(&self) -> (usize, usize) {
        match *self {
            Self::Timeout { messages, bytes, .. } | Self::Disconnected { messages, bytes, .. } => (messages, bytes),
        }
    }
}

impl FlushRequest {
    /// How long to wait; the client's request timeout when not called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn send(self) -> Result<(), FlushError> {
        let Self { client, timeout: limit } = self;
        let after = limit.unwrap_or_else(|| client.request_timeout());
        let (reply, done) = oneshot::channel();
        let exchange = async {
            client.requests().send(Request::Flush(reply)).await.ok()?;
            done.await.ok()
        };
        match timeout(after, exchange).await {
            Ok(Some(())) => Ok(()),
            Ok(None) => client.ended_before(),
            Err(_) => {
                let (messages, bytes) = client.unfinished();
                Err(FlushError::Timeout { after, messages, bytes })
            }
        }
    }
}

impl IntoFuture for FlushRequest {
    type Output = Result<(), FlushError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Client {
    /// Waits until every message that was taken before is decided: acknowledged or refused by the server, expired or
    /// dropped; at QoS 0, written. While there is no connection, it waits for one. What became of each message is told
    /// to whoever published it; dropping the future changes nothing.
    ///
    /// ```
    /// # async fn run(client: gridmq_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for reading in ["21.5", "21.6"] {
    ///     let _ticket = client.publish("sensors/1", reading).qos(gridmq_client::QoS::AtLeastOnce).enqueue().await?;
    /// }
    /// client.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&self) -> FlushRequest {
        FlushRequest { client: self.clone(), timeout: None }
    }

    /// Finishes, then leaves in order. New messages are not taken from now on; those that were handed over go on being
    /// sent, and while there is no connection the client goes on making one. When all are decided, and at the latest
    /// after `within`, it disconnects, which takes up to two seconds more, and, with a store, until that is closed, five
    /// seconds at most.
    ///
    /// Once begun, it goes on also if the future or the last handle is dropped. [`disconnect`](Self::disconnect) leaves
    /// at once.
    ///
    /// # Errors
    /// When messages are left: how many, and why. With a [store](crate::store), those of QoS 1 and 2 are sent when the
    /// client is started again.
    pub async fn shutdown(&self, within: Duration) -> Result<(), FlushError> {
        let now = Instant::now();
        let until = now.checked_add(within).unwrap_or(now + YEAR);
        let (outcome, decided) = oneshot::channel();
        let (closed, is_closed) = oneshot::channel();
        let command = ShutdownCommand { until, outcome, closed };
        if self.requests().send(Request::Shutdown(command)).await.is_err() {
            return self.ended_before();
        }
        let Ok((messages, bytes)) = decided.await else { return self.ended_before() };
        // Dropped where the client's task was stopped.
        let _ = is_closed.await;
        if messages == 0 { Ok(()) } else { Err(FlushError::Timeout { after: within, messages, bytes }) }
    }

    /// The client has ended: nothing will be decided that is not.
    fn ended_before(&self) -> Result<(), FlushError> {
        let (messages, bytes) = self.unfinished();
        if messages == 0 {
            return Ok(());
        }
        Err(FlushError::Disconnected { cause: self.cause(), messages, bytes })
    }
}
