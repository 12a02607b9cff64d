//! Everything of use in a file, whatever its form.

use zeroize::Zeroizing;

use super::to_pkcs8;
use crate::certificate::Certificate;
use crate::classify::{Classified, Content};
use crate::keys::{Budget, DecryptError, TooCostly, decrypt};
use crate::passphrase::{PassphraseError, PassphraseSource};
use crate::pem::{Material, PemError};
use crate::pkcs12::{self, OpenError};

/// Why a file's content cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The text or the DER is damaged, or too large.
    #[error(transparent)]
    Damaged(#[from] PemError),
    /// The passphrase cannot be had.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// Something is encrypted, and no passphrase is known (catalogue A20).
    #[error("it holds {what}, and no passphrase is known: give it from a file, a descriptor or the environment")]
    NoPassphrase {
        /// What is encrypted.
        what: Content,
    },
    /// The passphrase opens nothing (catalogue A21, A26).
    #[error("{origin} does not open {what}: check which one belongs to it")]
    WrongPassphrase {
        /// Where the passphrase came from.
        origin: String,
        /// What is encrypted.
        what: Content,
    },
    /// It asks for more work than is spent on a file.
    #[error("it is refused: {0}")]
    TooCostly(#[from] TooCostly),
    /// Its encryption is not one that is read.
    #[error("{what} is under an encryption that is not read ({detail}): convert it with openssl first")]
    Unsupported {
        /// What is encrypted.
        what: Content,
        /// The encryption.
        detail: String,
    },
}

/// What a file holds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Contents {
    /// The certificates, in the file's order.
    pub certificates: Vec<Certificate>,
    /// The private keys, in PKCS#8.
    pub keys: Vec<PlainKey>,
    /// What the bytes were found to be.
    pub classified: Classified,
}

/// A private key in PKCS#8 in DER, not encrypted. Never shown, and overwritten when it is dropped.
#[derive(Clone)]
pub struct PlainKey(Zeroizing<Vec<u8>>);

impl PlainKey {
    /// The key.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainKey(not shown)")
    }
}

impl Contents {
    /// Takes a file apart: PEM in any state, DER, PKCS#7, PKCS#12, keys with and without passphrase. The passphrase is
    /// asked for only when something is encrypted; a PKCS#12 file is tried without a password first.
    ///
    /// # Errors
    /// When something in it is damaged, or encrypted and cannot be opened.
    pub fn read(bytes: &[u8], passphrase: Option<&PassphraseSource>) -> Result<Self, ReadError> {
        let mut material = Material::read(bytes)?;
        let mut budget = Budget::default();
        let mut keys: Vec<Zeroizing<Vec<u8>>> = material.keys.iter().filter_map(|key| to_pkcs8(key.der())).collect();
        for encrypted in &material.encrypted_keys {
            let key = open_key(encrypted, passphrase, &mut budget)?;
            keys.extend(to_pkcs8(&key));
        }
        for (file, form) in std::mem::take(&mut material.pkcs12) {
            let opened = open_pkcs12(&file, &Content::Pkcs12(form), passphrase, &mut budget)?;
            keys.extend(opened.keys.iter().filter_map(|key| to_pkcs8(key.der())));
            material.certificates.extend(opened.certificates);
        }
        let classified = material.classified.clone();
        let certificates = if material.certificates.is_empty() { Vec::new() } else { material.into_certificates()? };
        Ok(Self { certificates, keys: keys.into_iter().map(PlainKey).collect(), classified })
    }

    /// The certificate of the key, where there is exactly one key and it has one here.
    #[must_use]
    pub fn leaf(&self) -> Option<&Certificate> {
        let [key] = self.keys.as_slice() else { return None };
        let public = super::public_key_of(key.pkcs8())?;
        self.certificates.iter().find(|certificate| certificate.public_key() == public)
    }
}

fn open_key(
    encrypted: &[u8],
    source: Option<&PassphraseSource>,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let what = Content::EncryptedKey;
    let Some(source) = source else { return Err(ReadError::NoPassphrase { what }) };
    let Some(passphrase) = source.read("the private key")? else { return Err(ReadError::NoPassphrase { what }) };
    match decrypt(encrypted, &passphrase, budget) {
        Ok(key) => Ok(Zeroizing::new(key.der().to_vec())),
        Err(DecryptError::WrongPassphrase) => {
            source.forget();
            Err(ReadError::WrongPassphrase { origin: source.origin(), what })
        }
        Err(DecryptError::TooCostly(cost)) => Err(cost.into()),
        Err(DecryptError::Unsupported(detail) | DecryptError::Damaged(detail)) => {
            Err(ReadError::Unsupported { what, detail })
        }
        Err(DecryptError::NotBuilt) => {
            Err(ReadError::Unsupported { what, detail: "this program was built without it".to_owned() })
        }
    }
}

fn open_pkcs12(
    file: &[u8],
    what: &Content,
    source: Option<&PassphraseSource>,
    budget: &mut Budget,
) -> Result<pkcs12::Opened, ReadError> {
    let failed = |error: OpenError, origin: Option<String>| match (error, origin) {
        (OpenError::WrongPassword, None) => ReadError::NoPassphrase { what: what.clone() },
        (OpenError::WrongPassword, Some(origin)) => ReadError::WrongPassphrase { origin, what: what.clone() },
        (OpenError::TooCostly(cost), _) => cost.into(),
        (OpenError::Unsupported(detail) | OpenError::Damaged(detail), _) => {
            ReadError::Unsupported { what: what.clone(), detail }
        }
        (OpenError::NotBuilt, _) => {
            ReadError::Unsupported { what: what.clone(), detail: "this program was built without it".to_owned() }
        }
    };
    let bare = match pkcs12::open(file, "", budget) {
        Err(OpenError::WrongPassword) => failed(OpenError::WrongPassword, None),
        Err(error) => return Err(failed(error, None)),
        Ok(opened) => return Ok(opened),
    };
    let Some(source) = source else { return Err(bare) };
    let Some(passphrase) = source.read("the PKCS#12 file")? else { return Err(bare) };
    pkcs12::open(file, passphrase.expose(), budget).map_err(|error| {
        source.forget();
        failed(error, Some(source.origin()))
    })
}
