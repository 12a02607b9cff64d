//! What a run found, as JSON has it. The names of the fields are a contract.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::plan::Plan;

/// One run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Always `result`.
    pub kind: &'static str,
    /// Of this form: 1.
    pub schema: u32,
    /// Version of the generator.
    pub gridmq: &'static str,
    /// The name it began with.
    pub scenario: &'static str,
    /// Where the broker was.
    pub target: String,
    /// All that was asked for.
    pub plan: Plan,
    /// What was measured took so long.
    pub seconds: f64,
    /// Messages, all of the run.
    pub sent: u64,
    /// Messages that the broker took over (QoS 1 and 2).
    pub acknowledged: u64,
    /// Messages that it refused, by reason code.
    pub refused: BTreeMap<String, u64>,
    /// First deliveries, all of the run.
    pub delivered: u64,
    /// Deliveries that should have been and were not.
    pub lost: u64,
    /// Of those, deliveries of messages that the broker had acknowledged.
    pub lost_acknowledged: u64,
    /// Second deliveries that no standard allows, or of QoS 0.
    pub duplicated: u64,
    /// Second deliveries marked as such, at QoS 1, or before PUBREL at QoS 2.
    pub duplicated_with_dup: u64,
    /// Deliveries after a later message of the same publisher.
    pub out_of_order: u64,
    /// Messages of somebody else.
    pub foreign: u64,
    /// Messages whose content is not what was sent.
    pub corrupt: u64,
    /// Publishers with messages that were never acknowledged.
    pub unfinished: u64,
    /// Acknowledgements of nothing.
    pub unexpected: u64,
    /// Connections that the broker ended.
    pub disconnects: u64,
    /// Times that a closed loop stood still for a second and was let go on.
    pub stalls: u64,
    /// More was missing in more places than can be told apart: what is lost is a lower bound.
    pub gaps_overflowed: bool,
    /// Messages a second, while measured.
    pub rate: Rate,
    /// On the wire, above TLS.
    pub bytes: Bytes,
    /// From leaving (at a given rate: from when it should have left) to arriving, in microseconds.
    pub latency_us: Times,
    /// The same to PUBACK or PUBREC.
    pub ack_latency_us: Times,
    /// How late messages left, at a given rate.
    pub send_lag_us: Times,
    /// Connections.
    pub connect: Connects,
    /// The watched processes; absent if none.
    pub server: Option<Server>,
    /// This program.
    pub generator: Generator,
    /// This machine.
    pub machine: Machine,
    /// What went wrong, and how often.
    pub errors: Vec<Error>,
}

/// Messages a second.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Rate {
    /// By publishers.
    pub sent: f64,
    /// To subscribers.
    pub delivered: f64,
}

/// Bytes of the generator.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Bytes {
    /// Written.
    pub sent: u64,
    /// Read.
    pub received: u64,
}

/// A distribution, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// How many were taken: one message in 16 at full speed, every one at a given rate.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// Half are below.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p99_9: f64,
    /// 99.99 %.
    pub p99_99: f64,
    /// The most.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
}

impl Times {
    #[allow(clippy::cast_precision_loss, reason = "times")]
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let us = |ns: u64| tenths(ns as f64 / 1000.0);
        let at = |quantile| us(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            min: us(histogram.min()),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: us(histogram.max()),
            mean: tenths(histogram.mean() / 1000.0),
        }
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Connections.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Connects {
    /// Made.
    pub count: u64,
    /// Not made.
    pub failed: u64,
    /// Made a second.
    pub per_second: f64,
    /// From the first packet to CONNACK.
    pub latency_us: Times,
}

/// What the watched processes used.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Server {
    /// With descendants.
    pub pids: Vec<u32>,
    /// Processor time while measured.
    pub cpu_us: u64,
    /// The same for each delivery (each connection, where only those are made).
    pub cpu_us_per_delivery: Option<f64>,
    /// Of it in user space, in steps of 10 ms.
    pub user_us: u64,
    /// Of it in the kernel, in steps of 10 ms.
    pub system_us: u64,
    /// Whether the time is exact; else it has steps of 10 ms.
    pub fine: bool,
    /// Resident memory.
    pub rss_kib: Rss,
    /// Resident memory that each connection added, in bytes; of runs that hold connections.
    pub rss_bytes_per_connection: Option<f64>,
    /// Processor time of all connections at rest, as a share of one processor; of runs that hold connections.
    pub cpu_share_at_rest: Option<f64>,
    /// Threads.
    pub threads: usize,
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Rss {
    /// Before the first connection.
    pub before: u64,
    /// At the end, before leaving.
    pub after: u64,
    /// The most since the processes began.
    pub peak: u64,
}

/// What the generator used.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Generator {
    /// Processor time while measured.
    pub cpu_us: u64,
    /// The same as a share of the threads' time.
    pub cpu_share: f64,
    /// Threads that made load.
    pub threads: usize,
    /// `fine`, or `coarse` where messages leave in steps of a millisecond.
    pub pacer: &'static str,
    /// It had nearly no time left: rates are its own, not the broker's.
    pub saturated: bool,
}

/// Where it ran.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Machine {
    /// Processors.
    pub cores: usize,
    /// Their name.
    pub cpu: String,
    /// Release of the kernel.
    pub kernel: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu: model.map_or("", |(_, name)| name).to_owned(),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Error {
    /// In words.
    pub what: String,
    /// How often.
    pub count: u64,
}

impl Report {
    /// The promises of MQTT that were broken, in words; empty for an honest broker.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        let exactly_once = self.plan.delivered_qos() == gridmq_proto::QoS::ExactlyOnce;
        let found = [
            (self.lost_acknowledged, "deliveries of acknowledged messages lost"),
            (if exactly_once { self.duplicated } else { 0 }, "messages delivered twice at QoS 2"),
            (self.foreign, "messages that are not of this run"),
            (self.corrupt, "messages with a changed payload"),
            (self.unexpected, "acknowledgements of nothing"),
        ];
        found.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}
