//! Making certificates: a root, an intermediate, and leaves for servers and clients.
//!
//! For development, edge sites and tests. Keys and serial numbers come from the system's randomness
//! unless they are given; time is an argument. Nothing is written anywhere: certificates and keys
//! come back as PEM.

use std::fmt;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData};
use zeroize::Zeroizing;

use crate::certificate::{Certificate, CertificateError};
use crate::pem::{self, PemError};

mod authority;
mod crl;
mod csr;
mod issued;
mod key;
mod names;
mod request;

pub use authority::{AuthorityRequest, BadSubtree, Subtree};
pub use crl::{MAX_REVOCATIONS, Reason, RegisterError, RevocationList, Revocations, Revoked, UnknownReason};
pub use csr::{MAX_REQUEST_BYTES, MAX_REQUESTED_NAMES, NewRequest, RequestError, SigningProfile, SigningRequest};
pub use issued::{IssuedCertificate, SignedCertificate};
pub use key::{KeyType, Serial, UnknownKeyType};
pub use request::{LeafRequest, Usage, Validity};

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The validity ends before it begins, or after the year 9999.
    #[error("a validity must end after it begins and before the year 10000")]
    BadValidity,
    /// A subject alternative name is not one.
    #[error("{name:?} is not a valid {kind}")]
    BadName {
        /// What was given.
        name: String,
        /// What it was given as.
        kind: &'static str,
    },
    /// The authority's certificate text cannot be used.
    #[error("the CA certificate cannot be used: {0}")]
    Pem(#[from] PemError),
    /// The authority's key text cannot be used.
    #[error("the CA's private key cannot be used: {0}")]
    BadKey(String),
    /// The authority's key belongs to another certificate.
    #[error("the CA's private key does not belong to its certificate {subject}: give the key that it was made with")]
    KeyMismatch {
        /// Whom the certificate names.
        subject: String,
    },
    /// The certificate is no authority's.
    #[error("{subject} is not a CA certificate and cannot issue others")]
    NotACa {
        /// Whom it names.
        subject: String,
    },
    /// Only a root can renew itself.
    #[error("{subject} is no root: its issuer has to renew it")]
    NotARoot {
        /// Whom the certificate names.
        subject: String,
    },
    /// The authority's name has a form that cannot be repeated in what it issues.
    #[error("the name {subject} has a form that this program cannot issue under")]
    UnsupportedSubject {
        /// The name.
        subject: String,
    },
    /// What was made cannot be read back.
    #[error("the new certificate cannot be read back: {0}")]
    Unreadable(#[from] CertificateError),
    /// The library that makes certificates failed.
    #[error("making the certificate failed: {0}")]
    Library(String),
}

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self::Library(error.to_string())
    }
}

/// An authority that can issue: its certificate and its key.
pub struct CertificateAuthority {
    certificate: Certificate,
    /// The certificates above this one, without the root.
    above: Vec<Certificate>,
    issuer: Issuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// Makes a self-signed root with a key on P-256.
    ///
    /// # Errors
    /// When the validity is no validity.
    pub fn new_root(common_name: &str, validity: Validity) -> Result<Self, IssueError> {
        Self::root(&AuthorityRequest::new(common_name), validity)
    }

    /// Makes a self-signed root.
    ///
    /// # Errors
    /// When the validity is no validity.
    pub fn root(request: &AuthorityRequest, validity: Validity) -> Result<Self, IssueError> {
        let key = request.kind_of_key().generate()?;
        let params = request.params(validity)?;
        let certificate = Certificate::from_der(params.self_signed(&key)?.der())?;
        Ok(Self { certificate, above: Vec::new(), issuer: Issuer::new(params, key) })
    }

    /// Issues an authority under this one, with a key on P-256, which in turn issues only leaves.
    ///
    /// # Errors
    /// When the validity is no validity.
    pub fn intermediate(&self, common_name: &str, validity: Validity) -> Result<Self, IssueError> {
        self.authority(&AuthorityRequest::new(common_name).path_length(0), validity)
    }

    /// Issues an authority under this one.
    ///
    /// # Errors
    /// When the validity is no validity.
    pub fn authority(&self, request: &AuthorityRequest, validity: Validity) -> Result<Self, IssueError> {
        let key = request.kind_of_key().generate()?;
        let params = request.params(validity)?;
        let certificate = self.sign(&params, &key)?;
        Ok(Self { certificate, above: self.chain(), issuer: Issuer::new(params, key) })
    }

