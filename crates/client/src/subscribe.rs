//! Subscribing.

mod filter;

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::codec::encoded_len;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{
    AckProperties, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions, UserProperties,
};
use gridmq_proto::session::client::RequestError;
use gridmq_proto::{ByteString, Packet, PacketId, QoS, ReasonCode, SubscriptionFilter};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::driver::{Request, SubscribeCommand, new_lookup};
use crate::error::SubscribeError;
use crate::publish::Pending;
use crate::queue::{Bounds, Queue, Shed};
use crate::receipt::OnDrop;
use crate::subscription::{Acks, GrantedFilter, Subscription};

pub use self::filter::Filter;

/// The highest subscription identifier (MQTT 5.0 §3.8.2.1.2).
const MAX_IDENTIFIER: u32 = 268_435_455;
/// Filters in one packet, in bytes; one filter may be longer.
const MAX_BATCH_BYTES: usize = 16 * 1024;

/// A filter that the server has refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedFilter {
    /// The filter.
    pub filter: SubscriptionFilter,
    /// Why. On 3.1.1 always [`ReasonCode::UnspecifiedError`].
    pub reason: ReasonCode,
    /// What the SUBACK says for people, if anything; it may be about another filter of the same packet.
    pub reason_string: Option<ByteString>,
    /// The user properties of the SUBACK.
    pub user_properties: UserProperties,
}

/// A subscription to make; await it to send it.
///
/// Dropped before the answer, the subscription is given up again.
///
/// ```no_run
/// use gridmq_client::{Client, OnDrop, QoS, RetainHandling};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let orders = client
///     .subscribe("orders/#", QoS::AtLeastOnce)
///     .retain_handling(RetainHandling::DoNotSend)
///     .manual_ack_or(OnDrop::Ack)
///     .await?;
/// println!("granted: {:?}", orders.granted());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MqttClientSubscribeOptionsBuilder")]
#[must_use = "a request is sent when it is awaited"]
pub struct SubscribeRequest {
    client: Client,
    filters: Result<Vec<SubscribeFilter>, SubscribeError>,
    identifier: Option<SubscriptionId>,
    user_properties: UserProperties,
    acks: Acks,
    bounds: Bounds,
    or_fewer: bool,
    timeout: Option<Duration>,
}

impl fmt::Debug for SubscribeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SubscribeRequest");
        shown.field("filters", &self.filters).field("identifier", &self.identifier).field("acks", &self.acks);
        shown.field("user_properties", &self.user_properties.len()).field("bounds", &self.bounds);
        shown.field("or_fewer", &self.or_fewer).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Client {
    /// One subscription with several filters, each a [`Filter`] with its own options or a pair of filter and highest
    /// QoS, and one stream for all: a message that matches more than one comes once, if the server sends it once. What
    /// the server takes at most in one packet is minded: it may become several SUBSCRIBE.
    ///
    /// If the server refuses one of the filters, the others are given back and the request fails, unless
    /// [`SubscribeRequest::or_fewer`] says otherwise.
    pub fn subscribe_all<F>(&self, filters: impl IntoIterator<Item = F>) -> SubscribeRequest
    where
        F: Into<Filter>,
    {
        SubscribeRequest::new(self.clone(), filters)
    }
}

impl SubscribeRequest {
    pub(crate) fn new<F: Into<Filter>>(client: Client, filters: impl IntoIterator<Item = F>) -> Self {
        Self {
            client,
            filters: filters.into_iter().map(|filter| filter.into().into_entry()).collect(),
            identifier: None,
            user_properties: Vec::new(),
            acks: Acks::Taking,
            bounds: Bounds::default(),
            or_fewer: false,
            timeout: None,
        }
    }

    fn set(mut self, set: impl Fn(&mut SubscribeOptions)) -> Self {
        if let Ok(filters) = &mut self.filters {
            filters.iter_mut().for_each(|filter| set(&mut filter.options));
        }
        self
    }

