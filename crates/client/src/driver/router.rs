//! From the server's messages to the application's streams.

use std::sync::Arc;

use gridmq_proto::SubscriptionFilter;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{SubscribeFilter, SubscribeOptions, UserProperties};
use gridmq_proto::session::client::Incoming;
use gridmq_proto::time::Monotonic;

use crate::inbox::{Inbox, SubscriptionKey};
use crate::message::Message;
use crate::queue::{DEFAULT_BUFFER, Queue};
use crate::receipt::Receipt;

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

/// A subscription to make again.
#[derive(Debug, Clone)]
pub(super) struct Again {
    pub(super) key: SubscriptionKey,
    pub(super) entry: SubscribeFilter,
    pub(super) identifier: Option<SubscriptionId>,
    pub(super) user_properties: UserProperties,
}

impl Live {
    fn again(&self) -> Again {
        Again {
            key: self.key,
            entry: SubscribeFilter { filter: self.filter.clone(), options: self.options },
            identifier: self.identifier,
            user_properties: self.user_properties.clone(),
        }
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
}

impl Router {
    pub(super) fn new(inbox: Arc<Inbox>, hold_until: Option<Monotonic>) -> Self {
        let unclaimed = Arc::new(Queue::new(DEFAULT_BUFFER));
        Self { inbox, subscriptions: Vec::new(), unclaimed, claimed: false, hold_until }
    }

    pub(super) fn deliver(&mut self, incoming: Incoming) {
        let receipt = incoming.token.map(|token| Receipt::new(token, &self.inbox));
        let message = Message::new(incoming, receipt);
        let mut last: Option<&Live> = None;
        for live in &self.subscriptions {
            if live.takes(&message)
                && let Some(earlier) = last.replace(live)
            {
                earlier.queue.push(message.share());
            }
        }
        match last {
            Some(live) => live.queue.push(message),
            None => self.unclaimed(message),
        }
    }

    fn unclaimed(&mut self, mut message: Message) {
        if self.claimed && self.unclaimed.is_abandoned() {
            self.claimed = false;
            self.unclaimed = Arc::new(Queue::new(DEFAULT_BUFFER));
        }
        if self.claimed || self.hold_until.is_some() {
            self.unclaimed.push(message);
        } else {
            tracing::debug!(topic = %message.topic(), "a message that matches no subscription was dropped");
            message.ack();
        }
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
            self.unclaimed.push(message);
        }
        earlier.close();
        self.claimed = true;
    }

    pub(super) fn subscribe(&mut self, again: Again, queue: Arc<Queue>) {
        let Again { key, entry: SubscribeFilter { filter, options }, identifier, user_properties } = again;
        let live = Live { key, filter, identifier, options, user_properties, queue };
        for message in self.unclaimed.take(|message| live.takes(message)) {
            live.queue.push(message);
        }
        self.subscriptions.push(live);
    }

    /// The server refused the subscription. Its filter.
    pub(super) fn forget(&mut self, key: SubscriptionKey) -> Option<SubscriptionFilter> {
        let live = self.remove(key)?;
        live.queue.close();
        Some(live.filter)
    }

    /// All subscriptions, to make them again, oldest first.
    pub(super) fn all(&self) -> Vec<Again> {
        self.subscriptions.iter().map(Live::again).collect()
    }

    pub(super) fn one(&self, key: SubscriptionKey) -> Option<Again> {
        self.subscriptions.iter().find(|live| live.key == key).map(Live::again)
    }

    /// The application has dropped a subscription. Its filter, if no other subscription has the same.
    pub(super) fn drop_subscription(&mut self, key: SubscriptionKey) -> Option<SubscriptionFilter> {
        let filter = self.remove(key)?.filter;
        self.subscriptions.iter().all(|live| live.filter != filter).then_some(filter)
    }

    fn remove(&mut self, key: SubscriptionKey) -> Option<Live> {
        let place = self.subscriptions.iter().position(|live| live.key == key)?;
        Some(self.subscriptions.remove(place))
    }

    /// The subscriptions that an UNSUBSCRIBE of that filter ends.
    pub(super) fn keys_of(&self, filter: &SubscriptionFilter) -> Vec<SubscriptionKey> {
        self.subscriptions.iter().filter(|live| live.filter == *filter).map(|live| live.key).collect()
    }

    /// The server has given these up.
    pub(super) fn unsubscribed(&mut self, keys: &[SubscriptionKey]) {
        self.subscriptions.retain(|live| {
            let over = keys.contains(&live.key);
            if over {
                live.queue.close();
            }
            !over
        });
    }

    /// No message will come any more.
    pub(super) fn close(&mut self) {
        for live in self.subscriptions.drain(..) {
            live.queue.close();
        }
        self.unclaimed.close();
    }
}