    /// Loads an authority made before: its certificate first, followed by the intermediates above it
    /// if there are any, and its key in PKCS#8, PKCS#1 or SEC1, not encrypted.
    ///
    /// # Errors
    /// When a text cannot be read, the certificate is not a CA's, or the key is another one's.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, IssueError> {
        Self::load(pem::certificates(certificate_pem.as_bytes())?, key::from_pem(key_pem)?)
    }

    /// The same from certificates, the authority's own first, and a key in DER, as a loader for encrypted keys,
    /// PKCS#12 or other sources gives them.
    ///
    /// # Errors
    /// When there is no certificate, it is not a CA's, or the key is another one's.
    pub fn from_parts(certificates: Vec<Certificate>, key_der: &[u8]) -> Result<Self, IssueError> {
        Self::load(certificates, key::from_der(key_der)?)
    }

    fn load(certificates: Vec<Certificate>, key: KeyPair) -> Result<Self, IssueError> {
        let mut certificates = certificates.into_iter();
        let Some(certificate) = certificates.next() else {
            return Err(IssueError::Library("no certificate was given".to_owned()));
        };
        let above = certificates.filter(|above| !above.is_self_issued()).collect();
        let subject = certificate.subject().to_string();
        if !certificate.can_issue() {
            return Err(IssueError::NotACa { subject });
        }
        if key.subject_public_key_info() != certificate.public_key() {
            return Err(IssueError::KeyMismatch { subject });
        }
        let mut params = CertificateParams::default();
        params.distinguished_name =
            names::distinguished_name(certificate.subject().der()).ok_or(IssueError::UnsupportedSubject { subject })?;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        if let Some(id) = certificate.subject_key_id() {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id.to_vec());
        }
        Ok(Self { certificate, above, issuer: Issuer::new(params, key) })
    }

    /// Makes a root's certificate anew, with the same name and key: what it issued stays valid under it.
    ///
    /// # Errors
    /// When this is no root, or the validity is no validity.
    pub fn renewed(self, validity: Validity) -> Result<Self, IssueError> {
        if !self.certificate.is_self_issued() {
            return Err(IssueError::NotARoot { subject: self.certificate.subject().to_string() });
        }
        let mut params = AuthorityRequest::new("").params(validity)?;
        params.distinguished_name = names::distinguished_name(self.certificate.subject().der())
            .ok_or_else(|| IssueError::UnsupportedSubject { subject: self.certificate.subject().to_string() })?;
        if let Some(id) = self.certificate.subject_key_id() {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id.to_vec());
        }
        let certificate = self.sign(&params, self.issuer.key())?;
        Ok(Self { certificate, ..self })
    }

    /// Issues a server's certificate for DNS names and IP addresses; the first is also its CN.
    ///
    /// # Errors
    /// When a name is neither.
    pub fn issue_server<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        validity: Validity,
    ) -> Result<IssuedCertificate, IssueError> {
        self.issue(&LeafRequest::server(names), validity)
    }

    /// Issues a client's certificate with this CN and no alternative names.
    ///
    /// # Errors
    /// When the validity is no validity.
    pub fn issue_client(&self, common_name: &str, validity: Validity) -> Result<IssuedCertificate, IssueError> {
        self.issue(&LeafRequest::client(common_name), validity)
    }

    /// Issues any leaf, with a new key.
    ///
    /// # Errors
    /// When a name or the validity cannot be used.
    pub fn issue(&self, request: &LeafRequest, validity: Validity) -> Result<IssuedCertificate, IssueError> {
        self.issue_for(request, &request.kind_of_key().generate()?, validity)
    }

    /// Issues any leaf for a key that is there already, in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted).
    ///
    /// # Errors
    /// When the key, a name or the validity cannot be used.
    pub fn issue_for_key(
        &self,
        request: &LeafRequest,
        key_pem: &str,
        validity: Validity,
    ) -> Result<IssuedCertificate, IssueError> {
        self.issue_for(request, &key::from_pem(key_pem)?, validity)
    }

    fn issue_for(
        &self,
        request: &LeafRequest,
        key: &KeyPair,
        validity: Validity,
    ) -> Result<IssuedCertificate, IssueError> {
        let certificate = self.sign(&request.params(validity)?, key)?;
        Ok(IssuedCertificate::new(certificate, self.chain(), key))
    }

    /// The authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem::encode(std::slice::from_ref(&self.certificate))
    }

    /// The authority's certificate and the intermediates above it, in PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        let mut chain = vec![self.certificate.clone()];
        chain.extend(self.above.iter().cloned());
        pem::encode(&chain)
    }

    /// The authority's private key, PKCS#8 in PEM.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// The authority's private key, PKCS#8 in DER.
    #[must_use]
    pub fn key_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.issuer.key().serialize_der())
    }

    fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// What a leaf issued here has to send besides itself: this authority upwards, without the root.
    fn chain(&self) -> Vec<Certificate> {
        if self.certificate.is_self_issued() {
            return Vec::new();
        }
        std::iter::once(&self.certificate).chain(&self.above).cloned().collect()
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Result<Certificate, IssueError> {
        let certificate = Certificate::from_der(params.signed_by(key, &self.issuer)?.der())?;
        if certificate.issuer() != self.certificate.subject() {
            return Err(IssueError::UnsupportedSubject { subject: self.certificate.subject().to_string() });
        }
        Ok(certificate)
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Makes a self-signed client certificate with a key on P-256, as devices have that are known by thumbprint.
///
/// `is_ca` chooses between CA:TRUE, which `openssl req -x509` makes by default, and CA:FALSE.
///
/// # Errors
/// When the validity is no validity.
pub fn self_signed_client(common_name: &str, is_ca: bool, validity: Validity) -> Result<IssuedCertificate, IssueError> {
    self_signed(&LeafRequest::client(common_name).usage(Usage::Unspecified), is_ca, validity)
}

/// Makes a self-signed leaf, for authentication by thumbprint or for a server that is pinned.
///
/// # Errors
/// When a name or the validity cannot be used.
pub fn self_signed(request: &LeafRequest, is_ca: bool, validity: Validity) -> Result<IssuedCertificate, IssueError> {
    let key = request.kind_of_key().generate()?;
    let mut params = request.params(validity)?;
    params.use_authority_key_identifier_extension = false;
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let certificate = Certificate::from_der(params.self_signed(&key)?.der())?;
    Ok(IssuedCertificate::new(certificate, Vec::new(), &key))
}

#[cfg(test)]
mod tests;
