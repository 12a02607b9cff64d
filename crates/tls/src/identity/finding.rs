//! What is odd about an identity that can be used.

use std::fmt;

use super::chain::Notes;
use crate::certificate::Certificate;
use crate::time::Utc;

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Works; worth knowing.
    Info,
    /// Works with some peers and not with others, or wastes something.
    Warning,
    /// A peer that checks will refuse it.
    Error,
}

/// What kind of oddity a [`Finding`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The validity is over (catalogue B01).
    Expired {
        /// Its last second, in seconds since 1970.
        not_after: u64,
    },
    /// The validity has not begun (catalogue B02).
    NotYetValid {
        /// Its first second, in seconds since 1970.
        not_before: u64,
    },
    /// The leaf is a CA certificate (catalogue A14).
    CaAsLeaf {
        /// Self-signed: authentication by thumbprint takes it.
        self_signed: bool,
    },
    /// A root was given with the chain and is not sent (catalogue A17).
    NeedlessRoot,
    /// The leaf was not the first certificate (catalogue A15).
    LeafNotFirst,
    /// The intermediates were not in the order of issue (catalogue A16).
    OutOfOrder,
    /// A certificate that belongs to another chain; it is not sent.
    Unrelated,
    /// Only a leaf that somebody else signed: right if a root signed it, else its issuer is
    /// missing (catalogue A18).
    LeafOnly,
}

/// One oddity of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    kind: FindingKind,
    subject: String,
    issuer: String,
}

impl Finding {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &FindingKind {
        &self.kind
    }

    /// The certificate it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.kind {
            FindingKind::Expired { .. } | FindingKind::NotYetValid { .. } => Severity::Error,
            FindingKind::CaAsLeaf { self_signed: false } => Severity::Error,
            FindingKind::CaAsLeaf { self_signed: true } | FindingKind::Unrelated => Severity::Warning,
            FindingKind::NeedlessRoot | FindingKind::LeafNotFirst | FindingKind::OutOfOrder => Severity::Warning,
            FindingKind::LeafOnly => Severity::Info,
        }
    }

    /// Its stable name in words.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self.kind {
            FindingKind::Expired { .. } => "certificate-expired",
            FindingKind::NotYetValid { .. } => "certificate-not-yet-valid",
            FindingKind::CaAsLeaf { .. } => "ca-as-leaf",
            FindingKind::NeedlessRoot => "needless-root",
            FindingKind::LeafNotFirst => "leaf-not-first",
            FindingKind::OutOfOrder => "chain-out-of-order",
            FindingKind::Unrelated => "unrelated-certificate",
            FindingKind::LeafOnly => "leaf-only",
        }
    }

    /// Its id in the catalogue of TLS failures, where it has one.
    #[must_use]
    pub fn catalogue_id(&self) -> Option<&'static str> {
        match self.kind {
            FindingKind::Expired { .. } => Some("B01"),
            FindingKind::NotYetValid { .. } => Some("B02"),
            FindingKind::CaAsLeaf { .. } => Some("A14"),
            FindingKind::NeedlessRoot => Some("A17"),
            FindingKind::LeafNotFirst => Some("A15"),
            FindingKind::OutOfOrder => Some("A16"),
            FindingKind::Unrelated => None,
            FindingKind::LeafOnly => Some("A18"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, subject, issuer } = self;
        match kind {
            FindingKind::Expired { not_after } => {
                write!(f, "the certificate {subject} expired on {}: renew it", Utc(*not_after))
            }
            FindingKind::NotYetValid { not_before } => write!(
                f,
                "the certificate {subject} is valid only from {}: wait, or set this machine's clock",
                Utc(*not_before)
            ),
            FindingKind::CaAsLeaf { self_signed: true } => {
                write!(f, "{subject} is a self-signed CA certificate: it works only where its thumbprint is registered")
            }
            FindingKind::CaAsLeaf { self_signed: false } => {
                write!(f, "{subject} is a CA certificate: issue a certificate with CA:FALSE and use that")
            }
            FindingKind::NeedlessRoot => {
                write!(f, "the root {subject} is not sent, since the peer must have it: drop it from the file")
            }
            FindingKind::LeafNotFirst => {
                write!(f, "{subject} was not the first certificate; it is sent first: some programs need the file so")
            }
            FindingKind::OutOfOrder => {
                write!(
                    f,
                    "the chain of {subject} was out of order; it is sent in order: some programs need the file so"
                )
            }
            FindingKind::Unrelated => {
                write!(f, "{subject} belongs to another chain and is not sent: drop it from the file")
            }
            FindingKind::LeafOnly => write!(
                f,
                "only {subject} is sent: if its issuer {issuer} is not a root, append the issuer's certificate"
            ),
        }
    }
}

pub(super) fn findings(chain: &[Certificate], notes: &Notes, now: u64) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note = |kind, certificate: &Certificate| {
        found.push(Finding {
            kind,
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
        });
    };
    for certificate in chain {
        if now > certificate.not_after() {
            note(FindingKind::Expired { not_after: certificate.not_after() }, certificate);
        } else if now < certificate.not_before() {
            note(FindingKind::NotYetValid { not_before: certificate.not_before() }, certificate);
        }
    }
    if let Some(leaf) = chain.first() {
        if leaf.is_ca() {
            note(FindingKind::CaAsLeaf { self_signed: leaf.is_self_issued() }, leaf);
        }
        if notes.leaf_not_first {
            note(FindingKind::LeafNotFirst, leaf);
        }
        if notes.out_of_order {
            note(FindingKind::OutOfOrder, leaf);
        }
        if chain.len() == 1 && !leaf.is_self_issued() && notes.root.is_none() {
            note(FindingKind::LeafOnly, leaf);
        }
    }
    if let Some(root) = &notes.root {
        note(FindingKind::NeedlessRoot, root);
    }
    for certificate in &notes.unrelated {
        note(FindingKind::Unrelated, certificate);
    }
    found
}
