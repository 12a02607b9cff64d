//! Leaving in order.

use std::future::IntoFuture;
use std::time::Duration;

use gridmq_proto::ReasonCode;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::driver::{DisconnectCommand, Request};
use crate::error::DisconnectCause;
use crate::publish::{Pending, whole_seconds};

/// A DISCONNECT to send; await it to send it. It ends when the server has closed the connection too, or after two
/// seconds.
///
/// Between two connections, on the way to another certificate, there is nobody to tell: the client just does not come
/// back, no will is published, and the session ends when its expiry is over.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct DisconnectRequest {
    client: Client,
    reason: ReasonCode,
    session_expiry: Option<u32>,
}

impl DisconnectRequest {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client, reason: ReasonCode::NORMAL_DISCONNECTION, session_expiry: None }
    }

    /// Has the server publish the will all the same (MQTT 5.0; on 3.1.1 the will is discarded).
    pub const fn publish_will(mut self) -> Self {
        self.reason = ReasonCode::DisconnectWithWillMessage;
        self
    }

    /// How long the session is to last from now, in whole seconds (MQTT 5.0 only; it may not be raised from 0).
    pub fn session_expiry(mut self, expiry: Duration) -> Self {
        self.session_expiry = Some(whole_seconds(expiry));
        self
    }

    async fn send(self) -> Result<(), DisconnectCause> {
        let Self { client, reason, session_expiry } = self;
        let (reply, answer) = oneshot::channel();
        let command = DisconnectCommand { reason, session_expiry, reply };
        if client.requests().send(Request::Disconnect(command)).await.is_ok() {
            drop(answer.await);
        }
        match client.cause() {
            cause if cause.is_requested() => Ok(()),
            cause => Err(cause),
        }
    }
}

impl IntoFuture for DisconnectRequest {
    type Output = Result<(), DisconnectCause>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
