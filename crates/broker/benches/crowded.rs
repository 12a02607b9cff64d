//! A million subscriptions, and a million retained messages: what they take, and what others then pay.
//! `cargo bench -p gridmq-broker --features measure --bench crowded`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a measurement")]

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gridmq_broker::measure::{Bench, Peer};
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::packet::{Connect, ConnectProperties, Publish, Subscribe, SubscribeFilter, SubscribeOptions};
use gridmq_proto::{Packet, QoS, TopicName, Version};

const SESSIONS: usize = 1000;
const FILTERS: usize = 1000;
/// Filters in one SUBSCRIBE.
const TOGETHER: usize = 100;
const MESSAGES: usize = 200_000;
const RETAINED: usize = 1_000_000;
/// Messages in one read.
const READ: usize = 100;

fn bytes_of(packets: impl IntoIterator<Item = Packet>) -> Vec<u8> {
    let mut out = BytesMut::new();
    for packet in packets {
        encode(&packet, Version::V5, None, &mut out).unwrap();
    }
    out.to_vec()
}

fn connect(bench: &mut Bench, worker: usize, name: &str) -> Peer {
    let mut peer = bench.open(worker);
    let connect = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 0,
        client_id: name.into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    bench.turn(&mut peer, &bytes_of([Packet::Connect(Box::new(connect))]));
    peer
}

fn publish(topic: String, retain: bool) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain,
        packet_id: None,
        topic: Some(TopicName::try_from(topic).unwrap()),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: Bytes::from_static(&[b'x'; 32]),
        properties: None,
    })
}

fn subscribe(filters: impl Iterator<Item = String>) -> Packet {
    let options = SubscribeOptions::default();
    let filters = filters.map(|filter| SubscribeFilter { filter: filter.try_into().unwrap(), options }).collect();
    let packet_id = NonZeroU16::MIN;
    Packet::Subscribe(Subscribe { packet_id, subscription_identifier: None, user_properties: Vec::new(), filters })
}

/// Messages among what a client was sent.
fn messages(sent: BytesMut) -> usize {
    let mut decoder = Decoder::for_client(Version::V5, u32::MAX);
    let mut sent = sent;
    let mut count = 0;
    while let Some(packet) = decoder.decode(&mut sent).unwrap() {
        count += usize::from(matches!(packet, Packet::Publish(_)));
    }
    count
}

/// Bytes of memory that this process has.
fn memory() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn each(taken: Duration, of: usize) -> f64 {
    taken.as_secs_f64() * 1e6 / of as f64
}

fn subscriptions() {
    let mut bench = Bench::new(2);
    let mut all: Vec<_> = (0..SESSIONS).map(|at| connect(&mut bench, at % 2, &format!("s{at}"))).collect();
    let mut publisher = connect(&mut bench, 0, "publisher");
    let (before, begun) = (memory(), Instant::now());
    for (session, peer) in all.iter_mut().enumerate() {
        for first in (0..FILTERS).step_by(TOGETHER) {
            let filters = (first..first + TOGETHER).map(|filter| format!("site/{session}/+/device/{filter}"));
            bench.turn(peer, &bytes_of([subscribe(filters)]));
        }
    }
    let (taken, count) = (begun.elapsed(), SESSIONS * FILTERS);
    let each_bytes = (memory() - before) / count;
    println!("{count} subscriptions: {taken:.2?}, {:.2} us and {each_bytes} bytes each", each(taken, count));

    let begun = Instant::now();
    let mut arrived = 0;
    for first in (0..MESSAGES).step_by(READ) {
        let topic = |at: usize| format!("site/{}/a/device/{}", at * 7919 % SESSIONS, at * 104_729 % FILTERS);
        bench.turn(&mut publisher, &bytes_of((first..first + READ).map(|at| publish(topic(at), false))));
        bench.carry();
    }
    let taken = begun.elapsed();
    for peer in &mut all {
        arrived += messages(bench.turn(peer, &[]));
    }
    assert_eq!(arrived, MESSAGES, "each message matches one of them");
    println!("{MESSAGES} messages through them: {:.2} us each", each(taken, MESSAGES));
}

fn retained() {
    let mut bench = Bench::new(2);
    let mut publisher = connect(&mut bench, 0, "publisher");
    let (before, begun) = (memory(), Instant::now());
    for first in (0..RETAINED).step_by(READ) {
        let topic = |at: usize| format!("site/{}/device/{at}", at % 1000);
        bench.turn(&mut publisher, &bytes_of((first..first + READ).map(|at| publish(topic(at), true))));
    }
    let taken = begun.elapsed();
    let each_bytes = (memory() - before) / RETAINED;
    println!("{RETAINED} retained messages: {taken:.2?}, {:.2} us and {each_bytes} bytes each", each(taken, RETAINED));

    let mut subscriber = connect(&mut bench, 1, "subscriber");
    let begun = Instant::now();
    let mut arrived =
        messages(bench.turn(&mut subscriber, &bytes_of([subscribe(["site/7/#".to_owned()].into_iter())])));
    while arrived < RETAINED / 1000 {
        let sent = bench.resume(&mut subscriber);
        assert!(!sent.is_empty(), "{arrived} of {} came", RETAINED / 1000);
        arrived += messages(sent);
    }
    assert_eq!(arrived, RETAINED / 1000);
    println!("a new subscription that matches {arrived} of them: {:.2?}", begun.elapsed());
}

/// Each in a process of its own, so that no memory of one is the other's.
fn main() {
    match std::env::args().next_back().as_deref() {
        Some("subscriptions") => subscriptions(),
        Some("retained") => retained(),
        _ => {
            for what in ["subscriptions", "retained"] {
                let program = std::env::current_exe().unwrap();
                assert!(std::process::Command::new(program).arg(what).status().unwrap().success(), "{what}");
            }
        }
    }
}
