//! The handshake's check of a client's chain. That the client holds the leaf's key is always proven.

use std::cell::Cell;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::certificate::Certificate;
use crate::peer::PresentedPeer;
use crate::provider::provider;
use crate::trust::verifier::as_rustls;
use crate::trust::{Trust, TrustError};
use crate::verify::{self, Purpose, Refusal, Thumbprint, VerifyError, verify_thumbprint};

/// Whom a listener lets through the handshake. The same for all its connections.
#[derive(Debug)]
pub(crate) struct Rules {
    whom: Whom,
    optional: bool,
    hints: Vec<DistinguishedName>,
}

#[derive(Debug)]
enum Whom {
    Anyone,
    Anchors(Trust),
    Thumbprints(Arc<[Thumbprint]>),
}

impl Rules {
    pub(super) fn anyone(optional: bool) -> Self {
        Self { whom: Whom::Anyone, optional, hints: Vec::new() }
    }

    pub(super) fn anchors(trust: &Trust, optional: bool) -> Result<Self, TrustError> {
        trust.check_for_clients()?;
        // Every authority is a hint; a client with several certificates picks by it.
        let hints = trust.anchors().names().map(DistinguishedName::in_sequence).collect();
        Ok(Self { whom: Whom::Anchors(trust.clone()), optional, hints })
    }

    pub(super) fn thumbprints(allowed: &Arc<[Thumbprint]>, optional: bool) -> Self {
        Self { whom: Whom::Thumbprints(Arc::clone(allowed)), optional, hints: Vec::new() }
    }

    fn judge(&self, presented: &PresentedPeer, now: u64) -> Result<(), Refusal> {
        match &self.whom {
            Whom::Anyone => Ok(()),
            Whom::Anchors(trust) => {
                let shown = presented.shown();
                verify::judge(&shown, trust.anchors(), Purpose::ClientAuth, trust.revocation(), now).map(|_| ())
            }
            Whom::Thumbprints(allowed) => {
                verify_thumbprint(presented, allowed, now).map(|_| ()).map_err(|rule| Refusal::of_leaf(rule, presented))
            }
        }
    }
}

/// Applies the rules, and notes what was presented and why it was refused.
#[derive(Debug)]
pub(crate) struct Judge {
    rules: Rules,
    algorithms: WebPkiSupportedAlgorithms,
}

/// What one handshake showed.
#[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "only the stream reports them"))]
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The client's chain.
    pub(crate) presented: Option<PresentedPeer>,
    /// Of a chain that is no such one, what can be parsed; at most sixteen certificates.
    pub(crate) parts: Vec<Certificate>,
    /// Why it was refused.
    pub(crate) refusal: Option<Refusal>,
}

thread_local! {
    /// Of the handshake that is being stepped on this thread.
    static NOTES: Cell<Notes> = Cell::default();
}

/// Takes one step of a handshake, and its notes if that is the step in which the client's chain is judged: rustls calls
/// the judge on the thread that hands it the bytes, so that all connections can share one judge and one configuration.
#[cfg(feature = "stream")]
pub(crate) fn noting<T>(notes: &mut Notes, step: impl FnOnce() -> T) -> T {
    let others = NOTES.replace(std::mem::take(notes));
    let done = step();
    *notes = NOTES.replace(others);
    done
}

impl Judge {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, algorithms: provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for Judge {
    fn client_auth_mandatory(&self) -> bool {
        !self.rules.optional
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.rules.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = || std::iter::once(end_entity).chain(intermediates).map(AsRef::<[u8]>::as_ref);
        let (presented, judged) = match PresentedPeer::from_chain(chain()) {
            Ok(presented) => {
                let judged = self.rules.judge(&presented, now.as_secs());
                (Some(presented), judged)
            }
            Err(problem) => {
                let parts = verify::parse(chain());
                let certificate = parts.first().cloned();
                let subject = certificate.as_ref().map(|leaf| leaf.subject().to_string());
                let rule = VerifyError::NotTaken { subject: subject.unwrap_or_default(), problem };
                (None, Err(Refusal { rule, certificate, chain: parts }))
            }
        };
        let refusal = judged.err();
        let error = refusal.as_ref().map(|refusal| as_rustls(refusal.rule.clone()));
        let parts = match (&presented, &refusal) {
            (None, Some(refusal)) => refusal.chain.clone(),
            _ => Vec::new(),
        };
        NOTES.set(Notes { presented, parts, refusal });
        error.map_or_else(|| Ok(ClientCertVerified::assertion()), Err)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
