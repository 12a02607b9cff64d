//! Whom this side believes.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::certificate::{Certificate, CertificateError};
use crate::file::{self, FileError, Origin};
use crate::pem::{self, PemError};
use crate::provider::provider;

/// The authorities whose word counts about the peer.
///
/// There is no way to make this from an [`Identity`](crate::Identity): a client's own chain says
/// nothing about the server. A chain may end at any of the certificates given, root or intermediate.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust(Source);

#[derive(Debug, Clone)]
enum Source {
    Only(Arc<Only>),
    #[cfg(feature = "platform-verifier")]
    Platform,
}

#[derive(Debug)]
struct Only {
    certificates: Vec<Certificate>,
    roots: Arc<RootCertStore>,
}

/// Why trust could not be loaded. All of it is for the caller to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A text is damaged or holds no certificate.
    #[error("{origin} cannot be used as the authorities to trust: {source}")]
    Pem {
        /// Where the text came from.
        origin: Origin,
        /// What is wrong with it.
        source: PemError,
    },
    /// DER that is not a certificate.
    #[error("certificate number {number} of the authorities to trust cannot be read: {source}")]
    BadCertificate {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A certificate that the verifier cannot use as an authority.
    #[error("{subject} in {origin} cannot serve as an authority ({detail}): it must be an X.509 version 3 certificate")]
    NotAnAuthority {
        /// Where it came from.
        origin: Origin,
        /// Whom it names.
        subject: String,
        /// What the verifier said.
        detail: String,
    },
    /// No certificate was given.
    #[error("no authority to trust was given: name at least one CA certificate")]
    None,
    /// The verifier could not be set up.
    #[error("the verifier of the peer's certificate could not be set up: {0}")]
    Verifier(String),
}

impl Trust {
    /// Only the authorities in this PEM file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable certificate.
    pub fn only_pem_file(path: &Path) -> Result<Self, TrustError> {
        let (origin, text) = file::read(path)?;
        Self::from_text(origin, &text)
    }

    /// Only the authorities in this PEM text of at most 1 MiB.
    ///
    /// # Errors
    /// When the text holds no usable certificate.
    pub fn only_pem(text: &[u8]) -> Result<Self, TrustError> {
        Self::from_text(Origin::Memory("authorities to trust"), text)
    }

    /// Only these authorities, each in DER.
    ///
    /// # Errors
    /// When there is none or one cannot be used.
    pub fn only_der(certificates: Vec<Vec<u8>>) -> Result<Self, TrustError> {
        let parse = |(index, der): (usize, &Vec<u8>)| {
            Certificate::from_der(der).map_err(|source| TrustError::BadCertificate { number: index + 1, source })
        };
        let certificates = certificates.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        Self::only(&Origin::Memory("authorities to trust"), certificates)
    }

    /// Whatever the operating system trusts for servers.
    #[cfg(feature = "platform-verifier")]
    #[must_use]
    pub fn platform() -> Self {
        Self(Source::Platform)
    }

    /// The subjects of the authorities; empty for the platform's.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        self.certificates().iter().map(|certificate| certificate.subject().to_string()).collect()
    }

    /// The authorities themselves; empty for the platform's.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        match &self.0 {
            Source::Only(only) => &only.certificates,
            #[cfg(feature = "platform-verifier")]
            Source::Platform => &[],
        }
    }

    fn from_text(origin: Origin, text: &[u8]) -> Result<Self, TrustError> {
        match pem::certificates(text) {
            Ok(certificates) => Self::only(&origin, certificates),
            Err(source) => Err(TrustError::Pem { origin, source }),
        }
    }

    fn only(origin: &Origin, certificates: Vec<Certificate>) -> Result<Self, TrustError> {
        if certificates.is_empty() {
            return Err(TrustError::None);
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(CertificateDer::from(certificate.der())).map_err(|error| TrustError::NotAnAuthority {
                origin: origin.clone(),
                subject: certificate.subject().to_string(),
                detail: error.to_string(),
            })?;
        }
        Ok(Self(Source::Only(Arc::new(Only { certificates, roots: Arc::new(roots) }))))
    }

    pub(crate) fn server_verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
        match &self.0 {
            Source::Only(only) => WebPkiServerVerifier::builder_with_provider(Arc::clone(&only.roots), provider())
                .build()
                .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
                .map_err(|error| TrustError::Verifier(error.to_string())),
            #[cfg(feature = "platform-verifier")]
            Source::Platform => rustls_platform_verifier::Verifier::new(provider())
                .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
                .map_err(|error| TrustError::Verifier(error.to_string())),
        }
    }

    pub(crate) fn client_verifier(&self, optional: bool) -> Result<Arc<dyn ClientCertVerifier>, TrustError> {
        match &self.0 {
            Source::Only(only) => {
                // Every authority is a hint; a client with several certificates picks by it.
                let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&only.roots), provider());
                let builder = if optional { builder.allow_unauthenticated() } else { builder };
                builder.build().map_err(|error| TrustError::Verifier(error.to_string()))
            }
            #[cfg(feature = "platform-verifier")]
            Source::Platform => Err(TrustError::Verifier(
                "the operating system's authorities vouch for servers, not for clients: name your own".to_owned(),
            )),
        }
    }
}
