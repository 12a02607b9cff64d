//! Publishing.

mod all;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::codec::{MAX_PACKET_SIZE, encoded_len};
use gridmq_proto::packet::{AckProperties, Publish};
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::{ByteString, Message, MessageProperties, Packet, PacketId, QoS, ReasonCode, TopicName, Version};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::clock;
use crate::driver::{PublishCommand, PublishReply};
use crate::error::{DisconnectCause, PublishError};
use crate::metrics::MessageFate;
use crate::shown::{Length, Names};

pub use self::all::PublishAllRequest;

/// The future of a request.
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What became of a published message: what the server's PUBACK says (QoS 1), or its PUBREC (QoS 2).
#[doc(alias = "MqttClientPublishResult")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The server's reason code: success, or [`ReasonCode::NoMatchingSubscribers`]. Success for QoS 0, which is not
    /// answered.
    pub reason: ReasonCode,
    /// Most often there is nothing more.
    pub(crate) properties: Option<Box<AckProperties>>,
}

impl Published {
    /// What the server says for people, if anything (MQTT 5.0 §3.4.2.2.2). At QoS 2 nothing where that and the user
    /// properties are longer than 1 KiB.
    #[must_use]
    pub fn reason_string(&self) -> Option<&ByteString> {
        self.properties.as_deref()?.reason_string.as_ref()
    }

    /// The user properties of the server's answer (MQTT 5.0 §3.4.2.2.3), with the limit of
    /// [`reason_string`](Self::reason_string).
    #[must_use]
    pub fn user_properties(&self) -> &[(ByteString, ByteString)] {
        self.properties.as_deref().map_or(&[], |properties| &properties.user_properties)
    }
}

impl From<ReasonCode> for Published {
    fn from(reason: ReasonCode) -> Self {
        Self { reason, properties: None }
    }
}

/// A message to publish; await it to send it.
///
/// At QoS 0 the future ends when the message is written, at QoS 1 and 2 when the server has it. Dropped before there was
/// room for the message in the queue, it sends nothing; dropped later, it changes nothing, and the message is sent.
///
/// ```no_run
/// use std::time::Duration;
///
/// use gridmq_client::{Client, QoS};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let published = client
///     .publish("vehicles/vehicle03/position", r#"{"lat":52.5}"#)
///     .qos(QoS::AtLeastOnce)
///     .content_type("application/json")
///     .message_expiry(Duration::from_secs(60))
///     .timeout(Duration::from_secs(10))
///     .await?;
/// println!("{}", published.reason);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MqttApplicationMessageBuilder")]
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

impl fmt::Debug for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PublishRequest");
        shown.field("topic", &self.topic).field("payload", &Length(self.payload.len()));
        shown.field("qos", &self.qos).field("retain", &self.retain).field("timeout", &self.timeout);
        shown.field("properties", &self.properties.as_deref().map(Names)).finish_non_exhaustive()
    }
}

impl PublishRequest {
    pub(crate) const fn new(client: Client, topic: Result<TopicName, PublishError>, payload: Bytes) -> Self {
        Self { client, topic, payload, qos: QoS::AtMostOnce, retain: false, properties: None, timeout: None }
    }

    /// Publishes at this QoS; 0 when not called.
    #[doc(alias = "WithQualityOfServiceLevel")]
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Has the server keep it for those who subscribe later. An empty payload takes away what is kept.
    #[doc(alias = "WithRetainFlag")]
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Sets all its properties (MQTT 5.0 only).
    pub fn properties(mut self, properties: MessageProperties) -> Self {
        self.properties = (!properties.is_empty()).then(|| Box::new(properties));
        self
    }

    /// Whether the payload is UTF-8 text (MQTT 5.0 §3.3.2.3.2, MQTT 5.0 only). `false` says as much as not calling it:
    /// bytes of no stated form.
    #[doc(alias("WithPayloadFormatIndicator", "utf8", "text"))]
    pub fn payload_format_indicator(mut self, utf8: bool) -> Self {
        self.set().payload_format_indicator = Some(utf8);
        self
    }

    /// The MIME type of the payload (MQTT 5.0 only).
    #[doc(alias = "WithContentType")]
    pub fn content_type(mut self, content_type: impl Into<ByteString>) -> Self {
        self.set().content_type = Some(content_type.into());
        self
    }

