//! What is examined, and how.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use gridmq_proto::{QoS, Version};
use gridmq_tls::{Identity, TlsVersions, Trust};
use zeroize::Zeroizing;

use crate::profile::Profile;
use crate::report::StageReport;

/// How long a whole run may take unless it is said otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// How long one exchange with the peer may take unless it is said otherwise.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest URL that is read, in bytes.
const MAX_URL: usize = 4096;

/// What is spoken on the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// MQTT over TCP in the clear; also `tcp`.
    Mqtt,
    /// MQTT over TLS; also `ssl` and `tls`.
    Mqtts,
    /// MQTT over WebSocket in the clear. Examined up to TCP.
    Ws,
    /// MQTT over WebSocket and TLS. Examined up to the client's authentication.
    Wss,
    /// Any TLS server. Examined up to the client's authentication.
    Https,
}

impl Scheme {
    /// Its name in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Https => "https",
        }
    }

    /// Is TLS spoken?
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Mqtts | Self::Wss | Self::Https)
    }

    /// The port where it is usually spoken.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 80,
            Self::Wss | Self::Https => 443,
        }
    }
}

/// Why a URL does not name a target. It is the caller's to put right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A scheme that is not examined.
    #[error("the scheme {0:?} is not examined: use mqtts, mqtt, wss, ws or https")]
    Scheme(String),
    /// There is no host.
    #[error("the URL names no host: write it as mqtts://HOST:PORT")]
    NoHost,
    /// The host has characters that no host name has.
    #[error("{0:?} is neither a host name nor an address")]
    BadHost(String),
    /// The port is not a number from 1 to 65535.
    #[error("{0:?} is not a port: it is a number from 1 to 65535")]
    BadPort(String),
    /// The URL holds a password.
    #[error("the URL holds a password, which other users of this machine can see: pass it by file or environment")]
    Password,
    /// More than 4096 bytes.
    #[error("the URL is longer than {MAX_URL} bytes")]
    TooLong,
}

/// The server that is examined.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// What is spoken.
    pub scheme: Scheme,
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The user name of the URL.
    pub username: Option<String>,
}

impl Target {
    /// Reads `scheme://[user@]host[:port][/path]`; without a scheme it is `mqtts`.
    ///
    /// # Errors
    /// When it is not such a URL.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.len() > MAX_URL {
            return Err(TargetError::TooLong);
        }
        let (scheme, rest) = url.trim().split_once("://").unwrap_or_else(|| ("mqtts", url.trim()));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "mqtts" | "ssl" | "tls" => Scheme::Mqtts,
            "mqtt" | "tcp" => Scheme::Mqtt,
            "wss" => Scheme::Wss,
            "ws" => Scheme::Ws,
            "https" => Scheme::Https,
            _ => return Err(TargetError::Scheme(scheme.chars().take(32).collect())),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (username, place) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err(TargetError::Password),
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return Err(TargetError::BadPort(port.to_owned())),
            },
            // An IPv6 address without brackets has more than one colon.
            None if place.parse::<IpAddr>().is_ok() => (place, None),
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None | Some("") => scheme.default_port(),
            Some(text) => match text.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(TargetError::BadPort(text.chars().take(32).collect())),
            },
        };
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if host.parse::<IpAddr>().is_err() && !host.chars().all(sound) {
            return Err(TargetError::BadHost(host.chars().take(256).collect()));
        }
        Ok(Self { scheme, host: host.to_owned(), port, username })
    }

    /// A target by its parts.
    pub fn new(scheme: Scheme, host: impl Into<String>, port: u16) -> Self {
        Self { scheme, host: host.into(), port, username: None }
    }

    /// The host as an address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Target {
    /// The URL, without the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, port) = (self.scheme.name(), self.port);
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{port}", self.host)
        } else {
            write!(f, "{scheme}://{}:{port}", self.host)
        }
    }
}

/// A will that the application sets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a will is a topic, a QoS and a flag")]
pub struct WantedWill {
    /// Its topic.
    pub topic: String,
    /// Its QoS.
    pub qos: QoS,
    /// It is retained.
    pub retain: bool,
}

/// What the application will do once it is connected. Judged by the limits that the broker states, tried only where
/// [`Options::deep`] says so.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Wants {
    /// The highest QoS of its messages.
    pub qos: Option<QoS>,
    /// It publishes retained messages.
    pub retain: bool,
    /// The size of its largest packet, in bytes.
    pub packet_size: Option<u32>,
    /// The highest topic alias that it uses.
    pub topic_alias: Option<u16>,
    /// A filter that it subscribes to.
    pub filter: Option<String>,
    /// A topic that it publishes to.
    pub topic: Option<String>,
    /// Its will.
    pub will: Option<WantedWill>,
    /// Its keep-alive in seconds; 60 when not given.
    pub keep_alive: Option<u16>,
    /// It sends user properties on CONNECT.
    pub connect_user_properties: bool,
}

/// How the target is examined. [`Options::default`] proves nothing and believes the platform's store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// What this client proves.
    pub identity: Option<Identity>,
    /// Whom the application believes; the platform's store when not given.
    pub trust: Option<Trust>,
    /// The user name.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The application's client identifier; `Some("")` for one that leaves it to the broker.
    pub client_id: Option<String>,
    /// The MQTT version that the application speaks. The first probe speaks 5.0 in any case.
    pub version: Version,
    /// The TLS versions that the application offers.
    pub tls_versions: TlsVersions,
    /// The name to send as SNI and to expect in the certificate, instead of the host.
    pub server_name: Option<String>,
    /// The application sends SNI.
    pub send_server_name: bool,
    /// The application protocols that the application offers (RFC 7301). When empty, the profile's for this port.
    pub alpn: Vec<Vec<u8>>,
    /// What is known of the service; by the host's name when not given.
    pub profile: Option<Profile>,
    /// The report of the stage files, made by [`crate::files`]. Its errors do not keep the network from being examined.
    pub files: Option<StageReport>,
    /// How long the whole run may take.
    pub deadline: Duration,
    /// How long one exchange may take.
    pub patience: Duration,
    /// A topic to publish to and to receive from.
    pub probe_topic: Option<String>,
    /// What the application will do.
    pub wants: Wants,
    /// Connect under the application's own client identifier, which ends its session's connection if there is one.
    pub take_over: bool,
    /// Also try what the broker's stated limits forbid or leave open.
    pub deep: bool,
    /// How long to keep the connection and watch what happens to it; zero for not at all.
    pub observe: Duration,
    /// The time in seconds since 1970 to judge certificates by; the system's clock when not given.
    pub now: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            identity: None,
            trust: None,
            username: None,
            password: None,
            client_id: None,
            version: Version::V5,
            tls_versions: TlsVersions::BOTH,
            server_name: None,
            send_server_name: true,
            alpn: Vec::new(),
            profile: None,
            files: None,
            deadline: DEFAULT_DEADLINE,
            patience: DEFAULT_PATIENCE,
            probe_topic: None,
            wants: Wants::default(),
            take_over: false,
            deep: false,
            observe: Duration::ZERO,
            now: None,
        }
    }
}

#[cfg(test)]
mod tests;
