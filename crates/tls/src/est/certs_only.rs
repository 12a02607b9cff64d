//! Certificates as EST carries them: certs-only PKCS#7 in base64 (RFC 7030 §4.1.3, §4.2.3).

use super::error::AnswerError;
use super::{MAX_BODY_BYTES, MAX_CERTIFICATES};
use crate::certificate::Certificate;
use crate::pkcs7::{self, Pkcs7Error};

/// Certificates as a body of `application/pkcs7-mime; smime-type=certs-only`: degenerate SignedData, in base64.
///
/// They keep their order, which readers must not rely on: the standard has a set.
#[must_use]
pub fn certs_only(certificates: &[Certificate]) -> String {
    super::base64::encode(&pkcs7::certs_only(certificates))
}

/// The certificates of such a body, in its order. Base64 with any line ends, plain DER and BER, and PEM are read.
///
/// Signatures and revocation lists in it are passed over: the TLS connection vouches for an answer of EST.
///
/// # Errors
/// When it is no SignedData, holds no certificate or more than [`MAX_CERTIFICATES`], or one that cannot be read.
pub fn read_certs_only(body: &[u8]) -> Result<Vec<Certificate>, AnswerError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(AnswerError::TooLarge);
    }
    let der = super::base64::decode(body).ok_or(AnswerError::NotBase64)?;
    let found = pkcs7::certificates(&der, MAX_CERTIFICATES).map_err(|error| match error {
        Pkcs7Error::NotSignedData => AnswerError::NotCertsOnly,
        Pkcs7Error::TooMany => AnswerError::TooManyCertificates,
    })?;
    if found.is_empty() {
        return Err(AnswerError::NoCertificate);
    }
    let read = |(index, der)| {
        Certificate::from_der(der).map_err(|source| AnswerError::BadCertificate { number: index + 1, source })
    };
    found.into_iter().enumerate().map(read).collect()
}
