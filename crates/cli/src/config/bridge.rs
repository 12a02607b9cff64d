//! What each `[[bridge]]` of `gridmq serve` is told.

use std::path::PathBuf;
use std::time::Duration;

use gridmq_bridge::Mapping;
use gridmq_namespace::profile::Overflow;
use gridmq_proto::{QoS, TopicName, Version};
use serde::{Deserialize, Deserializer};

use super::section::section;
use super::value::{Size, Span, Value, quoted};

/// What happens to a message for which a bridge has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnFull {
    /// Its publisher is refused.
    #[default]
    Refuse,
    /// The bridge forgets what waits and begins anew.
    EndSession,
}

impl Value for OnFull {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Refuse => "refuse",
            Self::EndSession => "end-session",
        }))
    }
}

impl From<OnFull> for Overflow {
    fn from(how: OnFull) -> Self {
        match how {
            OnFull::Refuse => Self::Refuse,
            OnFull::EndSession => Self::EndSession,
        }
    }
}

/// The version of MQTT that is spoken with the other broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken(pub(crate) Version);

impl<'de> Deserialize<'de> for Spoken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "5" | "5.0" => Ok(Self(Version::V5)),
            "3.1.1" => Ok(Self(Version::V3_1_1)),
            _ => Err(serde::de::Error::custom("expected '5' or '3.1.1'")),
        }
    }
}

impl Value for Spoken {
    fn shown(&self) -> Option<String> {
        Some(quoted(if self.0.is_v5() { "5" } else { "3.1.1" }))
    }
}

/// Topics to carry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Topics {
    filter: String,
    #[serde(default = "at_least_once")]
    qos: u8,
    #[serde(default)]
    local_prefix: String,
    #[serde(default)]
    remote_prefix: String,
}

const fn at_least_once() -> u8 {
    1
}

impl Value for Topics {
    fn shown(&self) -> Option<String> {
        let Self { filter, qos, local_prefix, remote_prefix } = self;
        Some(format!(
            "{{ filter = {}, qos = {qos}, local-prefix = {}, remote-prefix = {} }}",
            quoted(filter),
            quoted(local_prefix),
            quoted(remote_prefix)
        ))
    }
}

impl Topics {
    pub(crate) fn mapping(&self) -> Result<Mapping, String> {
        let qos = QoS::from_u8(self.qos).ok_or_else(|| format!("qos = {}: expected 0 or 1", self.qos))?;
        Mapping::new(&self.filter, qos, &self.local_prefix, &self.remote_prefix).map_err(|error| error.to_string())
    }
}

section! {
    /// A bridge to another broker, or to Azure Event Grid: docs/bridge.md. What it carries waits in this broker while the
    /// other one is away, as durably as the section store says.
    Bridge {
        /// Its name, of letters, digits, '-' and '_'. What waits for it belongs to that name.
        name: String = String::new(), example "'cloud'";
        /// The other broker: mqtts://HOST, mqtt://HOST, wss://HOST/PATH or ws://HOST/PATH, each with :PORT if need be.
        url: String = String::new(), example "'mqtts://contoso.westeurope-1.ts.eventgrid.azure.net'";
        /// Whether that is Event Grid, whose limits are then minded. Default: by its name.
        event_grid: Option<bool> = None, example "true";
        /// The client identifier there, which nobody else there may have. Default: gridmq- and the name.
        client_id: Option<String> = None, example "'site-berlin'";
        /// The user name there; with Event Grid the client's authentication name. Default: none, which Event Grid takes
        /// where the namespace finds it in the certificate (alternativeAuthenticationNameSources).
        username: Option<String> = None, example "'site-berlin'";
        /// A file whose first line is the password.
        password_file: Option<PathBuf> = None, example "'cloud.secret'";
        /// The authorities to believe about the other broker, PEM. Default: those of the system.
        ca: Option<PathBuf> = None, example "'cloud-ca.pem'";
        /// The certificate chain to show there, PEM. Watched: when it is replaced, the bridge comes back with the new one.
        cert: Option<PathBuf> = None, example "'site.pem'";
        /// Its private key, PEM. Default: it is in the file of cert.
        key: Option<PathBuf> = None, example "'site.key'";
        /// The version of MQTT that is spoken there: 5 or 3.1.1.
        version: Spoken = Spoken(Version::V5);
        /// How long the connection may be silent before the bridge asks whether the other broker is there.
        keep_alive: Span = Span(Duration::from_secs(60));
        /// How long the other broker is to keep what is for this bridge while there is no connection. Default: for ever, if
        /// it does.
        session_expiry: Option<Span> = None, example "'7d'";
        /// The longest wait between two attempts to connect; waits begin at a second.
        longest_wait: Span = Span(Duration::from_secs(60));
        /// How many messages may wait here for the other broker, beyond 100 that are on their way.
        queue_messages: u32 = 100_000;
        /// How many bytes these may have.
        queue_bytes: Size = Size(256 << 20);
        /// What happens to a message beyond: refuse, its publisher gets 0x97, or end-session, what waits is forgotten and
        /// counted.
        on_full: OnFull = OnFull::Refuse;
        /// A topic of this broker that has 1 retained while the other one is connected, else 0. Default: none.
        status_topic: Option<String> = None, example "'status/cloud'";
        /// What is carried from here to there. A prefix is empty or ends with '/'; qos is 0 or 1, the default; the first
        /// entry that matches counts.
        out: Vec<Topics> = Vec::new(),
            example "[{ filter = '#', qos = 1, local-prefix = 'plant/', remote-prefix = 'sites/berlin/' }]";
        /// What is carried from there to here, likewise.
        r#in: Vec<Topics> = Vec::new(),
            example "[{ filter = '#', qos = 1, local-prefix = 'commands/', remote-prefix = 'commands/berlin/' }]";
    }
}

