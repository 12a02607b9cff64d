//! Who waits for which response.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gridmq_proto::TopicName;
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::message::Message;
use crate::subscription::Subscription;

/// Calls that have ended and are remembered.
const RECENT: usize = 1024;

/// Responses that nobody waited for; they are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Strays {
    /// To calls that were given up.
    pub late: u64,
    /// To calls that were answered.
    pub repeated: u64,
    /// To calls that were not made here, or are forgotten; or from a topic that is not the call's.
    pub unknown: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    GivenUp,
}

#[derive(Debug)]
struct Waiting {
    topic: TopicName,
    answer: oneshot::Sender<Message>,
}

/// Calls by what their responses are known by.
#[derive(Debug, Default)]
struct Calls {
    waiting: HashMap<Bytes, Waiting>,
    recent: HashMap<Bytes, Outcome>,
    order: VecDeque<Bytes>,
    strays: Strays,
    closed: bool,
}

impl Calls {
    fn answer(&mut self, name: &Bytes, message: Message) {
        let fits = self.waiting.get(name).is_some_and(|waiting| waiting.topic == *message.topic());
        match self.waiting.remove(name).filter(|_| fits) {
            Some(waiting) => {
                self.remember(name.clone(), Outcome::Answered);
                // Who called may have gone in this moment.
                let _ = waiting.answer.send(message);
            }
            None => match self.recent.get(name) {
                Some(Outcome::Answered) => self.strays.repeated += 1,
                Some(Outcome::GivenUp) => self.strays.late += 1,
                None => self.strays.unknown += 1,
            },
        }
    }

    fn remember(&mut self, name: Bytes, outcome: Outcome) {
        if self.order.len() >= RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.recent.insert(name.clone(), outcome);
        self.order.push_back(name);
    }
}

/// What a response is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its correlation data.
    ByData,
    /// Its topic.
    ByTopic,
}

impl Known {
    fn name(self, message: &Message) -> Bytes {
        match self {
            Self::ByData => message.properties().correlation_data.clone().unwrap_or_default(),
            Self::ByTopic => by_topic(message.topic()),
        }
    }
}

/// A topic as a name.
pub(super) fn by_topic(topic: &TopicName) -> Bytes {
    Bytes::copy_from_slice(topic.as_bytes())
}

/// Reads one subscription for many calls, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    calls: Arc<Mutex<Calls>>,
    /// Dropped with the listener, which tells the task.
    _open: mpsc::Sender<()>,
}

impl Listener {
    pub(super) fn start(subscription: Subscription, known: Known) -> Self {
        let calls = Arc::new(Mutex::new(Calls::default()));
        let (open, closed) = mpsc::channel(1);
        tokio::spawn(listen(subscription, known, Arc::clone(&calls), closed));
        Self { calls, _open: open }
    }

    /// Waits for the response of that name and topic; `None`: none can come any more.
    pub(super) fn expect(&self, name: Bytes, topic: TopicName) -> Option<Expected> {
        let (sender, answer) = oneshot::channel();
        let mut calls = lock(&self.calls);
        if calls.closed {
            return None;
        }
        calls.waiting.insert(name.clone(), Waiting { topic, answer: sender });
        drop(calls);
        Some(Expected { answer, _due: Due { name, calls: Arc::clone(&self.calls) } })
    }

    pub(super) fn strays(&self) -> Strays {
        lock(&self.calls).strays
    }
}

async fn listen(
    mut subscription: Subscription,
    known: Known,
    calls: Arc<Mutex<Calls>>,
    mut closed: mpsc::Receiver<()>,
) {
    /// Responses taken under one lock.
    const BATCH: usize = 64;
    loop {
        let batch = tokio::select! {
            biased;
            _ = closed.recv() => break,
            batch = subscription.next_batch(BATCH) => batch,
        };
        if batch.is_empty() {
            break;
        }
        let mut calls = lock(&calls);
        for message in batch {
            calls.answer(&known.name(&message), message);
        }
    }
    let mut calls = lock(&calls);
    calls.closed = true;
    calls.waiting.clear();
}

fn lock(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The response to one call.
#[derive(Debug)]
pub(super) struct Expected {
    answer: oneshot::Receiver<Message>,
    _due: Due,
}

impl Expected {
    /// `None`: none can come any more.
    pub(super) async fn answer(&mut self) -> Option<Message> {
        (&mut self.answer).await.ok()
    }
}

#[derive(Debug)]
struct Due {
    name: Bytes,
    calls: Arc<Mutex<Calls>>,
}

impl Drop for Due {
    fn drop(&mut self) {
        let mut calls = lock(&self.calls);
        if calls.waiting.remove(&self.name).is_some() {
            calls.remember(std::mem::take(&mut self.name), Outcome::GivenUp);
        }
    }
}

/// Names for calls: of 16 bytes, as some responders want them, and not to be guessed from one another's clients.
#[derive(Debug)]
pub(super) struct Names {
    base: u64,
    next: std::sync::atomic::AtomicU64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { base: clock::random(), next: clock::random().into() }
    }

    pub(super) fn next(&self) -> [u8; 16] {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        ((u128::from(self.base) << 64) | u128::from(number)).to_be_bytes()
    }
}
