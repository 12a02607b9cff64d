//! From the verifier's verdict to the certificate it is about.
//!
//! The verifier says which rule no path satisfies. Which certificate broke it is found by walking up from the leaf,
//! by names and signatures, as the verifier did.

use webpki::Error;

use super::path::{Purpose, is_valid};
use super::{Refusal, VerifyError};
use crate::certificate::Certificate;
use crate::revocation::Revocation;

/// How many certificates of a presented chain are looked at.
pub(crate) const MAX_CHAIN: usize = 16;
/// How many signatures are checked at most to find out which certificate is to blame.
const MAX_SIGNATURES: usize = 32;

/// What was judged, and by what.
pub(crate) struct Case<'a> {
    pub(crate) chain: Vec<Certificate>,
    pub(crate) anchors: &'a [Certificate],
    /// There are authorities of which only name and key are known.
    pub(crate) more_anchors: usize,
    pub(crate) purpose: Purpose,
    pub(crate) revocation: Option<&'a Revocation>,
    pub(crate) now: u64,
}

/// Which rule was broken, without saying by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    UnknownIssuer,
    Expired,
    NotYetValid,
    CaAsLeaf,
    LeafAsCa,
    Usage,
    Signature,
    NameConstraints,
    PathLength,
    Revoked,
    RevocationUnknown,
    ListOutdated,
    Name,
    Other(String),
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer,
            Error::CertExpired { .. } => Self::Expired,
            Error::CertNotValidYet { .. } => Self::NotYetValid,
            Error::CaUsedAsEndEntity => Self::CaAsLeaf,
            Error::EndEntityUsedAsCa => Self::LeafAsCa,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Self::Usage,
            Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => Self::Signature,
            Error::NameConstraintViolation => Self::NameConstraints,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::CertRevoked => Self::Revoked,
            Error::UnknownRevocationStatus => Self::RevocationUnknown,
            Error::CrlExpired { .. } => Self::ListOutdated,
            Error::CertNotValidForName(_) => Self::Name,
            other => Self::Other(other.to_string()),
        }
    }
}

/// Parses what was presented, as far as it is looked at.
pub(crate) fn parse<D: AsRef<[u8]>>(chain: impl IntoIterator<Item = D>) -> Vec<Certificate> {
    chain.into_iter().take(MAX_CHAIN).filter_map(|der| Certificate::from_der(der.as_ref()).ok()).collect()
}

/// Where the way up ends.
enum End {
    /// At an authority.
    Anchor,
    /// At a certificate that names itself as its issuer and is no authority.
    SelfSigned,
    /// At one whose issuer is not there.
    NoIssuer,
    /// At one whose issuer is there by name and signed with another key. `registered`: it is an authority.
    OtherKey { registered: bool },
}

struct Walk {
    steps: Vec<Certificate>,
    end: End,
}

