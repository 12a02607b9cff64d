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
    Alpn, ConfigError, CredentialProvider, Generation, HandshakeInfo, Tls, TlsError, TlsErrorKind, TlsSide, connect,
    from_io,
};

#[cfg(feature = "tls")]
mod present {
    use std::sync::{Arc, Mutex, PoisonError};

    pub(crate) use gridmq_tls::client::{ClientConfigBuilder, ConfigError};
    pub(crate) use gridmq_tls::explain::{Side as TlsSide, from_io};
    pub(crate) use gridmq_tls::stream::{HandshakeInfo, connect};
    pub(crate) use gridmq_tls::{ClientConfig, CredentialProvider, Generation, TlsError, TlsErrorKind};

    use crate::preset;
    use crate::profile::Profile;

    /// What is offered by ALPN.
    #[derive(Debug, Clone, Copy)]
    pub(crate) enum Alpn {
        /// What the application says.
        Own,
        /// What the service wants, which depends on the port.
        OfService { profile: Profile, has_identity: bool },
    }

    /// How TLS is set up for each connection.
    #[derive(Debug)]
    pub(crate) struct Tls {
        /// All but what changes from one generation to the next.
        config: ClientConfigBuilder,
        alpn: Alpn,
        credentials: Option<Arc<dyn CredentialProvider>>,
        /// Whom to expect, where it is not the address's host.
        server_name: Option<String>,
        built: Mutex<Option<Built>>,
    }

    /// The configuration that was built last: the next connection is mostly one with the same.
    #[derive(Debug)]
    struct Built {
        generation: Option<u64>,
        port: u16,
        config: ClientConfig,
    }

    impl Tls {
        pub(crate) const fn new(
            config: ClientConfigBuilder,
            alpn: Alpn,
            credentials: Option<Arc<dyn CredentialProvider>>,
            server_name: Option<String>,
        ) -> Self {
            Self { config, alpn, credentials, server_name, built: Mutex::new(None) }
        }

        /// A configuration of its own for each generation: nothing of an earlier one speaks for it. `port`: the server's.
        pub(crate) fn config(&self, generation: Option<&Generation>, port: u16) -> Result<ClientConfig, ConfigError> {
            let number = generation.map(|generation| generation.number);
            let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(built) = built.as_ref().filter(|built| built.generation == number && built.port == port) {
                return Ok(built.config.clone());
            }
            let mut builder = self.config.clone();
            if let Alpn::OfService { profile, has_identity } = self.alpn {
                builder = builder.alpn(preset::protocols(profile, port, has_identity));
            }
            if let Some(generation) = generation {
                builder = builder.identity(generation.identity.clone());
            }
            let config = builder.build()?;
            *built = Some(Built { generation: number, port, config: config.clone() });
            Ok(config)
        }

        pub(crate) const fn credentials(&self) -> Option<&Arc<dyn CredentialProvider>> {
            self.credentials.as_ref()
        }

        pub(crate) fn server_name(&self) -> Option<&str> {
            self.server_name.as_deref()
        }

        fn latest(&self) -> Option<ClientConfig> {
            let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
            built.as_ref().map(|built| built.config.clone())
        }

        /// When the certificate ends that does not change, in seconds since 1970.
        pub(crate) fn fixed_not_after(&self) -> Option<u64> {
            if self.credentials.is_some() {
                return None;
            }
            let built = self.latest();
            let config = built.or_else(|| self.config(None, 0).ok())?;
            config.identity().map(gridmq_tls::Identity::not_after)
        }
    }
}
