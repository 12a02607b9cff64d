//! How long a start takes with 100,000 sessions and 1,000,000 messages that wait for them: of a store that was closed, and
//! of one whose process was killed. `cargo bench -p gridmq-broker --features measure --bench recovery`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::path::Path;
use std::time::Instant;

use gridmq_broker::measure;
use gridmq_store::{Durability, Options, Store, WriteBatch};

const SESSIONS: usize = 100_000;
const MESSAGES: u64 = 10;

fn open(directory: &Path) -> Store {
    Store::open_directory(directory, Durability::Os, Options::default()).unwrap().unwrap()
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let [closed, killed] = ["closed", "killed"].map(|name| directory.path().join(name));
    for path in [&closed, &killed] {
        std::fs::create_dir(path).unwrap();
    }
    let store = open(&closed);
    measure::fill(&store, SESSIONS, MESSAGES);
    let last = store.submit(WriteBatch::new()).unwrap();
    while store.durable() < last {
        std::thread::yield_now();
    }
    // As it is when the process ends now.
    std::fs::copy(closed.join("store"), killed.join("store")).unwrap();
    store.close().unwrap();
    drop(store);
    for (what, path) in [("closed", closed), ("killed", killed)] {
        let megabytes = std::fs::metadata(path.join("store")).unwrap().len() >> 20;
        let begun = Instant::now();
        let store = open(&path);
        let opened = begun.elapsed();
        let start = measure::start(&store);
        let whole = begun.elapsed();
        assert_eq!((start.sessions, start.messages), (SESSIONS, 1_000_000));
        let measure::Start { read, build, index, whole: taken_up, .. } = start;
        println!(
            "{what}, {megabytes} MiB: open {opened:.2?}, taken up {taken_up:.2?} (threads together: read {read:.2?}, build \
             {build:.2?}; index {index:.2?}), whole {whole:.2?}"
        );
    }
}
