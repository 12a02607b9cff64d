//! Publishing.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::codec::{MAX_PACKET_SIZE, encoded_len};
use gridmq_proto::packet::Publish;
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::{ByteString, Message, MessageProperties, Packet, PacketId, QoS, ReasonCode, TopicName, Version};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::driver::PublishCommand;
use crate::error::PublishError;

/// The future of a request.
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What became of a published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The server's reason code: success, or [`ReasonCode::NoMatchingSubscribers`]. Success for QoS 0, which is not
    /// answered.
    pub reason: ReasonCode,
}

/// A message to publish; await it to send it.
///
/// At QoS 0 the future ends when the message is written, at QoS 1 and 2 when the server has it. Dropped before there was
/// room for the message in the queue, it sends nothing; dropped later, it changes nothing, and the message is sent.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct PublishRequest {
    client: Client,
    topic: Result<TopicName, PublishError>,
    payload: Bytes,
    qos: QoS,
    retain: bool,
    properties: Option<Box<MessageProperties>>,
    timeout: Option<Duration>,
}

impl PublishRequest {
    pub(crate) const fn new(client: Client, topic: Result<TopicName, PublishError>, payload: Bytes) -> Self {
        Self { client, topic, payload, qos: QoS::AtMostOnce, retain: false, properties: None, timeout: None }
    }

    /// Publishes at this QoS; 0 when not called.
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Has the server keep it for those who subscribe later. An empty payload takes away what is kept.
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Sets all its properties (MQTT 5.0 only).
    pub fn properties(mut self, properties: MessageProperties) -> Self {
        self.properties = (!properties.is_empty()).then(|| Box::new(properties));
        self
    }

    /// Says that the payload is UTF-8 text (MQTT 5.0 only).
    pub fn text(mut self) -> Self {
        self.set().payload_format_indicator = Some(true);
        self
    }

    /// The MIME type of the payload (MQTT 5.0 only).
    pub fn content_type(mut self, content_type: impl Into<ByteString>) -> Self {
        self.set().content_type = Some(content_type.into());
        self
    }

    /// Where a response should go (MQTT 5.0 only).
    pub fn response_topic<T>(mut self, topic: T) -> Self
    where
        T: TryInto<TopicName>,
        T::Error: Into<PublishError>,
    {
        match topic.try_into() {
            Ok(topic) => self.set().response_topic = Some(topic),
            Err(error) => self.topic = self.topic.and_then(|_| Err(error.into())),
        }
        self
    }

