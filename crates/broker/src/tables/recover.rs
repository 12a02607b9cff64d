//! What a start finds in the tables.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::{Delivery, Position, Record};
use gridmq_proto::{PacketId, SubscriptionFilter, TopicName};
use gridmq_store::{Key, NamespaceId, Rows, Store, Table, WriteBatch};

use super::value::{Fault, text};
use super::{
    FIRING, FiringId, IN_FLIGHT, OWNER, OnItsWay, QUEUE, RECEIVED, RETAINED, ROUTED, RecoverError, RetainedRow, Routed,
    SESSIONS, STARTED, SUBSCRIPTIONS, SessionRow, StoredSession, WILLS, WillRow, remove_session, rows,
};
use crate::routed::Receiver;

/// Keys from one on and before another, or to the end.
pub(crate) type KeyRange = (Key, Option<Key>);

/// Where the keys of a namespace can be cut so that about `parts` ranges have about as many sessions each: every key of
/// the namespace is in one range, and all of a client are in the same.
pub(crate) fn ranges(store: &Store, namespace: NamespaceId, parts: usize) -> Result<Vec<KeyRange>, RecoverError> {
    let (from, to) = Key::range_of(namespace);
    let mut rows = Cursor::open(store, SESSIONS, &(from.clone(), to.clone()))?;
    let (mut cuts, mut step, mut count) = (Vec::<Key>::new(), 64, 0_usize);
    let mut last = Vec::new();
    while let Some(client) = rows.client() {
        if last != client {
            last.clear();
            last.extend_from_slice(client);
            if count > 0 && count.is_multiple_of(step) {
                cuts.push(Key::from_bytes(Bytes::copy_from_slice(client)).map_err(|_| rows.error(Fault::KeyParts))?);
            }
            count += 1;
            if cuts.len() > parts.saturating_mul(2) {
                let mut keep = false;
                cuts.retain(|_| {
                    keep = !keep;
                    !keep
                });
                step *= 2;
            }
        }
        rows.advance()?;
    }
    let starts = std::iter::once(from).chain(cuts.iter().cloned());
    let ends = cuts.iter().cloned().map(Some).chain(std::iter::once(to));
    Ok(starts.zip(ends).collect())
}

/// Hands each session in a range to `each`, in the order of client identifiers. The tables are read side by side, so
/// that no more than one session is in memory. Changes nothing: `leftovers` gets what removes what belongs to no session:
/// rows of a client without a `Started` record or without an owner, who alone could take the session up, and sent
/// messages that are not there. To be submitted before the first client is let in, lest a new session of that client
/// inherit them.
///
/// # Errors
/// When the store cannot be read, and for the first row that is damaged or of an unknown format.
pub(crate) fn sessions(
    store: &Store,
    namespace: NamespaceId,
    range: &KeyRange,
    leftovers: &mut WriteBatch,
    mut each: impl FnMut(StoredSession),
) -> Result<(), RecoverError> {
    let mut tables = Tables::open(store, range)?;
    let mut client = Vec::new();
    while tables.next_client(&mut client) {
        let (client_id, draft) = tables.read(&client)?;
        if let Some(session) = draft.finish(namespace, client_id, leftovers) {
            each(session);
        }
    }
    Ok(())
}

/// Hands each retained message of a namespace to `each`, in the order of topics. Changes nothing.
///
/// # Errors
/// As [`sessions`].
pub(crate) fn retained(
    store: &Store,
    namespace: NamespaceId,
    mut each: impl FnMut(TopicName, RetainedRow),
) -> Result<(), RecoverError> {
    let mut rows = Cursor::open(store, RETAINED, &Key::range_of(namespace))?;
    while rows.client().is_some() {
        let row = || {
            let (topic, rest) = rows.first_part()?;
            if !rest.is_empty() {
                return Err(Fault::KeyParts);
            }
            let topic = TopicName::try_from(topic).map_err(Fault::Topic)?;
            let row = rows::decode_retained(rows.value.clone(), topic.clone())?;
            Ok((topic, row))
        };
        let (topic, row) = row().map_err(|fault| rows.error(fault))?;
        each(topic, row);
        rows.advance()?;
    }
    Ok(())
}

