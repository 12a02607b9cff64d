//! The certificate of a listener, and how it is replaced.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gridmq_tls::client::ConfigError;
use gridmq_tls::{CredentialProvider, CredentialStatus, Identity, ServerConfig};
use parking_lot::Mutex;

use crate::listener::ListenAddress;

type Make = dyn Fn(Identity) -> Result<ServerConfig, ConfigError> + Send + Sync;

/// How the certificate of a TLS listener stands, for metrics and logs.
///
/// Exported, `status.not_after` is the gauge `gridmq_x509_cert_not_after{role="server",sha256="…"}`, in seconds since
/// 1970, `status.generation` the gauge `gridmq_credential_generation{role="server"}`, and `status.reloads` and
/// `status.failures` the counter `gridmq_credential_reload_total{role="server",result="ok|error"}`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenerCredentials {
    /// Where it listens.
    pub address: ListenAddress,
    /// Whom the leaf names.
    pub subject: String,
    /// The leaf's SHA-256 thumbprint: 64 lower-case hexadecimal digits.
    pub thumbprint_sha256: String,
    /// The generation in use and the latest failure.
    pub status: CredentialStatus,
}

/// Why a listener's TLS was not replaced. The caller's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetTlsError {
    /// No such listener.
    #[error("there is no listener {index}: the broker has {listeners}")]
    NoListener {
        /// The place that was asked for, from 0.
        index: usize,
        /// How many there are.
        listeners: usize,
    },
    /// It has no TLS.
    #[error("listener {index} has no TLS, so there is nothing to replace")]
    Plain {
        /// Its place, from 0.
        index: usize,
    },
}

/// The TLS configuration for connections that come now.
pub(crate) struct TlsCell {
    config: ArcSwap<ServerConfig>,
    status: Mutex<CredentialStatus>,
    source: Option<Source>,
}

/// Where the next configuration comes from.
struct Source {
    credentials: Arc<dyn CredentialProvider>,
    make: Box<Make>,
}

impl fmt::Debug for TlsCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsCell").field("config", &self.config.load()).field("status", &*self.status.lock()).finish()
    }
}

impl TlsCell {
    pub(crate) fn new(config: ServerConfig) -> Self {
        let status = CredentialStatus::new(1, config.identity().not_after());
        Self { config: ArcSwap::from_pointee(config), status: Mutex::new(status), source: None }
    }

    pub(crate) fn following(credentials: Arc<dyn CredentialProvider>, make: Box<Make>) -> Result<Self, ConfigError> {
        let current = credentials.current();
        let config = make(current.identity.clone())?;
        let status = CredentialStatus::new(current.number, current.identity.not_after());
        let source = Some(Source { credentials, make });
        Ok(Self { config: ArcSwap::from_pointee(config), status: Mutex::new(status), source })
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// `generation`: its number; the next one if it has none.
    pub(crate) fn replace(&self, config: ServerConfig, generation: Option<u64>) {
        let mut status = self.status.lock();
        status.generation = generation.unwrap_or_else(|| status.generation.saturating_add(1));
        status.not_after = config.identity().not_after();
        status.last_error = None;
        status.reloads = status.reloads.saturating_add(1);
        let (subject, thumbprint) = (config.identity().subject(), config.identity().thumbprint_sha256().to_owned());
        self.config.store(Arc::new(config));
        tracing::info!(generation = status.generation, subject, thumbprint, "new connections get another certificate");
    }

    /// Takes over each new generation; ends when there will be none.
    pub(crate) async fn follow(&self) {
        let Some(Source { credentials, make }) = &self.source else { return };
        let mut seen = self.status.lock().generation;
        loop {
            let generation = credentials.changed(seen).await;
            seen = generation.number;
            match make(generation.identity.clone()) {
                Ok(config) => self.replace(config, Some(seen)),
                Err(error) => {
                    tracing::error!(generation = seen, %error, "the listener keeps its certificate");
                    let mut status = self.status.lock();
                    status.last_error = Some(error.to_string());
                    status.failures = status.failures.saturating_add(1);
                }
            }
        }
    }

    pub(crate) fn credentials(&self, address: ListenAddress) -> ListenerCredentials {
        // Both change under this lock: what is told of one generation must not be mixed with another's.
        let (config, mut status) = {
            let status = self.status.lock();
            (self.config(), status.clone())
        };
        if let Some(Source { credentials, .. }) = &self.source {
            let source = credentials.status();
            status.last_error = status.last_error.or(source.last_error);
            status.failures = status.failures.saturating_add(source.failures);
        }
        let identity = config.identity();
        let (subject, thumbprint_sha256) = (identity.subject(), identity.thumbprint_sha256().to_owned());
        ListenerCredentials { address, subject, thumbprint_sha256, status }
    }
}
