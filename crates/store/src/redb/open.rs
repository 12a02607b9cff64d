//! How a file is opened.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, DatabaseError, StorageError};
use thiserror::Error;

use super::meta::{self, Found};
use super::trial::{Backend, Trial};
use super::unfinished::emptied;
use super::{RedbEngine, words};
use crate::disk::FileDisk;
use crate::{Disk, Durability, EngineError};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A client's session.
    Client,
    /// A broker's state. Its rows have checksums.
    Broker,
}

impl Kind {
    /// As the file says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Broker => "broker",
        }
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "plain settings with a default")]
pub struct RedbOptions {
    /// What it is for. Default: a client's session.
    pub kind: Kind,
    /// What a commit waits for. Default: the disk. [`Memory`](Durability::Memory) is as [`Os`](Durability::Os) here.
    pub durability: Durability,
    /// How much of the file is kept in memory, in bytes. Default 8 MiB.
    pub cache: usize,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { kind: Kind::Client, durability: Durability::Fsync, cache: 8 << 20 }
    }
}

/// Why a file cannot be opened. This machine's trouble.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RedbOpenError {
    /// Another process has it, or this one has it twice.
    #[error("{} is in use by another process: stop that, or use another file", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// It was not written by this engine, or is damaged. It is left as it was found, so that opening it again says the
    /// same: go on with a copy of it, or with none after moving it away.
    #[error("{} is damaged or no store ({why}): restore it from a copy, or move it away to start anew", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// The engine's words.
        why: String,
    },
    /// It was written by a version that writes otherwise. It is left as it was found.
    #[error(
        "{} has the format {found} and this program reads {known}: start the version that wrote it, or restore a backup",
        path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// What this version reads.
        known: String,
    },
    /// It is a store, and not for this.
    #[error("{} is a {found}'s store and a {wanted}'s is wanted: name another file", path.display())]
    Kind {
        /// Which file.
        path: PathBuf,
        /// What it is for.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The operating system refused.
    #[error("{} cannot be opened: {error}; see to the directory and its rights", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl RedbEngine {
    /// Opens the file of a client's session, or makes it where there is none, readable to its owner only (on Unix).
    /// What is in it is checked whole: a damaged file is an error, not a smaller store, and stays as it is. What a
    /// crash has left is no damage, and a file that was never made to the end, in which nothing is, is made anew. Of a
    /// file that was not closed, a last commit that is damaged cannot be told from one that was under way: such a file
    /// is as before that commit.
    ///
    /// The check reads the whole file, twice. Damage can make the engine panic, which is caught and is an error like
    /// the rest; the program's panic hook hears of it, and a program built with `panic = "abort"` ends.
    ///
    /// # Errors
    /// When another process has it, when it is damaged or something else, and when the system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbOpenError> {
        Self::open_with(path, &RedbOptions::default())
    }

    /// The same for other uses.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it is of another kind or format.
    pub fn open_with(path: impl AsRef<Path>, options: &RedbOptions) -> Result<Self, RedbOpenError> {
        let path = path.as_ref();
        let disk = FileDisk::open(path, options.durability)
            .map_err(|error| RedbOpenError::Io { path: path.to_owned(), error })?;
        Self::on_disk(disk, path, options)
    }

    /// The same on a disk of the caller's, called `name` in errors; its durability is the disk's.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn on_disk(disk: impl Disk, name: impl AsRef<Path>, options: &RedbOptions) -> Result<Self, RedbOpenError> {
        let path = name.as_ref();
        let io = |error| RedbOpenError::Io { path: path.to_owned(), error };
        if !disk.lock().map_err(io)? {
            return Err(RedbOpenError::InUse { path: path.to_owned() });
        }
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let opened = Self::on_locked(&disk, path, options);
        if opened.is_err() {
            // The engine closes it too, but not when it panics.
            drop(disk.close());
        }
        opened
    }

    fn on_locked(disk: &Arc<dyn Disk>, path: &Path, options: &RedbOptions) -> Result<Self, RedbOpenError> {
        let io = |error| RedbOpenError::Io { path: path.to_owned(), error };
        emptied(&**disk).map_err(io)?;
        let trial = Arc::new(Trial::new(Arc::clone(disk)).map_err(io)?);
        let database = caught(path, || {
            // The check is part of the opening, so that the file is not read again for it.
            let mut builder = Database::builder();
            builder.set_cache_size(options.cache).set_check_integrity_on_open(true);
            builder.create_with_backend(Backend(Arc::clone(&trial)))
        })?;
        let found = meta::check(&database, options.kind).map_err(|error| match error {
            EngineError::Io(error) => io(error),
            other => RedbOpenError::Corrupt { path: path.to_owned(), why: other.to_string() },
        })?;
        let path = path.to_owned();
        match found {
            Found::Known => {}
            Found::Format(found) => {
                let (found, known) = (found.to_string(), meta::known().to_string());
                return Err(RedbOpenError::Format { path, found, known });
            }
            Found::Kind(found) => return Err(RedbOpenError::Kind { path, found, wanted: options.kind.as_str() }),
            Found::Nothing => {
                let why = "it has rows and does not say of which program".to_owned();
                return Err(RedbOpenError::Corrupt { path, why });
            }
        }
        trial.keep().map_err(|error| RedbOpenError::Io { path: path.clone(), error })?;
        let checksums = options.kind == Kind::Broker;
        Ok(Self { database: Arc::new(database), path, checksums, trial })
    }
}

/// What the engine says, also by a panic.
fn caught<T>(path: &Path, act: impl FnOnce() -> Result<T, DatabaseError>) -> Result<T, RedbOpenError> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(outcome) => outcome.map_err(|error| open_error(path, error)),
        Err(panic) => Err(RedbOpenError::Corrupt { path: path.to_owned(), why: words(&*panic).to_owned() }),
    }
}

fn open_error(path: &Path, error: DatabaseError) -> RedbOpenError {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => RedbOpenError::InUse { path },
        DatabaseError::UpgradeRequired(found) => {
            let found = format!("{found} of the engine's file");
            RedbOpenError::Format { path, found, known: "3".to_owned() }
        }
        DatabaseError::Storage(StorageError::Io(error)) if !matches!(error.kind(), InvalidData | UnexpectedEof) => {
            RedbOpenError::Io { path, error }
        }
        DatabaseError::Storage(StorageError::Io(error)) => RedbOpenError::Corrupt { path, why: error.to_string() },
        other => RedbOpenError::Corrupt { path, why: other.to_string() },
    }
}
