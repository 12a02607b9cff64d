//! Runs the fuzz targets on mutated packets: seeded, bounded, the same every time.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use bytes::BytesMut;
use gridmq_proto::codec::{Role, encode};
use gridmq_proto::fuzzing::{client_machine, decode_v3, decode_v5, server_machine};
use gridmq_proto::packet::{Ack, Publish};
use gridmq_proto::vectors::{Expect, VECTORS, Vector};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, TopicName, Version};

const ROUNDS: usize = 40_000;

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        const TELLING: [u8; 12] = [0x00, 0x01, 0x02, 0x03, 0x7F, 0x80, 0xFF, b'+', b'#', b'/', 0x0B, 0x26];
        if self.below(2) == 0 { TELLING[self.below(TELLING.len())] } else { self.next() as u8 }
    }
}

/// One to three packets, damaged in a few places.
fn input(random: &mut Xorshift) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=random.below(3) {
        bytes.extend_from_slice(VECTORS[random.below(VECTORS.len())].bytes);
    }
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.byte(),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.insert(at, random.byte()),
            3 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

fn run(target: fn(&[u8]), seed: u64) {
    let mut random = Xorshift(seed);
    for vector in VECTORS {
        target(vector.bytes);
    }
    for _ in 0..ROUNDS {
        target(&input(&mut random));
    }
}

#[test]
fn decode_v3_holds() {
    run(decode_v3, 0x9E37_79B9_7F4A_7C15);
}

#[test]
fn decode_v5_holds() {
    run(decode_v5, 0xD1B5_4A32_D192_ED03);
}

/// What one side may get in one version: first packets of a connection, and later ones.
struct Stock {
    first: Vec<Vec<u8>>,
    later: Vec<Vec<u8>>,
}

/// Packets about the first few identifiers, so that they meet what the machine has in hand.
fn about_messages(version: Version) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for id in [1, 2, 3].map(|id| PacketId::new(id).unwrap()) {
        let ack = || Ack::new(id, ReasonCode::Success);
        let publish = |qos, dup| {
            Packet::Publish(Publish {
                dup,
                qos,
                retain: false,
                packet_id: Some(id),
                topic: Some(TopicName::try_from("a").unwrap()),
                topic_alias: None,
                subscription_identifiers: <_>::default(),
                payload: "x".into(),
                properties: None,
            })
        };
        all.extend([Packet::PubAck(ack()), Packet::PubRec(ack()), Packet::PubRel(ack()), Packet::PubComp(ack())]);
        all.extend([publish(QoS::AtLeastOnce, false), publish(QoS::ExactlyOnce, false)]);
        all.push(publish(QoS::ExactlyOnce, true));
    }
    let bytes = |packet: Packet| {
        let mut out = BytesMut::new();
        encode(&packet, version, None, &mut out).unwrap();
        out.to_vec()
    };
    all.into_iter().map(bytes).collect()
}

impl Stock {
    fn new(role: Role, version: Version) -> Self {
        let valid = || VECTORS.iter().filter(|it| it.role == role && matches!(it.expect, Expect::Packet(_)));
        let level = if version == Version::V5 { 5 } else { 4 };
        let of_version = |it: &&Vector| it.version == Some(version);
        let is_first = |it: &&Vector| match role {
            Role::Server => it.bytes.starts_with(&[0x10]) && it.bytes.get(8) == Some(&level),
            Role::Client => it.bytes.starts_with(&[0x20]) && it.version == Some(version),
        };
        let first: Vec<_> = valid().filter(is_first).map(|it| it.bytes.to_vec()).collect();
        let mut later: Vec<_> = valid().filter(of_version).map(|it| it.bytes.to_vec()).collect();
        later.extend(about_messages(version));
        assert!(!first.is_empty());
        Self { first, later }
    }

    /// Bytes for the owner, and a stream, damaged at most once.
    fn conversation(&self, random: &mut Xorshift, version: Version) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..6).map(|_| random.next() as u8).collect();
        bytes[0] = bytes[0] & !1 | u8::from(version == Version::V5);
        for _ in 0..=random.below(2) {
            bytes.extend_from_slice(&self.first[random.below(self.first.len())]);
            for _ in 0..random.below(12) {
                bytes.extend_from_slice(&self.later[random.below(self.later.len())]);
            }
        }
        if random.below(4) == 0 {
            let at = 6 + random.below(bytes.len() - 6);
            bytes[at] = random.byte();
        }
        bytes
    }
}

fn converse(target: fn(&[u8]), role: Role, seed: u64) {
    let mut random = Xorshift(seed);
    for length in 0..8 {
        target(&[7; 8][..length]);
    }
    for version in [Version::V3_1_1, Version::V5] {
        let stock = Stock::new(role, version);
        for _ in 0..ROUNDS / 2 {
            target(&stock.conversation(&mut random, version));
        }
    }
}

#[test]
fn server_machine_holds() {
    converse(server_machine, Role::Server, 0x2545_F491_4F6C_DD1D);
}

#[test]
fn client_machine_holds() {
    converse(client_machine, Role::Client, 0x9E6C_63D0_876A_3F6B);
}
