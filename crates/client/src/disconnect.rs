//! Leaving in order.

use std::future::IntoFuture;
use std::time::Duration;

use gridmq_proto::packet::DisconnectProperties;
use gridmq_proto::{ByteString, ReasonCode};
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
    properties: DisconnectProperties,
}

/// A client does not leave with that reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} is not what a client leaves with: give one that MQTT 5.0 §3.14.2.1 has for clients, such as 0x04")]
pub struct DisconnectReasonError {
    /// The reason that was given.
    pub reason: ReasonCode,
}

/// Whether the reason is one of a client's (MQTT 5.0 §3.14.2.1).
const fn is_clients(reason: ReasonCode) -> bool {
    matches!(
        reason.as_u8(),
        0x00 | 0x04 | 0x80 | 0x81 | 0x82 | 0x83 | 0x90 | 0x93 | 0x94 | 0x95 | 0x96 | 0x97 | 0x98 | 0x99
    )
}

impl DisconnectRequest {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, reason: ReasonCode::NORMAL_DISCONNECTION, properties: DisconnectProperties::default() }
    }

    /// Why the client leaves (MQTT 5.0 only, left out on 3.1.1); 0x00 when not called, which alone discards the will.
    ///
    /// # Errors
    /// If it is not one of a client's reasons (MQTT 5.0 §3.14.2.1).
    pub fn reason(mut self, reason: ReasonCode) -> Result<Self, DisconnectReasonError> {
        if !is_clients(reason) {
            return Err(DisconnectReasonError { reason });
        }
        self.reason = reason;
        Ok(self)
    }

    /// Why, in words for people (MQTT 5.0 only, left out on 3.1.1).
    pub fn reason_string(mut self, words: impl Into<ByteString>) -> Self {
        self.properties.reason_string = Some(words.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only, left out on 3.1.1). A service that refuses them does not get them: leaving
    /// does not fail for it.
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.properties.user_properties.push((name.into(), value.into()));
        self
    }

    /// Has the server publish the will all the same (MQTT 5.0; on 3.1.1 the will is discarded).
    pub const fn publish_will(mut self) -> Self {
        self.reason = ReasonCode::DisconnectWithWillMessage;
        self
    }

    /// How long the session is to last from now, in whole seconds; zero ends it (MQTT 5.0 only). Left out where it would
    /// raise an expiry of 0, which the standard forbids [MQTT-3.14.2-2].
    pub fn session_expiry(mut self, expiry: Duration) -> Self {
        self.properties.session_expiry_interval = Some(whole_seconds(expiry));
        self
    }

    async fn send(self) -> Result<(), DisconnectCause> {
        let Self { client, reason, mut properties } = self;
        if let Err(error) = client.profile().check_disconnect(&properties) {
            tracing::warn!(%error, "user properties are left out of the DISCONNECT");
            properties.user_properties.clear();
        }
        let (reply, answer) = oneshot::channel();
        let command = DisconnectCommand { reason, properties, reply };
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
