//! The server's side of TLS.

use std::fmt;
use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, ResolvesServerCert};

use crate::client::{ConfigError, check};
use crate::identity::Identity;
use crate::provider::provider;
use crate::trust::Trust;
use crate::verify::Thumbprint;
use crate::versions::TlsVersions;

pub(crate) mod judge;
mod names;

use names::{ByName, Resolver};
pub use names::{HostPattern, HostPatternError};

/// Does the server ask the client for a certificate?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// It does not ask.
    Off,
    /// It asks, and takes no for an answer.
    #[default]
    Optional,
    /// It asks, and refuses in the handshake whoever has none.
    Required,
}

/// What the handshake checks about a client's certificate.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ClientTrust {
    /// Only that the client holds the certificate's key. Whose it is gets decided afterwards, by
    /// [`verify`](crate::verify()), and can be answered in the application's protocol.
    #[default]
    AnyPresented,
    /// That its chain ends at one of these authorities, and that no revocation list of theirs names a
    /// certificate of it; the handshake fails if it does not.
    Anchors(Trust),
    /// That its thumbprint is one of these and that it is valid; the handshake fails if it is not. Who
    /// signed it does not matter, so self-signed certificates work, also with CA:TRUE.
    Thumbprints(Arc<[Thumbprint]>),
}

/// How a server accepts. Cheap to clone.
///
/// While client certificates are asked for, sessions are neither stored nor ticketed: every
/// connection proves possession of its key anew.
#[derive(Clone)]
pub struct ServerConfig {
    inner: Arc<Inner>,
}

struct Inner {
    #[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "read by the stream"))]
    tls: Arc<rustls::ServerConfig>,
    judge: Option<Arc<judge::Judge>>,
    identities: Arc<ByName>,
    client_certificate: ClientAuth,
    versions: TlsVersions,
}

impl ServerConfig {
    /// Starts with no identity, an optional client certificate of which only possession is proven,
    /// both TLS versions and no ALPN: what a namespace's listener wants.
    pub fn builder() -> ServerConfigBuilder {
        ServerConfigBuilder {
            identity: None,
            client_certificate: ClientAuth::default(),
            handshake_trust: ClientTrust::default(),
            versions: TlsVersions::BOTH,
            alpn: Vec::new(),
        }
    }

    /// What this server proves to clients that ask for no name, or for none that it has an identity for.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.inner.identities.default()
    }

    /// What this server proves to a client that asks for that name (SNI, RFC 6066 section 3).
    #[must_use]
    pub fn identity_for(&self, server_name: Option<&str>) -> &Identity {
        self.inner.identities.choose(server_name)
    }

    /// The same, which proves another identity to clients that ask for one of these names, and shares no session with
    /// it. An exact name goes before a wildcard; of two that are equal the last holds. Names that were given before
    /// are forgotten.
    ///
    /// # Errors
    /// When a part cannot be used.
    pub fn with_names(&self, named: impl IntoIterator<Item = (HostPattern, Identity)>) -> Result<Self, ConfigError> {
        let identities = Arc::new(ByName::new(self.identity().clone(), named));
        let alpn = self.inner.tls.alpn_protocols.clone();
        let (judge, client_certificate) = (self.inner.judge.clone(), self.inner.client_certificate);
        Self::made(self.inner.versions, client_certificate, judge, identities, alpn)
    }

    fn made(
        versions: TlsVersions,
        client_certificate: ClientAuth,
        judge: Option<Arc<judge::Judge>>,
        identities: Arc<ByName>,
        alpn: Vec<Vec<u8>>,
    ) -> Result<Self, ConfigError> {
        let verifier: Arc<dyn ClientCertVerifier> = match &judge {
            None => Arc::new(NoClientAuth),
            Some(judge) => Arc::<judge::Judge>::clone(judge),
        };
        let resolver = Arc::new(Resolver(Arc::clone(&identities)));
        let asks = client_certificate != ClientAuth::Off;
        let tls = Arc::new(assemble(versions, verifier, resolver, alpn, asks)?);
        Ok(Self { inner: Arc::new(Inner { tls, judge, identities, client_certificate, versions }) })
    }

    /// Does it ask for a client certificate?
    #[must_use]
    pub fn client_certificate(&self) -> ClientAuth {
        self.inner.client_certificate
    }

    /// The versions it accepts.
    #[must_use]
    pub fn versions(&self) -> TlsVersions {
        self.inner.versions
    }

    #[cfg(feature = "stream")]
    pub(crate) fn as_rustls(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.inner.tls)
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("identities", &self.inner.identities)
            .field("client_certificate", &self.inner.client_certificate)
            .field("versions", &self.inner.versions)
            .finish_non_exhaustive()
    }
}

/// Makes a [`ServerConfig`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerConfigBuilder {
    identity: Option<Identity>,
    client_certificate: ClientAuth,
    handshake_trust: ClientTrust,
    versions: TlsVersions,
    alpn: Vec<Vec<u8>>,
}

impl ServerConfigBuilder {
    /// Proves this identity. Required.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Asks for a client certificate or not; [`ClientAuth::Optional`] when not called.
    pub fn client_certificate(mut self, client_certificate: ClientAuth) -> Self {
        self.client_certificate = client_certificate;
        self
    }

    /// Checks this much of it in the handshake; [`ClientTrust::AnyPresented`] when not called.
    pub fn handshake_trust(mut self, handshake_trust: ClientTrust) -> Self {
        self.handshake_trust = handshake_trust;
        self
    }

    /// Accepts these versions; both when not called.
    pub fn versions(mut self, versions: impl Into<TlsVersions>) -> Self {
        self.versions = versions.into();
        self
    }

    /// Accepts these application protocols (RFC 7301). With none, whatever the client offers is
    /// ignored; with some, a client that offers only others is refused.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Builds the configuration.
    ///
    /// # Errors
    /// When the identity is missing, no version is left, or a part cannot be used.
    pub fn build(self) -> Result<ServerConfig, ConfigError> {
        let identity = self.identity.ok_or(ConfigError::NoIdentity)?;
        check(self.versions, &self.alpn)?;
        let optional = self.client_certificate == ClientAuth::Optional;
        let rules = match (self.client_certificate, &self.handshake_trust) {
            (ClientAuth::Off, _) => None,
            (_, ClientTrust::AnyPresented) => Some(judge::Rules::anyone(optional)),
            (_, ClientTrust::Anchors(trust)) => Some(judge::Rules::anchors(trust, optional)?),
            (_, ClientTrust::Thumbprints(allowed)) => Some(judge::Rules::thumbprints(allowed, optional)),
        };
        let identities = Arc::new(ByName::new(identity, []));
        let judge = rules.map(|rules| Arc::new(judge::Judge::new(rules)));
        ServerConfig::made(self.versions, self.client_certificate, judge, identities, self.alpn)
    }
}

fn assemble(
    versions: TlsVersions,
    verifier: Arc<dyn ClientCertVerifier>,
    resolver: Arc<dyn ResolvesServerCert>,
    alpn: Vec<Vec<u8>>,
    asks_for_certificate: bool,
) -> Result<rustls::ServerConfig, ConfigError> {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions.as_rustls())
        .map_err(|error| ConfigError::Tls(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    tls.alpn_protocols = alpn;
    if asks_for_certificate {
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        tls.send_tls13_tickets = 0;
    }
    Ok(tls)
}
