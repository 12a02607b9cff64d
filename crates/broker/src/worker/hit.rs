//! Whom a message goes to, and how.

use std::sync::Arc;

use gridmq_proto::QoS;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::session::server::Subscription;
use smallvec::SmallVec;

use crate::directory::{Slot, WorkerId};
use crate::mailbox::Target;

/// A session that a message matched, and the worker that has it.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) worker: WorkerId,
    pub(super) target: Target,
}

impl Hit {
    pub(super) fn new(
        slot: &Slot,
        subscription: &Subscription,
        published: QoS,
        retain: bool,
        share: Option<Arc<str>>,
    ) -> Self {
        let &Subscription { options, identifier } = subscription;
        // Not looked at again before the turn ends, and a session that moves fences what was sent until then.
        let (worker, epoch) = slot.place();
        let target = Target {
            slot: slot.id,
            epoch,
            qos: options.qos.min(published),
            retain: retain && options.retain_as_published,
            identifiers: identifier.into_iter().collect::<SmallVec<[SubscriptionId; 2]>>(),
            share,
            forced: false,
        };
        Self { worker, target }
    }
}

/// One copy per session, at the highest QoS that matched, with every identifier [MQTT-3.3.4-2]. What comes through a
/// shared subscription is a delivery of its own.
pub(super) fn merge(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.target.slot, hit.target.share.is_some()));
    hits.dedup_by(|later, kept| {
        let same = later.target.slot == kept.target.slot && later.target.share.is_none() && kept.target.share.is_none();
        if same {
            kept.target.qos = kept.target.qos.max(later.target.qos);
            kept.target.retain |= later.target.retain;
            kept.target.identifiers.extend(later.target.identifiers.drain(..));
        }
        same
    });
}
