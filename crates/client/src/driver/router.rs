//! From the server's messages to the application's streams.

mod lookup;

use std::collections::HashSet;
use std::sync::Arc;

use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{SubscribeFilter, SubscribeOptions, UserProperties};
use gridmq_proto::session::client::Incoming;
use gridmq_proto::time::Monotonic;
use gridmq_proto::{QoS, SubscriptionFilter};

use self::lookup::Lookup;
pub(crate) use self::lookup::{NewLookup, new_lookup};
use crate::inbox::{Inbox, SubscriptionKey};
use crate::message::Message;
use crate::queue::{Bounds, Queue};
use crate::receipt::Receipt;
use crate::subscribe::batches;

/// Up to so many, looking at each is as cheap as looking it up.
const LOOKED_AT: usize = 16;

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

/// The streams that a message goes to, each once.
#[derive(Default)]
struct Takers<'a> {
    first: Option<&'a Arc<Queue>>,
    others: Vec<&'a Arc<Queue>>,
    /// All of them, where they are many.
    known: HashSet<*const Queue>,
}

impl<'a> Takers<'a> {
    /// Several filters of one subscription share a queue.
    fn add(&mut self, queue: &'a Arc<Queue>) {
        let Some(first) = self.first else {
            self.first = Some(queue);
            return;
        };
        let is_known = if self.others.len() < LOOKED_AT {
            Arc::ptr_eq(first, queue) || self.others.iter().any(|known| Arc::ptr_eq(known, queue))
        } else {
            if self.known.is_empty() {
                self.known.extend(self.others.iter().chain([&first]).map(|known| Arc::as_ptr(known)));
            }
            !self.known.insert(Arc::as_ptr(queue))
        };
        if !is_known {
            self.others.push(queue);
        }
    }
}

