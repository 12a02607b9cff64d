//! The handshake's check of a server's chain.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::Trust;
use crate::provider::provider;
#[cfg(feature = "stream")]
use crate::verify::Fault;
use crate::verify::{Chain, VerifyError};

/// Asks each part of a [`Trust`] in turn; one that believes is enough.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    pub(super) trust: Trust,
    /// The operating system's, if it is asked.
    pub(super) platform: Option<Arc<dyn ServerCertVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(super) fn new(trust: Trust, platform: Option<Arc<dyn ServerCertVerifier>>) -> Self {
        Self { trust, platform, algorithms: provider().signature_verification_algorithms }
    }
}

impl ServerVerifier {
    /// Judges a chain that was read already. `theirs` asks the operating system about the same one.
    pub(crate) fn judge(
        &self,
        shown: &Chain,
        server_name: &ServerName<'_>,
        now: UnixTime,
        theirs: impl FnOnce(&dyn ServerCertVerifier) -> Result<ServerCertVerified, Error>,
    ) -> Result<ServerCertVerified, Error> {
        let own = match self.trust.judge_server(shown, server_name, now.as_secs()) {
            Ok(()) => return Ok(ServerCertVerified::assertion()),
            Err(refusal) => refusal,
        };
        let Some(platform) = &self.platform else {
            return Err(own.map_or(Error::InvalidCertificate(CertificateError::UnknownIssuer), |refusal| {
                as_rustls(refusal.rule)
            }));
        };
        match (theirs(platform.as_ref()), own) {
            (Ok(verified), _) => Ok(verified),
            // Whoever knows the issuer says more than whoever does not.
            (Err(error), Some(own)) if says_no_more(&error) => Err(as_rustls(own.rule)),
            (Err(error), _) => Err(error),
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Chain::of(std::iter::once(end_entity).chain(intermediates));
        self.judge(&shown, server_name, now, |platform| {
            platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn says_no_more(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer))
}

/// The refusal in the terms of the TLS stack, which chooses the alert by it.
pub(crate) fn as_rustls(rule: VerifyError) -> Error {
    Error::InvalidCertificate(match rule {
        VerifyError::Expired { .. } => CertificateError::Expired,
        VerifyError::NotYetValid { .. } => CertificateError::NotValidYet,
        VerifyError::UnknownIssuer { .. } | VerifyError::NotPinned { .. } => CertificateError::UnknownIssuer,
        VerifyError::WrongUsage { .. } | VerifyError::IssuerUsage { .. } => CertificateError::InvalidPurpose,
        VerifyError::BadSignature { .. } => CertificateError::BadSignature,
        VerifyError::Revoked { .. } => CertificateError::Revoked,
        VerifyError::RevocationUnknown { .. } => CertificateError::UnknownRevocationStatus,
        VerifyError::ListOutdated { .. } => CertificateError::ExpiredRevocationList,
        VerifyError::WrongName { .. } => CertificateError::NotValidForName,
        VerifyError::NotTaken { .. } => CertificateError::BadEncoding,
        VerifyError::ThumbprintMismatch { .. } => CertificateError::ApplicationVerificationFailure,
        VerifyError::WeakSignature { .. } => CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: Vec::new(),
            supported_algorithms: Vec::new(),
        },
        VerifyError::CaAsLeaf { .. } => other(webpki::Error::CaUsedAsEndEntity),
        VerifyError::NotACa { .. } => other(webpki::Error::EndEntityUsedAsCa),
        VerifyError::NameConstraints { .. } => other(webpki::Error::NameConstraintViolation),
        VerifyError::PathLength { .. } => other(webpki::Error::PathLenConstraintViolated),
        rule => other(rule),
    })
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> CertificateError {
    CertificateError::Other(OtherError(Arc::new(error)))
}

/// The refusal that stands behind an error of a verifier that is not ours, as far as its kind tells.
#[cfg(feature = "stream")]
pub(super) fn fault_of(error: &CertificateError) -> Fault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Fault::NotYetValid,
        CertificateError::UnknownIssuer => Fault::UnknownIssuer,
        CertificateError::Revoked => Fault::Revoked,
        CertificateError::UnknownRevocationStatus => Fault::RevocationUnknown,
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            Fault::ListOutdated
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Fault::Name,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Fault::Usage,
        CertificateError::BadSignature => Fault::Signature,
        CertificateError::Other(OtherError(other)) => match other.downcast_ref::<webpki::Error>() {
            Some(error) => Fault::from(error),
            None => Fault::Other(error.to_string()),
        },
        other => Fault::Other(other.to_string()),
    }
}
