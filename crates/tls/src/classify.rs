//! What bytes really are, before anybody trusts the name of the file they came from.
//!
//! [`classify`] looks at the bytes alone. It never fails and takes time in proportion to their
//! number; what it cannot name is [`Content::Text`] or [`Content::Binary`]. The readers of this crate
//! stand on the same code, so that what the classifier names is what is read.

use std::fmt;

use zeroize::Zeroizing;

use crate::pem::PemError;
use crate::tlv;

mod content;
pub(crate) mod der;
mod findings;
mod oddity;
mod sections;
mod text;

pub use content::{Content, Encoding, KeyForm, Pkcs12Form};
pub use oddity::Oddity;

/// The most certificates, keys and other pieces that are taken from one source: 1000.
pub const MAX_PIECES: usize = 1000;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// What it is.
    pub content: Content,
    /// How it is written.
    pub encoding: Encoding,
    /// The line where it begins, from 1; absent for what is not text.
    pub line: Option<usize>,
}

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Classified {
    /// What was found, in the order of the bytes. Never empty: without anything else it names the whole.
    pub items: Vec<Item>,
    /// What is unusual about how it is written.
    pub oddities: Vec<Oddity>,
}

impl Classified {
    /// The first thing that was found.
    #[must_use]
    pub fn content(&self) -> &Content {
        self.items.first().map_or(&Content::Empty, |item| &item.content)
    }

    /// Is there a certificate, in whatever wrapping?
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.items.iter().any(|item| item.content.is_certificate())
    }

    /// Is there a private key, in whatever wrapping, encrypted or not?
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.items.iter().any(|item| item.content.is_key())
    }
}

impl fmt::Display for Classified {
    /// `2 certificates in PEM, a PKCS#8 private key in PEM; Windows line ends`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.items.as_slice();
        let mut first = true;
        while let Some(item) = rest.first() {
            let same =
                rest.iter().take_while(|next| next.content == item.content && next.encoding == item.encoding).count();
            rest = rest.get(same..).unwrap_or_default();
            if !first {
                f.write_str(", ")?;
            }
            first = false;
            match (same, &item.content) {
                (0 | 1, content) => write!(f, "{content}")?,
                (_, Content::Certificate) => write!(f, "{same} certificates")?,
                (_, Content::PrivateKey(form)) => write!(f, "{same} private keys in {form}")?,
                (_, Content::RevocationList) => write!(f, "{same} revocation lists (CRL)")?,
                (_, content) => write!(f, "{same} × {content}")?,
            }
            f.write_str(item.encoding.suffix())?;
        }
        for (place, oddity) in self.oddities.iter().enumerate() {
            write!(f, "{}{oddity}", if place == 0 { "; " } else { ", " })?;
        }
        Ok(())
    }
}

/// Says what bytes are.
#[must_use]
pub fn classify(bytes: &[u8]) -> Classified {
    Dissected::new(bytes).classified
}

/// One thing with its bytes: DER, or what an encrypted or foreign section holds.
pub(crate) struct Piece {
    pub(crate) content: Content,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Bytes taken apart.
pub(crate) struct Dissected {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) classified: Classified,
    /// The first thing about the text that is damaged.
    pub(crate) damage: Option<PemError>,
}

impl Dissected {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self::take_apart(bytes, true)
    }

    fn take_apart(bytes: &[u8], unwrap: bool) -> Self {
        let mut found = Self {
            pieces: Vec::new(),
            classified: Classified { items: Vec::new(), oddities: Vec::new() },
            damage: None,
        };
        if let Some(whole) = content::binary(bytes) {
            found.read_der(bytes, whole);
            return found;
        }
        let (plain, oddities) = text::normalise(bytes);
        found.classified.oddities = oddities;
        found.read_text(&plain, unwrap);
        found
    }

    fn add(&mut self, content: Content, encoding: Encoding, line: Option<usize>, der: Zeroizing<Vec<u8>>) {
        if self.pieces.len() >= MAX_PIECES {
            self.damage.get_or_insert(PemError::TooMany);
            return;
        }
        self.classified.items.push(Item { content: content.clone(), encoding, line });
        self.pieces.push(Piece { content, der });
    }

    /// One or several DER values, one after the other.
    fn read_der(&mut self, bytes: &[u8], whole: Content) {
        let mut rest = bytes;
        while !rest.is_empty() && self.damage.is_none() {
            match tlv::take(&mut rest) {
                Some(value) => {
                    let content = der::kind(value).unwrap_or(Content::Der);
                    self.add(content, Encoding::Der, None, Zeroizing::new(value.to_vec()));
                }
                // A final newline or padding, as some tools leave it, means nothing.
                None if !self.pieces.is_empty() && rest.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n')) => break,
                None if self.pieces.is_empty() => {
                    let damaged = matches!(whole, Content::Der);
                    self.add(whole, Encoding::None, None, Zeroizing::new(Vec::new()));
                    if damaged {
                        self.classified.oddities.push(Oddity::DerCutOff);
                    }
                    break;
                }
                None => {
                    self.classified.oddities.push(Oddity::DerCutOff);
                    break;
                }
            }
        }
    }

    fn read_text(&mut self, plain: &[u8], unwrap: bool) {
        let scan = sections::scan(plain);
        self.classified.oddities.extend(scan.oddities);
        self.damage = scan.damage;
        for section in scan.sections {
            match section.decode() {
                Ok(der) => {
                    let content = Content::of_section(section.label, section.is_encrypted(), &der);
                    self.add(content, Encoding::Pem, Some(section.line), der);
                }
                Err(error) => {
                    let Some(content) = Content::undecoded(section.label, section.is_encrypted()) else {
                        let label = String::from_utf8_lossy(section.label).into_owned();
                        self.classified.oddities.push(Oddity::BadBase64 { label, line: section.line });
                        self.damage.get_or_insert(error);
                        continue;
                    };
                    self.add(content, Encoding::Pem, Some(section.line), Zeroizing::new(Vec::new()));
                }
            }
        }
        if !self.pieces.is_empty() {
            return;
        }
        if unwrap && self.damage.is_none() && self.read_base64(plain) {
            return;
        }
        self.classified.items.push(Item { content: content::text(plain), encoding: Encoding::None, line: None });
    }

    /// Base64 without a header, around DER or around a whole PEM text (as in a Kubernetes secret).
    fn read_base64(&mut self, plain: &[u8]) -> bool {
        let Some(decoded) = sections::bare_base64(plain) else { return false };
        let inner = Self::take_apart(&decoded, false);
        let useful = |piece: &Piece| !matches!(piece.content, Content::Der);
        if !inner.pieces.iter().any(useful) {
            return false;
        }
        self.classified.oddities.push(if inner.classified.items.iter().any(|item| item.encoding == Encoding::Pem) {
            Oddity::WrappedInBase64
        } else {
            Oddity::HeaderMissing
        });
        self.classified.oddities.extend(inner.classified.oddities);
        self.classified.items.extend(inner.classified.items.into_iter().map(|mut item| {
            if item.encoding == Encoding::Der {
                item.encoding = Encoding::Base64;
            }
            item
        }));
        self.pieces = inner.pieces;
        self.damage = inner.damage;
        true
    }
}

#[cfg(test)]
mod tests;
