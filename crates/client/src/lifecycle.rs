//! When to connect, to wait, to move to another certificate and to give up: no I/O, no clock, no randomness of its own.
//!
//! ```text
//!     ┌─────────────────────────────────── failed, and worth another attempt ─────────────────────────────┐
//!     ▼            due                   stream open             CONNACK                                  │
//!  Waiting ───────────────▶ Opening ───────────────▶ Greeting ───────────▶ Up ──┐ lost, or gone ──────────┤
//!     ▲                        └────────────────────────┴── failed ─────────────┼─────────────────────────┤
//!     │                                                                         │ a newer certificate     ▼
//!     │ both sides have closed       nothing unanswered, or time is up          ▼                       Over
//!     └────────────────────── Leaving ◀──────────────────────────────────── Finishing
//! ```
//!
//! A server that refuses a new certificate gets the old one in the next attempt, for as long as it is valid. If it takes
//! that, the new one is tried again after [`RECONSIDER`] or less, or when there is a still newer one.

mod certificates;

use std::time::Duration;

use gridmq_proto::time::Monotonic;

use self::certificates::Certificates;
pub(crate) use self::certificates::Choice;

/// How long requests that were sent may take to be answered before the client leaves.
pub(crate) const FINISH: Duration = Duration::from_secs(5);
/// The shortest wait after a failure.
const MIN_WAIT: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no connection. The next attempt begins then.
    Waiting { at: Monotonic },
    /// An attempt is on its way to an open stream.
    Opening,
    /// CONNECT was sent.
    Greeting,
    /// The server has accepted us.
    Up,
    /// It is time to leave for another certificate; what was begun is finished first.
    Finishing { until: Monotonic },
    /// The connection has ended, or DISCONNECT is sent: both sides have still to close.
    Leaving,
    /// There will be no other connection.
    Over,
}

/// The rules of the waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// After a connection was lost, it comes back. Otherwise it only moves from certificate to certificate.
    pub(crate) returns: bool,
    /// It goes on trying although it has never been connected.
    pub(crate) patient: bool,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// After a connection that lasted for so long the waits begin anew.
    pub(crate) steady: Duration,
    /// Failed rounds in one absence, at most.
    pub(crate) rounds: Option<u32>,
    pub(crate) servers: usize,
    /// The servers are tried in an order of chance.
    pub(crate) shuffled: bool,
}

/// What the owner makes of a failure.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Judgement {
    /// It is worth another attempt.
    pub(crate) retries: bool,
    /// It does not pass by itself: the longest wait from the first attempt on.
    pub(crate) slow: bool,
    /// The application's own wait.
    pub(crate) after: Option<Duration>,
    /// The server spoke against us, rather than the way to it: another certificate may help.
    pub(crate) refused: bool,
    /// The server named another, which is tried at once.
    pub(crate) redirected: bool,
    /// It says nothing of other servers.
    pub(crate) of_this_server: bool,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Retry { wait: Duration },
    GiveUp,
}

/// An attempt to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Try {
    pub(crate) choice: Choice,
    /// Its place in the list of servers.
    pub(crate) server: usize,
}

#[derive(Debug)]
pub(crate) struct Lifecycle {
    phase: Phase,
    rules: Rules,
    certificates: Option<Certificates>,
    /// Failed rounds over all servers in this absence.
    rounds: u32,
    /// Those, and connections that did not last, since a connection was steady.
    setbacks: u32,
    /// Failed attempts of this round, and how many of them are worth no other.
    tried: usize,
    hopeless: usize,
    /// Failed attempts of this absence.
    attempts: u32,
    /// Where the list begins.
    offset: usize,
    /// The client left by itself for another certificate.
    moving: bool,
    /// The server has accepted us once.
    known: bool,
    up_since: Monotonic,
}

