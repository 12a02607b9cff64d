//! Sessions as records, and back.

use std::collections::BTreeMap;

use super::inbound::Inbound;
use super::outbound::{Delivery, Outbound, Position};
use super::record::Record;
use super::server::Subscription;
use crate::{PacketId, SubscriptionFilter};

/// What the records of a session say of it.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) expiry_interval: u32,
    pub(crate) subscriptions: BTreeMap<SubscriptionFilter, Subscription>,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
}

/// Applies records, oldest first. `None`: they end with [`Record::Ended`] or are none.
pub(crate) fn replay(records: impl IntoIterator<Item = Record>) -> Option<Replayed> {
    let mut found: Option<Replayed> = None;
    let mut messages: BTreeMap<Position, (Option<Delivery>, Option<PacketId>)> = BTreeMap::new();
    for record in records {
        if matches!(record, Record::Ended) {
            found = None;
            messages.clear();
            continue;
        }
        let session = found.get_or_insert_with(Replayed::default);
        match record {
            Record::Started { expiry_interval } => session.expiry_interval = expiry_interval,
            Record::Ended => {}
            Record::Positioned(position) => session.outbound.skip_positions(position),
            Record::Tried(position) => session.outbound.restore_tried(position),
            Record::Subscribed(filter, subscription) => {
                session.subscriptions.insert(filter, subscription);
            }
            Record::Unsubscribed(filter) => {
                session.subscriptions.remove(&filter);
            }
            Record::Enqueued(position, delivery) => {
                session.outbound.skip_positions(position);
                messages.insert(position, (Some(delivery), None));
            }
            Record::Sent(position, id) => {
                if let Some((_, sent)) = messages.get_mut(&position) {
                    *sent = Some(id);
                }
            }
            Record::Released(position, id) => {
                messages.insert(position, (None, Some(id)));
            }
            Record::Done(position) => {
                messages.remove(&position);
            }
            Record::Received(id) => session.inbound.restore(id),
            Record::Forgotten(id) => session.inbound.forget(id),
        }
    }
    let mut found = found?;
    for (position, (delivery, id)) in messages {
        found.outbound.restore(position, delivery, id);
    }
    Some(found)
}

/// The records of the messages in either direction.
pub(crate) fn messages(inbound: &Inbound, outbound: &Outbound) -> Vec<Record> {
    let mut records: Vec<_> = inbound.taken().into_iter().map(Record::Received).collect();
    for (position, delivery, id) in outbound.unfinished() {
        match (delivery, id) {
            (Some(delivery), id) => {
                records.push(Record::Enqueued(position, delivery));
                records.extend(id.map(|id| Record::Sent(position, id)));
            }
            (None, Some(id)) => records.push(Record::Released(position, id)),
            (None, None) => {}
        }
    }
    records
}
