//! Certificates and keys from one form into another. Nothing is written anywhere: bytes in, bytes out.

use x509_cert::der::pem::LineEnding;

mod key;
mod order;
mod read;
mod write;

pub use key::{public_key_of, to_pkcs8};
pub use order::{OrderError, Ordered, order};
pub use read::{Contents, PlainKey, ReadError};
#[cfg(feature = "encrypted-keys")]
pub use write::encrypt_key;
#[cfg(feature = "pkcs12")]
pub use write::to_pkcs12;
pub use write::{
    COMPAT_ITERATIONS, ConvertError, KEY_ITERATIONS, PKCS12_ITERATIONS, Pkcs12Encryption, Salt, key_to_pem,
};

/// DER as PEM (RFC 7468) under a label, in lines of 64 characters. Empty if the label is none.
#[must_use]
pub fn to_pem(label: &'static str, der: &[u8]) -> String {
    x509_cert::der::pem::encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

#[cfg(test)]
mod tests;
