//! Reading fields out of one packet's bytes without copying them (MQTT 5.0 §1.5).

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use crate::PacketId;
use crate::error::{Rule, SpecViolation, statements};

/// What is left of a packet.
#[derive(Debug)]
pub(super) struct Reader(Bytes);

/// What the bytes of a variable byte integer say so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Varint {
    /// A value and the number of its bytes.
    Whole(u32, usize),
    /// More bytes must come.
    Partial,
}

/// Reads a variable byte integer off the front of `bytes` (MQTT 5.0 §1.5.5).
pub(super) fn varint(bytes: &[u8]) -> Result<Varint, SpecViolation> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(SpecViolation::of(&statements::VARINT_MINIMAL));
            }
            return Ok(Varint::Whole(value, index + 1));
        }
    }
    if bytes.len() < 4 { Ok(Varint::Partial) } else { Err(SpecViolation::of(&statements::VARINT_LONG)) }
}

impl Reader {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Refuses what follows the last field.
    pub(super) fn end(&self) -> Result<(), SpecViolation> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(SpecViolation::of(&statements::TRAILING).seen(format_args!("{more} bytes more"))),
        }
    }

    fn short(&self, field: &str, needs: usize) -> SpecViolation {
        let left = self.0.len();
        SpecViolation::of(&statements::TRUNCATED).seen(format_args!("{field} needs {needs} bytes, {left} are left"))
    }

    fn take(&mut self, length: usize, field: &str) -> Result<Bytes, SpecViolation> {
        if length > self.0.len() {
            return Err(self.short(field, length));
        }
        Ok(self.0.split_to(length))
    }

    /// The next `length` bytes as a reader of their own.
    pub(super) fn section(&mut self, length: u32, field: &str) -> Result<Self, SpecViolation> {
        if length == 0 {
            // Most properties are empty, and an empty slice of the buffer would hold it like any other.
            return Ok(Self(Bytes::new()));
        }
        self.take(usize::try_from(length).unwrap_or(usize::MAX), field).map(Self)
    }

    pub(super) fn u8(&mut self, field: &str) -> Result<u8, SpecViolation> {
        self.0.try_get_u8().map_err(|_| self.short(field, 1))
    }

    pub(super) fn u16(&mut self, field: &str) -> Result<u16, SpecViolation> {
        self.0.try_get_u16().map_err(|_| self.short(field, 2))
    }

    pub(super) fn u32(&mut self, field: &str) -> Result<u32, SpecViolation> {
        self.0.try_get_u32().map_err(|_| self.short(field, 4))
    }

    pub(super) fn varint(&mut self, field: &str) -> Result<u32, SpecViolation> {
        match varint(&self.0).map_err(|violation| violation.seen(field))? {
            Varint::Whole(value, length) => {
                self.0.advance(length);
                Ok(value)
            }
            Varint::Partial => Err(self.short(field, self.0.len() + 1)),
        }
    }

    /// Binary data: a length of two bytes and as many bytes as it says.
    pub(super) fn binary(&mut self, field: &str) -> Result<Bytes, SpecViolation> {
        let length = self.u16(field)?;
        self.take(usize::from(length), field)
    }

    /// A UTF-8 string that may still contain U+0000: topics check that with the rest of their rules.
    pub(super) fn text(&mut self, field: &str) -> Result<ByteString, SpecViolation> {
        ByteString::try_from(self.binary(field)?).map_err(|error| {
            let at = error.valid_up_to();
            SpecViolation::of(&statements::UTF8).seen(format_args!("{field}, at byte {at}"))
        })
    }

    /// A UTF-8 string.
    pub(super) fn string(&mut self, field: &str) -> Result<ByteString, SpecViolation> {
        let text = self.text(field)?;
        match text.as_bytes().iter().position(|&byte| byte == 0) {
            None => Ok(text),
            Some(at) => Err(SpecViolation::of(&statements::NUL).seen(format_args!("{field}, at byte {at}"))),
        }
    }

    /// A packet identifier; `rule` is the one that 0 breaks.
    pub(super) fn packet_id(&mut self, rule: &'static Rule) -> Result<PacketId, SpecViolation> {
        PacketId::new(self.u16("the packet identifier")?).ok_or_else(|| SpecViolation::of(rule))
    }
}

#[cfg(test)]
mod tests;
