//! A message that arrived.

use std::fmt;

use bytes::Bytes;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::AckProperties;
use gridmq_proto::session::client::Incoming;
use gridmq_proto::{MessageProperties, QoS, ReasonCode, TopicName};

use crate::client::Client;
use crate::error::RejectError;
use crate::publish::PublishRequest;
use crate::receipt::{OnDrop, Receipt};
use crate::shown::{Length, Names};
use crate::subscription::Rejection;

/// A message that arrived.
///
/// From a stream with manual acknowledgement, one of QoS 1 or 2 is acknowledged by [`ack`](Self::ack) or
/// [`reject`](Self::reject), or by the token of [`take_ack`](Self::take_ack). Dropped without either it stays
/// unacknowledged, unless the stream has another [`OnDrop`]: the server sends it again when the session is resumed, and
/// until then the acknowledgements of later messages wait behind it.
///
/// ```no_run
/// use gridmq_client::Message;
///
/// fn show(message: &Message) {
///     println!("{} at {:?}: {} bytes", message.topic(), message.qos(), message.payload().len());
///     if let Some(kind) = &message.properties().content_type {
///         println!("as {kind}");
///     }
/// }
/// ```
#[doc(alias("MqttApplicationMessage", "MqttApplicationMessageReceivedEventArgs"))]
pub struct Message {
    content: gridmq_proto::Message,
    qos: QoS,
    retain: bool,
    dup: bool,
    identifiers: Vec<SubscriptionId>,
    receipt: Option<Receipt>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("topic", self.topic()).field("payload", &Length(self.payload().len()));
        shown.field("qos", &self.qos).field("retain", &self.retain).field("dup", &self.dup);
        shown.field("properties", &self.content.properties.as_deref().map(Names));
        shown.field("subscription_identifiers", &self.identifiers).field("awaits_ack", &self.awaits_ack()).finish()
    }
}

impl Message {
    pub(crate) fn new(incoming: Incoming, receipt: Option<Receipt>) -> Self {
        let Incoming { message, qos, retain, dup, subscription_identifiers, .. } = incoming;
        Self { content: message, qos, retain, dup, identifiers: subscription_identifiers.to_vec(), receipt }
    }

    /// The same message for one more stream.
    pub(crate) fn share(&mut self) -> Self {
        Self {
            content: self.content.clone(),
            identifiers: self.identifiers.clone(),
            receipt: self.receipt.as_mut().map(Receipt::share),
            ..*self
        }
    }

    /// The same message without its acknowledgement.
    pub(crate) fn copy(&self) -> Self {
        Self { content: self.content.clone(), identifiers: self.identifiers.clone(), receipt: None, ..*self }
    }

    pub(crate) fn take_receipt(&mut self) -> Option<Receipt> {
        self.receipt.take()
    }

    pub(crate) const fn on_drop(&mut self, on_drop: OnDrop) {
        if let Some(receipt) = &mut self.receipt {
            receipt.on_drop(on_drop);
        }
    }

    /// Where it was published.
    #[must_use]
    pub const fn topic(&self) -> &TopicName {
        &self.content.topic
    }

