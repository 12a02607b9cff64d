//! What a group of batches changes in the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{Key, Operation, Reader, Table, WriteBatch};

#[derive(Debug, Default)]
struct Changes {
    /// Applied first: what came before one of these is forgotten, so that all values are of later.
    prefixes: BTreeSet<Key>,
    keys: BTreeMap<Key, Change>,
}

#[derive(Debug)]
enum Change {
    Put(Bytes),
    /// The key has no value in the engine, as whoever inserted it says.
    Insert(Bytes),
    /// It was inserted, and went again.
    Gone,
    Delete,
}

/// One batch that leaves what all of them would, table by table and in the order of keys. What is inserted and goes
/// within the group is not in it, unless `reader` finds that the key has a value of before.
pub(super) fn net(group: &[WriteBatch], reader: &dyn Reader) -> WriteBatch {
    let mut tables = BTreeMap::<Table, Changes>::new();
    for operation in group.iter().flat_map(WriteBatch::operations) {
        match operation {
            Operation::Put(table, key, value) => {
                let keys = &mut tables.entry(*table).or_default().keys;
                let change = match keys.get(key) {
                    Some(Change::Insert(_)) => Change::Insert(value.clone()),
                    _ => Change::Put(value.clone()),
                };
                keys.insert(key.clone(), change);
            }
            Operation::Insert(table, key, value) => {
                let keys = &mut tables.entry(*table).or_default().keys;
                let change = match keys.get(key) {
                    // It had a value before this group, which is to be replaced.
                    Some(Change::Put(_) | Change::Delete) => Change::Put(value.clone()),
                    Some(Change::Insert(_) | Change::Gone) | None => Change::Insert(value.clone()),
                };
                keys.insert(key.clone(), change);
            }
            Operation::Delete(table, key) => {
                let keys = &mut tables.entry(*table).or_default().keys;
                let change = match keys.get(key) {
                    Some(Change::Insert(_) | Change::Gone) => Change::Gone,
                    _ => Change::Delete,
                };
                keys.insert(key.clone(), change);
            }
            Operation::DeletePrefix(table, prefix) => {
                let Changes { prefixes, keys } = tables.entry(*table).or_default();
                let gone: Vec<Key> = keys
                    .range(prefix..)
                    .map(|(key, _)| key.clone())
                    .take_while(|key| key.starts_with(prefix))
                    .collect();
                for key in gone {
                    keys.remove(&key);
                }
                prefixes.insert(prefix.clone());
            }
        }
    }
    let mut batch = WriteBatch::new();
    for (table, Changes { prefixes, keys }) in tables {
        for prefix in prefixes {
            batch.delete_prefix(table, prefix);
        }
        let gone: Vec<&Key> =
            keys.iter().filter(|(_, change)| matches!(change, Change::Gone)).map(|(key, _)| key).collect();
        let mut had = had_values(reader, table, &gone).into_iter();
        for (key, change) in keys {
            match change {
                Change::Put(value) => batch.put(table, key, value),
                Change::Insert(value) => batch.insert(table, key, value),
                // Only what is committed is read, and nobody else commits.
                Change::Gone if !had.next().unwrap_or(true) => &mut batch,
                Change::Gone | Change::Delete => batch.delete(table, key),
            };
        }
    }
    batch
}

/// Which of these keys have a value; all, if that cannot be read.
fn had_values(reader: &dyn Reader, table: Table, keys: &[&Key]) -> Vec<bool> {
    if keys.is_empty() {
        return Vec::new();
    }
    reader.present(table, keys).ok().filter(|had| had.len() == keys.len()).unwrap_or_else(|| vec![true; keys.len()])
}
