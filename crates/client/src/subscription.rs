//! Streams of messages.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use gridmq_proto::{QoS, SubscriptionFilter};

use crate::client::Client;
use crate::inbox::SubscriptionKey;
use crate::message::Message;
use crate::queue::{DEFAULT_BUFFER, Queue};
use crate::unsubscribe::UnsubscribeRequest;

/// What both kinds of stream do.
fn poll(queue: &Queue, manual: bool, cx: &Context<'_>) -> Poll<Option<Message>> {
    let mut next = queue.poll_next(cx);
    if let (Poll::Ready(Some(message)), false) = (&mut next, manual) {
        message.ack();
    }
    next
}

/// The messages of one subscription: a [`Stream`] that ends when the connection or the subscription does.
///
/// Dropping it gives the subscription up in the background, and counts what was not taken as taken.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) client: Client,
    pub(crate) key: SubscriptionKey,
    pub(crate) queue: Arc<Queue>,
    pub(crate) filter: SubscriptionFilter,
    pub(crate) granted: QoS,
    pub(crate) manual: bool,
}

impl Subscription {
    /// The filter.
    #[must_use]
    pub const fn filter(&self) -> &SubscriptionFilter {
        &self.filter
    }

    /// The highest QoS at which the server delivers; it may be lower than what was asked for.
    #[must_use]
    pub const fn granted(&self) -> QoS {
        self.granted
    }

    /// Messages of QoS 0 that came while the buffer was full, and are lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// The next message; `None` when no more will come. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| poll(&self.queue, self.manual, cx)).await
    }

    /// Gives the subscription up. What has arrived can still be read.
    pub fn unsubscribe(&self) -> UnsubscribeRequest {
        UnsubscribeRequest::new(self.client.clone(), Ok(self.filter.clone()))
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        poll(&self.queue, self.manual, cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.abandon();
        self.client.inbox().dropped(self.key);
    }
}

/// Messages that match no live subscription, such as those of a resumed session: see [`Client::messages`].
#[derive(Debug)]
pub struct Messages {
    _client: Client,
    queue: Arc<Queue>,
    manual: bool,
}

impl Messages {
    pub(crate) fn new(client: Client) -> Self {
        let queue = Arc::new(Queue::new(DEFAULT_BUFFER));
        client.inbox().catch_all(&queue);
        Self { _client: client, queue, manual: false }
    }

    /// Has each message of QoS 1 and 2 acknowledged by [`Message::ack`] instead of when it is taken.
    #[must_use]
    pub const fn manual_ack(mut self) -> Self {
        self.manual = true;
        self
    }

    /// Messages of QoS 0 that came while the buffer (of 256) was full, and are lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// The next message; `None` when no more will come. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| poll(&self.queue, self.manual, cx)).await
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        poll(&self.queue, self.manual, cx)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}
