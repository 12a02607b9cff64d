//! PUBLISH (MQTT 5.0 §3.3).

use std::num::NonZeroU16;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::message::SubscriptionId;
use crate::{MessageProperties, PacketId, QoS, TopicName};

/// A message on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Publish {
    /// Sent before.
    pub dup: bool,
    /// Its QoS.
    pub qos: QoS,
    /// Retained, or to be retained.
    pub retain: bool,
    /// Present exactly when the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// The topic; absent (zero length on the wire) only where an alias stands for it.
    pub topic: Option<TopicName>,
    /// A topic alias of this connection and direction, MQTT 5.0 only.
    pub topic_alias: Option<NonZeroU16>,
    /// Identifiers of the subscriptions that matched; server to client only.
    pub subscription_identifiers: SmallVec<[SubscriptionId; 2]>,
    /// The payload.
    pub payload: Bytes,
    /// The properties that travel on.
    pub properties: Option<Box<MessageProperties>>,
}
