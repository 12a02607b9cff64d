//! The server's certificate: read from files, watched, and read again on SIGHUP.

use std::path::{Path, PathBuf};

use gridmq_tls::credentials::{Usage, WatchedFiles, watched};
use gridmq_tls::identity::IdentityError;
use gridmq_tls::time::Utc;
use gridmq_tls::{Identity, ServerConfig};

use crate::error::Failure;
use crate::files;

/// Loads the pair, or the one file that holds both, and watches it. What is replaced by something useless is reported
/// and not used.
pub(super) fn watch(cert: &Path, key: Option<&Path>) -> Result<WatchedFiles, Failure> {
    let (cert, key) = (cert.to_owned(), key.map(Path::to_owned));
    let paths: Vec<PathBuf> = std::iter::once(cert.clone()).chain(key.clone()).collect();
    let shown = files::shown(&cert);
    let load = move || match &key {
        Some(key) => Identity::from_pem_files(&cert, key),
        None => Identity::from_pem_file(&cert),
    };
    let has_key = paths.len() > 1;
    WatchedFiles::loading(paths, load).usage(Usage::Server).on_event(move |event| tell(&shown, event)).start().map_err(
        |error| match error {
            IdentityError::NoKey { .. } if !has_key => {
                Failure::failed(format!("{error}; give the private key's file by --key"))
            }
            _ => Failure::from(error),
        },
    )
}

fn tell(file: &str, event: &watched::Event) {
    match event {
        watched::Event::Replaced { generation, subject, thumbprint_sha256, not_after } => tracing::info!(
            file,
            generation,
            subject,
            thumbprint = thumbprint_sha256,
            not_after = %Utc(*not_after),
            "the server's certificate was replaced"
        ),
        watched::Event::Kept { generation, why } => {
            tracing::warn!(file, generation, why, "the server's new certificate is not used, the old one stays");
        }
        watched::Event::NotWatched { why } => {
            tracing::warn!(file, why, "changes of the server's certificate are seen once a minute only");
        }
        _ => {}
    }
}

/// A configuration of the same kind for another identity.
pub(super) fn maker(
    asks: bool,
    alpn: Vec<String>,
) -> impl Fn(Identity) -> Result<ServerConfig, gridmq_tls::client::ConfigError> + Send + Sync + 'static {
    move |identity| super::build_config(identity, asks, &alpn)
}
