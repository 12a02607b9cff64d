//! Wills on their way to those who get them.
//!
//! The batch that takes a will out of its session's row has its message for the sessions of this worker. Those of other
//! workers, and those on their way here, have it in later batches. Until these are durable it is in the store as a will
//! on its way, in the same batch as the row is taken out, and a start sends it to those who have it not: whoever stores
//! the message stores that with it, as of a QoS 2 message (`routed.rs`).

use std::sync::Arc;

use gridmq_namespace::gate::{Authorized, Gate};
use gridmq_proto::packet::Will;
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::{QoS, SharedMessage};

use super::Worker;
use super::parts::Whom;
use super::publish::Routable;
use crate::mailbox::{Outcome, TicketId};
use crate::routed::{Again, Origin};
use crate::shared::Realm;
use crate::tables::{FiringId, WillRow};

/// A will that is being routed.
#[derive(Debug)]
pub(super) struct Firing {
    id: FiringId,
    qos: QoS,
    at: Wall,
    /// Who has it from before the start.
    pub(super) again: Option<Again>,
}

impl Worker {
    /// Routes a will. `stored`: its session's row had it.
    pub(super) fn route_will(&mut self, now: Now, realm: &Arc<Realm>, will: Authorized<Routable>, stored: bool) {
        let qos = will.get().qos;
        let id = stored.then(|| FiringId::new(now.wall, self.id, self.parts.number()));
        self.parts.origin = id.map(Origin::Will);
        self.parts.firing = id.map(|id| Box::new(Firing { id, qos, at: now.wall, again: None }));
        self.route(now, realm, will, None);
        (self.parts.origin, self.parts.firing) = (None, None);
    }

    /// Sends what was on its way when the process before this one ended. Its rules have judged it.
    pub(super) fn fire_again(&mut self, now: Now, wills: Vec<(FiringId, WillRow, Again)>) {
        let realm = Arc::clone(&self.shared.realm);
        for (id, WillRow { will, due }, again) in wills {
            // What expires counts from then.
            let at = due.unwrap_or(now.wall);
            let Will { message, qos, retain, .. } = will;
            self.parts.origin = Some(Origin::Will(id));
            self.parts.firing = Some(Box::new(Firing { id, qos, at, again: Some(again) }));
            let authorized = Gate::inject_as_system(Routable { message, qos, retain });
            self.route(Now { wall: at, ..now }, &realm, authorized, None);
            (self.parts.origin, self.parts.firing) = (None, None);
        }
        self.commit();
    }

    /// A will has gone to who is at hand and to `remote` other workers: it is kept until all have it.
    pub(super) fn keep_will(
        &mut self,
        firing: &Firing,
        message: &SharedMessage,
        outcome: Outcome,
        remote: usize,
    ) -> Option<TicketId> {
        let &Firing { id, qos, at, .. } = firing;
        if remote > 0 || !self.has_no_open_parts() {
            // What is retained of it is in the store before this is.
            let message = message.message().clone();
            let row = || Some(WillRow { will: Will { message, qos, retain: false, delay_interval: 0 }, due: Some(at) });
            self.journal.draft.write_firing(self.shared.realm.id, id, row);
        }
        self.wait_for_parts(Whom::Heirs(id), outcome, remote)
    }
}
