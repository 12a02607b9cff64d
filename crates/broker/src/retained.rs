//! Retained messages: one sharded store for all workers, ordered by topic within a shard.
//!
//! A publisher writes the message and reads the index under the lock of the topic's shard; the message remembers the
//! version of the index that it was routed with. A subscriber enters the index first and scans after. What the scan
//! finds with a version at or above its own entry was routed to it live, so it gets each message once, and never
//! misses one, whichever comes first.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::time::Wall;
use gridmq_proto::{QoS, SharedMessage, TopicFilter};
use gridmq_store::{NamespaceId, Seq, Store, SubmitError, WriteBatch};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::index::{Index, Snapshot};
use crate::tables::{self, RetainedRow};

const SHARDS: usize = 16;

/// A retained message.
#[derive(Debug, Clone)]
pub(crate) struct Retained {
    pub(crate) message: SharedMessage,
    pub(crate) qos: QoS,
    pub(crate) expires_at: Option<Wall>,
    /// The version of the index with which it was routed.
    version: u64,
}

/// Names a retained message.
pub(crate) type Topic = (NamespaceId, ByteString);

type Shard = BTreeMap<Topic, Retained>;

/// All retained messages.
#[derive(Debug)]
pub(crate) struct RetainedStore {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    limit: usize,
    count: std::sync::atomic::AtomicUsize,
}

/// Which retained messages are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) namespace: NamespaceId,
    pub(crate) filter: &'a TopicFilter,
    /// Only those that were routed with an older index: the others have come live.
    pub(crate) version: u64,
    /// The time, for those that have expired.
    pub(crate) wall: Wall,
}

/// Where a scan goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cursor {
    shard: usize,
    after: Option<ByteString>,
}

impl RetainedStore {
    /// `limit`: messages kept at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            limit,
            count: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// The shard of a topic: by its first level, so that a filter that begins with a literal level needs one.
    fn shard_of(&self, topic: &str) -> usize {
        let first = topic.split('/').next().unwrap_or(topic);
        usize::try_from(self.hasher.hash_one(first)).unwrap_or(0) % SHARDS
    }

    /// Keeps the message as its topic's, or forgets the topic if the payload is empty [MQTT-3.3.1-6], and answers the
    /// index to route it with. `None`: there are as many as there may be, and nothing was kept.
    pub(crate) fn set(
        &self,
        namespace: NamespaceId,
        message: &SharedMessage,
        qos: QoS,
        expires_at: Option<Wall>,
        index: &Index,
    ) -> Option<arc_swap::Guard<Arc<Snapshot>>> {
        use std::sync::atomic::Ordering::Relaxed;
        let topic = &message.message().topic;
        let key = (namespace, topic.clone().into_inner());
        let mut shard = self.shards.get(self.shard_of(topic.as_str()))?.lock();
        if message.message().payload.is_empty() {
            if shard.remove(&key).is_some() {
                self.count.fetch_sub(1, Relaxed);
            }
            return Some(index.load());
        }
        let is_new = !shard.contains_key(&key);
        if is_new && self.count.load(Relaxed) >= self.limit {
            return None;
        }
        let snapshot = index.load();
        // A copy of its own: a slice would keep the whole read buffer that it came in.
        let message = SharedMessage::new(message.message().detached());
        let key = (namespace, message.message().topic.clone().into_inner());
        shard.insert(key, Retained { message, qos, expires_at, version: snapshot.version });
        if is_new {
            self.count.fetch_add(1, Relaxed);
        }
        Some(snapshot)
    }

