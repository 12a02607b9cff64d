//! Certificates that change during a long run: watched in their files, or renewed by EST.

use std::path::PathBuf;
use std::sync::Arc;

use gridmq_client::env::Settings as EnvFile;
use gridmq_client::est::{EstClient, EstRenewer, PairFiles};
use gridmq_tls::credentials::{WatchedFiles, watched};
use gridmq_tls::source::Source;
use gridmq_tls::{CredentialProvider, IdentityLoader, Trust};

use super::identity::IdentityOptions;
use crate::error::Failure;

/// The files that a certificate and its key come from, where they are files.
#[derive(Debug, Clone)]
pub(super) struct Files {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    pkcs12: Option<PathBuf>,
}

impl Files {
    pub(super) fn of(options: &IdentityOptions, env: &EnvFile) -> Self {
        let file = |source: &Option<Source>, env: &Option<PathBuf>| match source {
            Some(Source::File(path)) => Some(path.clone()),
            Some(_) => None,
            None => env.clone(),
        };
        Self {
            certificate: file(&options.cert, &env.cert_file),
            key: file(&options.key, &env.key_file),
            pkcs12: options.pkcs12.clone(),
        }
    }

    /// Watches them; nothing where there is none.
    pub(super) fn watched(self, loader: IdentityLoader) -> Result<Option<Arc<dyn CredentialProvider>>, Failure> {
        let paths: Vec<PathBuf> = match self.pkcs12 {
            Some(path) => vec![path],
            None => [self.certificate, self.key].into_iter().flatten().collect(),
        };
        if paths.is_empty() {
            return Ok(None);
        }
        let files = WatchedFiles::loading(paths, move || loader.load()).on_event(tell).start()?;
        Ok(Some(Arc::new(files)))
    }

    /// The two files that a renewal replaces, with one completed that was interrupted.
    pub(super) fn pair(&self) -> Result<PairFiles, Failure> {
        match (&self.certificate, &self.key) {
            (Some(cert), Some(key)) if cert != key && self.pkcs12.is_none() => {
                let pair = PairFiles::new(cert, key);
                pair.load()?;
                Ok(pair)
            }
            _ => Err(Failure::usage("--renew-est replaces two PEM files: name them by --cert FILE and --key FILE")),
        }
    }
}

fn tell(event: &watched::Event) {
    match event {
        watched::Event::Replaced { subject, thumbprint_sha256, .. } => {
            tracing::info!(subject, thumbprint = thumbprint_sha256, "our certificate was replaced");
        }
        watched::Event::Kept { why, .. } => {
            tracing::warn!(why, "our new certificate is not used, the old one stays");
        }
        watched::Event::NotWatched { why } => {
            tracing::warn!(why, "changes of our certificate are seen once a minute only");
        }
        _ => {}
    }
}

/// Renews what stands in these files before it runs out, over the trust that the broker is given.
pub(super) fn renewed(url: &str, files: PairFiles, trust: Trust) -> Result<Arc<dyn CredentialProvider>, Failure> {
    let client = EstClient::builder(url).trust(trust).build()?;
    let identity = files.load()?;
    Ok(Arc::new(EstRenewer::builder(client, identity).files(files).start()))
}
