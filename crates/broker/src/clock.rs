//! The one place that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gridmq_proto::time::{Monotonic, Now, Wall};

/// Both clocks; all workers of a broker share one origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        #[cfg(any(test, feature = "measure"))]
        if let Some(stopped) = STOPPED.get() {
            let wall = Wall::from_millis(1_000_000_000 + stopped / 1000);
            return Now { monotonic: Monotonic::from_micros(stopped), wall };
        }
        let micros = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Now { monotonic: Monotonic::from_micros(micros), wall: Wall::from_millis(millis) }
    }

    /// The runtime's instant for a point of the monotonic clock.
    pub(crate) fn instant(self, at: Monotonic) -> tokio::time::Instant {
        let at = Duration::from_micros(at.as_micros());
        tokio::time::Instant::from_std(self.origin.checked_add(at).unwrap_or(self.origin))
    }
}

#[cfg(any(test, feature = "measure"))]
thread_local! {
    /// Microseconds that this thread's clock stands at, if it stands.
    static STOPPED: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// Has the clock of this thread stand at its beginning.
#[cfg(any(test, feature = "measure"))]
pub(crate) fn stop() {
    STOPPED.set(Some(0));
}

/// Moves a clock that stands.
#[cfg(any(test, feature = "measure"))]
pub(crate) fn advance(by: Duration) {
    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    STOPPED.set(STOPPED.get().map(|at| at.saturating_add(by)));
}
