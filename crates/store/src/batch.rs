//! What one submission changes.

use bytes::Bytes;

use crate::{Key, Table};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an engine must carry out every one")]
pub enum Operation {
    /// The key has this value from now on.
    Put(Table, Key, Bytes),
    /// The same, of a key that should have no value yet. If it has one, it is replaced.
    Insert(Table, Key, Bytes),
    /// The key has no value any more; it need not have had one.
    Delete(Table, Key),
    /// No key that begins with this one has a value any more.
    DeletePrefix(Table, Key),
}

impl Operation {
    /// What is changed.
    #[must_use]
    pub const fn table(&self) -> Table {
        let (Self::Put(table, ..) | Self::Insert(table, ..) | Self::Delete(table, ..) | Self::DeletePrefix(table, ..)) =
            self;
        *table
    }
}

/// Changes that become durable together, over any tables, applied in the order of the calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    operations: Vec<Operation>,
    bytes: usize,
}

impl WriteBatch {
    /// What an operation weighs beside its key and value.
    const OVERHEAD: usize = 64;

    /// A batch without changes.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: Vec::new(), bytes: 0 }
    }

    /// Sets the value of a key.
    pub fn put(&mut self, table: Table, key: Key, value: impl Into<Bytes>) -> &mut Self {
        let value = value.into();
        self.push(key.as_bytes().len() + value.len(), Operation::Put(table, key, value))
    }

    /// Sets the value of a key that should have none. If such a value goes again before it was written, neither is
    /// written, where [`put`](Self::put) would leave the removal. Of a key that has a value after all, it is a `put`.
    pub fn insert(&mut self, table: Table, key: Key, value: impl Into<Bytes>) -> &mut Self {
        let value = value.into();
        self.push(key.as_bytes().len() + value.len(), Operation::Insert(table, key, value))
    }

    /// Removes the value of a key, if it has one.
    pub fn delete(&mut self, table: Table, key: Key) -> &mut Self {
        self.push(key.as_bytes().len(), Operation::Delete(table, key))
    }

    /// Removes the value of every key that begins with `prefix`.
    pub fn delete_prefix(&mut self, table: Table, prefix: Key) -> &mut Self {
        self.push(prefix.as_bytes().len(), Operation::DeletePrefix(table, prefix))
    }

    fn push(&mut self, bytes: usize, operation: Operation) -> &mut Self {
        self.bytes = self.bytes.saturating_add(bytes + Self::OVERHEAD);
        self.operations.push(operation);
        self
    }

    /// The changes, in order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many changes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing is changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// About how much memory it takes while it waits, in bytes: keys, values and a constant for each change.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}
