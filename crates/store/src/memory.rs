//! An engine that keeps everything in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::{Engine, EngineError, Key, Operation, Page, Reader, Row, Table, WriteBatch};

type Rows = BTreeMap<Key, Bytes>;

/// Tables in memory. A clone is a handle on the same tables, so that a second store can find what a first one wrote.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    tables: Arc<RwLock<BTreeMap<Table, Rows>>>,
}

impl MemoryEngine {
    /// Tables with nothing in them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows there are in all tables.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tables.read().values().map(BTreeMap::len).sum()
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEngine").field("rows", &self.rows()).finish()
    }
}

impl Engine for MemoryEngine {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let mut tables = self.tables.write();
        for operation in batches.iter().flat_map(WriteBatch::operations) {
            match operation {
                Operation::Put(table, key, value) | Operation::Insert(table, key, value) => {
                    tables.entry(*table).or_default().insert(key.clone(), value.clone());
                }
                Operation::Delete(table, key) => {
                    if let Some(rows) = tables.get_mut(table) {
                        rows.remove(key);
                    }
                }
                Operation::DeletePrefix(table, prefix) => {
                    if let Some(rows) = tables.get_mut(table) {
                        let gone: Vec<Key> = under(rows, prefix, None).map(|(key, _)| key.clone()).collect();
                        for key in &gone {
                            rows.remove(key);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl Reader for MemoryEngine {
    fn get(&self, table: Table, key: &Key) -> Result<Option<Bytes>, EngineError> {
        Ok(self.tables.read().get(&table).and_then(|rows| rows.get(key)).cloned())
    }

    fn scan(&self, table: Table, prefix: &Key, from: Option<&Key>, limit: usize) -> Result<Page, EngineError> {
        let tables = self.tables.read();
        let Some(rows) = tables.get(&table) else { return Ok(Page::default()) };
        let mut found = under(rows, prefix, from);
        let entries = found.by_ref().take(limit).map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Page::new(entries, found.next().map(|(key, _)| key.clone())))
    }

    fn export(&self, each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>) -> Result<(), EngineError> {
        for (table, rows) in &*self.tables.read() {
            for (key, value) in rows {
                if each(Row { table: table.name(), key: key.as_bytes(), value }).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The rows under `prefix`, beginning at `from`.
fn under<'a>(rows: &'a Rows, prefix: &'a Key, from: Option<&'a Key>) -> impl Iterator<Item = (&'a Key, &'a Bytes)> {
    let start = from.map_or(prefix, |from| from.max(prefix));
    rows.range(start..).take_while(move |(key, _)| key.starts_with(prefix))
}
