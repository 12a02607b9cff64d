//! The buffer between the driver and one stream of messages.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use gridmq_proto::QoS;

use crate::message::Message;

/// Messages of QoS 0 that a stream buffers unless told otherwise.
pub(crate) const DEFAULT_BUFFER: usize = 256;

/// Messages of QoS 0 beyond `capacity` are dropped and counted. Those of QoS 1 and 2 are always taken: they are
/// unacknowledged, so the receive maximum bounds them.
#[derive(Debug)]
pub(crate) struct Queue {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    dropped: u64,
    /// Nothing more will come.
    closed: bool,
    /// Nobody will take anything more.
    abandoned: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), state: Mutex::default() }
    }

    /// Hands `message` to whoever reads the queue. A message that nobody will read counts as taken.
    pub(crate) fn push(&self, message: Message) {
        let (waker, unwanted) = {
            let mut state = self.lock();
            if state.abandoned || state.closed {
                (None, Some(message))
            } else if message.qos() == QoS::AtMostOnce && state.messages.len() >= self.capacity {
                state.dropped += 1;
                (None, None)
            } else {
                state.messages.push_back(message);
                (state.waker.take(), None)
            }
        };
        if let Some(mut message) = unwanted {
            message.ack();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next message; `None` when no more will come.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.lock();
        match state.messages.pop_front() {
            Some(message) => Poll::Ready(Some(message)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
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
            std::mem::take(&mut state.messages)
        };
        for mut message in left {
            message.ack();
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Takes out what `choose` picks, in order.
    pub(crate) fn take(&self, choose: impl Fn(&Message) -> bool) -> Vec<Message> {
        let mut state = self.lock();
        let (taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.messages).into_iter().partition(|message| choose(message));
        state.messages = kept.into();
        taken
    }

    /// Messages of QoS 0 for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
