//! How the certificates of one file hang together.

use std::fmt;

use super::{Inspection, Signed};
use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::Certificate;
use crate::time::Utc;

/// The most signatures that are checked to link the certificates of one file. Beyond, names alone decide.
pub const MAX_SIGNATURE_CHECKS: u32 = 2000;

/// What is wrong, or worth knowing, about a certificate's place in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Its validity is over.
    Expired {
        /// Its last second.
        not_after: u64,
    },
    /// Its validity has not begun.
    NotYetValid {
        /// Its first second.
        not_before: u64,
    },
    /// It issued another certificate here and may not: CA:FALSE, or a key usage without keyCertSign.
    NotACa,
    /// It issued more levels of authorities than its pathLenConstraint allows.
    PathTooLong {
        /// What the constraint allows.
        allowed: u8,
    },
    /// The certificate that names itself as its issuer did not sign it.
    WrongSignature {
        /// The issuer's name.
        issuer: String,
    },
    /// Its issuer is neither here nor among those that are trusted.
    MissingIssuer {
        /// The issuer's name.
        issuer: String,
    },
    /// Nothing is said about trust, and its issuer is not here. A root is left out rightly, an intermediate is not.
    IssuerElsewhere {
        /// The issuer's name.
        issuer: String,
    },
    /// The leaf does not come first.
    LeafNotFirst,
    /// It does not follow the certificate that it issued.
    OutOfOrder,
    /// It is here twice.
    Duplicate,
    /// It has no part in the leaf's chain.
    Unrelated,
    /// A root that peers have already or will never believe.
    NeedlessRoot,
    /// It is signed with SHA-1 or MD5.
    WeakSignature,
    /// Its key is too small or of a kind that TLS does not use.
    WeakKey,
}

impl Fault {
    /// The catalogue's entry.
    #[must_use]
    pub const fn id(&self) -> Id {
        match self {
            Self::Expired { .. } => Id::B01,
            Self::NotYetValid { .. } => Id::B02,
            Self::NotACa | Self::PathTooLong { .. } | Self::WrongSignature { .. } => Id::B17,
            Self::MissingIssuer { .. } | Self::IssuerElsewhere { .. } => Id::A18,
            Self::LeafNotFirst => Id::A15,
            Self::OutOfOrder | Self::Duplicate | Self::Unrelated => Id::A16,
            Self::NeedlessRoot => Id::A17,
            Self::WeakSignature => Id::A30,
            Self::WeakKey => Id::A29,
        }
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::NotACa
            | Self::PathTooLong { .. }
            | Self::WrongSignature { .. }
            | Self::MissingIssuer { .. }
            | Self::WeakKey => Severity::Error,
            Self::LeafNotFirst | Self::OutOfOrder | Self::Unrelated | Self::WeakSignature => Severity::Warning,
            Self::Duplicate | Self::NeedlessRoot | Self::IssuerElsewhere { .. } => Severity::Info,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "renew it",
            Self::NotYetValid { .. } => "set this machine's clock, or wait",
            Self::NotACa => "issue from a certificate that says CA:TRUE and keyCertSign",
            Self::PathTooLong { .. } => "issue from an authority nearer to the root",
            Self::WrongSignature { .. } => {
                "fetch the issuer's certificate again: there is one of the same name with another key"
            }
            Self::MissingIssuer { .. } => "append the issuer's certificate to the file",
            Self::IssuerElsewhere { .. } => "append the issuer's certificate unless it is the root",
            Self::LeafNotFirst | Self::OutOfOrder | Self::Duplicate | Self::Unrelated => {
                "write a repaired file with gridmq certs order"
            }
            Self::NeedlessRoot => "leave the root out: peers have it, or do not believe it",
            Self::WeakSignature => "have it issued anew with SHA-256",
            Self::WeakKey => "make a new key: ECDSA on P-256, or RSA with 2048 bits or more",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { not_after } => write!(f, "expired on {}", Utc(*not_after)),
            Self::NotYetValid { not_before } => write!(f, "not valid before {}", Utc(*not_before)),
            Self::NotACa => f.write_str("not a CA, and yet it issued the one below"),
            Self::PathTooLong { allowed } => write!(f, "allows only {allowed} authorities below it"),
            Self::WrongSignature { issuer } => write!(f, "not signed by the key of {issuer} that is here"),
            Self::MissingIssuer { issuer } => write!(f, "its issuer {issuer} is missing"),
            Self::IssuerElsewhere { issuer } => write!(f, "its issuer {issuer} is not in the file"),
            Self::LeafNotFirst => f.write_str("the leaf, but not the first in the file"),
            Self::OutOfOrder => f.write_str("out of order in the file"),
            Self::Duplicate => f.write_str("in the file twice"),
            Self::Unrelated => f.write_str("no part of the leaf's chain"),
            Self::NeedlessRoot => f.write_str("a root, which need not be sent"),
            Self::WeakSignature => f.write_str("signed with SHA-1 or MD5"),
            Self::WeakKey => f.write_str("its key is too weak or unusable in TLS"),
        }
    }
}

