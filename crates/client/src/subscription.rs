//! Streams of messages.
//!
//! There is no share of the receive maximum for each subscription. A client sends PUBACK in the order in which the
//! PUBLISH packets came, and PUBREC likewise [MQTT-4.6.0-2] [MQTT-4.6.0-3]: one message that is not judged holds back
//! the acknowledgement of every later one, whichever subscription it is for, and the server counts them all against one
//! receive maximum. A share could only be kept by acknowledging what the application has not taken, and a message of
//! QoS 1 that is lost after that is lost for good. What a slow reader can do is said at [`Subscription`].

mod handling;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use gridmq_proto::packet::UserProperties;
use gridmq_proto::{ByteString, QoS, SubscriptionFilter};

pub use self::handling::Rejection;
use crate::client::Client;
use crate::inbox::SubscriptionKey;
use crate::message::Message;
use crate::queue::{Bounds, Queue};
use crate::receipt::{OnDrop, Receipt};
use crate::subscribe::RefusedFilter;
use crate::unsubscribe::UnsubscribeRequest;

/// Who says that a message is to be acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Acks {
    /// Taking it from the stream.
    Taking,
    /// The application.
    Manual(OnDrop),
}

/// What both kinds of stream do.
#[derive(Debug)]
struct Source {
    queue: Arc<Queue>,
    acks: Acks,
}

impl Source {
    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        self.queue.poll_next(cx).map(|message| message.map(|message| self.taken(message)))
    }

    fn taken(&self, mut message: Message) -> Message {
        match self.acks {
            Acks::Taking => message.ack(),
            Acks::Manual(on_drop) => message.on_drop(on_drop),
        }
        message
    }

    async fn batch(&self, max: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        poll_fn(|cx| self.queue.poll_many(cx, max, &mut batch)).await;
        match self.acks {
            Acks::Taking => Receipt::accept_all(batch.iter_mut().filter_map(Message::take_receipt)),
            Acks::Manual(on_drop) => batch.iter_mut().for_each(|message| message.on_drop(on_drop)),
        }
        batch
    }

    fn try_next(&self) -> Result<Message, TryNextError> {
        match self.queue.try_next() {
            Ok(Some(message)) => Ok(self.taken(message)),
            Ok(None) => Err(TryNextError::Empty),
            Err(()) => Err(TryNextError::Ended),
        }
    }
}

/// Why there is no message at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryNextError {
    /// None waits; one may come.
    #[error("no message waits in the stream")]
    Empty,
    /// No more will come.
    #[error("the stream has ended, with its subscription or its client")]
    Ended,
}

/// A filter that the server has granted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantedFilter {
    /// The filter.
    pub filter: SubscriptionFilter,
    /// The highest QoS at which the server delivers; it may be lower than what was asked for.
    pub qos: QoS,
    /// What the SUBACK says for people, if anything; it may be about another filter of the same packet.
    pub reason_string: Option<ByteString>,
    /// The user properties of the SUBACK.
    pub user_properties: UserProperties,
}

/// The messages of one subscription: a [`Stream`] that ends when the client or the subscription does.
///
/// Dropping it gives the subscription up in the background, and counts what was not taken as taken: keep it, and read it.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # async fn run(client: gridmq_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// client.subscribe("orders/#", gridmq_client::QoS::AtLeastOnce).await?; // subscribed, and given up again
/// # Ok(())
/// # }
/// ```
///
/// # Slow readers
/// A stream that is not read holds back the acknowledgements of all subscriptions, and, once as many messages of QoS 1
/// and 2 wait as the receive maximum allows, their messages: acknowledgements go out in the order of receipt
/// [MQTT-4.6.0-2], and the receive maximum is one for the connection. So no subscription can have a share of its own.
/// Read each stream all the time, and let what takes long wait elsewhere: take the message with manual acknowledgement
/// and work on several at once ([`handle`](Self::handle)), raise
/// [`Options::receive_maximum`](crate::Options::receive_maximum), or give such work a client of its own.
///
/// ```no_run
/// use gridmq_client::{Client, QoS};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut orders = client.subscribe("orders/#", QoS::AtLeastOnce).await?;
/// while let Some(order) = orders.next().await {
///     println!("{}: {:?}", order.topic(), order.text());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropped, the subscription is given up again: keep it and read it"]
pub struct Subscription {
    pub(crate) client: Client,
    pub(crate) keys: Vec<SubscriptionKey>,
    source: Source,
    pub(crate) granted: Vec<GrantedFilter>,
    pub(crate) refused: Vec<RefusedFilter>,
}

