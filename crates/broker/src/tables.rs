//! The broker's durable tables: how sessions and retained messages become rows, and rows become them again.
//!
//! Every key is a namespace and the parts below ([`Key`]); a session's rows all begin with its client identifier, so
//! that one prefix in each table removes them.
//!
//! | table | parts of the key | value |
//! |---|---|---|
//! | `sessions` | client identifier, `started` | [expiry](#started) |
//! | `sessions` | client identifier, `owner` | [owner and time](#owner) |
//! | `subscriptions` | client identifier, whole filter | [how it delivers](#subscription) |
//! | `queue` | client identifier, position (`u64`) | [message](#delivery) not yet done with, sent or not |
//! | `in-flight` | client identifier, position (`u64`) | [packet identifier](#in-flight) that the message has |
//! | `received` | client identifier, packet identifier (`u16`) | [nothing](#received): QoS 2, taken over, not released |
//! | `routed` | client identifier, packet identifier (`u16`), fingerprint (`u64`), receiver | [nothing](#received): has that QoS 2 message, not yet in `received` |
//! | `wills` | client identifier | [message](#will) of a session that lasts, which has a delay |
//! | `firing` | time (`u64`), worker (`u16`), number (`u64`) in one | [message](#will) of a will that is on its way |
//! | `firing` | the same, receiver | [nothing](#received): has that will |
//! | `retained` | topic name | [message](#retained) |
//!
//! Positions and packet identifiers in keys are big-endian, so that rows sort as they were made. A message is in
//! `queue` until it is done with or, at QoS 2, released; from its first sending on it is in `in-flight` too, and once
//! released there alone.
//!
//! # Values
//! Every value begins with the format byte `01`. Numbers are big-endian. `data` is a length (`u32`) and that many
//! bytes, `text` is data in UTF-8. What is marked `?` is there only if its flag says so. Decoding is strict: bits
//! without a meaning are zero, nothing follows the last field, and one value has one encoding.
//!
//! ## Started
//! `u32` session expiry interval in seconds, `ffffffff` for ever.
//!
//! ## Owner
//! text owner; `u8` flags: bit 0 disconnected; `u64`? time of disconnection in milliseconds since 1970.
//!
//! ## Subscription
//! `u8` options as MQTT 5.0 §3.8.3.1 lays them out; `u32` subscription identifier, 0 for none.
//!
//! ## Delivery
//! `u8` flags: bits 0 and 1 QoS, bit 2 RETAIN, bit 3 expires, bit 4 shared; `u64`? time of expiry in milliseconds
//! since 1970; text? filter of the shared subscription; `u32` number of subscription identifiers, `u32` each;
//! text topic; [body](#body).
//!
//! ## In flight
//! `u8` 0 sent, 1 released (PUBREL is due); `u16` packet identifier.
//!
//! ## Received
//! Nothing but the format byte.
//!
//! In a key of `routed` the fingerprint is FNV-1a of topic, a zero and payload of the message, and the receiver, who has
//! it, is `c` and a client identifier or `s` and the filter of a shared subscription.
//!
//! ## Will
//! `u8` flags: bits 0 and 1 QoS, bit 2 RETAIN, bit 3 due; `u64`? time at which it is due in milliseconds since 1970,
//! absent while its client is connected; `u32` delay in seconds; text topic; [body](#body).
//!
//! ## Retained
//! `u8` flags: bits 0 and 1 QoS, bit 3 expires; `u64`? time of expiry in milliseconds since 1970; [body](#body). The
//! topic is in the key.
//!
//! ## Body
//! data payload; `u8` flags: bit 0 has properties, and only with it bit 1 payload format indicator present, bit 2 its
//! value, bit 3 message expiry interval, bit 4 content type, bit 5 response topic, bit 6 correlation data; `u32`?
//! message expiry interval in seconds; text? content type; text? response topic; data? correlation data; and with
//! bit 0 `u32` number of user properties, text name and text value each.

mod recover;
mod rows;
mod value;

use bytestring::ByteString;
use gridmq_proto::packet::Will;
use gridmq_proto::session::{Position, Record};
use gridmq_proto::time::Wall;
use gridmq_proto::{Message, PacketId, QoS};
use gridmq_store::{EngineError, Key, NamespaceId, Table, WriteBatch};
use thiserror::Error;

use crate::directory::WorkerId;
use crate::routed::{Origin, Receiver, RoutedAs};

pub(crate) use self::recover::{KeyRange, firing, ranges, retained, sessions};
use self::value::Fault;