/// A certificate and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// The certificate.
    pub certificate: Certificate,
    /// Its place in the file, from 0.
    pub position: usize,
    /// The position of its issuer; `None` for a root, or when it is not here.
    pub issuer: Option<usize>,
    /// What is wrong with it; empty for most.
    pub faults: Vec<Fault>,
}

/// The certificates of one file, linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    links: Vec<Link>,
    path: Vec<usize>,
}

impl Chain {
    /// Links certificates in the order of their file, at `now`. With trusted authorities given, a chain that ends at
    /// none of them has a [`Fault::MissingIssuer`].
    #[must_use]
    pub fn of(certificates: &[Certificate], trusted: &[Certificate], now: u64) -> Self {
        let mut checks = MAX_SIGNATURE_CHECKS;
        let mut links: Vec<Link> = certificates
            .iter()
            .enumerate()
            .map(|(position, certificate)| Link {
                certificate: certificate.clone(),
                position,
                issuer: None,
                faults: own_faults(certificate, now),
            })
            .collect();
        for (position, certificate) in certificates.iter().enumerate() {
            let first = certificates.iter().position(|other| other == certificate);
            let found = find_issuer(certificate, certificates, &mut checks);
            let Some(link) = links.get_mut(position) else { continue };
            if first.is_some_and(|first| first < position) {
                link.faults.push(Fault::Duplicate);
                continue;
            }
            let issuer = certificate.issuer().to_string();
            match found {
                Issuer::Itself => {}
                Issuer::At(at) => link.issuer = Some(at),
                Issuer::WrongSignature => link.faults.push(Fault::WrongSignature { issuer }),
                Issuer::Missing if trusted.is_empty() => link.faults.push(Fault::IssuerElsewhere { issuer }),
                Issuer::Missing => match find_issuer(certificate, trusted, &mut checks) {
                    Issuer::At(_) | Issuer::Itself => {}
                    Issuer::WrongSignature => link.faults.push(Fault::WrongSignature { issuer }),
                    // An intermediate may itself be what is trusted.
                    Issuer::Missing if trusted.contains(certificate) => {}
                    Issuer::Missing => link.faults.push(Fault::MissingIssuer { issuer }),
                },
            }
        }
        let mut chain = Self { path: path(&links), links };
        chain.mark_issuers();
        chain.mark_order();
        chain
    }

    /// Every certificate, in the file's order.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The leaf's path upwards, as positions. Empty for a file of authorities alone, which is a bundle and no chain.
    #[must_use]
    pub fn path(&self) -> &[usize] {
        &self.path
    }

    /// Is anything wrong that keeps the chain from working?
    #[must_use]
    pub fn is_faulty(&self) -> bool {
        self.links.iter().flat_map(|link| &link.faults).any(|fault| fault.severity() == Severity::Error)
    }

    /// The certificates as a tree, issuers before what they issued: how deep each stands, and its link.
    #[must_use]
    pub fn tree(&self) -> Vec<(usize, &Link)> {
        let mut tree: Vec<(usize, &Link)> = Vec::with_capacity(self.links.len());
        let mut shown = vec![false; self.links.len()];
        let tops = self.links.iter().filter(|link| link.issuer.is_none());
        // Authorities that signed each other have no top: whichever is left over serves as one.
        for top in tops.chain(&self.links) {
            let mut waiting = vec![(0, top.position)];
            while let Some((depth, position)) = waiting.pop() {
                match (shown.get_mut(position), self.links.get(position)) {
                    (Some(shown), Some(link)) if !*shown => {
                        *shown = true;
                        tree.push((depth, link));
                    }
                    _ => continue,
                }
                let below = self.links.iter().rev().filter(|link| link.issuer == Some(position));
                waiting.extend(below.map(|link| (depth + 1, link.position)));
            }
        }
        tree
    }

