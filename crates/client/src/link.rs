//! The transport and the session machine behind it: bytes in, events out.

mod traffic;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_proto::codec::{self, Decoder, Foreign};
use gridmq_proto::session::client::{Connection, Event, Farewell, Session};
use gridmq_proto::session::{End, Output, Record, Seq};
use gridmq_proto::time::{Monotonic, Now};
use gridmq_proto::{ByteString, Packet, QoS};
use tokio::time::Sleep;

use crate::clock::Clock;
use crate::error::Ending;
use crate::transport::Transport;
use crate::watch::Meter;

/// How long the server may take to read what was said last and to close.
const LINGER: Duration = Duration::from_secs(2);

/// Something for the owner, and what the packet that caused it said in words.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) event: Event,
    pub(crate) words: Option<ByteString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Writing has failed; until then, reading may tell why.
    Draining(Monotonic),
    /// The machine has ended; until then, what was said last is written, and the server may close.
    Closing(Monotonic),
    Closed,
}

#[derive(Debug)]
pub(crate) struct Link {
    io: Transport,
    machine: Connection,
    clock: Clock,
    decoder: Decoder,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// Messages of ours that wait for [`Link::release`], while there is such a place.
    held: Option<BytesMut>,
    /// Bytes of `outgoing` that are messages of ours, not answers to the server, at most.
    own: usize,
    /// Bytes put into `outgoing` so far, and how many of them are on their way.
    encoded: u64,
    flushed: u64,
    /// PINGREQs sent, by the machine and by us, and PINGRESPs that came.
    pings: u64,
    pings_answered: u64,
    first: Vec<u8>,
    /// What the session wants stored, and the number of the last of it.
    records: Vec<Record>,
    recorded: Seq,
    events: VecDeque<Happening>,
    /// The reason string of the packet being handled.
    words: Option<ByteString>,
    /// When the machine wants to be called.
    deadline: Option<Monotonic>,
    sleep: Pin<Box<Sleep>>,
    armed: Option<Monotonic>,
    failure: Option<io::Error>,
    phase: Phase,
    /// Our side of the transport is closed.
    shut: bool,
    meter: Meter,
    /// The QoS of the message that the packet being handled decides on.
    decides: Option<QoS>,
}

impl Link {
    pub(crate) fn new(io: Transport, machine: Connection, clock: Clock, max_packet_size: u32, meter: Meter) -> Self {
        let decoder = Decoder::for_client(machine.version(), max_packet_size);
        let sleep = Box::pin(tokio::time::sleep_until(clock.instant(clock.now().monotonic)));
        let mut link = Self {
            io,
            machine,
            clock,
            decoder,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            held: None,
            own: 0,
            encoded: 0,
            flushed: 0,
            pings: 0,
            pings_answered: 0,
            first: Vec::new(),
            records: Vec::new(),
            recorded: 0,
            events: VecDeque::new(),
            words: None,
            deadline: None,
            sleep,
            armed: None,
            failure: None,
            phase: Phase::Open,
            shut: false,
            meter,
            decides: None,
        };
        link.drain();
        link
    }

    /// Changes the machine and does what it then wants done.
    pub(crate) fn with<T>(&mut self, act: impl FnOnce(&mut Connection, Now) -> T) -> T {
        let answer = act(&mut self.machine, self.clock.now());
        self.drain();
        answer
    }

    pub(crate) const fn machine(&self) -> &Connection {
        &self.machine
    }

    /// Until [`Self::release`], a server that has lost the session gets no message: those that are sent again would
    /// pass the subscriptions that they may be for.
    pub(crate) fn hold(&mut self) {
        self.held = Some(BytesMut::new());
    }

    /// What was held goes its way.
    pub(crate) fn release(&mut self) {
        let Some(held) = self.held.take() else { return };
        self.own += held.len();
        self.encoded += held.len() as u64;
        self.outgoing.unsplit(held);
    }

    /// No connection; the machine has the session.
    pub(crate) fn resting(machine: Connection, clock: Clock, meter: Meter) -> Self {
        let mut link = Self::new(Box::new(tokio::io::empty()), machine, clock, 0, meter);
        link.phase = Phase::Closed;
        link
    }

