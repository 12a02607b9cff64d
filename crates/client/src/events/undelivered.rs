//! Messages that did not make it and whose outcome nobody awaits.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::error::PublishError;

/// How many outcomes are kept for a reader.
pub(crate) const KEPT: usize = 1000;
/// Bytes that they may have together: of topics, and of what servers said.
const KEPT_BYTES: usize = 1 << 20;

/// A message that was taken and did not make it, and whose outcome nobody awaits any more: see
/// [`Client::undelivered`](crate::Client::undelivered).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Undelivered {
    /// One message.
    Message {
        /// Its place in the queue: what the ticket, or the timeout, said. A message of QoS 0 that was given to a
        /// connection has none.
        position: Option<u64>,
        /// Why, and to which topic it was published; [`PublishError::outcome`] says what is known of it.
        why: PublishError,
    },
    /// So many messages were lost to the reader here: more failed than are kept.
    Missed(u64),
}

/// Messages that did not make it and whose outcome nobody awaits: see
/// [`Client::undelivered`](crate::Client::undelivered). It is a [`Stream`] too, and ends with the client.
///
/// ```no_run
/// use gridmq_client::{Client, Undelivered};
///
/// # async fn run(client: Client) {
/// let mut undelivered = client.undelivered();
/// while let Some(event) = undelivered.next().await {
///     match event {
///         Undelivered::Message { why, .. } => println!("{:?}: {why}", why.outcome()),
///         Undelivered::Missed(count) => println!("and {count} before that"),
///         other => println!("{other:?}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct UndeliveredMessages {
    ledger: Arc<Ledger>,
    key: u64,
}

impl UndeliveredMessages {
    /// The next one; `None` after the client's end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Undelivered> {
        poll_fn(|cx| self.ledger.poll_next(self.key, cx)).await
    }
}

impl Stream for UndeliveredMessages {
    type Item = Undelivered;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Undelivered>> {
        self.ledger.poll_next(self.key, cx)
    }
}

impl Drop for UndeliveredMessages {
    fn drop(&mut self) {
        self.ledger.lock().readers.retain(|(key, _)| *key != self.key);
    }
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<(Option<u64>, PublishError)>,
    bytes: usize,
    missed: u64,
    /// No more will come.
    closed: bool,
    /// Who waits.
    readers: Vec<(u64, Waker)>,
}

impl Entries {
    fn push(&mut self, position: Option<u64>, why: PublishError) {
        self.bytes += weight(&why);
        self.kept.push_back((position, why));
        // The newest stays, however large.
        while self.kept.len() > KEPT || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            let Some((_, why)) = self.kept.pop_front() else { break };
            self.bytes -= weight(&why);
            self.missed += 1;
        }
    }

    fn pop(&mut self) -> Option<Undelivered> {
        if self.missed > 0 {
            return Some(Undelivered::Missed(std::mem::take(&mut self.missed)));
        }
        let (position, why) = self.kept.pop_front()?;
        self.bytes -= weight(&why);
        Some(Undelivered::Message { position, why })
    }
}

fn weight(why: &PublishError) -> usize {
    let said = match why {
        PublishError::Refused { reason_string, user_properties, .. } => {
            let properties = user_properties.iter().map(|(name, value)| name.len() + value.len());
            reason_string.as_ref().map_or(0, |text| text.len()) + properties.sum::<usize>()
        }
        _ => 0,
    };
    said + why.topic().map_or(0, |topic| topic.as_str().len())
}

/// What is kept for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    keys: AtomicU64,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stream(self: &Arc<Self>) -> UndeliveredMessages {
        UndeliveredMessages { ledger: Arc::clone(self), key: self.keys.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn push(&self, position: Option<u64>, why: PublishError) {
        let mut entries = self.lock();
        entries.push(position, why);
        wake(entries);
    }

    /// No more will come; what is there can still be read.
    pub(crate) fn close(&self) {
        let mut entries = self.lock();
        entries.closed = true;
        wake(entries);
    }

    fn poll_next(&self, key: u64, cx: &Context<'_>) -> Poll<Option<Undelivered>> {
        let mut entries = self.lock();
        if let Some(event) = entries.pop() {
            return Poll::Ready(Some(event));
        }
        if entries.closed {
            return Poll::Ready(None);
        }
        match entries.readers.iter_mut().find(|(reader, _)| *reader == key) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => entries.readers.push((key, cx.waker().clone())),
        }
        Poll::Pending
    }
}

fn wake(mut entries: MutexGuard<'_, Entries>) {
    let readers = std::mem::take(&mut entries.readers);
    drop(entries);
    readers.into_iter().for_each(|(_, waker)| waker.wake());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expired(topic: &str) -> PublishError {
        PublishError::Expired { topic: topic.try_into().unwrap() }
    }

    #[test]
    fn what_is_kept_has_a_limit_in_messages_and_in_bytes() {
        let mut entries = Entries::default();
        (1..=1003).for_each(|position| entries.push(Some(position), expired("a")));
        assert!(matches!(entries.pop(), Some(Undelivered::Missed(3))));
        assert!(matches!(entries.pop(), Some(Undelivered::Message { position: Some(4), .. })));
        assert_eq!((entries.kept.len(), entries.bytes), (999, 999));
        // Large topics push out more than one each.
        (0..20).for_each(|_| entries.push(None, expired(&"x".repeat(60_000))));
        assert_eq!((entries.kept.len(), entries.bytes), (17, 17 * 60_000));
        assert_eq!(entries.missed, 999 + 3);
    }
}
