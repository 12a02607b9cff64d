//! UNSUBSCRIBE (MQTT 5.0 §3.10).

use super::UserProperties;
use crate::{PacketId, SubscriptionFilter};

/// The client gives subscriptions up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build packets field by field")]
pub struct Unsubscribe {
    /// For the UNSUBACK.
    pub packet_id: PacketId,
    /// MQTT 5.0 only.
    pub user_properties: UserProperties,
    /// At least one [MQTT-3.10.3-2].
    pub filters: Vec<SubscriptionFilter>,
}
