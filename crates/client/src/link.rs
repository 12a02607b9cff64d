//! The transport and the session machine behind it: bytes in, events out.

mod incoming;
mod outputs;
mod traffic;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_proto::codec::{self, Decoder, Foreign};
use gridmq_proto::session::client::{Connection, Event, Farewell, Session};
use gridmq_proto::session::{End, Record, Seq};
use gridmq_proto::time::{Monotonic, Now};
use gridmq_proto::{EncodeError, Packet};
use tokio::time::Sleep;

use self::incoming::Incoming;
use crate::clock::Clock;
use crate::error::Ending;
use crate::metrics::MessageFate;
use crate::transport::{Heard, Transport};
use crate::watch::Meter;

/// How long the server may take to read more of what was said last, and to close, unless told otherwise.
const LINGER: Duration = Duration::from_secs(2);
/// And all of that, over a slow link.
const MAX_LINGER: Duration = Duration::from_secs(30);

/// The place in the stream of the first byte that is held: more than can pass it.
const HELD_FROM: u64 = 1 << 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Writing has failed; until then, reading may tell why.
    Draining(Monotonic),
    /// The machine has ended: what was said last is written, and the server may close.
    Closing {
        /// Unless something is written before.
        until: Monotonic,
        /// In any case.
        last: Monotonic,
    },
    Closed,
}

pub(crate) struct Link {
    io: Transport,
    heard: Heard,
    machine: Connection,
    clock: Clock,
    /// When this turn began: the clocks are read once in it, not for every packet.
    now: Now,
    decoder: Decoder,
    incoming: Incoming,
    /// Messages of this turn that are to be acknowledged.
    to_acknowledge: usize,
    outgoing: BytesMut,
    /// Messages of ours that wait for [`Link::release`], while there is such a place.
    held: Option<BytesMut>,
    /// They do so even if the server has the session, and nothing is read after its CONNACK until then.
    guarded: bool,
    is_deaf: bool,
    /// Bytes of `outgoing` that are messages of ours, not answers to the server, at most.
    own: usize,
    /// The place in the stream behind what was put into `outgoing`, and up to where that is on its way. What is held has
    /// its place from the beginning, and a gap is left in front of it for what passes it.
    encoded: u64,
    flushed: u64,
    /// PINGREQs sent, by the machine and by us, and PINGRESPs that came.
    pings: u64,
    pings_answered: u64,
    /// Where the machine's oldest PINGREQ ends that is not written.
    ping_place: Option<u64>,
    first: Vec<u8>,
    /// What the session wants stored, and the number of the last of it.
    records: Vec<Record>,
    recorded: Seq,
    events: VecDeque<Event>,
    /// When the machine wants to be called.
    deadline: Option<Monotonic>,
    sleep: Pin<Box<Sleep>>,
    armed: Option<Monotonic>,
    failure: Option<io::Error>,
    /// What could not be written, if that ended the connection.
    unsayable: Option<EncodeError>,
    phase: Phase,
    linger: Duration,
    max_linger: Duration,
    /// Our side of the transport is closed.
    shut: bool,
    meter: Meter,
}

impl Link {
    /// `heard`: what has arrived below all layers of `io`.
    pub(crate) fn new(
        (io, heard): (Transport, Heard),
        machine: Connection,
        clock: Clock,
        max_packet_size: u32,
        meter: Meter,
    ) -> Self {
        let decoder = Decoder::for_client(machine.version(), max_packet_size);
        let now = clock.now();
        let sleep = Box::pin(tokio::time::sleep_until(clock.instant(now.monotonic)));
        let mut link = Self {
            io,
            heard,
            machine,
            clock,
            now,
            decoder,
            incoming: Incoming::default(),
            to_acknowledge: 0,
            outgoing: BytesMut::new(),
            held: None,
            own: 0,
            encoded: 0,
            flushed: 0,
            pings: 0,
            pings_answered: 0,
            ping_place: None,
            guarded: false,
            is_deaf: false,
            first: Vec::new(),
            records: Vec::new(),
            recorded: 0,
            events: VecDeque::new(),
            deadline: None,
            sleep,
            armed: None,
            failure: None,
            unsayable: None,
            phase: Phase::Open,
            linger: LINGER,
            max_linger: MAX_LINGER,
            shut: false,
            meter,
        };
        link.drain();
        link
    }

    /// Changes the machine and does what it then wants done.
    pub(crate) fn with<T>(&mut self, act: impl FnOnce(&mut Connection, Now) -> T) -> T {
        let answer = act(&mut self.machine, self.now);
        self.drain();
        answer
    }

    pub(crate) const fn machine(&self) -> &Connection {
        &self.machine
    }

    /// Until [`Self::release`], a server that has lost the session gets no message: those that are sent again would
    /// pass the subscriptions that they may be for. `guarded`: no server gets one, and none is heard, since it has still
    /// to prove who it is.
    pub(crate) fn hold(&mut self, guarded: bool) {
        self.held = Some(BytesMut::new());
        self.guarded = guarded;
        self.meter.hold();
    }

