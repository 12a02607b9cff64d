//! Sessions and messages by the thousand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bytes::Bytes;
use bytestring::ByteString;
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::{Delivery, Record};
use gridmq_proto::{Message, PacketId, QoS};
use gridmq_store::{Durability, NamespaceId, Options};

use super::*;
use crate::tables::SessionRow;
use crate::{Broker, Listener};

const NAMESPACE: NamespaceId = NamespaceId::DEFAULT;

/// A broker without a store, whose shared parts another store is taken up into.
fn broker() -> Broker {
    let listener = Listener::plain(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Broker::start(Broker::builder().workers(2).listener(listener)).unwrap()
}

fn open(directory: &Path) -> Store {
    Store::open_directory(directory, Durability::Os, Options::default()).unwrap().unwrap()
}

fn records(number: usize, messages: u64) -> Vec<Record> {
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

fn name(number: usize) -> ByteString {
    format!("device-{number}").into()
}

fn fill(store: &Store, sessions: usize, messages: u64) {
    let row = SessionRow { owner: "owner".to_owned(), disconnected_at: None };
    let mut batch = WriteBatch::new();
    for number in 0..sessions {
        tables::write_session_row(&mut batch, NAMESPACE, &name(number), &row);
        for record in records(number, messages) {
            tables::write(&mut batch, NAMESPACE, &name(number), &record);
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

/// Each session's records, by name.
fn snapshots(revival: &Revival) -> BTreeMap<ByteString, Vec<Record>> {
    let all = revival.sessions.iter().flatten();
    all.map(|revived| (revived.session.client_id().clone(), revived.session.snapshot())).collect()
}

#[test]
fn ten_thousand_sessions_come_back_as_they_were_and_ranges_in_threads_find_what_one_finds() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 10_000, 3);
    store.close().unwrap();
    drop(store);
    let store = open(directory.path());
    let ranges = tables::ranges(&store, NAMESPACE, 16).unwrap();
    assert!((16..=33).contains(&ranges.len()), "{}", ranges.len());
    let expected: BTreeMap<_, _> = (0..10_000).map(|number| (name(number), records(number, 3))).collect();
    for threads in [1, 4] {
        let broker = broker();
        let revival = revive_in(&broker.shared, &store, threads).unwrap();
        assert_eq!((revival.sessions.len(), revival.messages), (2, 30_000));
        assert_eq!(revival.sessions.iter().map(Vec::len).collect::<Vec<_>>(), [5_000, 5_000]);
        assert!(snapshots(&revival) == expected, "in {threads} threads");
        let index = broker.shared.realm.index.load();
        assert_eq!(index.filters.len(), 10_000);
        let again = revive_in(&broker.shared, &store, threads).unwrap();
        assert_eq!(again.sessions.iter().map(Vec::len).sum::<usize>(), 0, "they are there already");
    }
}

/// Prints what each part takes, of a store that was closed and of one whose process was killed.
#[test]
#[ignore = "a measurement, for a release build on a machine that does nothing else"]
fn a_hundred_thousand_sessions_with_a_million_messages_in_five_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let [closed, killed] = ["closed", "killed"].map(|name| directory.path().join(name));
    for path in [&closed, &killed] {
        std::fs::create_dir(path).unwrap();
    }
    let store = open(&closed);
    fill(&store, 100_000, 10);
    let last = store.submit(WriteBatch::new()).unwrap();
    while store.durable() < last {
        std::thread::yield_now();
    }
    // As it is when the process ends now.
    std::fs::copy(closed.join("store"), killed.join("store")).unwrap();
    store.close().unwrap();
    drop(store);
    for (what, path) in [("closed", closed), ("killed", killed)] {
        let megabytes = std::fs::metadata(path.join("store")).unwrap().len() >> 20;
        let begun = Instant::now();
        let store = open(&path);
        let opened = begun.elapsed();
        let broker = broker();
        let revival = revive(&broker.shared, &store).unwrap();
        let whole = begun.elapsed();
        let Revival { messages, read, build, index, whole: revived, .. } = revival;
        assert_eq!((revival.sessions.iter().map(Vec::len).sum::<usize>(), messages), (100_000, 1_000_000));
        println!(
            "{what}, {megabytes} MiB: open {opened:.2?}, taken up {revived:.2?} (threads together: read {read:.2?}, build \
             {build:.2?}; index {index:.2?}), whole {whole:.2?}"
        );
        assert!(whole < Duration::from_secs(5), "{what}: {whole:?}");
    }
}
