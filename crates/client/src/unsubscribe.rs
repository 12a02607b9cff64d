//! Giving subscriptions up.

use std::future::IntoFuture;

use gridmq_proto::packet::{Unsubscribe, UserProperties};
use gridmq_proto::{ByteString, Packet, PacketId, SubscriptionFilter};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::driver::{Request, UnsubscribeCommand};
use crate::error::SubscribeError;
use crate::publish::Pending;
use crate::subscribe::check;

/// A subscription to give up; await it to send it. Its streams end once the server has agreed and what had arrived is
/// read.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct UnsubscribeRequest {
    client: Client,
    filter: Result<SubscriptionFilter, SubscribeError>,
    user_properties: UserProperties,
}

impl UnsubscribeRequest {
    pub(crate) const fn new(client: Client, filter: Result<SubscriptionFilter, SubscribeError>) -> Self {
        Self { client, filter, user_properties: Vec::new() }
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    async fn send(self) -> Result<(), SubscribeError> {
        let Self { client, filter, user_properties } = self;
        let filter = filter?;
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::MIN,
            user_properties: user_properties.clone(),
            filters: vec![filter.clone()],
        });
        check(&client, &packet)?;
        let after = client.request_timeout();
        let (reply, answer) = oneshot::channel();
        let command = UnsubscribeCommand { filter, user_properties, reply };
        let exchange = async {
            client.requests().send(Request::Unsubscribe(Box::new(command))).await.ok()?;
            answer.await.ok()
        };
        match timeout(after, exchange).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(SubscribeError::Disconnected(client.cause())),
            Err(_) => Err(SubscribeError::Timeout { after }),
        }
    }
}

impl IntoFuture for UnsubscribeRequest {
    type Output = Result<(), SubscribeError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
