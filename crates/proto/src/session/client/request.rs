//! What a client may ask of its server, checked before a byte is sent.

use std::time::Duration;

use crate::codec::encoded_len;
use crate::message::SharedMessage;
use crate::packet::{ConnAck, Connect, SubscribeFilter};
use crate::session::outbound::Delivery;
use crate::time::Wall;
use crate::{Message, Packet, QoS, SubscriptionFilter, Version};

/// A message to publish.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// Its QoS.
    pub qos: QoS,
    /// Whether the server should retain it.
    pub retain: bool,
}

impl Outgoing {
    pub(super) fn into_delivery(self, wall: Wall) -> Delivery {
        let expiry = self.message.properties().message_expiry_interval;
        Delivery {
            retain: self.retain,
            expires_at: expiry.map(|seconds| wall.after(Duration::from_secs(u64::from(seconds)))),
            ..Delivery::new(SharedMessage::new(self.message), self.qos)
        }
    }
}

/// What a server announced in CONNACK, the standard's defaults where it was silent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Unacknowledged QoS > 0 PUBLISH at once.
    pub receive_maximum: u16,
    /// Highest QoS.
    pub maximum_qos: QoS,
    /// Whether messages are retained.
    pub retain_available: bool,
    /// Largest packet in bytes; absent: no limit.
    pub maximum_packet_size: Option<u32>,
    /// Topic aliases that may be set.
    pub topic_alias_maximum: u16,
    /// Whether subscriptions may have wildcards.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers.
    pub subscription_identifiers_available: bool,
    /// Whether shared subscriptions work.
    pub shared_subscription_available: bool,
    /// The keep-alive in force, in seconds; 0: none.
    pub keep_alive: u16,
    /// The session expiry in force, in seconds.
    pub session_expiry_interval: u32,
}

impl ServerLimits {
    pub(super) fn new(ack: &ConnAck, connect: &Connect) -> Self {
        let said = &ack.properties;
        let asked_expiry = match connect.version {
            Version::V5 => connect.properties.session_expiry_interval.unwrap_or(0),
            Version::V3_1 | Version::V3_1_1 if connect.clean_start => 0,
            Version::V3_1 | Version::V3_1_1 => u32::MAX,
        };
        Self {
            receive_maximum: said.receive_maximum.map_or(u16::MAX, u16::from),
            maximum_qos: said.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: said.retain_available.unwrap_or(true),
            maximum_packet_size: said.maximum_packet_size.map(u32::from),
            topic_alias_maximum: said.topic_alias_maximum.unwrap_or(0),
            wildcard_subscription_available: said.wildcard_subscription_available.unwrap_or(true),
            subscription_identifiers_available: said.subscription_identifiers_available.unwrap_or(true),
            shared_subscription_available: said.shared_subscription_available.unwrap_or(true),
            keep_alive: said.server_keep_alive.unwrap_or(connect.keep_alive),
            session_expiry_interval: said.session_expiry_interval.unwrap_or(asked_expiry),
        }
    }

    pub(super) fn check_publish(&self, outgoing: &Outgoing) -> Result<(), RequestError> {
        if outgoing.qos > self.maximum_qos {
            return Err(RequestError::QosNotSupported { asked: outgoing.qos, maximum: self.maximum_qos });
        }
        if outgoing.retain && !self.retain_available {
            return Err(RequestError::RetainNotSupported);
        }
        Ok(())
    }

    /// Whether the server takes a packet of that size.
    pub(super) fn check_size(&self, packet: &Packet, version: Version) -> Result<(), RequestError> {
        let Some(maximum) = self.maximum_packet_size else { return Ok(()) };
        match encoded_len(packet, version) {
            Ok(size) if size > maximum as usize => Err(RequestError::PacketTooLarge { size, maximum }),
            // What cannot be written at all is told where it is encoded.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(super) fn check_subscribe(
        &self,
        filters: &[SubscribeFilter],
        has_identifier: bool,
    ) -> Result<(), RequestError> {
        if filters.is_empty() {
            return Err(RequestError::NoFilters);
        }
        if has_identifier && !self.subscription_identifiers_available {
            return Err(RequestError::SubscriptionIdentifiersNotSupported);
        }
        for SubscribeFilter { filter, .. } in filters {
            if matches!(filter, SubscriptionFilter::Shared(_)) && !self.shared_subscription_available {
                return Err(RequestError::SharedSubscriptionsNotSupported(filter.clone()));
            }
            if filter.filter().has_wildcard() && !self.wildcard_subscription_available {
                return Err(RequestError::WildcardsNotSupported(filter.clone()));
            }
        }
        Ok(())
    }
}

/// Why a request was not sent. The caller's to mend, except for the first three.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no connection.
    #[error("not connected: connect first, or publish at QoS 1 or 2 to have the message wait")]
    NotConnected,
    /// Too much waits already.
    #[error(
        "the queue is full at {messages} messages or {bytes} bytes: wait for acknowledgements, or raise its limits"
    )]
    QueueFull {
        /// The limit in messages.
        messages: usize,
        /// The limit in bytes.
        bytes: usize,
    },
    /// The message's expiry was over before it was taken.
    #[error("the message expired before it could be taken: publish it earlier, or let it live longer")]
    Expired,
    /// 65,535 requests are unanswered.
    #[error("all 65,535 packet identifiers are in use: wait for answers")]
    NoPacketIdentifier,
    /// The server announced a lower Maximum QoS.
    #[error("the server takes QoS {} at most, not {}: publish at the lower QoS", *maximum as u8, *asked as u8)]
    QosNotSupported {
        /// What was asked.
        asked: QoS,
        /// What the server takes.
        maximum: QoS,
    },
    /// The server announced Retain Available 0.
    #[error("the server keeps no retained messages: publish without RETAIN")]
    RetainNotSupported,
    /// The server announced a Maximum Packet Size.
    #[error("the packet has {size} bytes, and the server takes {maximum} at most: send less in one packet")]
    PacketTooLarge {
        /// Of the packet.
        size: usize,
        /// What the server takes.
        maximum: u32,
    },
    /// SUBSCRIBE and UNSUBSCRIBE need at least one filter [MQTT-3.8.3-2].
    #[error("no filter was given: a request needs at least one")]
    NoFilters,
    /// The server announced Subscription Identifiers Available 0.
    #[error("the server takes no subscription identifiers: subscribe without one")]
    SubscriptionIdentifiersNotSupported,
    /// The server announced Shared Subscription Available 0.
    #[error("the server takes no shared subscriptions, such as {0}: subscribe to the filter without $share")]
    SharedSubscriptionsNotSupported(SubscriptionFilter),
    /// The server announced Wildcard Subscription Available 0.
    #[error("the server takes no wildcards in subscriptions, such as {0}: subscribe to whole topics")]
    WildcardsNotSupported(SubscriptionFilter),
}
