//! A session in a file: what survives the client, the process and a kill, and what is refused.
#![cfg(feature = "store")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::future::poll_fn;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gridmq_client::error::ConnectErrorKind;
use gridmq_client::store::{Delivery, FileStore, Record, SessionStore, StoreError};
use gridmq_client::{Client, Options, QoS, Reconnect, Version};
use gridmq_proto::packet::{Ack, Packet};
use gridmq_proto::{Message, PacketId, ReasonCode, SharedMessage};
use support::Peer;
use tokio::net::{TcpListener, TcpStream};

fn delivery(payload: &str) -> Delivery {
    let message = Message::new("a".try_into().unwrap(), payload.to_owned().into());
    Delivery::new(SharedMessage::new(message), QoS::ExactlyOnce)
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

async fn durable(store: &mut FileStore, up_to: u64) {
    while poll_fn(|cx| store.poll_durable(cx)).await.unwrap() < up_to {}
}

async fn wrote(path: &Path, records: Vec<Record>) -> Vec<Record> {
    let mut store = FileStore::open(path).unwrap();
    store.load("c").unwrap();
    let number = store.append(records).unwrap();
    durable(&mut store, number).await;
    drop(store);
    FileStore::open(path).unwrap().load("c").unwrap()
}

#[tokio::test]
async fn every_record_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    let started = Record::Started { expiry_interval: 7 };
    let records = vec![
        started.clone(),
        Record::Received(id(9)),
        Record::Received(id(8)),
        Record::Enqueued(1, delivery("one")),
        Record::Sent(1, id(1)),
        Record::Enqueued(2, delivery("two")),
        Record::Sent(2, id(2)),
        Record::Released(2, id(2)),
        Record::Enqueued(300, delivery("three")),
        Record::Enqueued(301, delivery("four")),
        Record::Done(301),
        Record::Forgotten(id(8)),
    ];
    let found = wrote(&path, records).await;
    let expected = [
        started,
        Record::Positioned(301),
        Record::Received(id(9)),
        Record::Enqueued(1, delivery("one")),
        Record::Sent(1, id(1)),
        Record::Enqueued(300, delivery("three")),
        Record::Released(2, id(2)),
    ];
    assert_eq!(found, expected);
    // The server has lost the session: what was sent waits again.
    let again = Record::Enqueued(1, delivery("one"));
    let found = wrote(&path, vec![Record::Tried(2), again, Record::Done(300), Record::Done(2)]).await;
    assert!(matches!(found[2..], [Record::Tried(2), Record::Received(_), Record::Enqueued(1, _)]), "{found:?}");
    let found = wrote(&path, vec![Record::Done(1), Record::Forgotten(id(9))]).await;
    assert_eq!(found[1..], [Record::Positioned(301), Record::Tried(2)]);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    wrote(&path, vec![Record::Enqueued(1, delivery(&"x".repeat(3000)))]).await;

    let first = FileStore::open(&path).unwrap();
    assert!(matches!(FileStore::open(&path), Err(StoreError::InUse { .. })));
    let options = || Client::builder("mqtt://127.0.0.1:1").client_id("another").clean_start(false);
    let error = options().store(&path).connect().await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Store(StoreError::InUse { .. })), "{error}");
    assert!(!error.is_permanent(), "{error}");
    drop(first);
    let error = options().store(&path).connect().await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Store(StoreError::OtherClient { .. })), "{error}");
    assert!(error.is_permanent(), "{error}");

    let error = FileStore::open(&path).unwrap().load("another").unwrap_err();
    assert!(matches!(error, StoreError::OtherClient { ref stored, .. } if stored == "c"), "{error:?}");

    let whole = std::fs::read(&path).unwrap();
    let other = directory.path().join("other");
    for damage in [&b"something else, and not a store at all"[..], &whole[..whole.len() / 3]] {
        std::fs::write(&other, damage).unwrap();
        let opened = FileStore::open(&other);
        assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    }
    assert!(matches!(FileStore::open(directory.path().join("no/such")), Err(StoreError::Failed(_))));
}

#[test]
fn a_store_needs_a_name_and_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options::new("mqtt://localhost").store(directory.path().join("session"));
    assert!(options().check().is_err());
    assert!(options().client_id("c").check().is_err());
    assert!(options().clean_start(false).check().is_err());
    options().client_id("c").clean_start(false).check().unwrap();
}

fn client(listener: &TcpListener, path: &Path) -> Client {
    let port = listener.local_addr().unwrap().port();
    Client::builder(&format!("mqtt://127.0.0.1:{port}"))
        .client_id("c")
        .clean_start(false)
        .session_expiry(Duration::from_secs(1000))
        .store(path)
        .start()
        .unwrap()
}

async fn arrives(listener: &TcpListener, present: bool) -> Peer<TcpStream> {
    let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
    server.accept(present, <_>::default()).await;
    server
}

