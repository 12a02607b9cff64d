//! What `gridmq pub` and `gridmq sub` share: how to reach a broker, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use gridmq_client::env::Settings as EnvFile;
use gridmq_client::error::ConnectErrorKind;
use gridmq_client::{Client, ConnectError, Reconnect};
use gridmq_proto::Version;
use gridmq_tls::explain::Side as TlsSide;
use gridmq_tls::{TlsErrorKind, TlsVersion};

use crate::error::Failure;
use crate::files;
use crate::property::{Packet, Properties, Property};

mod fresh;
pub(crate) mod identity;
pub(crate) mod remote;
pub(crate) mod trust;

use identity::IdentityOptions;
use trust::TrustOptions;

const MAX_PASSWORD_BYTES: u64 = 64 * 1024;
/// The session expiry interval of a session that does not expire (MQTT 5.0 §3.1.2.11.2); a server may shorten it.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Options that are named as mosquitto's clients name them. Flags win over the env file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Options {
    /// The broker's host name or address [default: localhost]
    #[arg(short = 'h', long, value_name = "HOST")]
    host: Option<String>,
    /// Its port [default: 8883 with TLS, 1883 without]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = port)]
    port: Option<u16>,
    /// Host, port and perhaps user name in one: mqtts://user@host:port (TLS) or mqtt://host:port
    #[arg(long, value_name = "URL", conflicts_with_all = ["host", "port"])]
    url: Option<String>,
    /// Settings in the form of Microsoft's MQTT samples (MQTT_HOST_NAME=…); paths in it start at its directory
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// The client identifier [default: none, the broker assigns one]
    #[arg(short = 'i', long = "id", value_name = "ID")]
    client_id: Option<String>,
    /// The user name; with Event Grid the client authentication name
    #[arg(short = 'u', long, value_name = "NAME")]
    username: Option<String>,
    /// The password; others on this machine can see it while the program runs, so prefer --password-file
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", conflicts_with = "password_file")]
    password: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The protocol version: mqttv5, mqttv311 or mqttv31 (or 5, 311, 31)
    #[arg(short = 'V', long = "protocol-version", value_name = "VERSION", default_value = "mqttv5",
        value_parser = protocol_version)]
    protocol_version: Version,
    /// Seconds between signs of life [default: 60]
    #[arg(short = 'k', long = "keepalive", value_name = "SECONDS", value_parser = seconds)]
    keep_alive: Option<u16>,
    /// Take up a session that was left, and leave this one; under MQTT 5.0 for ever, unless -D
    /// session-expiry-interval says how long. Needs -i
    #[arg(short = 'c', long)]
    disable_clean_session: bool,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    identity: IdentityOptions,
    /// Renew the certificate by the EST server at https://HOST:PORT/LABEL before it runs out: the files of --cert and
    /// --key are replaced, and the connection moves to the new one
    #[arg(long, value_name = "URL")]
    renew_est: Option<String>,
    /// Only this TLS version: tlsv1.2 or tlsv1.3 [default: both]
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    tls_version: Option<TlsVersion>,
    #[command(flatten)]
    properties: Properties,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// How long a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// A message or so.
    Short,
    /// As long as somebody wants: certificates may change meanwhile.
    Long,
}

/// A connection that can be made, and the properties that are for later packets.
pub(crate) struct Prepared {
    pub(crate) builder: gridmq_client::Options,
    pub(crate) properties: Vec<Property>,
}

/// Connects, and says afterwards what was agreed on.
pub(crate) async fn connect(builder: gridmq_client::Options) -> Result<Client, Failure> {
    let client = builder.connect().await.map_err(not_connected)?;
    let Some(info) = client.info() else { return Ok(client) };
    let (tls, cipher, sent) = match &info.tls {
        Some(tls) if tls.sent_chain.is_empty() => (tls.version.to_string(), tls.cipher.as_str(), "nothing".to_owned()),
        Some(tls) => (tls.version.to_string(), tls.cipher.as_str(), tls.sent_chain.join(" issued by ")),
        None => ("none".to_owned(), "none", "nothing".to_owned()),
    };
    tracing::debug!(
        tls, cipher, sent, mqtt = %info.version, client_id = ?info.client_id, session_present = info.session_present,
        properties = ?info.properties, "CONNACK 0x00 Success"
    );
    Ok(client)
}

