//! Maps by position: looked at for every message, so hashed with one multiplication. This side counts positions, so
//! nobody can choose some that collide.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use gridmq_proto::session::Position;

pub(super) type ByPosition<V> = HashMap<Position, V, BuildHasherDefault<PositionHasher>>;

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PositionHasher(u64);

impl Hasher for PositionHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, position: u64) {
        // 2^64 over the golden ratio spreads small numbers over the high bits too.
        self.0 = (self.0.rotate_left(5) ^ position).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_found_again() {
        let mut map: ByPosition<u64> = (1..=10_000).map(|position| (position, position)).collect();
        assert!((1..=10_000).all(|position| map.remove(&position) == Some(position)));
        assert!(map.is_empty());
    }
}
