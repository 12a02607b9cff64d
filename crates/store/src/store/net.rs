//! What a group of batches changes in the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{Key, Operation, Table, WriteBatch};

#[derive(Debug, Default)]
struct Changes {
    /// Applied first: what came before one of these is forgotten, so that all values are of later.
    prefixes: BTreeSet<Key>,
    keys: BTreeMap<Key, Change>,
}

#[derive(Debug)]
enum Change {
    Put(Bytes),
    /// The key has no value in the engine.
    Insert(Bytes),
    Delete,
}

/// One batch that leaves what all of them would, table by table and in the order of keys. What comes and goes within
/// the group is not in it.
pub(super) fn net(group: &[WriteBatch]) -> WriteBatch {
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
                    Some(Change::Insert(_)) | None => Change::Insert(value.clone()),
                };
                keys.insert(key.clone(), change);
            }
            Operation::Delete(table, key) => {
                let keys = &mut tables.entry(*table).or_default().keys;
                if !matches!(keys.remove(key), Some(Change::Insert(_))) {
                    keys.insert(key.clone(), Change::Delete);
                }
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
        for (key, change) in keys {
            match change {
                Change::Put(value) => batch.put(table, key, value),
                Change::Insert(value) => batch.insert(table, key, value),
                Change::Delete => batch.delete(table, key),
            };
        }
    }
    batch
}
