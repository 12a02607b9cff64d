//! Runs the fuzz targets on mutated packets: seeded, bounded, the same every time.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_proto::fuzzing::{decode_v3, decode_v5};
use gridmq_proto::vectors::VECTORS;

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
