//! What this side proves: its own key and the chain that goes with it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};

use crate::catalogue::{Finding, Id};
use crate::certificate::Certificate;
use crate::file::Origin;
use crate::source::Source;

mod chain;
mod error;
mod finding;
mod lint;
mod load;

pub use crate::catalogue::Severity;
pub use error::{IdentityError, KeyMismatch};
pub use load::{IdentityLoader, KeyPermissions};

/// A private key with its certificate and the intermediates that lead towards a root.
///
/// The certificates may come in any order and together with the key or apart: the leaf is the one
/// whose public key belongs to the private key, the rest is sorted by issuer. Leaf and intermediates
/// are always sent; a self-signed root and certificates of other chains are left out, and both are
/// findings. Only what can never work is an error; see [`Identity::findings`] for the rest.
///
/// Cheap to clone. The key is never shown. It lives in the memory of the cryptographic library, which
/// overwrites it when the last copy of the identity goes; what was read to get there is overwritten
/// at once.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    key: Arc<CertifiedKey>,
    chain: Vec<Certificate>,
    notes: chain::Notes,
    /// What loading noticed.
    found: Vec<Finding>,
    origin: Origin,
    pkcs12: bool,
}

/// What loading arrives at.
struct Loaded {
    key: Arc<dyn SigningKey>,
    certificates: Vec<Certificate>,
    /// Which certificate belongs to the key.
    leaf: usize,
    /// Of the certificates.
    origin: Origin,
    pkcs12: bool,
}

/// Which side of a connection an identity is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It is sent to servers that ask for it.
    Client,
    /// It is sent to clients.
    Server,
}

impl Identity {
    /// Loads certificates from one file and the key from another. Either may hold both.
    ///
    /// # Errors
    /// When a file cannot be read or a working pair cannot be made of them; see [`IdentityError`].
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        IdentityLoader::new(certificate).key(key).load()
    }

    /// Loads certificates and key from one file.
    ///
    /// # Errors
    /// As [`Self::from_pem_files`].
    pub fn from_pem_file(combined: &Path) -> Result<Self, IdentityError> {
        IdentityLoader::new(combined).load()
    }

    /// Takes certificates and key as PEM in memory, at most 1 MiB each. Both may be the same text.
    ///
    /// # Errors
    /// As [`Self::from_pem_files`].
    pub fn from_pem(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, IdentityError> {
        IdentityLoader::new(Source::pem(certificate_pem)).key(Source::pem(key_pem)).load()
    }

    fn assemble(loaded: Loaded, found: Vec<Finding>) -> Self {
        let (chain, notes) = chain::sort(&loaded.certificates, loaded.leaf);
        let sent = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
        let key = Arc::new(CertifiedKey::new(sent, loaded.key));
        Self(Arc::new(Inner { key, chain, notes, found, origin: loaded.origin, pkcs12: loaded.pkcs12 }))
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

    /// The root that was given with the chain; it is not sent.
    #[must_use]
    pub fn root(&self) -> Option<&Certificate> {
        self.0.notes.root.as_ref()
    }

    /// Where the certificates came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.origin
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

    /// Everything that is odd about this identity as a client's at `now` (seconds since 1970), for the
    /// caller's policy to judge; empty when nothing is.
    #[must_use]
    pub fn findings(&self, now: u64) -> Vec<Finding> {
        self.findings_as(Role::Client, now)
    }

    /// Everything that is odd about this identity in a role.
    #[must_use]
    pub fn findings_as(&self, role: Role, now: u64) -> Vec<Finding> {
        let mut found = self.0.found.clone();
        found.extend(finding::findings(&self.0.chain, &self.0.notes, self.0.pkcs12, role, now));
        // How a PKCS#12 file is encrypted matters less than that its chain is missing.
        found.sort_by_key(|finding| finding.id != Id::A28);
        found
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
