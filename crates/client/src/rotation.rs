//! When to move to another certificate, and when to try again: no I/O, no clock, no randomness of its own.
//!
//! ```text
//!            a newer generation              nothing unacknowledged, or time is up
//!   Steady ────────────────────▶ Finishing ───────────────────────────────────────▶ Leaving: DISCONNECT is sent
//!     ▲                                                                                │ both sides have closed
//!     │ CONNACK                                                                        ▼
//!     └──────────────────────── Trying ◀─────────────── due ────────────────────── Waiting
//!                                  └──────────────────── failed ──────────────────────▶┘
//! ```
//! The server's own closing leads from Finishing to Waiting as well. Trying ends for good when the old certificate has
//! run out.
//!
//! A server that refuses the new certificate gets the old one in the next attempt, for as long as it is valid. If
//! it takes that, the new one is tried again after [`RECONSIDER`] or less, or when there is a still newer one.

use std::time::Duration;

use gridmq_proto::time::Monotonic;

/// How long requests that were sent may take to be answered before the client leaves.
pub(crate) const FINISH: Duration = Duration::from_secs(5);
/// The longest wait after the first failed attempt; it doubles with each, up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The shortest wait.
const MIN_WAIT: Duration = Duration::from_millis(250);
/// How long to stay with the old certificate at most when the server has refused the new one: half of what is left of
/// its validity, if that is shorter.
pub(crate) const RECONSIDER: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Steady,
    Finishing { until: Monotonic },
    Leaving,
    Waiting { at: Monotonic },
    Trying,
}

/// Which generation an attempt uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Newest,
    /// The one that was in use before the move.
    Old,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Retry { wait: Duration },
    GiveUp,
}

/// A new generation that the server has refused.
#[derive(Debug, Clone, Copy)]
struct Refused {
    number: u64,
    reconsider: Monotonic,
}

#[derive(Debug)]
pub(crate) struct Rotation {
    phase: Phase,
    /// The generation of the connection that is, or was before the move.
    used: u64,
    /// The last second of its validity, in seconds since 1970.
    not_after: u64,
    attempts: u32,
    choice: Choice,
    refused: Option<Refused>,
}

impl Rotation {
    pub(crate) const fn new(used: u64, not_after: u64) -> Self {
        Self { phase: Phase::Steady, used, not_after, attempts: 0, choice: Choice::Newest, refused: None }
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Generations up to this one are no news.
    pub(crate) fn known(&self) -> u64 {
        self.refused.map_or(self.used, |refused| refused.number.max(self.used))
    }

    /// When the machine wants to be called again.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        match self.phase {
            Phase::Steady => self.refused.map(|refused| refused.reconsider),
            Phase::Finishing { until } => Some(until),
            Phase::Waiting { at } => Some(at),
            Phase::Leaving | Phase::Trying => None,
        }
    }

    /// There is a generation of this number.
    pub(crate) fn arrived(&mut self, now: Monotonic, number: u64) {
        if number <= self.known() {
            return;
        }
        match self.phase {
            Phase::Steady => self.begin(now),
            Phase::Waiting { .. } => {
                self.choice = Choice::Newest;
                self.phase = Phase::Waiting { at: now };
            }
            Phase::Finishing { .. } | Phase::Leaving | Phase::Trying => {}
        }
    }

    fn begin(&mut self, now: Monotonic) {
        self.refused = None;
        self.choice = Choice::Newest;
        self.attempts = 0;
        self.phase = Phase::Finishing { until: now.after(FINISH) };
    }

    /// Whether it is time to say goodbye. `idle`: nothing is unanswered.
    pub(crate) fn leaves(&mut self, now: Monotonic, idle: bool) -> bool {
        if let (Phase::Steady, Some(refused)) = (self.phase, self.refused)
            && refused.reconsider <= now
        {
            self.begin(now);
        }
        let leaves = matches!(self.phase, Phase::Finishing { until } if idle || until <= now);
        if leaves {
            self.phase = Phase::Leaving;
        }
        leaves
    }

    /// The connection has ended; what was said last may still be on its way.
    pub(crate) fn left(&mut self) {
        self.phase = Phase::Leaving;
    }

    /// The connection is gone.
    pub(crate) fn gone(&mut self, now: Monotonic) {
        self.phase = Phase::Waiting { at: now };
    }

    /// Which generation to try now; `None`: it is not time.
    pub(crate) fn tries(&mut self, now: Monotonic) -> Option<Choice> {
        match self.phase {
            Phase::Waiting { at } if at <= now => {
                self.attempts = self.attempts.saturating_add(1);
                self.phase = Phase::Trying;
                Some(self.choice)
            }
            _ => None,
        }
    }

    /// An attempt failed. `number`: the generation that it used, if any. `refused`: the server spoke against us, rather
    /// than the way to it. `wall`: seconds since 1970.
    pub(crate) fn failed(&mut self, now: Monotonic, wall: u64, number: u64, refused: bool, random: u64) -> Next {
        if wall >= self.not_after {
            return Next::GiveUp;
        }
        if self.choice == Choice::Old {
            self.choice = Choice::Newest;
        } else if refused && number > self.used {
            // While there is still time to come back with the old one.
            let left = Duration::from_secs(self.not_after.saturating_sub(wall)) / 2;
            self.refused = Some(Refused { number, reconsider: now.after(RECONSIDER.min(left).max(FINISH)) });
            self.choice = Choice::Old;
        }
        let wait = backoff(self.attempts, random);
        self.phase = Phase::Waiting { at: now.after(wait) };
        Next::Retry { wait }
    }

    /// The server has accepted us with this generation.
    pub(crate) fn resumed(&mut self, number: u64, not_after: u64) {
        if number > self.used {
            self.refused = None;
        }
        self.used = number;
        self.not_after = not_after;
        self.attempts = 0;
        self.choice = Choice::Newest;
        self.phase = Phase::Steady;
    }
}

/// Full jitter: anything up to a bound that doubles with each attempt.
fn backoff(attempts: u32, random: u64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let bound = FIRST_WAIT.saturating_mul(1 << doublings).min(MAX_WAIT);
    let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(random % millis).max(MIN_WAIT)
}

#[cfg(test)]
mod tests;
