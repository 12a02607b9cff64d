//! How long something took, many times over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::By;

/// The upper bounds of the buckets in microseconds, each included: 50 µs to 100 s, three to a power of ten. What took
/// longer has a bucket of its own.
pub const BUCKETS: [u64; 20] = [
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

const COUNTS: usize = BUCKETS.len() + 1;

/// Where durations are recorded.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    counts: By<COUNTS>,
    micros: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts.add(BUCKETS.partition_point(|bound| *bound < micros), 1);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Distribution {
        Distribution { counts: self.counts.read(), sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)) }
    }
}

/// Durations by size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    counts: [u64; COUNTS],
    sum: Duration,
}

impl Distribution {
    /// How many were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long they took together, in whole microseconds.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// Each bucket's upper bound ([`BUCKETS`]) and how many fell into it and no lower one. The last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let bounds = BUCKETS.iter().map(|micros| Some(Duration::from_micros(*micros))).chain([None]);
        bounds.zip(self.counts.iter().copied())
    }

    /// A duration that the share `q` (0 to 1) of those measured did not exceed: the upper bound of the bucket that the
    /// quantile lies in. `None` if nothing was measured, or it lies above 100 s.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
        let wanted = (q.clamp(0.0, 1.0) * count as f64).max(1.0);
        let mut seen = 0;
        let reached = self.buckets().find(|(_, more)| {
            seen += more;
            #[allow(clippy::cast_precision_loss, reason = "as above")]
            let enough = seen as f64 >= wanted;
            enough
        });
        reached.and_then(|(bound, _)| bound)
    }
}
