//! The will: what the server publishes when the connection is lost.

use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::packet::Will as WillPacket;
use gridmq_proto::topic::TopicError;
use gridmq_proto::{ByteString, Message, MessageProperties, QoS, TopicName};

use crate::publish::whole_seconds;

/// What the server publishes when the connection is lost without DISCONNECT (MQTT 5.0 §3.1.2.5).
#[derive(Debug, Clone)]
#[must_use]
pub struct Will {
    topic: Result<TopicName, TopicError>,
    payload: Bytes,
    qos: QoS,
    retain: bool,
    delay: Duration,
    properties: MessageProperties,
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

    /// Waits this long for the client to come back, in whole seconds (MQTT 5.0 only).
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets all its properties (MQTT 5.0 only).
    pub fn properties(mut self, properties: MessageProperties) -> Self {
        self.properties = properties;
        self
    }

    /// The MIME type of the payload (MQTT 5.0 only).
    pub fn content_type(mut self, content_type: impl Into<ByteString>) -> Self {
        self.properties.content_type = Some(content_type.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.properties.user_properties.push((name.into(), value.into()));
        self
    }

    pub(crate) fn into_packet(self) -> Result<WillPacket, TopicError> {
        let mut message = Message::new(self.topic?, self.payload);
        if !self.properties.is_empty() {
            message.properties = Some(Box::new(self.properties));
        }
        Ok(WillPacket { message, qos: self.qos, retain: self.retain, delay_interval: whole_seconds(self.delay) })
    }
}
