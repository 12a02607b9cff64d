//! Timers are data: a table of what is due when.

use crate::time::Monotonic;

/// What a machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The peer's CONNECT or CONNACK, or its next AUTH before that.
    Connect,
    /// The owner's decision.
    Decision,
    /// Silence of the peer (server), or time for PINGREQ (client).
    KeepAlive,
    /// Any byte after PINGREQ.
    PingResponse,
}

const TIMERS: [Timer; 4] = [Timer::Connect, Timer::Decision, Timer::KeepAlive, Timer::PingResponse];

/// When each timer is due.
#[derive(Debug, Default)]
pub(crate) struct TimerTable {
    connect: Option<Monotonic>,
    decision: Option<Monotonic>,
    keep_alive: Option<Monotonic>,
    ping_response: Option<Monotonic>,
    /// The earliest of them: asked for after every packet, while the timers seldom change.
    next: Option<Monotonic>,
}

impl TimerTable {
    const fn slot(&mut self, timer: Timer) -> &mut Option<Monotonic> {
        match timer {
            Timer::Connect => &mut self.connect,
            Timer::Decision => &mut self.decision,
            Timer::KeepAlive => &mut self.keep_alive,
            Timer::PingResponse => &mut self.ping_response,
        }
    }

    pub(crate) fn set(&mut self, timer: Timer, at: Monotonic) {
        *self.slot(timer) = Some(at);
        self.look();
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        if self.slot(timer).take().is_some() {
            self.look();
        }
    }

    fn look(&mut self) {
        self.next = [self.connect, self.decision, self.keep_alive, self.ping_response].into_iter().flatten().min();
    }

    pub(crate) const fn is_set(&self, timer: Timer) -> bool {
        match timer {
            Timer::Connect => self.connect.is_some(),
            Timer::Decision => self.decision.is_some(),
            Timer::KeepAlive => self.keep_alive.is_some(),
            Timer::PingResponse => self.ping_response.is_some(),
        }
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Self::default();
    }

    /// The next point at which a timer is due.
    pub(crate) const fn next(&self) -> Option<Monotonic> {
        self.next
    }

    /// Takes one timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: Monotonic) -> Option<Timer> {
        let due = TIMERS.into_iter().find(|&timer| self.slot(timer).is_some_and(|at| at <= now))?;
        self.clear(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_is_the_earliest_whatever_was_set_cleared_or_taken() {
        let at = Monotonic::from_micros;
        let mut timers = TimerTable::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::KeepAlive, at(30));
        timers.set(Timer::Connect, at(20));
        timers.set(Timer::PingResponse, at(10));
        assert_eq!(timers.next(), Some(at(10)));
        timers.clear(Timer::PingResponse);
        assert_eq!(timers.next(), Some(at(20)));
        timers.set(Timer::Connect, at(40));
        assert_eq!(timers.next(), Some(at(30)));
        assert_eq!(timers.expire(at(29)), None);
        assert_eq!(timers.expire(at(30)), Some(Timer::KeepAlive));
        assert_eq!(timers.next(), Some(at(40)));
        timers.clear_all();
        assert_eq!(timers.next(), None);
    }
}
