//! A message on its way to the peer, and what the peer takes.

use std::num::NonZeroU16;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::message::SubscriptionId;
use crate::session::client::RequestError;
use crate::time::Wall;
use crate::{OutgoingPublish, PacketId, QoS, SharedMessage, Version};

/// The place of a message in its session's order, never used twice.
pub type Position = u64;

/// One message on its way to the peer.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Delivery {
    /// What to send.
    pub message: SharedMessage,
    /// The QoS to send it at.
    pub qos: QoS,
    /// The RETAIN flag to send.
    pub retain: bool,
    /// Identifiers of the subscriptions that matched.
    pub subscription_identifiers: SmallVec<[SubscriptionId; 2]>,
    /// When the message is no longer worth sending.
    pub expires_at: Option<Wall>,
    /// The shared subscription (its whole filter) through which it came.
    pub share: Option<Arc<str>>,
}

impl Delivery {
    /// A delivery without flags.
    #[must_use]
    pub fn new(message: SharedMessage, qos: QoS) -> Self {
        Self { message, qos, retain: false, subscription_identifiers: SmallVec::new(), expires_at: None, share: None }
    }

    pub(crate) fn expired(&self, wall: Wall) -> bool {
        self.expires_at.is_some_and(|at| at <= wall)
    }
}

/// How much may wait behind the receive window or for the peer to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct QueueLimits {
    /// Messages that wait.
    pub messages: usize,
    /// Bytes that they hold, topic, payload and properties counted.
    pub bytes: usize,
}

impl Default for QueueLimits {
    /// 1,000 messages, 16 MiB.
    fn default() -> Self {
        Self { messages: 1000, bytes: 16 << 20 }
    }
}

/// What became of a delivery at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[allow(clippy::exhaustive_enums, reason = "callers must handle every one")]
pub enum Admitted {
    /// On its way; QoS 0 has no position.
    Sent(Option<Position>),
    /// It waits for the window or for the peer.
    Queued(Position),
    /// QoS 0 without a connection: nobody gets it.
    Dropped,
    /// The queue is full and the message was not taken.
    Full,
}

/// What a PUBLISH that has no property but a message expiry interval adds to topic and payload at most, in bytes: the
/// fixed header, the lengths of topic and properties, the packet identifier, and that interval.
const PLAIN_BYTES: usize = 5 + 2 + 1 + 2 + 5;

/// What the peer's connection allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) version: Version,
    /// Its Receive Maximum, or less.
    pub(crate) window: u16,
    pub(crate) maximum_packet_size: Option<u32>,
    pub(crate) maximum_qos: QoS,
    pub(crate) retain_available: bool,
}

impl Peer {
    /// Why it may not be sent this message, if so: what it said in CONNECT or CONNACK [MQTT-3.1.2-24],
    /// [MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15].
    pub(super) fn refuses(self, delivery: &Delivery) -> Option<RequestError> {
        if delivery.qos > self.maximum_qos {
            return Some(RequestError::QosNotSupported { asked: delivery.qos, maximum: self.maximum_qos });
        }
        if delivery.retain && !self.retain_available {
            return Some(RequestError::RetainNotSupported);
        }
        let maximum = self.maximum_packet_size?;
        let is_plain = delivery.message.message().properties.is_none() && delivery.subscription_identifiers.is_empty();
        if is_plain && delivery.message.weight() <= (maximum as usize).saturating_sub(PLAIN_BYTES) {
            return None;
        }
        let id = NonZeroU16::new(1).filter(|_| delivery.qos != QoS::AtMostOnce);
        let size = outgoing(delivery, id, false, delivery.expires_at.map(|_| 1)).encoded_len(self.version);
        (size > maximum as usize).then_some(RequestError::PacketTooLarge { size, maximum })
    }
}

pub(super) fn outgoing(delivery: &Delivery, id: Option<PacketId>, dup: bool, expiry: Option<u32>) -> OutgoingPublish {
    OutgoingPublish {
        message: delivery.message.clone(),
        qos: delivery.qos,
        dup,
        retain: delivery.retain,
        packet_id: id,
        topic_alias: None,
        subscription_identifiers: delivery.subscription_identifiers.clone(),
        message_expiry_interval: expiry,
    }
}
