//! Writes down what the server asked for, what was answered, and what the server showed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::trust::verifier::ServerVerifier;
use crate::verify::Chain;

/// How many of a server's certificates and schemes are remembered.
const MAX_REMEMBERED: usize = 16;
/// How many of the authorities that a server names are remembered.
const MAX_HINTS: usize = 64;

/// The client's resolver and verifier for exactly one connection.
#[derive(Debug)]
pub(crate) struct Recorder {
    verifier: Arc<ServerVerifier>,
    key: Option<Arc<CertifiedKey>>,
    record: Mutex<Record>,
}

/// What one handshake showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// The server sent a CertificateRequest.
    pub(crate) asked: bool,
    /// How many authorities it named in that request.
    pub(crate) hints: usize,
    /// The first of them, each a name in DER.
    pub(crate) hint_names: Vec<Vec<u8>>,
    /// The signature schemes it accepts.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// The scheme that our key signed with.
    pub(crate) scheme: Option<SignatureScheme>,
    /// A certificate was sent.
    pub(crate) sent: bool,
    /// A certificate was there and its key fits none of the schemes.
    pub(crate) no_common_scheme: bool,
    /// The server's chain, leaf first.
    pub(crate) server_chain: Chain,
    /// The time by which the server's chain was judged, in seconds since 1970.
    pub(crate) time: Option<u64>,
}

impl Recorder {
    pub(crate) fn new(verifier: Arc<ServerVerifier>, key: Option<Arc<CertifiedKey>>) -> Self {
        Self { verifier, key, record: Mutex::default() }
    }

    pub(crate) fn record(&self) -> Record {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, root_hint_subjects: &[&[u8]], sigschemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut record = self.lock();
        record.asked = true;
        record.hints = root_hint_subjects.len();
        record.hint_names = root_hint_subjects.iter().take(MAX_HINTS).map(|name| name.to_vec()).collect();
        record.schemes = sigschemes.iter().take(MAX_REMEMBERED).copied().collect();
        let key = self.key.as_ref()?;
        // Without a common scheme the stack would send an empty certificate and say nothing.
        let Some(signer) = key.key.choose_scheme(sigschemes) else {
            record.no_common_scheme = true;
            return None;
        };
        record.scheme = Some(signer.scheme());
        record.sent = true;
        Some(Arc::clone(key))
    }

    /// True also without a key, so that the server's question is heard and noted.
    fn has_certs(&self) -> bool {
        true
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Chain::of(std::iter::once(end_entity).chain(intermediates));
        {
            let mut record = self.lock();
            record.server_chain = shown.first(MAX_REMEMBERED);
            record.time = Some(now.as_secs());
        }
        self.verifier.judge(&shown, server_name, now, |platform| {
            platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.verifier.root_hint_subjects()
    }
}