    /// Where a response should go (MQTT 5.0 only).
    #[doc(alias = "WithResponseTopic")]
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
    #[doc(alias = "WithCorrelationData")]
    pub fn correlation_data(mut self, data: impl Into<Bytes>) -> Self {
        self.set().correlation_data = Some(data.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    #[doc(alias = "WithUserProperty")]
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.set().user_properties.push((name.into(), value.into()));
        self
    }

    /// How long the message is worth delivering, from now on, in whole seconds, rounded up, at least 1 (MQTT 5.0 only).
    /// If it cannot be sent in that time, it is dropped, and the request ends with [`PublishError::Expired`], unless
    /// its own time was up before: that is looked at when there is a connection, and when the queue has no room.
    #[doc(alias("message_expiry_interval", "WithMessageExpiryInterval"))]
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
        let (stored, on_store) = oneshot::channel();
        let (command, mut handed) = Handed::new(client, outgoing, Some(stored));
        let exchange = async {
            handed.client.publishes().send(command).await.ok()?;
            match on_store.await {
                Ok(position) => Some(Ok(position)),
                // It was not taken, and the answer says why.
                Err(_) => (&mut handed.answer).await.ok()?.err().map(Err),
            }
        };
        match timeout(after, exchange).await {
            Ok(Some(Ok(position))) => {
                let Handed { client, topic, answer, .. } = handed;
                Ok(Ticket { client, topic, position, answer })
            }
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Err(handed.unanswered()),
            Err(_) => Err(handed.late(after)),
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
        if let Err(error) = client.profile().check_publish(&outgoing, client.version()) {
            return Err(PublishError::Service { topic: outgoing.message.topic, error });
        }
        let after = timeout.unwrap_or_else(|| client.request_timeout());
        Ok((client, outgoing, after))
    }

    async fn send(self) -> Result<Published, PublishError> {
        let (client, outgoing, after) = self.prepare()?;
        let (command, mut handed) = Handed::new(client, outgoing, None);
        let exchange = async {
            handed.client.publishes().send(command).await.ok()?;
            (&mut handed.answer).await.ok()
        };
        match timeout(after, exchange).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(handed.unanswered()),
            Err(_) => Err(handed.late(after)),
        }
    }
}

type Answer = oneshot::Receiver<Result<Published, PublishError>>;

/// A message on its way to the driver, and what there is to tell of it.
struct Handed {
    client: Client,
    topic: TopicName,
    qos: QoS,
    admitted: oneshot::Receiver<Option<u64>>,
    answer: Answer,
}

impl Handed {
    fn new(client: Client, outgoing: Outgoing, stored: Option<oneshot::Sender<Option<u64>>>) -> (PublishCommand, Self) {
        let (admission, admitted) = oneshot::channel();
        let (topic, qos) = (outgoing.message.topic.clone(), outgoing.qos);
        let (reply, answer) = PublishReply::new(topic.clone());
        let expires = outgoing.message.properties().message_expiry_interval.is_some();
        let made = expires.then(clock::wall);
        let command = PublishCommand { outgoing, made, until: None, admission, stored, reply };
        (command, Self { client, topic, qos, admitted, answer })
    }

    /// Whether the message has been taken, and its place if it has one. If not, it will not be.
    fn admitted(&mut self) -> Option<Option<u64>> {
        self.admitted.close();
        self.admitted.try_recv().ok()
    }

    /// There will be no answer: the client has ended.
    fn unanswered(mut self) -> PublishError {
        // It may not have ended yet, but be about to.
        let cause = self.client.disconnected().unwrap_or_else(DisconnectCause::requested);
        if self.admitted().is_some() {
            return PublishError::Disconnected { topic: self.topic, cause };
        }
        self.client.metrics().message(MessageFate::Dropped, self.qos);
        PublishError::NotTaken { topic: self.topic, cause }
    }

    /// Its time is up.
    fn late(mut self, after: Duration) -> PublishError {
        self.client.metrics().timed_out(self.qos);
        let admitted = self.admitted();
        let (queued, position) = (admitted.is_some(), admitted.flatten());
        PublishError::Timeout { topic: self.topic, qos: self.qos, after, queued, position }
    }
}

/// A message that was handed over: await it for what the server says, however long that takes. Dropped, it changes
/// nothing, and a failure is told by [`Client::undelivered`].
///
/// ```no_run
/// use gridmq_client::{Client, QoS};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let ticket = client.publish("readings", "21.5").qos(QoS::AtLeastOnce).enqueue().await?;
/// println!("the message is number {:?} of the session", ticket.position());
/// ticket.await?;
/// println!("the server has it");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the outcome is told to whoever awaits it"]
pub struct Ticket {
    client: Client,
    topic: TopicName,
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
        let over = || PublishError::Disconnected { topic: self.topic.clone(), cause: self.client.cause() };
        Poll::Ready(answer.unwrap_or_else(|_| Err(over())))
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
    match encoded_len(&Packet::Publish(publish), version) {
        Ok(_) => Ok(()),
        Err(error) => Err(PublishError::Packet { topic: message.topic.clone(), error }),
    }
}

/// Whole seconds, rounded up, `u32::MAX` at most.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() != 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
