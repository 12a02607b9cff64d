mod damage;
mod strategies;

use std::collections::BTreeMap;

use bytes::Bytes;
use gridmq_proto::session::server::{Session, Subscription};
use gridmq_proto::session::{Delivery, QueueLimits};
use gridmq_proto::{QoS, SharedMessage, SubscriptionFilter, TopicName};
use gridmq_store::{MemoryEngine, Store};
use proptest::prelude::*;

use super::*;

const NAMESPACES: [NamespaceId; 2] = [NamespaceId::DEFAULT, NamespaceId::new(0x0100)];

/// What was stored.
#[derive(Debug, Default)]
struct Recovered {
    /// By namespace and client identifier.
    sessions: Vec<StoredSession>,
    /// By namespace and topic.
    retained: Vec<(NamespaceId, TopicName, RetainedRow)>,
    leftovers: WriteBatch,
}

fn recover(store: &Store, namespaces: &[NamespaceId]) -> Result<Recovered, RecoverError> {
    let mut all = Recovered::default();
    for &namespace in namespaces {
        for range in ranges(store, namespace, 4)? {
            sessions(store, namespace, &range, &mut all.leftovers, |session| all.sessions.push(session))?;
        }
        retained(store, namespace, |topic, row| all.retained.push((namespace, topic, row)))?;
    }
    Ok(all)
}

/// A store, and the engine to look behind it.
fn store() -> (Store, MemoryEngine) {
    let engine = MemoryEngine::new();
    (Store::immediate(engine.clone()), engine)
}

