//! Reading and writing.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use gridmq_proto::Packet;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{Link, Phase};
use crate::secure::{self, TlsErrorKind};

/// Reads in one turn, so that other tasks get theirs.
const READS: usize = 8;
/// And bytes.
const TURN_SIZE: usize = 64 * 1024;
/// Events after which the owner gets its turn: what they hold then still lies in the processor's cache.
const EVENTS: usize = 64;
/// And messages among them that are to be acknowledged: a server that has that many acknowledgements sends what comes
/// next while the owner takes the rest of its window.
const TO_ACKNOWLEDGE: usize = 32;
/// Answers to the server that may wait to be written, in bytes; beyond, nothing more is read.
const MAX_ANSWERS: usize = 1 << 20;
/// How long to go on reading after a write has failed: the server's reason may still be on its way.
const DRAIN: Duration = Duration::from_millis(200);
/// The first bytes that tell one protocol from another.
const FIRST_BYTES: usize = 16;

impl Link {
    pub(super) fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let more = self.read_packets(cx);
        // Also if it completes no packet, or no message of a layer below: a large one on a slow link is no silence.
        let count = self.heard.take();
        if count > 0 {
            self.with(|machine, now| machine.handle_bytes(now, count));
        }
        more
    }

    fn read_packets(&mut self, cx: &mut Context<'_>) -> bool {
        let mut left = TURN_SIZE;
        for _ in 0..READS {
            self.decode();
            if self.has_enough() || left == 0 {
                return true;
            }
            match self.phase {
                Phase::Closed => return false,
                Phase::Closing { .. } => self.incoming.bytes.clear(),
                Phase::Open | Phase::Draining(_) if !self.takes_input() => return false,
                Phase::Open | Phase::Draining(_) => {}
            }
            self.incoming.make_room(self.decoder.needed());
            match self.poll_read(cx) {
                Poll::Pending => {
                    let now = self.now();
                    self.incoming.rest(now);
                    return false;
                }
                Poll::Ready(Ok(0)) => {
                    self.lost(None);
                    return false;
                }
                Poll::Ready(Ok(read)) => {
                    let now = self.now();
                    self.incoming.arrived(now);
                    left = left.saturating_sub(read);
                }
                Poll::Ready(Err(error)) => {
                    self.lost(Some(error));
                    return false;
                }
            }
        }
        self.decode();
        true
    }

    fn has_enough(&self) -> bool {
        self.events.len() >= EVENTS || self.to_acknowledge >= TO_ACKNOWLEDGE
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.incoming.bytes.len();
        let outcome = pin!(self.io.read_buf(&mut self.incoming.bytes)).poll(cx);
        if self.first.len() < FIRST_BYTES {
            let arrived = self.incoming.bytes.get(before..).unwrap_or_default();
            self.first.extend(arrived.iter().take(FIRST_BYTES - self.first.len()));
        }
        outcome
    }

    pub(super) fn takes_input(&self) -> bool {
        !self.is_deaf && self.machine.wants_input() && self.outgoing.len().saturating_sub(self.own) < MAX_ANSWERS
    }

    fn decode(&mut self) {
        while matches!(self.phase, Phase::Open | Phase::Draining(_)) && self.takes_input() && !self.has_enough() {
            let before = self.incoming.bytes.len();
            match self.decoder.decode(&mut self.incoming.bytes) {
                Ok(Some(packet)) => {
                    let size = before - self.incoming.bytes.len();
                    self.incoming.took(size);
                    self.meter.received(&packet, size, self.now.monotonic);
                    if matches!(packet, Packet::PingResp) {
                        // One that nobody asked for answers nothing that is asked later.
                        self.pings_answered = self.pings.min(self.pings_answered + 1);
                    }
                    self.with(|machine, now| machine.handle_packet(now, packet));
                }
                Ok(None) => return,
                Err(violation) => self.with(|machine, now| machine.handle_violation(now, violation)),
            }
        }
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.phase, Phase::Open | Phase::Closing { .. }) || self.shut {
            return;
        }
        match self.poll_write(cx) {
            Poll::Ready(Ok(())) | Poll::Pending => {}
            Poll::Ready(Err(error)) => {
                self.outgoing.clear();
                self.own = 0;
                if self.phase == Phase::Open {
                    self.failure = Some(error);
                    self.phase = Phase::Draining(self.now().after(DRAIN));
                } else {
                    self.phase = Phase::Closed;
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, &self.outgoing) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.outgoing.advance(written);
                    self.own = self.own.min(self.outgoing.len());
                    self.ping_advances();
                    if let Phase::Closing { last, .. } = self.phase {
                        let until = self.now().after(self.linger).min(last);
                        self.phase = Phase::Closing { until, last };
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // What the transport has taken is on its way, although more follows.
                    self.flushed = self.flushed.max(self.encoded - self.outgoing.len() as u64);
                    return Poll::Pending;
                }
            }
        }
        if self.flushed < self.encoded {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushed = self.encoded,
                other => return other,
            }
        }
        if matches!(self.phase, Phase::Closing { .. }) {
            // The server closes when it has read the end; waiting for that keeps the system from discarding it.
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.shut = true,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Something was written: while it is in front of a PINGREQ, the server cannot have answered that.
    fn ping_advances(&mut self) {
        let Some(place) = self.ping_place else { return };
        let is_out = self.encoded - self.outgoing.len() as u64 >= place;
        if is_out {
            self.ping_place = None;
        }
        self.with(|machine, now| machine.handle_written(now, is_out));
    }

    /// The transport is gone.
    pub(super) fn lost(&mut self, error: Option<io::Error>) {
        if let Some(error) = error
            && (self.failure.is_none() || says_more(&error))
        {
            self.failure = Some(error);
        }
        self.phase = Phase::Closed;
        self.with(|machine, _| machine.handle_close());
    }
}

/// Whether a later error knows better than an earlier one why the connection went.
fn says_more(error: &io::Error) -> bool {
    secure::from_io(error).is_some_and(|tls| tls.kind() != TlsErrorKind::ClosedAfterHandshake)
}
