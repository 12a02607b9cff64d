//! PEM (RFC 7468) in the states in which people have it.
//!
//! Tolerated: a byte order mark, any line ends, indentation, text between sections, `\n` written as
//! two characters, and line breaks lost altogether, as in the `encodedCertificate` of Event Grid's
//! samples. What is not PEM is named for what it is.

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{PemObject, SectionKind};

use crate::certificate::{Certificate, CertificateError};
use crate::file::MAX_FILE_BYTES;

mod content;
pub use content::PemContent;

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
    /// There is no certificate in it.
    #[error("it holds no certificate, but {found}")]
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
}

/// All certificates of a PEM text, in its order; other sections are passed over.
///
/// # Errors
/// When the text is damaged, holds no certificate, or holds one that cannot be parsed.
pub fn certificates(text: &[u8]) -> Result<Vec<Certificate>, PemError> {
    Bundle::read(text)?.into_certificates()
}

/// Certificates as PEM text, in lines of 64 characters.
#[must_use]
pub fn encode(certificates: &[Certificate]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in certificate.der().chunks(48) {
            for group in line.chunks(3) {
                let octet = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
                let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
                for place in 0..4 {
                    let sextet = (bits >> (18 - 6 * place) & 0x3f) as usize;
                    let padding = place > group.len();
                    text.push(if padding { '=' } else { ALPHABET.get(sextet).copied().map_or('=', char::from) });
                }
            }
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// Everything that was found in one text.
pub(crate) struct Bundle {
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) keys: Vec<PrivateKeyDer<'static>>,
    /// What is there besides certificates and usable keys; the first is the most telling.
    pub(crate) others: Vec<PemContent>,
}

impl Bundle {
    pub(crate) fn read(text: &[u8]) -> Result<Self, PemError> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            return Err(PemError::TooLarge);
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut bundle = Self { certificates: Vec::new(), keys: Vec::new(), others: Vec::new() };
        if let Some(not_text) = PemContent::recognise_binary(text) {
            bundle.others.push(not_text);
            return Ok(bundle);
        }
        let text = unescape(text);
        bundle.read_sections(&text)?;
        if bundle.certificates.is_empty()
            && bundle.keys.is_empty()
            && bundle.others.is_empty()
            && let Some(at) = find(&text, b"BEGIN ")
        {
            return Err(PemError::NearlyHeader { line: line_of(&text, at) });
        }
        Ok(bundle)
    }

    /// What is there instead of a certificate or key.
    pub(crate) fn other(&self) -> PemContent {
        if let Some(other) = self.others.first() {
            other.clone()
        } else if !self.keys.is_empty() {
            PemContent::PrivateKey
        } else if !self.certificates.is_empty() {
            PemContent::Certificate
        } else {
            PemContent::NotPem
        }
    }

    pub(crate) fn into_certificates(self) -> Result<Vec<Certificate>, PemError> {
        if self.certificates.is_empty() {
            return Err(PemError::NoCertificate { found: self.other() });
        }
        parse(self.certificates)
    }

    fn read_sections(&mut self, text: &[u8]) -> Result<(), PemError> {
        let mut position = 0;
        while let Some(section) = Section::next(text, position)? {
            position = section.next;
            match section.label {
                b"CERTIFICATE" | b"X509 CERTIFICATE" => {
                    self.certificates.push(section.decode(b"CERTIFICATE", SectionKind::Certificate)?);
                }
                b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" if section.is_encrypted() => {
                    self.others.push(PemContent::EncryptedTraditionalKey);
                }
                b"PRIVATE KEY" => {
                    let der = section.decode(section.label, SectionKind::PrivateKey)?;
                    self.keys.push(PrivateKeyDer::Pkcs8(der.into()));
                }
                b"RSA PRIVATE KEY" => {
                    let der = section.decode(section.label, SectionKind::RsaPrivateKey)?;
                    self.keys.push(PrivateKeyDer::Pkcs1(der.into()));
                }
                b"EC PRIVATE KEY" => {
                    let der = section.decode(section.label, SectionKind::EcPrivateKey)?;
                    self.keys.push(PrivateKeyDer::Sec1(der.into()));
                }
                // What OpenSSL writes before an EC key; the key repeats it.
                b"EC PARAMETERS" => {}
                label => self.others.push(PemContent::from_label(label)),
            }
        }
        Ok(())
    }
}

pub(crate) fn parse(ders: Vec<Vec<u8>>) -> Result<Vec<Certificate>, PemError> {
    ders.iter()
        .enumerate()
        .map(|(index, der)| {
            Certificate::from_der(der).map_err(|source| PemError::BadCertificate { number: index + 1, source })
        })
        .collect()
}

struct Section<'a> {
    label: &'a [u8],
    body: &'a [u8],
    text: &'a [u8],
    /// Where it begins in the text.
    start: usize,
    /// Where the search for the next section starts.
    next: usize,
}

impl<'a> Section<'a> {
    fn next(text: &'a [u8], from: usize) -> Result<Option<Self>, PemError> {
        const BEGIN: &[u8] = b"-----BEGIN ";
        const DASHES: &[u8] = b"-----";
        let rest = text.get(from..).unwrap_or_default();
        let Some(start) = find(rest, BEGIN) else { return Ok(None) };
        let line = || line_of(text, from + start);
        let after_begin = rest.get(start + BEGIN.len()..).unwrap_or_default();
        let label = match find(after_begin, DASHES).and_then(|end| after_begin.get(..end)) {
            Some(label) if label.len() <= 64 && label.iter().all(|byte| (0x20..0x7f).contains(byte)) => label,
            _ => return Err(PemError::NearlyHeader { line: line() }),
        };
        let body = after_begin.get(label.len() + DASHES.len()..).unwrap_or_default();
        let end_line = [b"-----END ", label, DASHES].concat();
        let cut_off = || PemError::CutOff { label: String::from_utf8_lossy(label).into_owned(), line: line() };
        let end = find(body, &end_line).ok_or_else(cut_off)?;
        let contents = body.get(..end).unwrap_or_default();
        if find(contents, BEGIN).is_some() {
            return Err(cut_off());
        }
        let next = from + start + BEGIN.len() + label.len() + DASHES.len() + end + end_line.len();
        Ok(Some(Self { label, body: contents, text, start: from + start, next }))
    }

    /// Is it OpenSSL's traditional encryption (RFC 1421 headers)?
    fn is_encrypted(&self) -> bool {
        find(self.body, b"4,ENCRYPTED").is_some()
    }

    /// Decodes the body, whatever its line breaks were.
    fn decode(&self, label: &[u8], kind: SectionKind) -> Result<Vec<u8>, PemError> {
        let body: Vec<u8> = self.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let canonical = [b"-----BEGIN ", label, b"-----\n", &body, b"\n-----END ", label, b"-----\n"].concat();
        match <(SectionKind, Vec<u8>)>::from_pem_slice(&canonical) {
            Ok((found, der)) if found == kind && !der.is_empty() => Ok(der),
            _ => Err(PemError::BadBase64 {
                label: String::from_utf8_lossy(self.label).into_owned(),
                line: line_of(self.text, self.start),
            }),
        }
    }
}

/// Turns `\n` and `\r` written as two characters (from JSON, YAML or an environment) into breaks.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && matches!(bytes.peek(), Some(b'n' | b'r')) {
            bytes.next();
            plain.push(b'\n');
        } else {
            plain.push(byte);
        }
    }
    plain
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn line_of(text: &[u8], position: usize) -> usize {
    1 + text.iter().take(position).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
