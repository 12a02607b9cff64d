//! Slows down those who guess passwords.

mod table;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gridmq_proto::time::Wall;

use table::Table;

/// How a brake acts on one kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a program sets all of it")]
pub struct BrakeSteps {
    /// Wrong passwords that cost nothing.
    pub free: u32,
    /// How long the next one closes the way; each after it twice as long.
    pub first: Duration,
    /// The longest time for which one closes it.
    pub longest: Duration,
    /// One wrong password is forgiven for each such time without another.
    pub forgiven_every: Duration,
}

impl BrakeSteps {
    /// For an address: 5 are free, then 1 s, 2 s, … 64 s; one is forgiven each minute.
    pub const SOURCE: Self = Self {
        free: 5,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(64),
        forgiven_every: Duration::from_secs(60),
    };
    /// For a user name, from whatever address: 20 are free, then 1 s, 2 s, 4 s, 8 s; one is forgiven each minute.
    pub const USER: Self = Self { free: 20, longest: Duration::from_secs(8), ..Self::SOURCE };

    fn delay(&self, failures: u32) -> u64 {
        let Some(beyond) = failures.checked_sub(self.free).and_then(|beyond| beyond.checked_sub(1)) else { return 0 };
        let factor = 1_u64.checked_shl(beyond).unwrap_or(u64::MAX);
        millis(self.first).saturating_mul(factor).min(millis(self.longest))
    }
}

/// Counts wrong passwords by address and by user name, and closes the way for a while to those who give many.
///
/// An address is an IPv4 address or the first 64 bits of an IPv6 one. While the way is closed, passwords are not looked
/// at, and trying does not close it for longer: whoever waits is heard. A user who has once been let in from an address
/// is not held up by the wrong passwords of others, neither by those from that address nor by those for that name, until
/// it gives too many itself.
///
/// It remembers at most 65,536 addresses and names with wrong passwords and as many users with right ones, and forgets
/// those of which nothing was heard for longest. Cheap to share in an [`Arc`](std::sync::Arc); one brake serves all rules
/// of a broker in turn.
pub struct Brake {
    source: BrakeSteps,
    user: BrakeSteps,
    hasher: RandomState,
    tables: Mutex<Tables>,
    wrong: AtomicU64,
    held_up: AtomicU64,
}

#[derive(Debug)]
struct Tables {
    /// Wrong passwords of strangers.
    strangers: Table<Key, Count>,
    /// Users who have been let in from an address, and their wrong passwords since.
    known: Table<(Source, u64), Count>,
}

/// An address as far as it names one party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    V4(u32),
    /// The first 64 bits.
    V6(u64),
    /// A transport without addresses.
    Local,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Source(Source),
    /// A keyed hash of its name, which may be long.
    User(u64),
}

/// Wrong passwords of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    failures: u32,
    /// Milliseconds of the last one.
    last: u64,
    /// Until when the way is closed.
    until: u64,
}

impl Count {
    fn forgive(&mut self, steps: &BrakeSteps, now: u64) {
        let every = millis(steps.forgiven_every).max(1);
        let forgiven = now.saturating_sub(self.last) / every;
        if forgiven > 0 {
            self.failures = self.failures.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
            self.last = self.last.saturating_add(forgiven.saturating_mul(every));
        }
    }

    fn add(&mut self, steps: &BrakeSteps, now: u64) {
        self.forgive(steps, now);
        self.failures = self.failures.saturating_add(1).min(steps.free.saturating_add(MAX_BEYOND));
        self.last = now;
        self.until = self.until.max(now.saturating_add(steps.delay(self.failures)));
    }

    /// How long the way stays closed. A clock that was set back opens it.
    fn closed(&self, steps: &BrakeSteps, now: u64) -> Option<u64> {
        let left = self.until.saturating_sub(now);
        (left > 0 && left <= millis(steps.longest)).then_some(left)
    }
}

/// Wrong passwords beyond the free ones that are counted.
const MAX_BEYOND: u32 = 10;
/// Keys that a table holds.
const CAPACITY: usize = 65_536;