/// Hands out the wills of a namespace that were on their way. Changes nothing: `leftovers` gets what removes notes of who
/// has a will that is not there.
///
/// # Errors
/// As [`sessions`].
pub(crate) fn firing(
    store: &Store,
    namespace: NamespaceId,
    leftovers: &mut WriteBatch,
) -> Result<Vec<OnItsWay>, RecoverError> {
    let mut rows = Cursor::open(store, FIRING, &Key::range_of(namespace))?;
    let mut found = Vec::<OnItsWay>::new();
    while rows.client().is_some() {
        let mut row = || {
            let key = Key::from_bytes(Bytes::copy_from_slice(&rows.key)).map_err(|_| Fault::KeyParts)?;
            let mut parts = key.decode().map_err(|_| Fault::KeyParts)?.1.into_iter();
            let (Some(id), receiver, None) = (parts.next(), parts.next(), parts.next()) else {
                return Err(Fault::KeyParts);
            };
            let id = FiringId(number(&id)?);
            let Some(receiver) = receiver else {
                found.push((id, rows::decode_will(rows.value.clone())?, Vec::new()));
                return Ok(());
            };
            rows::decode_received(rows.value.clone())?;
            // A will comes before those who have it.
            match found.last_mut() {
                Some((will, _, receivers)) if *will == id => receivers.push(Receiver(receiver)),
                _ => _ = leftovers.delete(FIRING, key),
            }
            Ok(())
        };
        row().map_err(|fault| rows.error(fault))?;
        rows.advance()?;
    }
    Ok(found)
}

/// A table that is read row by row, and the row that is next.
struct Cursor {
    table: Table,
    rows: Box<dyn Rows>,
    /// Empty behind the last row.
    key: Vec<u8>,
    /// How much of the key is the namespace and the first part.
    first: usize,
    value: Bytes,
}

impl Cursor {
    fn open(store: &Store, table: Table, (from, to): &KeyRange) -> Result<Self, RecoverError> {
        let rows = store.rows(table, from, to.as_ref())?;
        let mut cursor = Self { table, rows, key: Vec::new(), first: 0, value: Bytes::new() };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), RecoverError> {
        self.key.clear();
        let Some((key, value)) = self.rows.next()? else { return Ok(()) };
        self.key.extend_from_slice(key);
        self.value = Bytes::copy_from_slice(value);
        match Key::split_bytes(key) {
            Ok((first, _)) => self.first = first.len(),
            Err(_) => return Err(self.error(Fault::KeyParts)),
        }
        Ok(())
    }

    /// The bytes of the key that the rows of one client begin with.
    fn client(&self) -> Option<&[u8]> {
        self.key.get(..self.first).filter(|client| !client.is_empty())
    }

    /// The key's first part, and the bytes of the others.
    fn first_part(&self) -> Result<(ByteString, &[u8]), Fault> {
        let (mut part, bytes) = (Vec::new(), self.key.get(NAMESPACE..).unwrap_or_default());
        let rest = Key::take_part(bytes, &mut part).map_err(|_| Fault::KeyParts)?;
        Ok((text(part.into())?, rest))
    }

    /// Hands the second and last part of the key, and the value, of each row of `client` to `take`.
    fn each(
        &mut self,
        client: &[u8],
        part: &mut Vec<u8>,
        mut take: impl FnMut(&[u8], Bytes) -> Result<(), Fault>,
    ) -> Result<(), RecoverError> {
        while self.client().is_some_and(|next| next == client) {
            let rest = Key::take_part(self.key.get(self.first..).unwrap_or_default(), part);
            let whole = rest.ok().filter(|rest| rest.is_empty()).ok_or(Fault::KeyParts);
            whole.and_then(|_| take(part, std::mem::take(&mut self.value))).map_err(|fault| self.error(fault))?;
            self.advance()?;
        }
        Ok(())
    }

