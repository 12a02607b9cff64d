//! When to load revocation lists again, and when one of those in force has become overdue: no I/O, no clock.
//!
//! A [`Watcher`] decides when to load and what to make of the outcome. Besides, the lists are loaded at each nextUpdate of
//! those in force; if nothing better is there then, the driver is told that one is overdue.
//!
//! Two clocks are arguments: `now` since whatever point the driver chose, which does not jump, and `wall` in seconds since
//! 1970, by which lists are judged.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::credentials::watcher::{self, ContentHash, Outcome, Settings, Watcher};

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Load the lists and call [`Schedule::loaded`].
    Load,
    /// Put what was loaded last in force and call [`Schedule::in_force`].
    Publish,
    /// What is in force stays for this reason. `new`: the reason was not told before.
    Keep { why: String, new: bool },
    /// The files hold what is in force.
    Confirm,
    /// One of the lists in force has become overdue, and there was nothing better.
    Overdue { next_update: u64 },
}

/// The machine.
#[derive(Debug)]
pub(super) struct Schedule {
    watcher: Watcher,
    /// Every nextUpdate of the lists in force that has not passed.
    due: BTreeSet<u64>,
    /// One that has passed, while the lists are being loaded because of it.
    passed: Option<u64>,
    actions: VecDeque<Action>,
}

impl Schedule {
    /// Watches from `now` on; `content` is in force, with lists that are due at `due`.
    pub(super) fn new(now: Duration, settings: Settings, content: ContentHash, due: BTreeSet<u64>) -> Self {
        Self { watcher: Watcher::new(now, settings, content), due, passed: None, actions: VecDeque::new() }
    }

    /// What was published is in force, with lists that are due at `due`.
    pub(super) fn in_force(&mut self, due: BTreeSet<u64>) {
        self.due = due;
        self.passed = None;
    }

    /// When [`Self::timeout`] is due; `None` while loading. A jump of `wall` is noticed at the next poll.
    pub(super) fn deadline(&self, now: Duration, wall: u64) -> Option<Duration> {
        let watcher = self.watcher.deadline()?;
        let due = self.due.first().map(|due| now.saturating_add(Duration::from_secs(due.saturating_sub(wall))));
        Some(due.map_or(watcher, |due| due.min(watcher)))
    }

    /// The next thing to do.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something changed where the lists are.
    pub(super) fn changed(&mut self, now: Duration) {
        self.watcher.changed(now);
        self.gather();
    }

    /// Somebody asks for the lists to be loaded now.
    pub(super) fn reload(&mut self, now: Duration) {
        self.watcher.reload(now);
        self.gather();
    }

    /// Time has passed.
    pub(super) fn timeout(&mut self, now: Duration, wall: u64) {
        let ahead = self.due.split_off(&wall.saturating_add(1));
        let passed = std::mem::replace(&mut self.due, ahead);
        if let Some(last) = passed.last() {
            self.passed = Some(*last);
            self.watcher.reload(now);
        } else {
            self.watcher.timeout(now);
        }
        self.gather();
    }

    /// The lists were loaded.
    pub(super) fn loaded(&mut self, now: Duration, outcome: Outcome) {
        self.watcher.loaded(now, outcome);
        self.gather();
    }

    fn gather(&mut self) {
        while let Some(action) = self.watcher.next_action() {
            match action {
                watcher::Action::Load => self.actions.push_back(Action::Load),
                watcher::Action::Publish => self.actions.push_back(Action::Publish),
                watcher::Action::Keep { why, new } => {
                    self.actions.push_back(Action::Keep { why, new });
                    let overdue = self.passed.take().map(|next_update| Action::Overdue { next_update });
                    self.actions.extend(overdue);
                }
                watcher::Action::Confirm => {
                    self.actions.push_back(Action::Confirm);
                    // Not overdue after all: the clock was put back.
                    self.due.extend(self.passed.take());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
