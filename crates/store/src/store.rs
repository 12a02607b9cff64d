//! The store: a bounded queue of batches, one writer, and how far it is durable.

mod backup;
#[cfg(feature = "redb")]
mod directory;
mod net;
#[cfg(feature = "redb")]
mod restore;
mod rows;
mod writer;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use thiserror::Error;

use crate::{Engine, EngineError, Key, MemoryEngine, Page, Reader, Room, Rows, Stall, Table, WriteBatch};
pub use backup::BackupError;
#[cfg(feature = "redb")]
pub use restore::RestoreError;
use writer::{Queue, Shared};

/// The number of a submitted batch, rising by one per store. What is durable is durable up to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(u64);

impl Seq {
    /// Before the first batch.
    pub const ZERO: Self = Self(0);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How much may wait, and how much one commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "plain settings with a default")]
pub struct Options {
    /// Batches that are not yet durable, at most. Default 1,024.
    pub queue_batches: NonZeroUsize,
    /// Bytes in them, at most, as [`WriteBatch::bytes`] counts. Default 64 MiB. One batch larger than this is taken
    /// when nothing else waits.
    pub queue_bytes: usize,
    /// Batches in one commit, at most. Default 1,024.
    pub max_group: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        const BATCHES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
        Self { queue_batches: BATCHES, queue_bytes: 64 * 1024 * 1024, max_group: BATCHES }
    }
}

/// What a watcher is told.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_enums, reason = "a worker must act on every one")]
pub enum Progress {
    /// Every batch up to this one is durable, and there is room again.
    Durable(Seq),
    /// The disk is full. What waits goes on waiting, and is tried again twice a second.
    Stalled(Arc<Stall>),
    /// There is room on the disk again.
    Resumed,
    /// The engine failed. What was not durable before never will be.
    Failed(Arc<EngineError>),
}

/// Why a batch was not taken. It comes back where it can still be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Too much waits already: stop reading from peers, and try again when a watcher hears of progress.
    #[error("the store's queue is full")]
    Full(WriteBatch),
    /// The store was closed.
    #[error("the store is closed")]
    Closed(WriteBatch),
    /// The engine failed, now or earlier.
    #[error("the store has failed: {0}")]
    Failed(Arc<EngineError>),
}

/// Why a store could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The writer's thread could not be started.
    #[error("the store's writer cannot be started: {0}")]
    Thread(std::io::Error),
    /// The file cannot be used.
    #[cfg(feature = "redb")]
    #[error(transparent)]
    File(#[from] crate::RedbOpenError),
}

/// A handle on the store; a clone is the same store. The last one that is dropped closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    reader: Arc<dyn Reader>,
    mode: Mode,
}

enum Mode {
    /// One thread commits what all others submit.
    Writer { handle: Mutex<Option<JoinHandle<()>>> },
    /// Whoever submits commits.
    Immediate(Mutex<Box<dyn Engine>>),
}

