//! Wherever the power is cut, what was said to be durable is there, and nothing by halves.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use bytes::Bytes;
use gridmq_store::{
    Cut, Disk, Engine, EngineError, Keep, Key, Kind, MemoryEngine, NamespaceId, Options, Progress, Reader, RedbEngine,
    RedbOptions, SimDisk, Store, Table, WriteBatch,
};
use proptest::prelude::*;

const TABLES: [Table; 2] = [Table::new("one"), Table::new("two")];
const BROKER: RedbOptions =
    RedbOptions { kind: Kind::Broker, durability: gridmq_store::Durability::Fsync, cache: 1 << 20 };
const KEEPS: [Keep; 8] = [
    Keep::Nothing,
    Keep::Everything,
    Keep::Some(1),
    Keep::Some(2),
    Keep::Some(3),
    Keep::Torn(1),
    Keep::Torn(2),
    Keep::Torn(3),
];

type Rows = Vec<(Table, Key, Bytes)>;

fn key(name: u8, more: bool) -> Key {
    let first = [name];
    if more { Key::new(NamespaceId::DEFAULT, &[&first, b"x"]) } else { Key::new(NamespaceId::DEFAULT, &[&first]) }
}

fn rows(reader: &dyn Reader) -> Result<Rows, EngineError> {
    let all = Key::new(NamespaceId::DEFAULT, &[]);
    let mut rows = Vec::new();
    for table in TABLES {
        let page = reader.scan(table, &all, None, usize::MAX)?;
        rows.extend(page.entries.into_iter().map(|(key, value)| (table, key, value)));
    }
    Ok(rows)
}

/// The rows after each number of batches.
fn states(batches: &[WriteBatch]) -> Vec<Rows> {
    let mut memory = MemoryEngine::new();
    let mut states = vec![Vec::new()];
    for batch in batches {
        memory.commit(std::slice::from_ref(batch)).unwrap();
        states.push(rows(&*memory.reader()).unwrap());
    }
    states
}

/// Has a store do all of it, some of it together, and notes on the disk when it says how far it is durable.
fn record(disk: &SimDisk, engine: impl Engine, batches: &[WriteBatch]) {
    disk.mark(0);
    let store = Store::open(engine, Options::default()).unwrap();
    let marked = disk.clone();
    let _watch = store.subscribe(move |progress| {
        if let Progress::Durable(seq) = progress {
            marked.mark(seq.get());
        }
    });
    for batch in batches {
        store.submit(batch.clone()).unwrap();
    }
    store.close().unwrap();
}

fn open(disk: &SimDisk) -> Result<RedbEngine, String> {
    RedbEngine::on_disk(disk.clone(), "simulated", &BROKER).map_err(|error| error.to_string())
}

/// What a cut leaves is the state after some of the batches, all that were said to be durable among them.
fn check(disk: &SimDisk, cut: Cut, states: &[Rows]) -> Result<(), String> {
    let left = disk.after(cut);
    let engine = open(&left).map_err(|error| format!("{cut:?}: {error}"))?;
    let found = rows(&engine).map_err(|error| format!("{cut:?}: {error}"))?;
    let said = usize::try_from(disk.marked(cut.after).unwrap_or(0)).unwrap();
    if !states[said..].contains(&found) {
        return Err(format!("{cut:?}: {said} batches were durable, and there are {} rows of none", found.len()));
    }
    Ok(())
}

fn check_all(disk: &SimDisk, states: &[Rows], keeps: &[Keep]) -> Result<(), String> {
    for after in disk.points() {
        for &keep in keeps {
            check(disk, Cut { after, keep }, states)?;
        }
    }
    Ok(())
}

fn batches(size: usize) -> impl Strategy<Value = Vec<WriteBatch>> {
    let operation = (0..2_usize, 0..6_u8, any::<bool>(), 0..4_u8, 0..size);
    prop::collection::vec(prop::collection::vec(operation, 0..6), 1..8).prop_map(|batches| {
        let batches = batches.into_iter().map(|operations| {
            let mut batch = WriteBatch::new();
            for (table, name, more, what, size) in operations {
                match what {
                    0 | 1 => batch.put(TABLES[table], key(name, more), vec![name; size]),
                    2 => batch.delete(TABLES[table], key(name, more)),
                    _ => batch.delete_prefix(TABLES[table], key(name, more)),
                };
            }
            batch
        });
        batches.collect()
    })
}

