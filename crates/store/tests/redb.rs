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

/// A file of a few rows that was closed in order, after a few commits.
fn filled(path: &std::path::Path) {
    drop(open_after(path, 20));
}

/// A file of a few rows, each of a commit of its own, that is still open.
fn open_after(path: &std::path::Path, commits: u8) -> RedbEngine {
    let mut engine = RedbEngine::open(path).unwrap();
    for round in 0..commits {
        let mut batch = WriteBatch::new();
        batch.put(TABLES[usize::from(round % 2)], key(round, round % 3 == 0), vec![round; 300]);
        engine.commit(&[batch]).unwrap();
    }
    engine
}

/// All rows, or nothing where it is damaged.
fn rows(path: &std::path::Path) -> Option<Vec<(Key, bytes::Bytes)>> {
    let engine = match RedbEngine::open(path) {
        Ok(engine) => engine,
        Err(RedbOpenError::Corrupt { .. } | RedbOpenError::Format { .. }) => return None,
        Err(other) => panic!("{other}"),
    };
    let all = Key::new(NamespaceId::DEFAULT, &[]);
    let page = |table| Reader::scan(&engine, table, &all, None, 1000).unwrap().entries;
    Some(TABLES.into_iter().flat_map(page).collect())
}

/// Opens a damaged file twice: it is refused and left as it is, or has some rows, and stays so. What it has.
fn opened_twice(path: &std::path::Path, bytes: &[u8], what: &str) -> Option<Vec<(Key, bytes::Bytes)>> {
    std::fs::write(path, bytes).unwrap();
    let first = rows(path);
    if first.is_none() {
        assert!(std::fs::read(path).unwrap() == bytes, "{what}: a file that is refused is changed");
    }
    assert_eq!(rows(path), first, "{what}: opened again, it is another");
    first
}

/// Whether a damaged file is refused. If not, it has what it had.
fn refused(path: &std::path::Path, bytes: &[u8], whole: &[(Key, bytes::Bytes)], what: &str) -> bool {
    let rows = opened_twice(path, bytes, what);
    assert!(rows.as_deref().is_none_or(|rows| rows == whole), "{what}: rows are lost without a word");
    rows.is_none()
}

/// xorshift64*, whose sequence is the seed's.
fn chance(state: &mut u64) -> usize {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap()
}

#[test]
fn a_damaged_file_is_refused_again_and_again_and_never_a_panic_or_a_smaller_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    filled(&path);
    let whole = rows(&path).unwrap();
    assert_eq!(whole.len(), 20);
    let sound = std::fs::read(&path).unwrap();
    let mut count = 0;
    for (bytes, what) in damaged(&sound, 2) {
        count += usize::from(refused(&path, &bytes, &whole, &what));
    }
    assert!(count > 50, "{count}");
}

/// The file with one byte changed: every so many bytes of the header, and then anywhere. Damage in what is not in use
/// does no harm.
fn damaged(sound: &[u8], step: usize) -> impl Iterator<Item = (Vec<u8>, String)> {
    let mut state = 0x5eed;
    let used = sound.iter().rposition(|byte| *byte != 0).unwrap();
    let header = (0..320).step_by(step).map(|at| (at, 1 << (at / 2 % 8)));
    let anywhere: Vec<_> =
        (0..100).map(|_| (320 + chance(&mut state) % (used - 320), 1 + chance(&mut state) % 255)).collect();
    header.chain(anywhere).map(|(at, flip)| {
        let mut bytes = sound.to_vec();
        bytes[at] ^= u8::try_from(flip).unwrap();
        (bytes, format!("byte {at} ^ {flip:#x}"))
    })
}

#[test]
#[cfg(unix)]
fn a_damaged_file_that_was_not_closed_is_refused_or_loses_its_last_commit_at_most() {
    let directory = tempfile::tempdir().unwrap();
    let (path, open) = (directory.path().join("store"), directory.path().join("open"));
    let mut states = Vec::new();
    // What is there while the engine has it open is what a kill would leave.
    for commits in [19, 20] {
        let engine = open_after(&open, commits);
        std::fs::copy(&open, &path).unwrap();
        drop(engine);
        std::fs::remove_file(&open).unwrap();
        let left = std::fs::read(&path).unwrap();
        let whole = rows(&path).unwrap();
        assert_eq!(whole.len(), usize::from(commits));
        states.push((left, whole));
    }
    let [(_, before), (left, whole)] = &states[..] else { panic!() };
    let (mut refused, mut cut) = (0, 0);
    for (bytes, what) in damaged(left, 3) {
        match opened_twice(&path, &bytes, &what) {
            None => refused += 1,
            Some(rows) if rows == *whole => {}
            Some(rows) => {
                assert!(rows == *before, "{what}: more than the last commit is lost without a word");
                cut += 1;
            }
        }
    }
    assert!(refused > 10 && cut > 0, "{refused} {cut}");
}

#[test]
fn a_file_that_was_cut_is_refused_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    filled(&path);
    let whole = rows(&path).unwrap();
    let sound = std::fs::read(&path).unwrap();
    for length in (512..8192).step_by(512).chain((8192..sound.len()).step_by(sound.len() / 50)) {
        refused(&path, &sound[..length], &whole, &format!("{length} of {} bytes", sound.len()));
    }
    assert!(refused(&path, &sound[..sound.len() / 2], &whole, "half"));
    assert!(refused(&path, b"something else entirely", &whole, "another file"));
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(RedbEngine::open(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
