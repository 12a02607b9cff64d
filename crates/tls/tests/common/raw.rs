//! Peers that do what this crate's own never would: resume sessions, and send any certificates.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use gridmq_tls::{Certificate, TlsVersion};
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{HandshakeKind, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::ca::Leaf;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn version(version: TlsVersion) -> &'static SupportedProtocolVersion {
    match version {
        TlsVersion::V1_2 => &rustls::version::TLS12,
        TlsVersion::V1_3 => &rustls::version::TLS13,
    }
}

fn roots(root: &Certificate) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.der())).unwrap();
    roots
}

/// The chain as it is, in whatever order, and the key.
fn certified(leaf: &Leaf) -> Arc<CertifiedKey> {
    let chain = leaf.ders().into_iter().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    Arc::new(CertifiedKey::new(chain, aws_lc_rs::sign::any_supported_type(&key).unwrap()))
}

/// A server that asks for nothing.
pub(crate) fn server(leaf: &Leaf) -> Arc<rustls::ServerConfig> {
    let config = rustls::ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::clone(&certified(leaf))));
    Arc::new(config.with_no_client_auth().with_cert_resolver(resolver))
}

/// A server that asks for a certificate of `root`'s, and lets sessions be resumed with the identity that they began
/// with: by ticket, or by what it remembers itself.
pub(crate) fn resuming_server(
    leaf: &Leaf,
    root: &Certificate,
    v: TlsVersion,
    tickets: bool,
) -> Arc<rustls::ServerConfig> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(root)), provider()).build().unwrap();
    let resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::clone(&certified(leaf))));
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version(v)])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    if tickets {
        config.ticketer = aws_lc_rs::Ticketer::new().unwrap();
    } else {
        config.session_storage = ServerSessionMemoryCache::new(32);
    }
    Arc::new(config)
}

/// Accepts, says one byte so that tickets are taken, and tells how it went and which leaf the client has.
pub(crate) async fn accept(config: &Arc<rustls::ServerConfig>, io: DuplexStream) -> (HandshakeKind, Vec<u8>) {
    let mut stream = TlsAcceptor::from(Arc::clone(config)).accept(io).await.unwrap();
    let (_, connection) = stream.get_ref();
    let leaf = connection.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
    let kind = connection.handshake_kind().unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.flush().await.unwrap();
    (kind, leaf.unwrap_or_default())
}

/// A resolver whose certificate is changed underneath.
#[derive(Debug)]
struct Swapped(Arc<Mutex<Arc<CertifiedKey>>>);

impl ResolvesClientCert for Swapped {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A client that resumes whenever it can, and changes its certificate the wrong way.
pub(crate) struct Client {
    config: Arc<rustls::ClientConfig>,
    current: Arc<Mutex<Arc<CertifiedKey>>>,
}

impl Client {
    pub(crate) fn new(leaf: &Leaf, root: &Certificate, v: TlsVersion) -> Self {
        let current = Arc::new(Mutex::new(certified(leaf)));
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version(v)])
            .unwrap()
            .with_root_certificates(roots(root))
            .with_client_cert_resolver(Arc::new(Swapped(Arc::clone(&current))));
        Self { config: Arc::new(config), current }
    }

    pub(crate) fn change(&self, leaf: &Leaf) {
        *self.current.lock().unwrap() = certified(leaf);
    }

    /// Connects, takes one byte, and tells how it went and which leaf the server has.
    pub(crate) async fn connect(&self, io: DuplexStream) -> (HandshakeKind, Vec<u8>) {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, io).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        let (_, connection) = stream.get_ref();
        let leaf = connection.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
        (connection.handshake_kind().unwrap(), leaf.unwrap_or_default())
    }
}
