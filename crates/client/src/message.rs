//! A message that arrived.

use bytes::Bytes;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::session::Verdict;
use gridmq_proto::session::client::Incoming;
use gridmq_proto::{ByteString, MessageProperties, QoS, ReasonCode, TopicName};

use crate::error::RejectError;
use crate::receipt::Receipt;

/// A message that arrived.
///
/// From a stream with manual acknowledgement, one of QoS 1 or 2 is acknowledged by [`ack`](Self::ack) or
/// [`reject`](Self::reject). Dropped without either it stays unacknowledged: the server sends it again when the
/// session is resumed, and until then the acknowledgements of later messages wait behind it.
#[derive(Debug)]
pub struct Message {
    content: gridmq_proto::Message,
    qos: QoS,
    retain: bool,
    dup: bool,
    identifiers: Vec<SubscriptionId>,
    receipt: Option<Receipt>,
}

impl Message {
    pub(crate) fn new(incoming: Incoming, receipt: Option<Receipt>) -> Self {
        let Incoming { message, qos, retain, dup, subscription_identifiers, .. } = incoming;
        Self { content: message, qos, retain, dup, identifiers: subscription_identifiers.to_vec(), receipt }
    }

    /// The same message for one more stream.
    pub(crate) fn share(&self) -> Self {
        Self {
            content: self.content.clone(),
            identifiers: self.identifiers.clone(),
            receipt: self.receipt.as_ref().map(Receipt::share),
            ..*self
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

    /// Acknowledges it with a failure, so that the server does not send it again. MQTT 3.1.1 has no such
    /// acknowledgement: there it says no more than [`ack`](Self::ack). Some servers, Event Grid among them, close the
    /// connection.
    ///
    /// # Errors
    /// If `reason` is not a failure that PUBACK and PUBREC have; the acknowledgement is then still due.
    pub fn reject(&mut self, reason: ReasonCode, words: Option<&str>) -> Result<(), RejectError> {
        use gridmq_proto::packet::PacketType::PubAck;
        if !reason.is_failure() || !reason.valid_in(PubAck) {
            return Err(RejectError { reason });
        }
        if let Some(receipt) = self.receipt.take() {
            receipt.reject(Verdict { reason, words: words.map(ByteString::from) });
        }
        Ok(())
    }

    /// The parts that a publisher can take up again: topic, payload and properties.
    #[must_use]
    pub fn content(&self) -> &gridmq_proto::Message {
        &self.content
    }
}