/// Batches each of which changes something.
fn distinct(count: u8) -> Vec<WriteBatch> {
    let batch = |number: u8| {
        let mut batch = WriteBatch::new();
        batch.put(TABLES[usize::from(number % 2)], key(number, false), vec![number; 300]);
        batch
    };
    (0..count).map(batch).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn every_cut_leaves_a_prefix_that_has_what_was_said_durable(batches in batches(2_000)) {
        let disk = SimDisk::new();
        record(&disk, open(&disk).unwrap(), &batches);
        let checked = check_all(&disk, &states(&batches), &KEEPS);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}

#[test]
fn a_file_that_grows_or_shrinks_is_cut_anywhere() {
    let mut batches = Vec::new();
    for round in 0..4_u8 {
        let mut batch = WriteBatch::new();
        for name in 0..4 {
            batch.put(TABLES[0], key(round * 4 + name, true), vec![name; 200_000]);
        }
        batches.push(batch);
    }
    for round in 0..3_u8 {
        let mut batch = WriteBatch::new();
        for name in 0..5 {
            batch.delete_prefix(TABLES[0], key(round * 5 + name, false));
        }
        batches.push(batch);
    }
    let disk = SimDisk::new();
    let mut engine = open(&disk).unwrap();
    for (number, batch) in batches.iter().enumerate() {
        engine.commit(std::slice::from_ref(batch)).unwrap();
        disk.mark(number as u64 + 1);
    }
    drop(engine);
    check_all(&disk, &states(&batches), &[Keep::Nothing, Keep::Some(4), Keep::Torn(5)]).unwrap();
}

#[test]
fn a_cut_during_the_repair_of_a_cut_loses_nothing_more() {
    let batches = distinct(4);
    let states = states(&batches);
    let disk = SimDisk::new();
    let mut engine = open(&disk).unwrap();
    for (number, batch) in batches.iter().enumerate() {
        engine.commit(std::slice::from_ref(batch)).unwrap();
        disk.mark(number as u64 + 1);
    }
    // Not closed: each cut leaves something to repair.
    for after in disk.points() {
        for keep in [Keep::Nothing, Keep::Some(6), Keep::Torn(7)] {
            let left = disk.after(Cut { after, keep });
            let found = rows(&open(&left).unwrap()).unwrap();
            assert!(states.contains(&found));
            for again in left.points() {
                for keep in [Keep::Nothing, Keep::Torn(8)] {
                    let twice = open(&left.after(Cut { after: again, keep })).unwrap();
                    assert!(rows(&twice).unwrap() == found, "{after} {keep:?} {again}");
                }
            }
        }
    }
    drop(engine);
}

/// Says that a commit is done, and does it at the next one.
struct Hasty {
    engine: RedbEngine,
    late: Vec<WriteBatch>,
}

impl Engine for Hasty {
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<(), EngineError> {
        let now = std::mem::replace(&mut self.late, batches.to_vec());
        self.engine.commit(&now)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.engine.reader()
    }
}

#[test]
fn an_engine_that_speaks_before_the_sync_is_caught() {
    let batches = distinct(3);
    let disk = SimDisk::new();
    record(&disk, Hasty { engine: open(&disk).unwrap(), late: Vec::new() }, &batches);
    check_all(&disk, &states(&batches), &KEEPS).unwrap_err();
}

/// A disk that only says that it was synced.
#[derive(Debug)]
struct Lazy(SimDisk);

impl Disk for Lazy {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(at, out)
    }

    fn write(&self, at: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(at, data)
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_engine_that_never_syncs_is_caught() {
    let batches = distinct(3);
    let disk = SimDisk::new();
    let engine = RedbEngine::on_disk(Lazy(disk.clone()), "simulated", &BROKER).unwrap();
    record(&disk, engine, &batches);
    check_all(&disk, &states(&batches), &KEEPS).unwrap_err();
}

#[test]
fn a_disk_without_power_makes_nothing_durable() {
    let disk = SimDisk::new();
    let mut engine = open(&disk).unwrap();
    let [first, second] = <[_; 2]>::try_from(distinct(2)).unwrap();
    engine.commit(&[first]).unwrap();
    disk.power_off_before_sync(disk.syncs());
    engine.commit(std::slice::from_ref(&second)).unwrap_err();
    engine.commit(&[second]).unwrap_err();
    drop(engine);
    let left = disk.after(Cut { after: disk.events(), keep: Keep::Nothing });
    assert_eq!(rows(&open(&left).unwrap()).unwrap().len(), 1);
}
