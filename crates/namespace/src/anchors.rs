//! The registered CA certificates, ready to verify with.

use gridmq_tls::certificate::Certificate;
use gridmq_tls::pem::{self, PemError};
use gridmq_tls::verify::{Anchors, AnchorsError};

/// Why a registered CA certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaError {
    #[error("text that is no certificate in PEM ({0})")]
    Pem(#[from] PemError),
    #[error("{0} certificates; register each as a CA certificate of its own")]
    Several(usize),
    #[error("another certificate ({0})")]
    Unusable(#[from] AnchorsError),
}

/// The one CA certificate of a PEM text.
pub(crate) fn ca_certificate(text: &str) -> Result<Certificate, CaError> {
    let certificates = pem::certificates(text.as_bytes())?;
    let [ca] = certificates.as_slice() else { return Err(CaError::Several(certificates.len())) };
    Anchors::new([ca.clone()])?;
    Ok(ca.clone())
}