    /// What was published. A clone does not copy the bytes.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.content.payload
    }

    /// The payload as text, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.content.payload).ok()
    }

    /// The QoS that it came with.
    #[must_use]
    pub const fn qos(&self) -> QoS {
        self.qos
    }

    /// Whether it comes from the server's store of retained messages (or was published with RETAIN, where the
    /// subscription asked for that).
    #[must_use]
    pub const fn retain(&self) -> bool {
        self.retain
    }

    /// Whether the server marked it as sent before.
    #[must_use]
    pub const fn dup(&self) -> bool {
        self.dup
    }

    /// Its MQTT 5.0 properties, all absent on 3.1.1.
    #[must_use]
    pub fn properties(&self) -> &MessageProperties {
        self.content.properties()
    }

    /// The identifiers of the subscriptions that matched, where these have any.
    #[must_use]
    pub fn subscription_identifiers(&self) -> &[SubscriptionId] {
        &self.identifiers
    }

    /// Whether [`ack`](Self::ack) or [`reject`](Self::reject) is due.
    #[must_use]
    pub const fn awaits_ack(&self) -> bool {
        self.receipt.is_some()
    }

    /// Acknowledges it. Sent in the order of receipt, and once every subscription that got it has done so. Changes
    /// nothing if no acknowledgement is due.
    pub fn ack(&mut self) {
        if let Some(receipt) = self.receipt.take() {
            receipt.accept();
        }
    }

    /// As [`ack`](Self::ack), with a reason string or user properties in the PUBACK or PUBREC (MQTT 5.0 only). Of several
    /// subscriptions that got the message, the first that says something is heard.
    ///
    /// # Errors
    /// On MQTT 3.1.1, and if the service that the options are made for takes no user properties there, as Event Grid;
    /// the acknowledgement is then still due.
    #[doc(alias("ResponseUserProperties", "ResponseReasonString"))]
    pub fn ack_with(&mut self, properties: AckProperties) -> Result<(), RejectError> {
        Receipt::accept_with(&mut self.receipt, properties)
    }

    /// Acknowledges it with a failure, so that the server does not send it again. MQTT 3.1.1 has no such
    /// acknowledgement: there it says no more than [`ack`](Self::ack), and the reason string is left out. Some servers,
    /// Event Grid among them, close the connection.
    ///
    /// # Errors
    /// If `reason` is not a failure that PUBACK and PUBREC have, or the service that the options are made for takes
    /// none, as Event Grid; the acknowledgement is then still due.
    #[doc(alias("ProcessingFailed", "ResponseReasonCode"))]
    pub fn reject(&mut self, reason: ReasonCode, reason_string: Option<&str>) -> Result<(), RejectError> {
        reject(&mut self.receipt, reason, reason_string)
    }

    /// As [`reject`](Self::reject), with all that a PUBACK or PUBREC can say.
    ///
    /// # Errors
    /// As `reject`; and on MQTT 3.1.1 if the rejection has a reason string or user properties, or if the service that
    /// the options are made for takes no user properties there.
    pub fn reject_with(&mut self, rejection: Rejection) -> Result<(), RejectError> {
        Receipt::reject(&mut self.receipt, rejection.reason, rejection.into_properties())
    }

    /// Takes the acknowledgement off the message, to give it elsewhere: when a database has the row, for example, or
    /// when a program behind a queue is done. `None` if none is due, or it was taken.
    pub fn take_ack(&mut self) -> Option<AckToken> {
        self.receipt.take().map(|receipt| AckToken(Some(receipt)))
    }

    /// A message that answers this one: it goes to the response topic and carries the correlation data. `None` if the
    /// message names no response topic, as on MQTT 3.1.1.
    pub fn response(&self, client: &Client, payload: impl Into<Bytes>) -> Option<PublishRequest> {
        let properties = self.properties();
        let request = client.publish(properties.response_topic.clone()?, payload);
        Some(match &properties.correlation_data {
            Some(data) => request.correlation_data(data.clone()),
            None => request,
        })
    }

    /// The parts that a publisher can take up again: topic, payload and properties.
    #[must_use]
    pub fn content(&self) -> &gridmq_proto::Message {
        &self.content
    }
}

/// The acknowledgement that a message of QoS 1 or 2 is owed: see [`Message::take_ack`].
///
/// After the connection has come back it still counts for QoS 2; a message of QoS 1 comes again, with an acknowledgement
/// of its own. Dropped without a judgement it does what [`OnDrop`] says.
///
/// ```no_run
/// use gridmq_client::{Client, QoS};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut orders = client.subscribe("orders/#", QoS::AtLeastOnce).manual_ack().await?;
/// while let Some(mut order) = orders.next().await {
///     // The message goes one way, its acknowledgement another.
///     if let Some(token) = order.take_ack() {
///         tokio::spawn(async move {
///             println!("stored: {:?}", order.text());
///             token.ack();
///         });
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a message whose token is dropped may stay unacknowledged"]
pub struct AckToken(Option<Receipt>);

impl AckToken {
    /// Acknowledges the message: see [`Message::ack`].
    pub fn ack(self) {
        if let Some(receipt) = self.0 {
            receipt.accept();
        }
    }

    /// Acknowledges the message with a failure: see [`Message::reject`].
    ///
    /// # Errors
    /// As [`Message::reject`]; the token is then as good as before.
    pub fn reject(&mut self, reason: ReasonCode, reason_string: Option<&str>) -> Result<(), RejectError> {
        reject(&mut self.0, reason, reason_string)
    }

    /// Acknowledges the message, with a reason string or user properties: see [`Message::ack_with`].
    ///
    /// # Errors
    /// As [`Message::ack_with`]; the token is then as good as before.
    pub fn ack_with(&mut self, properties: AckProperties) -> Result<(), RejectError> {
        Receipt::accept_with(&mut self.0, properties)
    }

    /// Acknowledges the message with a failure, and all that can be said of it: see [`Message::reject_with`].
    ///
    /// # Errors
    /// As [`Message::reject_with`]; the token is then as good as before.
    pub fn reject_with(&mut self, rejection: Rejection) -> Result<(), RejectError> {
        Receipt::reject(&mut self.0, rejection.reason, rejection.into_properties())
    }

    /// Whether a failure can be told apart from success: not before MQTT 5.0.
    pub(crate) fn explains(&self) -> bool {
        self.0.as_ref().is_none_or(Receipt::explains)
    }
}

fn reject(receipt: &mut Option<Receipt>, reason: ReasonCode, reason_string: Option<&str>) -> Result<(), RejectError> {
    let explains = receipt.as_ref().is_none_or(Receipt::explains);
    let reason_string = reason_string.filter(|_| explains).map(Into::into);
    Receipt::reject(receipt, reason, AckProperties { reason_string, ..AckProperties::default() })
}
