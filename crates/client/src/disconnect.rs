//! Leaving in order.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use gridmq_proto::codec::encoded_len;
use gridmq_proto::packet::{Disconnect, DisconnectProperties};
use gridmq_proto::{ByteString, Packet, ReasonCode};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::driver::{DisconnectCommand, Request};
use crate::error::DisconnectError;
use crate::publish::{Pending, whole_seconds};

/// A DISCONNECT to send; await it to send it. It ends when the server has closed the connection too, or after two
/// seconds in which it has read nothing: see [`timeout`](Self::timeout); and, with a store, when that is closed, for
/// which it waits five seconds at most.
///
/// Between two connections, on the way to another certificate, there is nobody to tell: the client just does not come
/// back, no will is published, and the session ends when its expiry is over.
///
/// What only MQTT 5.0 has, and a reason that no client leaves with, are errors of the request: nothing is sent then,
/// and the client stays connected.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn run(client: gridmq_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// // The server is to keep the session for a day.
/// client.disconnect().session_expiry(Duration::from_secs(24 * 3600)).reason_string("night").await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MqttClientDisconnectOptionsBuilder")]
#[must_use = "a request is sent when it is awaited"]
pub struct DisconnectRequest {
    client: Client,
    disconnect: Disconnect,
    timeout: Option<Duration>,
}

impl fmt::Debug for DisconnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disconnect { reason, properties } = &self.disconnect;
        let mut shown = f.debug_struct("DisconnectRequest");
        shown.field("reason", reason).field("reason_string", &properties.reason_string);
        shown.field("session_expiry", &properties.session_expiry_interval).field("timeout", &self.timeout);
        shown.field("user_properties", &properties.user_properties.len()).finish_non_exhaustive()
    }
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
        Self { client, disconnect: Disconnect::new(ReasonCode::NORMAL_DISCONNECTION), timeout: None }
    }

    fn properties(&mut self) -> &mut DisconnectProperties {
        &mut self.disconnect.properties
    }

    /// Why the client leaves (MQTT 5.0 only); 0x00 when not called, which alone discards the will. It has to be one of
    /// a client's reasons (MQTT 5.0 §3.14.2.1).
    #[doc(alias = "WithReason")]
    pub const fn reason(mut self, reason: ReasonCode) -> Self {
        self.disconnect.reason = reason;
        self
    }

    /// Why, in words for people (MQTT 5.0 only).
    #[doc(alias = "WithReasonString")]
    pub fn reason_string(mut self, reason_string: impl Into<ByteString>) -> Self {
        self.properties().reason_string = Some(reason_string.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only). A service that refuses them does not get them: leaving does not fail for
    /// it.
    #[doc(alias = "WithUserProperty")]
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.properties().user_properties.push((name.into(), value.into()));
        self
    }

    /// Has the server publish the will all the same (MQTT 5.0 only).
    #[doc(alias = "DisconnectWithWillMessage")]
    pub const fn publish_will(mut self) -> Self {
        self.disconnect.reason = ReasonCode::DisconnectWithWillMessage;
        self
    }

    /// How long the session is to last from now, in whole seconds; zero ends it (MQTT 5.0 only). Left out where it would
    /// raise an expiry of 0, which the standard forbids [MQTT-3.14.2-2].
    #[doc(alias("session_expiry_interval", "WithSessionExpiryInterval"))]
    pub fn session_expiry(mut self, expiry: Duration) -> Self {
        self.properties().session_expiry_interval = Some(whole_seconds(expiry));
        self
    }

    /// How long the server may take to read what was said last and to close the connection. Then the connection is closed
    /// all the same. When not called: two seconds since it has read something, and thirty in all.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn send(self) -> Result<(), DisconnectError> {
        let Self { client, mut disconnect, timeout } = self;
        if !is_clients(disconnect.reason) {
            return Err(DisconnectError::Reason { reason: disconnect.reason });
        }
        if let Err(error) = client.profile().check_disconnect(&disconnect.properties) {
            tracing::warn!(%error, "user properties are left out of the DISCONNECT");
            disconnect.properties.user_properties.clear();
        }
        encoded_len(&Packet::Disconnect(disconnect.clone()), client.version()).map_err(DisconnectError::Packet)?;
        let Disconnect { reason, properties } = disconnect;
        let (reply, answer) = oneshot::channel();
        let command = DisconnectCommand { reason, properties, timeout, reply };
        if client.requests().send(Request::Disconnect(command)).await.is_ok() {
            drop(answer.await);
        }
        match client.cause() {
            cause if cause.is_requested() => Ok(()),
            cause => Err(DisconnectError::Ended(cause)),
        }
    }
}

impl IntoFuture for DisconnectRequest {
    type Output = Result<(), DisconnectError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