    /// Lets go of the transport. The machine goes on without it.
    pub(crate) fn hang_up(&mut self) {
        self.io = Box::new(tokio::io::empty());
        self.phase = Phase::Closed;
        self.outgoing = BytesMut::new();
        self.held = None;
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

    pub(crate) fn now(&self) -> Monotonic {
        self.clock.now().monotonic
    }

    pub(crate) fn next_event(&mut self) -> Option<Happening> {
        self.events.pop_front()
    }

    /// Bytes that wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.outgoing.len() + self.held.as_ref().map_or(0, BytesMut::len)
    }

    /// The place in the stream behind everything encoded so far, and how far it is on its way.
    pub(crate) fn progress(&self) -> (u64, u64) {
        // What is held goes out before anything that comes later.
        (self.encoded + self.held.as_ref().map_or(0, |held| held.len() as u64), self.flushed)
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
        Ending { end, farewell, failure: self.failure.take() }
    }

    fn drain(&mut self) {
        loop {
            match self.machine.poll_output() {
                Output::Send(packet) => self.send(&packet),
                Output::Publish(publish) => {
                    let max = self.server_maximum();
                    let counted = self.held.is_none();
                    let place = self.held.as_mut().unwrap_or(&mut self.outgoing);
                    let before = place.len();
                    if let Err(error) = publish.encode(self.machine.version(), max, place) {
                        tracing::error!(%error, "a message was not sent");
                    } else {
                        self.meter.published(&publish, place.len() - before);
                    }
                    if counted {
                        let added = self.outgoing.len() - before;
                        self.own += added;
                        self.encoded += added as u64;
                    }
                }
                Output::Persist(record, seq) => {
                    self.records.push(record);
                    self.recorded = seq;
                }
                Output::Event(event) => {
                    self.meter.event(&event, self.decides);
                    if matches!(&event, Event::Connected(ack) if ack.session_present) {
                        self.release();
                    }
                    self.events.push_back(Happening { event, words: self.words.clone() });
                }
                Output::Close(end) => {
                    // A server that answers nothing, or has said that it goes, is not waited for.
                    let gone =
                        self.phase != Phase::Open || matches!(end, End::KeepAliveTimeout | End::PeerDisconnected(_));
                    self.phase = if gone { Phase::Closed } else { Phase::Closing(self.now().after(LINGER)) };
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    fn send(&mut self, packet: &Packet) {
        self.pings += u64::from(matches!(packet, Packet::PingReq));
        let before = self.outgoing.len();
        let max = self.server_maximum();
        if let Err(error) = codec::encode(packet, self.machine.version(), max, &mut self.outgoing) {
            tracing::error!(%error, "a packet was not sent");
        } else {
            self.meter.sent(packet, self.outgoing.len() - before);
        }
        self.encoded += (self.outgoing.len() - before) as u64;
    }

    fn server_maximum(&self) -> Option<u32> {
        self.machine.server_limits().and_then(|limits| limits.maximum_packet_size)
    }

    /// Lets time pass, reads what has arrived, writes what lies ready, and wakes the task no later than `at`. `true`:
    /// there is more to do at once.
    pub(crate) fn turn(&mut self, cx: &mut Context<'_>, at: Option<Monotonic>) -> bool {
        self.expire();
        let ended = matches!(self.phase, Phase::Closing(_));
        let mut more = self.read(cx);
        let full = !self.takes_input();
        self.write(cx);
        // What is written makes room for what may have come meanwhile.
        more |= full && self.phase == Phase::Open && self.takes_input();
        self.meter.flush();
        more |= !ended && matches!(self.phase, Phase::Closing(_));
        self.arm(cx, at);
        more
    }

    fn expire(&mut self) {
        let now = self.now();
        match self.phase {
            Phase::Draining(until) if until <= now => self.lost(None),
            Phase::Closing(until) if until <= now => self.phase = Phase::Closed,
            _ if self.deadline.is_some_and(|at| at <= now) => self.with(Connection::handle_timeout),
            _ => {}
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>, at: Option<Monotonic>) {
        let until = match self.phase {
            Phase::Open => self.deadline,
            Phase::Draining(until) | Phase::Closing(until) => Some(until),
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