/// Lets the file go: the task of a client ends some time after its last handle.
async fn gone(path: &Path) {
    for _ in 0..500 {
        match FileStore::open(path) {
            Err(StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            opened => return drop(opened.unwrap()),
        }
    }
    panic!("the file is still in use");
}

#[tokio::test]
async fn a_client_goes_on_where_the_last_one_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = client(&listener, &path);
    let mut server = arrives(&listener, false).await;
    let one = first.publish("a", "one").qos(QoS::ExactlyOnce).enqueue().await.unwrap();
    let two = first.publish("a", "two").qos(QoS::AtLeastOnce).enqueue().await.unwrap();
    assert_eq!((one.position(), two.position()), (Some(1), Some(2)));
    let sent = server.publish().await.packet_id.unwrap();
    server.publish().await;
    server.send(Packet::PubRec(Ack::new(sent, ReasonCode::Success))).await;
    assert!(matches!(server.packet().await, Packet::PubRel(_)));
    drop((one, two));
    let (left, ()) = tokio::join!(first.disconnect().into_future(), async { while server.next().await.is_some() {} });
    left.unwrap();
    drop((first, server));
    gone(&path).await;

    let second = client(&listener, &path);
    assert_eq!((second.queue().last_position, second.queue().messages), (2, 2), "known at once");
    let mut server = arrives(&listener, true).await;
    let Packet::PubRel(released) = server.packet().await else { panic!() };
    assert_eq!(released.packet_id, sent);
    let again = server.publish().await;
    assert_eq!((again.dup, &again.payload[..]), (true, &b"two"[..]));
    server.send(Packet::PubComp(Ack::new(sent, ReasonCode::Success))).await;
    server.acknowledge(again.packet_id.unwrap()).await;
    let third = second.publish("a", "three").qos(QoS::AtLeastOnce).enqueue().await.unwrap();
    assert_eq!(third.position(), Some(3), "positions go on");
    let id = server.publish().await.packet_id.unwrap();
    server.acknowledge(id).await;
    third.await.unwrap();
}

/// What CONNECT and DISCONNECT say of the session's time, from a client that is told nothing about it.
async fn said(options: Options) -> (Option<u32>, Option<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = options.address(&format!("mqtt://{}", listener.local_addr().unwrap()));
    let (client, (mut server, connect)) = tokio::join!(options.client_id("c").clean_start(false).connect(), async {
        let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
        let connect = server.accept(false, <_>::default()).await;
        (server, connect)
    });
    let client = client.unwrap();
    let (left, disconnect) = tokio::join!(client.disconnect().into_future(), async {
        let disconnect = server.packet().await;
        drop(server);
        disconnect
    });
    left.unwrap();
    let Packet::Disconnect(disconnect) = disconnect else { panic!("{disconnect:?}") };
    (connect.properties.session_expiry_interval, disconnect.properties.session_expiry_interval)
}

#[tokio::test]
async fn an_orderly_end_leaves_the_servers_half_of_the_session_where_there_is_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options::new("mqtt://memory");
    assert_eq!(said(options()).await, (Some(300), Some(0)));
    assert_eq!(said(options().store(directory.path().join("1"))).await, (Some(300), None));
    let never = options().reconnect(Reconnect::never());
    assert_eq!(said(never.clone()).await, (None, None));
    assert_eq!(said(never.store(directory.path().join("2"))).await, (Some(300), None));
    let own = options().store(directory.path().join("3")).session_expiry(Duration::from_secs(7));
    assert_eq!(said(own).await, (Some(7), None));
}

const CHILD: &str = "GRIDMQ_TEST_STORE_CHILD";

/// Not a test of its own: what the next test starts and kills. Says each position that is durable.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let mut store = FileStore::open(path).unwrap();
    store.load("c").unwrap();
    let mut out = std::io::stdout();
    for position in 1.. {
        let number = store.append(vec![Record::Enqueued(position, delivery("x"))]).unwrap();
        durable(&mut store, number).await;
        writeln!(out, "durable {position}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_said_to_be_durable_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3_u64 {
        let path = directory.path().join(format!("session{round}"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_is_killed", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut last = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            // The harness writes its own words before the first.
            if let Some((_, position)) = line.unwrap().split_once("durable ") {
                last = position.parse().unwrap();
            }
            if last > 5 + round * 7 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let records = FileStore::open(&path).unwrap().load("c").unwrap();
        let found: Vec<u64> = records
            .iter()
            .filter_map(|record| if let Record::Enqueued(position, _) = record { Some(*position) } else { None })
            .collect();
        assert!(found.len() as u64 >= last, "{last} were durable, {found:?} are there");
        assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>(), "none is missing in between");
        assert!(records.contains(&Record::Positioned(found.len() as u64)));
    }
}
