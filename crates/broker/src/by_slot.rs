//! Maps by session: looked at for every delivery, so hashed with one multiplication. The numbers are the broker's own,
//! one after the other; no peer can choose them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::directory::SlotId;

/// What is known of sessions, by their number.
pub(crate) type BySlot<V> = HashMap<SlotId, V, BuildHasherDefault<SlotHasher>>;

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct SlotHasher(u64);

impl SlotHasher {
    const fn add(&mut self, word: u64) {
        // 2^64 over the golden ratio: odd, so the low bits stay apart, and the high ones are spread as well.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, slot: u64) {
        self.add(slot);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.add(u64::from(byte)));
    }
}
