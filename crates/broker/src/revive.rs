//! What a start takes up from the store.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gridmq_proto::SharedMessage;
use gridmq_proto::session::server::Session;
use gridmq_store::{EngineError, Store, WriteBatch};

use crate::directory::{SessionKey, Slot, SlotId, WorkerId};
use crate::index::Entry;
use crate::mailbox::{PendingWill, Testator};
use crate::routed::{Again, Unfinished};
use crate::shared::Shared;
use crate::tables::{self, KeyRange, OnItsWay, RecoverError, Routed, StoredSession, WillRow};
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

/// What a start took up, and how long that took.
#[derive(Debug, Default)]
pub(crate) struct Revival {
    /// Each worker's sessions.
    pub(crate) sessions: VecDeque<Vec<Revived>>,
    pub(crate) messages: usize,
    /// In all threads together: reading rows, and making sessions and retained messages of them.
    pub(crate) read: Duration,
    pub(crate) build: Duration,
    /// Entering subscriptions.
    pub(crate) index: Duration,
    pub(crate) whole: Duration,
}

/// How many threads read at most.
const THREADS: usize = 8;

/// Ranges for each thread, so that none waits long for the last one.
const RANGES: usize = 8;

/// Enters what is stored into the directory, the index and the retained messages.
pub(crate) fn revive(shared: &Shared, store: &Store) -> Result<Revival, Box<dyn Error + Send + Sync>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let revival = revive_in(shared, store, threads)?;
    let sessions: usize = revival.sessions.iter().map(Vec::len).sum();
    let Revival { messages, read, build, index, whole, .. } = revival;
    let retained = shared.retained.len();
    if sessions > 0 || retained > 0 {
        tracing::info!(sessions, messages, retained, ?whole, ?read, ?build, ?index, "what was stored is taken up");
    }
    Ok(revival)
}

fn revive_in(shared: &Shared, store: &Store, threads: usize) -> Result<Revival, Box<dyn Error + Send + Sync>> {
    let begun = Instant::now();
    let namespace = shared.realm.id;
    let ranges = tables::ranges(store, namespace, threads.saturating_mul(RANGES))?;
    let jobs = Jobs { shared, store, ranges, next: AtomicUsize::new(0), number: AtomicUsize::new(0) };
    let shares: Vec<Result<Share, RecoverError>> = std::thread::scope(|scope| {
        // A thread that cannot be had is done without: this one takes what is left.
        let others: Vec<_> =
            (1..threads).filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, || jobs.work()).ok()).collect();
        let mine = jobs.work();
        let stopped = |_| Err(RecoverError::Engine(EngineError::Stopped));
        let others = others.into_iter().map(|other| other.join().unwrap_or_else(stopped));
        std::iter::once(mine).chain(others).collect()
    });
    let mut revival = Revival::default();
    revival.sessions.resize_with(shared.inboxes.len().max(1), Vec::new);
    let (mut leftovers, mut routed) = (0, Vec::new());
    for share in shares {
        let share = share?;
        for (all, part) in revival.sessions.iter_mut().zip(share.sessions) {
            all.extend(part);
        }
        routed.extend(share.routed);
        revival.messages += share.messages;
        revival.read += share.read;
        revival.build += share.build;
        if !share.leftovers.is_empty() {
            leftovers += share.leftovers.len();
            store.submit(share.leftovers)?;
        }
    }
    let mut without_will = WriteBatch::new();
    let firing = tables::firing(store, namespace, &mut without_will)?;
    if !without_will.is_empty() {
        leftovers += without_will.len();
        store.submit(without_will)?;
    }
    if leftovers > 0 {
        tracing::warn!(rows = leftovers, "rows of incomplete sessions and expired retained messages are removed");
    }
    if !routed.is_empty() || !firing.is_empty() {
        take_up_unfinished(&shared.unfinished, &revival, &routed, firing);
    }
    let indexed = Instant::now();
    shared.realm.index.update(|index| {
        for Revived { slot, session, .. } in revival.sessions.iter().flatten() {
            for (filter, &subscription) in session.subscriptions() {
                index.insert(filter, slot.id, Entry { slot: Arc::clone(slot), subscription });
            }
        }
    });
    revival.index = indexed.elapsed();
    revival.whole = begun.elapsed();
    Ok(revival)
}

