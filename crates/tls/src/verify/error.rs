//! Which rule a presented chain broke.

use std::fmt;

use crate::catalogue::{Finding, Id, Severity};
use crate::peer::{MAX_PRESENTED_BYTES, MAX_PRESENTED_CERTIFICATES, PeerError};
use crate::time::Utc;

/// Which rule a presented chain broke. The fault is the client's, or nobody registered its issuer.
///
/// Its display is one sentence with the cure, and the entry of the catalogue in brackets, which `{:#}` leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// A certificate's validity has not begun (catalogue B02).
    NotYetValid {
        /// Whom it names.
        subject: String,
        /// Its first second, in seconds since 1970.
        not_before: u64,
    },
    /// A certificate's validity is over (catalogue B01).
    Expired {
        /// Whom it names.
        subject: String,
        /// Its last second, in seconds since 1970.
        not_after: u64,
    },
    /// No path leads from the leaf to a registered authority (catalogue E02; B09 if it is self-signed).
    UnknownIssuer {
        /// The issuer at which the path ends.
        issuer: String,
        /// The leaf's subject.
        leaf: String,
        /// The subjects of the registered authorities.
        anchors: Vec<String>,
        /// The leaf is self-signed.
        self_signed: bool,
        /// No intermediate was presented.
        leaf_only: bool,
    },
    /// The leaf is a CA certificate (catalogue A14).
    CaAsLeaf {
        /// Whom it names.
        subject: String,
    },
    /// The leaf's extended key usage does not allow the use (catalogue B03).
    WrongUsage {
        /// Whom the leaf names.
        subject: String,
    },
    /// An issuer's extended key usage does not allow to issue for the use (catalogue B05).
    IssuerUsage {
        /// Whom the issuer names.
        subject: String,
        /// Whom the leaf names.
        leaf: String,
    },
    /// A signature on the path is wrong: the names fit and the keys do not (catalogue B10).
    BadSignature {
        /// Whom the certificate with the signature names.
        subject: String,
        /// The issuer that it names.
        issuer: String,
        /// An authority of that name is registered, with another key.
        registered: bool,
    },
    /// The chain's name constraints exclude the leaf (catalogue B18).
    NameConstraints {
        /// Whom the leaf names.
        subject: String,
        /// Who constrains.
        authority: String,
    },
    /// A certificate that issued another is no CA certificate (catalogue B17).
    NotACa {
        /// Whom it names.
        subject: String,
        /// Whom the leaf names.
        leaf: String,
    },
    /// More intermediates than an authority allows below it (catalogue B17).
    PathLength {
        /// Whom the authority names.
        subject: String,
        /// Whom the leaf names.
        leaf: String,
    },
    /// A certificate is on its issuer's revocation list (catalogue B12).
    Revoked {
        /// Whom it names.
        subject: String,
        /// Its serial number in lower-case hexadecimal.
        serial: String,
    },
    /// No revocation list covers a certificate (catalogue B13).
    RevocationUnknown {
        /// Whom it names.
        subject: String,
        /// Whose list is missing.
        issuer: String,
    },
    /// The list that covers a certificate is overdue (catalogue B13).
    ListOutdated {
        /// Whom the certificate names.
        subject: String,
        /// Whose list it is.
        issuer: String,
        /// When the next one was due, in seconds since 1970.
        next_update: u64,
    },
    /// A certificate is signed with SHA-1 or MD5 (catalogue A30).
    WeakSignature {
        /// Whom it names.
        subject: String,
    },
    /// The leaf is for other names: only where a server is judged (catalogue D08, D10).
    WrongName {
        /// Whom the leaf names.
        subject: String,
        /// What it is for.
        names: Vec<String>,
    },
    /// The leaf is not the pinned one: only where a server is judged (catalogue D03).
    NotPinned {
        /// Whom the leaf names.
        subject: String,
        /// The leaf's SHA-256 thumbprint.
        sha256: String,
    },
    /// The leaf's thumbprint is not registered (catalogue B08).
    ThumbprintMismatch {
        /// Whom the leaf names.
        subject: String,
        /// The leaf's SHA-256 thumbprint.
        sha256: String,
    },
    /// The chain was not even looked at: it is too large, or no certificate (catalogue B17).
    NotTaken {
        /// Whom the leaf names; empty if it cannot be read.
        subject: String,
        /// What is wrong with the chain.
        problem: PeerError,
    },
    /// Another rule of RFC 5280 (catalogue B17).
    Other {
        /// Whom the leaf names.
        subject: String,
        /// The rule, in the verifier's words.
        detail: String,
    },
}

