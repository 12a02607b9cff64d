use super::*;

mod strict;

use std::sync::Arc;

use self::strict::{Exposition, Sample};

const DAY: u64 = 86_400;

/// A client with something of everything.
fn busy() -> Metrics {
    let metrics = Metrics::new();
    metrics.attempt();
    metrics.attempt();
    metrics.failed();
    metrics.connected();
    metrics.condition(Condition::Connected);
    metrics.reconnect(Cause::KeepAlive);
    metrics.traffic(Direction::Sent, 2, 3, 120);
    metrics.traffic(Direction::Received, 3, 2, 8);
    metrics.message(MessageFate::Published, QoS::AtLeastOnce);
    metrics.message(MessageFate::Refused, QoS::AtLeastOnce);
    metrics.received(QoS::ExactlyOnce, 4);
    metrics.overflowed(1);
    metrics.load(Load { messages: 5, bytes: 1_000, in_flight: 2, subscriptions: 3 });
    metrics.certificate(20 * DAY);
    for millis in [1, 3, 30, 300, 200_000] {
        metrics.round_trip(Exchange::Publish, Duration::from_millis(millis));
    }
    metrics
}

fn taken() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(18 * DAY + DAY / 2)
}

#[test]
fn a_snapshot_says_what_was_counted() {
    let snapshot = busy().snapshot_at(taken());
    assert_eq!((snapshot.connect_attempts, snapshot.connects, snapshot.connect_failures), (2, 1, 1));
    assert_eq!((snapshot.reconnects(Cause::KeepAlive), snapshot.reconnects(Cause::Tls)), (1, 0));
    assert_eq!(snapshot.packets(Direction::Sent, PacketType::Publish), 3);
    assert_eq!(snapshot.bytes(Direction::Sent, PacketType::Publish), 120);
    assert_eq!(snapshot.packets(Direction::Received, PacketType::PubAck), 2);
    assert_eq!(snapshot.messages(MessageFate::Refused, QoS::AtLeastOnce), 1);
    assert_eq!(snapshot.messages(MessageFate::Refused, QoS::ExactlyOnce), 0);
    assert_eq!((snapshot.received(QoS::ExactlyOnce), snapshot.overflowed), (4, 1));
    assert_eq!((snapshot.queue_messages, snapshot.queue_bytes, snapshot.in_flight), (5, 1_000, 2));
    assert_eq!((snapshot.subscriptions, snapshot.condition), (3, Condition::Connected));
    assert_eq!(snapshot.certificate_days_left(), Some(1.5));
    assert_eq!(snapshot.certificate_until(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(20 * DAY)));
    assert_eq!(Metrics::new().snapshot().certificate_days_left(), None);
}

#[test]
fn a_certificate_that_has_run_out_has_days_below_zero() {
    let metrics = Metrics::new();
    metrics.certificate(DAY);
    assert_eq!(metrics.snapshot_at(taken()).certificate_days_left(), Some(-17.5));
}

#[test]
fn a_bucket_includes_its_bound() {
    let histogram = Histogram::default();
    for micros in [0, 50, 51, 100, 100_000_000, 100_000_001] {
        histogram.record(Duration::from_micros(micros));
    }
    let distribution = histogram.read();
    let counts: Vec<_> = distribution.buckets().filter(|(_, count)| *count != 0).collect();
    let bound = |micros| Some(Duration::from_micros(micros));
    assert_eq!(counts, [(bound(50), 2), (bound(100), 2), (bound(100_000_000), 1), (None, 1)]);
    assert_eq!(distribution.count(), 6);
    histogram.record(Duration::MAX);
    assert_eq!(histogram.read().count(), 7);
}

#[test]
fn quantiles_are_the_bounds_of_buckets() {
    let histogram = Histogram::default();
    assert_eq!(histogram.read().quantile(0.5), None);
    for _ in 0..99 {
        histogram.record(Duration::from_millis(1));
    }
    histogram.record(Duration::from_millis(40));
    let distribution = histogram.read();
    assert_eq!(distribution.quantile(0.0), Some(Duration::from_millis(1)));
    assert_eq!(distribution.quantile(0.99), Some(Duration::from_millis(1)));
    assert_eq!(distribution.quantile(1.0), Some(Duration::from_millis(50)));
    histogram.record(Duration::from_secs(1_000));
    assert_eq!(histogram.read().quantile(1.0), None);
}

#[test]
fn nothing_is_lost_when_many_add() {
    let metrics = Arc::new(Metrics::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    metrics.attempt();
                    metrics.round_trip(Exchange::Ping, Duration::from_micros(10));
                }
            });
        }
    });
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.connect_attempts, 40_000);
    let pings = snapshot.round_trip(Exchange::Ping);
    assert_eq!((pings.count(), pings.sum()), (40_000, Duration::from_millis(400)));
}

