//! Routes whose instructions `cargo xtask callgrind` counts: a worker takes PUBLISH packets in as bytes, and gives
//! them out as bytes to the subscribers. No sockets and no other threads; what the system's calls cost comes on top.
//!
//! Each case is a function of its own and moves [`ROUNDS`] deliveries; what it needs is set up before it, and warmed up
//! by doing the same once.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a measurement")]

use std::hint::black_box;
use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use gridmq_broker::measure::{Bench, Peer};
use gridmq_proto::codec::encode;
use gridmq_proto::packet::{Ack, Connect, ConnectProperties, Publish, Subscribe, SubscribeFilter, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, TopicName, Version};

/// `cargo xtask callgrind` divides by this.
const ROUNDS: usize = 1000;

fn id(round: usize) -> PacketId {
    NonZeroU16::new((round % 65_535) as u16 + 1).unwrap()
}

fn bytes_of(packets: impl IntoIterator<Item = Packet>) -> Vec<u8> {
    let mut out = BytesMut::new();
    for packet in packets {
        encode(&packet, Version::V5, None, &mut out).unwrap();
    }
    out.to_vec()
}

/// One read of a publisher: that many messages of `size` bytes, on the topics in turn.
fn read(count: usize, qos: QoS, size: usize, topic: impl Fn(usize) -> String) -> Vec<u8> {
    bytes_of((0..count).map(|round| {
        Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            packet_id: (qos != QoS::AtMostOnce).then(|| id(round)),
            topic: Some(TopicName::try_from(topic(round)).unwrap()),
            topic_alias: None,
            subscription_identifiers: <_>::default(),
            payload: Bytes::from(vec![b'x'; size]),
            properties: None,
        })
    }))
}

/// `count` acknowledgements from that identifier on.
fn acks(of: fn(Ack) -> Packet, first: usize, count: usize) -> Vec<u8> {
    bytes_of((first..first + count).map(|round| of(Ack::new(id(round), ReasonCode::Success))))
}

/// Publishers and subscribers, and what each publisher sends.
struct Scene {
    bench: Bench,
    publishers: Vec<(Peer, Vec<u8>)>,
    subscribers: Vec<Peer>,
    qos: QoS,
    /// Messages of one read.
    together: usize,
    /// The next packet identifier that a subscriber gets.
    next: usize,
}

impl Scene {
    fn new(workers: u16, qos: QoS, together: usize) -> Self {
        let bench = Bench::new(workers);
        Self { bench, publishers: Vec::new(), subscribers: Vec::new(), qos, together, next: 0 }
    }

    fn connect(&mut self, worker: usize, name: &str) -> Peer {
        let mut peer = self.bench.open(worker);
        let connect = Connect {
            version: Version::V5,
            clean_start: true,
            keep_alive: 60,
            client_id: name.into(),
            username: None,
            password: None,
            will: None,
            properties: ConnectProperties::default(),
        };
        let answer = self.bench.turn(&mut peer, &bytes_of([Packet::Connect(Box::new(connect))]));
        assert_eq!(answer.first(), Some(&0x20), "CONNACK");
        peer
    }

    fn subscriber(&mut self, worker: usize, filters: impl Iterator<Item = String>) {
        let mut peer = self.connect(worker, &format!("subscriber-{}", self.subscribers.len()));
        let filters: Vec<_> = filters
            .map(|filter| SubscribeFilter {
                filter: filter.as_str().try_into().unwrap(),
                options: SubscribeOptions { qos: self.qos, ..SubscribeOptions::default() },
            })
            .collect();
        let subscribe =
            Subscribe { packet_id: id(0), subscription_identifier: None, user_properties: Vec::new(), filters };
        let answer = self.bench.turn(&mut peer, &bytes_of([Packet::Subscribe(subscribe)]));
        assert_eq!(answer.first(), Some(&0x90), "SUBACK");
        self.subscribers.push(peer);
    }

    fn publisher(&mut self, worker: usize, size: usize, topic: impl Fn(usize) -> String) {
        let peer = self.connect(worker, &format!("publisher-{}", self.publishers.len()));
        let read = read(self.together, self.qos, size, topic);
        self.publishers.push((peer, read));
    }