fn submit(store: &Store, write: impl FnOnce(&mut WriteBatch)) {
    let mut batch = WriteBatch::new();
    write(&mut batch);
    store.submit(batch).unwrap();
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn message(topic: &str, payload: &'static [u8]) -> Message {
    Message::new(topic.try_into().unwrap(), Bytes::from_static(payload))
}

fn delivery(payload: &'static [u8]) -> Delivery {
    Delivery::new(SharedMessage::new(message("a/b", payload)), QoS::ExactlyOnce)
}

fn filter(text: &str) -> SubscriptionFilter {
    text.try_into().unwrap()
}

fn owner(name: &str) -> SessionRow {
    SessionRow { owner: name.to_owned(), disconnected_at: None }
}

fn restore(client_id: &ByteString, records: Vec<Record>) -> Option<Vec<Record>> {
    Session::restore(client_id.clone(), QueueLimits::default(), records).map(|session| session.snapshot())
}

/// Writes the records of one session, with its owner before each start.
fn write_all(batch: &mut WriteBatch, namespace: NamespaceId, client_id: &ByteString, records: &[Record]) {
    for record in records {
        if matches!(record, Record::Started { .. }) {
            write_session_row(batch, namespace, client_id, &owner("someone"));
        }
        write(batch, namespace, client_id, record);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_session_read_back_is_the_session_that_was_written(records in strategies::session(60), cut in any::<usize>()) {
        let (store, engine) = store();
        let client_id = ByteString::from_static("device");
        let (early, late) = records.split_at(cut % (records.len() + 1));
        for part in [early, late] {
            submit(&store, |batch| write_all(batch, NamespaceId::DEFAULT, &client_id, part));
        }
        let recovered = recover(&store, &NAMESPACES).unwrap();
        prop_assert!(recovered.leftovers.is_empty());
        match restore(&client_id, records) {
            Some(expected) => {
                let [session] = <[_; 1]>::try_from(recovered.sessions).unwrap();
                prop_assert_eq!(&session.client_id, &client_id);
                prop_assert_eq!(session.row, owner("someone"));
                prop_assert_eq!(&session.records, &restore(&client_id, session.records.clone()).unwrap());
                prop_assert_eq!(session.records, expected);
            }
            None => {
                prop_assert!(recovered.sessions.is_empty());
                prop_assert_eq!(engine.rows(), 0);
            }
        }
    }

    #[test]
    fn sessions_do_not_touch_each_other(
        steps in prop::collection::vec((0_usize..4, strategies::session(8)), 1..8),
    ) {
        // One name begins with the other; one is in two namespaces.
        let names = [(0, "dev"), (0, "device"), (1, "dev"), (1, "")];
        let (store, _) = store();
        let mut written = BTreeMap::<(NamespaceId, ByteString), Vec<Record>>::new();
        for (who, records) in steps {
            let (namespace, name) = names[who];
            let (namespace, client_id) = (NAMESPACES[namespace], ByteString::from_static(name));
            submit(&store, |batch| {
                write(batch, namespace, &client_id, &Record::Ended);
                write_all(batch, namespace, &client_id, &records);
            });
            written.insert((namespace, client_id), records);
        }
        let recovered = recover(&store, &NAMESPACES).unwrap();
        let found: Vec<_> = recovered.sessions.into_iter().map(|s| ((s.namespace, s.client_id), s.records)).collect();
        let expected: Vec<_> = written
            .into_iter()
            .filter_map(|(key, records)| restore(&key.1, records).map(|records| (key, records)))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn retained_messages_read_back_are_those_last_written(
        steps in prop::collection::vec(
            (0_usize..2, strategies::topic(), prop::option::of(strategies::retained())), 1..20),
    ) {
        let (store, engine) = store();
        let mut expected = BTreeMap::new();
        for (namespace, topic, row) in steps {
            let namespace = NAMESPACES[namespace];
            let row = row.map(|mut row| { row.message.topic = topic.clone(); row });
            submit(&store, |batch| write_retained(batch, namespace, topic.as_str(), row.as_ref()));
            match row {
                Some(row) => expected.insert((namespace, topic), row),
                None => expected.remove(&(namespace, topic)),
            };
        }
        prop_assert_eq!(engine.rows(), expected.len());
        let expected: Vec<_> = expected.into_iter().map(|((namespace, topic), row)| (namespace, topic, row)).collect();
        prop_assert_eq!(recover(&store, &NAMESPACES).unwrap().retained, expected);
    }

    #[test]
    fn an_owner_read_back_is_the_one_last_written(name in ".{0,20}", time in any::<Option<u64>>()) {
        let (store, _) = store();
        let client_id = ByteString::from_static("device");
        let row = SessionRow { owner: name, disconnected_at: time.map(Wall::from_millis) };
        submit(&store, |batch| {
            write_session_row(batch, NamespaceId::DEFAULT, &client_id, &owner("first"));
            write(batch, NamespaceId::DEFAULT, &client_id, &Record::Started { expiry_interval: 7 });
            write_session_row(batch, NamespaceId::DEFAULT, &client_id, &row);
            write(batch, NamespaceId::DEFAULT, &client_id, &Record::Started { expiry_interval: 8 });
        });
        let [session] = <[_; 1]>::try_from(recover(&store, &NAMESPACES).unwrap().sessions).unwrap();
        prop_assert_eq!(session.row, row);
        prop_assert_eq!(session.records, vec![Record::Started { expiry_interval: 8 }]);
    }
}

#[test]
fn a_message_goes_from_the_queue_into_flight_and_is_forgotten_when_done() {
    let (store, engine) = store();
    let client_id = ByteString::from_static("device");
    let then = |record: Record| {
        submit(&store, |batch| write(batch, NamespaceId::DEFAULT, &client_id, &record));
        let rows = |table| store.scan(table, &Key::new(NamespaceId::DEFAULT, &[]), None, 10).unwrap().entries.len();
        (rows(QUEUE), rows(IN_FLIGHT))
    };
    assert_eq!(then(Record::Enqueued(1, delivery(b"x"))), (1, 0));
    assert_eq!(then(Record::Sent(1, id(1))), (1, 1));
    assert_eq!(then(Record::Released(1, id(1))), (0, 1));
    assert_eq!(then(Record::Done(1)), (0, 0));
    assert_eq!(engine.rows(), 0);
}

#[test]
fn a_session_that_ended_leaves_no_row_and_takes_none_of_another_with_it() {
    let (store, engine) = store();
    let records = [
        Record::Started { expiry_interval: u32::MAX },
        Record::Subscribed(filter("$share/g/a/#"), Subscription::default()),
        Record::Received(id(3)),
        Record::Enqueued(1, delivery(b"x")),
        Record::Enqueued(2, delivery(b"y")),
        Record::Sent(1, id(1)),
    ];
    for name in ["dev", "device"] {
        submit(&store, |batch| write_all(batch, NamespaceId::DEFAULT, &name.into(), &records));
    }
    assert_eq!(engine.rows(), 14);
    submit(&store, |batch| write(batch, NamespaceId::DEFAULT, &"dev".into(), &Record::Ended));
    assert_eq!(engine.rows(), 7);
    let recovered = recover(&store, &NAMESPACES).unwrap();
    assert_eq!(recovered.sessions.len(), 1);
    assert_eq!(recovered.sessions[0].client_id, "device");
}

#[test]
fn more_rows_than_a_page_come_back_whole_and_in_order() {
    let (store, _) = store();
    let namespace = NAMESPACES[1];
    let positions: Vec<Position> = (1..=2_500).map(|step| step * 255).collect();
    submit(&store, |batch| {
        let mut records = vec![Record::Started { expiry_interval: 60 }];
        records.extend(positions.iter().map(|&position| Record::Enqueued(position, delivery(b"x"))));
        write_all(batch, namespace, &"a".into(), &records);
        for number in 0..1_000 {
            write_all(batch, namespace, &format!("b{number:04}").into(), &[Record::Started { expiry_interval: 1 }]);
            let topic: TopicName = format!("t/{number}").as_str().try_into().unwrap();
            let row = RetainedRow { message: message("t", b"x"), qos: QoS::AtMostOnce, expires_at: None };
            write_retained(batch, namespace, topic.as_str(), Some(&row));
        }
    });
    let recovered = recover(&store, &NAMESPACES).unwrap();
    assert_eq!((recovered.sessions.len(), recovered.retained.len()), (1_001, 1_000));
    let found: Vec<_> = recovered.sessions[0]
        .records
        .iter()
        .filter_map(|record| if let Record::Enqueued(position, _) = record { Some(*position) } else { None })
        .collect();
    assert_eq!(found, positions);
}

#[test]
fn what_belongs_to_no_session_is_not_taken_up_and_can_be_removed() {
    let (store, engine) = store();
    let ns = NamespaceId::DEFAULT;
    submit(&store, |batch| {
        // Never started.
        write_session_row(batch, ns, &"unstarted".into(), &owner("x"));
        write(batch, ns, &"unstarted".into(), &Record::Enqueued(1, delivery(b"x")));
        write(batch, ns, &"unstarted".into(), &Record::Received(id(1)));
        // Nobody's.
        write(batch, ns, &"unowned".into(), &Record::Started { expiry_interval: 9 });
        write(batch, ns, &"unowned".into(), &Record::Subscribed(filter("a"), Subscription::default()));
        // A message that is not there.
        write_all(batch, ns, &"whole".into(), &[Record::Started { expiry_interval: 9 }, Record::Sent(4, id(4))]);
    });
    let recovered = recover(&store, &NAMESPACES).unwrap();
    let [session] = <[_; 1]>::try_from(recovered.sessions).unwrap();
    assert_eq!(session.client_id, "whole");
    assert_eq!(session.records, [Record::Started { expiry_interval: 9 }]);
    assert_eq!(engine.rows(), 8);
    store.submit(recovered.leftovers).unwrap();
    assert_eq!(engine.rows(), 2);
    let again = recover(&store, &NAMESPACES).unwrap();
    assert!(again.leftovers.is_empty());
    assert_eq!(again.sessions, [session]);
}

#[test]
fn only_the_named_namespaces_are_read() {
    let (store, _) = store();
    for namespace in NAMESPACES {
        submit(&store, |batch| write_all(batch, namespace, &"a".into(), &[Record::Started { expiry_interval: 1 }]));
    }
    let found = |namespaces: &[NamespaceId]| recover(&store, namespaces).unwrap().sessions.len();
    assert_eq!((found(&[]), found(&NAMESPACES[..1]), found(&NAMESPACES)), (0, 1, 2));
}

#[test]
fn a_will_on_its_way_comes_back_until_all_have_it() {
    let (store, _) = store();
    let will = Will { message: message("a", b"gone"), qos: QoS::ExactlyOnce, retain: false, delay_interval: 0 };
    let row = WillRow { will, due: Some(Wall::from_millis(9)) };
    let ids = [FiringId::new(Wall::from_millis(0), 0, 1), FiringId::new(Wall::from_millis(0), 1, 1)];
    for id in ids {
        submit(&store, |batch| write_firing(batch, NAMESPACES[1], id, Some(&row)));
    }
    let all = || {
        let mut leftovers = WriteBatch::new();
        assert_eq!(firing(&store, NAMESPACES[0], &mut leftovers).unwrap(), []);
        let found = firing(&store, NAMESPACES[1], &mut leftovers).unwrap();
        (found, leftovers.len())
    };
    let has_it = Receiver::new("c", None);
    for id in ids {
        submit(&store, |batch| write_routed(batch, NAMESPACES[1], &Origin::Will(id), &has_it));
    }
    assert_eq!(all(), (ids.map(|id| (id, row.clone(), vec![has_it.clone()])).to_vec(), 0));
    submit(&store, |batch| write_firing(batch, NAMESPACES[1], ids[0], None));
    let rest = vec![(ids[1], row, vec![has_it.clone()])];
    assert_eq!(all(), (rest.clone(), 0));
    // Without a will there is nothing to have.
    submit(&store, |batch| write_routed(batch, NAMESPACES[1], &Origin::Will(ids[0]), &has_it));
    assert_eq!(all(), (rest, 1));
    submit(&store, |batch| _ = batch.put(FIRING, Key::new(NAMESPACES[1], &[b"short"]), Bytes::new()));
    let error = firing(&store, NAMESPACES[1], &mut WriteBatch::new()).unwrap_err();
    assert!(matches!(error, RecoverError::Row { table: FIRING, fault: Fault::KeyParts, .. }), "{error}");
}

#[test]
fn who_has_a_message_is_forgotten_of_that_message_alone() {
    let (store, _) = store();
    let client_id = ByteString::from("publisher");
    let records = [Record::Started { expiry_interval: 60 }];
    submit(&store, |batch| write_all(batch, NAMESPACES[0], &client_id, &records));
    let has_it = Receiver::new("c", None);
    // Of a session that has ended, and of the one that came after it, under the same packet identifier.
    for fingerprint in [7, 8] {
        let origin = Origin::Published { client_id: client_id.clone(), packet_id: id(1), fingerprint };
        submit(&store, |batch| write_routed(batch, NAMESPACES[0], &origin, &has_it));
    }
    submit(&store, |batch| forget_routed(batch, NAMESPACES[0], &client_id, RoutedAs { id: id(1), fingerprint: 7 }));
    let recovered = recover(&store, &NAMESPACES).unwrap();
    assert_eq!(recovered.sessions[0].routed, [(id(1), 8, has_it)]);
    submit(&store, |batch| write(batch, NAMESPACES[0], &client_id, &Record::Received(id(1))));
    assert_eq!(recover(&store, &NAMESPACES).unwrap().sessions[0].routed, []);
}