/// What was typed is wrong usage; everything else is a failure.
fn not_connected(error: ConnectError) -> Failure {
    match error.kind() {
        ConnectErrorKind::Address(_) | ConnectErrorKind::Option { .. } | ConnectErrorKind::IdentityWithoutTls => {
            Failure::usage(error)
        }
        ConnectErrorKind::Tls(tls) if tls.side() == TlsSide::Us => match tls.kind() {
            TlsErrorKind::UnknownCa => Failure::failed(format!("{error}; the file of that CA is given by --cafile")),
            // A wrong signature is what another authority of the same name looks like.
            TlsErrorKind::BadCertificate => Failure::failed(format!(
                "{error}; or --cafile names an earlier or another authority of the same name: give that which issued it"
            )),
            _ => Failure::failed(error),
        },
        _ => Failure::failed(error),
    }
}

impl Options {
    /// Reads every file that is named, and refuses what makes no sense, before anything is sent.
    ///
    /// Watching and renewing certificates are tasks, so this is to be called inside a runtime.
    pub(crate) fn prepare(self, main: Packet, run: Run) -> Result<Prepared, Failure> {
        let (for_connect, properties) = self.split_properties(main)?;
        let env = self.env_file.as_deref().map(EnvFile::from_file).transpose()?;
        let env_given = env.is_some();
        let env = env.unwrap_or_default();
        if env_given && env.host.is_none() && self.host.is_none() && self.url.is_none() {
            return Err(Failure::usage("the env file names no MQTT_HOST_NAME: add it, or give -h"));
        }
        let files = fresh::Files::of(&self.identity, &env);
        let renewed = self.renew_est.map(|url| Ok::<_, Failure>((url, files.pair()?))).transpose()?;
        let loader = self.identity.loader(&env)?;
        let identity = loader.as_ref().map(|loader| self.identity.load_by(loader, &env)).transpose()?;
        let port = self.port.or(env.port);
        let tls_flags = self.trust.is_given() || self.identity.is_given() || self.tls_version.is_some();
        let tls = match &self.url {
            Some(url) => !url.starts_with("mqtt://"),
            None if tls_flags => true,
            None if env_given => env.use_tls.unwrap_or(true),
            None => port == Some(8883),
        };
        let url = self.url.clone().unwrap_or_else(|| {
            let host = self.host.as_deref().or(env.host.as_deref()).unwrap_or("localhost");
            let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
            let (scheme, default) = if tls { ("mqtts", 8883) } else { ("mqtt", 1883) };
            format!("{scheme}://{host}:{}", port.unwrap_or(default))
        });

        let clean = if self.disable_clean_session { false } else { env.clean_session.unwrap_or(true) };
        let client_id = self.client_id.or_else(|| env.client_id.clone());
        let unnamed = client_id.as_deref().is_none_or(str::is_empty);
        if unnamed && self.protocol_version == Version::V3_1 {
            return Err(Failure::usage("MQTT 3.1 needs a client identifier: give -i"));
        }
        if unnamed && !clean {
            return Err(Failure::usage(
                "a session that is kept needs a name to find it by: give -i with -c (or leave -c out)",
            ));
        }
        let mut builder =
            Client::builder(&url).reconnect(Reconnect::never()).version(self.protocol_version).clean_start(clean);
        let expires = |property: &Property| matches!(property, Property::SessionExpiryInterval(_));
        if !clean && self.protocol_version == Version::V5 && !for_connect.iter().any(expires) {
            builder = builder.session_expiry(env.session_expiry.unwrap_or(FOR_EVER));
        }
        builder = builder.keep_alive(Duration::from_secs(self.keep_alive.or(env.keep_alive).unwrap_or(60).into()));
        if let Some(id) = client_id {
            builder = builder.client_id(id);
        }
        if let Some(name) = self.username.or_else(|| env.username.clone()) {
            builder = builder.username(name);
        }
        let password = match (self.password, &self.password_file) {
            (Some(password), _) => Some(password),
            (None, Some(path)) => Some(password(path)?),
            (None, None) => env.read_password()?.map(|password| password.as_str().to_owned()),
        };
        if let Some(password) = password {
            builder = builder.password(password);
        }
        if tls {
            let trust = self.trust.load(&env, crate::utc::now())?;
            builder = builder.trust(trust.clone());
            if let Some(version) = self.tls_version {
                builder = builder.tls_versions(version);
            }
            let changing = match (renewed, loader) {
                (Some((url, pair)), _) => Some(fresh::renewed(&url, pair, trust)?),
                (None, Some(loader)) if run == Run::Long => files.watched(loader)?,
                _ => None,
            };
            builder = match (changing, identity) {
                (Some(changing), _) => builder.credentials(changing),
                (None, Some(identity)) => builder.identity(identity),
                (None, None) => builder,
            };
        } else if renewed.is_some() {
            return Err(Failure::usage("--renew-est needs TLS: give mqtts:// or leave out mqtt://"));
        } else if let Some(identity) = identity.filter(|_| tls_flags) {
            builder = builder.identity(identity);
        }
        for property in for_connect {
            builder = apply(builder, property);
        }
        Ok(Prepared { builder, properties })
    }

