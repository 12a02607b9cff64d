//! The client's side of TLS.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;

use crate::identity::Identity;
use crate::provider::provider;
use crate::trust::verifier::ServerVerifier;
use crate::trust::{Trust, TrustError};
use crate::versions::TlsVersions;

#[cfg(feature = "stream")]
pub(crate) mod recorder;

/// Why a configuration cannot be built. All of it is the caller's to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Nobody to trust was named.
    #[error("no trust was set: name the authorities that vouch for the server")]
    NoTrust,
    /// A server without an identity.
    #[error("no identity was set: a TLS server needs a certificate and its key")]
    NoIdentity,
    /// No TLS version is allowed.
    #[error("no TLS version is allowed: allow TLS 1.2, TLS 1.3 or both")]
    NoVersion,
    /// An ALPN name that is empty or longer than 255 bytes.
    #[error("an ALPN protocol name has 1 to 255 bytes")]
    BadAlpn,
    /// The trust cannot be used for this.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The TLS stack refused the combination.
    #[error("the TLS stack refused the configuration: {0}")]
    Tls(String),
}

/// How a client connects: what it proves, whom it believes, which versions it speaks.
///
/// Sessions are never resumed: a resumed session would carry the certificate of the connection it
/// began with, also after that was replaced, and would hide what the server asked for.
/// Cheap to clone.
#[derive(Clone)]
pub struct ClientConfig {
    inner: Arc<Inner>,
}

#[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "read by the stream"))]
struct Inner {
    base: rustls::ClientConfig,
    verifier: Arc<ServerVerifier>,
    identity: Option<Identity>,
    trust: Trust,
    versions: TlsVersions,
}

impl ClientConfig {
    /// Starts with no identity, no trust, both TLS versions and no ALPN.
    pub fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder { identity: None, trust: None, versions: TlsVersions::BOTH, alpn: Vec::new() }
    }

    /// What this client proves when it is asked.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.inner.identity.as_ref()
    }

    /// Whom it believes.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.inner.trust
    }

    /// The versions it offers.
    #[must_use]
    pub fn versions(&self) -> TlsVersions {
        self.inner.versions
    }

    /// A configuration for one connection, whose handshake is written down by the recorder.
    #[cfg(feature = "stream")]
    pub(crate) fn recorded(&self) -> (Arc<rustls::ClientConfig>, Arc<recorder::Recorder>) {
        let recorder = Arc::new(recorder::Recorder::new(
            Arc::clone(&self.inner.verifier),
            self.inner.identity.as_ref().map(Identity::certified_key),
        ));
        let mut config = self.inner.base.clone();
        config.client_auth_cert_resolver = Arc::<recorder::Recorder>::clone(&recorder);
        config.dangerous().set_certificate_verifier(Arc::<recorder::Recorder>::clone(&recorder));
        (Arc::new(config), recorder)
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("identity", &self.inner.identity)
            .field("trust", &self.inner.trust)
            .field("versions", &self.inner.versions)
            .finish_non_exhaustive()
    }
}

/// Makes a [`ClientConfig`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientConfigBuilder {
    identity: Option<Identity>,
    trust: Option<Trust>,
    versions: TlsVersions,
    alpn: Vec<Vec<u8>>,
}

impl ClientConfigBuilder {
    /// Proves this identity to servers that ask; without one, the answer is an empty certificate.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Believes these authorities about the server. Required.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Offers these versions; both when not called.
    pub fn versions(mut self, versions: impl Into<TlsVersions>) -> Self {
        self.versions = versions.into();
        self
    }

    /// Offers these application protocols (RFC 7301), the preferred first; none when not called.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Builds the configuration.
    ///
    /// # Errors
    /// When trust is missing, no version is left, or a part cannot be used.
    pub fn build(self) -> Result<ClientConfig, ConfigError> {
        let trust = self.trust.ok_or(ConfigError::NoTrust)?;
        check(self.versions, &self.alpn)?;
        let verifier = trust.server_verifier()?;
        let mut base = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&self.versions.as_rustls())
            .map_err(|error| ConfigError::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<ServerVerifier>::clone(&verifier))
            .with_no_client_auth();
        base.resumption = Resumption::disabled();
        base.alpn_protocols = self.alpn;
        let inner = Inner { base, verifier, identity: self.identity, trust, versions: self.versions };
        Ok(ClientConfig { inner: Arc::new(inner) })
    }
}

/// What both sides check before building.
pub(crate) fn check(versions: TlsVersions, alpn: &[Vec<u8>]) -> Result<(), ConfigError> {
    if versions.is_empty() {
        return Err(ConfigError::NoVersion);
    }
    if alpn.iter().any(|protocol| protocol.is_empty() || protocol.len() > 255) {
        return Err(ConfigError::BadAlpn);
    }
    Ok(())
}
