//! Which generation of the client's certificate to use.

use std::time::Duration;

use gridmq_proto::time::Monotonic;

use super::FINISH;

/// How long to stay with the old certificate at most when the server has refused the new one: half of what is left of
/// its validity, if that is shorter.
pub(super) const RECONSIDER: Duration = Duration::from_secs(5 * 60);

/// Which generation an attempt uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Newest,
    /// The one that was in use before.
    Old,
}

/// A new generation that the server has refused.
#[derive(Debug, Clone, Copy)]
struct Refused {
    number: u64,
    reconsider: Monotonic,
}

#[derive(Debug)]
pub(super) struct Certificates {
    /// The generation of the connection that is, or was before.
    pub(super) used: u64,
    /// The last second of its validity, in seconds since 1970.
    pub(super) not_after: u64,
    pub(super) choice: Choice,
    refused: Option<Refused>,
}

impl Certificates {
    pub(super) const fn new(number: u64) -> Self {
        Self { used: number, not_after: 0, choice: Choice::Newest, refused: None }
    }

    /// Generations up to this one are no news.
    pub(super) fn known(&self) -> u64 {
        self.refused.map_or(self.used, |refused| refused.number.max(self.used))
    }

    /// When a refused generation is tried again.
    pub(super) fn reconsider(&self) -> Option<Monotonic> {
        self.refused.map(|refused| refused.reconsider)
    }

    /// The client is about to leave for the newest.
    pub(super) const fn begin(&mut self) {
        self.refused = None;
        self.choice = Choice::Newest;
    }

    /// The server does not take the used one any more. Whether it may take a newer one that it has refused before.
    pub(super) fn turn_to_newer(&mut self) -> bool {
        let newer = self.known() > self.used;
        if newer {
            self.begin();
        }
        newer
    }

    /// An attempt with generation `number` failed. Whether the next is to use another one.
    pub(super) fn failed(&mut self, now: Monotonic, wall: u64, number: u64, refused: bool) -> bool {
        if self.choice == Choice::Old {
            self.choice = Choice::Newest;
            return false;
        }
        if !refused || number <= self.used || wall >= self.not_after {
            return false;
        }
        // While there is still time to come back with the old one.
        let left = Duration::from_secs(self.not_after.saturating_sub(wall)) / 2;
        self.refused = Some(Refused { number, reconsider: now.after(RECONSIDER.min(left).max(FINISH)) });
        self.choice = Choice::Old;
        true
    }

    pub(super) const fn accepted(&mut self, number: u64, not_after: u64) {
        if number > self.used {
            self.refused = None;
        }
        self.used = number;
        self.not_after = not_after;
        self.choice = Choice::Newest;
    }
}
