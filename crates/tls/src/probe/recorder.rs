//! The resolver and verifier of a probe: takes everything, proves what there is, forgets nothing.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{DigitallySignedStruct, Error, SignatureAlgorithm, SignatureScheme};
use x509_cert::der::Decode as _;

use super::{MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_HINTS, Request, Seen};
use crate::certificate::DistinguishedName;
use crate::provider::provider;

/// How many signature schemes of a server are kept.
const MAX_SCHEMES: usize = 64;

/// Notes what the stack asks it.
#[derive(Debug)]
pub(super) struct Recorder {
    key: Option<Arc<CertifiedKey>>,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    seen: Seen,
    was_sent: bool,
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    pub(super) fn new(key: Option<Arc<CertifiedKey>>, clock: fn() -> Instant) -> Self {
        let notes = Arc::<Mutex<Notes>>::default();
        let key = key.map(|certified| {
            let timed = Timed { key: Arc::clone(&certified.key), notes: Arc::clone(&notes), clock };
            Arc::new(CertifiedKey::new(certified.cert.clone(), Arc::new(timed)))
        });
        Self { key, notes }
    }

    /// What was noted: chain, request, and what was done with the key.
    pub(super) fn seen(&self) -> Seen {
        lock(&self.notes).seen.clone()
    }

    pub(super) fn was_sent(&self) -> bool {
        lock(&self.notes).was_sent
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, root_hint_subjects: &[&[u8]], sigschemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let request = Request {
            hints: root_hint_subjects.iter().take(MAX_HINTS).map(|name| readable(name)).collect(),
            hint_count: root_hint_subjects.len(),
            hint_bytes: root_hint_subjects.iter().map(|name| name.len()).sum(),
            schemes: sigschemes.iter().take(MAX_SCHEMES).map(|scheme| format!("{scheme:?}")).collect(),
        };
        // The lock must be free when the key is asked: it notes as well.
        let fits = self.key.as_ref().map(|key| key.key.choose_scheme(sigschemes).is_some());
        let mut notes = lock(&self.notes);
        notes.seen.request = Some(request);
        notes.seen.no_common_scheme = fits == Some(false);
        notes.was_sent = fits == Some(true);
        if notes.was_sent { self.key.clone() } else { None }
    }

    /// True also without a key, so that the server's question is heard.
    fn has_certs(&self) -> bool {
        true
    }
}

/// A name of the request, in the form of RFC 4514 where it can be read.
fn readable(der: &[u8]) -> String {
    let name = x509_cert::name::Name::from_der(der).ok().and_then(|name| DistinguishedName::new(&name).ok());
    name.map_or_else(|| "(unreadable name)".to_owned(), |name| name.to_string())
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = &mut lock(&self.notes).seen;
        let all = || std::iter::once(end_entity).chain(intermediates);
        seen.server_chain_length = intermediates.len() + 1;
        seen.server_chain_bytes = all().map(|certificate| certificate.len()).sum();
        let mut room = MAX_CERTIFICATE_BYTES;
        seen.server_chain = all()
            .take(MAX_CERTIFICATES)
            .map_while(|certificate| {
                room = room.checked_sub(certificate.len())?;
                Some(certificate.to_vec())
            })
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A key whose signatures are timed.
struct Timed {
    key: Arc<dyn SigningKey>,
    notes: Arc<Mutex<Notes>>,
    clock: fn() -> Instant,
}

impl SigningKey for Timed {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        Some(Box::new(TimedSigner { signer, notes: Arc::clone(&self.notes), clock: self.clock }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl fmt::Debug for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").field("algorithm", &self.key.algorithm()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct TimedSigner {
    signer: Box<dyn Signer>,
    notes: Arc<Mutex<Notes>>,
    clock: fn() -> Instant,
}

impl Signer for TimedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let begun = (self.clock)();
        let signature = self.signer.sign(message);
        let took = (self.clock)().saturating_duration_since(begun);
        let seen = &mut lock(&self.notes).seen;
        seen.signature_time = Some(took);
        seen.scheme = Some(format!("{:?}", self.signer.scheme()));
        signature
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}
