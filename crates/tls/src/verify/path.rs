//! The one place where a path from a leaf to an authority is looked for.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, Der, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, RevocationOptions, VerifiedPath};

use super::Chain;
use super::signatures::GoodSignatures;
use crate::certificate::Certificate;
use crate::revocation::Revocation;

/// How many issuers, sent or known, are offered to path building.
const MAX_LINKED: usize = 16;
/// How many signatures are checked at most to find them.
const MAX_SIGNATURES: usize = 64;
/// How many certificates are offered to path building when the leaf can be read by the verifier alone.
const MAX_UNLINKED: usize = 6;

/// What the leaf is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    ServerAuth,
    ClientAuth,
}

impl Purpose {
    /// Does a certificate's extended key usage allow it?
    pub(crate) fn allowed_by(self, certificate: &Certificate) -> bool {
        match self {
            Self::ServerAuth => certificate.allows_server_auth(),
            Self::ClientAuth => certificate.allows_client_auth(),
        }
    }
}

/// Authorities: certificates with the anchors made of them, and anchors of which only name and key are known.
#[derive(Clone, Default)]
pub(crate) struct AnchorSet {
    certificates: Vec<Certificate>,
    /// As many as there are certificates, in their order.
    anchors: Vec<TrustAnchor<'static>>,
    bare: Vec<TrustAnchor<'static>>,
    good: Arc<GoodSignatures>,
}

/// How a leaf was led back to an authority.
pub(crate) struct Found {
    pub(crate) intermediates: Vec<Certificate>,
    /// The authority's certificate, where there is more than a name and a key.
    pub(crate) anchor: Option<Certificate>,
}

impl AnchorSet {
    /// Takes a certificate as an authority. What is there already is not taken twice.
    ///
    /// # Errors
    /// With the verifier's words, when it cannot serve as one.
    pub(crate) fn add(&mut self, certificate: Certificate) -> Result<(), String> {
        if self.certificates.contains(&certificate) {
            return Ok(());
        }
        let der = CertificateDer::from(certificate.der());
        let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|error| error.to_string())?.to_owned();
        self.anchors.push(anchor);
        self.certificates.push(certificate);
        Ok(())
    }

    #[cfg_attr(not(feature = "web-roots"), allow(dead_code, reason = "only the web's roots come without certificates"))]
    pub(crate) fn add_bare(&mut self, anchor: TrustAnchor<'static>) {
        if !self.bare.contains(&anchor) {
            self.bare.push(anchor);
        }
    }

    pub(crate) fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.bare.is_empty()
    }

    /// Is every certificate valid at `now`?
    pub(crate) fn all_valid(&self, now: u64) -> bool {
        self.certificates.iter().all(|certificate| is_valid(certificate, now))
    }

    /// How many are known by name and key only.
    pub(crate) fn bare_count(&self) -> usize {
        self.bare.len()
    }

    /// The names of all authorities, each the content of its DER sequence.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors.iter().chain(&self.bare).map(|anchor| anchor.subject.as_ref())
    }

    /// The certificates that an anchor may have been made of: several of an authority that was renewed.
    fn certificates_of(&self, anchor: &TrustAnchor<'_>) -> impl Iterator<Item = &Certificate> {
        let pairs = self.anchors.iter().zip(&self.certificates);
        pairs.filter(move |(candidate, _)| *candidate == anchor).map(|(_, certificate)| certificate)
    }

    /// The one of them that is valid at `now`, if there is one.
    fn certificate_of(&self, anchor: &TrustAnchor<'_>, now: u64) -> Option<&Certificate> {
        let valid = self.certificates_of(anchor).find(|found| is_valid(found, now));
        valid.or_else(|| self.certificates_of(anchor).next())
    }

    /// What webpki leaves out: the key usage of issuers (RFC 5280 §6.1.4 n), and what an authority's own certificate
    /// says about what it may vouch for, which must not count for less because it is where the path ends.
    fn check(
        &self,
        path: &VerifiedPath<'_>,
        shown: &Chain,
        purpose: Purpose,
        usable: impl Fn(&Certificate) -> bool,
    ) -> Result<(), Error> {
        let mut between = 0_usize;
        for issuer in self.between(path, shown)? {
            if !issuer.can_issue() {
                return Err(Error::EndEntityUsedAsCa);
            }
            between += usize::from(!issuer.is_self_issued());
        }
        let mut refused = Ok(());
        for authority in self.certificates_of(path.anchor()).filter(|authority| usable(authority)) {
            refused = vouches(authority, shown.leaf_der(), between, purpose);
            if refused.is_ok() {
                break;
            }
        }
        refused
    }

    /// The certificates between leaf and authority.
    fn between(&self, path: &VerifiedPath<'_>, shown: &Chain) -> Result<Vec<Certificate>, Error> {
        let read = |der: &[u8]| match shown.above().chain(&self.certificates).find(|known| known.der() == der) {
            Some(known) => Ok(known.clone()),
            None => Certificate::from_der(der).map_err(|_| Error::BadDer),
        };
        path.intermediate_certificates().map(|issuer| read(&issuer.der())).collect()
    }

    /// Looks for a path that satisfies every rule, with the authorities that are valid at `now`.
    ///
    /// `usable_now: false` takes the others too: only to find out what an error would have been without their expiry.
    pub(crate) fn path(
        &self,
        shown: &Chain,
        purpose: Purpose,
        revocation: Option<&Revocation>,
        now: u64,
        usable_now: bool,
    ) -> Result<Found, Error> {
        let usable = self.anchors.iter().zip(&self.certificates).filter(|(_, from)| !usable_now || is_valid(from, now));
        let anchors: Vec<TrustAnchor<'_>> = usable.map(|(anchor, _)| anchor).chain(&self.bare).map(borrowed).collect();
        if anchors.is_empty() {
            return Err(Error::UnknownIssuer);
        }
        let der = CertificateDer::from(shown.leaf_der());
        let end_entity = EndEntityCert::try_from(&der)?;
        let algorithms = self.good.algorithms();
        let algorithms: Vec<_> = algorithms.iter().map(|one| one as &dyn SignatureVerificationAlgorithm).collect();
        let intermediates: Vec<CertificateDer<'_>> = match shown.leaf() {
            Some(leaf) => linked(leaf, shown, &self.certificates, &algorithms),
            None => shown.above_ders().take(MAX_UNLINKED).map(CertificateDer::from).collect(),
        };
        let check = |path: &VerifiedPath<'_>| {
            self.check(path, shown, purpose, |authority| !usable_now || is_valid(authority, now))
        };
        let look = |options: Option<RevocationOptions<'_>>| {
            end_entity.verify_for_usage(
                &algorithms,
                &anchors,
                &intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(now)),
                match purpose {
                    Purpose::ServerAuth => KeyUsage::server_auth(),
                    Purpose::ClientAuth => KeyUsage::client_auth(),
                },
                options,
                Some(&check),
            )
        };
        let path = match revocation {
            Some(revocation) => revocation.with_options(look),
            None => look(None),
        }?;
        Ok(Found {
            intermediates: self.between(&path, shown)?,
            anchor: self.certificate_of(path.anchor(), now).cloned(),
        })
    }
}