    /// A row of `routed`, whose key has four parts.
    fn routed(&self, part: &mut Vec<u8>) -> Result<Routed, Fault> {
        let rest = self.key.get(self.first..).unwrap_or_default();
        let rest = Key::take_part(rest, part).map_err(|_| Fault::KeyParts)?;
        let id = NonZeroU16::new(u16::from_be_bytes(number(part)?)).ok_or(Fault::ZeroIdentifier)?;
        let rest = Key::take_part(rest, part).map_err(|_| Fault::KeyParts)?;
        let fingerprint = u64::from_be_bytes(number(part)?);
        let rest = Key::take_part(rest, part).map_err(|_| Fault::KeyParts)?;
        if !rest.is_empty() {
            return Err(Fault::KeyParts);
        }
        rows::decode_received(self.value.clone())?;
        Ok((id, fingerprint, Receiver(part.clone())))
    }

    fn error(&self, fault: Fault) -> RecoverError {
        let key = Key::from_bytes(Bytes::copy_from_slice(&self.key));
        RecoverError::Row {
            table: self.table,
            key: key.unwrap_or_else(|_| Key::new(<_>::default(), &[&self.key])),
            fault,
        }
    }
}

/// How many bytes of a key are the namespace.
const NAMESPACE: usize = 4;

/// The tables of sessions, side by side.
struct Tables {
    sessions: Cursor,
    subscriptions: Cursor,
    received: Cursor,
    queue: Cursor,
    in_flight: Cursor,
    routed: Cursor,
    wills: Cursor,
    /// Room for parts of keys.
    part: Vec<u8>,
}

/// What the tables have of one client identifier.
#[derive(Debug, Default)]
struct Draft {
    expiry_interval: Option<u32>,
    row: Option<SessionRow>,
    will: Option<WillRow>,
    subscriptions: Vec<(SubscriptionFilter, Subscription)>,
    received: Vec<PacketId>,
    routed: Vec<Routed>,
    /// By position, as `in-flight` is.
    queue: Vec<(Position, Delivery)>,
    /// The packet identifier, and whether it was released.
    in_flight: Vec<(Position, (PacketId, bool))>,
}

impl Tables {
    fn open(store: &Store, range: &KeyRange) -> Result<Self, RecoverError> {
        let open = |table| Cursor::open(store, table, range);
        Ok(Self {
            sessions: open(SESSIONS)?,
            subscriptions: open(SUBSCRIPTIONS)?,
            received: open(RECEIVED)?,
            queue: open(QUEUE)?,
            in_flight: open(IN_FLIGHT)?,
            routed: open(ROUTED)?,
            wills: open(WILLS)?,
            part: Vec::new(),
        })
    }

    /// The client that any of the tables has next.
    fn next_client(&self, client: &mut Vec<u8>) -> bool {
        let Self { sessions, subscriptions, received, queue, in_flight, routed, wills, part: _ } = self;
        let all = [sessions, subscriptions, received, queue, in_flight, routed, wills];
        client.clear();
        all.into_iter().filter_map(Cursor::client).min().map(|next| client.extend_from_slice(next)).is_some()
    }

