//! MQTT 3.1, 3.1.1 and 5.0 without I/O and without a clock.
//!
//! Bytes become [`packet::Packet`]s in [`codec`]; [`topic`] holds names, filters and the subscription index;
//! [`session`] holds the client's and the server's machines. Time, wall time and randomness are arguments.
//!
//! # Layout
//! - [`codec`]: decoding at any split, encoding, the [`codec::Decoder`] that enforces limits.
//! - [`packet`]: one struct per packet for both protocol versions.
//! - [`topic`]: validated names and filters, matching, containment, templates, the index.
//! - [`session`]: the machines; each call is one mutation, then outputs are drained.
#![warn(clippy::indexing_slicing)]

pub mod codec;
pub mod error;
pub mod fuzzing;
pub mod message;
pub mod packet;
pub mod reason;
pub mod session;
pub mod time;
pub mod topic;
#[doc(hidden)]
pub mod vectors;

pub use bytestring::ByteString;
pub use error::{EncodeError, SpecViolation};
pub use message::{Message, MessageProperties, OutgoingPublish, SharedMessage};
pub use packet::Packet;
pub use reason::ReasonCode;
pub use topic::{SubscriptionFilter, TopicFilter, TopicName};

use std::num::NonZeroU16;

/// A packet identifier, never zero [MQTT-2.2.1-3].
pub type PacketId = NonZeroU16;

/// The protocol version of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum Version {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    V3_1,
    /// MQTT 3.1.1: protocol name `MQTT`, level 4.
    V3_1_1,
    /// MQTT 5.0: protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// Whether packets carry properties and reason codes.
    #[must_use]
    pub const fn is_v5(self) -> bool {
        matches!(self, Self::V5)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V3_1 => "MQTT 3.1",
            Self::V3_1_1 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5.0",
        })
    }
}

/// The quality of service of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
#[repr(u8)]
pub enum QoS {
    /// Sent once, never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// Acknowledged; may arrive more than once.
    AtLeastOnce = 1,
    /// Acknowledged in two steps; arrives once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The level of that number, if it is 0, 1 or 2.
    #[must_use]
    pub const fn from_u8(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}