/// Who has the messages and wills that were being routed.
fn take_up_unfinished(unfinished: &Unfinished, revival: &Revival, routed: &[(SlotId, Routed)], firing: Vec<OnItsWay>) {
    let sessions = revival.sessions.iter().flatten();
    let slots: HashMap<&str, SlotId> = sessions.map(|it| (&*it.slot.key.client_id, it.slot.id)).collect();
    let find = |name: &str| slots.get(name).copied();
    let wills = firing.into_iter().map(|(id, row, receivers)| {
        let mut again = Again::default();
        receivers.iter().for_each(|receiver| again.add(receiver, find));
        (id, row, again)
    });
    unfinished.take_up_wills(wills.collect());
    for (publisher, (packet_id, fingerprint, receiver)) in routed {
        unfinished.has_it(*publisher, *packet_id, *fingerprint, receiver, find);
    }
}

/// What is to be read, for several threads.
struct Jobs<'a> {
    shared: &'a Shared,
    store: &'a Store,
    ranges: Vec<KeyRange>,
    /// The next of them; 0 is the retained messages.
    next: AtomicUsize,
    /// Of the next session, for the choice of its worker.
    number: AtomicUsize,
}

/// What one thread has read.
#[derive(Debug, Default)]
struct Share {
    sessions: Vec<Vec<Revived>>,
    messages: usize,
    /// By publisher.
    routed: Vec<(SlotId, Routed)>,
    leftovers: WriteBatch,
    read: Duration,
    build: Duration,
}

impl Jobs<'_> {
    fn work(&self) -> Result<Share, RecoverError> {
        let mut share = Share::default();
        let workers = self.shared.inboxes.len().max(1);
        share.sessions.resize_with(workers, Vec::new);
        let namespace = self.shared.realm.id;
        let mut since = Instant::now();
        loop {
            match self.next.fetch_add(1, Ordering::Relaxed).checked_sub(1).map(|place| self.ranges.get(place)) {
                None => self.retained(&mut share)?,
                Some(None) => return Ok(share),
                Some(Some(range)) => {
                    let Share { sessions, messages, routed, leftovers, read, build } = &mut share;
                    tables::sessions(self.store, namespace, range, leftovers, |mut stored| {
                        let begun = Instant::now();
                        *read += begun - since;
                        let sent = std::mem::take(&mut stored.routed);
                        let worker = self.number.fetch_add(1, Ordering::Relaxed) % workers;
                        if let (Some(session), Some(all)) =
                            (enter(self.shared, stored, worker), sessions.get_mut(worker))
                        {
                            *messages += session.session.load().0;
                            routed.extend(sent.into_iter().map(|row| (session.slot.id, row)));
                            all.push(session);
                        }
                        since = Instant::now();
                        *build += since - begun;
                    })?;
                }
            }
        }
    }

    fn retained(&self, share: &mut Share) -> Result<(), RecoverError> {
        let begun = Instant::now();
        let (namespace, now) = (self.shared.realm.id, self.shared.clock.now().wall);
        let mut loading = self.shared.retained.load();
        tables::retained(self.store, namespace, |topic, row| {
            if row.expires_at.is_some_and(|at| at <= now) {
                tables::write_retained(&mut share.leftovers, namespace, topic.as_str(), None);
            } else {
                loading.take(namespace, SharedMessage::new(row.message), row.qos, row.expires_at);
            }
        })?;
        let read = Instant::now();
        share.read += read - begun;
        loading.finish();
        share.build += read.elapsed();
        Ok(())
    }
}

fn enter(shared: &Shared, stored: StoredSession, worker: usize) -> Option<Revived> {
    let StoredSession { namespace, client_id, row, will, records, .. } = stored;
    let limits = queue_limits(&shared.insiders.queue(&client_id, &shared.realm.gate.load().session_limits()));
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

#[cfg(any(test, feature = "measure"))]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
