//! PUBACK, PUBREC, PUBREL, PUBCOMP (MQTT 5.0 §3.4–3.7), SUBACK and UNSUBACK (§3.9, §3.11).

use bytestring::ByteString;

use super::UserProperties;
use crate::{PacketId, ReasonCode};

/// An acknowledgement of one packet; PUBREL has the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Ack {
    /// The packet it is about.
    pub packet_id: PacketId,
    /// What became of it, MQTT 5.0 only (`Success` on 3.1.1).
    pub reason: ReasonCode,
    /// MQTT 5.0 only.
    pub properties: Option<Box<AckProperties>>,
}

impl Ack {
    /// An acknowledgement without properties.
    #[must_use]
    pub const fn new(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { packet_id, reason, properties: None }
    }
}

/// The properties of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct AckProperties {
    /// Words for people.
    pub reason_string: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
}

/// The server's answer to SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct SubAck {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// MQTT 5.0 only.
    pub properties: AckProperties,
    /// One per filter, in the order of the SUBSCRIBE [MQTT-3.9.3-1]. On 3.1.1 every failure is sent as 0x80.
    pub reasons: Vec<ReasonCode>,
}

/// The server's answer to UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct UnsubAck {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// MQTT 5.0 only.
    pub properties: AckProperties,
    /// One per filter, in order [MQTT-3.11.3-1]; empty on 3.1.1, which has none.
    pub reasons: Vec<ReasonCode>,
}
