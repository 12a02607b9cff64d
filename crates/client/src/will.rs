//! The will: what the server publishes when the connection is lost.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::packet::Will as WillPacket;
use gridmq_proto::topic::TopicError;
use gridmq_proto::{ByteString, Message, MessageProperties, QoS, TopicName};

use crate::publish::whole_seconds;
use crate::shown::{Length, Names};

/// What the server publishes when the connection is lost without DISCONNECT (MQTT 5.0 §3.1.2.5).
///
/// ```
/// use std::time::Duration;
///
/// use gridmq_client::{QoS, Will};
///
/// let will = Will::new("vehicles/vehicle03/status", r#"{"online":false}"#)
///     .qos(QoS::AtLeastOnce)
///     .retain(true)
///     .delay(Duration::from_secs(30))
///     .content_type("application/json");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Will {
    topic: Result<TopicName, TopicError>,
    payload: Bytes,
    qos: QoS,
    retain: bool,
    delay: Duration,
    properties: MessageProperties,
}

impl fmt::Debug for Will {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Will");
        shown.field("topic", &self.topic).field("payload", &Length(self.payload.len())).field("qos", &self.qos);
        shown.field("retain", &self.retain).field("delay", &self.delay);
        shown.field("properties", &Names(&self.properties)).finish()
    }
}

impl Will {
    /// A will at QoS 0. A topic that is none is an error of the connect.
    pub fn new(topic: &str, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: TopicName::try_from(topic),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            delay: Duration::ZERO,
            properties: MessageProperties::default(),
        }
    }

    /// Publishes it at this QoS.
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Has it retained.
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Waits this long for the client to come back, in whole seconds (MQTT 5.0 only). The end of the session ends the
    /// waiting too.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets all its properties (MQTT 5.0 only).
    pub fn properties(mut self, properties: MessageProperties) -> Self {
        self.properties = properties;
        self
    }

    /// Whether the payload is UTF-8 text (MQTT 5.0 §3.1.3.2.3, MQTT 5.0 only). `false` says as much as not calling it.
    #[doc(alias("WithWillPayloadFormatIndicator", "utf8", "text"))]
    pub const fn payload_format_indicator(mut self, utf8: bool) -> Self {
        self.properties.payload_format_indicator = Some(utf8);
        self
    }

    /// How long the published will is worth delivering, in whole seconds, rounded up, at least 1 (MQTT 5.0 only).
    pub fn message_expiry(mut self, expiry: Duration) -> Self {
        self.properties.message_expiry_interval = Some(whole_seconds(expiry).max(1));
        self
    }

    /// The MIME type of the payload (MQTT 5.0 only).
    pub fn content_type(mut self, content_type: impl Into<ByteString>) -> Self {
        self.properties.content_type = Some(content_type.into());
        self
    }

    /// Where a response should go (MQTT 5.0 only). A topic that is none is an error of the connect.
    pub fn response_topic(mut self, topic: &str) -> Self {
        match TopicName::try_from(topic) {
            Ok(topic) => self.properties.response_topic = Some(topic),
            Err(error) => self.topic = self.topic.and(Err(error)),
        }
        self
    }

    /// What a response is told by (MQTT 5.0 only).
    pub fn correlation_data(mut self, data: impl Into<Bytes>) -> Self {
        self.properties.correlation_data = Some(data.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.properties.user_properties.push((name.into(), value.into()));
        self
    }

    /// The first thing that is set and that only MQTT 5.0 has.
    pub(crate) fn only_v5(&self) -> Option<&'static str> {
        let properties = &self.properties;
        [
            ("will.delay", !self.delay.is_zero()),
            ("will.payload_format_indicator", properties.payload_format_indicator.is_some()),
            ("will.message_expiry", properties.message_expiry_interval.is_some()),
            ("will.content_type", properties.content_type.is_some()),
            ("will.response_topic", properties.response_topic.is_some()),
            ("will.correlation_data", properties.correlation_data.is_some()),
            ("will.user_property", !properties.user_properties.is_empty()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }

    pub(crate) fn into_packet(self) -> Result<WillPacket, TopicError> {
        let mut message = Message::new(self.topic?, self.payload);
        if !self.properties.is_empty() {
            message.properties = Some(Box::new(self.properties));
        }
        Ok(WillPacket { message, qos: self.qos, retain: self.retain, delay_interval: whole_seconds(self.delay) })
    }
}
