#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};

use super::*;
use crate::{Engine, Key, NamespaceId, Reader, RedbEngine, RedbOpenError, Table, WriteBatch};

const TABLE: Table = Table::new("one");

fn key() -> Key {
    Key::new(NamespaceId::DEFAULT, &[b"key"])
}

/// A file in memory, and what was in it after each change.
#[derive(Debug, Default)]
struct Recorded {
    bytes: Mutex<Vec<u8>>,
    states: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorded {
    fn changed(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes.lock().unwrap();
        change(&mut bytes);
        self.states.lock().unwrap().push(bytes.clone());
    }
}

impl StorageBackend for Recorded {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.changed(|bytes| bytes.resize(usize::try_from(len).unwrap(), 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.changed(|bytes| bytes[start..start + data.len()].copy_from_slice(data));
        Ok(())
    }
}

/// Opens it, finds nothing, writes something, and finds that when it opens it again.
fn is_new(path: &Path, what: &str) {
    let mut engine = RedbEngine::open(path).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(Reader::get(&engine, TABLE, &key()).unwrap(), None, "{what}");
    let mut batch = WriteBatch::new();
    batch.put(TABLE, key(), "value");
    engine.commit(&[batch]).unwrap();
    drop(engine);
    let engine = RedbEngine::open(path).unwrap();
    assert_eq!(Reader::get(&engine, TABLE, &key()).unwrap().unwrap(), "value", "{what}");
}

#[test]
fn a_store_whose_making_is_interrupted_anywhere_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let backend = Recorded::default();
    let states = Arc::clone(&backend.states);
    drop(Database::builder().create_with_backend(backend).unwrap());
    let states = std::mem::take(&mut *states.lock().unwrap());
    assert!(states.len() > 2, "{}", states.len());
    for (number, state) in states.iter().enumerate() {
        std::fs::write(&path, state).unwrap();
        is_new(&path, &format!("after change {number} of {}", states.len()));
    }
    // A length is often on the disk before what was written, and a file system may cut it.
    for length in [1, 8, 9, 320, 321, 4096, 70_000, states[0].len()] {
        std::fs::write(&path, vec![0; length]).unwrap();
        is_new(&path, &format!("{length} zeros"));
    }
}

#[test]
fn a_file_with_anything_in_it_is_not_emptied() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    is_new(&path, "no file");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..320].fill(0);
    let mut last = vec![0; 200_000];
    last[199_999] = 1;
    for bytes in [bytes, last, b"\0\0\0\0\0\0\0\0x".to_vec()] {
        std::fs::write(&path, &bytes).unwrap();
        let opened = RedbEngine::open(&path);
        assert!(matches!(opened, Err(RedbOpenError::Corrupt { .. })), "{opened:?}");
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
}

#[test]
fn a_file_that_another_is_making_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    std::fs::write(&path, [0; 4096]).unwrap();
    let open = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let other = FileBackend::new(open()).unwrap();
    assert!(other.try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap());
    assert!(matches!(RedbEngine::open(&path), Err(RedbOpenError::InUse { .. })));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 4096);
    other.close().unwrap();
    is_new(&path, "left by the other");
}
