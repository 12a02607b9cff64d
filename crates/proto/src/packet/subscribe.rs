//! SUBSCRIBE (MQTT 5.0 §3.8).

use super::UserProperties;
use crate::message::SubscriptionId;
use crate::{PacketId, QoS, SubscriptionFilter};

/// The client's request for subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Subscribe {
    /// For the SUBACK.
    pub packet_id: PacketId,
    /// For every filter of this packet, MQTT 5.0 only.
    pub subscription_identifier: Option<SubscriptionId>,
    /// MQTT 5.0 only.
    pub user_properties: UserProperties,
    /// At least one [MQTT-3.8.3-2].
    pub filters: Vec<SubscribeFilter>,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct SubscribeFilter {
    /// A plain or a shared filter.
    pub filter: SubscriptionFilter,
    /// How to deliver.
    pub options: SubscribeOptions,
}

/// The options of a subscription (MQTT 5.0 §3.8.3.1); 3.1.1 has only the QoS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "the standard's four options")]
pub struct SubscribeOptions {
    /// Highest QoS at which the server may deliver.
    pub qos: QoS,
    /// Do not send the client its own messages.
    pub no_local: bool,
    /// Keep the RETAIN flag as the publisher set it.
    pub retain_as_published: bool,
    /// Which retained messages to send at once.
    pub retain_handling: RetainHandling,
}

impl SubscribeOptions {
    /// The name of the first that is set besides the QoS, for errors.
    pub(crate) fn first_set(self) -> Option<&'static str> {
        [
            ("No Local", self.no_local),
            ("Retain As Published", self.retain_as_published),
            ("Retain Handling", self.retain_handling != RetainHandling::Send),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }
}

/// Which retained messages a new subscription gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
#[repr(u8)]
pub enum RetainHandling {
    /// All that match, at every SUBSCRIBE.
    #[default]
    Send = 0,
    /// All that match, only if the subscription did not exist.
    SendIfNew = 1,
    /// None.
    DoNotSend = 2,
}
