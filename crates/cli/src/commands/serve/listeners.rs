//! The listeners that `gridmq serve` is told of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridmq_broker::{ListenAddress, Listener};
use gridmq_tls::CredentialProvider;
use gridmq_tls::credentials::WatchedFiles;

use super::{credentials, server_config};
use crate::config::{Address, Settings};
use crate::error::Failure;
use crate::output::Style;

/// Certificates that are watched, each pair once.
pub(super) struct Certificates {
    /// That of the whole broker.
    pub(super) main: Option<Arc<WatchedFiles>>,
    pairs: HashMap<(PathBuf, Option<PathBuf>), Arc<WatchedFiles>>,
    /// Whether clients are asked for theirs.
    asks: bool,
}

impl Certificates {
    fn watch(&mut self, cert: &Path, key: Option<&Path>) -> Result<Arc<WatchedFiles>, Failure> {
        let pair = (cert.to_owned(), key.map(Path::to_owned));
        if let Some(files) = self.pairs.get(&pair) {
            return Ok(Arc::clone(files));
        }
        let files = Arc::new(credentials::watch(cert, key)?);
        server_config(files.current().identity.clone(), self.asks, &[])?;
        self.pairs.insert(pair, Arc::clone(&files));
        Ok(files)
    }

    fn listener(
        &self,
        address: impl Into<ListenAddress>,
        files: &Arc<WatchedFiles>,
        alpn: &[String],
    ) -> Result<Listener, Failure> {
        let follows: Arc<dyn CredentialProvider> = Arc::<WatchedFiles>::clone(files);
        Ok(Listener::tls_with(address, follows, credentials::maker(self.asks, alpn.to_vec()))?)
    }

    /// Whether any listener has TLS.
    pub(super) fn any(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// Has every pair read now.
    pub(super) fn reload(&self) {
        for files in self.pairs.values() {
            files.reload();
        }
    }
}

/// The listeners with their kind in words, and the certificates.
type Listeners = (Vec<(&'static str, Listener)>, Certificates);

pub(super) fn listeners(settings: &Settings) -> Result<Listeners, Failure> {
    let mut listeners = Vec::new();
    let namespace = settings.has_namespace();
    let mut certificates =
        Certificates { main: None, pairs: HashMap::new(), asks: namespace || settings.open.client_ca.is_some() };
    let plain = settings.plain.as_deref().unwrap_or_default();
    match (&settings.cert, &settings.key) {
        (Some(cert), key) => {
            let files = certificates.watch(cert, key.as_deref())?;
            let default = [Address::loopback(8883)];
            let unless_said = if settings.listener.is_empty() { &default[..] } else { &[] };
            let listen = settings.listen.as_deref().unwrap_or(unless_said);
            for address in listen.iter().flat_map(Address::addresses) {
                listeners.push(("TLS", certificates.listener(*address, &files, &[])?));
            }
            certificates.main = Some(files);
        }
        (None, Some(_)) => return Err(Failure::usage("--key was given without --cert: name the certificate too")),
        (None, None) if settings.listen.is_some() => {
            return Err(Failure::usage("--listen needs --cert and --key: make them with gridmq certs, or use --plain"));
        }
        (None, None) if plain.is_empty() && settings.listener.is_empty() => {
            return Err(Failure::usage(
                "give --cert and --key (gridmq certs makes them), or --plain ADDRESS for a listener without TLS",
            ));
        }
        (None, None) => {}
    }
    let trust = settings.trust_plain.unwrap_or(false);
    if namespace && !plain.is_empty() && !trust {
        Style::stderr().warning(
            "a namespace admits nobody on a listener without TLS, for there is no certificate: leave --plain out, or \
             add --trust-plain to take clients on this machine at their word",
        );
    }
    for address in plain.iter().flat_map(Address::addresses) {
        if trust && !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--trust-plain holds on loopback addresses only, and --plain names {address}: use 127.0.0.1 or ::1"
            )));
        }
        listeners.push(("plain", Listener::plain(*address).trust_plain(trust)));
    }
    for table in &settings.listener {
        for address in table.addresses().map_err(Failure::usage)? {
            let (kind, listener) = if table.kind.is_secure() {
                let files = match &table.cert {
                    Some(cert) => certificates.watch(cert, table.key.as_deref())?,
                    None => certificates.main.clone().ok_or_else(|| {
                        Failure::usage(format!(
                            "[[listener]] on {address} has TLS and no certificate: give it cert and key, or write \
                             kind = 'tcp'"
                        ))
                    })?,
                };
                ("TLS", certificates.listener(address, &files, table.alpn.as_deref().unwrap_or_default())?)
            } else {
                ("plain", Listener::plain(address))
            };
            listeners.push((kind, table.dress(listener).map_err(Failure::usage)?));
        }
    }
    for certificate in &settings.certificate {
        let files = certificates.watch(&certificate.cert, certificate.key.as_deref())?;
        let names = certificate.patterns().map_err(Failure::usage)?;
        for (_, listener) in &mut listeners {
            let follows: Arc<dyn CredentialProvider> = Arc::<WatchedFiles>::clone(&files);
            *listener = listener.clone().certificate_for(names.clone(), follows)?;
        }
    }
    Ok((listeners, certificates))
}