impl Bridge {
    /// Whether the other broker is Event Grid.
    pub(crate) fn is_event_grid(&self) -> bool {
        self.event_grid.unwrap_or_else(|| self.url.to_ascii_lowercase().contains(".eventgrid.azure.net"))
    }

    /// What no key alone shows to be wrong.
    pub(super) fn agree(&self) -> Result<(), String> {
        if self.name.is_empty() || self.url.is_empty() {
            return Err("it needs name and url, such as name = 'cloud' and url = 'mqtts://broker.example'".to_owned());
        }
        if self.url.contains('@') {
            return Err("url has a user name or a password: give username and password-file instead".to_owned());
        }
        let secure = ["mqtts://", "wss://"].iter().any(|scheme| self.url.starts_with(scheme));
        if !secure && (self.ca.is_some() || self.cert.is_some() || self.key.is_some()) {
            return Err("ca, cert and key need TLS: begin url with mqtts:// or wss://".to_owned());
        }
        if self.key.is_some() && self.cert.is_none() {
            return Err("key has no certificate: give cert too".to_owned());
        }
        if self.session_expiry.is_some() && !self.version.0.is_v5() {
            return Err("session-expiry needs version = '5': a session of 3.1.1 lasts as long as the broker keeps it"
                .to_owned());
        }
        if self.out.is_empty() && self.r#in.is_empty() {
            return Err("it carries nothing: give out or in, such as out = [{ filter = 'plant/#' }]".to_owned());
        }
        for (key, topics) in [("out", &self.out), ("in", &self.r#in)] {
            for (number, topics) in topics.iter().enumerate() {
                topics.mapping().map_err(|problem| format!("{key}, entry {}: {problem}", number + 1))?;
            }
        }
        self.status_topic().map(|_| ())
    }

    pub(crate) fn status_topic(&self) -> Result<Option<TopicName>, String> {
        let name = |text: &String| {
            TopicName::try_from(text.as_str()).map_err(|error| format!("status-topic '{text}' is no topic: {error}"))
        };
        self.status_topic.as_ref().map(name).transpose()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    fn parse(text: &str) -> Result<Settings, Vec<String>> {
        Settings::parse(&format!("[[bridge]]\n{text}"), std::path::Path::new(""))
    }

    #[test]
    fn a_bridge_that_cannot_work_is_refused_with_the_cure() {
        let (named, out) = ("name = 'a'\nurl = 'mqtt://b'\n", "out = [{ filter = '#' }]\n");
        for (text, words) in [
            (String::new(), "needs name and url"),
            (named.to_owned(), "it carries nothing"),
            (format!("{named}{out}ca = 'x'"), "mqtts://"),
            (format!("name = 'a'\nurl = 'mqtt://u:p@b'\n{out}"), "password-file"),
            (format!("name = 'a'\nurl = 'mqtts://b'\nkey = 'k'\n{out}"), "give cert too"),
            (format!("{named}{out}version = '4'"), "expected '5' or '3.1.1'"),
            (format!("{named}{out}version = '3.1.1'\nsession-expiry = '1d'"), "version = '5'"),
            (
                format!("{named}in = [{{ filter = '#', local-prefix = 'a' }}]"),
                "in, entry 1: the prefix 'a' must be empty",
            ),
            (format!("{named}out = [{{ filter = 'a/#/b' }}]"), "no topic filter"),
            (format!("{named}out = [{{ filter = '#', qos = 3 }}]"), "expected 0 or 1"),
            (format!("{named}out = [{{ filter = '#', prefix = 'a/' }}]"), "unknown field `prefix`"),
            (format!("{named}out = [{{ qos = 1 }}]"), "missing field `filter`"),
            (format!("{named}out = [{{ filter = '#', qos = 2 }}]"), "at QoS 1 at most"),
            (format!("{named}{out}status-topic = 'a/#'"), "is no topic"),
            (format!("{named}{out}ouT = 1"), "did you mean out?"),
        ] {
            let told = parse(&text).unwrap_err().join("\n");
            assert!(told.contains(words), "{text}: {told}");
        }
        let twice = format!("{named}{out}[[bridge]]\n{named}{out}");
        assert!(parse(&twice).unwrap_err().join("\n").contains("another bridge is called 'a'"));
    }

    #[test]
    fn event_grid_is_known_by_its_name() {
        let read = |url: &str, more: &str| {
            let settings = parse(&format!("name = 'a'\nurl = '{url}'\nout = [{{ filter = '#' }}]\n{more}")).unwrap();
            settings.bridge[0].is_event_grid()
        };
        assert!(read("mqtts://contoso.westeurope-1.ts.eventgrid.azure.net", ""));
        assert!(!read("mqtts://broker.example", ""));
        assert!(read("mqtts://mqtt.contoso.example", "event-grid = true"));
    }
}
