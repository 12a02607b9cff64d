//! Judging a server by what is believed.

use std::sync::Arc;

#[cfg(feature = "stream")]
use rustls::CertificateError as Verdict;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::{Pin, Trust, TrustError, verifier};
use crate::certificate::Certificate;
use crate::verify::{self, Case, Fault, Purpose, Refusal, VerifyError};

impl Trust {
    pub(crate) fn server_verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
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
    pub(crate) fn judge_server(
        &self,
        leaf: &[u8],
        above: &[&[u8]],
        name: &ServerName<'_>,
        now: u64,
    ) -> Result<(), Option<Refusal>> {
        let inner = &*self.0;
        let chain = || verify::parse(std::iter::once(leaf).chain(above.iter().copied()));
        let refuse = |fault| Err(Some(self.case(chain(), now).blame(fault)));
        let parsed = if inner.pins.is_empty() { None } else { Certificate::from_der(leaf).ok() };
        if let Some(leaf) = &parsed {
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
            return Err(parsed.map(|leaf| Refusal {
                rule: VerifyError::NotPinned {
                    subject: leaf.subject().to_string(),
                    sha256: leaf.thumbprint_sha256().to_owned(),
                },
                chain: chain(),
                certificate: Some(leaf),
            }));
        }
        verify::judge(leaf, above, &inner.set, Purpose::ServerAuth, inner.revocation.as_ref(), now).map_err(Some)?;
        if is_for(leaf, name) { Ok(()) } else { refuse(Fault::Name) }
    }

    /// What stands behind the refusal of a server, found out once more.
    #[cfg(feature = "stream")]
    pub(crate) fn refusal(&self, chain: &[Vec<u8>], name: &str, now: u64, verdict: &Verdict) -> Option<Refusal> {
        let (leaf, above) = chain.split_first()?;
        let above: Vec<&[u8]> = above.iter().map(Vec::as_slice).collect();
        let name = ServerName::try_from(name).ok()?;
        let fault = verifier::fault_of(verdict);
        match self.judge_server(leaf, &above, &name, now) {
            Err(Some(refusal)) if !self.0.platform || fault == Fault::UnknownIssuer => Some(refusal),
            _ => Some(self.case(verify::parse(chain), now).blame(fault)),
        }
    }

    fn case(&self, chain: Vec<Certificate>, now: u64) -> Case<'_> {
        Case {
            chain,
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
