//! Subscribing.

use std::future::IntoFuture;
use std::sync::Arc;

use gridmq_proto::codec::encoded_len;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions, UserProperties};
use gridmq_proto::session::client::RequestError;
use gridmq_proto::{ByteString, Packet, PacketId, QoS, SubscriptionFilter};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::driver::{Request, SubscribeCommand};
use crate::error::SubscribeError;
use crate::publish::Pending;
use crate::queue::{DEFAULT_BUFFER, Queue};
use crate::subscription::Subscription;

/// The highest subscription identifier (MQTT 5.0 §3.8.2.1.2).
const MAX_IDENTIFIER: u32 = 268_435_455;

/// A subscription to make; await it to send it.
///
/// Dropped before the answer, the subscription is given up again.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct SubscribeRequest {
    client: Client,
    filter: Result<SubscriptionFilter, SubscribeError>,
    options: SubscribeOptions,
    identifier: Option<SubscriptionId>,
    user_properties: UserProperties,
    manual: bool,
    buffer: usize,
}

impl SubscribeRequest {
    pub(crate) fn new(client: Client, filter: Result<SubscriptionFilter, SubscribeError>, qos: QoS) -> Self {
        Self {
            client,
            filter,
            options: SubscribeOptions { qos, ..SubscribeOptions::default() },
            identifier: None,
            user_properties: Vec::new(),
            manual: false,
            buffer: DEFAULT_BUFFER,
        }
    }

    /// Leaves out what this client publishes itself (MQTT 5.0 only; an error on shared subscriptions).
    pub const fn no_local(mut self) -> Self {
        self.options.no_local = true;
        self
    }

    /// Keeps the RETAIN flag as publishers set it (MQTT 5.0 only).
    pub const fn retain_as_published(mut self) -> Self {
        self.options.retain_as_published = true;
        self
    }

    /// Which retained messages to get at once (MQTT 5.0 only).
    pub const fn retain_handling(mut self, handling: RetainHandling) -> Self {
        self.options.retain_handling = handling;
        self
    }

    /// Has the server name the subscription in each message, by a number from 1 to 268,435,455 (MQTT 5.0 only).
    /// Messages then reach this subscription by that number instead of by topic.
    pub fn identifier(mut self, identifier: u32) -> Self {
        match SubscriptionId::new(identifier).filter(|id| id.get() <= MAX_IDENTIFIER) {
            Some(identifier) => self.identifier = Some(identifier),
            None => self.filter = self.filter.and(Err(SubscribeError::Identifier(identifier))),
        }
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    /// Has each message of QoS 1 and 2 acknowledged by [`Message::ack`](crate::Message::ack) instead of when it is
    /// taken from the stream.
    pub const fn manual_ack(mut self) -> Self {
        self.manual = true;
        self
    }

    /// How many messages of QoS 0 may wait in the stream, at least 1; 256 when not called. Beyond, they are dropped
    /// and counted. Messages of QoS 1 and 2 are not dropped: the receive maximum bounds them.
    pub const fn buffer(mut self, messages: usize) -> Self {
        self.buffer = messages;
        self
    }

    async fn send(self) -> Result<Subscription, SubscribeError> {
        let Self { client, filter, options, identifier, user_properties, manual, buffer } = self;
        let filter = filter?;
        let entry = SubscribeFilter { filter: filter.clone(), options };
        let packet = Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscription_identifier: identifier,
            user_properties: user_properties.clone(),
            filters: vec![entry.clone()],
        });
        check(&client, &packet)?;
        let queue = Arc::new(Queue::new(buffer));
        let key = client.next_key();
        let after = client.request_timeout();
        let (reply, answer) = oneshot::channel();
        let command = SubscribeCommand { key, entry, identifier, user_properties, queue: Arc::clone(&queue), reply };
        // From here on, dropping it gives the subscription up.
        let mut subscription =
            Subscription { client: client.clone(), key, queue, filter, granted: options.qos, manual };
        let exchange = async {
            client.requests().send(Request::Subscribe(Box::new(command))).await.ok()?;
            answer.await.ok()
        };
        match timeout(after, exchange).await {
            Ok(Some(granted)) => {
                subscription.granted = granted?;
                Ok(subscription)
            }
            Ok(None) => Err(SubscribeError::Disconnected(client.cause())),
            Err(_) => Err(SubscribeError::Timeout { after }),
        }
    }
}

impl IntoFuture for SubscribeRequest {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Whether the packet can be written, and the server takes one of its size.
pub(crate) fn check(client: &Client, packet: &Packet) -> Result<(), SubscribeError> {
    let size = encoded_len(packet, client.version()).map_err(SubscribeError::Packet)?;
    match client.maximum_packet_size() {
        Some(maximum) if size > maximum as usize => {
            Err(SubscribeError::Limit(RequestError::PacketTooLarge { size, maximum }))
        }
        _ => Ok(()),
    }
}
