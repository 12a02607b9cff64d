//! The engine in a file does what the engine in memory does, and finds it again.
#![cfg(feature = "redb")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_store::{
    Engine, Key, MemoryEngine, NamespaceId, Options, Reader, RedbEngine, RedbOpenError, Store, Table, WriteBatch,
};
use proptest::prelude::*;

const TABLES: [Table; 2] = [Table::new("one"), Table::new("two")];

fn key(name: u8, more: bool) -> Key {
    let first = [name];
    if more { Key::new(NamespaceId::DEFAULT, &[&first, b"x"]) } else { Key::new(NamespaceId::DEFAULT, &[&first]) }
}

fn batches() -> impl Strategy<Value = Vec<WriteBatch>> {
    let operation = (0..2_usize, 0..4_u8, any::<bool>(), 0..3_u8, any::<u16>());
    prop::collection::vec(prop::collection::vec(operation, 0..8), 1..8).prop_map(|batches| {
        let batches = batches.into_iter().map(|operations| {
            let mut batch = WriteBatch::new();
            for (table, name, more, what, value) in operations {
                match what {
                    0 => batch.put(TABLES[table], key(name, more), value.to_be_bytes().to_vec()),
                    1 => batch.delete(TABLES[table], key(name, more)),
                    _ => batch.delete_prefix(TABLES[table], key(name, more)),
                };
            }
            batch
        });
        batches.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_file_holds_what_memory_would(batches in batches(), limit in 1..5_usize) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let mut memory = MemoryEngine::new();
        let mut file = RedbEngine::open(&path).unwrap();
        for batch in batches {
            memory.commit(std::slice::from_ref(&batch)).unwrap();
            file.commit(&[batch]).unwrap();
        }
        drop(file);
        let file = RedbEngine::open(&path).unwrap();
        let all = Key::new(NamespaceId::DEFAULT, &[]);
        for table in TABLES {
            let mut from = None;
            loop {
                let page = Reader::scan(&file, table, &all, from.as_ref(), limit).unwrap();
                prop_assert_eq!(&page, &Reader::scan(&memory, table, &all, from.as_ref(), limit).unwrap());
                for (key, value) in page.entries {
                    prop_assert_eq!(Reader::get(&file, table, &key).unwrap(), Some(value));
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
    }
}

#[test]
fn what_was_submitted_is_there_after_the_last_handle_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = Store::open(RedbEngine::open(&path).unwrap(), Options::default()).unwrap();
    let mut batch = WriteBatch::new();
    batch.put(TABLES[0], key(1, false), "value");
    store.submit(batch).unwrap();
    assert!(matches!(RedbEngine::open(&path), Err(RedbOpenError::InUse { .. })));
    drop(store);
    let engine = RedbEngine::open(&path).unwrap();
    assert_eq!(Reader::get(&engine, TABLES[0], &key(1, false)).unwrap().unwrap(), "value");
    assert_eq!(Reader::get(&engine, TABLES[1], &key(1, false)).unwrap(), None);
}
