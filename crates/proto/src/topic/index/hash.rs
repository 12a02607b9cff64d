//! The hash of levels and keys: keyed, short, and never shown to anybody.
//!
//! Peers choose the texts. Each step multiplies what they chose, hidden under a secret, by another secret, and folds the
//! 128 bits of the product into 64: without the secrets nobody can tell which texts collide, and the hash leaves this
//! module's callers in no form but the time of a lookup.

use std::hash::{Hash, Hasher};

/// The secrets of one index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    start: u64,
    factor: u64,
}

impl Seed {
    /// Both secrets from one that peers cannot predict.
    pub(super) const fn new(seed: u64) -> Self {
        // One step of splitmix64 each: neighbouring seeds give secrets that have nothing in common.
        let start = mixed(seed.wrapping_add(0x9E37_79B9_7F4A_7C15));
        let factor = mixed(seed.wrapping_add(0x3C6E_F372_FE94_F82A)) | 1;
        Self { start, factor }
    }

    /// The hash of a level or a group's name.
    pub(super) fn text(self, text: &str) -> u64 {
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        let mut state = self.start ^ text.len() as u64;
        for &word in words {
            state = fold(state ^ u64::from_le_bytes(word), self.factor);
        }
        // The length is in the state already, so no two texts of one length give the same last word.
        let last = match *rest {
            [] => return fold(state, self.factor),
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
            [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e] => u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]),
            [a, b, c, d, e, f] => u64::from_le_bytes([a, b, c, d, e, f, 0, 0]),
            [a, b, c, d, e, f, g, ..] => u64::from_le_bytes([a, b, c, d, e, f, g, 0]),
        };
        fold(fold(state ^ last, self.factor), self.start | 1)
    }

    /// The hash of a subscriber's key.
    pub(super) fn key<T: Hash + ?Sized>(self, key: &T) -> u64 {
        let mut state = State { seed: self, state: self.start };
        key.hash(&mut state);
        state.finish()
    }
}

const fn mixed(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

struct State {
    seed: Seed,
    state: u64,
}

impl State {
    const fn add(&mut self, word: u64) {
        self.state = fold(self.state ^ word, self.seed.factor);
    }
}

impl Hasher for State {
    fn finish(&self) -> u64 {
        fold(self.state, self.seed.start | 1)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|&word| self.add(u64::from_le_bytes(word)));
        self.add(rest.iter().fold(rest.len() as u64, |word, &byte| word << 8 | u64::from(byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Texts of every length up to a hundred that differ in one byte, in one bit of it, or by what they end with.
    fn texts() -> Vec<String> {
        let mut texts = Vec::new();
        for length in 0..100 {
            let base = "a".repeat(length);
            texts.push(base.clone());
            for at in 0..length {
                for other in ["b", "c", "e", "i", "q", "A", "!", "\u{1}"] {
                    let mut text = base.clone();
                    text.replace_range(at..=at, other);
                    texts.push(text);
                }
            }
        }
        texts
    }

    #[test]
    fn texts_that_differ_a_little_hash_apart_in_the_bits_that_choose_a_way() {
        let texts = texts();
        for seed in [0, 1, 2, u64::MAX, 0x0123_4567_89AB_CDEF] {
            let seed = Seed::new(seed);
            let hashes: HashSet<u64> = texts.iter().map(|text| seed.text(text)).collect();
            assert_eq!(hashes.len(), texts.len(), "no two hashes are equal");
            for shift in [0, 20, 40] {
                let mut ways = [0usize; 32];
                hashes.iter().for_each(|hash| ways[(hash >> shift & 31) as usize] += 1);
                let fair = texts.len() / 32;
                assert!(ways.iter().all(|&way| way > fair / 2 && way < fair * 2), "{ways:?} at {shift}");
            }
        }
    }

    #[test]
    fn numbers_in_a_row_hash_apart_in_the_bits_that_choose_a_way() {
        let seed = Seed::new(7);
        let mut ways = [0usize; 1024];
        (0..102_400u64).for_each(|key| ways[(seed.key(&key) & 1023) as usize] += 1);
        assert!(ways.iter().all(|&way| way > 50 && way < 200), "{ways:?}");
    }

    #[test]
    fn another_seed_gives_other_hashes() {
        let same = texts().iter().filter(|text| Seed::new(1).text(text) == Seed::new(2).text(text)).count();
        assert_eq!(same, 0);
        assert_ne!(Seed::new(1).key("a"), Seed::new(2).key("a"));
    }
}
