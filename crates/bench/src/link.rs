//! One connection while the load runs: reads, counts, acknowledges and publishes, with one write for a turn.

use std::cell::RefCell;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use gridmq_proto::{PacketId, codec};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::publisher::{Answer, Publisher};
use crate::scan::{self, PUBACK, PUBCOMP, PUBREC, PUBREL, Scanned};
use crate::shared::{Counts, Histograms, Phase, Shared};
use crate::subscriber::Subscriber;
use crate::transport::Io;

/// Bytes of the buffer that a thread reads into.
const READ: usize = 256 * 1024;
/// Turns before others get theirs.
const TURNS: usize = 8;

/// What the links of a thread share.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// What was read last.
    read: Vec<u8>,
    pub(crate) thread: usize,
}

impl Scratch {
    pub(crate) fn new(thread: usize) -> Self {
        Self { read: vec![0; READ], thread }
    }
}

/// Why a link ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It was told to.
    Asked,
    /// The other side did, in these words.
    Lost(String),
}

/// A connection and what it is for.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) io: Io,
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) scratch: Rc<RefCell<Scratch>>,
    /// The beginning of a packet of which the rest is to come.
    pub(crate) tail: Vec<u8>,
    /// Acknowledgements and pings to be written; those up to `answered` are.
    pub(crate) answers: Vec<u8>,
    pub(crate) answered: usize,
    pub(crate) unflushed: bool,
    pub(crate) publisher: Option<Box<Publisher>>,
    pub(crate) subscriber: Option<Box<Subscriber>>,
}

