//! Names that certificates prove.

use gridmq_proto::time::Wall;
use gridmq_tls::{Anchors, PresentedPeer, Revocation};

use crate::event_grid::authenticate::{proof, proof_ends, values};
use crate::gate::Refusal;
use crate::principal::AuthenticatedBy;
use crate::resource::AlternativeNameSource;

/// Which certificates name clients, and where they say the name.
#[derive(Debug)]
pub struct CertificateNames {
    anchors: Anchors,
    revocation: Option<Revocation>,
    source: AlternativeNameSource,
}

impl CertificateNames {
    /// Certificates that one of these authorities stands behind; the name is the subject's common name.
    #[must_use]
    pub const fn new(anchors: Anchors) -> Self {
        Self { anchors, revocation: None, source: AlternativeNameSource::ClientCertificateSubject }
    }

    /// Takes the name from another field: of several values there the first, or the one that CONNECT has as user name.
    #[must_use]
    pub const fn named_by(mut self, source: AlternativeNameSource) -> Self {
        self.source = source;
        self
    }

    /// Refuses certificates that these lists name, or that they leave in doubt.
    #[must_use]
    pub fn with_revocation(mut self, revocation: Revocation) -> Self {
        self.revocation = Some(revocation);
        self
    }

    pub(super) const fn source(&self) -> AlternativeNameSource {
        self.source
    }

    /// What the certificate says where the name has to stand, whether or not it holds.
    pub(super) fn names(&self, presented: &PresentedPeer) -> Vec<String> {
        let mut names = values(presented.leaf(), self.source);
        if self.source == AlternativeNameSource::ClientCertificateSubject {
            // The common name, not the subject as a whole: without one, nobody is named.
            let has_common_name = presented.leaf().subject().common_name().is_some_and(|name| !name.is_empty());
            names.truncate(usize::from(has_common_name));
        }
        names.retain(|name| name != super::ANONYMOUS);
        names
    }

    /// Checks the certificate: what proves it, and until when.
    pub(super) fn verify(&self, presented: &PresentedPeer, now: Wall) -> Result<(AuthenticatedBy, Wall), Refusal> {
        let verified = gridmq_tls::verify_with(presented, &self.anchors, self.revocation.as_ref(), now.as_secs())?;
        Ok((proof(&verified), proof_ends(&self.anchors, presented, now)))
    }
}
