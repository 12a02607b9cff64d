//! TLS, or types without values in its place: without the feature `tls` none of them can occur, and the rest of the
//! crate need not ask.

#[cfg(not(feature = "tls"))]
mod absent;

#[cfg(not(feature = "tls"))]
pub use absent::{ConfigError, HandshakeInfo, TlsError};
#[cfg(not(feature = "tls"))]
pub(crate) use absent::{CredentialProvider, Generation, Tls, TlsErrorKind, TlsSide, from_io};
#[cfg(feature = "tls")]
pub(crate) use present::{
    ConfigError, CredentialProvider, Generation, HandshakeInfo, Tls, TlsError, TlsErrorKind, TlsSide, connect, from_io,
};

#[cfg(feature = "tls")]
mod present {
    use std::sync::Arc;

    pub(crate) use gridmq_tls::client::{ClientConfigBuilder, ConfigError};
    pub(crate) use gridmq_tls::explain::{Side as TlsSide, from_io};
    pub(crate) use gridmq_tls::stream::{HandshakeInfo, connect};
    pub(crate) use gridmq_tls::{ClientConfig, CredentialProvider, Generation, TlsError, TlsErrorKind};

    /// How TLS is set up for each connection.
    #[derive(Debug)]
    pub(crate) struct Tls {
        /// All but what changes from one generation to the next.
        pub(crate) config: ClientConfigBuilder,
        pub(crate) credentials: Option<Arc<dyn CredentialProvider>>,
        /// Whom to expect, where it is not the address's host.
        pub(crate) server_name: Option<String>,
    }

    impl Tls {
        /// A configuration of its own for each generation: nothing of an earlier one speaks for it.
        pub(crate) fn config(&self, generation: Option<&Generation>) -> Result<ClientConfig, ConfigError> {
            let config = self.config.clone();
            match generation {
                Some(generation) => config.identity(generation.identity.clone()).build(),
                None => config.build(),
            }
        }

        pub(crate) const fn credentials(&self) -> Option<&Arc<dyn CredentialProvider>> {
            self.credentials.as_ref()
        }

        pub(crate) fn server_name(&self) -> Option<&str> {
            self.server_name.as_deref()
        }

        /// When the certificate ends that does not change, in seconds since 1970.
        pub(crate) fn fixed_not_after(&self) -> Option<u64> {
            let config = self.credentials.is_none().then(|| self.config(None).ok()).flatten()?;
            config.identity().map(gridmq_tls::Identity::not_after)
        }
    }
}
