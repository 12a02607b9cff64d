//! Whether the server is still there: the keep-alive, and what counts as a sign of life.

use super::{Connection, End, State, Timer};
use crate::Packet;
use crate::session::Stage;
use crate::time::Now;

/// How many bytes that make no packet count as a sign of life.
const SIGN_OF_LIFE: usize = 128;

impl Connection {
    /// So many bytes of the server arrived, perhaps of a packet that takes its time: the link is alive. Fewer than
    /// 128 of them within the time for an answer, half the keep-alive, are no sign of life until they make a packet: a
    /// trickle slower than that keeps no link alive.
    pub fn handle_bytes(&mut self, now: Now, count: usize) {
        self.now = now;
        self.trickle = self.trickle.saturating_add(count);
        if self.trickle < SIGN_OF_LIFE {
            return;
        }
        self.trickle = 0;
        if let State::Connected(connected) = &mut self.state {
            self.excused = false;
            self.timers.clear(Timer::PingResponse);
            connected.heard(now.monotonic);
        }
    }

    /// Bytes were written that were in front of a PINGREQ of this machine; with `ping`, that too. Until then the server
    /// could not answer it, so the time for its answer begins now. What is written later changes nothing.
    pub fn handle_written(&mut self, now: Now, ping: bool) {
        self.now = now;
        if let State::Connected(connected) = &self.state
            && self.unasked
            && self.timers.is_set(Timer::PingResponse)
        {
            self.timers.set(Timer::PingResponse, now.monotonic.after(connected.ping_timeout()));
            self.unasked = !ping;
        }
    }

    /// The owner does not hand in what arrives, or did not until just now: the server's silence proves nothing.
    pub const fn excuse(&mut self) {
        self.excused = true;
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        let wants_input = self.wants_input();
        while let Some(timer) = self.timers.expire(now.monotonic) {
            match timer {
                Timer::Connect => self.close(End::Deadline(Stage::Connect), None, false),
                Timer::KeepAlive => self.keep_alive(),
                Timer::PingResponse => match &self.state {
                    // Where this side does not read, or did not until just now, silence proves nothing.
                    State::Connected(connected) if !wants_input || self.excused => {
                        self.excused = false;
                        self.timers.set(Timer::PingResponse, now.monotonic.after(connected.ping_timeout()));
                    }
                    _ => self.close(End::KeepAliveTimeout, None, false),
                },
                Timer::Decision => {}
            }
        }
    }

    fn keep_alive(&mut self) {
        let State::Connected(connected) = &self.state else { return };
        let Some(due) = connected.ping_at(self.last_sent) else { return };
        if due > self.now.monotonic {
            return self.timers.set(Timer::KeepAlive, due);
        }
        if !self.timers.is_set(Timer::PingResponse) {
            (self.trickle, self.unasked) = (0, true);
            self.timers.set(Timer::PingResponse, self.now.monotonic.after(connected.ping_timeout()));
        }
        self.out.send(Packet::PingReq);
        self.timers.set(Timer::KeepAlive, self.now.monotonic.after(connected.ping_interval()));
    }
}
