//! `gridmq serve`: a broker until it is asked to stop.

mod admin;
mod arm;
mod bridges;
mod credentials;
mod est;
mod https;
mod listeners;
mod open;
mod reload;
mod revocation;
mod source;
mod systemd;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use gridmq_broker::Broker;
use gridmq_namespace::Policy;
use gridmq_store::{Durability, Store};
use gridmq_tls::client::ConfigError;
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig};

use crate::commands::quickstart;
use crate::config::{self, Address, LogFormat, Settings};
use crate::datadir::DataDir;
use crate::error::{Failure, Outcome};
use crate::output::Style;
use crate::signal::{Hangup, Stop};
use crate::{log, output, utc};
use reload::Reloader;
pub(super) use source::{Source, document};
use systemd::{State, Watchdog};

const HELP: &str = r#"Examples. Without TLS, for this machine only:
  gridmq serve --plain 1883

With TLS:
  gridmq certs init --dir ca
  gridmq certs issue --dir ca --name server --server \
    --dns localhost --ip 127.0.0.1 --ip ::1
  gridmq serve --cert ca/server.pem --key ca/server.key

With users and access rules, and TLS as above:
  echo secret > alice.secret
  gridmq users add users alice --password-file alice.secret
  echo 'allow user alice all plant/#' > access
  gridmq serve --users users --access access \
    --cert ca/server.pem --key ca/server.key

With a namespace, that of gridmq quickstart:
  gridmq quickstart --once --port 0
  gridmq serve --namespace gridmq-quickstart/namespace.json \
    --cert gridmq-quickstart/server.pem --key gridmq-quickstart/server.key

An address is IP:PORT, or a port alone for this machine only. The default
state directory is one broker's at a time: give each its own --data-dir.

With the namespace that an ARM template describes; of Bicep, what bicep build
writes:
  echo '{"resources": [{"name": "ns1/client1",
    "type": "Microsoft.EventGrid/namespaces/clients"}]}' > main.json
  gridmq serve --template main.json --cert ca/server.pem --key ca/server.key

With the control plane, so that az and the SDKs make the namespace:
  gridmq serve --arm 8443 --cert ca/server.pem --key ca/server.key

With a file that says more than flags can:
  gridmq serve --print-config > gridmq.toml
  gridmq serve --config gridmq.toml --plain 1883

Certificate and key are watched: when they are replaced, new connections get
the new ones. SIGHUP has them read at once, and the file and the namespace.

In the file, crls = ['DIR'] under [tls] names revocation lists: clients whose
certificate they name are refused. They are watched and read likewise."#;