/// Which sessions there are.
pub(crate) const SESSIONS: Table = Table::new("sessions");
/// What they are subscribed to.
pub(crate) const SUBSCRIPTIONS: Table = Table::new("subscriptions");
/// Messages on their way to them.
pub(crate) const QUEUE: Table = Table::new("queue");
/// Which of these were sent, and as what.
pub(crate) const IN_FLIGHT: Table = Table::new("in-flight");
/// QoS 2 packet identifiers of theirs that were taken over.
pub(crate) const RECEIVED: Table = Table::new("received");
/// QoS 2 packet identifiers of theirs whose messages some have, and that were not taken over yet.
pub(crate) const ROUTED: Table = Table::new("routed");
/// Wills of theirs that have a delay.
pub(crate) const WILLS: Table = Table::new("wills");
/// Wills on their way to those who get them.
pub(crate) const FIRING: Table = Table::new("firing");
/// Retained messages.
pub(crate) const RETAINED: Table = Table::new("retained");

/// The tables whose keys begin with a client identifier.
const OF_A_SESSION: [Table; 7] = [SESSIONS, SUBSCRIPTIONS, QUEUE, IN_FLIGHT, RECEIVED, ROUTED, WILLS];

/// Second part of the key of a session's expiry.
const STARTED: &[u8] = b"started";
/// Second part of the key of a [`SessionRow`].
const OWNER: &[u8] = b"owner";

/// What the broker knows of a session beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionRow {
    /// Authentication name of the client that it belongs to.
    pub(crate) owner: String,
    /// Since when it has no connection; the expiry interval runs from here. `None`: it had one when this was written.
    pub(crate) disconnected_at: Option<Wall>,
}

/// A will that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WillRow {
    /// The will, its delay included.
    pub(crate) will: Will,
    /// When it is due; `None`: its client was connected when this was written.
    pub(crate) due: Option<Wall>,
}

/// Names a will that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FiringId([u8; 18]);

impl FiringId {
    /// `number`: one that its worker gives once.
    pub(crate) fn new(at: Wall, worker: WorkerId, number: u64) -> Self {
        let mut bytes = [0; 18];
        let parts = at.as_millis().to_be_bytes().into_iter().chain(worker.to_be_bytes()).chain(number.to_be_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, byte)| *to = byte);
        Self(bytes)
    }
}

/// A stored retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RetainedRow {
    /// The message; its topic is the topic under which it is stored.
    pub(crate) message: Message,
    /// The QoS at which it was published.
    pub(crate) qos: QoS,
    /// When it is no longer worth keeping.
    pub(crate) expires_at: Option<Wall>,
}

/// A QoS 2 message that somebody has: its packet identifier, its fingerprint and who.
pub(crate) type Routed = (PacketId, u64, Receiver);

/// A session as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredSession {
    pub(crate) namespace: NamespaceId,
    pub(crate) client_id: ByteString,
    pub(crate) row: SessionRow,
    pub(crate) will: Option<WillRow>,
    /// QoS 2 messages of its client that somebody has.
    pub(crate) routed: Vec<Routed>,
    /// For [`Session::restore`](gridmq_proto::session::server::Session::restore).
    pub(crate) records: Vec<Record>,
}

/// A will that is on its way, and who has it.
pub(crate) type OnItsWay = (FiringId, WillRow, Vec<Receiver>);

