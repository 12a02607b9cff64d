//! Messages for thousands of sessions: they go out in rounds, between which everybody else has a turn.
//!
//! Who published such a message is not read from before it has gone to all, so its messages keep their order. Where each
//! session is is looked up as its turn comes. What must come after all that was published before it has the rest go out at
//! once: the end of the publisher's connection, and a session that moves or is replaced.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use gridmq_proto::session::server::Subscription;
use gridmq_proto::time::{Now, Wall};
use gridmq_proto::topic::Match;
use gridmq_proto::{QoS, SharedMessage};

use super::hit::{Hit, merge};
use super::parts::{PartId, Whom};
use super::publish::{Publisher, Remote};
use super::routes::Route;
use super::{ConnKey, Worker};
use crate::directory::{Slot, SlotId};
use crate::index::Snapshot;
use crate::mailbox::Outcome;
use crate::routed::{Again, Origin};
use crate::strategy::Choice;

/// Recipients of all messages that go out in rounds, together: 40 MiB of lists. Where more would be held, the next
/// message goes to all at once.
const HELD: usize = 1 << 20;

/// What goes out in rounds, the oldest message first.
#[derive(Debug)]
pub(super) struct FanOuts {
    queue: VecDeque<FanOut>,
    /// Recipients of all of them.
    held: usize,
    /// Sessions up to which a message goes to all at once.
    at_once: usize,
    /// Sessions of a message in one round, if those of the rounds before have been woken.
    slice: usize,
}

impl Default for FanOuts {
    fn default() -> Self {
        Self { queue: VecDeque::new(), held: 0, at_once: 1024, slice: 128 }
    }
}

/// A session that is to have a message, and the shared subscription through which it is.
type Recipient = (Arc<Slot>, Subscription, Option<Arc<str>>);

type Borrowed<'a> = (&'a Arc<Slot>, &'a Subscription, Option<&'a Arc<str>>);

/// Who is to have a message.
#[derive(Debug)]
pub(super) enum Recipients {
    /// As a route has it, each session once.
    Route(Rc<Route>),
    /// As the index had it.
    Found(Vec<Recipient>),
}

/// A message, and how it was published.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) message: SharedMessage,
    pub(super) expires_at: Option<Wall>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

/// A message that goes out in rounds.
#[derive(Debug)]
struct FanOut {
    sent: Sent,
    recipients: Recipients,
    /// How many of them have had their turn.
    done: usize,
    publisher: ConnKey,
    /// The publisher's session.
    from: SlotId,
    origin: Option<Origin>,
    again: Option<Again>,
    /// Ends when it has gone to all.
    part: PartId,
    outcome: Outcome,
}

impl Recipients {
    /// What a route has, ordered so that each session's come together if it may be there more than once.
    fn of(route: &Rc<Route>) -> Self {
        if !route.overlaps {
            return Self::Route(Rc::clone(route));
        }
        let all = route.targets.iter().map(|(slot, subscription)| (Arc::clone(slot), *subscription, None));
        Self::sorted(all.collect())
    }

    fn sorted(mut all: Vec<Recipient>) -> Self {
        all.sort_by_key(|(slot, _, share)| (slot.id, share.is_some()));
        Self::Found(all)
    }

    fn len(&self) -> usize {
        match self {
            Self::Route(route) => route.targets.len(),
            Self::Found(all) => all.len(),
        }
    }

    fn get(&self, at: usize) -> Option<Borrowed<'_>> {
        match self {
            Self::Route(route) => route.targets.get(at).map(|(slot, subscription)| (slot, subscription, None)),
            Self::Found(all) => all.get(at).map(|(slot, subscription, share)| (slot, subscription, share.as_ref())),
        }
    }
}

/// Whether No Local keeps a session's own message from it. Shared subscriptions have none [MQTT-3.8.3-4].
fn keeps_from(subscription: &Subscription, slot: &Slot, publisher: SlotId) -> bool {
    subscription.options.no_local && slot.id == publisher
}

impl Worker {
    /// Whether a message for so many goes out in rounds. Its publisher has to be one that can wait.
    pub(super) fn goes_in_rounds(&mut self, publisher: Option<&Publisher>, recipients: usize) -> bool {
        recipients > self.fan_outs.at_once
            && self.fan_outs.held + recipients <= HELD
            && publisher
                .and_then(|publisher| self.conn(publisher.key))
                .is_some_and(|conn| conn.fan_out.is_none() && !conn.closing)
    }

    /// Sends a message in rounds to where its topic is known to go.
    pub(super) fn follow_in_rounds(&mut self, route: &Rc<Route>, sent: Sent, publisher: Publisher) {
        self.send_in_rounds(Recipients::of(route), sent, publisher, Outcome::TAKEN);
    }