impl Link {
    /// Goes on until it is told to end, or cannot.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let shared = Arc::clone(&self.shared);
        let Some(handle) = shared.links.get(self.number) else { return Poll::Ready(End::Asked) };
        handle.register(cx.waker());
        if shared.phase() == Phase::Closing {
            return Poll::Ready(End::Asked);
        }
        if handle.take_ping() {
            self.answers.extend_from_slice(&[0xC0, 0]);
        }
        for _ in 0..TURNS {
            let read = match self.receive(cx, &shared) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => false,
            };
            let wrote = match self.send(cx, &shared) {
                Poll::Ready(Ok(wrote)) => wrote,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => false,
            };
            if wrote {
                handle.wrote(shared.now());
            }
            if !read && !wrote {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once.
    fn receive(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<Result<(), End>> {
        let scratch = Rc::clone(&self.scratch);
        let mut scratch = scratch.borrow_mut();
        let thread = scratch.thread;
        let kept = self.tail.len();
        // A packet larger than the buffer makes it grow.
        let wanted = scan::announced(&self.tail).unwrap_or(0).max(kept).saturating_add(READ / 4);
        if scratch.read.len() < wanted {
            scratch.read.resize(wanted, 0);
        }
        let Some(space) = scratch.read.get_mut(kept..) else { return Poll::Pending };
        let mut buffer = ReadBuf::new(space);
        let outcome = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
        let read = buffer.filled().len();
        if let Err(error) = outcome {
            return Poll::Ready(Err(End::Lost(format!("the connection broke: {error}"))));
        }
        if read == 0 {
            return Poll::Ready(Err(End::Lost("the broker closed the connection".to_owned())));
        }
        if let Some(front) = scratch.read.get_mut(..kept) {
            front.copy_from_slice(&self.tail);
        }
        self.tail.clear();
        let Some(state) = shared.threads.get(thread) else { return Poll::Pending };
        let mut histograms = state.histograms.lock();
        let mut counts = Counts { bytes_received: read as u64, ..Counts::default() };
        let bytes = scratch.read.get(..kept + read).unwrap_or_default();
        let outcome = self.take(bytes, shared, &mut counts, &mut histograms);
        state.counters.add(&counts);
        Poll::Ready(outcome)
    }

    /// Takes all packets that are whole, and keeps the rest.
    fn take(
        &mut self,
        mut bytes: &[u8],
        shared: &Shared,
        counts: &mut Counts,
        histograms: &mut Histograms,
    ) -> Result<(), End> {
        let (now, version) = (shared.now(), shared.plan.version);
        let malformed = || End::Lost("the broker sent a packet of a length that none can have".to_owned());
        while let Some((packet, length)) = scan::scan(bytes, version).map_err(|_| malformed())? {
            let (whole, rest) = bytes.split_at(length);
            bytes = rest;
            match packet {
                _ if shared.plan.strict => self.strict(whole, shared, (counts, histograms), now)?,
                Scanned::Publish { dup, qos, retain, id, payload } => {
                    if let Some(subscriber) = &mut self.subscriber {
                        subscriber.publish((dup, retain, id, payload), (shared, now), counts, histograms);
                    } else {
                        counts.foreign += 1;
                    }
                    match (qos, id) {
                        (1, Some(id)) => self.answer(PUBACK, id),
                        (2, Some(id)) => self.answer(PUBREC, id),
                        _ => {}
                    }
                }
                Scanned::Ack { first: PUBREL, id, .. } => {
                    if let Some(subscriber) = &mut self.subscriber {
                        subscriber.release(id);
                    }
                    self.answer(PUBCOMP, id);
                }
                Scanned::Ack { first, id, reason } => {
                    let Some(publisher) = &mut self.publisher else {
                        counts.unexpected += 1;
                        continue;
                    };
                    let answer = publisher.acknowledge((first, id, reason), (shared, now), counts, histograms);
                    if let Answer::PubRel(id) = answer {
                        self.answer(PUBREL, id);
                    }
                }
                Scanned::Other(whole) => other(whole, shared)?,
            }
        }
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.pass_on(shared);
        }
        self.tail.extend_from_slice(bytes);
        Ok(())
    }

    fn answer(&mut self, first: u8, id: PacketId) {
        let [high, low] = id.get().to_be_bytes();
        self.answers.extend_from_slice(&[first, 2, high, low]);
    }

    /// The codec judges a packet before it is counted.
    fn strict(
        &mut self,
        whole: &[u8],
        shared: &Shared,
        (counts, histograms): (&mut Counts, &mut Histograms),
        now: u64,
    ) -> Result<(), End> {
        use gridmq_proto::packet::Packet;
        let acknowledgement = match decoded(whole, shared)? {
            Packet::Publish(publish) => {
                let (dup, retain, id) = (publish.dup, publish.retain, publish.packet_id);
                match &mut self.subscriber {
                    Some(subscriber) => {
                        subscriber.publish((dup, retain, id, &publish.payload), (shared, now), counts, histograms);
                    }
                    None => counts.foreign += 1,
                }
                match (publish.qos as u8, id) {
                    (1, Some(id)) => self.answer(PUBACK, id),
                    (2, Some(id)) => self.answer(PUBREC, id),
                    _ => {}
                }
                return Ok(());
            }
            Packet::PubRel(ack) => {
                if let Some(subscriber) = &mut self.subscriber {
                    subscriber.release(ack.packet_id);
                }
                self.answer(PUBCOMP, ack.packet_id);
                return Ok(());
            }
            Packet::PubAck(ack) => (PUBACK, ack.packet_id, ack.reason.as_u8()),
            Packet::PubRec(ack) => (PUBREC, ack.packet_id, ack.reason.as_u8()),
            Packet::PubComp(ack) => (PUBCOMP, ack.packet_id, ack.reason.as_u8()),
            _ => return other(whole, shared),
        };
        let Some(publisher) = &mut self.publisher else {
            counts.unexpected += 1;
            return Ok(());
        };
        if let Answer::PubRel(id) = publisher.acknowledge(acknowledgement, (shared, now), counts, histograms) {
            self.answer(PUBREL, id);
        }
        Ok(())
    }

    /// Writes what there is to be written; says whether anything was.
    fn send(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<Result<bool, End>> {
        let thread = self.scratch.borrow().thread;
        let Some(state) = shared.threads.get(thread) else { return Poll::Ready(Ok(false)) };
        let mut wrote = false;
        // A write per packet is a write per packet: as many as a batch would hold.
        for _ in 0..64 {
            let mut counts = Counts::default();
            if let Some(publisher) = &mut self.publisher {
                publisher.refill(shared, &mut counts, &mut state.histograms.lock());
            }
            let ring = self.publisher.as_ref().map_or(&[][..], |publisher| publisher.ring.waiting());
            let answers = self.answers.get(self.answered..).unwrap_or_default();
            if ring.is_empty() && answers.is_empty() {
                break;
            }
            let begun = self.publisher.as_ref().is_some_and(|publisher| publisher.ring.begun());
            let (first, second) = if begun { (ring, answers) } else { (answers, ring) };
            let slices = [IoSlice::new(first), IoSlice::new(second)];
            let (ring_len, answers_len) = (ring.len(), answers.len());
            let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, &slices);
            state.counters.add(&counts);
            let written = match outcome {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(End::Lost("the connection takes no more".to_owned()))),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(End::Lost(format!("the connection broke: {error}"))));
                }
                Poll::Pending => break,
            };
            state.counters.bytes_sent.fetch_add(written as u64, Relaxed);
            let (to_ring, to_answers) = if begun {
                (written.min(ring_len), written.saturating_sub(ring_len))
            } else {
                (written.saturating_sub(answers_len), written.min(answers_len))
            };
            if let Some(publisher) = &mut self.publisher {
                publisher.ring.written(to_ring);
            }
            self.answered += to_answers;
            if self.answered >= self.answers.len() {
                self.answers.clear();
                self.answered = 0;
            }
            wrote = true;
            self.unflushed = self.io.buffers();
        }
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(End::Lost(format!("the connection broke: {error}"))));
                }
                Poll::Pending => {}
            }
        }
        Poll::Ready(Ok(wrote))
    }
}

/// A packet that is not part of the load, or is not as it should be.
fn other(whole: &[u8], shared: &Shared) -> Result<(), End> {
    use gridmq_proto::packet::Packet;
    match decoded(whole, shared)? {
        Packet::PingResp | Packet::SubAck(_) | Packet::UnsubAck(_) => Ok(()),
        Packet::Disconnect(bye) => {
            let words = bye.properties.reason_string.map(|words| format!(" ({words})")).unwrap_or_default();
            let (code, name) = (bye.reason.as_u8(), bye.reason.name());
            Err(End::Lost(format!("the broker sent DISCONNECT {code:#04x} {name}{words}")))
        }
        other => Err(End::Lost(format!("the broker sent an unexpected {:?}", other.packet_type()))),
    }
}

fn decoded(whole: &[u8], shared: &Shared) -> Result<gridmq_proto::packet::Packet, End> {
    let mut decoder = codec::Decoder::for_client(shared.plan.version, codec::MAX_PACKET_SIZE);
    // CONNACK has come.
    decoder.set_version(shared.plan.version);
    match decoder.decode(&mut BytesMut::from(whole)) {
        Ok(Some(packet)) => Ok(packet),
        Ok(None) => Err(End::Lost("the broker sent a packet that ends too soon".to_owned())),
        Err(violation) => Err(End::Lost(format!("the broker broke the standard: {violation}"))),
    }
}