/// The certificates through which a way up from the leaf can lead: each signed one that was found before. What the peer
/// did not send may be among the authorities.
///
/// Path building tries every certificate of the issuer's name before it looks at a signature, so that a peer that sends
/// many of one name keeps it busy for seconds. It gets only those whose signature was checked, and few.
fn linked<'a>(
    leaf: &Certificate,
    shown: &'a Chain,
    own: &'a [Certificate],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Vec<CertificateDer<'a>> {
    let mut found: Vec<&Certificate> = Vec::new();
    let mut signatures = 0_usize;
    let mut next = 0_usize;
    let mut below = leaf;
    'up: loop {
        for issuer in shown.above().chain(own) {
            if below.issuer() != issuer.subject() || issuer == leaf || found.contains(&issuer) {
                continue;
            }
            if signatures == MAX_SIGNATURES || found.len() == MAX_LINKED {
                break 'up;
            }
            signatures += 1;
            if below.is_signed_by_with(issuer, algorithms) {
                found.push(issuer);
            }
        }
        let Some(one) = found.get(next) else { break };
        below = one;
        next += 1;
    }
    found.into_iter().map(|issuer| CertificateDer::from(issuer.der())).collect()
}

/// May this authority stand above a leaf, with so many intermediates between them?
fn vouches(authority: &Certificate, leaf: &[u8], between: usize, purpose: Purpose) -> Result<(), Error> {
    // A certificate that is believed itself needs to issue nothing.
    if authority.der() == leaf {
        return Ok(());
    }
    // Certificates of version 1 have no way to say that they are a CA's (RFC 5280 §6.1.4 k).
    if !(authority.can_issue() || authority.is_version_1() && authority.is_self_issued()) {
        return Err(Error::EndEntityUsedAsCa);
    }
    if authority.path_length().is_some_and(|length| between > usize::from(length)) {
        return Err(Error::PathLenConstraintViolated);
    }
    if !purpose.allowed_by(authority) && !authority.allows_any_usage() {
        return Err(Error::EmptyEkuExtension);
    }
    Ok(())
}

fn borrowed<'a>(anchor: &'a TrustAnchor<'static>) -> TrustAnchor<'a> {
    TrustAnchor {
        subject: Der::from_slice(&anchor.subject),
        subject_public_key_info: Der::from_slice(&anchor.subject_public_key_info),
        name_constraints: anchor.name_constraints.as_ref().map(|der| Der::from_slice(der)),
    }
}

pub(crate) fn is_valid(certificate: &Certificate, now: u64) -> bool {
    (certificate.not_before()..=certificate.not_after()).contains(&now)
}
