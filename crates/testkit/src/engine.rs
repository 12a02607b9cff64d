//! An engine in memory whose commits wait, fail or are counted as a test wants it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use gridmq_store::{Engine, EngineError, MemoryEngine, Reader, Room, WriteBatch};

/// An engine that commits only while its gate is open. A clone is the same engine.
#[derive(Debug, Clone, Default)]
pub struct Gated {
    inner: MemoryEngine,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    broken: bool,
    full: bool,
    room: Option<Arc<Room>>,
    commits: u64,
    operations: usize,
}

impl Gated {
    /// One whose gate is open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens or closes the gate. What is being committed waits behind a closed one.
    pub fn set(&self, open: bool) {
        self.with(|state| state.closed = !open);
        self.state.1.notify_all();
    }

    /// Has the next commit fail, and every one after it.
    pub fn break_down(&self) {
        self.with(|state| (state.closed, state.broken) = (false, true));
        self.state.1.notify_all();
    }

    /// Fills the disk, or makes room on it.
    pub fn set_full(&self, full: bool) {
        self.with(|state| state.full = full);
    }

    /// Commits, and the operations in them.
    #[must_use]
    pub fn written(&self) -> (u64, usize) {
        self.with(|state| (state.commits, state.operations))
    }

    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.inner.rows()
    }

    /// What is committed, for another start.
    #[must_use]
    pub fn contents(&self) -> MemoryEngine {
        self.inner.clone()
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine for Gated {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state.1.wait_while(state, |state| state.closed).unwrap_or_else(PoisonError::into_inner);
        let room = state.room.clone().unwrap_or_default();
        drop(state);
        while self.with(|state| state.full && !state.broken) {
            let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
            if !room.wait(&error) {
                return Err(EngineError::Io(error));
            }
        }
        room.found();
        let mut state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.broken {
            return Err(EngineError::Io(std::io::Error::other("the disk has gone")));
        }
        state.commits += 1;
        state.operations += batches.iter().map(WriteBatch::len).sum::<usize>();
        self.inner.commit(batches)
    }

    fn attach(&mut self, room: Arc<Room>) {
        self.with(|state| state.room = Some(room));
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }
}
