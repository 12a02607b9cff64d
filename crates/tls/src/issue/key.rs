//! New private keys, and keys that were made before.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::{KeyPair, RsaKeySize, SerialNumber};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject};

use super::IssueError;
use crate::convert;

/// The kind of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyType {
    /// ECDSA on P-256: small, fast and understood by everything; the default.
    #[default]
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// Ed25519 (RFC 8410). Event Grid, browsers and SChannel do not take it.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits; making one takes seconds.
    Rsa4096,
}

impl KeyType {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::EcdsaP256, Self::EcdsaP384, Self::Ed25519, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The word for it: `ec-p256`, `ec-p384`, `ed25519`, `rsa-2048`, `rsa-3072`, `rsa-4096`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ec-p256",
            Self::EcdsaP384 => "ec-p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    pub(super) fn generate(self) -> Result<KeyPair, IssueError> {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        Ok(match self {
            Self::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            // Into the form that older OpenSSL reads.
            Self::Ed25519 => return from_der(KeyPair::generate_for(&rcgen::PKCS_ED25519)?.serialized_der()),
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
        }?)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no key type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key types are ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 and rsa-4096")]
#[non_exhaustive]
pub struct UnknownKeyType;

impl FromStr for KeyType {
    type Err = UnknownKeyType;

    fn from_str(text: &str) -> Result<Self, UnknownKeyType> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text)).ok_or(UnknownKeyType)
    }
}

/// A certificate's serial number: positive, not zero, of 16 octets (RFC 5280 §4.1.2.2 allows 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Makes one of random octets; the first two bits are set so that it is positive and of full length.
    #[must_use]
    pub const fn from_random(mut octets: [u8; 16]) -> Self {
        octets[0] = octets[0] & 0x7f | 0x40;
        Self(octets)
    }

    /// Makes one of the system's randomness.
    ///
    /// # Errors
    /// When the system has none.
    pub fn random() -> Result<Self, IssueError> {
        let mut octets = [0; 16];
        SystemRandom::new()
            .fill(&mut octets)
            .map_err(|_| IssueError::Library("the system gives no random numbers".to_owned()))?;
        Ok(Self::from_random(octets))
    }

    pub(super) fn number(self) -> SerialNumber {
        SerialNumber::from_slice(&self.0)
    }
}

/// A key in PEM: PKCS#8, or the older PKCS#1 and SEC1, which come out as PKCS#8.
pub(super) fn from_pem(pem: &str) -> Result<KeyPair, IssueError> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            IssueError::BadKey("it holds no private key in PEM, or an encrypted one".to_owned())
        }
        error => IssueError::BadKey(error.to_string()),
    })?;
    from_der(key.secret_der())
}

/// A key in DER, in any of the three forms.
pub(super) fn from_der(der: &[u8]) -> Result<KeyPair, IssueError> {
    let pkcs8 = convert::to_pkcs8(der)
        .ok_or_else(|| IssueError::BadKey("its kind is not one that this program can use".to_owned()))?;
    KeyPair::try_from(pkcs8.as_slice()).map_err(|error| IssueError::BadKey(error.to_string()))
}
