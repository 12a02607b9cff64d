//! Judging a server by what is believed.

use std::sync::Arc;

#[cfg(feature = "stream")]
use rustls::CertificateError as Verdict;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::{Pin, Trust, TrustError, verifier};
use crate::verify::{self, Case, Chain, Fault, Purpose, Refusal, VerifyError};

impl Trust {
    pub(crate) fn server_verifier(&self) -> Result<Arc<verifier::ServerVerifier>, TrustError> {
        if self.0.set.is_empty() && self.0.pins.is_empty() && !self.0.platform {
            return Err(TrustError::None);
        }
        let platform = if self.0.platform { Some(platform()?) } else { None };
        Ok(Arc::new(verifier::ServerVerifier::new(self.clone(), platform)))
    }

    /// May it judge clients?
    pub(crate) fn check_for_clients(&self) -> Result<(), TrustError> {
        if self.0.platform {
            return Err(TrustError::NotForClients { what: "the operating system's authorities" });
        }
        if self.0.set.bare_count() > 0 {
            return Err(TrustError::NotForClients { what: "the roots of the web" });
        }
        if !self.0.pins.is_empty() {
            return Err(TrustError::NotForClients { what: "pins" });
        }
        if self.0.set.is_empty() { Err(TrustError::None) } else { Ok(()) }
    }

    /// Judges a server by pins, certificates and web roots. `Err(None)` if there are none of these.
    pub(crate) fn judge_server(&self, shown: &Chain, name: &ServerName<'_>, now: u64) -> Result<(), Option<Refusal>> {
        let inner = &*self.0;
        let refuse = |fault| Err(Some(self.case(shown, now).blame(fault)));
        let pinned = if inner.pins.is_empty() { None } else { shown.leaf() };
        if let Some(leaf) = pinned {
            let mut pins = inner.pins.iter().filter(|pin| pin.matches(leaf)).peekable();
            if pins.peek().is_some() {
                let named = pins.any(|pin| matches!(pin, Pin::Certificate(_)) || is_for(leaf.der(), name));
                return match verify::dates(leaf, now) {
                    Some(fault) => refuse(fault),
                    None if !named => refuse(Fault::Name),
                    None => Ok(()),
                };
            }
        }
        if inner.set.is_empty() {
            return Err(pinned.map(|leaf| Refusal {
                rule: VerifyError::NotPinned {
                    subject: leaf.subject().to_string(),
                    sha256: leaf.thumbprint_sha256().to_owned(),
                },
                chain: shown.certificates(),
                certificate: Some(leaf.clone()),
            }));
        }
        verify::judge(shown, &inner.set, Purpose::ServerAuth, inner.revocation.as_ref(), now).map_err(Some)?;
        if is_for(shown.leaf_der(), name) { Ok(()) } else { refuse(Fault::Name) }
    }

    /// What stands behind the refusal of a server, found out once more.
    #[cfg(feature = "stream")]
    pub(crate) fn refusal(&self, shown: &Chain, name: &str, now: u64, verdict: &Verdict) -> Option<Refusal> {
        if shown.is_empty() {
            return None;
        }
        let name = ServerName::try_from(name).ok()?;
        let fault = verifier::fault_of(verdict);
        match self.judge_server(shown, &name, now) {
            Err(Some(refusal)) if !self.0.platform || fault == Fault::UnknownIssuer => Some(refusal),
            _ => Some(self.case(shown, now).blame(fault)),
        }
    }

    fn case(&self, shown: &Chain, now: u64) -> Case<'_> {
        Case {
            chain: shown.certificates(),
            anchors: self.0.set.certificates(),
            more_anchors: self.0.set.bare_count(),
            purpose: Purpose::ServerAuth,
            revocation: self.0.revocation.as_ref(),
            now,
        }
    }
}

fn is_for(leaf: &[u8], name: &ServerName<'_>) -> bool {
    let der = CertificateDer::from(leaf);
    EndEntityCert::try_from(&der).is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(name).is_ok())
}

#[cfg(feature = "platform-verifier")]
fn platform() -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    match rustls_platform_verifier::Verifier::new(crate::provider::provider()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(rustls::Error::General(detail)) => Err(TrustError::NoSystemRoots { detail }),
        Err(error) => Err(TrustError::Verifier(error.to_string())),
    }
}

#[cfg(not(feature = "platform-verifier"))]
fn platform() -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    Err(TrustError::Verifier("this program was built without the operating system's verifier".to_owned()))
}
