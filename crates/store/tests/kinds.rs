//! Whose file it is, how often it is read, and damage that arises while it is open.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gridmq_store::{
    Disk, Durability, Engine, EngineError, Key, Kind, NamespaceId, Reader, RedbEngine, RedbOpenError, RedbOptions,
    SimDisk, Table, WriteBatch,
};

const ROWS: Table = Table::new("rows");
const META: Table = Table::new("meta");
const BROKER: RedbOptions = RedbOptions { kind: Kind::Broker, durability: Durability::Fsync, cache: 1 << 20 };
const CLIENT: RedbOptions = RedbOptions { kind: Kind::Client, durability: Durability::Fsync, cache: 1 << 20 };

fn key(name: &str) -> Key {
    Key::new(NamespaceId::DEFAULT, &[name.as_bytes()])
}

fn put(table: Table, name: &str, value: impl Into<bytes::Bytes>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(table, key(name), value);
    batch
}

fn open(disk: &SimDisk, options: &RedbOptions) -> Result<RedbEngine, RedbOpenError> {
    RedbEngine::on_disk(disk.clone(), "it", options)
}

/// A file with these rows, none of which has a checksum.
fn raw(rows: &[(Table, &str, &[u8])]) -> SimDisk {
    let disk = SimDisk::new();
    let mut engine = open(&disk, &CLIENT).unwrap();
    for (table, name, value) in rows {
        engine.commit(&[put(*table, name, value.to_vec())]).unwrap();
    }
    drop(engine);
    disk
}

#[test]
fn a_later_format_is_refused_with_both_numbers() {
    let disk = raw(&[(META, "format", &[0, 0, 0, 2]), (META, "kind", b"broker")]);
    let events = disk.events();
    let error = open(&disk, &BROKER).unwrap_err();
    assert!(matches!(&error, RedbOpenError::Format { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "it has the format 2 and this program reads 1: start the version that wrote it, or restore a backup"
    );
    assert_eq!(disk.events(), events, "it is left as it was");
}

#[test]
fn a_clients_file_is_no_brokers_store() {
    let session = raw(&[(META, "format", &[0, 0, 0, 1]), (META, "client", b"device1")]);
    let error = open(&session, &BROKER).unwrap_err();
    assert_eq!(error.to_string(), "it is a client's store and a broker's is wanted: name another file");
    open(&session, &CLIENT).unwrap();
    let broker = SimDisk::new();
    open(&broker, &BROKER).unwrap();
    open(&broker, &BROKER).unwrap();
    let error = open(&broker, &CLIENT).unwrap_err();
    assert!(matches!(&error, RedbOpenError::Kind { found, .. } if found == "broker"), "{error}");
    let nobodys = raw(&[(ROWS, "a", b"x")]);
    assert!(matches!(open(&nobodys, &BROKER), Err(RedbOpenError::Corrupt { .. })));
}

#[test]
fn a_changed_row_is_named_when_it_is_read() {
    let disk = SimDisk::new();
    let mut engine = open(&disk, &RedbOptions { cache: 0, ..BROKER }).unwrap();
    engine.commit(&[put(ROWS, "whole", "1"), put(ROWS, "changed", "a value that is easy to find")]).unwrap();
    let mut image = vec![0; usize::try_from(disk.len().unwrap()).unwrap()];
    disk.read(0, &mut image).unwrap();
    let wanted = b"a value that is easy to find";
    let places: Vec<usize> = (0..image.len()).filter(|&at| image[at..].starts_with(wanted)).collect();
    assert!(!places.is_empty());
    for at in places {
        disk.write(at as u64, b"A").unwrap();
    }
    assert_eq!(Reader::get(&engine, ROWS, &key("whole")).unwrap().unwrap(), "1");
    let named = |error: EngineError| {
        matches!(&error, EngineError::Row { table: "rows", key: found } if *found == key("changed"))
            && error.to_string().contains("changed")
    };
    assert!(named(Reader::get(&engine, ROWS, &key("changed")).unwrap_err()));
    let all = Key::new(NamespaceId::DEFAULT, &[]);
    assert!(named(Reader::scan(&engine, ROWS, &all, None, 10).unwrap_err()));
}

/// Counts what is read of it.
#[derive(Debug)]
struct Counting(SimDisk, Arc<AtomicU64>);

impl Disk for Counting {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.1.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.0.read(at, out)
    }

    fn write(&self, at: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(at, data)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_file_is_read_twice_at_most_to_open_it() {
    let disk = SimDisk::new();
    let mut engine = open(&disk, &BROKER).unwrap();
    for round in 0..8 {
        let mut batch = WriteBatch::new();
        for row in 0..500 {
            batch.put(ROWS, key(&format!("{round}/{row}")), vec![round; 1000]);
        }
        engine.commit(&[batch]).unwrap();
    }
    let killed = disk.after(gridmq_store::Cut { after: disk.events(), keep: gridmq_store::Keep::Everything });
    drop(engine);
    for (disk, what) in [(disk, "closed"), (killed, "killed")] {
        let (read, size) = (Arc::new(AtomicU64::new(0)), disk.len().unwrap());
        let small = RedbOptions { cache: 64 << 10, ..BROKER };
        RedbEngine::on_disk(Counting(disk, Arc::clone(&read)), "it", &small).unwrap();
        let read = read.load(Ordering::Relaxed);
        assert!(read > size / 2 && read <= 2 * size, "{what}: {read} of {size}");
    }
}
