//! What an engine has to be able to do.

use std::error::Error as StdError;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::{Key, Room, Table, WriteBatch};

/// The writing side of an engine, owned by whoever commits.
pub trait Engine: Send + 'static {
    /// Applies these batches in order and makes them durable: all of them or none.
    ///
    /// # Errors
    /// When it cannot promise that. The store then commits nothing more to this engine.
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError>;

    /// The reading side, which sees what is committed and nothing else, from any thread, during commits too.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Whom to tell of a full disk, and to ask how long to wait. An engine that cannot wait fails instead.
    fn attach(&mut self, room: Arc<Room>) {
        drop(room);
    }
}

/// The reading side of an engine.
pub trait Reader: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, EngineError>;

    /// Which of these keys have a value, in the same order.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn present(&self, table: Table, keys: &[&Key]) -> Result<Vec<bool>, EngineError> {
        keys.iter().map(|key| Ok(self.get(table, key)?.is_some())).collect()
    }

    /// At most `limit` keys, in order, that begin with `prefix`, beginning at `from`, with their values.
    /// Pages are read one by one, so that a large table does not stop whoever reads it; each page sees what is
    /// committed when it is read.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn scan(&self, table: Table, prefix: &Key, from: Option<&Key>, limit: usize) -> Result<Page, EngineError>;

    /// The rows of a table from `from` on and before `to`, in order, as they are now. Nothing: the engine reads
    /// [pages](Self::scan) only.
    ///
    /// # Errors
    /// When the engine cannot read.
    fn rows(&self, table: Table, from: &Key, to: Option<&Key>) -> Result<Option<Box<dyn Rows>>, EngineError> {
        let _ = (table, from, to);
        Ok(None)
    }

    /// Hands every row of every table to `each`, all as they were at one time, until it breaks off.
    ///
    /// # Errors
    /// When the engine cannot read, or cannot do this.
    fn export(&self, each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>) -> Result<(), EngineError> {
        let _ = each;
        Err(EngineError::Io(io::ErrorKind::Unsupported.into()))
    }
}

/// A row's key and value.
pub type KeyValue<'a> = (&'a [u8], &'a [u8]);

/// Rows of one table, in the order of their keys.
pub trait Rows {
    /// The next one, lent until the one after it is asked for.
    ///
    /// # Errors
    /// When the engine cannot read, and for a row that is not what was written.
    fn next(&mut self) -> Result<Option<KeyValue<'_>>, EngineError>;
}

/// A row of any table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "this is what a row is")]
pub struct Row<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The key's bytes.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// A part of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// Keys in order, and their values.
    pub entries: Vec<(Key, Bytes)>,
    /// Where the next page begins; nothing when this was the last.
    pub next: Option<Key>,
}

impl Page {
    /// A page of these entries, with the key of the one that would have followed.
    #[must_use]
    pub const fn new(entries: Vec<(Key, Bytes)>, next: Option<Key>) -> Self {
        Self { entries, next }
    }
}

/// Why an engine could not do its work. Always this machine's trouble, never a peer's.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The operating system refused: disk full, read-only, not permitted.
    #[error("the store cannot be used: {0}; see to the disk and its rights, then start again")]
    Io(#[from] io::Error),
    /// What is stored makes no sense.
    #[error("the store is damaged: {0}; restore it from a copy or move it away")]
    Corrupt(String),
    /// A row is not the one that was written.
    #[error(
        "the store is damaged: the row {key:?} of the table \"{table}\" is not what was written; restore it from a copy \
         or move it away"
    )]
    Row {
        /// Where.
        table: &'static str,
        /// Which.
        key: Key,
    },
    /// The engine's own words.
    #[error("the store failed: {0}")]
    Other(Box<dyn StdError + Send + Sync>),
    /// The writer ended in the middle of its work.
    #[error("the store's writer stopped unexpectedly; the log says why")]
    Stopped,
}
