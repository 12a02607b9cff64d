//! What a trust would have said about a captured chain.

#[cfg(feature = "web-roots")]
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error};

use crate::trust::Trust;

/// What a trust says about a server's chain: the first rule that no path satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The chain is good for the name at the time.
    Trusted,
    /// The chain ends at nobody who is trusted.
    UnknownIssuer,
    /// A certificate of the path has expired.
    Expired,
    /// A certificate of the path is not valid yet.
    NotYetValid,
    /// The leaf is for other names.
    WrongName,
    /// A certificate may not be used for servers.
    WrongUsage,
    /// The leaf says CA:TRUE.
    CaAsLeaf,
    /// A certificate is revoked.
    Revoked,
    /// A signature is wrong: an issuer of the same name has another key.
    BadSignature,
    /// A certificate is signed with an algorithm that is not accepted.
    WeakSignature,
    /// A CA's name constraints exclude the leaf.
    NameConstraints,
    /// A certificate cannot be read by the verifier.
    Unreadable(String),
    /// There is nobody to trust: the store is empty or cannot be opened.
    NoRoots(String),
    /// Something else.
    Other(String),
}

impl Verdict {
    /// Is it good?
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        *self == Self::Trusted
    }
}

/// Judges a chain in DER, leaf first, for a DNS name or IP address at `now` (seconds since 1970).
#[must_use]
pub fn judge<D: AsRef<[u8]>>(chain: &[D], server_name: &str, trust: &Trust, now: u64) -> Verdict {
    match trust.server_verifier() {
        Ok(verifier) => ask(&*verifier, chain, server_name, now),
        Err(error) => Verdict::NoRoots(error.to_string()),
    }
}

/// As [`judge`], by the operating system's store.
#[cfg(feature = "platform-verifier")]
#[must_use]
pub fn judge_platform<D: AsRef<[u8]>>(chain: &[D], server_name: &str, now: u64) -> Verdict {
    match rustls_platform_verifier::Verifier::new(crate::provider::provider()) {
        Ok(verifier) => ask(&verifier, chain, server_name, now),
        Err(error) => Verdict::NoRoots(error.to_string()),
    }
}

/// As [`judge`], by the root programme of the web as built in.
#[cfg(feature = "web-roots")]
#[must_use]
pub fn judge_web_roots<D: AsRef<[u8]>>(chain: &[D], server_name: &str, now: u64) -> Verdict {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = crate::provider::provider();
    match rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() {
        Ok(verifier) => ask(&*verifier, chain, server_name, now),
        Err(error) => Verdict::NoRoots(error.to_string()),
    }
}

fn ask<D: AsRef<[u8]>>(verifier: &dyn ServerCertVerifier, chain: &[D], server_name: &str, now: u64) -> Verdict {
    let bare = server_name.trim_start_matches('[').trim_end_matches([']', '.']);
    let Ok(name) = ServerName::try_from(bare.to_owned()) else { return Verdict::WrongName };
    let ders: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_ref())).collect();
    let Some((leaf, intermediates)) = ders.split_first() else {
        return Verdict::Other("the server sent no certificate".to_owned());
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    match verifier.verify_server_cert(leaf, intermediates, &name, &[], now) {
        Ok(_) => Verdict::Trusted,
        Err(error) => from_error(&error),
    }
}

fn from_error(error: &Error) -> Verdict {
    let Error::InvalidCertificate(reason) = error else { return Verdict::Other(error.to_string()) };
    match reason {
        CertificateError::UnknownIssuer => Verdict::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Verdict::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Verdict::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Verdict::WrongName,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Verdict::WrongUsage,
        CertificateError::Revoked => Verdict::Revoked,
        CertificateError::BadSignature => Verdict::BadSignature,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Verdict::WeakSignature,
        CertificateError::BadEncoding | CertificateError::UnhandledCriticalExtension => {
            Verdict::Unreadable(reason.to_string())
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => Verdict::CaAsLeaf,
            Some(webpki::Error::NameConstraintViolation) => Verdict::NameConstraints,
            Some(webpki::Error::UnsupportedCertVersion) => Verdict::Unreadable(reason.to_string()),
            Some(webpki::Error::EndEntityUsedAsCa | webpki::Error::PathLenConstraintViolated) => Verdict::WrongUsage,
            _ => Verdict::Other(reason.to_string()),
        },
        _ => Verdict::Other(reason.to_string()),
    }
}