impl Store {
    /// A store whose writer thread commits everything that waits at once.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn open(mut engine: impl Engine, options: Options) -> Result<Self, OpenError> {
        let reader = engine.reader();
        let shared = Arc::new(Shared::new(options));
        let told = Arc::downgrade(&shared);
        shared.room.tells(move |progress| {
            if let Some(shared) = told.upgrade() {
                shared.tell(&progress);
            }
        });
        engine.attach(Arc::clone(&shared.room));
        let for_writer = Arc::clone(&shared);
        let handle = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(engine, &for_writer))
            .map_err(OpenError::Thread)?;
        let mode = Mode::Writer { handle: Mutex::new(Some(handle)) };
        Ok(Self { inner: Arc::new(Inner { shared, reader, mode }) })
    }

    /// A store in memory that starts empty. Every batch is durable, as far as memory is, when `submit` returns.
    #[must_use]
    pub fn memory() -> Self {
        Self::immediate(MemoryEngine::new())
    }

    /// A store without a thread: `submit` commits before it returns. For engines that never wait.
    #[must_use]
    pub fn immediate(engine: impl Engine) -> Self {
        let reader = engine.reader();
        let shared = Arc::new(Shared::new(Options::default()));
        Self { inner: Arc::new(Inner { shared, reader, mode: Mode::Immediate(Mutex::new(Box::new(engine))) }) }
    }

    /// Takes a batch and gives it the next number. It is durable once [`durable`](Self::durable) or a watcher says
    /// that number or a later one.
    ///
    /// # Errors
    /// When too much waits, when the store was closed, and when the engine failed.
    pub fn submit(&self, batch: WriteBatch) -> Result<Seq, SubmitError> {
        match &self.inner.mode {
            Mode::Writer { .. } => self.inner.shared.enqueue(batch),
            Mode::Immediate(engine) => {
                // The engine's lock is taken first and held throughout: numbers follow the order of commits.
                let mut engine = engine.lock();
                let (seq, batch) = self.inner.shared.number(batch)?;
                match engine.commit(std::slice::from_ref(&batch)) {
                    Ok(()) => {
                        self.inner.shared.durable.store(seq.0, Ordering::Release);
                        Ok(seq)
                    }
                    Err(error) => {
                        drop(engine);
                        Err(SubmitError::Failed(self.inner.shared.fail(error)))
                    }
                }
            }
        }
    }

    /// How far everything is durable.
    #[must_use]
    pub fn durable(&self) -> Seq {
        Seq(self.inner.shared.durable.load(Ordering::Acquire))
    }

    /// The engine's failure, if it failed.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<EngineError>> {
        self.inner.shared.queue.lock().failure.clone()
    }

    /// The full disk that commits wait for, if they do.
    #[must_use]
    pub fn stall(&self) -> Option<Arc<Stall>> {
        self.inner.shared.room.stall()
    }

    /// Has `waker` called after each commit, when the disk is full and when there is room again, and when the engine
    /// fails, until the returned value is dropped. A full disk and a failure of before are said at once.
    ///
    /// It is called on the writer's thread and holds up every commit: it should leave word and return. A store that
    /// commits at once never reports progress this way, for the number that `submit` returns is durable already.
    pub fn subscribe(&self, waker: impl Fn(Progress) + Send + Sync + 'static) -> Watch {
        let shared = &self.inner.shared;
        let waker: Arc<Waker> = Arc::new(waker);
        shared.wakers.lock().push(Arc::clone(&waker));
        if let Some(stall) = self.stall() {
            waker(Progress::Stalled(stall));
        }
        if let Some(failure) = self.failure() {
            waker(Progress::Failed(failure));
        }
        Watch { shared: Arc::downgrade(shared), waker }
    }

    /// The committed value of a key.
    ///
    /// # Errors
    /// When the engine cannot read.
    pub fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, EngineError> {
        self.inner.reader.get(table, key)
    }

    /// At most `limit` committed rows whose keys begin with `prefix`, beginning at `from`. Sees no batch that waits.
    ///
    /// # Errors
    /// When the engine cannot read.
    pub fn scan(&self, table: Table, prefix: &Key, from: Option<&Key>, limit: usize) -> Result<Page, EngineError> {
        self.inner.reader.scan(table, prefix, from, limit)
    }

    /// The committed rows of a table from `from` on and before `to`, in order. They are as they are now, or, of an
    /// engine that reads pages only, as they are while they are read.
    ///
    /// # Errors
    /// When the engine cannot read.
    pub fn rows(&self, table: Table, from: &Key, to: Option<&Key>) -> Result<Box<dyn Rows>, EngineError> {
        let rows = self.inner.reader.rows(table, from, to)?;
        Ok(rows.unwrap_or_else(|| Box::new(rows::Pages::new(Arc::clone(&self.inner.reader), table, from, to))))
    }

    /// Takes no more batches, and returns when everything that waited is durable. Blocks meanwhile, but not for room on
    /// a full disk. A second call changes nothing.
    ///
    /// # Errors
    /// When the engine failed, so that not everything is durable.
    pub fn close(&self) -> Result<(), Arc<EngineError>> {
        self.inner.close();
        self.failure().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("durable", &self.durable()).field("failure", &self.failure()).finish()
    }
}

impl Inner {
    fn close(&self) {
        self.shared.close();
        if let Mode::Writer { handle } = &self.mode {
            let handle = handle.lock().take();
            if let Some(handle) = handle
                && handle.thread().id() != thread::current().id()
            {
                // The writer leaves word of a panic itself.
                drop(handle.join());
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

type Waker = dyn Fn(Progress) + Send + Sync;

/// Keeps a watcher registered; drop it to have it called no more.
#[must_use = "the watcher is forgotten when this is dropped"]
pub struct Watch {
    shared: Weak<Shared>,
    waker: Arc<Waker>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.wakers.lock().retain(|waker| !Arc::ptr_eq(waker, &self.waker));
        }
    }
}

impl Shared {
    fn new(options: Options) -> Self {
        Self {
            options,
            queue: Mutex::new(Queue::default()),
            work: Condvar::new(),
            durable: AtomicU64::new(0),
            wakers: Mutex::new(Vec::new()),
            room: Arc::new(Room::default()),
        }
    }
}