    /// Sends a message in rounds to what its topic matches in the index.
    pub(super) fn find_and_send_in_rounds(
        &mut self,
        snapshot: &Snapshot,
        choice: Choice,
        sent: Sent,
        publisher: Publisher,
        outcome: Outcome,
    ) {
        let topic = &sent.message.message().topic;
        let mut all = Vec::new();
        snapshot.filters.for_each_match(topic, |found| match found {
            Match::Subscriber(_, entry) => all.push((Arc::clone(&entry.slot), entry.subscription, None)),
            Match::Group(group) => {
                let member = choice.pick(group, topic, Some(publisher.slot.id), &self.shared.hasher);
                let share = || Arc::from(format!("$share/{}", group.name()));
                all.extend(member.map(|entry| (Arc::clone(&entry.slot), entry.subscription, Some(share()))));
            }
        });
        self.send_in_rounds(Recipients::sorted(all), sent, publisher, outcome);
    }

    fn send_in_rounds(&mut self, recipients: Recipients, sent: Sent, publisher: Publisher, outcome: Outcome) {
        let (routed, again) = match self.begin_routing(Some(&publisher), &sent.message) {
            Some((id, again)) => (Some(id), again),
            None => (None, None),
        };
        let Publisher { key, slot, token, .. } = publisher;
        let matched = (0..recipients.len())
            .filter_map(|at| recipients.get(at))
            .any(|(to, subscription, _)| !keeps_from(subscription, to, slot.id));
        let fan_out = FanOut {
            sent,
            recipients,
            done: 0,
            publisher: key,
            from: slot.id,
            origin: self.parts.origin.take(),
            again,
            part: self.parts.open(),
            outcome,
        };
        let whom = match token {
            Some(token) => Whom::Publisher { key, slot, token, matched, routed },
            None => Whom::Held(key),
        };
        let ticket = self.wait_for_parts(whom, Outcome::TAKEN, 0);
        if let Some(conn) = self.conn(key) {
            conn.fan_out = ticket;
        }
        self.fan_outs.held += fan_out.recipients.len();
        self.fan_outs.queue.push_back(fan_out);
        self.lanes.ask_for_round();
    }

    /// What goes out in one round. Whether something is left.
    pub(super) fn send_slice(&mut self, now: Now) -> bool {
        let slice = self.fan_outs.slice;
        if !self.fan_outs.queue.is_empty() && self.lanes.senders() < slice {
            // They send in their turn, with all others.
            self.lanes.wake_later();
            self.send_some(now, slice);
            self.commit();
        }
        !self.fan_outs.queue.is_empty()
    }

    /// Sends all that is left, before what has to come after it.
    pub(super) fn send_rest(&mut self, now: Now) {
        while !self.fan_outs.queue.is_empty() {
            self.send_some(now, usize::MAX);
        }
    }

    fn send_some(&mut self, now: Now, most: usize) {
        let Some(mut fan_out) = self.fan_outs.queue.pop_front() else { return };
        let FanOut { sent, recipients, done, publisher, from, origin, again, part, outcome } = &mut fan_out;
        let mut hits = Vec::with_capacity(most.min(recipients.len() - *done));
        let mut last = None;
        while let Some((slot, subscription, share)) = recipients.get(*done) {
            // What a session has of one message is merged.
            if hits.len() >= most && (matches!(recipients, Recipients::Route(_)) || last != Some(slot.id)) {
                break;
            }
            *done += 1;
            last = Some(slot.id);
            if !keeps_from(subscription, slot, *from) {
                hits.push(Hit::new(slot, subscription, sent.qos, sent.retain, share.cloned()));
            }
        }
        if matches!(recipients, Recipients::Found(_)) {
            merge(&mut hits);
        }
        // Another message may be on its way through here.
        let aside = self.parts.put_aside(origin.clone());
        let (message, mut remote) = ((&sent.message, sent.expires_at), Remote::default());
        self.spread(now, message, hits.into_iter(), again.as_ref(), outcome, &mut remote);
        let ticket = self.add_parts(*part, remote.receipts());
        self.post_to_others(remote, message, ticket, Some(*publisher));
        self.parts.take_up(aside);
        if fan_out.done < fan_out.recipients.len() {
            self.fan_outs.queue.push_front(fan_out);
        } else {
            self.fan_outs.held -= fan_out.recipients.len();
            self.end_part(fan_out.part, fan_out.outcome);
        }
    }

    /// How many recipients are held.
    #[cfg(test)]
    pub(crate) const fn held_recipients(&mut self) -> &mut usize {
        &mut self.fan_outs.held
    }

    /// Has messages for more than `at_once` sessions go out in rounds, to one session in each.
    #[cfg(any(test, feature = "measure"))]
    pub(crate) const fn send_slowly(&mut self, at_once: usize) {
        (self.fan_outs.at_once, self.fan_outs.slice) = (at_once, 1);
    }
}

#[cfg(test)]
mod tests;
