//! From the server's messages to the application's streams.

use std::sync::Arc;

use gridmq_proto::SubscriptionFilter;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{SubscribeFilter, SubscribeOptions, UserProperties};
use gridmq_proto::session::client::Incoming;
use gridmq_proto::time::Monotonic;

use crate::inbox::{Inbox, SubscriptionKey};
use crate::message::Message;
use crate::queue::{Bounds, Queue};
use crate::receipt::Receipt;
use crate::subscribe::batches;

/// One filter of a subscription; those of one subscription share its queue.
#[derive(Debug)]
struct Live {
    key: SubscriptionKey,
    filter: SubscriptionFilter,
    identifier: Option<SubscriptionId>,
    /// How it was asked for, to ask again.
    options: SubscribeOptions,
    user_properties: UserProperties,
    queue: Arc<Queue>,
}

/// What one SUBSCRIBE asks for.
#[derive(Debug, Clone)]
pub(super) struct Again {
    pub(super) filters: Vec<(SubscriptionKey, SubscribeFilter)>,
    pub(super) identifier: Option<SubscriptionId>,
    pub(super) user_properties: UserProperties,
}

impl Again {
    pub(super) fn keys(&self) -> Vec<SubscriptionKey> {
        self.filters.iter().map(|(key, _)| *key).collect()
    }
}

impl Live {
    /// Whether one SUBSCRIBE can ask for both.
    fn goes_with(&self, other: &Self) -> bool {
        self.identifier == other.identifier && self.user_properties == other.user_properties
    }

