//! TLS: what this client proves, whom it believes, what it offers.

use std::sync::Arc;

use gridmq_tls::{ClientConfig, CredentialProvider, Identity, TlsVersions, Trust};

use super::Options;
use super::checks::Judge;
use crate::address::Address;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::preset;
use crate::profile::Profile;
use crate::secure::Tls;

#[derive(Debug, Clone, Default)]
pub(super) struct TlsOptions {
    identity: Option<Identity>,
    credentials: Option<Arc<dyn CredentialProvider>>,
    trust: Option<Trust>,
    versions: Option<TlsVersions>,
    alpn: Option<Vec<Vec<u8>>>,
    server_name: Option<String>,
}

impl TlsOptions {
    /// The client comes back with another certificate.
    pub(super) const fn rotates(&self) -> bool {
        self.credentials.is_some()
    }

    pub(super) fn plan(
        &self,
        judge: &Judge,
        addresses: &[Address],
        profile: Profile,
    ) -> Result<Option<Tls>, ConnectError> {
        let has_identity = self.identity.is_some() || self.credentials.is_some();
        let Some(address) = addresses.iter().find(|address| address.tls) else {
            return if has_identity { Err(judge.fail(ConnectErrorKind::IdentityWithoutTls)) } else { Ok(None) };
        };
        let trust = self.trust.clone().or_else(default_trust).ok_or_else(|| judge.fail(ConnectErrorKind::NoTrust))?;
        let alpn = self.alpn.clone().unwrap_or_else(|| preset::protocols(profile, address, has_identity));
        let versions = self.versions.unwrap_or(TlsVersions::BOTH);
        let mut config = ClientConfig::builder().trust(trust).versions(versions).alpn(alpn);
        if let Some(identity) = self.identity.clone() {
            config = config.identity(identity);
        }
        let tls = Tls { config, credentials: self.credentials.clone(), server_name: self.server_name.clone() };
        let current = tls.credentials.as_deref().map(CredentialProvider::current);
        tls.config(current.as_deref()).map_err(|error| judge.fail(ConnectErrorKind::TlsConfig(error)))?;
        Ok(Some(tls))
    }
}

impl Options {
    /// What this client proves in TLS when the server asks: its key and chain.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.tls.identity = Some(identity);
        self.tls.credentials = None;
        self
    }

    /// What this client proves in TLS, generation by generation: see [Certificates that
    /// change](crate#certificates-that-change). Over a stream that the caller brings the first one stays, for there is
    /// no way to come back.
    pub fn credentials(mut self, credentials: Arc<dyn CredentialProvider>) -> Self {
        self.tls.credentials = Some(credentials);
        self.tls.identity = None;
        self
    }

    /// Whom it believes about the server. Needed with TLS, unless the feature `platform-verifier` is on.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.tls.trust = Some(trust);
        self
    }

    /// Which TLS versions it offers; 1.2 and 1.3 when not called.
    pub fn tls_versions(mut self, versions: impl Into<TlsVersions>) -> Self {
        self.tls.versions = Some(versions.into());
        self
    }

    /// The application protocols it offers by ALPN (RFC 7301), the preferred first; none when not called, but for what
    /// a preset asks for.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.tls.alpn = Some(protocols.into_iter().map(Into::into).collect());
        self
    }

    /// The name that the server's certificate must have and that TLS asks for (SNI), where it is not the address's
    /// host: behind a tunnel, or an address that is a number.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.tls.server_name = Some(name.into());
        self
    }
}

#[cfg(feature = "platform-verifier")]
#[allow(clippy::unnecessary_wraps, reason = "without the feature there is none")]
fn default_trust() -> Option<Trust> {
    Some(Trust::platform())
}

#[cfg(not(feature = "platform-verifier"))]
const fn default_trust() -> Option<Trust> {
    None
}
