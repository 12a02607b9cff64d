//! The registered authorities, ready for verification.

use std::fmt;
use std::sync::Arc;

use super::path::AnchorSet;
use crate::certificate::{Certificate, CertificateError};
use crate::pem::{self, PemError};

/// Why a certificate cannot be registered as an authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// The text is damaged or holds no certificate.
    #[error("the CA certificate cannot be used: {0}")]
    Pem(#[from] PemError),
    /// The bytes are not a certificate.
    #[error("the CA certificate cannot be read: {0}")]
    BadCertificate(#[from] CertificateError),
    /// The certificate says CA:FALSE, or its key may not sign certificates.
    #[error(
        "{subject} is not a CA certificate: register the certificate that signed the client's, not the client's own"
    )]
    NotACa {
        /// Whom it names.
        subject: String,
    },
    /// The verifier cannot use it as an anchor.
    #[error("{subject} cannot serve as an authority: {detail}")]
    Unusable {
        /// Whom it names.
        subject: String,
        /// What the verifier said.
        detail: String,
    },
}

/// A set of authorities that a client's chain may end at: roots or intermediates. Cheap to clone.
///
/// Each is also offered to path building, so that a client which sends only its leaf is verified
/// when the intermediate is registered.
#[derive(Clone, Default)]
pub struct Anchors(Arc<AnchorSet>);

impl Anchors {
    /// Takes CA certificates. None at all makes a set that verifies nobody.
    ///
    /// # Errors
    /// When one is not a CA certificate.
    pub fn new(certificates: impl IntoIterator<Item = Certificate>) -> Result<Self, AnchorsError> {
        let mut set = AnchorSet::default();
        for certificate in certificates {
            let subject = certificate.subject().to_string();
            if !certificate.can_issue() {
                return Err(AnchorsError::NotACa { subject });
            }
            set.add(certificate).map_err(|detail| AnchorsError::Unusable { subject, detail })?;
        }
        Ok(Self(Arc::new(set)))
    }

    /// Takes CA certificates in DER.
    ///
    /// # Errors
    /// When one is not a CA certificate.
    pub fn from_der<D: AsRef<[u8]>>(certificates: impl IntoIterator<Item = D>) -> Result<Self, AnchorsError> {
        let parsed: Result<Vec<_>, _> =
            certificates.into_iter().map(|der| Certificate::from_der(der.as_ref())).collect();
        Self::new(parsed?)
    }

    /// Takes all CA certificates of a PEM text.
    ///
    /// # Errors
    /// When the text is damaged, empty, or holds something that is not a CA certificate.
    pub fn from_pem(text: &[u8]) -> Result<Self, AnchorsError> {
        Self::new(pem::certificates(text)?)
    }

    /// The certificates.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        self.0.certificates()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set(&self) -> &AnchorSet {
        &self.0
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.certificates().iter().map(|anchor| anchor.subject().to_string())).finish()
    }
}
