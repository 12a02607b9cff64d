//! The options of `gridmq bench`, and what each sets in a plan.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gridmq_bench::payload;
use gridmq_bench::plan::{Audience, Batch, Pace, Plan, Stop, Work};
use gridmq_proto::{QoS, Version};
use gridmq_tls::TlsVersion;
use zeroize::Zeroizing;

use crate::commands::publish::qos;
use crate::connection::{password, protocol_version, tls_version};
use crate::error::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct Load {
    /// Connections that publish
    #[arg(long, value_name = "N")]
    publishers: Option<u32>,
    /// Connections that subscribe
    #[arg(long, value_name = "N")]
    subscribers: Option<u32>,
    /// Connections that do nothing
    #[arg(long, value_name = "N")]
    idle: Option<u32>,
    /// What to publish to; {run}, {pub} and {i} stand for numbers
    #[arg(long, value_name = "PATTERN")]
    topic: Option<String>,
    /// How many numbers {i} takes
    #[arg(long, value_name = "N")]
    topics: Option<u32>,
    /// What to subscribe to; {run}, {sub} and {i} stand for numbers
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
    /// Filters of each subscriber
    #[arg(long, value_name = "N")]
    filters: Option<u32>,
    /// Who gets each message: every subscriber, the one of the publisher's number, or any one
    #[arg(long, value_name = "WHO", value_enum)]
    audience: Option<AudienceName>,
    /// Subscribe as this group of a shared subscription: each message goes to one
    #[arg(long, value_name = "GROUP")]
    share: Option<String>,
    /// Quality of service of the messages: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", value_parser = qos)]
    qos: Option<QoS>,
    /// The same of the subscriptions [default: that of the messages]
    #[arg(long, value_name = "QOS", value_parser = qos)]
    subscribe_qos: Option<QoS>,
    /// Payload of each message, 16 bytes or more
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Have every message retained
    #[arg(long)]
    retain: bool,
    /// User properties of each message (MQTT 5.0)
    #[arg(long, value_name = "N")]
    user_properties: Option<u32>,
    /// Bytes of packets in one write, or `one`: a write for each packet
    #[arg(long, value_name = "BYTES|one", value_parser = batch)]
    batch: Option<Batch>,
    /// Messages of each publisher that may be on their way
    #[arg(long, value_name = "N")]
    window: Option<u32>,
    /// When to send: when a message has arrived (closed), when it is acknowledged (acked), always (open)
    #[arg(long, value_name = "PACE", value_enum, conflicts_with = "rate")]
    pace: Option<PaceName>,
    /// Messages a second of all publishers together, sent on time whatever the broker does; or `max`
    #[arg(long, value_name = "N|max", value_parser = rate)]
    rate: Option<Rate>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Length")]
pub(super) struct Length {
    /// How long to measure, such as 500ms, 10s or 5m
    #[arg(short = 'd', long, value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// End after so many messages instead
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "duration")]
    messages: Option<u64>,
    /// End after so many connections (connect, connect-mtls)
    #[arg(long, value_name = "N", conflicts_with_all = ["duration", "messages"])]
    connections: Option<u64>,
    /// Before anything is measured [default: 500ms]
    #[arg(long, value_name = "TIME", value_parser = time)]
    warmup: Option<Duration>,
    /// How long nothing may arrive before what is missing is lost [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    drain: Option<Duration>,
    /// How long idle connections rest before memory is read [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    rest: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(super) struct Connect {
    /// The protocol version: 3.1, 3.1.1 or 5
    #[arg(long, value_name = "VERSION", default_value = "5", value_parser = protocol_version)]
    mqtt: Version,
    /// Connections being made at once [default: 64]
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Connections begun a second [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = positive)]
    connect_rate: Option<f64>,
    /// Client identifiers; {run}, {role} and {i} stand for what differs
    #[arg(long, value_name = "PATTERN")]
    client_id: Option<String>,
    /// The user name; {i} stands for the connection's number
    #[arg(short = 'u', long, value_name = "NAME")]
    username: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// Seconds between signs of life [default: 60]
    #[arg(short = 'k', long, value_name = "SECONDS", value_parser = crate::connection::seconds)]
    keep_alive: Option<u16>,
    /// Take up sessions instead of beginning new ones
    #[arg(long)]
    keep_sessions: bool,
    /// Seconds that sessions outlive connections (MQTT 5.0)
    #[arg(long, value_name = "SECONDS")]
    session_expiry: Option<u32>,
    /// Unacknowledged messages that the broker may send each connection (MQTT 5.0)
    #[arg(long, value_name = "N")]
    receive_maximum: Option<NonZeroU16>,
    /// How long CONNACK and SUBACK may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// Addresses to connect from, in turn; each has some 28,000 ports
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    source: Vec<IpAddr>,
    /// Leave Nagle's algorithm on at this end
    #[arg(long)]
    nagle: bool,
    /// Only this TLS version: 1.2 or 1.3 [default: both]
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    pub(super) tls: Option<TlsVersion>,
    /// The name that the server has to prove [default: that of the URL]
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Measure processor time and memory of this process and its descendants; can be given several times
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// Say the result as one object of JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long)]
    pub(super) quiet: bool,
    /// Threads of the generator [default: 1, of 4 processors or more a quarter of them]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Have the codec judge every packet that arrives
    #[arg(long)]
    strict: bool,
    /// Compare every byte of every payload
    #[arg(long)]
    check_payload: bool,
    /// End with exit code 0 even if promises were broken
    #[arg(long)]
    allow_loss: bool,
    /// What the run's number is made from [default: the clock]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AudienceName {
    All,
    Pair,
    One,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PaceName {
    Closed,
    Acked,
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rate {
    Max,
    PerSecond(f64),
}

fn batch(text: &str) -> Result<Batch, String> {
    match text {
        "one" => Ok(Batch::One),
        _ => match text.parse() {
            Ok(bytes @ 1..=16_777_216) => Ok(Batch::Bytes(bytes)),
            _ => Err("expected `one`, or bytes up to 16777216".to_owned()),
        },
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" { Ok(Rate::Max) } else { positive(text).map(Rate::PerSecond) }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

/// `500ms`, `10s`, `5m` or `1h`; a bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let at = text.find(|character: char| !(character.is_ascii_digit() || character == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("expected a time such as 500ms, 10s or 5m".to_owned()),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * factor).filter(|seconds| *seconds <= 1e6);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "expected a time such as 500ms, 10s or 5m".to_owned())
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Load {
    pub(super) fn apply(self, plan: &mut Plan) {
        set(&mut plan.publishers, self.publishers);
        set(&mut plan.subscribers, self.subscribers);
        set(&mut plan.idle, self.idle);
        if plan.audience == Audience::Pair && self.audience.is_none() {
            // A pair has two ends.
            match (self.publishers, self.subscribers) {
                (Some(both), None) | (None, Some(both)) => (plan.publishers, plan.subscribers) = (both, both),
                _ => {}
            }
        }
        set(&mut plan.topic, self.topic);
        set(&mut plan.topics, self.topics);
        set(&mut plan.filter, self.filter);
        set(&mut plan.filters, self.filters);
        if self.share.is_some() {
            plan.audience = Audience::One;
        }
        plan.share = self.share;
        set(
            &mut plan.audience,
            self.audience.map(|audience| match audience {
                AudienceName::All => Audience::All,
                AudienceName::Pair => Audience::Pair,
                AudienceName::One => Audience::One,
            }),
        );
        if let Some(qos) = self.qos {
            (plan.qos, plan.subscribe_qos) = (qos, qos);
        }
        set(&mut plan.subscribe_qos, self.subscribe_qos);
        set(&mut plan.size, self.size);
        plan.retain = self.retain;
        set(&mut plan.user_properties, self.user_properties);
        set(&mut plan.batch, self.batch);
        set(&mut plan.window, self.window);
        set(
            &mut plan.pace,
            self.pace.map(|pace| match pace {
                PaceName::Closed => Pace::Closed,
                PaceName::Acked => Pace::Acked,
                PaceName::Open => Pace::Open,
            }),
        );
        match self.rate {
            Some(Rate::PerSecond(per_second)) => plan.pace = Pace::Rate { per_second },
            Some(Rate::Max) if matches!(plan.pace, Pace::Rate { .. }) => plan.pace = Pace::Closed,
            Some(Rate::Max) | None => {}
        }
    }
}

impl Length {
    pub(super) fn apply(self, plan: &mut Plan) -> Result<(), Failure> {
        set(&mut plan.stop, self.duration.map(Stop::After));
        if let Some(messages) = self.messages {
            if plan.work != Work::Messages {
                return Err(Failure::usage("--messages is for scenarios with messages"));
            }
            plan.stop = Stop::Count(messages);
        }
        if let Some(connections) = self.connections {
            if plan.work != Work::Connects {
                return Err(Failure::usage("--connections is for the scenarios connect and connect-mtls"));
            }
            plan.stop = Stop::Count(connections);
        }
        set(&mut plan.warmup, self.warmup);
        set(&mut plan.drain, self.drain);
        set(&mut plan.rest, self.rest);
        Ok(())
    }
}

impl Connect {
    pub(super) fn apply(self, plan: &mut Plan) -> Result<(), Failure> {
        plan.version = self.mqtt;
        let to = &mut plan.connect;
        set(&mut to.concurrency, self.concurrency);
        to.rate = self.connect_rate;
        set(&mut to.client_id, self.client_id);
        to.username = self.username;
        to.password = self.password_file.as_deref().map(password).transpose()?.map(Zeroizing::new);
        set(&mut to.keep_alive, self.keep_alive);
        to.clean_start = !self.keep_sessions;
        to.session_expiry = self.session_expiry;
        to.receive_maximum = self.receive_maximum;
        set(&mut to.timeout, self.timeout);
        to.sources = self.source;
        to.nodelay = !self.nagle;
        Ok(())
    }
}

impl Output {
    pub(super) fn apply(self, plan: &mut Plan) {
        plan.watch = self.pid;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        plan.threads = self.threads.unwrap_or(cores / 4).max(1);
        plan.strict = self.strict;
        if self.check_payload {
            plan.check = payload::Check::All;
        }
        plan.allow_loss = self.allow_loss;
        set(&mut plan.seed, self.seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_seconds() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert!(time("s").is_err() && time("-1s").is_err() && time("5d").is_err());
    }
}
