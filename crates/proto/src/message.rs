//! Application messages: what a publisher hands over and subscribers get, apart from any connection.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use smallvec::SmallVec;

use crate::codec::publish::Frame;
use crate::packet::{Publish, UserProperties};
use crate::{EncodeError, PacketId, QoS, TopicName};

/// The properties of a message that travel with it to every subscriber (MQTT 5.0 §3.3.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "the standard's list; callers build it field by field")]
pub struct MessageProperties {
    /// `true`: the payload is UTF-8 text. `None` and `Some(false)` both mean unspecified bytes.
    pub payload_format_indicator: Option<bool>,
    /// Seconds that the message may live.
    pub message_expiry_interval: Option<u32>,
    /// The MIME type of the payload.
    pub content_type: Option<ByteString>,
    /// The topic for a response.
    pub response_topic: Option<TopicName>,
    /// What ties a response to its request.
    pub correlation_data: Option<Bytes>,
    /// Name and value pairs, in order.
    pub user_properties: UserProperties,
}

/// Properties that are all absent.
static NO_PROPERTIES: MessageProperties = MessageProperties {
    payload_format_indicator: None,
    message_expiry_interval: None,
    content_type: None,
    response_topic: None,
    correlation_data: None,
    user_properties: Vec::new(),
};

impl MessageProperties {
    /// Properties that are all absent.
    #[must_use]
    pub const fn absent() -> &'static Self {
        &NO_PROPERTIES
    }

    /// Whether all are absent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == NO_PROPERTIES
    }

    /// The name of the first that is set, for errors.
    pub(crate) fn first_set(&self) -> Option<&'static str> {
        [
            ("the payload format indicator", self.payload_format_indicator.is_some()),
            ("the message expiry interval", self.message_expiry_interval.is_some()),
            ("the content type", self.content_type.is_some()),
            ("the response topic", self.response_topic.is_some()),
            ("the correlation data", self.correlation_data.is_some()),
            ("a user property", !self.user_properties.is_empty()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }

    /// Bytes of its strings and data.
    fn weight(&self) -> usize {
        let strings = [&self.content_type].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        let topic = self.response_topic.as_ref().map_or(0, |topic| topic.as_str().len());
        let data = self.correlation_data.as_ref().map_or(0, Bytes::len);
        let user = self.user_properties.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        strings + topic + data + user
    }
}

/// One application message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published.
    pub payload: Bytes,
    /// Its properties, if it has any.
    pub properties: Option<Box<MessageProperties>>,
}

impl Message {
    /// A message without properties.
    #[must_use]
    pub const fn new(topic: TopicName, payload: Bytes) -> Self {
        Self { topic, payload, properties: None }
    }

    /// The properties, all absent where the message has none.
    #[must_use]
    pub fn properties(&self) -> &MessageProperties {
        self.properties.as_deref().unwrap_or(&NO_PROPERTIES)
    }

    /// The properties, to set some.
    pub fn properties_mut(&mut self) -> &mut MessageProperties {
        self.properties.get_or_insert_default()
    }

    /// Bytes of topic, payload and properties, without the structures around them; for quotas.
    #[must_use]
    pub fn weight(&self) -> usize {
        let properties = self.properties.as_ref().map_or(0, |properties| properties.weight());
        self.topic.as_str().len() + self.payload.len() + properties
    }

    /// The same message in memory of its own, in one piece of [`Self::weight`] bytes. What was decoded keeps the
    /// whole read buffer alive; detach what is kept for long.
    #[must_use]
    pub fn detached(&self) -> Self {
        let mut copies = Copies(BytesMut::with_capacity(self.weight()));
        let properties = self.properties.as_deref().map(|properties| {
            Box::new(MessageProperties {
                payload_format_indicator: properties.payload_format_indicator,
                message_expiry_interval: properties.message_expiry_interval,
                content_type: properties.content_type.as_ref().map(|text| copies.text(text)),
                response_topic: properties.response_topic.as_ref().map(|topic| copies.topic(topic)),
                correlation_data: properties.correlation_data.as_ref().map(|data| copies.data(data)),
                user_properties: properties
                    .user_properties
                    .iter()
                    .map(|(name, value)| (copies.text(name), copies.text(value)))
                    .collect(),
            })
        });
        Self { topic: copies.topic(&self.topic), payload: copies.data(&self.payload), properties }
    }
}

