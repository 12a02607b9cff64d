//! How messages on their way to the peer end.

use bytestring::ByteString;

use super::Position;
use crate::packet::{Ack, AckProperties};
use crate::session::client::RequestError;
use crate::{QoS, ReasonCode, SharedMessage};

/// A delivery that is done with: what the owner may want to know.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) position: Position,
    pub(crate) qos: QoS,
    pub(crate) end: Settled,
}

/// What a peer says beside a reason is kept until PUBCOMP, in bytes: it could send a lot for each message.
const MAX_KEPT: usize = 1024;

/// What a PUBREC said: success, or that nobody has subscribed.
#[derive(Debug, Clone)]
pub(super) struct Received {
    reason: ReasonCode,
    properties: Option<Box<AckProperties>>,
}

impl Default for Received {
    fn default() -> Self {
        Self { reason: ReasonCode::Success, properties: None }
    }
}

impl Received {
    pub(super) fn new(ack: Ack) -> Self {
        Self { reason: ack.reason, properties: ack.properties.and_then(|properties| kept(&properties)) }
    }
}

impl From<Received> for Settled {
    fn from(Received { reason, properties }: Received) -> Self {
        Self::Taken { reason, properties }
    }
}

/// A copy, which does not hold the block of memory that the packet came in; absent: it is too much.
fn kept(AckProperties { reason_string, user_properties }: &AckProperties) -> Option<Box<AckProperties>> {
    let texts = user_properties.iter().flat_map(|(name, value)| [name, value]).chain(reason_string);
    if texts.map(|text| text.len()).sum::<usize>() > MAX_KEPT || user_properties.len() > MAX_KEPT / 16 {
        return None;
    }
    let copy = |text: &ByteString| ByteString::from(&**text);
    Some(Box::new(AckProperties {
        reason_string: reason_string.as_ref().map(copy),
        user_properties: user_properties.iter().map(|(name, value)| (copy(name), copy(value))).collect(),
    }))
}

/// How a message ends, and who decided that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an owner must handle every one")]
pub enum Settled {
    /// The peer has it.
    Taken {
        /// What its PUBACK says, or its PUBREC; `Success` too for a message of QoS 0 that is on its way.
        reason: ReasonCode,
        /// What it says beside that. Of a PUBREC, no more than is kept until PUBCOMP: 1 KiB, or nothing.
        properties: Option<Box<AckProperties>>,
    },
    /// The peer refused it.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// What it says beside that.
        properties: Option<Box<AckProperties>>,
        /// What it refused.
        message: SharedMessage,
    },
    /// This side gave it up, and sends it no more.
    Unsent {
        /// Why.
        why: Unsent,
        /// Whether it was sent on an earlier connection, so that the peer may have it all the same.
        maybe_sent: bool,
        /// What was given up.
        message: SharedMessage,
    },
}

/// Why this side gave a message up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsent {
    /// It expired before it could be sent.
    Expired,
    /// It gave way to another.
    Evicted,
    /// The peer does not take such a message.
    Limit(RequestError),
}

impl Settled {
    /// With success.
    pub(crate) const TAKEN: Self = Self::Taken { reason: ReasonCode::Success, properties: None };

    /// As a reason code. Of what was given up: `QosNotSupported`, `RetainNotSupported` or `PacketTooLarge` where that
    /// is why, `QuotaExceeded` where it gave way, and otherwise `ImplementationSpecificError`, as the standard has no
    /// code for that.
    #[must_use]
    pub const fn reason(&self) -> ReasonCode {
        match self {
            Self::Taken { reason, .. } | Self::Refused { reason, .. } => *reason,
            Self::Unsent { why, .. } => match why {
                Unsent::Limit(RequestError::QosNotSupported { .. }) => ReasonCode::QosNotSupported,
                Unsent::Limit(RequestError::RetainNotSupported) => ReasonCode::RetainNotSupported,
                Unsent::Limit(RequestError::PacketTooLarge { .. }) => ReasonCode::PacketTooLarge,
                Unsent::Evicted => ReasonCode::QuotaExceeded,
                Unsent::Expired | Unsent::Limit(_) => ReasonCode::ImplementationSpecificError,
            },
        }
    }
}
