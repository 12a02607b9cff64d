//! What to do to a broker, in full: every option has its place here, and a scenario is a plan with other defaults.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use gridmq_proto::{QoS, TopicFilter, TopicName, Version};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::payload::{Check, HEADER};
use crate::template::numbered;

pub mod scenario;

/// The most publishers, since a payload numbers them with 16 bits.
pub const MAX_PUBLISHERS: u32 = 65_535;

/// Where the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// By TCP; with TLS if the plan has it.
    Tcp {
        /// Name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// By a Unix socket.
    Unix(PathBuf),
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "what the generator can do")]
pub enum Work {
    /// Messages go from publishers to subscribers.
    Messages,
    /// Connections are made and left, one after the other.
    Connects,
    /// Connections are held.
    Idle,
}

/// Who gets a publisher's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "what can be counted")]
pub enum Audience {
    /// Every subscriber.
    All,
    /// The subscriber of the same number.
    Pair,
    /// One subscriber, whichever: of a shared subscription, or since each has filters of its own.
    One,
}

/// When a publisher may send.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "what the generator can do")]
pub enum Pace {
    /// When fewer than the window are on their way to the subscribers (and, above QoS 0, unacknowledged).
    Closed,
    /// When fewer than the window are unacknowledged; above QoS 0.
    Acked,
    /// At a fixed rate, however long the broker takes. Latency counts from when a message should have left.
    Rate {
        /// Messages of all publishers together.
        per_second: f64,
    },
    /// Always: as fast as the connection takes them.
    Open,
}

/// How packets are put together for the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "together or apart")]
pub enum Batch {
    /// Up to that many bytes in one write.
    Bytes(usize),
    /// One PUBLISH in one write.
    One,
}

