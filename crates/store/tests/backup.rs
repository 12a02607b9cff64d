//! A backup is of one time, and is restored whole or not at all.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::Cursor;
use std::path::Path;

use gridmq_store::{
    BackupError, Durability, Key, MemoryEngine, NamespaceId, OpenError, Options, RedbOpenError, RestoreError, Store,
    Table, WriteBatch,
};

const TABLES: [Table; 2] = [Table::new("one"), Table::new("two")];

fn open(directory: &Path) -> Store {
    Store::open_directory(directory, Durability::Fsync, Options::default()).unwrap().unwrap()
}

fn fill(store: &Store) {
    for round in 0..20_u8 {
        let mut batch = WriteBatch::new();
        for row in 0..10_u8 {
            let table = TABLES[usize::from(row % 2)];
            batch.put(table, Key::new(NamespaceId::new(row.into()), &[&[round], b"x"]), vec![round; 1000]);
        }
        store.submit(batch).unwrap();
    }
    store.close().unwrap();
}

fn rows(store: &Store) -> Vec<(Key, bytes::Bytes)> {
    let mut rows = Vec::new();
    for table in TABLES {
        for namespace in 0..10 {
            rows.extend(store.scan(table, &Key::new(NamespaceId::new(namespace), &[]), None, 1000).unwrap().entries);
        }
    }
    rows
}

#[test]
fn what_is_restored_is_what_was_backed_up() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(from.path());
    fill(&store);
    let mut backup = Vec::new();
    assert_eq!(store.backup(&mut backup).unwrap(), 200);
    assert_eq!(Store::restore_directory(to.path(), Cursor::new(&backup)).unwrap(), 200);
    let restored = open(to.path());
    assert_eq!(rows(&restored), rows(&store));
    assert_eq!(rows(&restored).len(), 200);
    let error = Store::restore_directory(to.path(), Cursor::new(&backup)).unwrap_err();
    assert!(matches!(error, RestoreError::Exists { .. }));
    assert!(matches!(
        Store::open_directory(to.path(), Durability::Os, Options::default()),
        Err(OpenError::File(RedbOpenError::InUse { .. }))
    ));
}

#[test]
fn a_backup_that_is_cut_or_damaged_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::immediate(MemoryEngine::new());
    fill(&store);
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        let error = Store::restore_directory(directory.path(), Cursor::new(bytes)).expect_err(what);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{what}: {error}");
        error
    };
    for len in [0, 10, 30, backup.len() / 2, backup.len() - 13, backup.len() - 1] {
        let error = refused(&backup[..len], &format!("{len} bytes"));
        assert!(matches!(error, RestoreError::NoBackup | RestoreError::Cut), "{error}");
    }
    for at in (0..backup.len()).step_by(backup.len() / 20).chain([backup.len() - 1]) {
        let mut damaged = backup.clone();
        damaged[at] ^= 0x10;
        refused(&damaged, &format!("byte {at}"));
    }
    let mut longer = backup.clone();
    longer.push(0);
    assert!(matches!(refused(&longer, "longer"), RestoreError::Corrupt(_)));
    let later = [b"GRIDMQ-BACKUP 2 broker\n", &backup[23..]].concat();
    assert!(matches!(refused(&later, "later"), RestoreError::Format { found } if found == "2 broker"));
    Store::restore_directory(directory.path(), Cursor::new(&backup)).unwrap();
}

#[test]
fn a_backup_that_cannot_be_written_says_so() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let store = Store::immediate(MemoryEngine::new());
    assert!(matches!(store.backup(Full), Err(BackupError::Write(_))));
}

#[test]
fn memory_makes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Store::open_directory(directory.path(), Durability::Memory, Options::default()).unwrap().is_none());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    for (text, durability) in [("fsync", Durability::Fsync), ("os", Durability::Os), ("memory", Durability::Memory)] {
        assert_eq!((text.parse(), durability.to_string().as_str()), (Ok(durability), text));
    }
    assert_eq!(
        "sync".parse::<Durability>().unwrap_err().to_string(),
        "\"sync\" is no durability: write fsync, os or memory"
    );
}
