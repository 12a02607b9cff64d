//! What a start takes up from the store.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::SharedMessage;
use gridmq_proto::session::server::Session;

use crate::directory::{SessionKey, Slot, SlotId, WorkerId};
use crate::index::Entry;
use crate::mailbox::{PendingWill, Testator};
use crate::routed::Unfinished;
use crate::shared::Shared;
use crate::tables::{self, Recovered, StoredSession, WillRow};
use crate::worker::queue_limits;

/// A session that was stored, on its way to the worker that will have it.
#[derive(Debug)]
pub(crate) struct Revived {
    pub(crate) slot: Arc<Slot>,
    pub(crate) session: Session,
    /// How long it still lives without a connection; `None`: for ever.
    pub(crate) expires_in: Option<Duration>,
    /// Its will, and how long that still waits.
    pub(crate) will: Option<(Duration, PendingWill)>,
}

/// Enters what is stored into the directory, the index and the retained messages; answers each worker's sessions.
pub(crate) fn revive(shared: &Shared) -> Result<VecDeque<Vec<Revived>>, Box<dyn Error + Send + Sync>> {
    let Recovered { sessions, retained, mut leftovers } = tables::recover(&shared.store, &[shared.realm.id])?;
    if !leftovers.is_empty() {
        tracing::warn!(rows = leftovers.len(), "rows of sessions that were never complete are removed");
    }
    let now = shared.clock.now().wall;
    for (namespace, topic, row) in retained {
        if row.expires_at.is_some_and(|at| at <= now) {
            tables::write_retained(&mut leftovers, namespace, topic.as_str(), None);
        } else {
            shared.retained.restore(namespace, SharedMessage::new(row.message), row.qos, row.expires_at);
        }
    }
    if !leftovers.is_empty() {
        shared.store.submit(leftovers)?;
    }
    let workers = shared.inboxes.len().max(1);
    let mut routed = Vec::new();
    let mut revived: VecDeque<Vec<Revived>> = (0..workers).map(|_| Vec::new()).collect();
    for (number, mut stored) in sessions.into_iter().enumerate() {
        let sent = std::mem::take(&mut stored.routed);
        let worker = number % workers;
        if let (Some(session), Some(all)) = (enter(shared, stored, worker), revived.get_mut(worker)) {
            routed.extend(sent.into_iter().map(|row| (session.slot.id, row)));
            all.push(session);
        }
    }
    if !routed.is_empty() {
        let slots: HashMap<&str, SlotId> =
            revived.iter().flatten().map(|revived| (&*revived.slot.key.client_id, revived.slot.id)).collect();
        let unfinished = Unfinished::default();
        for (publisher, (packet_id, fingerprint, receiver)) in &routed {
            unfinished.add(*publisher, *packet_id, *fingerprint, receiver, |name| slots.get(name).copied());
        }
        let _ = shared.unfinished.set(unfinished);
    }
    shared.realm.index.update(|index| {
        for Revived { slot, session, .. } in revived.iter().flatten() {
            for (filter, &subscription) in session.subscriptions() {
                index.insert(filter, slot.id, Entry { slot: Arc::clone(slot), subscription });
            }
        }
    });
    Ok(revived)
}

fn enter(shared: &Shared, stored: StoredSession, worker: usize) -> Option<Revived> {
    let StoredSession { namespace, client_id, row, will, records, .. } = stored;
    let limits = queue_limits(&shared.realm.gate.load().session_limits());
    let session = Session::restore(client_id.clone(), limits, records)?;
    let worker = WorkerId::try_from(worker).unwrap_or(WorkerId::MAX);
    let slot = shared.directory.restore(SessionKey { namespace, client_id }, &row.owner, worker)?;
    let now = shared.clock.now().wall;
    let interval = session.expiry_interval();
    let expires_in = (interval != u32::MAX).then(|| {
        // Without a time it was connected when it was last written: its life without a connection begins now.
        let away = row.disconnected_at.map_or(Duration::ZERO, |since| now.since(since));
        Duration::from_secs(u64::from(interval)).saturating_sub(away)
    });
    let will = will.map(|WillRow { will, due }| {
        let delay = Duration::from_secs(u64::from(will.delay_interval));
        let left = due.map_or(delay, |due| due.since(now));
        (left, PendingWill { will: Box::new(will), testator: Testator::Stored(row.owner), stored: true })
    });
    Some(Revived { slot, session, expires_in, will })
}