/// When it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "time or count")]
pub enum Stop {
    /// After that time.
    After(#[serde(serialize_with = "seconds")] Duration),
    /// After so many messages of all publishers together, or so many connections.
    Count(u64),
}

/// How a connection is made.
#[derive(Debug, Clone, Serialize)]
#[allow(clippy::exhaustive_structs, reason = "options, set one by one")]
pub struct Connecting {
    /// How many are being made at once, over all threads.
    pub concurrency: u32,
    /// At most so many begun a second; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Seconds.
    pub keep_alive: u16,
    /// With `{run}`, `{role}` and `{i}`.
    pub client_id: String,
    /// With `{i}`.
    pub username: Option<String>,
    /// Never shown.
    #[serde(skip)]
    pub password: Option<Zeroizing<String>>,
    /// Clean Start, or Clean Session.
    pub clean_start: bool,
    /// Seconds, MQTT 5.0.
    pub session_expiry: Option<u32>,
    /// MQTT 5.0.
    pub receive_maximum: Option<NonZeroU16>,
    /// Until CONNACK, and until SUBACK.
    #[serde(serialize_with = "seconds")]
    pub timeout: Duration,
    /// TCP_NODELAY at our end.
    pub nodelay: bool,
    /// Addresses of ours, taken in turn; none: the system's choice.
    pub sources: Vec<IpAddr>,
}

/// TLS, and as whom.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "options, set one by one")]
pub struct Tls {
    /// Trust and identity; connections take them in turn.
    pub configs: Vec<gridmq_tls::ClientConfig>,
    /// The name that the server has to prove.
    pub server_name: String,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
#[allow(clippy::exhaustive_structs, reason = "options, set one by one")]
pub struct Plan {
    /// The name that it began with.
    pub scenario: &'static str,
    /// What is measured.
    pub work: Work,
    /// Where.
    #[serde(skip)]
    pub target: Target,
    /// TLS, if any.
    #[serde(skip)]
    pub tls: Option<Tls>,
    /// The protocol version.
    #[serde(serialize_with = "version")]
    pub version: Version,
    /// Connections that publish.
    pub publishers: u32,
    /// Connections that subscribe.
    pub subscribers: u32,
    /// Connections that do nothing.
    pub idle: u32,
    /// Who gets what.
    pub audience: Audience,
    /// What to publish to, with `{run}`, `{pub}` and `{i}`, the number of the topic.
    pub topic: String,
    /// How many numbers of topics there are, over all publishers.
    pub topics: u32,
    /// What to subscribe to, with `{run}`, `{sub}` and `{i}`, the number of the filter.
    pub filter: String,
    /// How many filters each subscriber has.
    pub filters: u32,
    /// The group of a shared subscription.
    pub share: Option<String>,
    /// Of the messages.
    #[serde(serialize_with = "qos")]
    pub qos: QoS,
    /// Of the subscriptions.
    #[serde(serialize_with = "qos")]
    pub subscribe_qos: QoS,
    /// Bytes of payload.
    pub size: usize,
    /// Whether messages are retained.
    pub retain: bool,
    /// User properties of each message, MQTT 5.0.
    pub user_properties: u32,
    /// Packets per write.
    pub batch: Batch,
    /// Messages on their way for each publisher.
    pub window: u32,
    /// When to send.
    pub pace: Pace,
    /// When to end.
    pub stop: Stop,
    /// Before anything counts.
    #[serde(serialize_with = "seconds")]
    pub warmup: Duration,
    /// How long nothing may arrive before what is missing counts as lost.
    #[serde(serialize_with = "seconds")]
    pub drain: Duration,
    /// After connecting, before memory is read.
    #[serde(serialize_with = "seconds")]
    pub rest: Duration,
    /// How to connect.
    pub connect: Connecting,
    /// Threads of the generator.
    pub threads: usize,
    /// Processes to watch, with their descendants.
    pub watch: Vec<u32>,
    /// Makes the run's number; 0 takes one from the clock.
    pub seed: u64,
    /// Every packet through the codec.
    pub strict: bool,
    /// How payloads are compared.
    #[serde(skip)]
    pub check: Check,
    /// A broken promise is no failure.
    pub allow_loss: bool,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn qos<S: serde::Serializer>(qos: &QoS, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*qos as u8)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn version<S: serde::Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match version {
        Version::V3_1 => "3.1",
        Version::V3_1_1 => "3.1.1",
        Version::V5 => "5.0",
    })
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// An option makes no sense.
    #[error("{option} {problem}")]
    Option {
        /// As it is typed.
        option: &'static str,
        /// What is wrong, and the cure.
        problem: String,
    },
}

fn refuse<T>(option: &'static str, problem: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError::Option { option, problem: problem.into() })
}

impl Plan {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// With the option and what is wrong with it.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.threads == 0 {
            return refuse("--threads", "must be at least 1");
        }
        if self.connect.concurrency == 0 {
            return refuse("--concurrency", "must be at least 1");
        }
        if self.version != Version::V5 {
            let five: [(&'static str, bool); 3] = [
                ("--user-properties", self.user_properties > 0),
                ("--session-expiry", self.connect.session_expiry.is_some()),
                ("--receive-maximum", self.connect.receive_maximum.is_some()),
            ];
            if let Some((option, _)) = five.into_iter().find(|(_, given)| *given) {
                return refuse(option, "needs MQTT 5.0: leave out --mqtt");
            }
        }
        match self.work {
            Work::Messages => self.check_messages(),
            Work::Idle if self.idle == 0 => refuse("--idle", "must be at least 1"),
            Work::Connects | Work::Idle => Ok(()),
        }
    }

