//! Algorithm and size of a key.

use std::fmt;

use x509_cert::der::asn1::ObjectIdentifier;

use crate::classify::KeyForm;
use crate::tlv::{self, BIT_STRING, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];

/// Named curves: object identifier, name and bits.
const CURVES: [(&[u8], &str, u32); 9] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "P-256", 256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384", 384),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521", 521),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1", 256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], "secp224r1", 224),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01], "secp192r1", 192),
    (&[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07], "brainpoolP256r1", 256),
    (&[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b], "brainpoolP384r1", 384),
    (&[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0d], "brainpoolP512r1", 512),
];

/// The kind and size of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA (RFC 8017).
    Rsa {
        /// The length of the modulus; 0 where it cannot be read.
        bits: u32,
    },
    /// RSA that may sign in PSS only (RFC 4055).
    RsaPss {
        /// The length of the modulus; 0 where it cannot be read.
        bits: u32,
    },
    /// A key on an elliptic curve (RFC 5480).
    Ec {
        /// The curve's usual name, or its dotted object identifier where it has none here.
        curve: String,
        /// The curve's size; 0 where it is not known.
        bits: u32,
    },
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// Another algorithm, by its usual name or its dotted object identifier.
    Other {
        /// The name or identifier.
        name: String,
    },
}

impl KeyKind {
    /// The kind of a public key in DER (SubjectPublicKeyInfo); [`KeyKind::Other`] for what is none.
    #[must_use]
    pub fn of(spki: &[u8]) -> Self {
        Self::of_public_key(spki).unwrap_or_else(|| Self::Other { name: "damaged".to_owned() })
    }

    fn of_public_key(spki: &[u8]) -> Option<Self> {
        let mut input = spki;
        let mut fields = tlv::expect(&mut input, SEQUENCE)?;
        let algorithm = tlv::expect(&mut fields, SEQUENCE)?;
        let key = tlv::expect(&mut fields, BIT_STRING)?;
        let modulus = || {
            let mut key = key.get(1..)?;
            let mut key = tlv::expect(&mut key, SEQUENCE)?;
            tlv::expect(&mut key, INTEGER)
        };
        Self::of_algorithm(algorithm, modulus)
    }

    pub(crate) fn of_private_key(form: KeyForm, bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        let mut fields = tlv::expect(&mut input, SEQUENCE)?;
        tlv::expect(&mut fields, INTEGER)?;
        match form {
            KeyForm::Pkcs1 => tlv::expect(&mut fields, INTEGER).map(|modulus| Self::Rsa { bits: bits(modulus) }),
            KeyForm::Sec1 => {
                tlv::expect(&mut fields, OCTET_STRING)?;
                Some(Self::of_curve(tlv::expect(&mut fields, CONTEXT_0)?))
            }
            KeyForm::Pkcs8 => {
                let algorithm = tlv::expect(&mut fields, SEQUENCE)?;
                let key = tlv::expect(&mut fields, OCTET_STRING)?;
                let modulus = || {
                    let mut key = key;
                    let mut key = tlv::expect(&mut key, SEQUENCE)?;
                    tlv::expect(&mut key, INTEGER)?;
                    tlv::expect(&mut key, INTEGER)
                };
                Self::of_algorithm(algorithm, modulus)
            }
        }
    }

    fn of_algorithm<'a>(mut algorithm: &[u8], modulus: impl FnOnce() -> Option<&'a [u8]>) -> Option<Self> {
        let bits = || modulus().map_or(0, bits);
        Some(match tlv::expect(&mut algorithm, OID)? {
            RSA => Self::Rsa { bits: bits() },
            RSA_PSS => Self::RsaPss { bits: bits() },
            EC => Self::of_curve(algorithm),
            ED25519 => Self::Ed25519,
            ED448 => Self::Ed448,
            X25519 => Self::Other { name: "X25519".to_owned() },
            DSA => Self::Other { name: "DSA".to_owned() },
            other => Self::Other { name: dotted(other).unwrap_or_else(|| "damaged".to_owned()) },
        })
    }

    /// Of ECParameters.
    fn of_curve(mut parameters: &[u8]) -> Self {
        let Some(oid) = tlv::expect(&mut parameters, OID) else {
            return Self::Ec { curve: "explicit parameters".to_owned(), bits: 0 };
        };
        match CURVES.iter().find(|(curve, ..)| *curve == oid) {
            Some((_, name, bits)) => Self::Ec { curve: (*name).to_owned(), bits: *bits },
            None => Self::Ec { curve: dotted(oid).unwrap_or_else(|| "a damaged name".to_owned()), bits: 0 },
        }
    }

    /// The size of the key as people give it: the modulus, or the curve; 0 where it is not known.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        match self {
            Self::Rsa { bits } | Self::RsaPss { bits } | Self::Ec { bits, .. } => *bits,
            Self::Ed25519 => 256,
            Self::Ed448 => 456,
            Self::Other { .. } => 0,
        }
    }

    /// Can a TLS peer built on this crate use such a key? RSA of 2048 to 8192 bits, P-256, P-384, P-521 and Ed25519.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        match self {
            Self::Rsa { bits } => (2048..=8192).contains(bits),
            Self::Ec { curve, .. } => matches!(curve.as_str(), "P-256" | "P-384" | "P-521"),
            Self::Ed25519 => true,
            Self::RsaPss { .. } | Self::Ed448 | Self::Other { .. } => false,
        }
    }

    /// The strength in bits as NIST SP 800-57 part 1, table 2, counts it; OpenSSL's security levels compare this.
    #[must_use]
    pub const fn security_bits(&self) -> u32 {
        match self {
            Self::Rsa { bits } | Self::RsaPss { bits } => match *bits {
                15_360.. => 256,
                7680.. => 192,
                3072.. => 128,
                2048.. => 112,
                1024.. => 80,
                _ => 0,
            },
            Self::Ec { bits, .. } => *bits / 2,
            Self::Ed25519 => 128,
            Self::Ed448 => 224,
            Self::Other { .. } => 0,
        }
    }
}

/// `RSA 2048`, `ECDSA P-256`, `Ed25519`.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::RsaPss { bits } => write!(f, "RSA-PSS {bits}"),
            Self::Ec { curve, .. } => write!(f, "ECDSA {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Ed448 => f.write_str("Ed448"),
            Self::Other { name } if name.starts_with(|c: char| c.is_ascii_digit()) => write!(f, "unknown ({name})"),
            Self::Other { name } => f.write_str(name),
        }
    }
}

fn bits(modulus: &[u8]) -> u32 {
    let start = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = modulus.get(start..).unwrap_or_default();
    let leading = significant.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(significant.len() * 8).unwrap_or(u32::MAX).saturating_sub(leading)
}

fn dotted(oid: &[u8]) -> Option<String> {
    ObjectIdentifier::from_bytes(oid).ok().map(|oid| oid.to_string())
}
