//! The queue between those who submit and the one who commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::net::net;
use super::{Options, Progress, Seq, SubmitError, Waker};
use crate::{Engine, EngineError, Room, WriteBatch};

pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) queue: Mutex<Queue>,
    pub(super) work: Condvar,
    pub(super) durable: AtomicU64,
    pub(super) wakers: Mutex<Vec<Arc<Waker>>>,
    pub(super) room: Arc<Room>,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<WriteBatch>,
    /// Batches and bytes that are not yet durable: those that wait and those in the commit under way.
    pending: usize,
    pending_bytes: usize,
    issued: u64,
    closed: bool,
    pub(super) failure: Option<Arc<EngineError>>,
}

impl Queue {
    fn usable(&self, batch: WriteBatch) -> Result<WriteBatch, SubmitError> {
        if let Some(failure) = &self.failure {
            return Err(SubmitError::Failed(Arc::clone(failure)));
        }
        if self.closed { Err(SubmitError::Closed(batch)) } else { Ok(batch) }
    }
}

impl Shared {
    /// Puts a batch at the end of the queue.
    pub(super) fn enqueue(&self, batch: WriteBatch) -> Result<Seq, SubmitError> {
        let mut queue = self.queue.lock();
        let batch = queue.usable(batch)?;
        let bytes = queue.pending_bytes.saturating_add(batch.bytes());
        let room = queue.pending < self.options.queue_batches.get() && bytes <= self.options.queue_bytes;
        if !room && queue.pending > 0 {
            return Err(SubmitError::Full(batch));
        }
        queue.pending += 1;
        queue.pending_bytes = bytes;
        queue.issued += 1;
        queue.waiting.push_back(batch);
        let seq = Seq(queue.issued);
        drop(queue);
        self.work.notify_one();
        Ok(seq)
    }

    /// Gives a batch that is committed at once its number.
    pub(super) fn number(&self, batch: WriteBatch) -> Result<(Seq, WriteBatch), SubmitError> {
        let mut queue = self.queue.lock();
        let batch = queue.usable(batch)?;
        queue.issued += 1;
        Ok((Seq(queue.issued), batch))
    }

    /// Waits for work; nothing when the store is closed and the queue is empty.
    fn next_group(&self, group: &mut Vec<WriteBatch>) -> bool {
        let mut queue = self.queue.lock();
        while queue.waiting.is_empty() {
            if queue.closed {
                return false;
            }
            self.work.wait(&mut queue);
        }
        let take = queue.waiting.len().min(self.options.max_group.get());
        group.extend(queue.waiting.drain(..take));
        true
    }

    fn committed(&self, group: &[WriteBatch]) {
        let mut queue = self.queue.lock();
        queue.pending = queue.pending.saturating_sub(group.len());
        let bytes = group.iter().map(WriteBatch::bytes).fold(0_usize, usize::saturating_add);
        queue.pending_bytes = queue.pending_bytes.saturating_sub(bytes);
        drop(queue);
        let count = u64::try_from(group.len()).unwrap_or(u64::MAX);
        let durable = self.durable.fetch_add(count, Ordering::AcqRel).saturating_add(count);
        self.tell(&Progress::Durable(Seq(durable)));
    }

    /// Notes the first failure, drops what waits, and says so to all.
    pub(super) fn fail(&self, error: EngineError) -> Arc<EngineError> {
        let mut queue = self.queue.lock();
        let failure = Arc::clone(queue.failure.get_or_insert_with(|| Arc::new(error)));
        let dropped = std::mem::take(&mut queue.waiting);
        queue.closed = true;
        drop(queue);
        drop(dropped);
        self.tell(&Progress::Failed(Arc::clone(&failure)));
        failure
    }

    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.work.notify_all();
        self.room.give_up();
    }

    /// Calls the watchers with no lock held, so that one may use the store.
    pub(super) fn tell(&self, progress: &Progress) {
        let wakers = self.wakers.lock().clone();
        for waker in wakers {
            waker(progress.clone());
        }
    }
}

/// Commits until the store is closed or the engine fails.
pub(super) fn run(mut engine: impl Engine, shared: &Shared) {
    let mut ending = Ending { shared, in_order: false };
    let mut group = Vec::new();
    let reader = engine.reader();
    while shared.next_group(&mut group) {
        let net = net(&group, &*reader);
        let outcome = if net.is_empty() { Ok(()) } else { engine.commit(&[net]) };
        match outcome {
            Ok(()) => shared.committed(&group),
            Err(error) => {
                shared.fail(error);
                break;
            }
        }
        group.clear();
    }
    ending.in_order = true;
}

/// A panic of an engine or a watcher must not leave the others waiting for ever.
struct Ending<'a> {
    shared: &'a Shared,
    in_order: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.in_order {
            self.shared.fail(EngineError::Stopped);
        }
    }
}