impl Subscription {
    pub(crate) const fn new(client: Client, keys: Vec<SubscriptionKey>, queue: Arc<Queue>, acks: Acks) -> Self {
        Self { client, keys, source: Source { queue, acks }, granted: Vec::new(), refused: Vec::new() }
    }

    /// The filters that the server granted, at least one, in the order in which they were asked for.
    #[must_use]
    pub fn filters(&self) -> &[GrantedFilter] {
        &self.granted
    }

    /// The filters that it refused: see [`SubscribeRequest::or_fewer`](crate::SubscribeRequest::or_fewer).
    #[must_use]
    pub fn refused(&self) -> &[RefusedFilter] {
        &self.refused
    }

    /// The highest QoS at which the server delivers, the lowest of several filters; it may be lower than what was asked
    /// for.
    #[must_use]
    pub fn granted(&self) -> QoS {
        self.granted.iter().map(|granted| granted.qos).min().unwrap_or(QoS::AtMostOnce)
    }

    /// Messages that are lost: of QoS 0, since the buffer was full, and of lost sessions, beyond the receive maximum.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.source.queue.dropped()
    }

    /// Messages that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.source.queue.len()
    }

    /// The next message; `None` when no more will come. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.source.poll(cx)).await
    }

    /// What waits, up to `max` messages, and at least one; none when no more will come. Cheaper than one by one where
    /// many come. Dropping the future loses nothing.
    pub async fn next_batch(&mut self, max: usize) -> Vec<Message> {
        self.source.batch(max).await
    }

    /// The next message, if one waits.
    ///
    /// # Errors
    /// If none waits, or no more will come.
    pub fn try_next(&mut self) -> Result<Message, TryNextError> {
        self.source.try_next()
    }

    /// Gives the subscription up, all filters. What has arrived can still be read.
    pub fn unsubscribe(&self) -> UnsubscribeRequest {
        let filters = self.granted.iter().map(|granted| granted.filter.clone()).collect();
        UnsubscribeRequest::new(self.client.clone(), Ok(filters))
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.source.poll(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.source.queue.abandon();
        self.client.inbox().dropped(std::mem::take(&mut self.keys));
    }
}

/// Messages that match no live subscription, such as those of a resumed session: see [`Client::messages`].
///
/// ```no_run
/// # async fn run(client: gridmq_client::Client) {
/// let mut others = client.messages().manual_ack();
/// while let Some(mut message) = others.next().await {
///     println!("{}: {:?}", message.topic(), message.text());
///     message.ack();
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it takes no messages: keep it and read it"]
pub struct Messages {
    _client: Client,
    source: Source,
}

impl Messages {
    pub(crate) fn new(client: Client) -> Self {
        let queue = Arc::new(Queue::new(Bounds::default()));
        client.inbox().catch_all(&queue);
        Self { _client: client, source: Source { queue, acks: Acks::Taking } }
    }

    /// Has each message of QoS 1 and 2 acknowledged by [`Message::ack`] instead of when it is taken.
    pub const fn manual_ack(mut self) -> Self {
        self.source.acks = Acks::Manual(OnDrop::Keep);
        self
    }

    /// Messages that are lost: of QoS 0, since the buffer (of 256, or 16 MiB) was full, and of lost sessions, beyond the
    /// receive maximum.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.source.queue.dropped()
    }

    /// The next message; `None` when no more will come. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.source.poll(cx)).await
    }

    /// What waits: see [`Subscription::next_batch`].
    pub async fn next_batch(&mut self, max: usize) -> Vec<Message> {
        self.source.batch(max).await
    }

    /// The next message, if one waits.
    ///
    /// # Errors
    /// If none waits, or no more will come.
    pub fn try_next(&mut self) -> Result<Message, TryNextError> {
        self.source.try_next()
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.source.poll(cx)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.source.queue.abandon();
    }
}
