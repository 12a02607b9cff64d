//! From what a client presented to whom it is.
//!
//! Pure functions of the presented chain, what is registered and the time: they can be called at
//! CONNECT and again whenever what is registered changes.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::certificate::Certificate;
use crate::peer::PresentedPeer;
use crate::provider::provider;

mod anchors;
mod error;
mod thumbprint;

pub use anchors::{Anchors, AnchorsError};
pub use error::VerifyError;
pub use thumbprint::{BadThumbprint, Thumbprint, verify_thumbprint};

/// What a [`VerifiedPeer`]'s claim rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifiedBy {
    /// A chain of signatures to a registered authority.
    Anchor {
        /// The authority's subject.
        subject: String,
        /// The authority's SHA-256 thumbprint.
        thumbprint_sha256: String,
    },
    /// A registered thumbprint of the leaf itself.
    Thumbprint(Thumbprint),
}

/// A certificate that was checked. Only [`verify`](verify()) and [`verify_thumbprint`] make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPeer {
    leaf: Certificate,
    chain_subjects: Vec<String>,
    how: VerifiedBy,
}

impl VerifiedPeer {
    /// The client's certificate.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The subjects of the chain that was followed: leaf, intermediates, registered authority. By
    /// thumbprint it is the leaf alone.
    #[must_use]
    pub fn chain_subjects(&self) -> &[String] {
        &self.chain_subjects
    }

    /// What the claim rests on.
    #[must_use]
    pub fn how(&self) -> &VerifiedBy {
        &self.how
    }
}

/// Checks a presented chain against registered authorities at `now` (seconds since 1970).
///
/// The path may end at any of the anchors, root or intermediate; intermediates that the client did
/// not send are taken from the anchors. Signatures, validity of every certificate on the path, CA
/// constraints, name constraints and the extended key usage `clientAuth` are checked (RFC 5280 §6).
///
/// # Errors
/// The first rule that no path satisfies.
pub fn verify(presented: &PresentedPeer, anchors: &Anchors, now: u64) -> Result<VerifiedPeer, VerifyError> {
    let leaf = presented.leaf();
    check_validity(leaf, now)?;
    if anchors.is_empty() {
        return Err(error::unknown_issuer(presented, anchors));
    }
    let leaf_der = CertificateDer::from(leaf.der());
    let end_entity =
        EndEntityCert::try_from(&leaf_der).map_err(|failure| error::from_webpki(failure, presented, anchors))?;
    let intermediates: Vec<CertificateDer<'_>> = presented
        .chain()
        .iter()
        .skip(1)
        .map(Vec::as_slice)
        .chain(anchors.certificates().iter().map(Certificate::der))
        .map(CertificateDer::from)
        .collect();
    let path = end_entity
        .verify_for_usage(
            provider().signature_verification_algorithms.all,
            anchors.trust_anchors(),
            &intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(now)),
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|failure| error::from_webpki(failure, presented, anchors))?;
    let anchor = anchors.find(path.anchor(), now).ok_or_else(|| error::unknown_issuer(presented, anchors))?;
    // The verifier takes an anchor at its word; an expired authority vouches for nobody here.
    check_validity(anchor, now)?;
    let mut chain_subjects = vec![leaf.subject().to_string()];
    chain_subjects.extend(path.intermediate_certificates().map(|intermediate| {
        let der = intermediate.der();
        Certificate::from_der(&der).map(|parsed| parsed.subject().to_string()).unwrap_or_default()
    }));
    chain_subjects.push(anchor.subject().to_string());
    let how = VerifiedBy::Anchor {
        subject: anchor.subject().to_string(),
        thumbprint_sha256: anchor.thumbprint_sha256().to_owned(),
    };
    Ok(VerifiedPeer { leaf: leaf.clone(), chain_subjects, how })
}

fn check_validity(certificate: &Certificate, now: u64) -> Result<(), VerifyError> {
    let subject = || certificate.subject().to_string();
    if now > certificate.not_after() {
        Err(VerifyError::Expired { subject: subject(), not_after: certificate.not_after() })
    } else if now < certificate.not_before() {
        Err(VerifyError::NotYetValid { subject: subject(), not_before: certificate.not_before() })
    } else {
        Ok(())
    }
}
