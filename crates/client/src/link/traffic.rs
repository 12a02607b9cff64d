//! Reading and writing.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use gridmq_proto::{ByteString, Packet};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{Link, Phase};
use crate::secure::{self, TlsErrorKind};
use crate::watch::decides;

/// Reads in one turn, so that other tasks get theirs.
const READS: usize = 8;
/// Room for one read, in bytes.
const READ_SIZE: usize = 16 * 1024;
/// Answers to the server that may wait to be written, in bytes; beyond, nothing more is read.
const MAX_ANSWERS: usize = 1 << 20;
/// How long to go on reading after a write has failed: the server's reason may still be on its way.
const DRAIN: Duration = Duration::from_millis(200);
/// The first bytes that tell one protocol from another.
const FIRST_BYTES: usize = 16;

impl Link {
    pub(super) fn read(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..READS {
            self.decode();
            match self.phase {
                Phase::Closed => return false,
                Phase::Closing(_) => self.incoming.clear(),
                Phase::Open | Phase::Draining(_) if !self.takes_input() => return false,
                Phase::Open | Phase::Draining(_) => {}
            }
            self.incoming.reserve(self.decoder.needed().max(READ_SIZE));
            match self.poll_read(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0)) => {
                    self.lost(None);
                    return false;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    self.lost(Some(error));
                    return false;
                }
            }
        }
        self.decode();
        true
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.incoming.len();
        let outcome = pin!(self.io.read_buf(&mut self.incoming)).poll(cx);
        if self.first.len() < FIRST_BYTES {
            let arrived = self.incoming.get(before..).unwrap_or_default();
            self.first.extend(arrived.iter().take(FIRST_BYTES - self.first.len()));
        }
        outcome
    }

    pub(super) fn takes_input(&self) -> bool {
        self.machine.wants_input() && self.outgoing.len().saturating_sub(self.own) < MAX_ANSWERS
    }

    fn decode(&mut self) {
        while matches!(self.phase, Phase::Open | Phase::Draining(_)) && self.takes_input() {
            let before = self.incoming.len();
            match self.decoder.decode(&mut self.incoming) {
                Ok(Some(packet)) => {
                    self.meter.received(&packet, before - self.incoming.len());
                    self.decides = decides(&packet);
                    self.pings_answered += u64::from(matches!(packet, Packet::PingResp));
                    self.words = reason_string(&packet).cloned();
                    self.with(|machine, now| machine.handle_packet(now, packet));
                    self.words = None;
                    self.decides = None;
                }
                Ok(None) => return,
                Err(violation) => self.with(|machine, now| machine.handle_violation(now, violation)),
            }
        }
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.phase, Phase::Open | Phase::Closing(_)) || self.shut {
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
        if matches!(self.phase, Phase::Closing(_)) {
            // The server closes when it has read the end; waiting for that keeps the system from discarding it.
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.shut = true,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
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

fn reason_string(packet: &Packet) -> Option<&ByteString> {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => {
            ack.properties.as_ref().and_then(|properties| properties.reason_string.as_ref())
        }
        _ => None,
    }
}
