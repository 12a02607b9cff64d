//! When what proves who the client is has to be replaced.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_proto::time::{Monotonic, Now, Wall};

const LEAST_LEAD: Duration = Duration::from_secs(30);
const MOST_LEAD: Duration = Duration::from_secs(10 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(5 * 60);
/// What is valid for less is left to run out.
const LEAST_RETRY: Duration = Duration::from_secs(1);

/// A point in time on both clocks: the monotonic one may stand while the machine sleeps, the other one be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    monotonic: Monotonic,
    wall: Wall,
}

impl Moment {
    pub(super) fn after(now: Now, time: Duration) -> Self {
        Self { monotonic: now.monotonic.after(time), wall: now.wall.after(time) }
    }

    pub(super) fn at(now: Now, at: SystemTime) -> Self {
        Self::after(now, until(now, at))
    }

    /// Whether it is reached, by either clock.
    pub(super) fn is_past(self, now: Now) -> bool {
        self.left(now).is_zero()
    }

    /// How long it is until then, by the clock that is further on.
    pub(super) fn left(self, now: Now) -> Duration {
        self.monotonic.since(now.monotonic).min(self.wall.since(now.wall))
    }

    pub(super) const fn monotonic(self) -> Monotonic {
        self.monotonic
    }
}

/// How long it is until `at`; nothing if that is past.
pub(super) fn until(now: Now, at: SystemTime) -> Duration {
    at.duration_since(system_time(now.wall)).unwrap_or_default()
}

pub(super) fn system_time(wall: Wall) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(wall.as_millis())).unwrap_or(UNIX_EPOCH)
}

/// How long before its end something that is valid for `life` is replaced: a tenth of it and at least 30 s, but at most
/// half of it and 10 min. A `random` number in 0..1 takes up to a quarter off, so that many clients do not ask at once.
pub(super) fn lead(life: Duration, random: f64) -> Duration {
    let whole = (life / 10).max(LEAST_LEAD).min(life / 2).min(MOST_LEAD);
    whole - whole.mul_f64(random.clamp(0.0, 1.0) / 4.0)
}

/// How long after the failure with that number to try again, where what is in use is valid for `left`: 5 s, doubling up
/// to 5 min, of which `random` takes up to half off, and not past the middle of what is left. Absent: it has run out.
pub(super) fn retry(failures: u32, left: Duration, random: f64) -> Option<Duration> {
    if left < LEAST_RETRY {
        return None;
    }
    let whole = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LAST_RETRY);
    let spread = whole - whole.mul_f64(random.clamp(0.0, 1.0) / 2.0);
    Some(spread.min(left / 2).max(LEAST_RETRY))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_lead_is_a_tenth_within_its_bounds_and_spread() {
        for (life, whole) in [(3600, 360), (300, 30), (100, 30), (40, 20), (2, 1), (0, 0), (86_400, 600)] {
            assert_eq!(lead(secs(life), 0.0), secs(whole), "{life}");
            assert_eq!(lead(secs(life), 1.0), secs(whole) * 3 / 4, "{life}");
            assert_eq!(lead(secs(life), f64::MAX), secs(whole) * 3 / 4, "{life}");
        }
    }

    #[test]
    fn retries_back_off_and_stay_within_what_is_left() {
        let day = secs(86_400);
        let waits: Vec<_> = (1..10).filter_map(|failures| retry(failures, day, 0.0)).map(|it| it.as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(retry(u32::MAX, day, 1.0), Some(secs(150)));
        assert_eq!(retry(7, secs(60), 0.0), Some(secs(30)));
        assert_eq!(retry(1, secs(1), 0.0), Some(secs(1)));
        assert_eq!(retry(1, Duration::from_millis(999), 0.0), None);
    }

    #[test]
    fn a_moment_comes_by_whichever_clock_is_further_on() {
        let now = |micros, millis| Now { monotonic: Monotonic::from_micros(micros), wall: Wall::from_millis(millis) };
        let moment = Moment::after(now(0, 1_000_000), secs(10));
        assert!(!moment.is_past(now(9_999_999, 1_009_999)));
        assert!(moment.is_past(now(10_000_000, 1_000_000)), "the other clock was set back");
        assert!(moment.is_past(now(0, 1_010_000)), "the machine has slept");
        let past = Moment::at(now(5, 1_000_000), UNIX_EPOCH);
        assert!(past.is_past(now(5, 1_000_000)));
    }
}
