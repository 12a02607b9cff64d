//! The buffer between the driver and one stream of messages.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use gridmq_proto::QoS;

use crate::inbox::remember;
use crate::message::Message;
use crate::receipt::Receipt;

/// Messages of QoS 0 that a stream buffers unless told otherwise, and their bytes.
const DEFAULT_MESSAGES: usize = 256;
const DEFAULT_BYTES: usize = 16 << 20;

/// Which message of QoS 0 goes when a stream's buffer is full. What is sent has [`Overflow`](crate::Overflow).
#[doc(alias = "Overflow")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Shed {
    /// The one that has just come: what is read is without a gap up to some point.
    #[default]
    Newest,
    /// The one that has waited longest: what is read is as fresh as it can be.
    Oldest,
}

/// How much of QoS 0 waits in a stream. Messages of QoS 1 and 2 are always taken: they are unacknowledged, so the
/// receive maximum bounds them; of those that outlive their session, that many are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    /// Topics, payloads and properties. One message is always taken.
    pub(crate) bytes: usize,
    pub(crate) shed: Shed,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: DEFAULT_MESSAGES, bytes: DEFAULT_BYTES, shed: Shed::Newest }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    /// Those of QoS 0 among them.
    loose: usize,
    loose_bytes: usize,
    dropped: u64,
    /// Nothing more will come.
    closed: bool,
    /// Nobody will take anything more.
    abandoned: bool,
    waker: Option<Waker>,
}

impl State {
    fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.gone(&message);
        Some(message)
    }

    fn gone(&mut self, message: &Message) {
        if message.qos() == QoS::AtMostOnce {
            self.loose -= 1;
            self.loose_bytes -= message.content().weight();
        }
    }

    /// Whether a message of QoS 0 and that weight is let in, perhaps in place of others.
    fn make_room(&mut self, weight: usize, bounds: Bounds) -> bool {
        while self.loose > 0
            && (self.loose >= bounds.messages || self.loose_bytes.saturating_add(weight) > bounds.bytes)
        {
            self.dropped += 1;
            let oldest = match bounds.shed {
                Shed::Newest => return false,
                // Before it are no more than the receive maximum.
                Shed::Oldest => self.messages.iter().position(|message| message.qos() == QoS::AtMostOnce),
            };
            match oldest.and_then(|place| self.messages.remove(place)) {
                Some(message) => self.gone(&message),
                None => return false,
            }
        }
        self.loose += 1;
        self.loose_bytes += weight;
        true
    }

    /// Nothing is there; ready if nothing will come.
    fn empty(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.closed {
            return Poll::Ready(());
        }
        remember(&mut self.waker, cx);
        Poll::Pending
    }
}

impl Queue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds: Bounds { messages: bounds.messages.max(1), ..bounds }, state: Mutex::default() }
    }

    /// Hands `message` to whoever reads the queue. A message that nobody will read counts as taken. Gives how many
    /// messages were lost to the bounds.
    pub(crate) fn push(&self, message: Message) -> u64 {
        let loose = message.qos() == QoS::AtMostOnce;
        let (waker, unwanted, lost) = {
            let mut state = self.lock();
            let before = state.dropped;
            let (waker, unwanted) = if state.abandoned || state.closed {
                (None, Some(message))
            } else if loose && !state.make_room(message.content().weight(), self.bounds) {
                (None, None)
            } else {
                state.messages.push_back(message);
                (state.waker.take(), None)
            };
            (waker, unwanted, state.dropped - before)
        };
        if let Some(mut message) = unwanted {
            message.ack();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        lost
    }

    /// The next message; `None` when no more will come.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.lock();
        match state.pop() {
            Some(message) => Poll::Ready(Some(message)),
            None => state.empty(cx).map(|()| None),
        }
    }

    /// Adds up to `max` messages to `to`, at least one; none when no more will come.
    pub(crate) fn poll_many(&self, cx: &Context<'_>, max: usize, to: &mut Vec<Message>) -> Poll<()> {
        let mut state = self.lock();
        let before = to.len();
        to.extend(std::iter::from_fn(|| state.pop()).take(max.max(1)));
        if to.len() > before { Poll::Ready(()) } else { state.empty(cx) }
    }

    /// What is there now; `Err`: no more will come.
    pub(crate) fn try_next(&self) -> Result<Option<Message>, ()> {
        let mut state = self.lock();
        match state.pop() {
            Some(message) => Ok(Some(message)),
            None if state.closed => Err(()),
            None => Ok(None),
        }
    }

    /// Nothing more will come; what is there can still be read.
    pub(crate) fn close(&self) {
        let waker = {
            let mut state = self.lock();
            state.closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nobody will read any more; what is there counts as taken.
    pub(crate) fn abandon(&self) {
        let left = {
            let mut state = self.lock();
            state.abandoned = true;
            (state.loose, state.loose_bytes) = (0, 0);
            std::mem::take(&mut state.messages)
        };
        Receipt::accept_all(left.into_iter().filter_map(|mut message| message.take_receipt()));
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Takes out what `choose` picks, in order.
    pub(crate) fn take(&self, choose: &dyn Fn(&Message) -> bool) -> Vec<Message> {
        let mut state = self.lock();
        let (taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.messages).into_iter().partition(|message| choose(message));
        state.messages = kept.into();
        for message in &taken {
            state.gone(message);
        }
        taken
    }

    /// The session of before is over: keeps at most `max` of its messages of QoS 1 and 2, since no receive maximum bounds
    /// them any more. Gives how many were lost.
    pub(crate) fn trim(&self, max: usize) -> u64 {
        let mut lost = Vec::new();
        let mut state = self.lock();
        let count = state.messages.len() - state.loose;
        if count > max {
            let goes = match self.bounds.shed {
                Shed::Newest => max..count,
                Shed::Oldest => 0..count - max,
            };
            let mut number = 0;
            for message in std::mem::take(&mut state.messages) {
                let is_loose = message.qos() == QoS::AtMostOnce;
                if !is_loose && goes.contains(&number) {
                    lost.push(message);
                } else {
                    state.messages.push_back(message);
                }
                number += usize::from(!is_loose);
            }
            state.dropped += lost.len() as u64;
        }
        drop(state);
        lost.len() as u64
    }

    /// Messages for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().messages.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