/// What a brake has seen since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BrakeStats {
    /// Wrong passwords.
    pub wrong: u64,
    /// Attempts whose password was not looked at.
    pub held_up: u64,
    /// Addresses and names with wrong passwords that are remembered.
    pub remembered: usize,
}

impl Brake {
    /// A brake with [`BrakeSteps::SOURCE`] and [`BrakeSteps::USER`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_steps(BrakeSteps::SOURCE, BrakeSteps::USER)
    }

    /// A brake with other steps for an address and for a user name.
    #[must_use]
    pub fn with_steps(source: BrakeSteps, user: BrakeSteps) -> Self {
        Self::with_capacity(source, user, CAPACITY)
    }

    pub(crate) fn with_capacity(source: BrakeSteps, user: BrakeSteps, capacity: usize) -> Self {
        let tables = Tables { strangers: Table::new(capacity), known: Table::new(capacity) };
        Self {
            source,
            user,
            hasher: RandomState::new(),
            tables: Mutex::new(tables),
            wrong: AtomicU64::new(0),
            held_up: AtomicU64::new(0),
        }
    }

    /// What it has seen.
    #[must_use]
    pub fn stats(&self) -> BrakeStats {
        BrakeStats {
            wrong: self.wrong.load(Ordering::Relaxed),
            held_up: self.held_up.load(Ordering::Relaxed),
            remembered: self.tables().strangers.len(),
        }
    }

    /// Whether a password of that user from that address may be looked at now.
    ///
    /// # Errors
    /// For how long not.
    pub fn check(&self, source: Option<IpAddr>, user: &str, now: Wall) -> Result<(), Duration> {
        let (source, user, now) = (Source::from(source), self.hasher.hash_one(user), now.as_millis());
        let mut tables = self.tables();
        let left = match tables.known.get(&(source, user)) {
            Some(count) => count.closed(&self.source, now),
            None => {
                let by_source = tables.strangers.get(&Key::Source(source));
                let by_source = by_source.and_then(|count| count.closed(&self.source, now));
                let by_user = tables.strangers.get(&Key::User(user));
                by_source.max(by_user.and_then(|count| count.closed(&self.user, now)))
            }
        };
        left.map_or(Ok(()), |left| Err(Duration::from_millis(left)))
    }

    /// Counts an attempt that [`check`](Self::check) held up.
    pub(crate) fn count_held_up(&self) {
        self.held_up.fetch_add(1, Ordering::Relaxed);
    }

    /// The password was wrong.
    pub fn failed(&self, source: Option<IpAddr>, user: &str, now: Wall) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        let (source, user, now) = (Source::from(source), self.hasher.hash_one(user), now.as_millis());
        let mut tables = self.tables();
        if let Some(count) = tables.known.get(&(source, user)) {
            count.add(&self.source, now);
            if count.failures <= self.source.free {
                return;
            }
            // From here on it is a stranger like others.
            let count = *count;
            tables.known.remove(&(source, user));
            let stranger = tables.strangers.entry(Key::Source(source));
            stranger.forgive(&self.source, now);
            stranger.failures = stranger.failures.max(count.failures);
            stranger.last = now;
            stranger.until = stranger.until.max(count.until);
            return;
        }
        tables.strangers.entry(Key::Source(source)).add(&self.source, now);
        tables.strangers.entry(Key::User(user)).add(&self.user, now);
    }

    /// The password was right.
    pub fn succeeded(&self, source: Option<IpAddr>, user: &str) {
        let known = (Source::from(source), self.hasher.hash_one(user));
        *self.tables().known.entry(known) = Count::default();
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Brake {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brake")
            .field("source", &self.source)
            .field("user", &self.user)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl From<Option<IpAddr>> for Source {
    fn from(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Local,
            Some(IpAddr::V4(address)) => Self::V4(address.into()),
            Some(IpAddr::V6(address)) => Self::V6(u64::try_from(u128::from(address) >> 64).unwrap_or_default()),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
