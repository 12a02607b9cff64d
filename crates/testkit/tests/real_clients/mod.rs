//! Real MQTT clients against a spawned namespace: what the suites share.
//!
//! `cargo xtask test` installs the clients and tells where they are by environment variables.

pub mod driven;
pub mod scenarios;
pub mod script;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gridmq_testkit::Namespace;

/// How long anything may take before it counts as not coming.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A spawned namespace and the runtime that it may need.
pub struct Stage {
    pub namespace: Namespace,
    /// Of this test's own.
    pub dir: PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Starts a namespace with that many workers; `name` is the test's.
    pub fn new(name: &str, workers: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let namespace = runtime.block_on(gridmq_testkit::namespace(workers));
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Files of an earlier run must not pass for this one's.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self { namespace, dir, _runtime: runtime }
    }

    /// A file with that payload.
    pub fn payload_file(&self, payload: &[u8]) -> PathBuf {
        let file = self.dir.join(format!("payload-{}-{}", payload.len(), payload.first().copied().unwrap_or_default()));
        std::fs::write(&file, payload).unwrap();
        file
    }
}

/// The payloads that every client exchanges: 1 B, 1 KiB and 256 KiB, with every value of a byte in the longer ones.
pub fn payloads() -> [Vec<u8>; 3] {
    [1, 1024, 256 * 1024].map(pattern)
}

pub fn pattern(length: usize) -> Vec<u8> {
    // A step that is prime to 256, and a slow drift: a shifted or repeated part does not compare equal.
    (0..length).map(|index| ((index * 151 + index / 256 * 7 + 42) & 0xff) as u8).collect()
}

/// Fails without printing a quarter of a megabyte.
#[track_caller]
pub fn assert_same_bytes(received: &[u8], sent: &[u8]) {
    assert_eq!(received.len(), sent.len(), "the payload's length");
    let difference = received.iter().zip(sent).position(|(a, b)| a != b);
    assert_eq!(difference, None, "the first byte that differs");
}

/// The value of a variable that `cargo xtask test` sets.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run this suite by `cargo xtask test`"))
}