impl Case<'_> {
    /// Names the certificate that broke the rule.
    pub(crate) fn blame(self, fault: Fault) -> Refusal {
        let Some(leaf) = self.chain.first().cloned() else {
            let rule = VerifyError::Other { subject: "(not a certificate)".to_owned(), detail: "BadDer".to_owned() };
            return Refusal { rule, certificate: None, chain: self.chain };
        };
        let walk = self.walk(&leaf);
        let (rule, certificate) = self.attribute(fault, &leaf, &walk);
        Refusal { rule, certificate: Some(certificate), chain: self.chain }
    }

    /// Follows issuers from the leaf: those whose signature fits and who are valid first, authorities before others.
    fn walk(&self, leaf: &Certificate) -> Walk {
        let mut steps = vec![leaf.clone()];
        let mut signatures = 0;
        loop {
            let Some(last) = steps.last().cloned() else { return Walk { steps, end: End::NoIssuer } };
            if self.anchors.contains(&last) {
                return Walk { steps, end: End::Anchor };
            }
            let named = self
                .anchors
                .iter()
                .map(|anchor| (anchor, true))
                .chain(self.chain.iter().map(|sent| (sent, false)))
                .filter(|(issuer, _)| last.issuer() == issuer.subject() && **issuer != last);
            let mut fitting: Option<(&Certificate, bool)> = None;
            let mut of_other_key = None;
            for (issuer, registered) in named {
                signatures += 1;
                if signatures > MAX_SIGNATURES {
                    break;
                }
                if !last.is_signed_by(issuer) {
                    of_other_key = Some(of_other_key.unwrap_or(false) || registered);
                } else if fitting.is_none()
                    || is_valid(issuer, self.now) && fitting.is_some_and(|(found, _)| !is_valid(found, self.now))
                {
                    fitting = Some((issuer, registered));
                }
            }
            let end = match (fitting, of_other_key) {
                (Some((issuer, registered)), _) => {
                    let again = steps.contains(issuer);
                    steps.push(issuer.clone());
                    if registered {
                        End::Anchor
                    } else if again || steps.len() > MAX_CHAIN {
                        End::NoIssuer
                    } else {
                        continue;
                    }
                }
                (None, Some(registered)) if !last.is_self_issued() || registered => End::OtherKey { registered },
                _ if last.is_self_issued() => End::SelfSigned,
                _ => End::NoIssuer,
            };
            return Walk { steps, end };
        }
    }

    fn attribute(&self, fault: Fault, leaf: &Certificate, walk: &Walk) -> (VerifyError, Certificate) {
        let subject = |certificate: &Certificate| certificate.subject().to_string();
        let issuers = || walk.steps.iter().skip(1);
        let all = || walk.steps.iter().chain(&self.chain);
        match fault {
            Fault::Expired => {
                let found = all().find(|step| step.not_after() < self.now).unwrap_or(leaf);
                (VerifyError::Expired { subject: subject(found), not_after: found.not_after() }, found.clone())
            }
            Fault::NotYetValid => {
                let found = all().find(|step| step.not_before() > self.now).unwrap_or(leaf);
                (VerifyError::NotYetValid { subject: subject(found), not_before: found.not_before() }, found.clone())
            }
            Fault::CaAsLeaf => (VerifyError::CaAsLeaf { subject: subject(leaf) }, leaf.clone()),
            Fault::LeafAsCa => {
                let found = issuers().find(|step| !step.can_issue()).unwrap_or(leaf);
                (VerifyError::NotACa { subject: subject(found), leaf: subject(leaf) }, found.clone())
            }
            Fault::Usage if !self.purpose.allowed_by(leaf) => {
                (VerifyError::WrongUsage { subject: subject(leaf) }, leaf.clone())
            }
            Fault::Usage => match issuers().find(|step| !self.purpose.allowed_by(step)) {
                Some(found) => {
                    (VerifyError::IssuerUsage { subject: subject(found), leaf: subject(leaf) }, found.clone())
                }
                None => (VerifyError::WrongUsage { subject: subject(leaf) }, leaf.clone()),
            },
            Fault::NameConstraints => {
                let found = issuers().find(|step| step.has_name_constraints());
                let authority = found.map_or_else(|| "an issuer".to_owned(), subject);
                (VerifyError::NameConstraints { subject: subject(leaf), authority }, leaf.clone())
            }
            Fault::PathLength => {
                let too_deep = |(below, step): &(usize, &Certificate)| {
                    step.path_length().is_some_and(|length| usize::from(length) < *below)
                };
                let found = issuers().enumerate().find(too_deep).map_or(leaf, |(_, step)| step);
                (VerifyError::PathLength { subject: subject(found), leaf: subject(leaf) }, found.clone())
            }
            Fault::Revoked => {
                let revoked = |step: &&Certificate| self.revocation.is_some_and(|lists| lists.names(step));
                let found = walk.steps.iter().find(revoked).unwrap_or(leaf);
                (VerifyError::Revoked { subject: subject(found), serial: found.serial().to_owned() }, found.clone())
            }
            Fault::RevocationUnknown => {
                let covered =
                    |step: &&Certificate| self.revocation.is_none_or(|lists| lists.of_issuer(step).next().is_none());
                let found = walk.steps.iter().find(covered).unwrap_or(leaf);
                let issuer = found.issuer().to_string();
                (VerifyError::RevocationUnknown { subject: subject(found), issuer }, found.clone())
            }
            Fault::ListOutdated => {
                let overdue = |step: &Certificate| {
                    let lists = self.revocation.into_iter().flat_map(|lists| lists.of_issuer(step));
                    lists.map(|list| list.next_update).find(|next| *next <= self.now)
                };
                let found = walk.steps.iter().find_map(|step| overdue(step).map(|next| (step, next)));
                let (found, next_update) = found.unwrap_or((leaf, 0));
                let issuer = found.issuer().to_string();
                (VerifyError::ListOutdated { subject: subject(found), issuer, next_update }, found.clone())
            }
            Fault::Name => (VerifyError::WrongName { subject: subject(leaf), names: names(leaf) }, leaf.clone()),
            Fault::Signature | Fault::UnknownIssuer => self.unknown_issuer(&fault, leaf, walk),
            Fault::Other(detail) => {
                let weak = walk.steps.iter().find(|step| step.is_weakly_signed());
                match weak {
                    Some(found) => (VerifyError::WeakSignature { subject: subject(found) }, found.clone()),
                    None => (VerifyError::Other { subject: subject(leaf), detail }, leaf.clone()),
                }
            }
        }
    }

    fn unknown_issuer(&self, fault: &Fault, leaf: &Certificate, walk: &Walk) -> (VerifyError, Certificate) {
        let last = walk.steps.last().unwrap_or(leaf);
        let registered = match walk.end {
            End::OtherKey { registered } => Some(registered),
            End::Anchor if *fault == Fault::Signature => Some(true),
            _ if *fault == Fault::Signature => Some(false),
            _ => None,
        };
        let rule = match registered {
            Some(registered) => VerifyError::BadSignature {
                subject: last.subject().to_string(),
                issuer: last.issuer().to_string(),
                registered,
            },
            None => VerifyError::UnknownIssuer {
                issuer: last.issuer().to_string(),
                leaf: leaf.subject().to_string(),
                anchors: self
                    .anchors
                    .iter()
                    .map(|anchor| anchor.subject().to_string())
                    .chain((self.more_anchors > 0).then(|| format!("{} web roots", self.more_anchors)))
                    .collect(),
                self_signed: matches!(walk.end, End::SelfSigned) && walk.steps.len() == 1,
                leaf_only: self.chain.len() == 1,
            },
        };
        (rule, last.clone())
    }
}

/// The names that a server's certificate is for.
pub(crate) fn names(leaf: &Certificate) -> Vec<String> {
    let names = leaf.alternative_names();
    names.dns.iter().cloned().chain(names.ip.iter().map(ToString::to_string)).collect()
}
