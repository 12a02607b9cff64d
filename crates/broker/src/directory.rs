//! Which worker has a session.
//!
//! A session is known by namespace and client identifier and lives on one worker at a time. Its [`Slot`] says which,
//! and the epoch rises each time that changes hands.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use bytestring::ByteString;
use gridmq_namespace::profile::SessionLimits;
use gridmq_store::NamespaceId;
use parking_lot::Mutex;

use crate::control::SessionCursor;

const SHARDS: usize = 64;

/// Names a session for the life of the broker; never used twice.
pub(crate) type SlotId = u64;

/// The number of a worker.
pub(crate) type WorkerId = u16;

/// The epoch of a session that has never changed hands.
pub(crate) const FIRST_EPOCH: u64 = 1;

/// A session's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    pub(crate) namespace: NamespaceId,
    pub(crate) client_id: ByteString,
}

/// Where a session lives, shared by everybody who routes to it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) key: SessionKey,
    /// The authentication name that made it, in lower case.
    owner: String,
    /// Epoch in the upper 48 bits, worker in the lower 16.
    place: AtomicU64,
    online: AtomicBool,
    /// Messages that its client has not acknowledged, where shared subscriptions ask for it.
    load: AtomicU32,
}

impl Slot {
    /// For what the program publishes itself: no session has it.
    pub(crate) fn of_program(namespace: NamespaceId) -> Self {
        Self {
            id: 0,
            key: SessionKey { namespace, client_id: ByteString::new() },
            owner: String::new(),
            place: AtomicU64::new(0),
            online: AtomicBool::new(false),
            load: AtomicU32::new(0),
        }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        self.place().0
    }

    /// Its worker, and since which epoch.
    pub(crate) fn place(&self) -> (WorkerId, u64) {
        split(self.place.load(Ordering::Acquire))
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    pub(crate) fn load(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    /// One more is on its way.
    pub(crate) fn add_load(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_load(&self, load: usize) {
        self.load.store(u32::try_from(load).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(crate) fn set_online(&self, online: bool) {
        self.online.store(online, Ordering::Relaxed);
    }
}

const fn split(place: u64) -> (WorkerId, u64) {
    ((place & 0xFFFF) as WorkerId, place >> 16)
}

const fn join(worker: WorkerId, epoch: u64) -> u64 {
    epoch << 16 | worker as u64
}

/// What a claim found.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The session did not exist.
    New(Arc<Slot>),
    /// It existed on that worker; it is the claimant's now, in that epoch.
    Held { slot: Arc<Slot>, from: WorkerId, epoch: u64 },
    /// It belongs to another authentication name.
    NotOwner,
    /// The authentication name has as many sessions as it may.
    TooMany(u32),
}

/// All sessions of all namespaces.
#[derive(Debug)]
pub(crate) struct Directory {
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<SessionKey, Arc<Slot>>>>,
    /// How many sessions each authentication name has.
    names: Vec<Mutex<HashMap<(NamespaceId, String), u32>>>,
    next: AtomicU64,
}

impl Directory {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            names: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next: AtomicU64::new(1),
        }
    }

    fn shard(&self, key: &SessionKey) -> Option<&Mutex<HashMap<SessionKey, Arc<Slot>>>> {
        self.shards.get(usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS)
    }

    fn names(&self, name: &(NamespaceId, String)) -> Option<&Mutex<HashMap<(NamespaceId, String), u32>>> {
        self.names.get(usize::try_from(self.hasher.hash_one(name)).unwrap_or(0) % SHARDS)
    }

    /// Makes the session `worker`'s.
    pub(crate) fn claim(&self, key: SessionKey, owner: &str, limits: &SessionLimits, worker: WorkerId) -> Claim {
        let owner = owner.to_lowercase();
        let Some(shard) = self.shard(&key) else { return Claim::NotOwner };
        let mut sessions = shard.lock();
        if let Some(slot) = sessions.get(&key) {
            if limits.owner_only && slot.owner != owner {
                return Claim::NotOwner;
            }
            let (from, epoch) = slot.place();
            let epoch = epoch + 1;
            slot.place.store(join(worker, epoch), Ordering::Release);
            return Claim::Held { slot: Arc::clone(slot), from, epoch };
        }
        let name = (key.namespace, owner);
        if let Some(maximum) = limits.maximum_per_name
            && let Some(names) = self.names(&name)
        {
            let mut names = names.lock();
            let count = names.entry(name.clone()).or_default();
            if *count >= maximum {
                return Claim::TooMany(maximum);
            }
            *count += 1;
        } else if let Some(names) = self.names(&name) {
            *names.lock().entry(name.clone()).or_default() += 1;
        }
        let slot = Arc::new(Slot {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            key: key.clone(),
            owner: name.1,
            place: AtomicU64::new(join(worker, FIRST_EPOCH)),
            online: AtomicBool::new(false),
            load: AtomicU32::new(0),
        });
        sessions.insert(key, Arc::clone(&slot));
        Claim::New(slot)
    }

    /// The session of that name, if there is one.
    pub(crate) fn find(&self, key: &SessionKey) -> Option<Arc<Slot>> {
        self.shard(key)?.lock().get(key).cloned()
    }

    /// Some sessions from `cursor` on, and whether there are more.
    pub(crate) fn page(&self, cursor: &mut SessionCursor, limit: usize) -> (Vec<Arc<Slot>>, bool) {
        let mut page = Vec::new();
        while let Some(shard) = self.shards.get(cursor.shard) {
            let mut rest: Vec<_> = {
                let shard = shard.lock();
                let later = |slot: &&Arc<Slot>| cursor.after.as_ref().is_none_or(|after| slot.key.client_id > *after);
                shard.values().filter(later).cloned().collect()
            };
            rest.sort_unstable_by(|a, b| a.key.client_id.cmp(&b.key.client_id));
            let room = limit.saturating_sub(page.len());
            if rest.len() > room {
                rest.truncate(room);
                cursor.after = rest.last().map(|slot| slot.key.client_id.clone()).or_else(|| cursor.after.take());
                page.append(&mut rest);
                return (page, true);
            }
            page.append(&mut rest);
            cursor.shard += 1;
            cursor.after = None;
        }
        (page, false)
    }

    /// Enters a session that was stored, as `worker`'s. `None`: it is entered already.
    pub(crate) fn restore(&self, key: SessionKey, owner: &str, worker: WorkerId) -> Option<Arc<Slot>> {
        let mut limits = SessionLimits::OPEN;
        limits.owner_only = true;
        match self.claim(key, owner, &limits, worker) {
            Claim::New(slot) => Some(slot),
            _ => None,
        }
    }

    /// Removes a session that `worker` has. `false`: it was claimed by another worker in the meantime, which will ask
    /// for it.
    pub(crate) fn release(&self, slot: &Arc<Slot>, worker: WorkerId) -> bool {
        let Some(shard) = self.shard(&slot.key) else { return true };
        let mut sessions = shard.lock();
        if slot.worker() != worker {
            return false;
        }
        if sessions.get(&slot.key).is_some_and(|present| Arc::ptr_eq(present, slot)) {
            sessions.remove(&slot.key);
            let name = (slot.key.namespace, slot.owner.clone());
            if let Some(names) = self.names(&name) {
                let mut names = names.lock();
                if let Some(count) = names.get_mut(&name) {
                    *count -= 1;
                    if *count == 0 {
                        names.remove(&name);
                    }
                }
            }
        }
        true
    }
}
