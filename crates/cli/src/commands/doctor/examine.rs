//! `gridmq doctor URL`: the whole way to a server.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gridmq_client::env::Settings as EnvFile;
use gridmq_doctor::{Exit, Options, Profile, Report, Target, files, json, redact, run_with};
use gridmq_proto::{QoS, Version};
use gridmq_tls::TlsVersion;
use gridmq_tls::time::Utc;

use super::options::FileOptions;
use super::{ended, show};
use crate::commands::publish::qos;
use crate::connection::trust::TrustOptions;
use crate::connection::{password, protocol_version, seconds, tls_version};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::signal::Stop;
use crate::utc;

/// How long a run may take, in seconds, unless it is said otherwise.
const TIMEOUT: u32 = 30;

/// Options for a server.
#[derive(Debug, Args)]
pub(super) struct Examine {
    /// The server: mqtts://HOST:PORT, mqtt://, wss://, ws:// or https:// [default: what the env file says]
    #[arg(value_name = "URL", required_unless_present = "env_file")]
    url: Option<String>,
    #[command(flatten)]
    files: FileOptions,
    #[command(flatten)]
    trust: TrustOptions,
    /// The password; others on this machine can see it while the program runs, so prefer --password-file
    #[arg(short = 'P', long = "pw", alias = "password", value_name = "PASSWORD", conflicts_with = "password_file")]
    password: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The client identifier of the application; the doctor connects under one made from it
    #[arg(short = 'i', long = "id", value_name = "ID")]
    client_id: Option<String>,
    /// Connect under the application's own identifier, which ends its session's connection if there is one
    #[arg(long)]
    take_over: bool,
    /// The MQTT version that the application speaks; 5.0 is tried first in any case
    #[arg(short = 'V', long = "protocol-version", value_name = "VERSION", default_value = "mqttv5",
        value_parser = protocol_version)]
    protocol_version: Version,
    /// Only this TLS version: tlsv1.2 or tlsv1.3 [default: both]
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    tls_version: Option<TlsVersion>,
    /// The name to send (SNI) and to expect in the certificate, instead of the host's
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// An application protocol (ALPN) to offer; may be repeated [default: the profile's for this port]
    #[arg(long, value_name = "PROTOCOL")]
    alpn: Vec<String>,
    /// A topic to publish to and to receive from, to see whether that is allowed
    #[arg(short = 't', long, value_name = "TOPIC")]
    probe_topic: Option<String>,
    /// The application's keep-alive in seconds, to be judged
    #[arg(short = 'k', long = "keepalive", value_name = "SECONDS", value_parser = seconds)]
    keep_alive: Option<u16>,
    /// The highest quality of service that the application uses, to be judged
    #[arg(short = 'q', long, value_name = "QOS", value_parser = qos)]
    qos: Option<QoS>,
    /// The application publishes retained messages, to be judged
    #[arg(short = 'r', long)]
    retain: bool,
    /// The application's largest packet in bytes, to be judged
    #[arg(long, value_name = "BYTES")]
    packet_size: Option<u32>,
    /// Also try what the broker's limits forbid or leave open; it may end the connection
    #[arg(long)]
    deep: bool,
    /// Stay connected for this long and watch what happens
    #[arg(long, value_name = "SECONDS")]
    observe: Option<u32>,
    /// The longest time for everything
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
    /// Go on, once in this many seconds, and tell when something changes; ends at Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    watch: Option<NonZeroU32>,
    /// Show a hash in place of the client identifier
    #[arg(long)]
    redact: bool,
}

pub(super) async fn run(arguments: Examine) -> Outcome {
    let env = arguments.files.env()?;
    let target = arguments.target(&env)?;
    let mut report = arguments.examine(&target, &env).await?;
    show::report(&report, arguments.files.json, arguments.files.strict)?;
    let profile = arguments.profile(&target);
    arguments.files.write_repaired(&arguments.files.input(&arguments.trust.cafile, profile, &env))?;
    if let Some(every) = arguments.watch {
        let every = Duration::from_secs(every.get().into());
        let mut stop = Stop::listen()?;
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.asked() => break,
            }
            let next = tokio::select! {
                next = arguments.examine(&target, &env) => next?,
                () = stop.asked() => break,
            };
            arguments.show_next(&report, &next)?;
            report = next;
        }
    }
    ended(Exit::of(&report, arguments.files.strict))
}

