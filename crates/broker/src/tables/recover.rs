//! What a start finds in the tables.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::{Delivery, Position, Record};
use gridmq_proto::{PacketId, SubscriptionFilter, TopicName};
use gridmq_store::{Key, NamespaceId, Store, Table};

use super::value::{Fault, text};
use super::{
    IN_FLIGHT, OWNER, QUEUE, RECEIVED, RETAINED, ROUTED, RecoverError, Recovered, SESSIONS, STARTED, SUBSCRIPTIONS,
    SessionRow, StoredSession, WILLS, WillRow, remove_session, rows,
};
use crate::routed::Receiver;

/// Rows read at once.
const PAGE: usize = 1000;

/// Reads the tables of these namespaces, each of which is to be named once. Changes nothing.
///
/// # Errors
/// When the store cannot be read, and for the first row that is damaged or of an unknown format.
pub(crate) fn recover(store: &Store, namespaces: &[NamespaceId]) -> Result<Recovered, RecoverError> {
    let mut recovered = Recovered::default();
    for &namespace in namespaces {
        for (client, draft) in read_sessions(store, namespace)? {
            recovered.take(namespace, client, draft);
        }
        for_each(store, RETAINED, namespace, |parts, value| {
            let [topic] = <[_; 1]>::try_from(parts).map_err(|_| Fault::KeyParts)?;
            let topic = TopicName::try_from(text(topic.into())?).map_err(Fault::Topic)?;
            let row = rows::decode_retained(value, topic.clone())?;
            recovered.retained.push((namespace, topic, row));
            Ok(())
        })?;
    }
    Ok(recovered)
}

/// What the tables have of one client identifier.
#[derive(Debug, Default)]
struct Draft {
    expiry_interval: Option<u32>,
    row: Option<SessionRow>,
    will: Option<WillRow>,
    subscriptions: Vec<(SubscriptionFilter, Subscription)>,
    received: Vec<PacketId>,
    routed: Vec<(PacketId, u64, Receiver)>,
    messages: BTreeMap<Position, Outgoing>,
}

/// What `queue` and `in-flight` have of one position.
#[derive(Debug, Default)]
struct Outgoing {
    delivery: Option<Delivery>,
    /// The packet identifier, and whether it was released.
    sent: Option<(PacketId, bool)>,
}

fn read_sessions(store: &Store, namespace: NamespaceId) -> Result<BTreeMap<ByteString, Draft>, RecoverError> {
    let mut drafts = BTreeMap::<ByteString, Draft>::new();
    let mut read = |table, take: fn(&mut Draft, &[u8], Bytes) -> Result<(), Fault>| {
        for_each(store, table, namespace, |parts, value| {
            let [client, part] = <[_; 2]>::try_from(parts).map_err(|_| Fault::KeyParts)?;
            take(drafts.entry(text(client.into())?).or_default(), &part, value)
        })
    };
    read(SESSIONS, |draft, part, value| {
        match part {
            STARTED => draft.expiry_interval = Some(rows::decode_started(value)?),
            OWNER => draft.row = Some(rows::decode_session_row(value)?),
            _ => return Err(Fault::KeyParts),
        }
        Ok(())
    })?;
    read(SUBSCRIPTIONS, |draft, part, value| {
        let filter = text(Bytes::copy_from_slice(part))?;
        let filter = SubscriptionFilter::try_from(filter).map_err(Fault::Topic)?;
        draft.subscriptions.push((filter, rows::decode_subscription(value)?));
        Ok(())
    })?;
    read(RECEIVED, |draft, part, value| {
        let id = NonZeroU16::new(u16::from_be_bytes(number(part)?)).ok_or(Fault::ZeroIdentifier)?;
        rows::decode_received(value)?;
        draft.received.push(id);
        Ok(())
    })?;
    read(QUEUE, |draft, part, value| {
        draft.outgoing(part)?.delivery = Some(rows::decode_delivery(value)?);
        Ok(())
    })?;
    read(IN_FLIGHT, |draft, part, value| {
        draft.outgoing(part)?.sent = Some(rows::decode_in_flight(value)?);
        Ok(())
    })?;
    for_each(store, ROUTED, namespace, |parts, value| {
        let [client, part, receiver] = <[_; 3]>::try_from(parts).map_err(|_| Fault::KeyParts)?;
        let id = NonZeroU16::new(u16::from_be_bytes(number(&part)?)).ok_or(Fault::ZeroIdentifier)?;
        let row = (id, rows::decode_routed(value)?, Receiver(receiver));
        drafts.entry(text(client.into())?).or_default().routed.push(row);
        Ok(())
    })?;
    for_each(store, WILLS, namespace, |parts, value| {
        let [client] = <[_; 1]>::try_from(parts).map_err(|_| Fault::KeyParts)?;
        drafts.entry(text(client.into())?).or_default().will = Some(rows::decode_will(value)?);
        Ok(())
    })?;
    Ok(drafts)
}

impl Draft {
    fn outgoing(&mut self, part: &[u8]) -> Result<&mut Outgoing, Fault> {
        Ok(self.messages.entry(Position::from_be_bytes(number(part)?)).or_default())
    }
}

impl Recovered {
    fn take(&mut self, namespace: NamespaceId, client_id: ByteString, draft: Draft) {
        let (Some(expiry_interval), Some(row)) = (draft.expiry_interval, draft.row) else {
            remove_session(&mut self.leftovers, namespace, client_id.as_bytes());
            return;
        };
        let mut records = vec![Record::Started { expiry_interval }];
        records.extend(draft.subscriptions.into_iter().map(|(filter, how)| Record::Subscribed(filter, how)));
        records.extend(draft.received.into_iter().map(Record::Received));
        for (position, Outgoing { delivery, sent }) in draft.messages {
            match (delivery, sent) {
                (_, Some((id, true))) => records.push(Record::Released(position, id)),
                (Some(delivery), sent) => {
                    records.push(Record::Enqueued(position, delivery));
                    records.extend(sent.map(|(id, _)| Record::Sent(position, id)));
                }
                (None, _) => {
                    let key = Key::new(namespace, &[client_id.as_bytes(), &position.to_be_bytes()]);
                    self.leftovers.delete(IN_FLIGHT, key);
                }
            }
        }
        self.sessions.push(StoredSession {
            namespace,
            client_id,
            row,
            will: draft.will,
            routed: draft.routed,
            records,
        });
    }
}

/// Hands every row of a namespace to `each`: the parts of its key, and its value.
fn for_each(
    store: &Store,
    table: Table,
    namespace: NamespaceId,
    mut each: impl FnMut(Vec<Vec<u8>>, Bytes) -> Result<(), Fault>,
) -> Result<(), RecoverError> {
    let prefix = Key::new(namespace, &[]);
    let mut from = None;
    loop {
        let page = store.scan(table, &prefix, from.as_ref(), PAGE)?;
        for (key, value) in page.entries {
            key.decode()
                .map_err(|_| Fault::KeyParts)
                .and_then(|(_, parts)| each(parts, value))
                .map_err(|fault| RecoverError::Row { table, key, fault })?;
        }
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}

/// A part of a key that is a number.
fn number<const N: usize>(part: &[u8]) -> Result<[u8; N], Fault> {
    part.try_into().map_err(|_| Fault::KeyParts)
}