/// Run a broker
///
/// With --namespace, --template or --arm it decides as Azure Event Grid decides; without, by --users and --access, and with neither everybody
/// on this machine may do everything. Options can also stand in variables GRIDMQ_NAME and in a TOML file, which has more
/// of them: --print-config shows it. Flags win over variables, variables over the file.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The namespace's resources as JSON
    #[arg(long, value_name = "FILE", env = "GRIDMQ_NAMESPACE", hide_env_values = true)]
    namespace: Option<PathBuf>,
    /// Or an ARM template that describes the namespace, as JSON
    #[arg(long, value_name = "FILE", env = "GRIDMQ_TEMPLATE", hide_env_values = true)]
    template: Option<PathBuf>,
    /// The template's parameters, as JSON
    #[arg(long, value_name = "FILE", env = "GRIDMQ_PARAMETERS", hide_env_values = true)]
    parameters: Option<PathBuf>,
    /// The file of users that gridmq users keeps, for a broker without a namespace
    #[arg(long, value_name = "FILE", env = "GRIDMQ_USERS", hide_env_values = true)]
    users: Option<PathBuf>,
    /// A file of access rules, a line each, for a broker without a namespace
    #[arg(long, value_name = "FILE", env = "GRIDMQ_ACCESS", hide_env_values = true)]
    access: Option<PathBuf>,
    /// Admit clients without a user name [default: only without users, on this machine's own addresses]
    #[arg(long, env = "GRIDMQ_ANONYMOUS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL",
        require_equals = true, hide_env_values = true)]
    anonymous: Option<bool>,
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
    /// What an acknowledgement means: fsync, os or memory [default: fsync, on the disk]
    #[arg(long, value_name = "HOW", env = "GRIDMQ_DURABILITY", hide_env_values = true)]
    durability: Option<config::Durability>,
    /// Worker threads, 1 to 64 [default: one for each core]
    #[arg(long, value_name = "N", env = "GRIDMQ_WORKERS", hide_env_values = true,
        value_parser = config::workers)]
    workers: Option<u8>,
    /// What to log: error, warn, info, debug or trace, or target=level [default: info]
    #[arg(long, value_name = "FILTER", env = "GRIDMQ_LOG", hide_env_values = true)]
    log: Option<String>,
    /// How to log [default: text]
    #[arg(long, value_name = "FORMAT", env = "GRIDMQ_LOG_FORMAT", value_enum, hide_env_values = true)]
    log_format: Option<LogFormat>,
    /// The same as --log-format json
    #[arg(long, conflicts_with = "log_format")]
    json: bool,
    /// Serve metrics, health and traces over HTTP here; may be repeated [default: nowhere]
    #[arg(long, value_name = "ADDRESS", env = "GRIDMQ_ADMIN", value_delimiter = ',', hide_env_values = true)]
    admin: Option<Vec<Address>>,
    /// Serve the control plane here, for az and the SDKs, which then make the namespace; may be repeated
    /// [default: nowhere]
    #[arg(long, value_name = "ADDRESS", env = "GRIDMQ_ARM", value_delimiter = ',', hide_env_values = true)]
    arm: Option<Vec<Address>>,
    /// Let programs on this machine use the control plane without a token
    #[arg(long, env = "GRIDMQ_TRUST_LOCAL", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL",
        require_equals = true, hide_env_values = true)]
    trust_local: Option<bool>,
    /// A TOML file with these options and more
    #[arg(long, value_name = "FILE", env = "GRIDMQ_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Print the file with every key, its default and what it means, and end
    #[arg(long)]
    print_config: bool,
    /// Read the configuration and every file that it names, say what is wrong, and end
    #[arg(long, conflicts_with = "print_config")]
    check_config: bool,
}

