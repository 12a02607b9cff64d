//! Where a session outlives its process.
//!
//! Without a store, messages that were handed over for publishing are lost with the process. With one, each change of
//! the session is a [`Record`], and nothing that depends on a record is said to the server, or to the application,
//! before the record is durable: after a restart, QoS 1 is delivered at least once and QoS 2 exactly once, whenever
//! the process ended, as long as the server keeps its side of the session: see
//! [`Options::session_expiry`](crate::Options::session_expiry). Of QoS 0 nothing is stored.
//!
//! With the feature `store`, `FileStore` keeps the session in one file; `Options::store` opens
//! it. [`SessionStore`] is for stores of another kind.

#[cfg(feature = "store")]
mod file;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use gridmq_proto::session::QueueLimits;
use gridmq_proto::session::client::Session;
use tokio::task::spawn_blocking;

#[cfg(feature = "store")]
pub use self::file::FileStore;
pub use gridmq_proto::session::{Delivery, Position, Record};

/// Keeps the records of one session.
///
/// It belongs to the client's task: no call may wait for a disk.
///
/// ```
/// use std::task::{Context, Poll};
///
/// use gridmq_client::store::{Record, SessionStore, StoreError};
///
/// /// As good as none: what it was given is gone with the process.
/// #[derive(Debug, Default)]
/// struct Forgetful(u64);
///
/// impl SessionStore for Forgetful {
///     fn load(&mut self, _client_id: &str) -> Result<Vec<Record>, StoreError> {
///         Ok(Vec::new())
///     }
///
///     fn append(&mut self, _records: Vec<Record>) -> Result<u64, StoreError> {
///         self.0 += 1;
///         Ok(self.0)
///     }
///
///     fn poll_durable(&mut self, _: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
///         Poll::Ready(Ok(self.0))
///     }
/// }
/// ```
pub trait SessionStore: fmt::Debug + Send {
    /// What is stored for this client, such that its records rebuild the session; none if nothing is. Called once,
    /// before everything else, when the client is started; this call may take its time.
    ///
    /// # Errors
    /// When it cannot be read whole, or belongs to another client.
    fn load(&mut self, client_id: &str) -> Result<Vec<Record>, StoreError>;

    /// Takes records to be stored, in order, and gives them one number, greater than any before. They may always be
    /// given, also while there is no [room](Self::has_room).
    ///
    /// # Errors
    /// When the store has failed. Nothing is asked of it afterwards.
    fn append(&mut self, records: Vec<Record>) -> Result<u64, StoreError>;

    /// Whether the application may add messages. While it is false, publishing waits; what the server is owed goes on.
    fn has_room(&self) -> bool {
        true
    }

    /// Ready when more has become durable since the last time: everything up to that number. Otherwise the task is
    /// woken when it has, or when there is room again.
    ///
    /// # Errors
    /// When the store has failed.
    fn poll_durable(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, StoreError>>;
}

/// Why a session cannot be stored or read. This machine's trouble, never a server's.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the file.
    #[error("the session store {path} is in use by another process: stop that, or give this client a file of its own")]
    InUse {
        /// Which file.
        path: String,
    },
    /// It has another client's session.
    #[error(
        "the session store {path} is of the client \"{stored}\", not of \"{asked}\": give this client a file of its own"
    )]
    OtherClient {
        /// Which file.
        path: String,
        /// Whose it is.
        stored: String,
        /// Who wants to use it.
        asked: String,
    },
    /// It was written by a version that is not known to this one.
    #[error(
        "the session store {path} has the format {found}, and this version reads {known}: start the version that wrote it"
    )]
    Format {
        /// Which file.
        path: String,
        /// Its format.
        found: u32,
        /// What this version reads.
        known: u32,
    },
    /// What is in it makes no sense.
    #[error(
        "the session store {path} is damaged ({problem}): restore it from a copy, or move it away and lose what it has"
    )]
    Corrupt {
        /// Which file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The system or the engine refused.
    #[error("the session store failed: {0}")]
    Failed(Arc<dyn std::error::Error + Send + Sync>),
    /// A given store can serve one client.
    #[error("the session store was given to a client before: make one for each client")]
    Taken,
}

/// A store, if there is one, and the session that it has.
pub(crate) type Stored = (Option<Box<dyn SessionStore>>, Session);
type Opening = Pin<Box<dyn Future<Output = Result<Stored, StoreError>> + Send>>;

/// Which store a client is to have. A value and no enumeration: a program that chooses none does not carry what reads
/// stored sessions.
#[derive(Clone)]
pub(crate) struct Choice(Option<Arc<dyn Open>>);

impl Choice {
    pub(crate) const NONE: Self = Self(None);

    /// A store that the application made, for the first client that takes it.
    pub(crate) fn given(store: Box<dyn SessionStore>) -> Self {
        let store = Mutex::new(Some(store));
        Self::made_by(move || store.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(StoreError::Taken))
    }

    #[cfg(feature = "store")]
    pub(crate) fn file(path: std::path::PathBuf) -> Self {
        Self::made_by(move || Ok(Box::new(FileStore::open(&path)?)))
    }

    fn made_by(make: impl Fn() -> Result<Box<dyn SessionStore>, StoreError> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Maker(make))))
    }

    pub(crate) const fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Opens the store, and rebuilds what it has; the call waits for the disk. Without one, an empty session of which
    /// nothing is recorded.
    pub(crate) fn open(&self, client_id: &str) -> Result<Stored, StoreError> {
        match &self.0 {
            Some(store) => store.open(client_id),
            None => Ok((None, Session::new(LIMITS))),
        }
    }

    /// The same where no task stands still for the disk.
    pub(crate) async fn open_beside(&self, client_id: &str) -> Result<Stored, StoreError> {
        match &self.0 {
            Some(store) => Arc::clone(store).open_beside(client_id.to_owned()).await,
            None => self.open(client_id),
        }
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Choice").field(&self.is_some()).finish()
    }
}

/// What is taken from the application is bounded where it is taken.
const LIMITS: QueueLimits = QueueLimits { messages: usize::MAX, bytes: usize::MAX };

trait Open: Send + Sync {
    fn open(&self, client_id: &str) -> Result<Stored, StoreError>;

    fn open_beside(self: Arc<Self>, client_id: String) -> Opening;
}

/// Opens what the function makes.
struct Maker<F>(F);

impl<F> Open for Maker<F>
where
    F: Fn() -> Result<Box<dyn SessionStore>, StoreError> + Send + Sync + 'static,
{
    fn open(&self, client_id: &str) -> Result<Stored, StoreError> {
        let mut store = (self.0)()?;
        let records = store.load(client_id)?;
        let session = Session::restore(LIMITS, records).unwrap_or_else(|| Session::recorded(LIMITS));
        Ok((Some(store), session))
    }

    fn open_beside(self: Arc<Self>, client_id: String) -> Opening {
        Box::pin(async move {
            let opening = spawn_blocking(move || self.open(&client_id));
            opening.await.unwrap_or_else(|error| Err(StoreError::Failed(Arc::new(error))))
        })
    }
}
