//! Open rules with limits that are soon met.

use gridmq_namespace::explain::Explanation;
use gridmq_namespace::gate::{ConnectRequest, Credentials, Refusal, Verdict};
use gridmq_namespace::principal::{Principal, PrincipalKind};
use gridmq_namespace::profile::{ConnectionLimits, SessionLimits};
use gridmq_namespace::{Gate, Rules};
use gridmq_proto::time::Wall;
use gridmq_proto::{TopicFilter, TopicName};

/// Messages kept for one session.
pub(super) const QUEUE: u32 = 6;
/// Sent to one client and not acknowledged.
pub(super) const WINDOW: u16 = 4;
/// Subscriptions of one session.
pub(super) const SUBSCRIPTIONS: usize = 6;
/// Retained messages.
pub(super) const RETAINED: usize = 3;
/// Bytes that wait to be written.
pub(super) const EGRESS: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Tight;

impl Tight {
    fn allowed() -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(PrincipalKind::Open))
    }

    pub(super) fn builder() -> crate::builder::Builder {
        let limits = crate::builder::Limits {
            subscriptions: SUBSCRIPTIONS,
            retained_messages: RETAINED,
            egress_bytes: EGRESS,
            unadmitted_bytes: 4096,
            connect_packet: 2048,
            ..crate::builder::Limits::default()
        };
        let builder = crate::Broker::builder().limits(limits);
        crate::builder::Builder { gate: Gate::new(std::sync::Arc::new(Self)), ..builder }
    }
}

impl Rules for Tight {
    fn generation(&self) -> u64 {
        0
    }

    fn admit(&self, request: &ConnectRequest<'_>, _now: Wall) -> Result<Principal, Refusal> {
        Ok(Principal::new(PrincipalKind::Open, request.client_id))
    }

    fn readmit(&self, principal: &Principal, _credentials: &Credentials, _now: Wall) -> Result<Principal, Refusal> {
        Ok(principal.clone())
    }

    fn publish(&self, _principal: &Principal, _topic: &TopicName) -> Verdict {
        Self::allowed()
    }

    fn subscribe(&self, _principal: &Principal, _filter: &TopicFilter) -> Verdict {
        Self::allowed()
    }

    fn session_limits(&self) -> SessionLimits {
        let mut limits = SessionLimits::OPEN;
        limits.offline_queue.messages = QUEUE;
        limits
    }

    fn connection_limits(&self) -> ConnectionLimits {
        let mut limits = ConnectionLimits::OPEN;
        limits.outbound_window = WINDOW;
        limits.outbound_topic_aliases = 2;
        limits.receive_maximum = 10;
        limits.maximum_packet_size = 16 * 1024;
        limits
    }
}
