//! The other engine, behind the same trait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use gridmq_store::{Engine, EngineError, Key, Operation, Page, Reader, Table, WriteBatch};

/// One keyspace for each table.
#[derive(Clone)]
pub struct FjallEngine {
    database: Database,
    keyspaces: Arc<Mutex<BTreeMap<&'static str, Keyspace>>>,
}

fn failed(error: fjall::Error) -> EngineError {
    EngineError::Other(Box::new(error))
}

impl FjallEngine {
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let database = Database::builder(path).open().map_err(failed)?;
        Ok(Self { database, keyspaces: Arc::default() })
    }

    fn keyspace(&self, table: Table) -> Result<Keyspace, EngineError> {
        let mut keyspaces = self.keyspaces.lock().expect("no panic while it is held");
        if let Some(keyspace) = keyspaces.get(table.name()) {
            return Ok(keyspace.clone());
        }
        let keyspace = self.database.keyspace(table.name(), KeyspaceCreateOptions::default).map_err(failed)?;
        keyspaces.insert(table.name(), keyspace.clone());
        Ok(keyspace)
    }
}

impl Engine for FjallEngine {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let mut all = self.database.batch().durability(Some(PersistMode::SyncData));
        for operation in batches.iter().flat_map(WriteBatch::operations) {
            let keyspace = self.keyspace(operation.table())?;
            match operation {
                Operation::Put(_, key, value) | Operation::Insert(_, key, value) => {
                    all.insert(&keyspace, &key.as_bytes()[..], &value[..]);
                }
                Operation::Delete(_, key) => all.remove(&keyspace, &key.as_bytes()[..]),
                Operation::DeletePrefix(_, prefix) => {
                    for row in keyspace.prefix(&prefix.as_bytes()[..]) {
                        all.remove(&keyspace, row.key().map_err(failed)?);
                    }
                }
            }
        }
        all.commit().map_err(failed)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl Reader for FjallEngine {
    fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, EngineError> {
        let value = self.keyspace(table)?.get(&key.as_bytes()[..]).map_err(failed)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, table: Table, prefix: &Key, from: Option<&Key>, limit: usize) -> Result<Page, EngineError> {
        let start = from.map_or(prefix, |from| from.max(prefix));
        let mut entries = Vec::new();
        for row in self.keyspace(table)?.range(&start.as_bytes()[..]..) {
            let (key, value) = row.into_inner().map_err(failed)?;
            let key = Key::from_bytes(Bytes::copy_from_slice(&key)).map_err(|e| EngineError::Corrupt(e.to_string()))?;
            if !key.starts_with(prefix) {
                break;
            }
            if entries.len() == limit {
                return Ok(Page::new(entries, Some(key)));
            }
            entries.push((key, Bytes::copy_from_slice(&value)));
        }
        Ok(Page::new(entries, None))
    }
}
