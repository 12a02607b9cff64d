//! What a message carries, so that whoever receives it knows which it is and when it was meant to leave.

/// Bytes that every payload begins with.
pub const HEADER: usize = 16;

/// The first [`HEADER`] bytes of a payload, little endian: run, stream, sequence number, time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the layout of the header")]
pub struct Stamp {
    /// Which run sent it.
    pub run: u16,
    /// Which publisher.
    pub stream: u16,
    /// Its number in the stream, from 0.
    pub seq: u32,
    /// Nanoseconds from the run's epoch to when it left, or at a given rate to when it should have left.
    pub sent: u64,
}

impl Stamp {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER] {
        let word = u128::from(self.run)
            | u128::from(self.stream) << 16
            | u128::from(self.seq) << 32
            | u128::from(self.sent) << 64;
        word.to_le_bytes()
    }

    /// Off the front of a payload; `None` if that is too short.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "each field is cut out of the word")]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let word = u128::from_le_bytes(*payload.first_chunk::<HEADER>()?);
        Some(Self {
            run: word as u16,
            stream: (word >> 16) as u16,
            seq: (word >> 32) as u32,
            sent: (word >> 64) as u64,
        })
    }
}

/// The byte at that place behind the header, for that stream.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "a pattern of bytes")]
pub const fn filler(run: u16, stream: u16, place: usize) -> u8 {
    (run as u8) ^ (stream as u8).rotate_left(3) ^ (place as u8).wrapping_mul(29) ^ 0xA5
}

/// How much of a payload is compared with what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_enums, reason = "all or the ends")]
pub enum Check {
    /// The length, and the first and the last byte behind the header.
    #[default]
    Ends,
    /// Every byte.
    All,
}

/// Whether the payload of that size is what the stream sends.
#[must_use]
pub fn is_whole(payload: &[u8], stamp: Stamp, size: usize, check: Check) -> bool {
    let Some(body) = payload.get(HEADER..) else { return false };
    if payload.len() != size {
        return false;
    }
    let right = |(place, &byte): (usize, &u8)| byte == filler(stamp.run, stamp.stream, place);
    match check {
        Check::All => body.iter().enumerate().all(right),
        Check::Ends => {
            let last = body.len().wrapping_sub(1);
            body.first().is_none_or(|byte| right((0, byte))) && body.last().is_none_or(|byte| right((last, byte)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(stamp: Stamp, size: usize) -> Vec<u8> {
        let mut payload = stamp.to_bytes().to_vec();
        payload.extend((0..size - HEADER).map(|place| filler(stamp.run, stamp.stream, place)));
        payload
    }

    #[test]
    fn a_stamp_survives_its_bytes() {
        let stamp = Stamp { run: 0xBEEF, stream: 513, seq: 0xDEAD_0001, sent: u64::MAX - 7 };
        assert_eq!(Stamp::read(&stamp.to_bytes()), Some(stamp));
        assert_eq!(Stamp::read(&stamp.to_bytes()[..15]), None);
    }

    #[test]
    fn a_payload_is_whole_unless_a_byte_or_its_length_differs() {
        let stamp = Stamp { run: 7, stream: 3, seq: 9, sent: 1 };
        let good = payload(stamp, 64);
        assert!(is_whole(&good, stamp, 64, Check::All) && is_whole(&good, stamp, 64, Check::Ends));
        assert!(!is_whole(&good, stamp, 65, Check::Ends), "another size");
        let mut middle = good.clone();
        middle[40] ^= 1;
        assert!(!is_whole(&middle, stamp, 64, Check::All));
        assert!(is_whole(&middle, stamp, 64, Check::Ends), "which looks at the ends only");
        let mut last = good;
        last[63] ^= 1;
        assert!(!is_whole(&last, stamp, 64, Check::Ends));
    }

    #[test]
    fn a_payload_may_be_the_header_alone() {
        let stamp = Stamp { run: 7, stream: 3, seq: 9, sent: 1 };
        assert!(is_whole(&stamp.to_bytes(), stamp, HEADER, Check::All));
        assert!(is_whole(&stamp.to_bytes(), stamp, HEADER, Check::Ends));
    }
}
