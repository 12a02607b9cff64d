//! The one place that reads clocks, and the system's randomness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_proto::time::{Monotonic, Now, Wall};
use tokio::time::Instant;

/// For times that the system's clock cannot express.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// Both clocks of one connection. The monotonic one is the runtime's, so that paused time pauses it too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        let micros = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        Now { monotonic: Monotonic::from_micros(micros), wall: wall() }
    }

    /// The runtime's instant for a point of the monotonic clock.
    pub(crate) fn instant(self, at: Monotonic) -> Instant {
        self.origin.checked_add(Duration::from_micros(at.as_micros())).unwrap_or_else(|| Instant::now() + FAR)
    }
}

/// The time of day.
pub(crate) fn wall() -> Wall {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// A random number, for spreading attempts in time.
pub(crate) fn random() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0u8)
}

/// A random number in 0..1, for the same purpose.
pub(crate) fn fraction() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
