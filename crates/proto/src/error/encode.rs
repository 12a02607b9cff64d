//! What a caller can do wrong.

use super::SpecViolation;
use crate::Version;
use crate::packet::PacketType;

/// A packet cannot be encoded as it stands; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The connection's version has no place for what is set.
    #[error("{packet}: {field} cannot be sent on {version}; leave it out on such a connection")]
    NotInVersion {
        /// The packet.
        packet: PacketType,
        /// What is set.
        field: &'static str,
        /// The connection's version.
        version: Version,
    },
    /// A string or binary field is over 65,535 bytes.
    #[error("{field} is {bytes} bytes long; a field holds 65535 at most")]
    FieldTooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The whole packet is larger than the peer allows, or than the standard does (268,435,460 bytes).
    #[error("{packet} is {bytes} bytes long, more than the {limit} that may be sent")]
    PacketTooLarge {
        /// The packet.
        packet: PacketType,
        /// Its whole length in bytes.
        bytes: usize,
        /// What may be sent, in bytes.
        limit: u32,
    },
    /// The packet would break the standard.
    #[error("{0}")]
    Forbidden(SpecViolation),
}

impl From<SpecViolation> for EncodeError {
    fn from(violation: SpecViolation) -> Self {
        Self::Forbidden(violation)
    }
}