/// Copies laid one behind the other in one allocation.
struct Copies(BytesMut);

impl Copies {
    fn data(&mut self, data: &[u8]) -> Bytes {
        self.0.extend_from_slice(data);
        self.0.split().freeze()
    }

    fn text(&mut self, text: &ByteString) -> ByteString {
        // The copy of a valid text is valid.
        ByteString::try_from(self.data(text.as_bytes())).unwrap_or_else(|_| text.clone())
    }

    fn topic(&mut self, topic: &TopicName) -> TopicName {
        ByteString::try_from(self.data(topic.as_str().as_bytes()))
            .ok()
            .and_then(|text| TopicName::try_from(text).ok())
            .unwrap_or_else(|| topic.clone())
    }
}

impl Publish {
    /// The message that this PUBLISH carries; `topic` is its own, or what its alias stands for.
    #[must_use]
    pub fn into_message(self, topic: TopicName) -> Message {
        Message { topic, payload: self.payload, properties: self.properties }
    }
}

/// A subscription identifier (MQTT 5.0 §3.8.2.1.2), 1 to 268,435,455.
pub type SubscriptionId = NonZeroU32;

/// A message that many subscribers share; where it has properties, the head of its PUBLISH is made once per QoS class,
/// when it is first sent so.
#[derive(Debug, Clone)]
pub struct SharedMessage(Arc<Shared>);

/// A frame, made when first asked for.
type LazyFrame = OnceLock<Result<Frame, EncodeError>>;

#[derive(Debug)]
struct Shared {
    message: Message,
    weight: usize,
    /// At QoS 0 and above, of MQTT 5.0.
    frames: [LazyFrame; 2],
}

impl PartialEq for SharedMessage {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.message() == other.message()
    }
}

impl Eq for SharedMessage {}

impl SharedMessage {
    /// Shares `message`.
    #[must_use]
    pub fn new(message: Message) -> Self {
        let weight = message.weight();
        Self(Arc::new(Shared { message, weight, frames: Default::default() }))
    }

    /// The message itself.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// Bytes of topic, payload and properties, for quotas. Heads made for sending come on top: up to twice topic and
    /// properties, never the payload.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.weight
    }

    /// How many hold it at this moment.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// The frame of MQTT 5.0 for QoS 0 or QoS above 0.
    pub(crate) fn frame(&self, acknowledged: bool) -> Result<&Frame, EncodeError> {
        let [plain, acknowledged_too] = &self.0.frames;
        let slot = if acknowledged { acknowledged_too } else { plain };
        slot.get_or_init(|| Frame::new(&self.0.message, acknowledged)).as_ref().map_err(Clone::clone)
    }
}

impl From<Message> for SharedMessage {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

/// How a PUBLISH uses a topic alias (MQTT 5.0 §3.3.2.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct TopicAliasUse {
    /// The alias.
    pub alias: NonZeroU16,
    /// Whether the topic goes with it, which sets the alias.
    pub send_topic: bool,
}

/// A shared message on its way to one subscriber.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct OutgoingPublish {
    /// The message.
    pub message: SharedMessage,
    /// At which QoS.
    pub qos: QoS,
    /// Sent before.
    pub dup: bool,
    /// The RETAIN flag.
    pub retain: bool,
    /// Present exactly when the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// Ignored before MQTT 5.0, as the next two.
    pub topic_alias: Option<TopicAliasUse>,
    /// Identifiers of the subscriptions that matched.
    pub subscription_identifiers: SmallVec<[SubscriptionId; 2]>,
    /// Seconds that are left [MQTT-3.3.2-6]; absent: as the message says.
    pub message_expiry_interval: Option<u32>,
}

#[cfg(test)]
mod tests;
