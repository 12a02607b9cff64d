//! Why a presented chain was not believed.

use webpki::Error;

use super::Anchors;
use crate::certificate::Certificate;
use crate::peer::PresentedPeer;
use crate::time::Utc;

/// Which rule a presented chain broke. The fault is the client's, or nobody registered its issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A certificate's validity has not begun (catalogue B02).
    #[error(
        "the certificate {subject} is valid only from {}: wait, or set the clock of the machine that made it or \
         judges it",
        Utc(*.not_before)
    )]
    NotYetValid {
        /// Whom it names.
        subject: String,
        /// Its first second, in seconds since 1970.
        not_before: u64,
    },
    /// A certificate's validity is over (catalogue B01).
    #[error("the certificate {subject} expired on {}: renew it", Utc(*.not_after))]
    Expired {
        /// Whom it names.
        subject: String,
        /// Its last second, in seconds since 1970.
        not_after: u64,
    },
    /// No path leads from the leaf to a registered authority (catalogue A18, B09, B10).
    #[error(
        "no registered CA vouches for {leaf}: it was issued by {issuer}, and {}. \
         Register the CA certificate of that issuer, or let the client send the intermediates in between",
        registered(.anchors)
    )]
    UnknownIssuer {
        /// The subject of the certificate at which the path ends.
        issuer: String,
        /// The leaf's subject.
        leaf: String,
        /// The subjects of the registered authorities.
        anchors: Vec<String>,
    },
    /// The leaf is a CA certificate (catalogue A14).
    #[error(
        "{subject} is a CA certificate and cannot stand for a client: issue one with CA:FALSE, or authenticate \
         by thumbprint"
    )]
    CaAsLeaf {
        /// Whom it names.
        subject: String,
    },
    /// The extended key usage does not allow client authentication (catalogue B03, B05).
    #[error(
        "the certificate {subject} may not authenticate a client: issue one whose extended key usage has clientAuth"
    )]
    WrongUsage {
        /// Whom the leaf names.
        subject: String,
    },
    /// A signature on the path is wrong: the names fit and the keys do not.
    #[error(
        "the signature on the certificate {subject} or on its chain is not its issuer's: \
         the CA of that name has another key; register the one that signed it"
    )]
    BadSignature {
        /// Whom the leaf names.
        subject: String,
    },
    /// The leaf's thumbprint is not registered (catalogue B08).
    #[error("the thumbprint of {subject} is not registered: its SHA-256 is {sha256}")]
    ThumbprintMismatch {
        /// Whom the leaf names.
        subject: String,
        /// The leaf's SHA-256 thumbprint.
        sha256: String,
    },
    /// Another rule of RFC 5280.
    #[error("the certificate {subject} or its chain breaks a rule of X.509 ({detail}): issue it again")]
    Other {
        /// Whom the leaf names.
        subject: String,
        /// The rule, in the verifier's words.
        detail: String,
    },
}

fn registered(anchors: &[String]) -> String {
    match anchors {
        [] => "no CA is registered".to_owned(),
        [one] => format!("the only registered CA is {one}"),
        many => {
            let more = many.len().saturating_sub(5);
            let list = many.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("; ");
            if more == 0 {
                format!("registered are {list}")
            } else {
                format!(
                    "registered are {list} and {more} \
             more"
                )
            }
        }
    }
}

pub(super) fn unknown_issuer(presented: &PresentedPeer, anchors: &Anchors) -> VerifyError {
    let known = || presented.chain().iter().skip(1).filter_map(|der| Certificate::from_der(der).ok());
    let mut last = presented.leaf().clone();
    // At most as many steps as there are certificates: a chain of hostile names may be a circle.
    for _ in presented.chain() {
        match known().find(|issuer| last.names_as_issuer(issuer) && !last.is_self_issued()) {
            Some(issuer) => last = issuer,
            None => break,
        }
    }
    VerifyError::UnknownIssuer {
        issuer: last.issuer().to_string(),
        leaf: presented.leaf().subject().to_string(),
        anchors: anchors.certificates().iter().map(|anchor| anchor.subject().to_string()).collect(),
    }
}

pub(super) fn from_webpki(error: Error, presented: &PresentedPeer, anchors: &Anchors) -> VerifyError {
    let subject = presented.leaf().subject().to_string();
    // The error gives the time and not the certificate; the path holds at most a few of them.
    let whose = |matches: &dyn Fn(&Certificate) -> bool| {
        let sent = presented.chain().iter().filter_map(|der| Certificate::from_der(der).ok());
        sent.chain(anchors.certificates().iter().cloned())
            .find(matches)
            .map_or_else(|| subject.clone(), |certificate| certificate.subject().to_string())
    };
    match error {
        Error::CertExpired { not_after, .. } => {
            let not_after = not_after.as_secs();
            VerifyError::Expired { subject: whose(&|found| found.not_after() == not_after), not_after }
        }
        Error::CertNotValidYet { not_before, .. } => {
            let not_before = not_before.as_secs();
            VerifyError::NotYetValid { subject: whose(&|found| found.not_before() == not_before), not_before }
        }
        Error::UnknownIssuer => unknown_issuer(presented, anchors),
        Error::CaUsedAsEndEntity => VerifyError::CaAsLeaf { subject },
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => VerifyError::WrongUsage { subject },
        Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => {
            VerifyError::BadSignature { subject }
        }
        other => VerifyError::Other { subject, detail: other.to_string() },
    }
}