    /// The faults as findings of the catalogue.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for link in &self.links {
            for fault in &link.faults {
                let about = link.certificate.subject().to_string();
                let why = format!("certificate {} of the file, {about}: {fault}", link.position + 1);
                findings.push(Finding::new(fault.id(), fault.severity(), about, why, fault.cure()));
            }
        }
        findings
    }

    fn mark_issuers(&mut self) {
        let issuers: Vec<usize> = self.links.iter().filter_map(|link| link.issuer).collect();
        for at in issuers {
            if let Some(link) = self.links.get_mut(at)
                && !link.certificate.can_issue()
                && !link.faults.contains(&Fault::NotACa)
            {
                link.faults.push(Fault::NotACa);
            }
        }
        // Between an issuer and the leaf stand as many authorities as it has places above the leaf, less one.
        for (height, at) in self.path.clone().into_iter().enumerate().skip(1) {
            if let Some(link) = self.links.get_mut(at)
                && let Some(allowed) = Inspection::of(&link.certificate).path_length
                && usize::from(allowed) < height - 1
            {
                link.faults.push(Fault::PathTooLong { allowed });
            }
        }
    }

    fn mark_order(&mut self) {
        if self.path.is_empty() {
            return;
        }
        for position in 0..self.links.len() {
            let height = self.path.iter().position(|at| *at == position);
            let Some(link) = self.links.get_mut(position) else { continue };
            if link.faults.contains(&Fault::Duplicate) {
                continue;
            }
            match height {
                None => link.faults.push(Fault::Unrelated),
                Some(0) if position > 0 => link.faults.push(Fault::LeafNotFirst),
                Some(height) if height != position => link.faults.push(Fault::OutOfOrder),
                Some(_) => {}
            }
            if height.is_some_and(|height| height > 0) && link.certificate.is_self_issued() {
                link.faults.push(Fault::NeedlessRoot);
            }
        }
    }
}

fn own_faults(certificate: &Certificate, now: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    if now > certificate.not_after() {
        faults.push(Fault::Expired { not_after: certificate.not_after() });
    } else if now < certificate.not_before() {
        faults.push(Fault::NotYetValid { not_before: certificate.not_before() });
    }
    if !crate::keys::KeyKind::of(certificate.public_key()).is_usable() {
        faults.push(Fault::WeakKey);
    }
    // Nobody checks a root's signature over itself.
    let weak = || Signed::split(certificate.der()).is_some_and(|signed| signed.algorithm().is_weak());
    if !certificate.is_self_issued() && weak() {
        faults.push(Fault::WeakSignature);
    }
    faults
}

enum Issuer {
    /// It signed itself.
    Itself,
    At(usize),
    /// There is one of that name, and it has another key.
    WrongSignature,
    Missing,
}

/// Finds who signed a certificate; of several with the same name the one whose key it is.
fn find_issuer(certificate: &Certificate, among: &[Certificate], checks: &mut u32) -> Issuer {
    let signed_by = |issuer: &Certificate, checks: &mut u32| {
        if *checks == 0 {
            return true;
        }
        *checks -= 1;
        // What cannot be checked is not called wrong.
        Signed::split(certificate.der()).and_then(|signed| signed.is_by(issuer.public_key())).unwrap_or(true)
    };
    if certificate.is_self_issued() && signed_by(certificate, checks) {
        return Issuer::Itself;
    }
    let mut named = false;
    for (at, candidate) in among.iter().enumerate() {
        if candidate != certificate && certificate.issuer() == candidate.subject() {
            if signed_by(candidate, checks) {
                return Issuer::At(at);
            }
            named = true;
        }
    }
    if named || certificate.is_self_issued() { Issuer::WrongSignature } else { Issuer::Missing }
}

/// The path upwards from the leaf: of those that issued nothing here the first that is no authority.
fn path(links: &[Link]) -> Vec<usize> {
    let issued = |at: usize| links.iter().any(|link| link.issuer == Some(at));
    let leaf = links.iter().find(|link| !link.certificate.is_ca() && !issued(link.position));
    let alone = || links.first().filter(|_| links.len() == 1);
    let Some(leaf) = leaf.or_else(alone) else { return Vec::new() };
    let mut path = vec![leaf.position];
    let mut at = leaf.issuer;
    while let Some(position) = at {
        if path.contains(&position) {
            break;
        }
        path.push(position);
        at = links.get(position).and_then(|link| link.issuer);
    }
    path
}
