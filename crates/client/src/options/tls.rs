//! TLS: what this client proves, whom it believes, what it offers.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use gridmq_tls::{ClientConfig, CredentialProvider, Identity, TlsVersions, Trust};

use super::Options;
use super::checks::Judge;
use crate::address::Address;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::profile::Profile;
use crate::secure::{Alpn, Tls};

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
        self.plan_or(judge, addresses, profile, default_trust)
    }

    /// `default`: whom this build believes where the application names nobody.
    fn plan_or(
        &self,
        judge: &Judge,
        addresses: &[Address],
        profile: Profile,
        default: impl FnOnce() -> Option<Trust>,
    ) -> Result<Option<Tls>, ConnectError> {
        let has_identity = self.identity.is_some() || self.credentials.is_some();
        if let Some(plain) = addresses.iter().find(|address| has_identity && !address.tls) {
            return Err(judge.at(plain).fail(ConnectErrorKind::IdentityWithoutTls));
        }
        let Some(address) = addresses.iter().find(|address| address.tls) else { return Ok(None) };
        let trust = self.trust.clone().or_else(default).ok_or_else(|| judge.fail(ConnectErrorKind::NoTrust))?;
        let versions = self.versions.unwrap_or(TlsVersions::BOTH);
        let mut config = ClientConfig::builder().trust(trust).versions(versions);
        let alpn = match &self.alpn {
            Some(own) => {
                config = config.alpn(own.clone());
                Alpn::Own
            }
            None => Alpn::OfService { profile, has_identity },
        };
        if let Some(identity) = self.identity.clone() {
            config = config.identity(identity);
        }
        let tls = Tls::new(config, alpn, self.credentials.clone(), self.server_name.clone());
        let current = self.credentials.as_deref().map(CredentialProvider::current);
        tls.config(current.as_deref(), address.port).map_err(|error| judge.fail(ConnectErrorKind::TlsConfig(error)))?;
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
    ///
    /// ```no_run
    /// # #[cfg(feature = "watch")]
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use gridmq_client::Options;
    /// use gridmq_client::tls::{Trust, WatchedFiles};
    ///
    /// // When the files change, the client comes back with what they hold, in the same session.
    /// let files = WatchedFiles::pem("device1.pem".as_ref(), "device1.key".as_ref()).start()?;
    /// let client = Options::new("mqtts://broker.example")
    ///     .trust(Trust::only_pem_file("root-ca.pem".as_ref())?)
    ///     .credentials(Arc::new(files))
    ///     .client_id("device1")
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
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