    /// What a response is told by (MQTT 5.0 only).
    pub fn correlation_data(mut self, data: impl Into<Bytes>) -> Self {
        self.set().correlation_data = Some(data.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.set().user_properties.push((name.into(), value.into()));
        self
    }

    /// How long the message is worth delivering, in whole seconds, rounded up, at least 1 (MQTT 5.0 only). If it has
    /// to wait for longer than that before it can be sent, it is dropped, and the request ends
    /// with [`PublishError::Refused`] and reason 0x83, unless its time was up before.
    pub fn message_expiry(mut self, expiry: Duration) -> Self {
        self.set().message_expiry_interval = Some(whole_seconds(expiry));
        self
    }

    fn set(&mut self) -> &mut MessageProperties {
        self.properties.get_or_insert_default()
    }

    /// How long the message may take; the client's request timeout when not called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Hands the message over without waiting for the server: ends when it is in the queue and, where the client has a
    /// [store](crate::store), when it is durable there.
    ///
    /// A future that is dropped before the message is taken sends nothing; dropped later, it changes nothing.
    ///
    /// # Errors
    /// As publishing, but for what only the server can say; the [`Ticket`] tells that. The timeout counts up to here.
    pub async fn enqueue(self) -> Result<Ticket, PublishError> {
        let (client, outgoing, after) = self.prepare()?;
        let qos = outgoing.qos;
        let (stored, on_store) = oneshot::channel();
        let (command, mut admitted, mut answer) = command(outgoing, Some(stored));
        let exchange = async {
            client.publishes().send(command).await.ok()?;
            match on_store.await {
                Ok(position) => Some(Ok(position)),
                // It was not taken, and the answer says why.
                Err(_) => (&mut answer).await.ok()?.err().map(Err),
            }
        };
        match timeout(after, exchange).await {
            Ok(Some(Ok(position))) => Ok(Ticket { client, position, answer }),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Err(PublishError::Disconnected(client.cause())),
            Err(_) => {
                client.metrics().timed_out(qos);
                Err(PublishError::Timeout { after, queued: was_admitted(&mut admitted) })
            }
        }
    }

    fn prepare(self) -> Result<(Client, Outgoing, Duration), PublishError> {
        let Self { client, topic, payload, qos, retain, properties, timeout } = self;
        let mut message = Message { topic: topic?, payload, properties };
        if let Some(properties) = &mut message.properties {
            // At 0 it would be too old before it is sent.
            properties.message_expiry_interval = properties.message_expiry_interval.map(|seconds| seconds.max(1));
        }
        let outgoing = Outgoing { message, qos, retain };
        check(&outgoing, client.version())?;
        client.profile().check_publish(&outgoing, client.version()).map_err(PublishError::Service)?;
        let after = timeout.unwrap_or_else(|| client.request_timeout());
        Ok((client, outgoing, after))
    }

    async fn send(self) -> Result<Published, PublishError> {
        let (client, outgoing, after) = self.prepare()?;
        let qos = outgoing.qos;
        let (command, mut admitted, answer) = command(outgoing, None);
        let exchange = async {
            client.publishes().send(command).await.ok()?;
            answer.await.ok()
        };
        match timeout(after, exchange).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(PublishError::Disconnected(client.cause())),
            Err(_) => {
                client.metrics().timed_out(qos);
                Err(PublishError::Timeout { after, queued: was_admitted(&mut admitted) })
            }
        }
    }
}

type Answer = oneshot::Receiver<Result<Published, PublishError>>;

fn command(
    outgoing: Outgoing,
    stored: Option<oneshot::Sender<Option<u64>>>,
) -> (PublishCommand, oneshot::Receiver<()>, Answer) {
    let (admission, admitted) = oneshot::channel();
    let (reply, answer) = oneshot::channel();
    (PublishCommand { outgoing, admission, stored, reply }, admitted, answer)
}

/// Whether the message has been taken. If not, it will not be.
fn was_admitted(admitted: &mut oneshot::Receiver<()>) -> bool {
    admitted.close();
    admitted.try_recv().is_ok()
}

/// A message that was handed over: await it for what the server says, however long that takes. Dropped, it changes
/// nothing.
#[derive(Debug)]
#[must_use = "the outcome is told to whoever awaits it"]
pub struct Ticket {
    client: Client,
    position: Option<u64>,
    answer: Answer,
}

impl Ticket {
    /// The place of the message in the order of all that were handed over, from 1 on, never used twice, and with a
    /// [store](crate::store) not after a restart either. A message of QoS 0 that was sent at once has none.
    #[must_use]
    pub const fn position(&self) -> Option<u64> {
        self.position
    }
}

impl Future for Ticket {
    type Output = Result<Published, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        Poll::Ready(answer.unwrap_or_else(|_| Err(PublishError::Disconnected(self.client.cause()))))
    }
}

impl IntoFuture for PublishRequest {
    type Output = Result<Published, PublishError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Whether the message can be written at all; what the server takes is the session's to judge.
fn check(outgoing: &Outgoing, version: Version) -> Result<(), PublishError> {
    let message = &outgoing.message;
    let surely_fits = message.payload.len() <= MAX_PACKET_SIZE as usize / 2;
    if message.properties.is_none() && surely_fits {
        return Ok(());
    }
    let publish = Publish {
        dup: false,
        qos: outgoing.qos,
        retain: outgoing.retain,
        packet_id: PacketId::new(1).filter(|_| outgoing.qos != QoS::AtMostOnce),
        topic: Some(message.topic.clone()),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: message.payload.clone(),
        properties: message.properties.clone(),
    };
    encoded_len(&Packet::Publish(publish), version).map(drop).map_err(PublishError::Packet)
}

/// Whole seconds, rounded up, `u32::MAX` at most.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() != 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
