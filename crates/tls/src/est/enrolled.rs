//! A granted request, and whether what was granted may take the place of what is there.

use super::error::AnswerError;
use super::key::EnrolmentKey;
use super::request::CertificateRequest;
use crate::certificate::Certificate;
use crate::identity::Identity;
use crate::peer::PresentedPeer;
use crate::pem;
use crate::verify::{Anchors, verify};

/// The certificates of an answer, judged by nobody yet.
#[derive(Debug, Clone)]
pub struct Enrolled {
    certificates: Vec<Certificate>,
}

impl Enrolled {
    pub(super) const fn new(certificates: Vec<Certificate>) -> Self {
        Self { certificates }
    }

    /// The certificates as they came.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The new identity, if it is what was asked for.
    ///
    /// The leaf is the certificate of the request's key. It must be valid at `now` (seconds since 1970), usable by a
    /// client and named as asked. `authorities` are those of `cacerts`: the chain is completed with the intermediates
    /// among them, and has to verify under them; where they are empty, that is left out. `previous` is what it would
    /// replace.
    ///
    /// # Errors
    /// The first rule that it breaks. Nothing old may be replaced then.
    pub fn into_identity(
        self,
        request: &CertificateRequest,
        key: &EnrolmentKey,
        authorities: &[Certificate],
        previous: Option<&Certificate>,
        now: u64,
    ) -> Result<Identity, AnswerError> {
        let subjects = || self.certificates.iter().map(|certificate| certificate.subject().to_string()).collect();
        let leaf = self.certificates.iter().find(|certificate| certificate.public_key() == key.public_key());
        let leaf = leaf.ok_or_else(|| AnswerError::OtherKey { subjects: subjects() })?;
        let subject = leaf.subject().to_string();
        if now < leaf.not_before() {
            return Err(AnswerError::NotYetValid { subject, not_before: leaf.not_before() });
        }
        if now > leaf.not_after() {
            return Err(AnswerError::Expired { subject, not_after: leaf.not_after() });
        }
        if !leaf.allows_client_auth() {
            return Err(AnswerError::NoClientUsage { subject });
        }
        if previous == Some(leaf) {
            return Err(AnswerError::SameCertificate { subject });
        }
        if !named_as_asked(leaf, request) {
            return Err(AnswerError::OtherName { asked: request.subject().to_string(), new: subject });
        }
        let mut all = vec![leaf.clone()];
        all.extend(self.certificates.iter().chain(authorities).filter(|other| other.is_ca()).cloned());
        let identity = Identity::from_pem(pem::encode(&all).as_bytes(), key.pem().as_bytes())?;
        if !authorities.is_empty() {
            check_chain(&identity, authorities, now).map_err(|why| AnswerError::Unverified { subject, why })?;
        }
        Ok(identity)
    }
}

/// The subject as asked, and all names that were asked for; a server may add more.
fn named_as_asked(leaf: &Certificate, request: &CertificateRequest) -> bool {
    fn holds<T: PartialEq>(all: &[T], asked: &[T]) -> bool {
        asked.iter().all(|name| all.contains(name))
    }
    let (has, asked) = (leaf.alternative_names(), request.alternative_names());
    let subject = request.subject().is_empty()
        || leaf.subject() == request.subject()
        // A server may write the same name in another string type.
        || leaf.subject().to_string() == request.subject().to_string();
    subject
        && holds(&has.dns, &asked.dns)
        && holds(&has.uri, &asked.uri)
        && holds(&has.ip, &asked.ip)
        && holds(&has.email, &asked.email)
}

fn check_chain(identity: &Identity, authorities: &[Certificate], now: u64) -> Result<(), String> {
    let issuers = authorities.iter().filter(|authority| authority.can_issue()).cloned();
    let anchors = Anchors::new(issuers).map_err(|error| error.to_string())?;
    let chain = identity.chain().iter().map(|certificate| certificate.der().to_vec()).collect();
    let presented = PresentedPeer::from_der_unproven(chain).map_err(|error| error.to_string())?;
    verify(&presented, &anchors, now).map(drop).map_err(|error| error.to_string())
}
