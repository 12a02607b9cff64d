//! TLS: what this client proves, whom it believes, what it offers.

use std::sync::Arc;

use gridmq_tls::{CredentialProvider, Identity, TlsVersions, Trust};

use super::Options;

impl Options {
    /// What this client proves in TLS when the server asks: its key and chain.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self.credentials = None;
        self
    }

    /// What this client proves in TLS, generation by generation: see [Certificates that
    /// change](crate#certificates-that-change). Over a stream that the caller brings the first one stays, for there is
    /// no way to come back.
    pub fn credentials(mut self, credentials: Arc<dyn CredentialProvider>) -> Self {
        self.credentials = Some(credentials);
        self.identity = None;
        self
    }

    /// Whom it believes about the server. Needed with TLS, unless the feature `platform-verifier` is on.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Which TLS versions it offers; 1.2 and 1.3 when not called.
    pub fn tls_versions(mut self, versions: impl Into<TlsVersions>) -> Self {
        self.tls_versions = versions.into();
        self
    }

    /// The application protocols it offers by ALPN (RFC 7301), the preferred first; none when not called, but for what
    /// a preset asks for.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = Some(protocols.into_iter().map(Into::into).collect());
        self
    }

    /// The name that the server's certificate must have and that TLS asks for (SNI), where it is not the address's
    /// host: behind a tunnel, or an address that is a number.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }
}

#[cfg(feature = "platform-verifier")]
#[allow(clippy::unnecessary_wraps, reason = "without the feature there is none")]
pub(super) fn default_trust() -> Option<Trust> {
    Some(Trust::platform())
}

#[cfg(not(feature = "platform-verifier"))]
pub(super) const fn default_trust() -> Option<Trust> {
    None
}