    /// Hands the messages of these topics to the store as they are now. They cannot change meanwhile: whoever comes
    /// later hands over what is newer.
    pub(crate) fn store(&self, store: &Store, topics: &[Topic]) -> Result<Seq, SubmitError> {
        let needed: BTreeSet<usize> = topics.iter().map(|(_, topic)| self.shard_of(topic)).collect();
        // In the order of their numbers, so that two workers do not wait for each other.
        let shards: SmallVec<[(usize, MutexGuard<'_, Shard>); 2]> =
            needed.into_iter().filter_map(|number| Some((number, self.shards.get(number)?.lock()))).collect();
        let mut batch = WriteBatch::new();
        for key in topics.iter().collect::<BTreeSet<_>>() {
            let number = self.shard_of(&key.1);
            let shard = shards.iter().find(|&&(locked, _)| locked == number);
            let row = shard.and_then(|(_, shard)| shard.get(key)).map(|retained| RetainedRow {
                message: retained.message.message().clone(),
                qos: retained.qos,
                expires_at: retained.expires_at,
            });
            tables::write_retained(&mut batch, key.0, &key.1, row.as_ref());
        }
        store.submit(batch)
    }

    /// Takes in messages that were stored, before anybody else does.
    pub(crate) fn load(&self) -> Loading<'_> {
        Loading { store: self, shards: (0..SHARDS).map(|_| Vec::new()).collect() }
    }

    /// Looks at no more than `slice` topics from `cursor` on, and hands those that the query is for to `take`, until
    /// it answers `false`. What has expired is forgotten, and named in `expired`. `true`: the scan is at its end.
    pub(crate) fn scan(
        &self,
        query: &Query<'_>,
        cursor: &mut Cursor,
        mut slice: usize,
        expired: &mut Vec<Topic>,
        mut take: impl FnMut(&Retained) -> bool,
    ) -> bool {
        let &Query { namespace, filter, version, wall } = query;
        let prefix = filter.literal_prefix();
        // "a/#" matches "a" too, which sorts before "a/".
        let start = prefix.strip_suffix('/').unwrap_or(prefix);
        let only = filter.as_str().split('/').next().filter(|level| !matches!(*level, "+" | "#"));
        let only = only.map(|level| self.shard_of(level));
        while cursor.shard < SHARDS {
            if only.is_none_or(|only| only == cursor.shard)
                && let Some(shard) = self.shards.get(cursor.shard)
            {
                let from = cursor.after.clone().map_or_else(
                    || Bound::Included((namespace, ByteString::from(start))),
                    |after| Bound::Excluded((namespace, after)),
                );
                let mut shard = shard.lock();
                let before = expired.len();
                for (key, retained) in shard.range((from, Bound::Unbounded)) {
                    if key.0 != namespace || !key.1.starts_with(start) {
                        break;
                    }
                    if slice == 0 {
                        remove_all(&mut shard, expired.get(before..), &self.count);
                        return false;
                    }
                    slice -= 1;
                    if retained.expires_at.is_some_and(|at| at <= wall) {
                        expired.push(key.clone());
                    } else if retained.version < version
                        && filter.matches(&retained.message.message().topic)
                        && !take(retained)
                    {
                        remove_all(&mut shard, expired.get(before..), &self.count);
                        return false;
                    }
                    cursor.after = Some(key.1.clone());
                }
                remove_all(&mut shard, expired.get(before..), &self.count);
            }
            cursor.shard += 1;
            cursor.after = None;
        }
        true
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Messages that were stored, on their way in.
#[derive(Debug)]
pub(crate) struct Loading<'a> {
    store: &'a RetainedStore,
    shards: Vec<Vec<(Topic, Retained)>>,
}

impl Loading<'_> {
    pub(crate) fn take(&mut self, namespace: NamespaceId, message: SharedMessage, qos: QoS, expires_at: Option<Wall>) {
        let topic = message.message().topic.clone().into_inner();
        if let Some(shard) = self.shards.get_mut(self.store.shard_of(&topic)) {
            shard.push(((namespace, topic), Retained { message, qos, expires_at, version: 0 }));
        }
    }

    /// Makes each shard at once: what came in order needs no search, and fills its nodes.
    pub(crate) fn finish(self) {
        for (shard, messages) in self.store.shards.iter().zip(self.shards) {
            let messages = Shard::from_iter(messages);
            self.store.count.fetch_add(messages.len(), std::sync::atomic::Ordering::Relaxed);
            *shard.lock() = messages;
        }
    }
}

fn remove_all(shard: &mut Shard, topics: Option<&[Topic]>, count: &std::sync::atomic::AtomicUsize) {
    for topic in topics.into_iter().flatten() {
        if shard.remove(topic).is_some() {
            count.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