impl Arguments {
    /// The file, and over it what variables and flags say. A reload asks again.
    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = self.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
        let over = |given: &Option<PathBuf>, place: &mut Option<PathBuf>| {
            if given.is_some() {
                place.clone_from(given);
            }
        };
        over(&self.namespace, &mut settings.namespace.file);
        over(&self.template, &mut settings.namespace.template);
        over(&self.parameters, &mut settings.namespace.parameters);
        over(&self.users, &mut settings.open.users);
        over(&self.access, &mut settings.open.access);
        over(&self.cert, &mut settings.cert);
        over(&self.key, &mut settings.key);
        if self.data_dir.is_some() {
            settings.store.directory = None;
        }
        over(&self.data_dir, &mut settings.data_dir);
        settings.store.durability = self.durability.unwrap_or(settings.store.durability);
        let lists = [
            (&self.listen, &mut settings.listen),
            (&self.plain, &mut settings.plain),
            (&self.admin, &mut settings.admin.listen),
            (&self.arm, &mut settings.arm.listen),
        ];
        for (given, place) in lists {
            if given.is_some() {
                place.clone_from(given);
            }
        }
        settings.open.anonymous = self.anonymous.or(settings.open.anonymous);
        settings.trust_plain = self.trust_plain.or(settings.trust_plain);
        settings.arm.trust_local = self.trust_local.or(settings.arm.trust_local);
        settings.workers = self.workers.or(settings.workers);
        if let Some(filter) = &self.log {
            settings.log.filter.clone_from(filter);
        }
        if let Some(format) = self.log_format.or_else(|| self.json.then_some(LogFormat::Json)) {
            settings.log.format = format;
        }
        Ok(settings)
    }
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    if arguments.print_config {
        return output::raw(config::print().as_bytes());
    }
    let settings = arguments.settings()?;
    if arguments.check_config {
        return check(&settings);
    }
    let change_log = log::start_changeable(&settings.log.filter, settings.log.format == LogFormat::Json)?;
    let mut stop = Stop::listen()?;
    let mut hangup = Hangup::listen()?;
    let (listeners, certificates) = listeners::listeners(&settings)?;
    open::check(&settings)?;
    let mut open = open::Open::default();
    arm::check(&settings)?;
    let (policy, summary) = namespace(&settings.namespace)?;
    let open_rules = open.rules(&settings)?;
    let dir = settings.directory().map_or_else(DataDir::default_path, |dir| Ok(dir.to_owned()))?;
    let dir = DataDir::open(&dir)?;
    let bridges = bridges::bridges(&settings)?;
    let admin = admin::describe();
    let admin_listener = admin::start(settings.admin.listen.as_deref(), &admin).await?;
    let store = store(&dir, settings.store.durability.0)?;
    let (control_plane, policy) = match arm::load(&settings, &dir, store.as_ref()).await? {
        Some((loaded, policy)) => (Some(loaded), Some(policy)),
        None => (None, policy),
    };
    let (rules, mut lists) = revocation::rules(settings.tls.as_ref(), policy, certificates.any(), open_rules)?;
    let mut builder = Broker::builder()
        .rules(rules)
        .limits(settings.limits.broker())
        .shared_strategy(settings.mqtt.shared_strategy.into())
        .shutdown_deadline(settings.limits.shutdown_timeout.0);
    if let Some(store) = &store {
        builder = builder.store(store.clone());
    }
    if let Some(interval) = settings.mqtt.system_topics {
        builder = builder.system_topics(interval.0);
    }
    if let Some(workers) = settings.workers {
        builder = builder.workers(usize::from(workers));
    }
    for (_, listener) in &listeners {
        builder = builder.listener(listener.clone());
    }
    builder = bridges::keep(builder, &bridges);
    let est = est::start(settings.est.as_ref(), certificates.main.as_ref()).await?;
    let broker = builder.start().await?;
    let bridges = bridges::start(bridges, &settings, &broker).await?;
    admin.bridges(bridges.numbers());
    admin.started(broker.monitor(), revocation::status(lists.as_ref()));
    for ((kind, _), address) in listeners.iter().zip(broker.listening()) {
        output::line(&format!("listening on {address} ({kind})"))?;
    }
    if let Some(summary) = summary {
        output::line(&summary)?;
    }
    let mut control_plane = match control_plane {
        Some(loaded) => Some(loaded.start(&settings, certificates.main.as_ref()).await?),
        None => None,
    };
    let mut reloader = Reloader::new(arguments, settings, change_log, open);
    let mut watchdog = Watchdog::start();
    systemd::tell(State::Ready);
    loop {
        tokio::select! {
            () = stop.asked() => break,
            () = watchdog.due() => systemd::tell(State::Alive),
            () = hangup.asked() => {
                tracing::info!("asked to reload");
                systemd::tell(State::Reloading);
                match reloader.reload(&broker, &certificates, &mut lists).await {
                    Ok(()) => {
                        tracing::info!("reloaded");
                        systemd::tell(State::Reloaded("serving"));
                    }
                    Err(failure) => {
                        tracing::error!(why = %failure, "not reloaded: everything stays as it was");
                        systemd::tell(State::Reloaded("serving; the last reload failed, see the log"));
                    }
                }
            }
            changed = arm::next(&mut control_plane) => arm::put_in_force(changed, &broker, &mut lists).await,
            rules = revocation::next(&mut lists) => broker.set_rules(rules).await,
        }
    }
    tracing::info!("asked to stop: telling clients, and stopping");
    systemd::tell(State::Stopping);
    let ended = async {
        // While there is still a broker to acknowledge what they have carried.
        bridges.stop().await;
        if let Some(control_plane) = control_plane {
            control_plane.stop().await;
        }
        tokio::join!(broker.shutdown(), est.stop());
        // Last, so that it can say until then that clients should go elsewhere.
        admin_listener.stop().await;
    };
    tokio::select! {
        () = ended => Ok(()),
        () = stop.asked() => Err(Failure::failed("asked twice to stop: stopped without telling all clients")),
    }
}

