//! What this side proves: its own key and the chain that goes with it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use crate::certificate::Certificate;
use crate::file;
use crate::pem::{self, Bundle, PemContent};
use crate::provider::provider;

mod chain;
mod error;
mod finding;

pub use error::IdentityError;
pub use finding::{Finding, FindingKind, Severity};

use crate::file::Origin;

/// A private key with its certificate and the intermediates that lead towards a root.
///
/// The certificates may come in any order and together with the key or apart: the leaf is the one
/// whose public key belongs to the private key, the rest is sorted by issuer. Leaf and intermediates
/// are always sent; a self-signed root and certificates of other chains are left out, and both are
/// findings. Only what can never work is an error; see [`Identity::findings`] for the rest.
///
/// Cheap to clone. The key is never shown.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    key: Arc<CertifiedKey>,
    chain: Vec<Certificate>,
    notes: chain::Notes,
}

impl Identity {
    /// Loads certificates from one file and the key from another. Either may hold both.
    ///
    /// # Errors
    /// When a file cannot be read or a working pair cannot be made of them; see [`IdentityError`].
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let (certificate_origin, certificate_pem) = file::read(certificate)?;
        let (key_origin, key_pem) = file::read(key)?;
        Self::load(&certificate_origin, &certificate_pem, &key_origin, &key_pem)
    }

    /// Loads certificates and key from one file.
    ///
    /// # Errors
    /// As [`Self::from_pem_files`].
    pub fn from_pem_file(combined: &Path) -> Result<Self, IdentityError> {
        let (origin, pem) = file::read(combined)?;
        Self::load(&origin, &pem, &origin, &pem)
    }

    /// Takes certificates and key as PEM in memory, at most 1 MiB each. Both may be the same text.
    ///
    /// # Errors
    /// As [`Self::from_pem_files`].
    pub fn from_pem(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, IdentityError> {
        let (certificate, key) = (Origin::Memory("certificate"), Origin::Memory("key"));
        Self::load(&certificate, certificate_pem, &key, key_pem)
    }

    fn load(
        certificate_origin: &Origin,
        certificate_pem: &[u8],
        key_origin: &Origin,
        key_pem: &[u8],
    ) -> Result<Self, IdentityError> {
        let read = |origin: &Origin, text: &[u8]| {
            Bundle::read(text).map_err(|source| IdentityError::Pem { origin: origin.clone(), source })
        };
        let first = read(certificate_origin, certificate_pem)?;
        let second = read(key_origin, key_pem)?;
        let swapped = !first.keys.is_empty()
            && first.certificates.is_empty()
            && second.keys.is_empty()
            && !second.certificates.is_empty();
        if swapped {
            return Err(IdentityError::Swapped { certificate: certificate_origin.clone(), key: key_origin.clone() });
        }
        if first.certificates.is_empty() && second.certificates.is_empty() {
            return Err(IdentityError::NoCertificate { origin: certificate_origin.clone(), found: first.other() });
        }
        if first.keys.is_empty() && second.keys.is_empty() {
            return Err(match second.other() {
                PemContent::EncryptedKey | PemContent::EncryptedTraditionalKey => {
                    IdentityError::EncryptedKey { origin: key_origin.clone() }
                }
                found => IdentityError::NoKey { origin: key_origin.clone(), found },
            });
        }
        let (certificates, from) = if first.certificates.is_empty() {
            (second.certificates, key_origin)
        } else {
            (first.certificates, certificate_origin)
        };
        let certificates =
            pem::parse(certificates).map_err(|source| IdentityError::Pem { origin: from.clone(), source })?;
        let keys = if second.keys.is_empty() { first.keys } else { second.keys };
        Self::pair(certificates, from, keys, key_origin)
    }

    fn pair(
        certificates: Vec<Certificate>,
        certificate_origin: &Origin,
        keys: Vec<rustls::pki_types::PrivateKeyDer<'static>>,
        key_origin: &Origin,
    ) -> Result<Self, IdentityError> {
        let provider = provider();
        let mut unusable = None;
        let mut usable = false;
        for key in keys {
            let signing_key = match provider.key_provider.load_private_key(key) {
                Ok(signing_key) => signing_key,
                Err(error) => {
                    unusable = Some(error.to_string());
                    continue;
                }
            };
            usable = true;
            let belongs = |certificate: &Certificate| {
                signing_key.public_key().is_some_and(|public| public.as_ref() == certificate.public_key())
            };
            // A renewed authority may share its key with a leaf only by mistake: prefer what is no CA.
            let leaf = certificates
                .iter()
                .position(|certificate| belongs(certificate) && !certificate.is_ca())
                .or_else(|| certificates.iter().position(belongs));
            if let Some(leaf) = leaf {
                let (chain, notes) = chain::sort(&certificates, leaf);
                let sent = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
                let key = Arc::new(CertifiedKey::new(sent, signing_key));
                return Ok(Self(Arc::new(Inner { key, chain, notes })));
            }
        }
        match unusable {
            Some(detail) if !usable => Err(IdentityError::UnusableKey { origin: key_origin.clone(), detail }),
            _ => Err(IdentityError::KeyMismatch {
                key: key_origin.clone(),
                certificate: certificate_origin.clone(),
                subjects: certificates.iter().map(|certificate| certificate.subject().to_string()).collect(),
            }),
        }
    }

    /// Whom the leaf names.
    #[must_use]
    pub fn subject(&self) -> String {
        self.leaf().map(|leaf| leaf.subject().to_string()).unwrap_or_default()
    }

    /// The subjects of what is sent, leaf first.
    #[must_use]
    pub fn chain_subjects(&self) -> Vec<String> {
        self.0.chain.iter().map(|certificate| certificate.subject().to_string()).collect()
    }

    /// What is sent, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.0.chain
    }

    /// The leaf in DER.
    #[must_use]
    pub fn leaf_der(&self) -> &[u8] {
        self.leaf().map(Certificate::der).unwrap_or_default()
    }

    /// The leaf's SHA-256 thumbprint: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn thumbprint_sha256(&self) -> &str {
        self.leaf().map(Certificate::thumbprint_sha256).unwrap_or_default()
    }

    /// The last second of the leaf's validity, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.leaf().map(Certificate::not_after).unwrap_or_default()
    }

    /// Everything that is odd about this identity at `now` (seconds since 1970), for the caller's
    /// policy to judge; empty when nothing is.
    #[must_use]
    pub fn findings(&self, now: u64) -> Vec<Finding> {
        finding::findings(&self.0.chain, &self.0.notes, now)
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.key)
    }

    /// The chain has a leaf from construction on.
    fn leaf(&self) -> Option<&Certificate> {
        self.0.chain.first()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain_subjects()).field("key", &"(not shown)").finish()
    }
}

#[cfg(test)]
mod tests;
