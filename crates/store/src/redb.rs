//! An engine in one file.

mod trial;
mod unfinished;

use std::any::Any;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};
use thiserror::Error;

use self::trial::Trial;
use self::unfinished::emptied;
use crate::{Engine, EngineError, Key, Operation, Page, Reader, Table, WriteBatch};

/// How much of the file is kept in memory, in bytes.
const CACHE: usize = 8 << 20;

/// Tables in one file. A commit returns once the system has written it to the disk (`fsync`).
///
/// One process at a time has the file open. What a crash or a loss of power leaves behind is the state after one of the
/// commits, never a part of one.
#[derive(Clone)]
pub struct RedbEngine {
    database: Arc<Database>,
    path: PathBuf,
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
    /// Opens the file, or makes it where there is none, readable to its owner only (on Unix). What is in it is checked
    /// whole: a damaged file is an error, not a smaller store, and stays as it is. What a crash has left is no damage,
    /// and a file that was never made to the end, in which nothing is, is made anew. Of a file that was not closed, a
    /// last commit that is damaged cannot be told from one that was under way: such a file is as before that commit.
    ///
    /// The check reads the whole file. Damage can make the engine panic, which is caught and is an error like the rest;
    /// the program's panic hook hears of it, and a program built with `panic = "abort"` ends.
    ///
    /// # Errors
    /// When another process has it, when it is damaged or something else, and when the system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbOpenError> {
        let path = path.as_ref().to_owned();
        let io = |error| RedbOpenError::Io { path: path.clone(), error };
        let file = || open_file(&path).map_err(io);
        let making = file()?;
        caught(&path, || Ok(emptied(&FileBackend::new(making)?)?))?;
        if file()?.metadata().map_err(io)?.len() > 0 {
            sound(&path, file()?)?;
        }
        let file = file()?;
        let create = || Database::builder().set_cache_size(CACHE).create_with_backend(FileBackend::new(file)?);
        let database = caught(&path, create)?;
        Ok(Self { database: Arc::new(database), path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // There are payloads in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether all that is in the file is as it was written, or as a crash has left it.
fn sound(path: &Path, file: File) -> Result<(), RedbOpenError> {
    let sound = caught(path, || {
        let trial = Trial::new(FileBackend::new(file)?)?;
        Database::builder().set_cache_size(CACHE).create_with_backend(trial)?.check_integrity()
    });
    if sound? {
        return Ok(());
    }
    Err(RedbOpenError::Corrupt { path: path.to_owned(), why: "a checksum does not fit".to_owned() })
}

/// What the engine says, also by a panic.
fn caught<T>(path: &Path, act: impl FnOnce() -> Result<T, DatabaseError>) -> Result<T, RedbOpenError> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(outcome) => outcome.map_err(|error| open_error(path, error)),
        Err(panic) => Err(RedbOpenError::Corrupt { path: path.to_owned(), why: words(&*panic).to_owned() }),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "it makes no sense",
    }
}

fn open_error(path: &Path, error: DatabaseError) -> RedbOpenError {
    use io::ErrorKind::{InvalidData, UnexpectedEof};
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => RedbOpenError::InUse { path },
        DatabaseError::Storage(StorageError::Io(error)) if !matches!(error.kind(), InvalidData | UnexpectedEof) => {
            RedbOpenError::Io { path, error }
        }
        other => RedbOpenError::Corrupt { path, why: other.to_string() },
    }
}

impl fmt::Debug for RedbEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbEngine").field("path", &self.path).finish_non_exhaustive()
    }
}

const fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

impl Engine for RedbEngine {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let transaction = self.database.begin_write().map_err(failed)?;
        for operation in batches.iter().flat_map(WriteBatch::operations) {
            let (Operation::Put(table, ..) | Operation::Delete(table, ..) | Operation::DeletePrefix(table, ..)) =
                operation;
            let mut rows = transaction.open_table(definition(*table)).map_err(failed)?;
            match operation {
                Operation::Put(_, key, value) => {
                    rows.insert(&key.as_bytes()[..], &value[..]).map_err(failed)?;
                }
                Operation::Delete(_, key) => {
                    rows.remove(&key.as_bytes()[..]).map_err(failed)?;
                }
                Operation::DeletePrefix(_, prefix) => {
                    let prefix = &prefix.as_bytes()[..];
                    let mut gone = Vec::new();
                    for row in rows.range::<&[u8]>(prefix..).map_err(failed)? {
                        let (key, _) = row.map_err(failed)?;
                        if !key.value().starts_with(prefix) {
                            break;
                        }
                        gone.push(key.value().to_vec());
                    }
                    for key in gone {
                        rows.remove(&key[..]).map_err(failed)?;
                    }
                }
            }
        }
        transaction.commit().map_err(failed)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl Reader for RedbEngine {
    fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, EngineError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let rows = match transaction.open_table(definition(table)) {
            Ok(rows) => rows,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let value = rows.get(&key.as_bytes()[..]).map_err(failed)?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn scan(&self, table: Table, prefix: &Key, from: Option<&Key>, limit: usize) -> Result<Page, EngineError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let rows = match transaction.open_table(definition(table)) {
            Ok(rows) => rows,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Page::default()),
            Err(error) => return Err(failed(error)),
        };
        let start = from.map_or(prefix, |from| from.max(prefix));
        let range = (Bound::Included(&start.as_bytes()[..]), Bound::Unbounded);
        let mut entries = Vec::new();
        for row in rows.range::<&[u8]>(range).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let key = Key::from_bytes(Bytes::copy_from_slice(key.value()))
                .map_err(|error| EngineError::Corrupt(error.to_string()))?;
            if !key.starts_with(prefix) {
                break;
            }
            if entries.len() == limit {
                return Ok(Page::new(entries, Some(key)));
            }
            entries.push((key, Bytes::copy_from_slice(value.value())));
        }
        Ok(Page::new(entries, None))
    }
}

fn failed(error: impl Into<redb::Error>) -> EngineError {
    match error.into() {
        redb::Error::Io(error) => EngineError::Io(error),
        redb::Error::Corrupted(why) => EngineError::Corrupt(why),
        other => EngineError::Other(Box::new(other)),
    }
}