    /// What was held goes its way.
    pub(crate) fn release(&mut self) {
        if self.is_deaf {
            self.machine.excuse();
        }
        (self.guarded, self.is_deaf) = (false, false);
        let Some(held) = self.held.take() else { return };
        self.meter.let_go(MessageFate::Acknowledged);
        let gap = HELD_FROM.saturating_sub(self.encoded);
        self.ping_place = self.ping_place.map(|place| place + gap);
        self.own += held.len();
        self.encoded += gap + held.len() as u64;
        self.outgoing.unsplit(held);
    }

    /// No connection; the machine has the session.
    pub(crate) fn resting(machine: Connection, clock: Clock, meter: Meter) -> Self {
        let mut link = Self::new((Box::new(tokio::io::empty()), Heard::default()), machine, clock, 0, meter);
        link.phase = Phase::Closed;
        link
    }

    /// Lets go of the transport. The machine goes on without it.
    pub(crate) fn hang_up(&mut self) {
        self.io = Box::new(tokio::io::empty());
        self.phase = Phase::Closed;
        (self.incoming, self.outgoing) = (Incoming::default(), BytesMut::new());
        self.held = None;
        self.meter.let_go(MessageFate::Dropped);
        self.own = 0;
        self.with(|machine, _| machine.handle_close());
    }

    /// Moves to `records` what the session wants stored; the number of the last of it, if there is any.
    pub(crate) fn take_records(&mut self, records: &mut Vec<Record>) -> Option<Seq> {
        records.append(&mut self.records);
        Some(std::mem::take(&mut self.recorded)).filter(|&seq| seq != 0)
    }

    /// Takes the session out of a connection that has ended.
    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.machine.take_session()
    }

    /// A turn begins: reads the clocks.
    pub(crate) fn begin(&mut self) {
        self.now = self.clock.now();
        self.to_acknowledge = 0;
    }

    /// When this turn began.
    pub(crate) const fn now(&self) -> Monotonic {
        self.now.monotonic
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes that wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.outgoing.len() + self.held.as_ref().map_or(0, BytesMut::len)
    }

    /// The place in the stream behind everything encoded so far, and how far it is on its way.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.held.as_ref().map_or(self.encoded, |held| HELD_FROM + held.len() as u64), self.flushed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Sends a PINGREQ beside those that keep the connection alive, and gives its number.
    pub(crate) fn ping(&mut self) -> u64 {
        self.send(&Packet::PingReq);
        self.pings
    }

    /// How many PINGREQs the server has answered; it does so in their order.
    pub(crate) const fn pings_answered(&self) -> u64 {
        self.pings_answered
    }

    /// What the server speaks, if that is not MQTT.
    pub(crate) fn foreign(&self) -> Option<Foreign> {
        codec::recognise(&self.first)
    }

    /// Completes what the machine says of its end with what the transport did.
    pub(crate) fn ending(&mut self, end: End, farewell: Option<Box<Farewell>>) -> Ending {
        Ending { end, farewell, failure: self.failure.take(), unsayable: self.unsayable.take() }
    }

    /// How long the server may take, once the machine has ended, to read what was said last and to close.
    pub(crate) const fn linger(&mut self, linger: Duration) {
        (self.linger, self.max_linger) = (linger, linger);
    }

    /// Lets time pass, reads what has arrived if it may, writes what lies ready, and wakes the task no later than `at`.
    /// `true`: there is more to do at once.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>, at: Option<Monotonic>, may_read: bool) -> bool {
        self.expire();
        let ended = matches!(self.phase, Phase::Closing { .. });
        if self.own == 0 && !self.outgoing.is_empty() {
            // Nothing but answers and requests: the server can work on them while we read.
            self.write(cx);
        }
        let mut more = may_read && self.read(cx);
        let full = !self.takes_input();
        self.write(cx);
        // What is written makes room for what may have come meanwhile.
        more |= full && self.phase == Phase::Open && self.takes_input();
        self.meter.flush();
        more |= !ended && matches!(self.phase, Phase::Closing { .. });
        self.arm(cx, at);
        more
    }

    fn expire(&mut self) {
        let now = self.now();
        match self.phase {
            Phase::Draining(until) if until <= now => self.lost(None),
            Phase::Closing { until, .. } if until <= now => self.phase = Phase::Closed,
            _ if self.deadline.is_some_and(|at| at <= now) => {
                if self.is_deaf {
                    self.machine.excuse();
                }
                self.with(Connection::handle_timeout);
            }
            _ => {}
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>, at: Option<Monotonic>) {
        let until = match self.phase {
            Phase::Open => self.deadline,
            Phase::Draining(until) | Phase::Closing { until, .. } => Some(until),
            Phase::Closed => None,
        };
        let Some(at) = [until, at].into_iter().flatten().min() else { return };
        // A later deadline needs no new timer: the one that is armed wakes the task, which looks again.
        if self.armed.is_none_or(|armed| at < armed) {
            self.sleep.as_mut().reset(self.clock.instant(at));
            self.armed = Some(at);
        }
        if self.sleep.as_mut().poll(cx).is_ready() {
            self.armed = None;
            cx.waker().wake_by_ref();
        }
    }
}

/// Lengths in place of bytes: passwords and payloads are among them.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("phase", &self.phase)
            .field("incoming", &self.incoming.bytes.len())
            .field("outgoing", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}
