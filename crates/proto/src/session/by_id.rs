//! Maps by packet identifier: looked at for every message, so hashed with one multiplication.
//!
//! There are 65,535 identifiers, and multiplying by an odd number keeps all of them apart in the low bits that choose
//! the bucket, so identifiers that a peer picks to collide cost no more than a few groups of buckets.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::PacketId;

/// What is known of packets, by identifier.
pub(crate) type ById<V> = HashMap<PacketId, V, BuildHasherDefault<IdHasher>>;

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct IdHasher(u64);

impl IdHasher {
    const fn add(&mut self, word: u64) {
        // 2^64 over the golden ratio spreads small numbers over the high bits too.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u16(&mut self, id: u16) {
        self.add(u64::from(id));
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.add(u64::from(byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn no_two_identifiers_share_the_bits_that_choose_a_bucket() {
        let hasher = BuildHasherDefault::<IdHasher>::default();
        let low: HashSet<u64> =
            (1..=u16::MAX).filter_map(PacketId::new).map(|id| hasher.hash_one(id) & 0xFFFF).collect();
        assert_eq!(low.len(), usize::from(u16::MAX));
    }

    #[test]
    fn all_identifiers_are_found_again() {
        let all = || (1..=u16::MAX).filter_map(PacketId::new);
        let mut map: ById<u16> = all().map(|id| (id, id.get())).collect();
        assert!(all().all(|id| map.remove(&id) == Some(id.get())));
        assert!(map.is_empty());
    }
}
