//! `gridmq serve`: a broker until it is asked to stop.

use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use gridmq_broker::{Broker, Listener};
use gridmq_namespace::{Open, Policy, Resources, Rules};
use gridmq_store::Store;
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig};

use crate::config::{Address, Settings};
use crate::datadir::DataDir;
use crate::error::{Failure, Outcome};
use crate::signal::Stop;
use crate::{files, log, output, utc};

/// The largest namespace file that is read.
const MAX_NAMESPACE_BYTES: u64 = 64 * 1024 * 1024;

/// Run a broker
///
/// With --namespace it decides as Azure Event Grid decides; without, everybody may do everything. Options but
/// --config and --json can also stand in a TOML file under their own names, and in variables GRIDMQ_NAME: flags win over
/// variables, variables over the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name server --server --dns localhost --ip 127.0.0.1 --ip ::1\n  \
    gridmq serve --cert ca/server.pem --key ca/server.key\n  \
    gridmq serve --plain 1883\n\n\
    An address is IP:PORT, or a port alone for this machine only.")]
pub(crate) struct Arguments {
    /// The namespace's resources as JSON
    #[arg(long, value_name = "FILE", env = "GRIDMQ_NAMESPACE", hide_env_values = true)]
    namespace: Option<PathBuf>,
    /// The server's certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "GRIDMQ_CERT", hide_env_values = true)]
    cert: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", env = "GRIDMQ_KEY", hide_env_values = true)]
    key: Option<PathBuf>,
    /// Listen here with TLS; may be repeated [default: 8883 if there is a certificate]
    #[arg(long, value_name = "ADDRESS", env = "GRIDMQ_LISTEN", value_delimiter = ',', hide_env_values = true)]
    listen: Option<Vec<Address>>,
    /// Listen here without TLS; may be repeated [default: nowhere]
    #[arg(long, value_name = "ADDRESS", env = "GRIDMQ_PLAIN", value_delimiter = ',', hide_env_values = true)]
    plain: Option<Vec<Address>>,
    /// Take clients of a namespace at their word on plain loopback addresses: by user name, without a certificate
    #[arg(long, env = "GRIDMQ_TRUST_PLAIN", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL",
        require_equals = true, hide_env_values = true)]
    trust_plain: Option<bool>,
    /// The directory for state [default: gridmq in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR", env = "GRIDMQ_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// Worker threads, 1 to 64 [default: one for each core]
    #[arg(long, value_name = "N", env = "GRIDMQ_WORKERS", hide_env_values = true)]
    workers: Option<NonZeroU8>,
    /// What to log: error, warn, info, debug or trace, or target=level [default: info]
    #[arg(long, value_name = "FILTER", env = "GRIDMQ_LOG", hide_env_values = true)]
    log: Option<String>,
    /// A TOML file with these options
    #[arg(long, value_name = "FILE", env = "GRIDMQ_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Log as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn settings(self) -> Result<Settings, Failure> {
        let file = self.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
        let given = Settings {
            namespace: self.namespace,
            cert: self.cert,
            key: self.key,
            listen: self.listen,
            plain: self.plain,
            trust_plain: self.trust_plain,
            data_dir: self.data_dir,
            workers: self.workers.map(NonZeroU8::get),
            log: self.log,
        };
        Ok(given.over(file))
    }
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let json = arguments.json;
    let settings = arguments.settings()?;
    let mut stop = Stop::listen()?;
    let listeners = listeners(&settings)?;
    let rules = rules(settings.namespace.as_deref())?;
    let dir = settings.data_dir.map_or_else(DataDir::default_path, Ok)?;
    let dir = DataDir::open(&dir)?;
    log::start(settings.log.as_deref().unwrap_or("info"), json)?;

    let mut builder = Broker::builder().rules(rules).store(Store::memory());
    if let Some(workers) = settings.workers {
        builder = builder.workers(usize::from(workers));
    }
    for (_, listener) in &listeners {
        builder = builder.listener(listener.clone());
    }
    let broker = builder.start().await?;
    for ((kind, _), address) in listeners.iter().zip(broker.addresses()) {
        output::line(&format!("listening on {address} ({kind})"))?;
    }
    tracing::info!(
        data_dir = %dir.path().display(),
        "sessions and retained messages are kept in memory: they end with this process"
    );
    stop.asked().await;
    tracing::info!("asked to stop: telling clients, and stopping");
    tokio::select! {
        () = broker.shutdown() => Ok(()),
        () = stop.asked() => Err(Failure::failed("asked twice to stop: stopped without telling all clients")),
    }
}

/// The listeners with their kind in words.
fn listeners(settings: &Settings) -> Result<Vec<(&'static str, Listener)>, Failure> {
    let mut listeners = Vec::new();
    let plain = settings.plain.as_deref().unwrap_or_default();
    match (&settings.cert, &settings.key) {
        (Some(cert), key) => {
            let identity = match key {
                Some(key) => Identity::from_pem_files(cert, key)?,
                None => Identity::from_pem_file(cert)?,
            };
            let config = server_config(identity, settings.namespace.is_some())?;
            let default = [Address::loopback(8883)];
            let listen = settings.listen.as_deref().unwrap_or(&default);
            for address in listen.iter().flat_map(Address::addresses) {
                listeners.push(("TLS", Listener::tls(*address, config.clone())));
            }
        }
        (None, Some(_)) => return Err(Failure::usage("--key was given without --cert: name the certificate too")),
        (None, None) if settings.listen.is_some() => {
            return Err(Failure::usage("--listen needs --cert and --key: make them with gridmq certs, or use --plain"));
        }
        (None, None) if plain.is_empty() => {
            return Err(Failure::usage(
                "give --cert and --key (gridmq certs makes them), or --plain ADDRESS for a listener without TLS",
            ));
        }
        (None, None) => {}
    }
    let trust = settings.trust_plain.unwrap_or(false);
    for address in plain.iter().flat_map(Address::addresses) {
        if trust && !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--trust-plain holds on loopback addresses only, and --plain names {address}: use 127.0.0.1 or ::1"
            )));
        }
        listeners.push(("plain", Listener::plain(*address).trust_plain(trust)));
    }
    Ok(listeners)
}

/// TLS as a namespace wants it, which judges certificates at CONNECT, or as an open broker wants it.
pub(super) fn server_config(identity: Identity, namespace: bool) -> Result<ServerConfig, Failure> {
    for finding in identity.findings(utc::now()) {
        if finding.severity() >= gridmq_tls::identity::Severity::Error {
            return Err(Failure::failed(finding));
        }
    }
    let builder = ServerConfig::builder().identity(identity);
    let builder = if namespace {
        builder.client_certificate(ClientAuth::Optional).handshake_trust(ClientTrust::AnyPresented)
    } else {
        builder.client_certificate(ClientAuth::Off)
    };
    Ok(builder.build()?)
}

fn rules(namespace: Option<&Path>) -> Result<Arc<dyn Rules>, Failure> {
    let Some(path) = namespace else { return Ok(Arc::new(Open::default())) };
    let text = files::read_text(path, MAX_NAMESPACE_BYTES, "the namespace file")?;
    Ok(Arc::new(policy(&text).map_err(|failure| failure.during(files::shown(path)))?))
}

/// Compiles a namespace's JSON.
pub(super) fn policy(text: &str) -> Result<Policy, Failure> {
    let resources = Resources::from_json(text)?;
    Policy::compile(resources, 1).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Failure::failed(problems.join("\n"))
    })
}
