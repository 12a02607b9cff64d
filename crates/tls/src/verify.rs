//! From what a client presented to whom it is.
//!
//! Pure functions of the presented chain, what is registered and the time: they can be called at
//! CONNECT and again whenever what is registered changes.

use crate::certificate::Certificate;
use crate::peer::PresentedPeer;
use crate::revocation::Revocation;

mod anchors;
mod blame;
mod chain;
mod error;
mod path;
mod refusal;
mod signatures;
mod thumbprint;

pub use anchors::{Anchors, AnchorsError};
#[cfg(feature = "stream")]
pub(crate) use blame::names;
pub(crate) use blame::{Case, Fault, MAX_CHAIN, parse};
pub(crate) use chain::Chain;
pub use error::VerifyError;
pub(crate) use path::{AnchorSet, Found, Purpose};
pub use refusal::Refusal;
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
/// constraints, key usage of issuers, name constraints and the extended key usage `clientAuth` are
/// checked (RFC 5280 §6), the authority's own certificate included.
/// Authorities that are expired or not yet valid vouch for nobody.
///
/// # Errors
/// The first rule that no path satisfies.
pub fn verify(presented: &PresentedPeer, anchors: &Anchors, now: u64) -> Result<VerifiedPeer, VerifyError> {
    verify_with(presented, anchors, None, now).map_err(|refusal| refusal.rule)
}

/// As [`verify`](verify()), also against revocation lists, and with everything that is known about a refusal.
///
/// # Errors
/// The first rule that no path satisfies, the certificate that broke it, and the chain that was seen.
pub fn verify_with(
    presented: &PresentedPeer,
    anchors: &Anchors,
    revocation: Option<&Revocation>,
    now: u64,
) -> Result<VerifiedPeer, Refusal> {
    let leaf = presented.leaf();
    let found = judge(&presented.shown(), anchors.set(), Purpose::ClientAuth, revocation, now)?;
    let mut chain_subjects = vec![leaf.subject().to_string()];
    chain_subjects.extend(found.intermediates.iter().map(|issuer| issuer.subject().to_string()));
    let (subject, thumbprint_sha256) = found
        .anchor
        .map(|anchor| (anchor.subject().to_string(), anchor.thumbprint_sha256().to_owned()))
        .unwrap_or_default();
    chain_subjects.push(subject.clone());
    let how = VerifiedBy::Anchor { subject, thumbprint_sha256 };
    Ok(VerifiedPeer { leaf: leaf.clone(), chain_subjects, how })
}

/// Looks for a path, and on failure for the certificate that is to blame.
pub(crate) fn judge(
    shown: &Chain,
    anchors: &AnchorSet,
    purpose: Purpose,
    revocation: Option<&Revocation>,
    now: u64,
) -> Result<Found, Refusal> {
    let case = || Case {
        chain: shown.certificates(),
        anchors: anchors.certificates(),
        more_anchors: anchors.bare_count(),
        purpose,
        revocation,
        now,
    };
    // The leaf's own dates are what its owner can do something about, whoever issued it.
    if let Some(leaf) = shown.leaf()
        && let Some(fault) = dates(leaf, now)
    {
        return Err(case().blame(fault));
    }
    let error = match anchors.path(shown, purpose, revocation, now, true) {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    // Would an authority vouch for it that is not valid now?
    if anchors.all_valid(now) {
        return Err(case().blame(Fault::from(&error)));
    }
    let fault = match anchors.path(shown, purpose, revocation, now, false) {
        Ok(Found { anchor: Some(anchor), .. }) => dates(&anchor, now).unwrap_or_else(|| Fault::from(&error)),
        Ok(_) => Fault::from(&error),
        Err(without_dates) => Fault::from(&without_dates),
    };
    Err(case().blame(fault))
}

pub(crate) fn dates(certificate: &Certificate, now: u64) -> Option<Fault> {
    if now > certificate.not_after() {
        Some(Fault::Expired)
    } else if now < certificate.not_before() {
        Some(Fault::NotYetValid)
    } else {
        None
    }
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