/// Why what is stored cannot be taken up. This machine's trouble, never a peer's.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum RecoverError {
    /// The store could not be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A row makes no sense.
    #[error(
        "the row {key:?} of the table \"{}\" cannot be read: {fault}; start the version that wrote it, or restore the \
         data directory from a copy",
        table.name()
    )]
    Row {
        /// Where.
        table: Table,
        /// Which.
        key: Key,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// Adds what a session's record changes. `Ended` removes the session's [`SessionRow`] too.
///
/// Takes records as a session yields them: `Sent` only for a message that waits, never for one that was released.
pub(crate) fn write(batch: &mut WriteBatch, namespace: NamespaceId, client_id: &ByteString, record: &Record) {
    let client = client_id.as_bytes();
    let key = |part: &[u8]| Key::new(namespace, &[client, part]);
    let place = |position: &Position| key(&position.to_be_bytes());
    let id = |id: &PacketId| key(&id.get().to_be_bytes());
    match record {
        Record::Started { expiry_interval } => {
            batch.put(SESSIONS, key(STARTED), rows::encode_started(*expiry_interval))
        }
        Record::Ended => {
            remove_session(batch, namespace, client);
            batch
        }
        Record::Subscribed(filter, how) => {
            batch.put(SUBSCRIPTIONS, key(filter.as_str().as_bytes()), rows::encode_subscription(how))
        }
        Record::Unsubscribed(filter) => batch.delete(SUBSCRIPTIONS, key(filter.as_str().as_bytes())),
        Record::Enqueued(position, delivery) => {
            // A server's session queues no message again: a position that is queued was never in flight.
            batch.insert(QUEUE, place(position), rows::encode_delivery(delivery))
        }
        Record::Sent(position, id) => batch.put(IN_FLIGHT, place(position), rows::encode_in_flight(*id, false)),
        Record::Released(position, id) => {
            batch.delete(QUEUE, place(position)).put(IN_FLIGHT, place(position), rows::encode_in_flight(*id, true))
        }
        Record::Done(position) => batch.delete(QUEUE, place(position)).delete(IN_FLIGHT, place(position)),
        Record::Received(packet_id) => {
            // From here on its publisher is answered without anybody getting it again.
            batch.delete_prefix(ROUTED, id(packet_id)).put(RECEIVED, id(packet_id), rows::encode_received())
        }
        Record::Forgotten(packet_id) => batch.delete(RECEIVED, id(packet_id)),
        _ => {
            tracing::error!(client_id = &**client_id, "a record of a kind that the tables do not know is not stored");
            batch
        }
    };
}

/// Sets who owns a session and since when it is without a connection. Its records do not change this, but for `Ended`.
pub(crate) fn write_session_row(
    batch: &mut WriteBatch,
    namespace: NamespaceId,
    client_id: &ByteString,
    row: &SessionRow,
) {
    let key = Key::new(namespace, &[client_id.as_bytes(), OWNER]);
    batch.put(SESSIONS, key, rows::encode_session_row(row));
}

/// Notes that somebody has a message.
pub(crate) fn write_routed(batch: &mut WriteBatch, namespace: NamespaceId, origin: &Origin, receiver: &Receiver) {
    match origin {
        Origin::Published { client_id, packet_id, fingerprint } => {
            let [id, print] = routed_parts(RoutedAs { id: *packet_id, fingerprint: *fingerprint });
            batch.put(
                ROUTED,
                Key::new(namespace, &[client_id.as_bytes(), &id, &print, &receiver.0]),
                rows::encode_received(),
            )
        }
        Origin::Will(id) => batch.put(FIRING, Key::new(namespace, &[&id.0, &receiver.0]), rows::encode_received()),
    };
}

/// Nobody sends that QoS 2 message again; another one may be on its way under its identifier.
pub(crate) fn forget_routed(batch: &mut WriteBatch, namespace: NamespaceId, client_id: &ByteString, routed: RoutedAs) {
    let [id, print] = routed_parts(routed);
    batch.delete_prefix(ROUTED, Key::new(namespace, &[client_id.as_bytes(), &id, &print]));
}

fn routed_parts(RoutedAs { id, fingerprint }: RoutedAs) -> [Vec<u8>; 2] {
    [id.get().to_be_bytes().to_vec(), fingerprint.to_be_bytes().to_vec()]
}

/// Sets the will of a session; `None` removes it. `Ended` removes it too.
pub(crate) fn write_will(
    batch: &mut WriteBatch,
    namespace: NamespaceId,
    client_id: &ByteString,
    row: Option<&WillRow>,
) {
    let key = Key::new(namespace, &[client_id.as_bytes()]);
    match row {
        Some(row) => batch.put(WILLS, key, rows::encode_will(row)),
        None => batch.delete(WILLS, key),
    };
}

/// Notes a will that is on its way, and when it was due; `None`: all who get it have it.
pub(crate) fn write_firing(batch: &mut WriteBatch, namespace: NamespaceId, id: FiringId, row: Option<&WillRow>) {
    let key = Key::new(namespace, &[&id.0]);
    match row {
        Some(row) => batch.put(FIRING, key, rows::encode_will(row)),
        None => batch.delete_prefix(FIRING, key),
    };
}

/// Sets the retained message of a topic; `None` removes it.
pub(crate) fn write_retained(batch: &mut WriteBatch, namespace: NamespaceId, topic: &str, row: Option<&RetainedRow>) {
    let key = Key::new(namespace, &[topic.as_bytes()]);
    match row {
        Some(row) => batch.put(RETAINED, key, rows::encode_retained(row)),
        None => batch.delete(RETAINED, key),
    };
}

/// Removes every row of a session.
fn remove_session(batch: &mut WriteBatch, namespace: NamespaceId, client: &[u8]) {
    for table in OF_A_SESSION {
        batch.delete_prefix(table, Key::new(namespace, &[client]));
    }
}

#[cfg(test)]
mod tests;
