//! Sessions and messages by the thousand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests and measurements")]

use bytes::Bytes;
use bytestring::ByteString;
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::{Delivery, Record};
use gridmq_proto::{Message, PacketId, QoS, SharedMessage};
use gridmq_store::{NamespaceId, Store, WriteBatch};

use crate::tables::{self, SessionRow};

/// What the session of that number has.
pub(crate) fn records(number: usize, messages: u64) -> Vec<Record> {
    let topic = format!("site/{}/device/{number}/state", number % 100);
    let filter = format!("site/+/device/{number}/#");
    let mut records = vec![
        Record::Started { expiry_interval: 3600 },
        Record::Subscribed(filter.as_str().try_into().unwrap(), Subscription::default()),
    ];
    let id = PacketId::new(7).unwrap();
    if number.is_multiple_of(10) {
        records.push(Record::Received(id));
    }
    for position in 1..=messages {
        let payload = Bytes::from(vec![u8::try_from(position % 251).unwrap(); 256]);
        let message = SharedMessage::new(Message::new(topic.as_str().try_into().unwrap(), payload));
        let first = position == 1 && number.is_multiple_of(3);
        records.push(Record::Enqueued(position, Delivery::new(message, QoS::AtLeastOnce)));
        if first {
            records.push(Record::Sent(position, id));
        }
    }
    records
}

pub(crate) fn name(number: usize) -> ByteString {
    format!("device-{number}").into()
}

/// Writes so many sessions of so many messages each.
pub(crate) fn fill(store: &Store, sessions: usize, messages: u64) {
    let row = SessionRow { owner: "owner".to_owned(), disconnected_at: None };
    let mut batch = WriteBatch::new();
    for number in 0..sessions {
        tables::write_session_row(&mut batch, NamespaceId::DEFAULT, &name(number), &row);
        for record in records(number, messages) {
            tables::write(&mut batch, NamespaceId::DEFAULT, &name(number), &record);
        }
        if batch.bytes() > 16 << 20 || number + 1 == sessions {
            let mut rest = std::mem::take(&mut batch);
            while let Err(error) = store.submit(rest) {
                let gridmq_store::SubmitError::Full(again) = error else { panic!("{error}") };
                rest = again;
                std::thread::yield_now();
            }
        }
    }
}