    /// Leaves out what this client publishes itself (MQTT 5.0 only; an error on shared subscriptions): of all filters;
    /// [`Filter`] sets it for one.
    #[doc(alias = "WithNoLocal")]
    pub fn no_local(self) -> Self {
        self.set(|options| options.no_local = true)
    }

    /// Keeps the RETAIN flag as publishers set it (MQTT 5.0 only): for all filters; [`Filter`] sets it for one.
    #[doc(alias = "WithRetainAsPublished")]
    pub fn retain_as_published(self) -> Self {
        self.set(|options| options.retain_as_published = true)
    }

    /// Which retained messages to get at once (MQTT 5.0 only): for all filters; [`Filter`] sets it for one.
    #[doc(alias = "WithRetainHandling")]
    pub fn retain_handling(self, handling: RetainHandling) -> Self {
        self.set(|options| options.retain_handling = handling)
    }

    /// Has the server name the subscription in each message, by a number from 1 to 268,435,455 (MQTT 5.0 only).
    /// Messages then reach this subscription by that number instead of by topic.
    #[doc(alias("subscription_identifier", "WithSubscriptionIdentifier"))]
    pub fn identifier(mut self, identifier: u32) -> Self {
        match SubscriptionId::new(identifier).filter(|id| id.get() <= MAX_IDENTIFIER) {
            Some(identifier) => self.identifier = Some(identifier),
            None => self.filters = self.filters.and(Err(SubscribeError::Identifier(identifier))),
        }
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    #[doc(alias = "WithUserProperty")]
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    /// Has each message of QoS 1 and 2 acknowledged by [`Message::ack`](crate::Message::ack) instead of when it is
    /// taken from the stream.
    pub const fn manual_ack(mut self) -> Self {
        self.acks = Acks::Manual(OnDrop::Keep);
        self
    }

    /// As [`manual_ack`](Self::manual_ack), and says what becomes of a message that is dropped without a judgement.
    pub const fn manual_ack_or(mut self, on_drop: OnDrop) -> Self {
        self.acks = Acks::Manual(on_drop);
        self
    }

    /// How many messages of QoS 0 may wait in the stream, at least 1; 256 when not called. Beyond, they are dropped
    /// and counted. Messages of QoS 1 and 2 are not dropped: the receive maximum bounds them. Only where sessions are lost
    /// while nobody reads, no more than the receive maximum of the earlier ones' are kept; what goes is counted.
    pub const fn buffer(mut self, messages: usize) -> Self {
        self.bounds.messages = messages;
        self
    }

    /// How many bytes of QoS 0 may wait in the stream: topics, payloads and properties; 16 MiB when not called. One
    /// message may always wait.
    pub const fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// Which message of QoS 0 is dropped when the buffer is full; the newest when not called.
    pub const fn shed(mut self, shed: Shed) -> Self {
        self.bounds.shed = shed;
        self
    }

    /// Is content with the filters that the server grants, if it is at least one:
    /// [`Subscription::refused`] has the others.
    pub const fn or_fewer(mut self) -> Self {
        self.or_fewer = true;
        self
    }

    /// How long to wait for the server's answer, and while there is no connection for the connection; the client's
    /// request timeout when not called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn send(self) -> Result<Subscription, SubscribeError> {
        let Self { client, filters, identifier, user_properties, acks, bounds, or_fewer, timeout: after } = self;
        let filters = filters?;
        let entries: Vec<_> = filters.iter().map(|entry| (client.next_key(), entry.clone())).collect();
        let keys: Vec<_> = entries.iter().map(|(key, _)| *key).collect();
        let profile = client.profile();
        let batches = batches(entries, profile.max_filters(), |(_, entry)| entry.filter.as_str().len());
        for batch in &batches {
            let entries: Vec<_> = batch.iter().map(|(_, entry)| entry.clone()).collect();
            profile
                .check_subscribe(&entries, identifier, &user_properties, client.version())
                .map_err(SubscribeError::Service)?;
            check(&client, &packet(entries, identifier, &user_properties))?;
        }
        let Some(first) = filters.first().map(|entry| entry.filter.clone()) else {
            return Err(SubscribeError::Limit(RequestError::NoFilters));
        };
        let queue = Arc::new(Queue::new(bounds));
        // From here on, dropping it gives the subscription up.
        let mut subscription = Subscription::new(client.clone(), keys.clone(), Arc::clone(&queue), acks);
        let after = after.unwrap_or_else(|| client.request_timeout());
        let exchange = async {
            let mut answers = Vec::new();
            for filters in batches {
                let (reply, answer) = oneshot::channel();
                let (queue, user_properties) = (Arc::clone(&queue), user_properties.clone());
                let command = SubscribeCommand { filters, identifier, user_properties, queue, new_lookup, reply };
                client.requests().send(Request::Subscribe(Box::new(command))).await.ok()?;
                answers.push(answer);
            }
            let mut answered = Vec::new();
            for answer in answers {
                match answer.await.ok()? {
                    Ok(answers) => answered.push(answers),
                    Err(error) => return Some(Err(error)),
                }
            }
            Some(Ok(answered))
        };
        let answered = match timeout(after, exchange).await {
            Ok(Some(answered)) => answered?,
            Ok(None) => return Err(SubscribeError::Disconnected(client.cause())),
            Err(_) => return Err(SubscribeError::Timeout { filter: Box::new(first), after }),
        };
        for (key, SubscribeFilter { filter, .. }) in keys.iter().zip(filters) {
            let answer = answered.iter().find_map(|answers| Some((answers.reason(*key)?, answers.properties.clone())));
            let (reason, properties) =
                answer.unwrap_or_else(|| (ReasonCode::UnspecifiedError, AckProperties::default()));
            let AckProperties { reason_string, user_properties } = properties;
            match QoS::from_u8(reason.as_u8()) {
                Some(qos) => {
                    subscription.granted.push(GrantedFilter { filter, qos, reason_string, user_properties });
                }
                None => subscription.refused.push(RefusedFilter { filter, reason, reason_string, user_properties }),
            }
        }
        if subscription.refused.is_empty() || or_fewer && !subscription.granted.is_empty() {
            return Ok(subscription);
        }
        let mut refused = std::mem::take(&mut subscription.refused);
        Err(match refused.pop() {
            Some(RefusedFilter { filter, reason, reason_string, user_properties }) if keys.len() == 1 => {
                SubscribeError::Refused { filter: Box::new(filter), reason, reason_string, user_properties }
            }
            last => {
                refused.extend(last);
                SubscribeError::SomeRefused(refused)
            }
        })
    }
}

