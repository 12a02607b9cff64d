//! What waits to be sent, and what happens when it is too much.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gridmq_proto::session::client::Session;

use crate::store::Choice;

/// How much may wait to be acknowledged, sent or not, and what to do when it is too much.
///
/// ```
/// use gridmq_client::{Options, Overflow, QueueOptions};
///
/// let queue = QueueOptions::new().messages(10_000).bytes(64 << 20).overflow(Overflow::DropOldest);
/// let options = Options::new("mqtt://localhost").queue(queue);
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct QueueOptions {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) at_most_once: bool,
    pub(crate) store: Choice,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl QueueOptions {
    /// 1,000 messages and 16 MiB; when there is no room, publishing waits; QoS 0 waits for a connection too.
    pub const fn new() -> Self {
        Self { messages: 1000, bytes: 16 << 20, overflow: Overflow::Wait, at_most_once: true, store: Choice::NONE }
    }

    /// How many messages may wait or be unacknowledged. One always may.
    pub const fn messages(mut self, messages: usize) -> Self {
        self.messages = messages;
        self
    }

    /// How many bytes they may have together: topics, payloads and properties. One message always may wait, however
    /// large.
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// What happens to a message for which there is no room.
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Whether messages of QoS 0 wait while there is no connection; otherwise they fail at once.
    pub const fn at_most_once(mut self, queue: bool) -> Self {
        self.at_most_once = queue;
        self
    }

    /// Whether a message of that weight fits beside so many and so much.
    pub(crate) const fn fits(&self, (messages, bytes): (usize, usize), weight: usize) -> bool {
        messages == 0 || (messages < self.messages && bytes.saturating_add(weight) <= self.bytes)
    }
}

/// What happens to a message for which there is no room in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// It waits for room, as long as its request's timeout lets it.
    #[default]
    Wait,
    /// It fails at once; what waits stays.
    #[doc(alias = "DropNewMessage")]
    Refuse,
    /// Messages that were never sent give way to it, the oldest first. Where all have been sent, it fails.
    #[doc(alias = "DropOldestQueuedMessage")]
    DropOldest,
    /// Messages that were never sent give way to it, the newest first, and it is taken. Where all have been sent, it
    /// fails. To keep those that wait, [`Refuse`](Self::Refuse).
    DropNewest,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Messages that wait or are unacknowledged.
    pub messages: usize,
    /// Bytes of their topics, payloads and properties.
    pub bytes: usize,
    /// Those that were sent and are unacknowledged.
    pub in_flight: usize,
    /// The position of the last message that was taken; 0: none. With a store, it goes on rising after a restart.
    pub last_position: u64,
}

/// The status as the driver last saw it.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    in_flight: AtomicUsize,
    last_position: AtomicU64,
    /// Of QoS 0, given to a connection.
    unwritten: (AtomicUsize, AtomicUsize),
}

impl Gauge {
    pub(crate) fn set(&self, session: &Session) {
        let (messages, bytes) = session.load();
        self.messages.store(messages, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.in_flight.store(session.in_flight(), Ordering::Relaxed);
        self.last_position.store(session.last_position(), Ordering::Relaxed);
    }

    pub(crate) fn set_unwritten(&self, (messages, bytes): (usize, usize)) {
        self.unwritten.0.store(messages, Ordering::Relaxed);
        self.unwritten.1.store(bytes, Ordering::Relaxed);
    }

    /// Messages and bytes that are neither acknowledged nor written.
    pub(crate) fn unfinished(&self) -> (usize, usize) {
        let load = |waits: &AtomicUsize, unwritten: &AtomicUsize| {
            waits.load(Ordering::Relaxed).saturating_add(unwritten.load(Ordering::Relaxed))
        };
        (load(&self.messages, &self.unwritten.0), load(&self.bytes, &self.unwritten.1))
    }

    pub(crate) fn status(&self) -> QueueStatus {
        QueueStatus {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            last_position: self.last_position.load(Ordering::Relaxed),
        }
    }
}
