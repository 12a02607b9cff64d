//! The certificate of a listener, and how it is replaced.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gridmq_tls::client::ConfigError;
use gridmq_tls::{CredentialProvider, CredentialStatus, Generation, HostPattern, Identity, ServerConfig};
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
    /// The names that it is shown for (SNI); none of the default certificate.
    pub names: Vec<String>,
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
    /// Certificates for names. Whoever changes one, or the configuration, holds this.
    named: Mutex<Vec<Named>>,
}

/// A certificate for clients that ask for certain names.
struct Named {
    names: Vec<HostPattern>,
    credentials: Arc<dyn CredentialProvider>,
    identity: Identity,
    status: CredentialStatus,
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
        Self {
            config: ArcSwap::from_pointee(config),
            status: Mutex::new(status),
            source: None,
            named: Mutex::default(),
        }
    }

    pub(crate) fn following(credentials: Arc<dyn CredentialProvider>, make: Box<Make>) -> Result<Self, ConfigError> {
        let current = credentials.current();
        let config = make(current.identity.clone())?;
        let status = CredentialStatus::new(current.number, current.identity.not_after());
        let source = Some(Source { credentials, make });
        Ok(Self { config: ArcSwap::from_pointee(config), status: Mutex::new(status), source, named: Mutex::default() })
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Adds a certificate for names.
    pub(crate) fn add(
        &self,
        names: Vec<HostPattern>,
        credentials: Arc<dyn CredentialProvider>,
    ) -> Result<(), ConfigError> {
        let current = credentials.current();
        let status = CredentialStatus::new(current.number, current.identity.not_after());
        let mut named = self.named.lock();
        named.push(Named { names, credentials, identity: current.identity.clone(), status });
        let config = with_names(&self.config(), &named)?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// `generation`: its number; the next one if it has none.
    pub(crate) fn replace(&self, config: ServerConfig, generation: Option<u64>) {
        let named = self.named.lock();
        let config = match with_names(&config, &named) {
            Ok(config) => config,
            Err(error) => {
                drop(named);
                return self.failed(&error);
            }
        };
        let mut status = self.status.lock();
        status.generation = generation.unwrap_or_else(|| status.generation.saturating_add(1));
        taken_over(&mut status, config.identity());
        self.config.store(Arc::new(config));
    }

    fn failed(&self, error: &ConfigError) {
        tracing::error!(%error, "the listener keeps its certificate");
        fail(&mut self.status.lock(), error);
    }

    /// Takes over a generation of a certificate for names.
    fn renew(&self, index: usize, generation: &Generation) {
        let mut named = self.named.lock();
        let Some(changed) = named.get_mut(index) else { return };
        let before = std::mem::replace(&mut changed.identity, generation.identity.clone());
        let outcome = with_names(&self.config(), &named);
        let Some(changed) = named.get_mut(index) else { return };
        match outcome {
            Ok(config) => {
                changed.status.generation = generation.number;
                taken_over(&mut changed.status, &changed.identity);
                self.config.store(Arc::new(config));
            }
            Err(error) => {
                tracing::error!(generation = generation.number, %error, "the listener keeps its certificate");
                changed.identity = before;
                fail(&mut changed.status, &error);
            }
        }
    }

    /// Takes over each new generation of each of its certificates; never ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut tasks = tokio::task::JoinSet::new();
        let named: Vec<_> = self.named.lock().iter().map(|named| Arc::clone(&named.credentials)).collect();
        for (index, credentials) in named.into_iter().enumerate() {
            let cell = Arc::clone(&self);
            tasks.spawn(async move {
                let mut seen = cell.named.lock().get(index).map_or(0, |named| named.status.generation);
                loop {
                    let generation = credentials.changed(seen).await;
                    seen = generation.number;
                    cell.renew(index, &generation);
                }
            });
        }
        self.follow_default().await;
        while tasks.join_next().await.is_some() {}
    }

    /// Takes over each new generation; ends when there will be none.
    async fn follow_default(&self) {
        let Some(Source { credentials, make }) = &self.source else { return };
        let mut seen = self.status.lock().generation;
        loop {
            let generation = credentials.changed(seen).await;
            seen = generation.number;
            match make(generation.identity.clone()) {
                Ok(config) => self.replace(config, Some(seen)),
                Err(error) => self.failed(&error),
            }
        }
    }

    pub(crate) fn credentials(&self, address: &ListenAddress) -> Vec<ListenerCredentials> {
        // All change under this lock: what is told of one generation must not be mixed with another's.
        let named = self.named.lock();
        let (config, status) = (self.config(), self.status.lock().clone());
        let shown = |names: Vec<String>,
                     identity: &Identity,
                     mut status: CredentialStatus,
                     source: Option<CredentialStatus>| {
            if let Some(source) = source {
                status.last_error = status.last_error.or(source.last_error);
                status.failures = status.failures.saturating_add(source.failures);
            }
            let (subject, thumbprint_sha256) = (identity.subject(), identity.thumbprint_sha256().to_owned());
            ListenerCredentials { address: address.clone(), names, subject, thumbprint_sha256, status }
        };
        let source = self.source.as_ref().map(|source| source.credentials.status());
        let mut all = vec![shown(Vec::new(), config.identity(), status, source)];
        all.extend(named.iter().map(|named| {
            let names = named.names.iter().map(ToString::to_string).collect();
            shown(names, &named.identity, named.status.clone(), Some(named.credentials.status()))
        }));
        all
    }
}

fn with_names(config: &ServerConfig, named: &[Named]) -> Result<ServerConfig, ConfigError> {
    if named.is_empty() {
        return Ok(config.clone());
    }
    let each =
        |named: &Named| named.names.iter().map(|name| (name.clone(), named.identity.clone())).collect::<Vec<_>>();
    config.with_names(named.iter().flat_map(each))
}

fn taken_over(status: &mut CredentialStatus, identity: &Identity) {
    status.not_after = identity.not_after();
    status.last_error = None;
    status.reloads = status.reloads.saturating_add(1);
    let (subject, thumbprint) = (identity.subject(), identity.thumbprint_sha256().to_owned());
    tracing::info!(generation = status.generation, subject, thumbprint, "new connections get another certificate");
}

fn fail(status: &mut CredentialStatus, error: &ConfigError) {
    status.last_error = Some(error.to_string());
    status.failures = status.failures.saturating_add(1);
}
