//! Sessions and messages by the thousand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bytestring::ByteString;
use gridmq_proto::session::Record;
use gridmq_store::{Durability, NamespaceId, Options};

use super::sample::{fill, name, records};
use super::*;
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
