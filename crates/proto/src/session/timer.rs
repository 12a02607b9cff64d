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

    pub(crate) const fn set(&mut self, timer: Timer, at: Monotonic) {
        *self.slot(timer) = Some(at);
    }

    pub(crate) const fn clear(&mut self, timer: Timer) {
        *self.slot(timer) = None;
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
    pub(crate) fn next(&self) -> Option<Monotonic> {
        [self.connect, self.decision, self.keep_alive, self.ping_response].into_iter().flatten().min()
    }

    /// Takes one timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: Monotonic) -> Option<Timer> {
        TIMERS.into_iter().find(|&timer| {
            let slot = self.slot(timer);
            let due = slot.is_some_and(|at| at <= now);
            if due {
                *slot = None;
            }
            due
        })
    }
}
