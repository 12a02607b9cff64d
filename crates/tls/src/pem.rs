//! PEM (RFC 7468) in the states in which people have it, and what else certificates come in.
//!
//! Tolerated: a byte order mark, UTF-16, any line ends, indentation, text between sections, `\n`
//! written as two characters, line breaks lost altogether, as in the `encodedCertificate` of Event
//! Grid's samples, base64 without a header, `TRUSTED CERTIFICATE`, DER and PKCS#7. What is none of
//! these is named for what it is; see [`classify`](crate::classify).

use crate::certificate::{Certificate, CertificateError};
use crate::classify::{Content, MAX_PIECES};
use crate::file::MAX_FILE_BYTES;

mod material;

pub(crate) use material::{Material, parse};

/// What was found where a certificate or key was expected.
pub type PemContent = Content;

/// Why bytes could not be read as PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// A section begins and does not end (catalogue A05).
    #[error("it is cut off: the {label} section that begins on line {line} has no end; copy the whole file again")]
    CutOff {
        /// The section's label.
        label: String,
        /// The line of its BEGIN, from 1.
        line: usize,
    },
    /// A section's body is not base64.
    #[error("the {label} section that begins on line {line} is damaged: its body is not base64; copy the file again")]
    BadBase64 {
        /// The section's label.
        label: String,
        /// The line of its BEGIN, from 1.
        line: usize,
    },
    /// A line that was meant as a PEM header (catalogue A10).
    #[error("line {line} looks like a PEM header with the wrong dashes: it must be -----BEGIN …-----")]
    NearlyHeader {
        /// The line, from 1.
        line: usize,
    },
    /// More than [`MAX_FILE_BYTES`].
    #[error("it is larger than {MAX_FILE_BYTES} bytes, so it is no certificate or key")]
    TooLarge,
    /// More than [`MAX_PIECES`] sections.
    #[error("it holds more than {MAX_PIECES} sections: name a file with fewer")]
    TooMany,
    /// There is no certificate in it.
    #[error("it holds no certificate, but {found}: {}", found.cure())]
    NoCertificate {
        /// What it holds instead.
        found: PemContent,
    },
    /// A section labelled as a certificate does not hold one.
    #[error("certificate number {number} in it cannot be read: {source}")]
    BadCertificate {
        /// Which certificate, from 1.
        number: usize,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A certificate is whole, and was issued against the rules (catalogue B17).
    #[error("certificate number {number} in it breaks the rules of RFC 5280, so it is not read: {breach}")]
    AgainstTheRules {
        /// Which certificate, from 1.
        number: usize,
        /// What is so, and what should be.
        breach: String,
    },
}

/// All certificates of a text or a file's bytes, in their order; whatever else is there is passed over.
///
/// # Errors
/// When the text is damaged, holds no certificate, or holds one that cannot be parsed.
pub fn certificates(text: &[u8]) -> Result<Vec<Certificate>, PemError> {
    Material::read(text)?.into_certificates()
}

/// Certificates as PEM text, in lines of 64 characters.
#[must_use]
pub fn encode(certificates: &[Certificate]) -> String {
    certificates.iter().map(|certificate| crate::convert::to_pem("CERTIFICATE", certificate.der())).collect()
}

#[cfg(test)]
mod tests;
