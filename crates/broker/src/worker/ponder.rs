//! Decisions that come later.
//!
//! A connection waits for at most one. Its machine, or for a publish the `pondering` mark, keeps it from being read
//! meanwhile; nobody else waits. The decision runs as a task of the worker's thread. It is dropped with its connection,
//! but for that on a publish: its verdict belongs to the session, which may be elsewhere by then.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use gridmq_proto::time::Now;
use tokio::task::{AbortHandle, JoinHandle, spawn_local};

use super::{ConnKey, Worker};

/// The decision that a connection waits for; dropped, it is given up.
#[derive(Debug)]
pub(super) struct Pondering(Option<AbortHandle>);

impl Drop for Pondering {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// A place among the decisions that this worker waits for.
#[derive(Debug)]
pub(super) struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// A task that ends with whoever waits for it.
struct Bound<T>(JoinHandle<T>);

impl<T> Drop for Bound<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worker {
    /// A place for one more decision; `None`: as many are due as may be.
    pub(super) fn place(&self) -> Option<Place> {
        let due = self.pondering.get();
        (due < self.shared.limits.decisions).then(|| {
            self.pondering.set(due + 1);
            Place(Rc::clone(&self.pondering))
        })
    }

    /// Has the connection wait for `decision`, and then does `then` in a turn of its own, unless it has ended. `None`:
    /// it took too long, or panicked.
    pub(super) fn ponder<T: 'static>(
        &mut self,
        key: ConnKey,
        place: Place,
        decision: impl Future<Output = T> + 'static,
        then: impl FnOnce(&mut Self, Now, Option<T>) + 'static,
    ) {
        let task = self.later(key, place, decision, then);
        match self.conn(key) {
            Some(conn) => conn.pondering = Some(Pondering(Some(task))),
            None => task.abort(),
        }
    }

    /// As [`ponder`](Self::ponder), but `then` happens even if the connection has ended.
    pub(super) fn ponder_whatever<T: 'static>(
        &mut self,
        key: ConnKey,
        place: Place,
        decision: impl Future<Output = T> + 'static,
        then: impl FnOnce(&mut Self, Now, Option<T>) + 'static,
    ) {
        let _task = self.later(key, place, decision, then);
        if let Some(conn) = self.conn(key) {
            conn.pondering = Some(Pondering(None));
        }
    }

    fn later<T: 'static>(
        &self,
        key: ConnKey,
        place: Place,
        decision: impl Future<Output = T> + 'static,
        then: impl FnOnce(&mut Self, Now, Option<T>) + 'static,
    ) -> AbortHandle {
        let me = self.me.clone();
        let patience = self.shared.limits.decision_timeout;
        let task = spawn_local(async move {
            let mut inner = Bound(spawn_local(decision));
            let outcome = tokio::time::timeout(patience, &mut inner.0).await;
            drop(place);
            let Some(worker) = me.upgrade() else { return };
            let mut worker = worker.borrow_mut();
            let now = worker.now();
            if let Some(conn) = worker.conn(key) {
                conn.pondering = None;
            }
            then(&mut worker, now, outcome.ok().and_then(Result::ok));
            worker.drain(now, key);
            worker.commit();
            worker.wake(key);
        });
        task.abort_handle()
    }
}
