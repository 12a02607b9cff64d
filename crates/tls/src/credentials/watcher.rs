//! When to load files that change, and what to make of the outcome: no I/O, no clock.
//!
//! ```text
//!            changed()                 debounce is over, or poll, or reload()
//!   Idle ───────────────▶ Settling ──────────────────────────────────────────▶ Loading
//!    ▲                        ▲                                                   │ loaded()
//!    │                        └──────────── changed while loading ────────────────┤
//!    │                                                                            │
//!    ├── Good: publish, or nothing where the content is the current one ──────────┤
//!    ├── Unfit: the old stays ────────────────────────────────────────────────────┤
//!    └── Broken: again after a short time, and when that has not helped, the old ─┘
//!        stays
//! ```
//! Times are durations since whatever point the driver chose.

use std::collections::VecDeque;
use std::time::Duration;

/// How patient a [`Watcher`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Settings {
    /// Quiet that must follow a change before the files are read. Default 200 ms.
    pub debounce: Duration,
    /// How long changes that do not end may put reading off. Default 2 s.
    pub debounce_limit: Duration,
    /// Without any change, how often the files are read all the same. Default 60 s.
    pub poll: Duration,
    /// When key and certificate do not match or a file is cut off, how soon to read again: the
    /// writer may be between two files. Default 100 ms.
    pub retry: Duration,
    /// How often to do so. Default 10.
    pub retries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(200),
            debounce_limit: Duration::from_secs(2),
            poll: Duration::from_secs(60),
            retry: Duration::from_millis(100),
            retries: 10,
        }
    }
}

/// Names the content of an identity: equal exactly if the same certificates are sent.
pub type ContentHash = Vec<u8>;

/// What loading the files came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the machine must handle every one")]
pub enum Outcome {
    /// A whole identity that can serve.
    Good(ContentHash),
    /// A whole identity that cannot serve: expired, or not for this use. Reading again does not help.
    Unfit(ContentHash, String),
    /// No identity; reading again may help.
    Broken(String),
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a driver must handle every one")]
pub enum Action {
    /// Load the files and call [`Watcher::loaded`].
    Load,
    /// Make what was loaded last the current identity.
    Publish,
    /// The old identity stays for this reason. `new`: the reason was not told before.
    Keep {
        /// Why.
        why: String,
        /// Whether that is news.
        new: bool,
    },
    /// The files hold the current identity.
    Confirm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle { poll_at: Duration },
    Settling { due: Duration, limit: Duration },
    Loading { again: Option<Duration> },
}

/// The machine.
#[derive(Debug)]
pub struct Watcher {
    settings: Settings,
    state: State,
    current: ContentHash,
    /// Broken outcomes in a row.
    broken: u32,
    told: Option<String>,
    actions: VecDeque<Action>,
}

impl Watcher {
    /// Watches from `now` on; `current` is in force.
    #[must_use]
    pub const fn new(now: Duration, settings: Settings, current: ContentHash) -> Self {
        let poll_at = now.saturating_add(settings.poll);
        let state = State::Idle { poll_at };
        Self { settings, state, current, broken: 0, told: None, actions: VecDeque::new() }
    }

    /// When [`Self::timeout`] is due; `None` while loading.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Idle { poll_at } => Some(poll_at),
            State::Settling { due, .. } => Some(due),
            State::Loading { .. } => None,
        }
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something changed where the files are.
    pub fn changed(&mut self, now: Duration) {
        self.broken = 0;
        match &mut self.state {
            State::Idle { .. } => self.settle(now),
            State::Settling { due, limit } => *due = now.saturating_add(self.settings.debounce).min(*limit),
            State::Loading { again } => *again = Some(now),
        }
    }

    /// Somebody asks for the files to be read now.
    pub fn reload(&mut self, now: Duration) {
        self.broken = 0;
        self.told = None;
        match &mut self.state {
            State::Idle { .. } | State::Settling { .. } => self.load(),
            State::Loading { again } => *again = Some(now),
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Duration) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.load();
        }
    }

    /// The files were loaded.
    pub fn loaded(&mut self, now: Duration, outcome: Outcome) {
        let State::Loading { again } = self.state else { return };
        self.state = State::Idle { poll_at: now.saturating_add(self.settings.poll) };
        match outcome {
            Outcome::Good(content) => {
                self.broken = 0;
                self.told = None;
                if content == self.current {
                    self.actions.push_back(Action::Confirm);
                } else {
                    self.current = content;
                    self.actions.push_back(Action::Publish);
                }
            }
            // It may be the one in force that ran out: then there is nothing better, which is worth telling too.
            Outcome::Unfit(_, why) => {
                self.broken = 0;
                self.keep(why);
            }
            Outcome::Broken(_) if self.broken < self.settings.retries => {
                self.broken += 1;
                let due = now.saturating_add(self.settings.retry);
                self.state = State::Settling { due, limit: due };
            }
            Outcome::Broken(why) => {
                self.broken = 0;
                self.keep(why);
            }
        }
        if let Some(changed) = again {
            self.settle(changed.max(now));
        }
    }

    fn keep(&mut self, why: String) {
        let new = self.told.as_ref() != Some(&why);
        self.told = Some(why.clone());
        self.actions.push_back(Action::Keep { why, new });
    }

    fn settle(&mut self, now: Duration) {
        let due = now.saturating_add(self.settings.debounce);
        let limit = now.saturating_add(self.settings.debounce_limit.max(self.settings.debounce));
        self.state = State::Settling { due, limit };
    }

    fn load(&mut self) {
        self.state = State::Loading { again: None };
        self.actions.push_back(Action::Load);
    }
}

#[cfg(test)]
mod tests;
