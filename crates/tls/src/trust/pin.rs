//! Trust in one server alone.

use std::fmt;
use std::str::FromStr;

use crate::certificate::{Certificate, hex};

/// One certificate, or one key, that is believed without an authority.
///
/// What each does without, and what is still checked (that the server holds the key always is):
///
/// | | certificate | key |
/// |---|---|---|
/// | issuer, CA:FALSE, key usages, revocation | waived | waived |
/// | name | waived: that very certificate was looked at | checked |
/// | validity | checked | checked |
///
/// So the self-signed certificate with CA:TRUE that `openssl req -x509` makes works by pin, also
/// where it has no subject alternative name. A key pin outlives the renewal of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pin {
    /// SHA-256 of the certificate in DER.
    Certificate([u8; 32]),
    /// SHA-256 of the SubjectPublicKeyInfo in DER (as in RFC 7469).
    Key([u8; 32]),
}

/// A text that is no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pin is sha256: and the 64 hexadecimal digits of the certificate's SHA-256, or key-sha256: and those of its \
     public key's, with or without colons"
)]
pub struct BadPin;

impl Pin {
    /// The pin of exactly this certificate.
    #[must_use]
    pub fn of_certificate(certificate: &Certificate) -> Self {
        Self::Certificate(sha256(certificate.der()))
    }

    /// The pin of this certificate's key.
    #[must_use]
    pub fn of_key(certificate: &Certificate) -> Self {
        Self::Key(sha256(certificate.public_key()))
    }

    pub(super) fn matches(&self, certificate: &Certificate) -> bool {
        *self
            == match self {
                Self::Certificate(_) => Self::of_certificate(certificate),
                Self::Key(_) => Self::of_key(certificate),
            }
    }
}

/// `sha256:` or `key-sha256:` and 64 hexadecimal digits in any case; colons and spaces between them
/// are passed over. Without a prefix it is a certificate's.
impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        let (form, digits): (fn([u8; 32]) -> Self, &str) = match text.trim().split_once("sha256:") {
            Some(("", digits)) => (Self::Certificate, digits),
            Some(("key-", digits)) => (Self::Key, digits),
            Some(_) => return Err(BadPin),
            None => (Self::Certificate, text.trim()),
        };
        let mut bytes = [0_u8; 32];
        let mut nibbles = 0_usize;
        for c in digits.chars().filter(|c| *c != ':' && !c.is_whitespace()) {
            let value = c.to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(BadPin)?;
            let byte = bytes.get_mut(nibbles / 2).ok_or(BadPin)?;
            *byte = *byte << 4 | value;
            nibbles += 1;
        }
        if nibbles == 64 { Ok(form(bytes)) } else { Err(BadPin) }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(digest) => write!(f, "sha256:{}", hex(digest)),
            Self::Key(digest) => write!(f, "key-sha256:{}", hex(digest)),
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0_u8; 32];
    let computed = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    for (slot, byte) in digest.iter_mut().zip(computed.as_ref()) {
        *slot = *byte;
    }
    digest
}
