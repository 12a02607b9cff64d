//! `/metrics`: one table, from which both the answer and the documentation are made.

use std::fmt;

use gridmq_broker::{Monitor, Stats, StoreStatus};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;

use super::{Admin, BridgeNumbers};

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It only grows while the process runs; its samples end in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts, and its unit.
    pub help: &'static str,
    read: fn(&Seen<'_>) -> Vec<Sample>,
}

/// The values of the labels, and the number.
type Sample = (Vec<String>, i64);

/// Everything at one moment.
struct Seen<'a> {
    admin: &'a Admin,
    broker: Option<(&'a Monitor, Stats)>,
    now: u64,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Seen<'_>) -> Vec<Sample>,
) -> Metric {
    Metric { name, kind, labels, help, read }
}

fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A number of the broker's counters, without labels.
macro_rules! stat {
    ($name:literal, $kind:ident, $field:ident, $help:literal) => {
        metric($name, Kind::$kind, &[], $help, |seen| {
            seen.stats().map(|stats| (Vec::new(), number(stats.$field))).into_iter().collect()
        })
    };
}

/// Several numbers of the broker's counters, by one label.
macro_rules! stats {
    ($name:literal, $kind:ident, $label:literal, $help:literal, $($value:literal: $field:ident),+) => {
        metric($name, Kind::$kind, &[$label], $help, |seen| {
            let Some(stats) = seen.stats() else { return Vec::new() };
            vec![$((vec![$value.to_owned()], number(stats.$field))),+]
        })
    };
}

/// A number that the broker's monitor tells, without labels.
macro_rules! told {
    ($name:literal, $kind:ident, $method:ident, $help:literal) => {
        metric($name, Kind::$kind, &[], $help, |seen| {
            seen.monitor().map(|broker| (Vec::new(), number(broker.$method()))).into_iter().collect()
        })
    };
}