impl IntoFuture for SubscribeRequest {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Splits what goes into one packet into what goes into several: `max` items each, and [`MAX_BATCH_BYTES`].
pub(crate) fn batches<T>(items: Vec<T>, max: usize, length: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    /// A length, and options.
    const OVERHEAD: usize = 3;
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = length(&item) + OVERHEAD;
        match batches.last_mut() {
            Some(batch) if batch.len() < max && bytes + size <= MAX_BATCH_BYTES => {
                batch.push(item);
                bytes += size;
            }
            _ => {
                batches.push(vec![item]);
                bytes = size;
            }
        }
    }
    batches
}

fn packet(
    filters: Vec<SubscribeFilter>,
    identifier: Option<SubscriptionId>,
    user_properties: &UserProperties,
) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: identifier,
        user_properties: user_properties.clone(),
        filters,
    })
}

/// Whether the packet can be written, and the server takes one of its size.
pub(crate) fn check(client: &Client, packet: &Packet) -> Result<(), SubscribeError> {
    let size = encoded_len(packet, client.version()).map_err(SubscribeError::Packet)?;
    match client.maximum_packet_size() {
        Some(maximum) if size > maximum as usize => {
            Err(SubscribeError::Limit(RequestError::PacketTooLarge { size, maximum }))
        }
        _ => Ok(()),
    }
}
