//! Measures an engine on the broker's access patterns, through the broker's own group-commit writer.
//!
//! `gridmq-bench-store DIRECTORY SECONDS CANDIDATE…`, with the candidates `floor`, `redb` and `fjall`, in the order given.
//! One line for each pattern; see docs/decisions/007-one-engine.md.

mod fjall;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use gridmq_store::{
    Durability, Engine, Key, Kind, NamespaceId, Options, RedbEngine, RedbOptions, Store, Table, WriteBatch,
};

use crate::fjall::FjallEngine;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const QUEUE: Table = Table::new("queue");
const IN_FLIGHT: Table = Table::new("in-flight");
const EVENTS: Table = Table::new("events");
const CURSORS: Table = Table::new("cursors");
const SESSIONS: u64 = 10_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let seconds = Duration::from_secs(arguments.next().ok_or("how many seconds for each pattern?")?.parse()?);
    for candidate in arguments {
        if let Some(candidate) = candidate.strip_prefix("fill-") {
            return fill(candidate, &directory);
        }
        match candidate.as_str() {
            "floor" => floor(&directory, seconds)?,
            candidate => {
                for waiting in [1, 64, 1000] {
                    sessions(candidate, &directory, seconds, waiting)?;
                }
                for backlog in [0, 100_000] {
                    events(candidate, &directory, seconds, backlog)?;
                }
                start(candidate, &directory)?;
            }
        }
    }
    Ok(())
}

fn open(candidate: &str, path: &Path) -> Outcome<Store> {
    Ok(match candidate {
        "redb" => {
            fs::create_dir_all(path)?;
            let options = RedbOptions { kind: Kind::Broker, durability: Durability::Fsync, cache: 64 << 20 };
            through(RedbEngine::open_with(path.join("store"), &options)?)?
        }
        "fjall" => through(FjallEngine::open(path)?)?,
        other => return Err(format!("no candidate is called {other}").into()),
    })
}

fn through(engine: impl Engine) -> Outcome<Store> {
    Ok(Store::open(engine, Options::default())?)
}

/// Commits a batch and waits until it is durable.
fn commit(store: &Store, batch: WriteBatch, done: &std::sync::mpsc::Receiver<()>) -> Outcome<Duration> {
    let begun = Instant::now();
    let seq = store.submit(batch)?;
    while store.durable() < seq {
        done.recv()?;
        if let Some(failure) = store.failure() {
            return Err(failure.to_string().into());
        }
    }
    Ok(begun.elapsed())
}

fn message_key(number: u64) -> Key {
    let client = format!("device-{:05}", number % SESSIONS);
    Key::new(NamespaceId::DEFAULT, &[client.as_bytes(), &(number / SESSIONS + 1).to_be_bytes()])
}

fn enqueue(batch: &mut WriteBatch, number: u64) {
    batch.insert(QUEUE, message_key(number), vec![number as u8; 256]);
    batch.insert(IN_FLIGHT, message_key(number), vec![1, 0, number as u8, 1]);
}

/// P1: messages queued to sessions and done with in the commit after.
fn sessions(candidate: &str, directory: &Path, seconds: Duration, waiting: u64) -> Outcome {
    let path = directory.join("p1");
    measured(
        candidate,
        &format!("P1@{waiting}"),
        &path,
        seconds,
        waiting,
        |_| Ok(()),
        |number| {
            let mut batch = WriteBatch::new();
            for message in number * waiting..(number + 1) * waiting {
                enqueue(&mut batch, message);
                if let Some(done) = message.checked_sub(waiting) {
                    batch.delete(QUEUE, message_key(done)).delete(IN_FLIGHT, message_key(done));
                }
            }
            batch
        },
    )
}

/// P2: records of 1 KiB appended by the hundred, and deleted by the hundred behind a backlog.
fn events(candidate: &str, directory: &Path, seconds: Duration, backlog: u64) -> Outcome {
    const GROUP: u64 = 100;
    let key = |number: u64| Key::new(NamespaceId::DEFAULT, &[b"topic", &number.to_be_bytes()]);
    let path = directory.join("p2");
    let append = |batch: &mut WriteBatch, numbers: std::ops::Range<u64>| {
        for number in numbers {
            batch.insert(EVENTS, key(number), vec![number as u8; 1024]);
        }
    };
    let fill = |commit: &mut dyn FnMut(WriteBatch) -> Outcome| {
        for part in 0..backlog / 1000 {
            let mut batch = WriteBatch::new();
            append(&mut batch, part * 1000..(part + 1) * 1000);
            commit(batch)?;
        }
        Ok(())
    };
    measured(candidate, &format!("P2 behind {backlog}"), &path, seconds, GROUP, fill, |number| {
        let mut batch = WriteBatch::new();
        let first = backlog + number * GROUP;
        append(&mut batch, first..first + GROUP);
        for cursor in 0..4_u8 {
            batch.put(CURSORS, Key::new(NamespaceId::DEFAULT, &[&[cursor]]), first.to_be_bytes().to_vec());
        }
        for gone in (number * GROUP).saturating_sub(GROUP)..(number * GROUP).saturating_sub(GROUP) + GROUP {
            batch.delete(EVENTS, key(gone));
        }
        batch
    })
}

