//! Writing fields: the same code first measures and checks, then writes (MQTT 5.0 §1.5).

use bytes::BytesMut;

use super::{MAX_PACKET_SIZE, MAX_REMAINING_LENGTH};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::packet::PacketType;

/// Where fields go.
pub(super) trait Sink {
    /// Whether this is the pass that checks; the other one follows it and need not.
    const CHECKS: bool;

    fn put(&mut self, bytes: &[u8]);

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// A variable byte integer. Above [`MAX_REMAINING_LENGTH`] the packet is too large anyway and is refused whole.
    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.u8((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    fn binary(&mut self, bytes: &[u8], field: &'static str) -> Result<(), EncodeError> {
        let length = u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong { field, bytes: bytes.len() })?;
        self.u16(length);
        self.put(bytes);
        Ok(())
    }

    fn string(&mut self, text: &str, field: &'static str) -> Result<(), EncodeError> {
        if Self::CHECKS && text.as_bytes().contains(&0) {
            return Err(SpecViolation::of(&statements::NUL).seen(field).into());
        }
        self.binary(text.as_bytes(), field)
    }
}

/// Measures.
#[derive(Debug, Default)]
pub(super) struct Counter(usize);

impl Sink for Counter {
    const CHECKS: bool = true;

    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

impl Sink for BytesMut {
    const CHECKS: bool = false;

    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Something that has a place in a packet.
pub(super) trait Part {
    /// Writes it, or measures it; both ways give the same number of bytes.
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError>;
}

/// How many bytes `part` takes.
pub(super) fn measure(part: &impl Part) -> Result<usize, EncodeError> {
    let mut counter = Counter::default();
    part.write(&mut counter)?;
    Ok(counter.0)
}

/// Writes `part` after its length as a variable byte integer: the form of properties.
pub(super) fn sized<S: Sink>(sink: &mut S, part: &impl Part) -> Result<(), EncodeError> {
    sink.varint(u32::try_from(measure(part)?).unwrap_or(u32::MAX));
    part.write(sink)
}

/// How many bytes a packet has whose fields take `remaining`.
pub(super) const fn packet_len(remaining: usize) -> usize {
    1 + varint_len(remaining) + remaining
}

const fn varint_len(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// Refuses a packet whose fields take `remaining` bytes if that is more than the standard or the peer allows.
pub(super) fn check_size(packet: PacketType, remaining: usize, max: Option<u32>) -> Result<(), EncodeError> {
    let limit = max.unwrap_or(MAX_PACKET_SIZE).min(MAX_PACKET_SIZE);
    let bytes = packet_len(remaining);
    if remaining > MAX_REMAINING_LENGTH as usize || bytes > limit as usize {
        return Err(EncodeError::PacketTooLarge { packet, bytes, limit });
    }
    Ok(())
}

/// Begins a packet whose fields take `remaining` bytes: makes room for all of it, and writes its fixed header.
pub(super) fn begin(first: u8, remaining: usize, out: &mut BytesMut) {
    out.reserve(packet_len(remaining));
    out.u8(first);
    out.varint(u32::try_from(remaining).unwrap_or(u32::MAX));
}

/// Appends a whole packet of `remaining` bytes after its fixed header, or nothing.
pub(super) fn append(first: u8, remaining: usize, fields: &impl Part, out: &mut BytesMut) -> Result<(), EncodeError> {
    let start = out.len();
    begin(first, remaining, out);
    let written = fields.write(out);
    if written.is_err() {
        out.truncate(start);
    }
    debug_assert!(written.is_err() || out.len() == start + packet_len(remaining), "measured as written");
    written
}