/// Every metric. None has a label whose values clients choose.
pub const METRICS: &[Metric] = &[
    metric("gridmq_build_info", Kind::Gauge, &["version"], "Always 1; the label is the program's version", |seen| {
        vec![(vec![seen.admin.0.version.to_owned()], 1)]
    }),
    metric("gridmq_ready", Kind::Gauge, &[], "1 while /readyz says 200, else 0", |seen| {
        let ready = seen.monitor().is_some_and(|broker| broker.health().is_ready());
        vec![(Vec::new(), i64::from(ready))]
    }),
    told!("gridmq_connections", Gauge, connections, "Connections that are open, with or without a client"),
    stat!("gridmq_connections_accepted", Counter, connections_accepted, "Connections taken"),
    metric(
        "gridmq_connections_refused",
        Kind::Counter,
        &["reason"],
        "Connections refused: connections (too many), a CONNACK's reason code such as 0x87, or ended (before CONNACK)",
        |seen| words(seen.monitor().map(Monitor::refusals)),
    ),
    stat!("gridmq_tls_handshakes", Counter, handshakes, "TLS handshakes, failed ones too"),
    metric(
        "gridmq_tls_handshakes_failed",
        Kind::Counter,
        &["id"],
        "TLS handshakes that failed, by the id that gridmq doctor explain explains",
        |seen| words(seen.monitor().map(Monitor::handshake_failures)),
    ),
    told!("gridmq_unadmitted_bytes", Gauge, unadmitted_bytes, "Bytes received from clients that are not in yet"),
    stat!("gridmq_clients_connected", Gauge, clients_connected, "Clients that are connected"),
    stat!("gridmq_sessions", Gauge, sessions, "Sessions, with or without a connection"),
    told!("gridmq_subscriptions", Gauge, subscriptions, "Subscriptions of all sessions"),
    told!("gridmq_retained_messages", Gauge, retained_messages, "Retained messages"),
    stats!(
        "gridmq_messages_received", Counter, "qos", "PUBLISH packets from clients, by QoS",
        "0": received_qos0, "1": received_qos1, "2": received_qos2
    ),
    stats!(
        "gridmq_messages_sent", Counter, "qos", "PUBLISH packets to clients, by QoS, repeated ones too",
        "0": sent_qos0, "1": sent_qos1, "2": sent_qos2
    ),
    stat!("gridmq_deliveries", Counter, messages_delivered, "Messages handed to sessions, connected or not"),
    stats!(
        "gridmq_bytes", Counter, "direction", "Bytes of MQTT packets read (in) and written (out)",
        "in": bytes_received, "out": bytes_sent
    ),
    stats!(
        "gridmq_messages_refused", Counter, "reason",
        "Messages refused: by the rules, by a hook, for a subscriber's full queue, for too many retained ones, or by the store",
        "rules": refused_by_rules, "hook": refused_by_hook, "queue_full": refused_queue_full, "retained_full": refused_retained_full,
        "store": refused_store
    ),
    stats!(
        "gridmq_messages_dropped", Counter, "reason",
        "Deliveries dropped: slow_client, of QoS 0 that a client did not read in time; too_large, larger than a client takes",
        "slow_client": messages_dropped, "too_large": messages_too_large
    ),
    stat!("gridmq_sessions_overflowed", Counter, sessions_overflowed, "Sessions ended because their queue was full"),
    stat!("gridmq_sessions_moved", Counter, sessions_moved, "Sessions that moved from one worker to another"),
    stat!("gridmq_takeovers", Counter, takeovers, "Sessions taken over by another connection"),
    stat!(
        "gridmq_messages_reassigned",
        Counter,
        messages_reassigned,
        "Messages of a shared subscription given to another member"
    ),
    metric(
        "gridmq_store_state",
        Kind::Gauge,
        &["state"],
        "1 for the state that the store is in, else 0: running, stalled (the disk is full) or failed",
        |seen| {
            let Some(status) = seen.monitor().map(|broker| broker.health().store) else { return Vec::new() };
            let is = |state: &str, holds: bool| (vec![state.to_owned()], i64::from(holds));
            vec![
                is("running", status == StoreStatus::Running),
                is("stalled", matches!(status, StoreStatus::Stalled { .. })),
                is("failed", matches!(status, StoreStatus::Failed { .. })),
            ]
        },
    ),
    told!("gridmq_store_batches_durable", Counter, durable_batches, "Batches that the store has made durable"),
    metric(
        "gridmq_bridge_connected",
        Kind::Gauge,
        &["bridge"],
        "1 while the broker at the other end of the bridge is connected, else 0",
        |seen| bridges(seen, |bridge| vec![(Vec::new(), i64::from(bridge.connected))]),
    ),
    metric(
        "gridmq_bridge_connections",
        Kind::Counter,
        &["bridge", "result"],
        "Connections to the broker at the other end that were made (ok), and attempts that failed or connections that were lost (error)",
        |seen| {
            bridges(seen, |bridge| {
                vec![
                    (vec!["ok".to_owned()], number(bridge.connects)),
                    (vec!["error".to_owned()], number(bridge.failures)),
                ]
            })
        },
    ),
    metric(
        "gridmq_bridge_messages",
        Kind::Counter,
        &["bridge", "direction", "outcome"],
        "Messages of a bridge, out or in: forwarded, retried, or given up: too_large, refused, expired, offline, unmapped",
        |seen| {
            bridges(seen, |bridge| {
                let sample = |&(direction, outcome, count): &(&str, &str, u64)| {
                    (vec![direction.to_owned(), outcome.to_owned()], number(count))
                };
                bridge.messages.iter().map(sample).collect()
            })
        },
    ),
    metric(
        "gridmq_x509_cert_not_after",
        Kind::Gauge,
        &["role", "listener", "sha256"],
        "The last second of a server certificate's validity, in seconds since 1970",
        |seen| certificates(seen, |credential, _| credential.status.not_after.try_into().unwrap_or(i64::MAX)),
    ),
    metric(
        "gridmq_x509_cert_days_left",
        Kind::Gauge,
        &["role", "listener", "sha256"],
        "Whole days until a server certificate is no longer valid; negative when it is over",
        |seen| {
            certificates(seen, |credential, now| {
                number(credential.status.not_after).saturating_sub(number(now)).div_euclid(86_400)
            })
        },
    ),
    metric(
        "gridmq_credential_generation",
        Kind::Gauge,
        &["role", "listener", "sha256"],
        "Which generation of its certificate a listener has",
        |seen| certificates(seen, |credential, _| number(credential.status.generation)),
    ),
    metric(
        "gridmq_credential_reload",
        Kind::Counter,
        &["role", "listener", "names", "result"],
        "Attempts at a newer certificate, by result: ok or error; names are those that it is shown for (SNI)",
        |seen| {
            let credentials = seen.monitor().map(Monitor::credentials).unwrap_or_default();
            let of = |result: &str, one: &gridmq_broker::ListenerCredentials, count| {
                let labels = vec!["server".to_owned(), one.address.to_string(), one.names.join(","), result.to_owned()];
                (labels, number(count))
            };
            let both = credentials
                .into_iter()
                .flat_map(|one| [of("ok", &one, one.status.reloads), of("error", &one, one.status.failures)]);
            both.collect()
        },
    ),
    metric(
        "gridmq_revocation_list_age_seconds",
        Kind::Gauge,
        &["issuer"],
        "Seconds since a revocation list was made",
        |seen| lists(seen, |list, now| number(now).saturating_sub(number(list.this_update))),
    ),
    metric(
        "gridmq_revocation_list_next_update",
        Kind::Gauge,
        &["issuer"],
        "When the next revocation list is due, in seconds since 1970; after that whom it covers is refused",
        |seen| lists(seen, |list, _| number(list.next_update)),
    ),
];