    fn check_messages(&self) -> Result<(), PlanError> {
        if self.publishers == 0 {
            return refuse("--publishers", "must be at least 1");
        }
        if self.publishers > MAX_PUBLISHERS {
            return refuse("--publishers", format!("can be {MAX_PUBLISHERS} at most"));
        }
        if self.size < HEADER {
            return refuse(
                "--size",
                format!("must be at least {HEADER}: the bytes that tell one message from another"),
            );
        }
        if self.size > 200_000_000 {
            return refuse("--size", "can be 200000000 at most");
        }
        if self.topics == 0 || self.topics > 1_000_000 {
            return refuse("--topics", "must be from 1 to 1000000");
        }
        if self.filters == 0 {
            return refuse("--filters", "must be at least 1");
        }
        if self.window == 0 {
            return refuse("--window", "must be at least 1; --pace open has none");
        }
        if self.pace == Pace::Acked && self.qos == QoS::AtMostOnce {
            return refuse("--pace", "acked needs --qos 1 or 2: nothing is acknowledged at QoS 0");
        }
        if matches!(self.pace, Pace::Rate { per_second } if !(per_second > 0.0 && per_second < 1e9)) {
            return refuse("--rate", "must be above 0 and below a thousand million");
        }
        if self.audience == Audience::Pair && self.publishers != self.subscribers {
            return refuse("--subscribers", "must be as many as publishers where each has its own");
        }
        if self.share.is_some() && self.audience != Audience::One {
            return refuse("--share", "gives each message to one subscriber: say --audience one");
        }
        if self.audience != Audience::One && self.filters > 1 {
            return refuse("--filters", "above 1 needs --audience one, and filters that do not overlap");
        }
        if self.topics > 1 && !self.topic.contains("{i}") {
            return refuse("--topics", "above 1 needs {i} in --topic");
        }
        if self.filters > 1 && !self.filter.contains("{i}") {
            return refuse("--filters", "above 1 needs {i} in --filter");
        }
        self.check_topics()
    }

    /// Whether the subscribers get what `audience` says, looked at in some places.
    fn check_topics(&self) -> Result<(), PlanError> {
        let publisher = [0, self.publishers - 1];
        for publisher in publisher {
            let text = numbered(&self.topic_of(0, publisher), publisher % self.topics);
            let topic = match TopicName::try_from(text.as_str()) {
                Ok(topic) => topic,
                Err(error) => return refuse("--topic", format!("makes {text:?}, which is no topic: {error}")),
            };
            for subscriber in [0, self.subscribers.saturating_sub(1)].into_iter().filter(|_| self.subscribers > 0) {
                let texts = self.filters_of(0, subscriber, false);
                let mut filters = Vec::new();
                for text in &texts {
                    match TopicFilter::try_from(text.as_str()) {
                        Ok(filter) => filters.push(filter),
                        Err(error) => {
                            return refuse("--filter", format!("makes {text:?}, which is no filter: {error}"));
                        }
                    }
                }
                let matches = filters.iter().any(|filter| filter.matches(&topic));
                let wanted = match self.audience {
                    Audience::All => true,
                    Audience::Pair => publisher == subscriber,
                    Audience::One => continue,
                };
                if matches != wanted {
                    let first = texts.first().map_or("", String::as_str);
                    let does = if matches { "matches" } else { "does not match" };
                    return refuse(
                        "--audience",
                        format!(
                            "does not fit: the filter {first:?} of subscriber {subscriber} {does} the topic \
                                 {text:?} of publisher {publisher}"
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// The topic of a publisher, still with `{i}`.
    pub(crate) fn topic_of(&self, run: u16, publisher: u32) -> String {
        self.topic.replace("{run}", &format!("{run:04x}")).replace("{pub}", &format!("{publisher:05}"))
    }

    /// The filters of a subscriber; with the prefix of a shared subscription if `shared`.
    pub(crate) fn filters_of(&self, run: u16, subscriber: u32, shared: bool) -> Vec<String> {
        let text = self.filter.replace("{run}", &format!("{run:04x}")).replace("{sub}", &format!("{subscriber:05}"));
        let prefix = match &self.share {
            Some(group) if shared => format!("$share/{group}/"),
            _ => String::new(),
        };
        let number = |filter| numbered(&text, subscriber.saturating_mul(self.filters).saturating_add(filter));
        (0..self.filters).map(|filter| prefix.clone() + &number(filter)).collect()
    }

    /// How many subscribers get each message.
    pub(crate) const fn copies(&self) -> u32 {
        match self.audience {
            Audience::All => self.subscribers,
            Audience::Pair => 1,
            Audience::One => {
                if self.subscribers > 0 {
                    1
                } else {
                    0
                }
            }
        }
    }

    /// The QoS at which messages should arrive.
    pub(crate) fn delivered_qos(&self) -> QoS {
        self.qos.min(self.subscribe_qos)
    }
}
