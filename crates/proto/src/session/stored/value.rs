//! Fields of a stored value, and what can be wrong with a stored row.

use bytes::{Buf, Bytes};
use bytestring::ByteString;
use thiserror::Error;

use crate::topic::TopicError;

/// What every value begins with.
const FORMAT: u8 = 1;

/// Why a row cannot be read. The store is damaged, or was written by another version.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The value begins with another format byte.
    #[error("its format {0} is not known to this version")]
    Format(u8),
    /// The value ends inside a field.
    #[error("its value is {missing} bytes too short")]
    Short {
        /// Bytes that the field lacks.
        missing: usize,
    },
    /// Something follows the last field.
    #[error("its value is {0} bytes too long")]
    Long(usize),
    /// A text is not UTF-8.
    #[error("a text in it is not UTF-8")]
    Text,
    /// A topic name or filter is none.
    #[error("a topic in it is invalid: {0}")]
    Topic(TopicError),
    /// Bits without a meaning are set, or bits that exclude each other.
    #[error("its flags 0x{0:02x} have no meaning")]
    Flags(u8),
    /// A packet or subscription identifier is zero.
    #[error("an identifier in it is zero")]
    ZeroIdentifier,
    /// The key has not the parts that keys of this table have.
    #[error("its key is not made as keys of this table are")]
    KeyParts,
}

/// Builds a value.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A value of about `capacity` bytes after the format byte.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity.saturating_add(1));
        bytes.push(FORMAT);
        Self(bytes)
    }

    /// One byte.
    pub fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    /// Two bytes, the higher first.
    pub fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// A number of things. A packet has 268,435,455 bytes at most, so nothing that it carried exceeds the field.
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// A length and that many bytes.
    pub fn data(&mut self, data: &[u8]) {
        self.count(data.len());
        self.0.extend_from_slice(data);
    }

    /// The value.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.0.into()
    }
}

/// Takes a value apart. What it hands out shares the value's memory.
#[derive(Debug)]
pub struct Reader(Bytes);

impl Reader {
    /// Checks the format byte.
    ///
    /// # Errors
    /// When it is not known.
    pub fn new(value: Bytes) -> Result<Self, Fault> {
        let mut reader = Self(value);
        match reader.u8()? {
            FORMAT => Ok(reader),
            other => Err(Fault::Format(other)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let array = *self.0.first_chunk().ok_or_else(|| self.short(N))?;
        self.0.advance(N);
        Ok(array)
    }

    fn short(&self, wanted: usize) -> Fault {
        Fault::Short { missing: wanted.saturating_sub(self.0.len()) }
    }

    /// One byte.
    ///
    /// # Errors
    /// When the value is too short.
    pub fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// When the value is too short.
    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// When the value is too short.
    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// When the value is too short.
    pub fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    /// A length and that many bytes.
    ///
    /// # Errors
    /// When the value is too short.
    pub fn data(&mut self) -> Result<Bytes, Fault> {
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if len > self.0.len() {
            return Err(self.short(len));
        }
        Ok(self.0.split_to(len))
    }

    /// Data in UTF-8.
    ///
    /// # Errors
    /// When the value is too short or not UTF-8.
    pub fn text(&mut self) -> Result<ByteString, Fault> {
        text(self.data()?)
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// When something does.
    pub fn end(self) -> Result<(), Fault> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(Fault::Long(left)),
        }
    }
}

/// These bytes as text.
///
/// # Errors
/// When they are not UTF-8.
pub fn text(bytes: Bytes) -> Result<ByteString, Fault> {
    ByteString::try_from(bytes).map_err(|_| Fault::Text)
}
