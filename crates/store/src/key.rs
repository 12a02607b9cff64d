//! Tables, and keys that begin with a namespace and keep the order of their parts.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

/// Ends a part; sorts before every byte that can continue one.
const END: [u8; 2] = [0, 1];
/// Stands for a zero byte inside a part.
const ZERO: [u8; 2] = [0, 0xff];
const NAMESPACE_BYTES: usize = 4;

/// A table, declared by the module that owns what is in it: `pub const SESSIONS: Table = Table::new("sessions");`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    name: &'static str,
}

impl Table {
    /// The table called `name`. Two declarations with one name are one table.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// Its name, as the engine stores it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// Which namespace a row belongs to. Every key begins with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NamespaceId(u32);

impl NamespaceId {
    /// The namespace of a listener that was given none.
    pub const DEFAULT: Self = Self(0);

    /// The namespace with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A key: a namespace and a list of parts.
///
/// Keys sort as (namespace, part, part, …) sort, and no two lists have the same bytes. A key with fewer parts is a
/// prefix of exactly those keys that begin with its parts: `["a"]` is a prefix of `["a", "b"]` but not of `["ab"]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The key of these parts in this namespace.
    #[must_use]
    pub fn new(namespace: NamespaceId, parts: &[&[u8]]) -> Self {
        let len = NAMESPACE_BYTES + parts.iter().map(|part| part.len() + END.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&namespace.0.to_be_bytes());
        for part in parts {
            for &byte in *part {
                match byte {
                    0 => bytes.extend_from_slice(&ZERO),
                    byte => bytes.push(byte),
                }
            }
            bytes.extend_from_slice(&END);
        }
        Self(bytes.into())
    }

    /// A prefix of every key.
    pub(crate) const ANY: Self = Self(Bytes::new());

    /// Before every key of this namespace, and the end of these: `None` for the last one.
    #[must_use]
    pub fn range_of(namespace: NamespaceId) -> (Self, Option<Self>) {
        let end = namespace.0.checked_add(1).map(|next| Self::new(NamespaceId(next), &[]));
        (Self::new(namespace, &[]), end)
    }

    /// Of the bytes that an engine stores: those of the namespace and the first part, and those of the other parts.
    ///
    /// # Errors
    /// When no key with parts begins with these bytes.
    pub fn split_bytes(bytes: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
        let first = bytes.get(NAMESPACE_BYTES..).ok_or(KeyError::NoNamespace)?;
        let rest = part(first, |_| {})?;
        Ok(bytes.split_at(bytes.len() - rest.len()))
    }

    /// Puts the first of these parts into `into`, and answers the bytes of those that follow it.
    ///
    /// # Errors
    /// When the bytes do not begin with a part.
    pub fn take_part<'a>(bytes: &'a [u8], into: &mut Vec<u8>) -> Result<&'a [u8], KeyError> {
        into.clear();
        part(bytes, |byte| into.push(byte))
    }

    /// The key that an engine stored as these bytes.
    ///
    /// # Errors
    /// When no key has these bytes.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, KeyError> {
        let (_, mut rest) = bytes.split_first_chunk::<NAMESPACE_BYTES>().ok_or(KeyError::NoNamespace)?;
        while !rest.is_empty() {
            rest = part(rest, |_| {})?;
        }
        Ok(Self(bytes))
    }

    /// The bytes that an engine stores.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The namespace and the parts.
    ///
    /// # Errors
    /// Only for a key that was not made by this type's functions.
    pub fn decode(&self) -> Result<(NamespaceId, Vec<Vec<u8>>), KeyError> {
        let (namespace, mut rest) = self.0.split_first_chunk::<NAMESPACE_BYTES>().ok_or(KeyError::NoNamespace)?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let mut bytes = Vec::new();
            rest = part(rest, |byte| bytes.push(byte))?;
            parts.push(bytes);
        }
        Ok((NamespaceId(u32::from_be_bytes(*namespace)), parts))
    }

    /// The key of the first part alone, and the other parts.
    ///
    /// # Errors
    /// For a key without parts.
    pub fn split_first(&self) -> Result<(Self, Vec<Vec<u8>>), KeyError> {
        let mut rest = self.0.get(NAMESPACE_BYTES..).unwrap_or_default();
        rest = part(rest, |_| {})?;
        let first = Self(self.0.slice(..self.0.len() - rest.len()));
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let mut bytes = Vec::new();
            rest = part(rest, |byte| bytes.push(byte))?;
            parts.push(bytes);
        }
        Ok((first, parts))
    }

    /// Whether this key begins with the namespace and parts of `prefix`.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }
}

/// Hands the bytes of the first part to `each`, and answers what follows it.
fn part(mut rest: &[u8], mut each: impl FnMut(u8)) -> Result<&[u8], KeyError> {
    loop {
        rest = match *rest {
            [] | [0] => return Err(KeyError::Cut),
            [0, 1, ref rest @ ..] => return Ok(rest),
            [0, 0xff, ref rest @ ..] => {
                each(0);
                rest
            }
            [0, other, ..] => return Err(KeyError::Escape(other)),
            [byte, ref rest @ ..] => {
                each(byte);
                rest
            }
        };
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decode() {
            Ok((namespace, parts)) => {
                write!(f, "Key({}", namespace.0)?;
                for part in parts {
                    write!(f, "/{}", part.escape_ascii())?;
                }
                f.write_str(")")
            }
            Err(_) => write!(f, "Key(?{})", self.0.escape_ascii()),
        }
    }
}

/// Why bytes are no key. The stored data is damaged or another program's.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Fewer bytes than a namespace takes.
    #[error("a stored key is shorter than a namespace number")]
    NoNamespace,
    /// The last part has no end.
    #[error("the last part of a stored key is cut off")]
    Cut,
    /// A zero byte is followed by what no key has.
    #[error("a stored key has the unknown escape 0x{0:02x}")]
    Escape(u8),
}