#[test]
fn the_text_is_valid_and_says_what_was_counted() {
    let text = busy().snapshot_at(taken()).open_metrics(&[("client", "a\\b\"c\nd"), ("site", "Köln")]);
    let exposition = Exposition::parse(&text).unwrap();
    let value = |name: &str, labels: &[(&str, &str)]| -> f64 {
        let mut all = vec![("client", "a\\b\"c\nd"), ("site", "Köln")];
        all.extend_from_slice(labels);
        exposition.value(name, &all).unwrap_or_else(|| panic!("{name} {labels:?} in\n{text}"))
    };
    let is = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    is(value("gridmq_client_connect_attempts_total", &[]), 2.0);
    is(value("gridmq_client_reconnects_total", &[("cause", "keep_alive")]), 1.0);
    is(value("gridmq_client_packet_bytes_total", &[("direction", "sent"), ("type", "PUBLISH")]), 120.0);
    is(value("gridmq_client_messages_received_total", &[("qos", "2")]), 4.0);
    is(value("gridmq_client_state", &[("gridmq_client_state", "connected")]), 1.0);
    is(value("gridmq_client_state", &[("gridmq_client_state", "waiting")]), 0.0);
    is(value("gridmq_client_certificate_left_days", &[]), 1.5);
    is(value("gridmq_client_round_trip_seconds_bucket", &[("exchange", "publish"), ("le", "0.005")]), 2.0);
    is(value("gridmq_client_round_trip_seconds_count", &[("exchange", "publish")]), 5.0);
    is(value("gridmq_client_round_trip_seconds_sum", &[("exchange", "publish")]), 200.334);
}

#[test]
fn several_clients_make_one_text() {
    let (one, two) = (busy().snapshot_at(taken()), Metrics::new().snapshot_at(taken()));
    let text = open_metrics([(&[("client", "1")][..], &one), (&[("client", "2")][..], &two)]);
    let exposition = Exposition::parse(&text).unwrap();
    let attempts = |client| exposition.value("gridmq_client_connect_attempts_total", &[("client", client)]);
    assert_eq!((attempts("1"), attempts("2")), (Some(2.0), Some(0.0)));
    // Only one of them has a certificate.
    let left = exposition.samples.iter().filter(|sample| sample.name == "gridmq_client_certificate_left_days");
    assert_eq!(left.count(), 1);
    assert_eq!(open_metrics([]), "# EOF\n");
}

#[test]
fn any_label_makes_a_valid_text() {
    let labels =
        [("", "empty"), ("1st", "x"), ("a-b", "y"), ("a.b", "z"), ("le", "mine"), ("exported_le", "w"), ("ü", "")];
    let text = Metrics::new().snapshot().open_metrics(&labels);
    let exposition = Exposition::parse(&text).unwrap();
    let Sample { labels, .. } = &exposition.samples[0];
    let found: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(found, [("_", "empty"), ("_1st", "x"), ("a_b", "y"), ("exported_le", "mine")]);
}

#[test]
fn exporters_get_the_same_numbers() {
    let snapshot = busy().snapshot_at(taken());
    let text = snapshot.open_metrics(&[]);
    let exposition = Exposition::parse(&text).unwrap();
    for reading in snapshot.counters() {
        let found = exposition.value(&format!("{}_total", reading.family.name), reading.labels());
        assert_eq!(found.map(|value| value as u64), Some(reading.value), "{:?}", reading.family);
    }
    for reading in snapshot.gauges() {
        assert_eq!(exposition.value(reading.family.name, reading.labels()), Some(reading.value));
    }
    assert_eq!(snapshot.histograms().count(), Exchange::ALL.len());
}

#[test]
fn the_strict_reader_is_strict() {
    let valid = "# TYPE a counter\n# HELP a Things.\na_total{b=\"c\"} 1\n# EOF\n";
    assert!(Exposition::parse(valid).is_ok());
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF\n\n"),
        ("a_total", "a"),
        (" 1", " -1"),
        (" 1", " one"),
        (" 1", "  1"),
        ("{b=\"c\"}", "{b=\"c\",}"),
        ("{b=\"c\"}", "{b=\"c\",b=\"d\"}"),
        ("{b=\"c\"}", "{1=\"c\"}"),
        ("{b=\"c\"}", "{b=\"\\c\"}"),
        ("a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1\na_total{b=\"c\"} 2\n"),
        ("a_total{b=\"c\"} 1\n", "a_total 1\n# TYPE z gauge\nz 1\na_total{b=\"d\"} 1\n"),
        ("counter", "stateset"),
        ("# HELP", "# UNIT a seconds\n# HELP"),
    ] {
        let broken = valid.replace(from, to);
        assert!(Exposition::parse(&broken).is_err(), "{broken}");
    }
    let histogram =
        "# TYPE h histogram\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 1.5\n# EOF\n";
    assert!(Exposition::parse(histogram).is_ok());
    for (from, to) in [("\"+Inf\"} 3", "\"+Inf\"} 1"), ("h_count 3", "h_count 4"), ("+Inf", "0.5"), ("1.0", "x")] {
        let broken = histogram.replace(from, to);
        assert!(Exposition::parse(&broken).is_err(), "{broken}");
    }
}

#[test]
fn the_guide_names_every_state() {
    let guide = include_str!("../../../../docs/client.md");
    let row = guide.lines().find(|line| line.starts_with("| `gridmq_client_state`")).unwrap();
    for condition in Condition::ALL {
        assert!(row.contains(condition.name()), "{row}: {}", condition.name());
    }
}
