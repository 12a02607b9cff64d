//! Distinguished names.

use std::fmt;
use std::sync::OnceLock;

use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::name::Name;

use super::CertificateError;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// A subject's or issuer's name (RFC 5280 §4.1.2.4). Two are equal when their DER is.
#[derive(Clone)]
pub struct DistinguishedName {
    der: Vec<u8>,
    /// Made when somebody asks: most names of a handshake are only compared.
    words: OnceLock<Words>,
}

#[derive(Clone, Default)]
struct Words {
    text: String,
    common_name: Option<String>,
}

impl Words {
    fn of(name: &Name) -> Self {
        let common_name =
            name.iter().filter(|attribute| attribute.oid == COMMON_NAME).last().and_then(|cn| text_of(&cn.value));
        Self { text: printable(&name.to_string()), common_name }
    }
}

impl DistinguishedName {
    pub(crate) fn new(name: &Name) -> Result<Self, x509_cert::der::Error> {
        Ok(Self { der: name.to_der()?, words: OnceLock::new() })
    }

    /// Reads a name in DER.
    ///
    /// # Errors
    /// When the bytes are not exactly one name.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let bad = |error: x509_cert::der::Error| CertificateError::BadName(error.to_string());
        Self::new(&Name::from_der(der).map_err(bad)?).map_err(bad)
    }

    /// The common name: the most specific one, where there are several.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.words().common_name.as_deref()
    }

    /// The name in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Has it no attribute at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words().text.is_empty()
    }

    /// The DER was made from a name, so that reading it again cannot fail.
    fn words(&self) -> &Words {
        self.words.get_or_init(|| Name::from_der(&self.der).as_ref().map(Words::of).unwrap_or_default())
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for DistinguishedName {}

/// The form of RFC 4514, most specific attribute first, with control characters escaped.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.words().text;
        f.write_str(if text.is_empty() { "(no name)" } else { text })
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DistinguishedName").field(&self.words().text).finish()
    }
}

/// Escapes what could forge a line of a log or move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_unicode().collect() } else { vec![c] }).collect()
}

/// The characters of a directory string; `None` when they are not what their type says.
fn text_of(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect())
        }
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().copied().map(u16::from_be_bytes).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        _ => None,
    }
}
