//! Authentication by a registered thumbprint.

use std::fmt;
use std::str::FromStr;

use super::{VerifiedBy, VerifiedPeer, VerifyError, check_validity};
use crate::peer::PresentedPeer;

/// A certificate's SHA-256 or SHA-1 thumbprint, as lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(String);

/// A text that is no thumbprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a thumbprint is 64 hexadecimal digits (SHA-256) or 40 (SHA-1), with or without colons; this has {digits} digits\
     {}", if *.other { " and something else" } else { "" }
)]
pub struct BadThumbprint {
    digits: usize,
    other: bool,
}

impl Thumbprint {
    /// Reads 64 or 40 hexadecimal digits in any case; colons, spaces and the invisible characters
    /// that certificate viewers copy along are passed over.
    ///
    /// # Errors
    /// When that many digits, and nothing else, are not there.
    pub fn parse(text: &str) -> Result<Self, BadThumbprint> {
        let mut value = String::with_capacity(64);
        let mut digits = 0_usize;
        let mut other = false;
        for c in text.chars() {
            if c.is_ascii_hexdigit() {
                digits += 1;
                if digits <= 64 {
                    value.push(c.to_ascii_lowercase());
                }
            } else if !(c == ':' || c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{200b}' | '\u{feff}'))
            {
                other = true;
            }
        }
        if other || !matches!(digits, 40 | 64) {
            return Err(BadThumbprint { digits, other });
        }
        Ok(Self(value))
    }

    /// Lower-case hexadecimal without separators.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it SHA-1 (40 digits)? The rest are SHA-256.
    #[must_use]
    pub fn is_sha1(&self) -> bool {
        self.0.len() == 40
    }
}

impl FromStr for Thumbprint {
    type Err = BadThumbprint;

    fn from_str(text: &str) -> Result<Self, BadThumbprint> {
        Self::parse(text)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a presented leaf against registered thumbprints at `now` (seconds since 1970).
///
/// Who signed the certificate does not matter, nor whether it is a CA's: `openssl req -x509` makes
/// self-signed certificates with CA:TRUE, and they are welcome. Outside its validity it is refused.
///
/// # Errors
/// When no thumbprint matches, or the leaf is expired or not yet valid.
pub fn verify_thumbprint(
    presented: &PresentedPeer,
    allowed: &[Thumbprint],
    now: u64,
) -> Result<VerifiedPeer, VerifyError> {
    let leaf = presented.leaf();
    let matching = allowed.iter().find(|thumbprint| {
        let actual = if thumbprint.is_sha1() { leaf.thumbprint_sha1() } else { leaf.thumbprint_sha256() };
        actual == thumbprint.as_str()
    });
    let Some(matching) = matching else {
        return Err(VerifyError::ThumbprintMismatch {
            subject: leaf.subject().to_string(),
            sha256: leaf.thumbprint_sha256().to_owned(),
        });
    };
    check_validity(leaf, now)?;
    Ok(VerifiedPeer {
        leaf: leaf.clone(),
        chain_subjects: vec![leaf.subject().to_string()],
        how: VerifiedBy::Thumbprint(matching.clone()),
    })
}