impl Lifecycle {
    /// The first attempt is due at once. `certificate`: the number of the generation that there is.
    pub(crate) fn new(now: Monotonic, rules: Rules, certificate: Option<u64>, random: u64) -> Self {
        let mut life = Self {
            phase: Phase::Waiting { at: now },
            rules,
            certificates: certificate.map(Certificates::new),
            rounds: 0,
            setbacks: 0,
            tried: 0,
            hopeless: 0,
            attempts: 0,
            offset: 0,
            moving: false,
            known: false,
            up_since: now,
        };
        life.shuffle(random);
        life
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether there is no connection, and none being greeted.
    pub(crate) const fn is_away(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. } | Phase::Opening)
    }

    /// Whether the client is between two certificates.
    pub(crate) const fn is_moving(&self) -> bool {
        self.moving
    }

    /// Whether the server has accepted us once.
    pub(crate) const fn was_up(&self) -> bool {
        self.known
    }

    /// The generation of the connection that is, or was before.
    pub(crate) fn used(&self) -> u64 {
        self.certificates.as_ref().map_or(0, |certificates| certificates.used)
    }

    /// Generations up to this one are no news.
    pub(crate) fn known_generation(&self) -> u64 {
        self.certificates.as_ref().map_or(0, Certificates::known)
    }

    /// Failed attempts since there was a connection.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Failed rounds over all servers.
    pub(crate) const fn rounds(&self) -> u32 {
        self.rounds
    }

    /// When the machine wants to be called again.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        match self.phase {
            Phase::Up => self.certificates.as_ref().and_then(Certificates::reconsider),
            Phase::Finishing { until } => Some(until),
            Phase::Waiting { at } => Some(at),
            Phase::Opening | Phase::Greeting | Phase::Leaving | Phase::Over => None,
        }
    }

    /// There is a generation of this number.
    pub(crate) fn arrived(&mut self, now: Monotonic, number: u64) {
        let Some(certificates) = self.certificates.as_mut().filter(|certificates| number > certificates.known()) else {
            return;
        };
        match self.phase {
            Phase::Up => self.begin(now),
            Phase::Waiting { .. } => {
                certificates.choice = Choice::Newest;
                // It may be what the server waits for.
                if self.known || self.rules.patient {
                    self.phase = Phase::Waiting { at: now };
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: Monotonic) {
        if let Some(certificates) = &mut self.certificates {
            certificates.begin();
        }
        self.attempts = 0;
        self.rounds = 0;
        self.setbacks = 0;
        self.moving = true;
        self.phase = Phase::Finishing { until: now.after(FINISH) };
    }

    /// Whether it is time to say goodbye. `idle`: nothing is unanswered.
    pub(crate) fn leaves(&mut self, now: Monotonic, idle: bool) -> bool {
        let reconsider = self.certificates.as_ref().and_then(Certificates::reconsider);
        if self.phase == Phase::Up && reconsider.is_some_and(|at| at <= now) {
            self.begin(now);
        }
        let leaves = matches!(self.phase, Phase::Finishing { until } if idle || until <= now);
        if leaves {
            self.phase = Phase::Leaving;
        }
        leaves
    }

    /// The connection has ended; what was said last may still be on its way.
    pub(crate) fn ended(&mut self) {
        self.phase = Phase::Leaving;
    }

    /// Both sides have closed a connection that was up.
    pub(crate) fn gone(&mut self, now: Monotonic, judgement: Judgement, random: u64) -> Next {
        self.shuffle(random);
        self.tried = 0;
        self.hopeless = 0;
        self.attempts = 0;
        // Leaving for another certificate is none.
        if !self.moving {
            self.setbacks = if self.is_steady(now) { 1 } else { self.setbacks.saturating_add(1) };
        }
        // A server that has dropped the old certificate may take the one that is newer.
        let other = judgement.refused && self.certificates.as_mut().is_some_and(Certificates::turn_to_newer);
        let moves = self.moving && (judgement.retries || judgement.refused);
        if moves || other || judgement.redirected {
            return self.wait(now, Duration::ZERO);
        }
        if !self.rules.returns || !judgement.retries {
            return self.give_up();
        }
        // Also the first attempt: a server that went has many clients.
        let wait = judgement.after.unwrap_or_else(|| self.backoff(self.setbacks, random));
        self.wait(now, wait)
    }

    /// Whether the connection that is, or was last, has lasted.
    pub(crate) fn is_steady(&self, now: Monotonic) -> bool {
        now.since(self.up_since) >= self.rules.steady
    }

    /// What to try now; `None`: it is not time.
    pub(crate) fn tries(&mut self, now: Monotonic) -> Option<Try> {
        match self.phase {
            Phase::Waiting { at } if at <= now => {
                self.phase = Phase::Opening;
                let choice = self.certificates.as_ref().map_or(Choice::Newest, |certificates| certificates.choice);
                let servers = self.rules.servers.max(1);
                Some(Try { choice, server: self.offset.wrapping_add(self.tried) % servers })
            }
            _ => None,
        }
    }

    /// The stream is open and CONNECT is sent.
    pub(crate) fn opened(&mut self) {
        self.phase = Phase::Greeting;
    }

    /// An attempt failed. `number`: the generation that it used, if any. `wall`: seconds since 1970.
    pub(crate) fn failed(
        &mut self,
        now: Monotonic,
        wall: u64,
        number: Option<u64>,
        judgement: Judgement,
        random: u64,
    ) -> Next {
        self.attempts = self.attempts.saturating_add(1);
        if judgement.redirected {
            return self.wait(now, Duration::ZERO);
        }
        self.tried += 1;
        let other = self.certificates.as_mut().filter(|_| self.known);
        let other = other.is_some_and(|known| known.failed(now, wall, number.unwrap_or(0), judgement.refused));
        let round_is_over = self.tried >= self.rules.servers.max(1);
        // A certificate that is refused may be taken again, the other one may not have been tried.
        if !judgement.retries && !other && !self.has_time(wall) {
            self.hopeless += 1;
            // The others speak for themselves.
            let all = self.hopeless >= self.rules.servers.max(1);
            if all || !judgement.of_this_server {
                return self.give_up();
            }
        }
        if !round_is_over {
            return self.wait(now, judgement.after.unwrap_or_default());
        }
        self.shuffle(random);
        self.tried = 0;
        self.hopeless = 0;
        self.rounds = self.rounds.saturating_add(1);
        self.setbacks = self.setbacks.saturating_add(1);
        let enough = self.rules.rounds.is_some_and(|rounds| self.rounds >= rounds);
        let goes_on = if self.known { self.rules.returns || self.has_time(wall) } else { self.rules.patient };
        if enough || !goes_on {
            return self.give_up();
        }
        // A certificate that has not been tried, or one that is about to end, does not wait so long.
        let slow = judgement.slow && !other && !self.moving;
        let usual = || if slow { spread(self.rules.longest, random) } else { self.backoff(self.setbacks, random) };
        let wait = judgement.after.unwrap_or_else(usual);
        self.wait(now, wait)
    }

    /// The server has accepted us, with this generation, which ends then (in seconds since 1970).
    pub(crate) fn accepted(&mut self, now: Monotonic, certificate: Option<(u64, u64)>) {
        if let (Some(certificates), Some((number, not_after))) = (&mut self.certificates, certificate) {
            certificates.accepted(number, not_after);
        }
        self.known = true;
        self.moving = false;
        self.attempts = 0;
        self.rounds = 0;
        self.tried = 0;
        self.hopeless = 0;
        self.up_since = now;
        self.phase = Phase::Up;
    }

    /// No more leaving for another certificate.
    pub(crate) fn stay(&mut self) {
        self.certificates = None;
        self.moving = false;
        self.phase = Phase::Up;
    }

    /// There will be no other connection.
    pub(crate) fn stop(&mut self) {
        self.phase = Phase::Over;
    }

    /// The wait is over, and those after it begin anew.
    pub(crate) fn hasten(&mut self, now: Monotonic) {
        if let Phase::Waiting { at } = &mut self.phase {
            *at = now;
            self.setbacks = 0;
        }
    }

    /// The client is on its way to another certificate, and the one that was in use is still good.
    fn has_time(&self, wall: u64) -> bool {
        self.moving && self.certificates.as_ref().is_some_and(|certificates| wall < certificates.not_after)
    }

    fn wait(&mut self, now: Monotonic, wait: Duration) -> Next {
        self.phase = Phase::Waiting { at: now.after(wait) };
        Next::Retry { wait }
    }

    fn give_up(&mut self) -> Next {
        self.phase = Phase::Over;
        Next::GiveUp
    }

    fn shuffle(&mut self, random: u64) {
        if self.rules.shuffled {
            let servers = u64::try_from(self.rules.servers.max(1)).unwrap_or(1);
            self.offset = usize::try_from((random >> 32) % servers).unwrap_or(0);
        }
    }

    /// Full jitter: anything up to a bound that doubles with each round.
    fn backoff(&self, rounds: u32, random: u64) -> Duration {
        let doublings = rounds.saturating_sub(1).min(20);
        let bound = self.rules.first.saturating_mul(1 << doublings).min(self.rules.longest);
        spread(bound, random)
    }
}

/// Any time up to the bound.
fn spread(bound: Duration, random: u64) -> Duration {
    let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(random % micros).max(MIN_WAIT.min(bound))
}

#[cfg(test)]
mod tests;
