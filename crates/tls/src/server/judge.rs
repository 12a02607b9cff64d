//! The handshake's check of a client's chain. That the client holds the leaf's key is always proven.

use std::sync::{Arc, Mutex, PoisonError};

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

/// Applies the rules to one connection, and remembers what was presented and why it was refused.
#[derive(Debug)]
pub(crate) struct Judge {
    rules: Arc<Rules>,
    algorithms: WebPkiSupportedAlgorithms,
    notes: Mutex<Notes>,
}

/// What one handshake showed.
#[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "only the stream reports them"))]
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    /// The client's chain, as far as it could be parsed; at most sixteen certificates.
    pub(crate) chain: Vec<Certificate>,
    /// Why it was refused.
    pub(crate) refusal: Option<Refusal>,
}

impl Judge {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self { rules, algorithms: provider().signature_verification_algorithms, notes: Mutex::default() }
    }

    #[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "read by the stream"))]
    pub(crate) fn notes(&self) -> Notes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        let parsed = verify::parse(chain());
        let judged = match PresentedPeer::from_chain(chain()) {
            Ok(presented) => self.rules.judge(&presented, now.as_secs()),
            Err(problem) => {
                let certificate = parsed.first().cloned();
                let subject = certificate.as_ref().map(|leaf| leaf.subject().to_string());
                let rule = VerifyError::NotTaken { subject: subject.unwrap_or_default(), problem };
                Err(Refusal { rule, certificate, chain: parsed.clone() })
            }
        };
        let error = judged.as_ref().err().map(|refusal| as_rustls(refusal.rule.clone()));
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = Notes { chain: parsed, refusal: judged.err() };
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
