//! An engine in one file.

mod checksum;
mod meta;
mod open;
mod rows;
mod trial;
mod unfinished;

use std::any::Any;
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle, WriteTransaction};

pub use self::open::{Kind, RedbOpenError, RedbOptions};
use self::rows::RedbRows;
use self::trial::Trial;
use crate::{Engine, EngineError, Key, Operation, Page, Reader, Room, Row, Rows, Table, WriteBatch};

/// Tables in one file. A commit returns once the system has written it to the disk (`fsync`), unless
/// [`RedbOptions::durability`] says otherwise.
///
/// One process at a time has the file open. What a crash or a loss of power leaves behind is the state after one of the
/// commits, never a part of one.
#[derive(Clone)]
pub struct RedbEngine {
    database: Arc<Database>,
    path: PathBuf,
    /// Each value is followed by its checksum.
    checksums: bool,
    trial: Arc<Trial>,
}

impl RedbEngine {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn value(&self, table: Table, key: &[u8], stored: &[u8]) -> Result<Bytes, EngineError> {
        if !self.checksums {
            return Ok(Bytes::copy_from_slice(stored));
        }
        let value = checksum::checked(table.name(), key, stored);
        value.map(Bytes::copy_from_slice).ok_or_else(|| row_error(table, key))
    }
}

/// A row whose checksum does not fit.
fn row_error(table: Table, key: &[u8]) -> EngineError {
    let named = Key::from_bytes(Bytes::copy_from_slice(key)).unwrap_or_else(|_| Key::new(<_>::default(), &[key]));
    EngineError::Row { table: table.name(), key: named }
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
        caught(|| {
            let transaction = self.database.begin_write().map_err(failed)?;
            self.apply(&transaction, batches)?;
            transaction.commit().map_err(failed)
        })
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    fn attach(&mut self, room: Arc<Room>) {
        self.trial.attach(room);
    }
}

impl RedbEngine {
    /// A table stays open as long as the changes are of it: a group comes sorted.
    fn apply(&self, transaction: &WriteTransaction, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let mut opened = None;
        let mut with_checksum = Vec::new();
        for operation in batches.iter().flat_map(WriteBatch::operations) {
            let table = operation.table();
            let mut rows = match opened.take() {
                Some((other, rows)) if other == table => rows,
                other => {
                    drop(other);
                    transaction.open_table(definition(table)).map_err(failed)?
                }
            };
            match operation {
                Operation::Put(_, key, value) | Operation::Insert(_, key, value) => {
                    let key = &key.as_bytes()[..];
                    let value = if self.checksums {
                        checksum::append(&mut with_checksum, table.name(), key, value)
                    } else {
                        &value[..]
                    };
                    rows.insert(key, value).map_err(failed)?;
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
            opened = Some((table, rows));
        }
        Ok(())
    }
}

impl Reader for RedbEngine {
    fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, EngineError> {
        caught(|| {
            let transaction = self.database.begin_read().map_err(failed)?;
            let rows = match transaction.open_table(definition(table)) {
                Ok(rows) => rows,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            let key = &key.as_bytes()[..];
            let value = rows.get(key).map_err(failed)?;
            value.map(|value| self.value(table, key, value.value())).transpose()
        })
    }

    fn present(&self, table: Table, keys: &[&Key]) -> Result<Vec<bool>, EngineError> {
        caught(|| {
            let transaction = self.database.begin_read().map_err(failed)?;
            let rows = match transaction.open_table(definition(table)) {
                Ok(rows) => rows,
                Err(TableError::TableDoesNotExist(_)) => return Ok(vec![false; keys.len()]),
                Err(error) => return Err(failed(error)),
            };
            keys.iter().map(|key| Ok(rows.get(&key.as_bytes()[..]).map_err(failed)?.is_some())).collect()
        })
    }

    fn scan(&self, table: Table, prefix: &Key, from: Option<&Key>, limit: usize) -> Result<Page, EngineError> {
        caught(|| {
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
                let value = |key: &Key| self.value(table, key.as_bytes(), value.value());
                let key = Key::from_bytes(Bytes::copy_from_slice(key.value()))
                    .map_err(|error| EngineError::Corrupt(error.to_string()))?;
                if !key.starts_with(prefix) {
                    break;
                }
                if entries.len() == limit {
                    return Ok(Page::new(entries, Some(key)));
                }
                let value = value(&key)?;
                entries.push((key, value));
            }
            Ok(Page::new(entries, None))
        })
    }

    fn rows(&self, table: Table, from: &Key, to: Option<&Key>) -> Result<Option<Box<dyn Rows>>, EngineError> {
        Ok(Some(Box::new(RedbRows::new(self, table, from, to)?)))
    }

    fn export(&self, each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>) -> Result<(), EngineError> {
        caught(|| {
            let transaction = self.database.begin_read().map_err(failed)?;
            for table in transaction.list_tables().map_err(failed)?.filter(|table| table.name() != meta::TABLE) {
                let rows = TableDefinition::<&[u8], &[u8]>::new(table.name());
                for row in transaction.open_table(rows).map_err(failed)?.range::<&[u8]>(..).map_err(failed)? {
                    let (key, value) = row.map_err(failed)?;
                    let value = if self.checksums {
                        checksum::checked(table.name(), key.value(), value.value()).ok_or_else(|| {
                            let why = "a row is not what was written";
                            EngineError::Corrupt(format!("table \"{}\": {why}", table.name()))
                        })?
                    } else {
                        value.value()
                    };
                    if each(Row { table: table.name(), key: key.value(), value }).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }
}

impl RedbEngine {
    /// Enters rows of any tables, in one commit.
    pub(crate) fn import(&self, rows: &[OwnedRow]) -> Result<(), EngineError> {
        caught(|| {
            let transaction = self.database.begin_write().map_err(failed)?;
            let mut with_checksum = Vec::new();
            for rows in rows.chunk_by(|one, other| one.table == other.table) {
                let Some(OwnedRow { table, .. }) = rows.first() else { continue };
                let mut into = transaction.open_table(TableDefinition::<&[u8], &[u8]>::new(table)).map_err(failed)?;
                for OwnedRow { key, value, .. } in rows {
                    let value =
                        if self.checksums { checksum::append(&mut with_checksum, table, key, value) } else { value };
                    into.insert(&key[..], value).map_err(failed)?;
                }
            }
            transaction.commit().map_err(failed)
        })
    }
}

/// A row of a backup.
#[derive(Debug)]
pub(crate) struct OwnedRow {
    /// Not empty.
    pub(crate) table: String,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// What the engine does, also when it panics, as damage can make it.
fn caught<T>(act: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(EngineError::Corrupt(words(&*panic).to_owned())))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "it makes no sense",
    }
}

fn failed(error: impl Into<redb::Error>) -> EngineError {
    match error.into() {
        redb::Error::Io(error) => EngineError::Io(error),
        redb::Error::Corrupted(why) => EngineError::Corrupt(why),
        other => EngineError::Other(Box::new(other)),
    }
}