impl VerifyError {
    /// The entry of the catalogue, seen from whoever judges a client.
    #[must_use]
    pub const fn id(&self) -> Id {
        match self {
            Self::NotYetValid { .. } => Id::B02,
            Self::Expired { .. } => Id::B01,
            Self::UnknownIssuer { self_signed: true, .. } => Id::B09,
            Self::UnknownIssuer { .. } => Id::E02,
            Self::CaAsLeaf { .. } => Id::A14,
            Self::WrongUsage { .. } => Id::B03,
            Self::IssuerUsage { .. } => Id::B05,
            Self::BadSignature { registered: true, .. } => Id::B10,
            Self::BadSignature { .. } => Id::A34,
            Self::NameConstraints { .. } => Id::B18,
            Self::Revoked { .. } => Id::B12,
            Self::RevocationUnknown { .. } | Self::ListOutdated { .. } => Id::B13,
            Self::WeakSignature { .. } => Id::A30,
            Self::WrongName { .. } => Id::D08,
            Self::NotPinned { .. } => Id::D03,
            Self::ThumbprintMismatch { .. } => Id::B08,
            Self::NotACa { .. } | Self::PathLength { .. } | Self::NotTaken { .. } | Self::Other { .. } => Id::B17,
        }
    }

    /// The finding.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (why, fix) = self.words();
        Finding::new(self.id(), Severity::Error, self.subject(), why, fix)
    }

    /// Whom the certificate that broke the rule names.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::UnknownIssuer { leaf: subject, .. }
            | Self::NotYetValid { subject, .. }
            | Self::Expired { subject, .. }
            | Self::CaAsLeaf { subject }
            | Self::WrongUsage { subject }
            | Self::IssuerUsage { subject, .. }
            | Self::BadSignature { subject, .. }
            | Self::NameConstraints { subject, .. }
            | Self::NotACa { subject, .. }
            | Self::PathLength { subject, .. }
            | Self::Revoked { subject, .. }
            | Self::RevocationUnknown { subject, .. }
            | Self::ListOutdated { subject, .. }
            | Self::WeakSignature { subject }
            | Self::WrongName { subject, .. }
            | Self::NotPinned { subject, .. }
            | Self::ThumbprintMismatch { subject, .. }
            | Self::NotTaken { subject, .. }
            | Self::Other { subject, .. } => subject,
        }
    }

    /// What is so, and what to do about it, as whoever judges a client puts it.
    pub(crate) fn words(&self) -> (String, String) {
        let (why, fix) = match self {
            Self::NotYetValid { subject, not_before } => (
                format!("the certificate {subject} is valid only from {}", Utc(*not_before)),
                "wait, or set the clock of the machine that made it or judges it".to_owned(),
            ),
            Self::Expired { subject, not_after } => {
                (format!("the certificate {subject} expired on {}", Utc(*not_after)), "renew it".to_owned())
            }
            Self::UnknownIssuer { issuer, leaf, anchors, self_signed, leaf_only } => {
                let why = format!(
                    "no registered CA vouches for {leaf}: it was issued by {issuer}, and {}",
                    registered(anchors)
                );
                let fix = match (self_signed, leaf_only) {
                    (true, _) => {
                        "a self-signed certificate works only by thumbprint: register that, or have one issued by a CA"
                    }
                    (_, true) => {
                        "register the CA certificate of that issuer, or let the client send the intermediates in between"
                    }
                    _ => "register the CA certificate of that issuer, or let the client send the certificate above it",
                };
                (why, fix.to_owned())
            }
            Self::CaAsLeaf { subject } => (
                format!("{subject} is a CA certificate and cannot stand for a client"),
                "issue one with CA:FALSE, or authenticate by thumbprint".to_owned(),
            ),
            Self::WrongUsage { subject } => (
                format!("the certificate {subject} may not authenticate a client"),
                "issue one whose extended key usage has clientAuth".to_owned(),
            ),
            Self::IssuerUsage { subject, leaf } => (
                format!("the extended key usage of the CA {subject} does not allow it to issue {leaf} for clients"),
                "issue the certificate under a CA without that limit".to_owned(),
            ),
            Self::BadSignature { subject, issuer, registered: true } => (
                format!(
                    "{subject} was not signed by the registered CA {issuer}: another CA of the same name, with another key, signed it"
                ),
                "register the one that signed it".to_owned(),
            ),
            Self::BadSignature { subject, issuer, .. } => (
                format!("{subject} was not signed by the certificate of {issuer} that was sent with it"),
                "send the intermediate that signed it".to_owned(),
            ),
            Self::NameConstraints { subject, authority } => (
                format!("the name constraints of {authority} exclude the names of {subject}"),
                "issue the certificate for names that the CA may certify".to_owned(),
            ),
            Self::NotACa { subject, leaf } => (
                format!("{subject} stands above {leaf} and is no CA certificate"),
                "issue under a certificate with CA:TRUE and keyCertSign".to_owned(),
            ),
            Self::PathLength { subject, leaf } => (
                format!("the CA {subject} allows fewer intermediates below it than lead to {leaf}"),
                "issue under a CA with a larger path length, or nearer to it".to_owned(),
            ),
            Self::Revoked { subject, serial } => (
                format!("the certificate {subject} (serial {serial}) was revoked by its issuer"),
                "get a new certificate".to_owned(),
            ),
            Self::RevocationUnknown { subject, issuer } => (
                format!("no revocation list of {issuer} is loaded, so nobody knows whether {subject} was revoked"),
                "add that CA's list, or check only the peer's own certificate".to_owned(),
            ),
            Self::ListOutdated { subject, issuer, next_update } => (
                format!(
                    "the revocation list of {issuer}, which covers {subject}, is out of date since {}",
                    Utc(*next_update)
                ),
                "fetch the current list".to_owned(),
            ),
            Self::WeakSignature { subject } => (
                format!("the certificate {subject} is signed with SHA-1 or MD5"),
                "issue it again with SHA-256".to_owned(),
            ),
            Self::WrongName { subject, names } if names.is_empty() => (
                format!("the certificate {subject} has no subject alternative name"),
                "issue it again with the server's name in it".to_owned(),
            ),
            Self::WrongName { subject, names } => (
                format!("the certificate {subject} is for {}", names.join(", ")),
                "connect to a name that it is for".to_owned(),
            ),
            Self::NotPinned { subject, sha256 } => (
                format!("{subject} is not pinned: its SHA-256 is {sha256}"),
                "compare that with the server's own, and pin it if they are the same".to_owned(),
            ),
            Self::ThumbprintMismatch { subject, sha256 } => (
                format!("the thumbprint of {subject} is not registered"),
                format!("register its SHA-256, which is {sha256}"),
            ),
            Self::NotTaken { problem: PeerError::BadLeaf(problem), .. } => {
                (format!("what was presented is no certificate: {problem}"), "issue it again".to_owned())
            }
            Self::NotTaken { subject, .. } => (
                format!(
                    "the chain presented for {subject} has more than {MAX_PRESENTED_CERTIFICATES} certificates or \
                     {MAX_PRESENTED_BYTES} bytes"
                ),
                "send only the leaf and its intermediates".to_owned(),
            ),
            Self::Other { subject, detail } => (
                format!("the certificate {subject} or its chain breaks a rule of X.509 ({detail})"),
                "issue it again".to_owned(),
            ),
        };
        (why, fix)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (why, fix) = self.words();
        let id = self.id();
        write!(f, "{why}; {fix}")?;
        if f.alternate() { Ok(()) } else { write!(f, " [{id} {}]", id.name()) }
    }
}

impl std::error::Error for VerifyError {}

fn registered(anchors: &[String]) -> String {
    match anchors {
        [] => "no CA is registered".to_owned(),
        [one] => format!("the only registered CA is {one}"),
        many => {
            let list = many.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("; ");
            match many.len().saturating_sub(5) {
                0 => format!("registered are {list}"),
                more => format!("registered are {list} and {more} more"),
            }
        }
    }
}
