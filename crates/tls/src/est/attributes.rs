//! What a server wants to see in requests: `CsrAttrs` (RFC 7030 §4.5.2, RFC 9908).

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

use super::error::AnswerError;
use super::{MAX_ATTRIBUTES, MAX_BODY_BYTES};
use crate::issue::KeyType;
use crate::tlv::{self, OID, SEQUENCE, SET};

const CHALLENGE_PASSWORD: &str = "1.2.840.113549.1.9.7";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";

/// One thing that the server wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrAttribute {
    /// Something named by its object identifier alone, dotted: an algorithm, an attribute without value.
    Oid(String),
    /// An attribute with its values.
    Attribute {
        /// Its type, dotted.
        oid: String,
        /// Each value in DER.
        values: Vec<Vec<u8>>,
    },
}

/// All that the server wants; the order says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsrAttributes {
    entries: Vec<CsrAttribute>,
}

impl CsrAttributes {
    /// These attributes.
    #[must_use]
    pub const fn new(entries: Vec<CsrAttribute>) -> Self {
        Self { entries }
    }

    /// Asks for a key of one of these types.
    #[must_use]
    pub fn for_key(key: KeyType) -> Self {
        let curve = |oid: &str| CsrAttribute::Attribute {
            oid: EC_PUBLIC_KEY.to_owned(),
            values: oid_der(oid).into_iter().collect(),
        };
        let entry = match key {
            KeyType::EcdsaP256 => curve(P256),
            KeyType::EcdsaP384 => curve(P384),
            KeyType::Ed25519 => CsrAttribute::Oid(ED25519.to_owned()),
            KeyType::Rsa2048 => rsa(2048),
            KeyType::Rsa3072 => rsa(3072),
            KeyType::Rsa4096 => rsa(4096),
        };
        Self { entries: vec![entry] }
    }

    /// The entries as they came.
    #[must_use]
    pub fn entries(&self) -> &[CsrAttribute] {
        &self.entries
    }

    /// Does the server want the connection's `tls-unique` in the request (RFC 7030 §3.5)? TLS 1.3 has no such value,
    /// and this crate does not give that of TLS 1.2.
    #[must_use]
    pub fn wants_channel_binding(&self) -> bool {
        self.entries.iter().any(|entry| entry.oid() == CHALLENGE_PASSWORD)
    }

    /// The key that the server asks for, where it asks for one that can be made here.
    #[must_use]
    pub fn key_type(&self) -> Option<KeyType> {
        self.entries.iter().find_map(|entry| match (entry.oid(), entry.values()) {
            (EC_PUBLIC_KEY, values) => values.iter().find_map(|value| match dotted(value)?.as_str() {
                P256 => Some(KeyType::EcdsaP256),
                P384 => Some(KeyType::EcdsaP384),
                _ => None,
            }),
            (ED25519, _) => Some(KeyType::Ed25519),
            (RSA, values) => {
                let bits = values.iter().find_map(|value| u32::from_der(value).ok()).unwrap_or(2048);
                [(2048, KeyType::Rsa2048), (3072, KeyType::Rsa3072), (4096, KeyType::Rsa4096)]
                    .into_iter()
                    .find_map(|(size, key)| (bits <= size).then_some(key))
            }
            _ => None,
        })
    }

    /// As a body of `application/csrattrs`: DER in base64. Entries whose object identifier is none are left out.
    #[must_use]
    pub fn body(&self) -> String {
        let mut contents = Vec::new();
        for entry in &self.entries {
            let Some(oid) = oid_der(entry.oid()) else { continue };
            match entry {
                CsrAttribute::Oid(_) => contents.extend_from_slice(&oid),
                CsrAttribute::Attribute { values, .. } => {
                    let mut values = values.clone();
                    values.sort();
                    tlv::write(SEQUENCE, &[oid, tlv::element(SET, &values.concat())].concat(), &mut contents);
                }
            }
        }
        super::base64::encode(&tlv::element(SEQUENCE, &contents))
    }

    /// Reads such a body. An empty one asks for nothing.
    ///
    /// # Errors
    /// When it is neither base64 nor DER, no `CsrAttrs`, or has more than [`MAX_ATTRIBUTES`] entries.
    pub fn from_body(body: &[u8]) -> Result<Self, AnswerError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(AnswerError::TooLarge);
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let der = super::base64::decode(body).ok_or(AnswerError::NotBase64)?;
        let mut rest = der.as_slice();
        let mut left = tlv::expect(&mut rest, SEQUENCE).ok_or(AnswerError::NotAttributes)?;
        if !rest.is_empty() {
            return Err(AnswerError::NotAttributes);
        }
        let mut entries = Vec::new();
        while !left.is_empty() {
            let value = tlv::next(&mut left).ok_or(AnswerError::NotAttributes)?;
            if entries.len() == MAX_ATTRIBUTES {
                return Err(AnswerError::TooManyAttributes);
            }
            entries.push(entry(value).ok_or(AnswerError::NotAttributes)?);
        }
        Ok(Self { entries })
    }
}

impl CsrAttribute {
    /// The object identifier, dotted.
    #[must_use]
    pub fn oid(&self) -> &str {
        match self {
            Self::Oid(oid) | Self::Attribute { oid, .. } => oid,
        }
    }

    fn values(&self) -> &[Vec<u8>] {
        match self {
            Self::Oid(_) => &[],
            Self::Attribute { values, .. } => values,
        }
    }
}

fn entry(entry: tlv::Value<'_>) -> Option<CsrAttribute> {
    match entry.tag {
        OID => Some(CsrAttribute::Oid(dotted(entry.whole)?)),
        SEQUENCE => {
            let mut fields = entry.body;
            let oid = tlv::next(&mut fields)?;
            let mut left = tlv::expect(&mut fields, SET)?;
            let mut values = Vec::new();
            while !left.is_empty() {
                let value = tlv::take(&mut left)?;
                if values.len() == MAX_ATTRIBUTES {
                    return None;
                }
                values.push(value.to_vec());
            }
            // `dotted` refuses what is no object identifier.
            fields.is_empty().then_some(CsrAttribute::Attribute { oid: dotted(oid.whole)?, values })
        }
        _ => None,
    }
}

fn rsa(bits: u32) -> CsrAttribute {
    CsrAttribute::Attribute { oid: RSA.to_owned(), values: bits.to_der().into_iter().collect() }
}

fn oid_der(dotted: &str) -> Option<Vec<u8>> {
    ObjectIdentifier::new(dotted).ok()?.to_der().ok()
}

fn dotted(der: &[u8]) -> Option<String> {
    ObjectIdentifier::from_der(der).ok().map(|oid: ObjectIdentifier| oid.to_string())
}