impl Examine {
    fn target(&self, env: &EnvFile) -> Result<Target, Failure> {
        if let Some(url) = &self.url {
            return Target::parse(url).map_err(Failure::usage);
        }
        let Some(host) = &env.host else {
            return Err(Failure::usage("the env file names no MQTT_HOST_NAME: add it, or give a URL"));
        };
        let tls = env.use_tls.unwrap_or(true);
        let (scheme, port) = if tls { ("mqtts", 8883) } else { ("mqtt", 1883) };
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
        Target::parse(&format!("{scheme}://{host}:{}", env.port.unwrap_or(port))).map_err(Failure::usage)
    }

    fn profile(&self, target: &Target) -> &'static Profile {
        self.files.profile().unwrap_or_else(|| Profile::for_host(&target.host))
    }

    /// One run.
    async fn examine(&self, target: &Target, env: &EnvFile) -> Result<Report, Failure> {
        let mut options = self.options(target, env)?;
        options.profile = Some(self.profile(target).clone());
        let mut ticker = show::Ticker::new(!self.files.json);
        let mut report = run_with(target, &options, |progress| ticker.tell(&progress)).await;
        drop(ticker);
        if let Some(id) = options.client_id.as_deref().filter(|_| self.redact) {
            redact::client_id(&mut report, id);
        }
        Ok(report)
    }

    fn options(&self, target: &Target, env: &EnvFile) -> Result<Options, Failure> {
        let now = utc::now();
        let mut options = Options::default();
        let input = self.files.input(&self.trust.cafile, self.profile(target), env);
        let examined = files::load(&input, now);
        // With a file that cannot be used the network is examined all the same.
        options.trust = match self.trust.load(env, now) {
            Ok(trust) => Some(trust),
            Err(_) if !input.cafile.is_empty() => None,
            Err(failure) => return Err(failure),
        };
        options.identity = examined.identity;
        options.files = Some(examined.stage);
        options.username =
            self.files.username.clone().or_else(|| target.username.clone()).or_else(|| env.username.clone());
        options.password = match (&self.password, &self.password_file) {
            (Some(password), _) => Some(password.clone().into_bytes().into()),
            (None, Some(path)) => Some(password(path)?.into_bytes().into()),
            (None, None) => env.read_password()?.map(|password| password.as_bytes().to_vec().into()),
        };
        options.client_id = self.client_id.clone().or_else(|| env.client_id.clone());
        options.version = self.protocol_version;
        if let Some(version) = self.tls_version {
            options.tls_versions = version.into();
        }
        options.server_name.clone_from(&self.server_name);
        options.alpn = self.alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect();
        options.probe_topic.clone_from(&self.probe_topic);
        options.take_over = self.take_over;
        options.deep = self.deep;
        options.deadline = Duration::from_secs(self.timeout.into());
        options.observe = Duration::from_secs(self.observe.unwrap_or_default().into());
        options.wants.keep_alive = self.keep_alive.or(env.keep_alive);
        options.wants.qos = self.qos;
        options.wants.retain = self.retain;
        options.wants.packet_size = self.packet_size;
        Ok(options)
    }

    /// A line, and the whole report when something changed.
    fn show_next(&self, before: &Report, now: &Report) -> Outcome {
        let (as_json, strict) = (self.files.json, self.files.strict);
        if as_json {
            return show::report(now, true, strict);
        }
        let state = |report: &Report| (json::result(report), report.primary().map(|finding| finding.id));
        let (result, cause) = state(now);
        let cause = cause.map(|id| format!("  {} {}: {}", id.code(), id.name(), id.title())).unwrap_or_default();
        output::line(&format!("{}  {result}{cause}", Utc(now.started)))?;
        if state(before) == state(now) { Ok(()) } else { show::report(now, false, strict) }
    }
}