/// Commits what `batch` makes until the time is over, and says how that went.
fn measured(
    candidate: &str,
    pattern: &str,
    path: &Path,
    seconds: Duration,
    size: u64,
    fill: impl FnOnce(&mut dyn FnMut(WriteBatch) -> Outcome) -> Outcome,
    batch: impl Fn(u64) -> WriteBatch,
) -> Outcome {
    drop(fs::remove_dir_all(path));
    let store = open(candidate, path)?;
    let (tell, done) = std::sync::mpsc::sync_channel(1024);
    let watch = store.subscribe(move |_| {
        let _ = tell.try_send(());
    });
    fill(&mut |batch| commit(&store, batch, &done).map(drop))?;
    let (before, begun) = (Usage::now()?, Instant::now());
    let mut times = Vec::new();
    while begun.elapsed() < seconds {
        times.push(commit(&store, batch(times.len() as u64), &done)?);
    }
    let (elapsed, used) = (begun.elapsed(), Usage::now()?);
    drop(watch);
    let peak = size_of(path)?;
    store.close().map_err(|error| error.to_string())?;
    drop(store);
    let count = times.len() as u64 * size;
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).unwrap_or(&Duration::ZERO).as_secs_f64() * 1e3;
    println!(
        "{candidate:6} {pattern:16} {:>8.0}/s  commit p50 {:6.2} p99 {:6.2} max {:6.2} ms  CPU {:6.1} us  {:6.0} B written each  {:5.0} MiB",
        count as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0 - f64::EPSILON),
        (used.cpu - before.cpu).as_secs_f64() * 1e6 / count as f64,
        (used.written - before.written) as f64 / count as f64,
        peak as f64 / f64::from(1 << 20),
    );
    Ok(fs::remove_dir_all(path)?)
}

/// P5: everything is read after a kill.
fn start(candidate: &str, directory: &Path) -> Outcome {
    let path = directory.join("p5");
    drop(fs::remove_dir_all(&path));
    let begun = Instant::now();
    let status =
        Command::new(std::env::current_exe()?).arg(&path).arg("0").arg(format!("fill-{candidate}")).status()?;
    if status.success() {
        return Err("the child was not killed".into());
    }
    let filled = begun.elapsed();
    let begun = Instant::now();
    let store = open(candidate, &path)?;
    let opened = begun.elapsed();
    let mut rows = 0;
    for table in [QUEUE, IN_FLIGHT] {
        let mut from = None;
        loop {
            let page = store.scan(table, &Key::new(NamespaceId::DEFAULT, &[]), from.as_ref(), 10_000)?;
            rows += page.entries.len();
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }
    println!(
        "{candidate:6} P5 after a kill  filled in {:.2} s  opened in {:.2} s, {rows} rows read in {:.2} s  {:5.0} MiB",
        filled.as_secs_f64(),
        opened.as_secs_f64(),
        (begun.elapsed() - opened).as_secs_f64(),
        size_of(&path)? as f64 / f64::from(1 << 20),
    );
    drop(store);
    Ok(fs::remove_dir_all(path)?)
}

fn fill(candidate: &str, path: &Path) -> Outcome {
    let store = open(candidate, path)?;
    let (tell, done) = std::sync::mpsc::sync_channel(1024);
    let _watch = store.subscribe(move |_| {
        let _ = tell.try_send(());
    });
    for part in 0..200 {
        let mut batch = WriteBatch::new();
        for number in part * 5_000..(part + 1) * 5_000 {
            enqueue(&mut batch, number);
        }
        commit(&store, batch, &done)?;
    }
    std::process::abort()
}

/// What the disk does at best: 4 KiB appended and synced.
fn floor(directory: &Path, seconds: Duration) -> Outcome {
    fs::create_dir_all(directory)?;
    let path = directory.join("floor");
    let mut file = File::create(&path)?;
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < seconds {
        let one = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(one.elapsed());
    }
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).unwrap_or(&Duration::ZERO).as_secs_f64() * 1e3;
    println!(
        "floor  4 KiB            {:>8.0}/s  commit p50 {:6.2} p99 {:6.2} max {:6.2} ms",
        times.len() as f64 / begun.elapsed().as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0 - f64::EPSILON)
    );
    Ok(fs::remove_file(path)?)
}

struct Usage {
    cpu: Duration,
    written: u64,
}

impl Usage {
    /// Of this process, as Linux tells.
    fn now() -> Outcome<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no stat")?.split_whitespace().collect();
        let ticks = |at: usize| -> Outcome<u64> { Ok(fields.get(at).ok_or("no times")?.parse()?) };
        let cpu = Duration::from_millis((ticks(11)? + ticks(12)?) * 10);
        let io = fs::read_to_string("/proc/self/io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no counts")?.parse()?;
        Ok(Self { cpu, written })
    }
}

fn size_of(path: &Path) -> Outcome<u64> {
    let mut size = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        size += if meta.is_dir() { size_of(&entry.path())? } else { meta.len() };
    }
    Ok(size)
}