#[derive(Debug)]
pub(super) struct Router {
    inbox: Arc<Inbox>,
    /// By key, which is the order in which the application asked for them.
    subscriptions: Vec<Live>,
    /// Where they are too many to look at each for every message.
    lookup: Option<Box<dyn Lookup>>,
    /// Came with the first subscription.
    new_lookup: Option<NewLookup>,
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
        Self {
            inbox,
            subscriptions: Vec::new(),
            lookup: None,
            new_lookup: None,
            unclaimed,
            claimed: false,
            hold_until: None,
            max_filters,
            lost: 0,
        }
    }

    /// The session was resumed: until then, messages that match no subscription wait for one.
    pub(super) const fn await_subscriptions(&mut self, until: Monotonic) {
        self.hold_until = Some(until);
    }

    pub(super) fn deliver(&mut self, incoming: Incoming) {
        let receipt = incoming.token.map(|token| Receipt::new(token, &self.inbox));
        let mut message = Message::new(incoming, receipt);
        let mut takers = Takers::default();
        match &self.lookup {
            None => {
                self.subscriptions.iter().filter(|live| live.takes(&message)).for_each(|live| takers.add(&live.queue))
            }
            Some(lookup) => {
                let live = lookup.candidates(&message).into_iter().filter_map(|key| self.get(key));
                live.filter(|live| live.takes(&message)).for_each(|live| takers.add(&live.queue));
            }
        }
        let Takers { first: Some(first), others, .. } = takers else { return self.unclaimed(message) };
        let mut lost = 0;
        for queue in others {
            lost += queue.push(message.share());
        }
        self.lost += lost + first.push(message);
    }

    /// There is another connection; nothing of it has been delivered yet. What was not acknowledged, the server of a
    /// resumed session sends again: a copy of QoS 1 that nobody has taken is as good as not come. In a new session
    /// `receive_maximum` messages may come beside those that are left, so of these no more are kept.
    pub(super) fn came_back(&mut self, resumed: bool, receive_maximum: u16) {
        for queue in self.subscriptions.iter().map(|live| &live.queue).chain([&self.unclaimed]) {
            if resumed {
                drop(queue.take(&|message| message.qos() == QoS::AtLeastOnce));
            } else {
                self.lost += queue.trim(receive_maximum.into());
            }
        }
    }

    fn place(&self, key: SubscriptionKey) -> Result<usize, usize> {
        self.subscriptions.binary_search_by_key(&key, |live| live.key)
    }

    fn get(&self, key: SubscriptionKey) -> Option<&Live> {
        self.subscriptions.get(self.place(key).ok()?)
    }

    fn add(&mut self, live: Live) {
        let Err(place) = self.place(live.key) else { return };
        if let Some(lookup) = &mut self.lookup {
            lookup.add(live.key, &live.filter, live.identifier);
        }
        self.subscriptions.insert(place, live);
        if self.lookup.is_none()
            && self.subscriptions.len() > LOOKED_AT
            && let Some(new_lookup) = self.new_lookup
        {
            let mut lookup = new_lookup();
            for Live { key, filter, identifier, .. } in &self.subscriptions {
                lookup.add(*key, filter, *identifier);
            }
            self.lookup = Some(lookup);
        }
    }

    /// Takes those out that `chosen` picks.
    fn remove(&mut self, chosen: &dyn Fn(&Live) -> bool) -> Vec<Live> {
        let removed: Vec<_> = self.subscriptions.extract_if(.., |live| chosen(live)).collect();
        if self.subscriptions.len() <= LOOKED_AT {
            self.lookup = None;
        } else if let Some(lookup) = &mut self.lookup {
            for Live { key, filter, identifier, .. } in &removed {
                lookup.remove(*key, filter, *identifier);
            }
        }
        removed
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
                let left = self.unclaimed.take(&|_| true);
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
        for message in earlier.take(&|_| true) {
            self.lost += self.unclaimed.push(message);
        }
        earlier.close();
        self.claimed = true;
    }

    /// From now on `queue` gets what matches.
    pub(super) fn subscribe(&mut self, again: Again, queue: &Arc<Queue>, new_lookup: NewLookup) {
        self.new_lookup = Some(new_lookup);
        let Again { filters, identifier, user_properties } = again;
        for (key, SubscribeFilter { filter, options }) in filters {
            let (user_properties, queue) = (user_properties.clone(), Arc::clone(queue));
            let live = Live { key, filter, identifier, options, user_properties, queue };
            for message in self.unclaimed.take(&|message| live.takes(message)) {
                self.lost += live.queue.push(message);
            }
            self.add(live);
        }
    }

    /// The server refused the filter when it was first asked for.
    pub(super) fn forget(&mut self, key: SubscriptionKey) {
        self.remove(&|live| live.key == key);
    }

    /// The server has the filter no more. The stream ends with the last of its filters.
    pub(super) fn lose(&mut self, key: SubscriptionKey) -> Option<SubscriptionFilter> {
        let live = self.remove(&|live| live.key == key).pop()?;
        self.close_if_last(&live.queue);
        Some(live.filter)
    }

    fn close_if_last(&self, queue: &Arc<Queue>) {
        if self.subscriptions.iter().all(|live| !Arc::ptr_eq(&live.queue, queue)) {
            queue.close();
        }
    }

    /// What to ask the server for again, of the filters that `wanted` picks, oldest first.
    pub(super) fn again(&self, wanted: &dyn Fn(SubscriptionKey) -> bool) -> Vec<Again> {
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
        let keys: HashSet<_> = keys.iter().copied().collect();
        let removed = self.remove(&|live| keys.contains(&live.key));
        let mut filters: Vec<_> = removed.into_iter().map(|live| live.filter).collect();
        filters.sort_unstable();
        filters.dedup();
        if !filters.is_empty() {
            for Live { filter, .. } in &self.subscriptions {
                if let Ok(place) = filters.binary_search(filter) {
                    filters.remove(place);
                }
            }
        }
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
        self.lookup = None;
        for live in self.subscriptions.drain(..) {
            live.queue.close();
        }
        self.unclaimed.close();
    }
}

#[cfg(test)]
mod tests;