    fn split_properties(&self, main: Packet) -> Result<(Vec<Property>, Vec<Property>), Failure> {
        let all = self.properties.resolve(main).map_err(|problem| Failure::usage(format!("--property: {problem}")))?;
        if !all.is_empty() && self.protocol_version != Version::V5 {
            return Err(Failure::usage("--property needs MQTT 5.0: leave out -V, or the properties"));
        }
        let (connect, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(packet, _)| *packet == Packet::Connect);
        let bare = |all: Vec<(Packet, Property)>| all.into_iter().map(|(_, property)| property).collect();
        Ok((bare(connect), bare(later)))
    }
}

fn apply(builder: gridmq_client::Options, property: Property) -> gridmq_client::Options {
    match property {
        Property::SessionExpiryInterval(time) => builder.session_expiry(time),
        Property::ReceiveMaximum(count) => builder.receive_maximum(count),
        Property::MaximumPacketSize(bytes) => builder.maximum_packet_size(bytes),
        Property::User(key, value) => builder.user_property(key, value),
        // The others were assigned to other packets.
        _ => builder,
    }
}

pub(crate) fn password(path: &std::path::Path) -> Result<String, Failure> {
    let text = files::read_text(path, MAX_PASSWORD_BYTES, "the password file")?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::failed(format!("the password file {} has an empty first line", files::shown(path)))),
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| "expected a number from 1 to 65535".to_owned())
}

pub(crate) fn seconds(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected whole seconds, 0 to 65535".to_owned())
}

pub(crate) fn protocol_version(text: &str) -> Result<Version, String> {
    match text {
        "5" | "5.0" | "mqttv5" => Ok(Version::V5),
        "311" | "3.1.1" | "mqttv311" => Ok(Version::V3_1_1),
        "31" | "3.1" | "mqttv31" => Ok(Version::V3_1),
        _ => Err("expected mqttv5, mqttv311 or mqttv31".to_owned()),
    }
}

pub(crate) fn tls_version(text: &str) -> Result<TlsVersion, String> {
    match text.trim_start_matches("tlsv") {
        "1.2" => Ok(TlsVersion::V1_2),
        "1.3" => Ok(TlsVersion::V1_3),
        _ => Err("expected tlsv1.2 or tlsv1.3".to_owned()),
    }
}