/// The samples of each bridge, behind its name.
fn bridges(seen: &Seen<'_>, read: fn(&BridgeNumbers) -> Vec<Sample>) -> Vec<Sample> {
    let all = seen.admin.0.bridges.get().map(|bridges| bridges()).unwrap_or_default();
    let named = |bridge: &BridgeNumbers| {
        let name = bridge.name.clone();
        read(bridge).into_iter().map(move |(mut labels, value)| {
            labels.insert(0, name.clone());
            (labels, value)
        })
    };
    all.iter().flat_map(|bridge| named(bridge).collect::<Vec<_>>()).collect()
}

fn words(counts: Option<Vec<(String, u64)>>) -> Vec<Sample> {
    counts.unwrap_or_default().into_iter().map(|(word, count)| (vec![word], number(count))).collect()
}

fn certificates(seen: &Seen<'_>, read: fn(&gridmq_broker::ListenerCredentials, u64) -> i64) -> Vec<Sample> {
    let credentials = seen.monitor().map(Monitor::credentials).unwrap_or_default();
    let sample = |one: gridmq_broker::ListenerCredentials| {
        let value = read(&one, seen.now);
        (vec!["server".to_owned(), one.address.to_string(), one.thumbprint_sha256], value)
    };
    let mut samples: Vec<Sample> = credentials.into_iter().map(sample).collect();
    // One certificate for several names would be one sample twice.
    samples.sort();
    samples.dedup_by(|one, other| one.0 == other.0);
    samples
}

fn lists(seen: &Seen<'_>, read: fn(&gridmq_tls::revocation::ListInfo, u64) -> i64) -> Vec<Sample> {
    let status = seen.admin.0.lists.get().and_then(|lists| lists());
    let lists = status.map(|status| status.lists).unwrap_or_default();
    let mut samples: Vec<Sample> =
        lists.iter().map(|list| (vec![list.issuer.to_string()], read(list, seen.now))).collect();
    // Two lists of one issuer would be one sample twice.
    samples.sort();
    samples.dedup_by(|one, other| one.0 == other.0);
    samples
}

impl Seen<'_> {
    fn monitor(&self) -> Option<&Monitor> {
        self.broker.as_ref().map(|(monitor, _)| *monitor)
    }

    fn stats(&self) -> Option<&Stats> {
        self.broker.as_ref().map(|(_, stats)| stats)
    }
}

/// Encodes on each request what is true then.
#[derive(Debug)]
struct Collector(Admin);

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let broker = self.0.broker().map(|broker| (broker, broker.stats()));
        let seen = Seen { admin: &self.0, broker, now: self.0.now() };
        for metric in METRICS {
            let samples = (metric.read)(&seen);
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut encoder = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for (values, value) in samples {
                sample(metric, &mut encoder, values, value)?;
            }
        }
        Ok(())
    }
}

fn sample(metric: &Metric, encoder: &mut MetricEncoder<'_>, values: Vec<String>, value: i64) -> Result<(), fmt::Error> {
    let labels: Vec<(&str, String)> = metric.labels.iter().copied().zip(values).collect();
    if labels.is_empty() {
        return one(metric.kind, encoder, value);
    }
    one(metric.kind, &mut encoder.encode_family(&labels)?, value)
}

fn one(kind: Kind, encoder: &mut MetricEncoder<'_>, value: i64) -> Result<(), fmt::Error> {
    match kind {
        Kind::Gauge => encoder.encode_gauge(&value),
        Kind::Counter => {
            encoder.encode_counter::<prometheus_client::encoding::NoLabelSet, _, u64>(&value.unsigned_abs(), None)
        }
    }
}

pub(super) fn encode(admin: &Admin) -> Result<String, fmt::Error> {
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(Collector(admin.clone())));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}