    /// All that the tables have of it.
    fn read(&mut self, client: &[u8]) -> Result<(ByteString, Draft), RecoverError> {
        let Self { sessions, subscriptions, received, queue, in_flight, routed, wills, part } = self;
        let mut draft = Draft::default();
        let mut name = None;
        for cursor in [&*sessions, subscriptions, received, queue, in_flight, routed, wills] {
            if name.is_none() && cursor.client().is_some_and(|next| next == client) {
                name = Some(cursor.first_part().map_err(|fault| cursor.error(fault))?.0);
            }
        }
        sessions.each(client, part, |part, value| {
            match part {
                STARTED => draft.expiry_interval = Some(rows::decode_started(value)?),
                OWNER => draft.row = Some(rows::decode_session_row(value)?),
                _ => return Err(Fault::KeyParts),
            }
            Ok(())
        })?;
        subscriptions.each(client, part, |part, value| {
            let filter = text(Bytes::copy_from_slice(part))?;
            let filter = SubscriptionFilter::try_from(filter).map_err(Fault::Topic)?;
            draft.subscriptions.push((filter, rows::decode_subscription(value)?));
            Ok(())
        })?;
        received.each(client, part, |part, value| {
            let id = NonZeroU16::new(u16::from_be_bytes(number(part)?)).ok_or(Fault::ZeroIdentifier)?;
            rows::decode_received(value)?;
            draft.received.push(id);
            Ok(())
        })?;
        queue.each(client, part, |part, value| {
            draft.queue.push((Position::from_be_bytes(number(part)?), rows::decode_delivery(value)?));
            Ok(())
        })?;
        in_flight.each(client, part, |part, value| {
            draft.in_flight.push((Position::from_be_bytes(number(part)?), rows::decode_in_flight(value)?));
            Ok(())
        })?;
        while routed.client().is_some_and(|next| next == client) {
            let row = routed.routed(part).map_err(|fault| routed.error(fault))?;
            draft.routed.push(row);
            routed.advance()?;
        }
        while wills.client().is_some_and(|next| next == client) {
            let is_whole = wills.key.len() == wills.first;
            let will = if is_whole { rows::decode_will(wills.value.clone()) } else { Err(Fault::KeyParts) };
            draft.will = Some(will.map_err(|fault| wills.error(fault))?);
            wills.advance()?;
        }
        Ok((name.unwrap_or_default(), draft))
    }
}

impl Draft {
    fn finish(
        self,
        namespace: NamespaceId,
        client_id: ByteString,
        leftovers: &mut WriteBatch,
    ) -> Option<StoredSession> {
        let (Some(expiry_interval), Some(row)) = (self.expiry_interval, self.row) else {
            remove_session(leftovers, namespace, client_id.as_bytes());
            return None;
        };
        let messages = self.queue.len() + self.in_flight.len();
        let mut records = Vec::with_capacity(1 + self.subscriptions.len() + self.received.len() + messages);
        records.push(Record::Started { expiry_interval });
        records.extend(self.subscriptions.into_iter().map(|(filter, how)| Record::Subscribed(filter, how)));
        records.extend(self.received.into_iter().map(Record::Received));
        let (mut queue, mut in_flight) = (self.queue.into_iter().peekable(), self.in_flight.into_iter().peekable());
        loop {
            let next = [queue.peek().map(|&(at, _)| at), in_flight.peek().map(|&(at, _)| at)];
            let Some(position) = next.into_iter().flatten().min() else { break };
            let delivery = queue.next_if(|&(at, _)| at == position).map(|(_, delivery)| delivery);
            let sent = in_flight.next_if(|&(at, _)| at == position).map(|(_, sent)| sent);
            match (delivery, sent) {
                (_, Some((id, true))) => records.push(Record::Released(position, id)),
                (Some(delivery), sent) => {
                    records.push(Record::Enqueued(position, delivery));
                    records.extend(sent.map(|(id, _)| Record::Sent(position, id)));
                }
                (None, _) => {
                    let key = Key::new(namespace, &[client_id.as_bytes(), &position.to_be_bytes()]);
                    leftovers.delete(IN_FLIGHT, key);
                }
            }
        }
        Some(StoredSession { namespace, client_id, row, will: self.will, routed: self.routed, records })
    }
}

/// A part of a key that is a number.
fn number<const N: usize>(part: &[u8]) -> Result<[u8; N], Fault> {
    part.try_into().map_err(|_| Fault::KeyParts)
}
