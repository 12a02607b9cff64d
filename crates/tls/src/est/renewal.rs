//! When to renew: a machine without clock, randomness or I/O.
//!
//! Times are in milliseconds since 1970, so that certificates that live for seconds can be renewed too. The caller asks
//! [`Renewal::poll`] what to do, does it, and tells the outcome by [`issued`](Renewal::issued),
//! [`pending`](Renewal::pending) or [`failed`](Renewal::failed).

use std::time::Duration;

/// Two attempts are at least this far apart, in milliseconds.
const SHORTEST_WAIT: u64 = 500;

/// When to renew and how to go on after failures.
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use]
pub struct RenewalPolicy {
    fraction: f64,
    jitter: f64,
    first_retry: u64,
    longest_retry: u64,
}

impl Default for RenewalPolicy {
    /// At two thirds of life, 5 % of life sooner or later; after failures 30 seconds, doubled up to an hour.
    fn default() -> Self {
        Self { fraction: 2.0 / 3.0, jitter: 0.05, first_retry: 30_000, longest_retry: 3_600_000 }
    }
}

impl RenewalPolicy {
    /// Renews when this part of life has passed: 0.01 to 0.95.
    pub fn fraction(mut self, fraction: f64) -> Self {
        self.fraction = if fraction.is_nan() { 2.0 / 3.0 } else { fraction.clamp(0.01, 0.95) };
        self
    }

    /// Moves the time by up to this part of life, sooner or later, so that a fleet does not come at once: 0 to 0.2.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = if jitter.is_nan() { 0.05 } else { jitter.clamp(0.0, 0.2) };
        self
    }

    /// The first wait after a failure, and the longest. Waits double in between, and are never longer than a quarter of
    /// the life that is left.
    pub fn retries(mut self, first: Duration, longest: Duration) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.first_retry = millis(first).max(SHORTEST_WAIT);
        self.longest_retry = millis(longest).max(self.first_retry);
        self
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Nothing until then, in milliseconds since 1970.
    Wait {
        /// Until when.
        until: u64,
    },
    /// Ask for a new certificate.
    Renew,
}

/// The succession of one certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct Renewal {
    policy: RenewalPolicy,
    /// In milliseconds since 1970.
    not_after: u64,
    next: u64,
    failures_in_row: u32,
    status: RenewalStatus,
}

/// How it stands, for metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RenewalStatus {
    /// Certificates that came.
    pub renewed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Why the latest attempt failed; absent after one that did not.
    pub last_error: Option<String>,
    /// The server has taken the request and not decided yet.
    pub pending: bool,
    /// When the next attempt is due, in milliseconds since 1970.
    pub next: u64,
}

impl Renewal {
    /// For a certificate valid from and to these seconds since 1970, and `random` in 0..1.
    pub fn new(policy: RenewalPolicy, not_before: u64, not_after: u64, random: f64) -> Self {
        let mut renewal = Self {
            policy,
            not_after: not_after.saturating_mul(1000),
            next: 0,
            failures_in_row: 0,
            status: RenewalStatus::default(),
        };
        renewal.schedule(not_before.saturating_mul(1000), random);
        renewal
    }

    /// What to do at `now`. The answer changes when that time has come, or an outcome was told.
    #[must_use]
    pub const fn poll(&self, now: u64) -> Action {
        if now >= self.next { Action::Renew } else { Action::Wait { until: self.next } }
    }

    /// A certificate came at `now`, valid to this second since 1970. Its life counts from now, however far back the
    /// server dated it.
    pub fn issued(&mut self, now: u64, not_after: u64, random: f64) {
        self.not_after = not_after.saturating_mul(1000);
        self.failures_in_row = 0;
        self.status.renewed += 1;
        self.status.last_error = None;
        self.status.pending = false;
        self.schedule(now, random);
        self.at(self.next.max(now.saturating_add(SHORTEST_WAIT)));
    }

    /// The server wants the same request again in so many seconds. It is asked once more before the certificate runs
    /// out, even if that is sooner.
    pub fn pending(&mut self, now: u64, retry_after: u64) {
        self.failures_in_row = 0;
        self.status.last_error = None;
        self.status.pending = true;
        let asked = now.saturating_add(retry_after.saturating_mul(1000));
        let last_chance = self.not_after.saturating_sub(self.left(now) / 10);
        let at = if last_chance > now { asked.min(last_chance) } else { asked };
        self.at(at.max(now.saturating_add(SHORTEST_WAIT)));
    }

    /// An attempt failed at `now`. `retry_after` is what the server asked for, if it did, in seconds.
    pub fn failed(&mut self, now: u64, why: String, retry_after: Option<u64>, random: f64) {
        let doubled = self.policy.first_retry.saturating_mul(1 << self.failures_in_row.min(20));
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        self.status.failed += 1;
        self.status.last_error = Some(why);
        self.status.pending = false;
        let mut wait = scaled(doubled.min(self.policy.longest_retry), 0.5 + random.clamp(0.0, 1.0) / 2.0);
        if let Some(asked) = retry_after {
            wait = asked.saturating_mul(1000);
        }
        // What is nearly over cannot wait for long.
        if self.left(now) > 0 {
            wait = wait.min(self.left(now) / 4);
        }
        self.at(now.saturating_add(wait.max(SHORTEST_WAIT)));
    }

    /// Is the certificate past its end?
    #[must_use]
    pub const fn is_expired(&self, now: u64) -> bool {
        now > self.not_after
    }

    /// How it stands.
    #[must_use]
    pub const fn status(&self) -> &RenewalStatus {
        &self.status
    }

    const fn left(&self, now: u64) -> u64 {
        self.not_after.saturating_sub(now)
    }

    const fn at(&mut self, next: u64) {
        self.next = next;
        self.status.next = next;
    }

    fn schedule(&mut self, from: u64, random: f64) {
        let life = self.not_after.saturating_sub(from);
        let moved = (random.clamp(0.0, 1.0) * 2.0 - 1.0) * self.policy.jitter;
        let part = (self.policy.fraction + moved).clamp(0.0, 0.99);
        self.at(from.saturating_add(scaled(life, part)).min(self.not_after));
    }
}

/// Part of a duration. Milliseconds of any certificate's life are exact in a double.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the part is in 0..=1"
)]
fn scaled(millis: u64, part: f64) -> u64 {
    (millis as f64 * part).round() as u64
}

#[cfg(test)]
mod tests;