    /// Every publisher has one read, `each` subscriber the turns that follow.
    fn round(&mut self) -> usize {
        let Self { bench, publishers, subscribers, qos, together, next } = self;
        let mut delivered = 0;
        for (publisher, read) in publishers.iter_mut() {
            let first = *next;
            let mut answered = bench.turn(publisher, read).len();
            bench.carry();
            for subscriber in subscribers.iter_mut() {
                let got = bench.turn(subscriber, &[]).len();
                delivered += got;
                if *qos == QoS::AtLeastOnce {
                    bench.turn(subscriber, &acks(Packet::PubAck, first, *together));
                }
            }
            bench.carry();
            if *qos == QoS::AtLeastOnce {
                answered += bench.turn(publisher, &[]).len();
                assert_eq!(answered, 4 * *together, "every message is acknowledged");
                *next += *together;
            }
        }
        delivered
    }

    /// Deliveries of `bytes` each, until there were [`ROUNDS`].
    fn run(&mut self, bytes: usize) {
        let mut delivered = 0;
        while delivered < ROUNDS * bytes {
            delivered += black_box(self.round());
        }
        assert_eq!(delivered, ROUNDS * bytes, "all are delivered, once each");
    }
}

const TOPIC: &str = "sites/building-7/sensors/temperature";

/// Bytes of a delivery of `size` bytes.
fn wire(topic: &str, size: usize, qos: QoS) -> usize {
    let remaining = 2 + topic.len() + usize::from(qos != QoS::AtMostOnce) * 2 + 1 + size;
    1 + (if remaining < 128 { 1 } else { 2 }) + remaining
}

/// Ten publishers and one subscriber, on worker 0 or apart.
fn ten_to_one(qos: QoS, together: usize, size: usize, apart: bool) -> (Scene, usize) {
    let mut scene = Scene::new(1 + u16::from(apart), qos, together);
    scene.subscriber(0, [TOPIC.to_owned()].into_iter());
    for _ in 0..10 {
        scene.publisher(usize::from(apart), size, |_| TOPIC.to_owned());
    }
    (scene, wire(TOPIC, size, qos))
}

fn fan_out(subscribers: usize, together: usize) -> (Scene, usize) {
    let mut scene = Scene::new(1, QoS::AtMostOnce, together);
    for _ in 0..subscribers {
        scene.subscriber(0, [TOPIC.to_owned()].into_iter());
    }
    scene.publisher(0, 64, |_| TOPIC.to_owned());
    (scene, wire(TOPIC, 64, QoS::AtMostOnce))
}

/// A thousand filters with a wildcard for each of a hundred subscribers; every message is for one of them.
fn wildcards() -> (Scene, usize) {
    let mut scene = Scene::new(1, QoS::AtMostOnce, 100);
    for subscriber in 0..100 {
        scene.subscriber(0, (0..1000).map(|n| format!("site-{subscriber:02}/line-{n:03}/+/temperature")));
    }
    let topic = |n: usize| format!("site-{:02}/line-{:03}/cell-{:02}/temperature", n * 37 % 100, n * 613 % 1000, n);
    scene.publisher(0, 64, topic);
    (scene, wire(&topic(0), 64, QoS::AtMostOnce))
}

macro_rules! cases {
    ($($name:ident: $scene:expr;)*) => {
        $(#[inline(never)]
        fn $name(scene: &mut Scene, bytes: usize) {
            // Two functions that do the same would become one.
            black_box(stringify!($name));
            scene.run(bytes);
        })*

        fn main() {
            // Test runners ask what there is; nothing is.
            if std::env::args().any(|word| word == "--list") {
                return;
            }
            $({
                let (mut scene, bytes) = $scene;
                scene.run(bytes);
                $name(&mut scene, bytes);
            })*
        }
    };
}

cases! {
    case_route_10_to_1_qos0_256: ten_to_one(QoS::AtMostOnce, 100, 256, false);
    case_route_10_to_1_qos0_64_alone: ten_to_one(QoS::AtMostOnce, 1, 64, false);
    case_route_10_to_1_qos1_256: ten_to_one(QoS::AtLeastOnce, 50, 256, false);
    case_route_10_to_1_qos0_256_apart: ten_to_one(QoS::AtMostOnce, 100, 256, true);
    case_route_10_to_1_qos1_256_apart: ten_to_one(QoS::AtLeastOnce, 50, 256, true);
    case_route_1_to_1000_qos0: fan_out(1000, 1);
    case_route_1_to_100_qos0_by_ten: fan_out(100, 10);
    case_route_wildcards_100000: wildcards();
}