/// `--check-config`: everything that can be known without listening.
fn check(settings: &Settings) -> Outcome {
    log::check(&settings.log.filter)?;
    let (_, certificates) = listeners::listeners(settings)?;
    open::check(settings)?;
    arm::check(settings)?;
    let (policy, summary) = namespace(&settings.namespace)?;
    let open = open::Open::default().rules(settings)?;
    revocation::rules(settings.tls.as_ref(), policy, certificates.any(), open)?;
    bridges::bridges(settings)?;
    est::check(settings.est.as_ref(), certificates.main.is_some())?;
    if let Some(summary) = summary {
        output::line(&summary)?;
    }
    output::line("the configuration is good")
}

/// TLS that asks for clients' certificates, which are judged at CONNECT, or does not.
pub(super) fn server_config(identity: Identity, asks: bool, alpn: &[String]) -> Result<ServerConfig, Failure> {
    for finding in identity.findings_as(gridmq_tls::identity::Role::Server, utc::now()) {
        if finding.severity >= gridmq_tls::identity::Severity::Error {
            return Err(Failure::failed(finding));
        }
    }
    if let Some(leaf) = identity.chain().first().filter(|leaf| !leaf.allows_server_auth()) {
        return Err(Failure::failed(format!(
            "the certificate {} may not be used by a server (its extended key usage lacks serverAuth), so every client \
             would refuse it: use a server's certificate, such as one of gridmq certs issue --server",
            leaf.subject()
        )));
    }
    Ok(build_config(identity, asks, alpn)?)
}

fn build_config(identity: Identity, asks: bool, alpn: &[String]) -> Result<ServerConfig, ConfigError> {
    let builder = ServerConfig::builder().identity(identity).alpn(alpn.iter().map(String::as_bytes));
    let builder = if asks {
        builder.client_certificate(ClientAuth::Optional).handshake_trust(ClientTrust::AnyPresented)
    } else {
        builder.client_certificate(ClientAuth::Off)
    };
    builder.build()
}

/// The namespace, and what there is to say of it.
fn namespace(settings: &config::Namespace) -> Result<(Option<Policy>, Option<String>), Failure> {
    let Some(Source { policy, warnings }) = source::read(settings)? else { return Ok((None, None)) };
    for warning in warnings {
        Style::stderr().warning(&warning);
    }
    let name = &policy.resources().namespace.name;
    let summary = format!("namespace {name}: {}", quickstart::describe(policy.resources()));
    Ok((Some(policy), Some(summary)))
}

/// The store of the state directory. Without one, all that clients leave ends with this process.
fn store(dir: &DataDir, durability: Durability) -> Result<Option<Store>, Failure> {
    let data_dir = dir.path();
    let begun = Instant::now();
    let store = Store::open_directory(data_dir, durability, <_>::default()).map_err(Failure::failed)?;
    let means = match durability {
        Durability::Fsync => "what is acknowledged is on the disk",
        Durability::Os => "what is acknowledged outlasts this process; a loss of power may damage the store",
        Durability::Memory => "sessions and retained messages are kept in memory: they end with this process",
    };
    tracing::info!(?data_dir, %durability, took = ?begun.elapsed(), "{means}");
    Ok(store)
}

/// A number that no rules of this process had: what was decided by others is decided again.
pub(super) fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