    fn takes(&self, message: &Message) -> bool {
        match self.identifier {
            Some(identifier) if !message.subscription_identifiers().is_empty() => {
                message.subscription_identifiers().contains(&identifier)
            }
            _ => self.filter.filter().matches(message.topic()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Router {
    inbox: Arc<Inbox>,
    subscriptions: Vec<Live>,
    /// Messages that match no subscription.
    unclaimed: Arc<Queue>,
    /// The application reads them.
    claimed: bool,
    /// Until then they wait for a subscription all the same.
    hold_until: Option<Monotonic>,
    /// In one packet.
    max_filters: usize,
    /// Messages that found a stream full.
    lost: u64,
}

impl Router {
    /// `max_filters`: in one packet.
    pub(super) fn new(inbox: Arc<Inbox>, max_filters: usize) -> Self {
        let unclaimed = Arc::new(Queue::new(Bounds::default()));
        Self { inbox, subscriptions: Vec::new(), unclaimed, claimed: false, hold_until: None, max_filters, lost: 0 }
    }

    /// The session was resumed: until then, messages that match no subscription wait for one.
    pub(super) const fn await_subscriptions(&mut self, until: Monotonic) {
        self.hold_until = Some(until);
    }

    pub(super) fn deliver(&mut self, incoming: Incoming) {
        let receipt = incoming.token.map(|token| Receipt::new(token, &self.inbox));
        let mut message = Message::new(incoming, receipt);
        let mut first: Option<&Arc<Queue>> = None;
        let mut others: Vec<&Arc<Queue>> = Vec::new();
        for Live { queue, .. } in self.subscriptions.iter().filter(|live| live.takes(&message)) {
            match first {
                None => first = Some(queue),
                // Another filter of the same subscription.
                Some(first) if std::iter::once(first).chain(others.iter().copied()).any(|q| Arc::ptr_eq(q, queue)) => {}
                Some(_) => others.push(queue),
            }
        }
        for queue in others {
            self.lost += queue.push(message.share());
        }
        match first {
            Some(queue) => self.lost += queue.push(message),
            None => self.unclaimed(message),
        }
    }

    fn unclaimed(&mut self, mut message: Message) {
        if self.claimed && self.unclaimed.is_abandoned() {
            self.claimed = false;
            self.unclaimed = Arc::new(Queue::new(Bounds::default()));
        }
        if self.claimed || self.hold_until.is_some() {
            self.lost += self.unclaimed.push(message);
        } else {
            tracing::debug!(topic = %message.topic(), "a message that matches no subscription was dropped");
            message.ack();
        }
    }

    /// Messages that found a stream full, since the last call.
    pub(super) const fn take_lost(&mut self) -> u64 {
        std::mem::replace(&mut self.lost, 0)
    }

    /// Filters that the application is subscribed to.
    pub(super) const fn count(&self) -> usize {
        self.subscriptions.len()
    }

    /// When messages have waited long enough for a subscription.
    pub(super) const fn deadline(&self) -> Option<Monotonic> {
        self.hold_until
    }

    pub(super) fn expire(&mut self, now: Monotonic) {
        if self.hold_until.is_some_and(|until| until <= now) {
            self.hold_until = None;
            if !self.claimed {
                let left = self.unclaimed.take(|_| true);
                if !left.is_empty() {
                    tracing::warn!(
                        messages = left.len(),
                        "messages of the resumed session matched no subscription and were dropped: subscribe to them, \
                         read Client::messages, or unsubscribe"
                    );
                }
                for mut message in left {
                    message.ack();
                }
            }
        }
    }

    /// From now on `queue` gets what matches no subscription.
    pub(super) fn catch_all(&mut self, queue: Arc<Queue>) {
        let earlier = std::mem::replace(&mut self.unclaimed, queue);
        for message in earlier.take(|_| true) {
            self.lost += self.unclaimed.push(message);
        }
        earlier.close();
        self.claimed = true;
    }

    /// From now on `queue` gets what matches.
    pub(super) fn subscribe(&mut self, again: Again, queue: &Arc<Queue>) {
        let Again { filters, identifier, user_properties } = again;
        for (key, SubscribeFilter { filter, options }) in filters {
            let (user_properties, queue) = (user_properties.clone(), Arc::clone(queue));
            let live = Live { key, filter, identifier, options, user_properties, queue };
            for message in self.unclaimed.take(|message| live.takes(message)) {
                self.lost += live.queue.push(message);
            }
            self.subscriptions.push(live);
        }
    }

    /// The server refused the filter when it was first asked for.
    pub(super) fn forget(&mut self, key: SubscriptionKey) {
        self.subscriptions.retain(|live| live.key != key);
    }

    /// The server has the filter no more. The stream ends with the last of its filters.
    pub(super) fn lose(&mut self, key: SubscriptionKey) -> Option<SubscriptionFilter> {
        let place = self.subscriptions.iter().position(|live| live.key == key)?;
        let live = self.subscriptions.remove(place);
        self.close_if_last(&live.queue);
        Some(live.filter)
    }

    fn close_if_last(&self, queue: &Arc<Queue>) {
        if self.subscriptions.iter().all(|live| !Arc::ptr_eq(&live.queue, queue)) {
            queue.close();
        }
    }

    /// What to ask the server for again, of the filters that `wanted` picks, oldest first.
    pub(super) fn again(&self, wanted: impl Fn(SubscriptionKey) -> bool) -> Vec<Again> {
        let mut packets = Vec::new();
        let wanted: Vec<&Live> = self.subscriptions.iter().filter(|live| wanted(live.key)).collect();
        for alike in wanted.chunk_by(|one, next| one.goes_with(next)) {
            for batch in batches(alike.to_vec(), self.max_filters, |live| live.filter.as_str().len()) {
                let Some(Live { identifier, user_properties, .. }) = batch.first() else { continue };
                let entry = |live: &Live| SubscribeFilter { filter: live.filter.clone(), options: live.options };
                let filters = batch.iter().map(|live| (live.key, entry(live))).collect();
                packets.push(Again { filters, identifier: *identifier, user_properties: user_properties.clone() });
            }
        }
        packets
    }

    /// The application has dropped subscriptions. Their filters, but for those that another subscription has too.
    pub(super) fn drop_subscriptions(&mut self, keys: &[SubscriptionKey]) -> Vec<SubscriptionFilter> {
        if keys.is_empty() {
            return Vec::new();
        }
        let dropped = |live: &mut Live| keys.contains(&live.key);
        let mut filters: Vec<_> = self.subscriptions.extract_if(.., dropped).map(|live| live.filter).collect();
        filters.sort_unstable();
        filters.dedup();
        filters.retain(|filter| self.subscriptions.iter().all(|live| live.filter != *filter));
        filters
    }

    /// What goes into one UNSUBSCRIBE each.
    pub(super) fn packets(&self, filters: Vec<SubscriptionFilter>) -> Vec<Vec<SubscriptionFilter>> {
        batches(filters, self.max_filters, |filter| filter.as_str().len())
    }

    /// The subscriptions that an UNSUBSCRIBE of that filter ends.
    pub(super) fn keys_of(&self, filter: &SubscriptionFilter) -> Vec<SubscriptionKey> {
        self.subscriptions.iter().filter(|live| live.filter == *filter).map(|live| live.key).collect()
    }

    /// The server has given these up.
    pub(super) fn unsubscribed(&mut self, keys: &[SubscriptionKey]) {
        for key in keys {
            self.lose(*key);
        }
    }

    /// No message will come any more.
    pub(super) fn close(&mut self) {
        for live in self.subscriptions.drain(..) {
            live.queue.close();
        }
        self.unclaimed.close();
    }
}
