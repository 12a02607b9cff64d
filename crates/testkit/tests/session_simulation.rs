//! Both machines on a fake clock, through thousands of simulated seconds of loss, delay and crashes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::NonZeroU16;
use std::time::Duration;

use gridmq_proto::packet::{Connect, ConnectProperties};
use gridmq_proto::session::End;
use gridmq_proto::{QoS, Version};
use gridmq_testkit::pair::{Pair, Settings, Side};

const SIDES: [Side; 2] = [Side::Client, Side::Server];

fn connect(version: Version, keep_alive: u16) -> Connect {
    let properties = if version.is_v5() {
        ConnectProperties {
            session_expiry_interval: Some(100_000),
            receive_maximum: NonZeroU16::new(4),
            topic_alias_maximum: Some(3),
            ..ConnectProperties::default()
        }
    } else {
        ConnectProperties::default()
    };
    Connect {
        version,
        clean_start: false,
        keep_alive,
        client_id: "c".into(),
        username: None,
        password: None,
        will: None,
        properties,
    }
}

fn millis(low: u64, high: u64) -> std::ops::RangeInclusive<Duration> {
    Duration::from_millis(low)..=Duration::from_millis(high)
}

/// A bad world.
fn rough(seed: u64, version: Version) -> Settings {
    let mut settings = Settings::new(seed, connect(version, 5));
    settings.server.limits.receive_maximum = NonZeroU16::new(3).unwrap();
    settings.server.limits.outbound_topic_aliases = 2;
    settings.client_aliases = 3;
    settings.receive_maximum = 4;
    settings.latency = millis(1, 300);
    settings.loss = 60;
    settings.completion = millis(0, 700);
    settings.decision = millis(0, 200);
    settings
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Publishes on both sides for so many simulated seconds; `now_and_then` happens about every 20 s.
fn live(pair: &mut Pair, seconds: u64, mut now_and_then: impl FnMut(&mut Pair, &mut Dice)) {
    let mut dice = Dice(pair.settings.seed);
    let end = pair.seconds() + seconds as f64;
    while pair.seconds() < end {
        let side = SIDES[dice.roll(2) as usize];
        let qos = QoS::from_u8(dice.roll(3) as u8).unwrap();
        for _ in 0..=dice.roll(3) {
            pair.publish(side, qos);
        }
        pair.run(Duration::from_millis(200 + dice.roll(800)));
        if dice.roll(33) == 0 {
            now_and_then(pair, &mut dice);
        }
    }
}

/// Lets everything come to rest in a world without loss.
fn settle(pair: &mut Pair) {
    pair.settings.loss = 0;
    for _ in 0..600 {
        pair.run(Duration::from_secs(1));
        if pair.is_connected() && pair.is_idle() {
            return;
        }
    }
    panic!("seed {}: something is stuck: {:?}", pair.settings.seed, pair);
}

fn both(test: impl Fn(u64, Version)) {
    for seed in 1..=8 {
        for version in [Version::V3_1_1, Version::V5] {
            test(seed, version);
        }
    }
}

#[test]
fn a_perfect_world_needs_one_connection() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut pair = Pair::new(Settings::new(1, connect(version, 60)));
        pair.run(Duration::from_secs(1));
        live(&mut pair, 300, |_, _| {});
        settle(&mut pair);
        pair.check();
        assert_eq!((pair.connections(), pair.ends.len()), (1, 0));
        assert!(SIDES.iter().all(|&side| pair.taken(side) > 200));
    }
}

#[test]
fn loss_and_delay_lose_and_double_nothing() {
    both(|seed, version| {
        let mut pair = Pair::new(rough(seed, version));
        live(&mut pair, 1000, |pair, _| pair.cut());
        settle(&mut pair);
        pair.check();
        assert!(pair.connections() > 20, "{}", pair.connections());
        assert!(pair.peak(Side::Server) > 1 && pair.peak(Side::Client) > 1);
        if version.is_v5() {
            assert!(pair.peak(Side::Server) <= 4 && pair.peak(Side::Client) <= 3);
            assert!(SIDES.iter().all(|&side| pair.sent[&(side, "PUBLISH by alias")] > 50));
        }
        let broken = pair.ends.iter().find(|(_, end, _)| matches!(end, End::Violation(_)));
        assert!(broken.is_none(), "seed {seed}: {broken:?}");
    });
}

#[test]
fn slow_stores_and_crashes_lose_and_double_nothing() {
    both(|seed, version| {
        let mut settings = rough(seed, version);
        settings.storing = millis(0, 250);
        let mut pair = Pair::new(settings);
        live(&mut pair, 1000, |pair, dice| match dice.roll(4) {
            0 => pair.crash(Side::Client),
            1 => pair.crash(Side::Server),
            _ => pair.cut(),
        });
        settle(&mut pair);
        pair.check();
        let broken = pair.ends.iter().find(|(_, end, _)| matches!(end, End::Violation(_)));
        assert!(broken.is_none(), "seed {seed}: {broken:?}");
    });
}

#[test]
fn links_that_go_dead_are_noticed_at_both_ends() {
    both(|seed, version| {
        let mut settings = rough(seed, version);
        settings.loss = 0;
        settings.loss_is_told = false;
        let mut pair = Pair::new(settings);
        live(&mut pair, 300, |pair, _| pair.cut_silently());
        settle(&mut pair);
        pair.check();
        let timeouts =
            |side| pair.ends.iter().filter(|(at, end, _)| *at == side && matches!(end, End::KeepAliveTimeout)).count();
        assert!(timeouts(Side::Client) > 0);
        assert!(pair.connections() > 3);
    });
}

#[test]
fn a_dead_link_ends_within_one_and_a_half_keep_alives_at_either_end() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut settings = Settings::new(3, connect(version, 60));
        if version.is_v5() {
            // The server has the say.
            settings.server.limits.keep_alive_maximum = NonZeroU16::new(10);
        }
        let keep_alive = if version.is_v5() { 10.0 } else { 60.0 };
        let mut pair = Pair::new(settings);
        pair.reconnects = false;
        pair.run(Duration::from_secs(1000));
        assert!(pair.is_connected(), "an idle link lives on pings");
        let pings = pair.sent[&(Side::Client, "PINGREQ")] as f64;
        assert!(pings >= 1000.0 / keep_alive && pings <= 2000.0 / keep_alive, "{pings}");
        pair.cut_silently();
        let from = pair.seconds();
        pair.run(Duration::from_secs(200));
        let mut noticed = Vec::new();
        for (side, end, at) in &pair.ends {
            assert_eq!(*end, End::KeepAliveTimeout);
            let took = at.as_micros() as f64 / 1e6 - from;
            assert!(took <= keep_alive * 1.5 + 0.001, "{side:?} took {took}");
            noticed.push(*side);
        }
        noticed.sort();
        assert_eq!(noticed, SIDES);
    }
}

#[test]
fn owners_that_are_slow_in_any_order_are_waited_for() {
    both(|seed, version| {
        // A 3.1.1 client that is held back gets no PINGRESP either: it needs more patience.
        let mut settings = Settings::new(seed, connect(version, if version.is_v5() { 4 } else { 120 }));
        settings.server.limits.receive_maximum = NonZeroU16::new(2).unwrap();
        settings.receive_maximum = 2;
        settings.completion = millis(0, 20_000);
        settings.latency = millis(0, 20);
        let mut pair = Pair::new(settings);
        pair.run(Duration::from_secs(1));
        for _ in 0..30 {
            for side in SIDES {
                pair.publish(side, QoS::AtLeastOnce);
                pair.publish(side, QoS::ExactlyOnce);
            }
        }
        pair.run(Duration::from_secs(2000));
        settle(&mut pair);
        pair.check();
        assert_eq!(
            pair.connections(),
            1,
            "seed {seed}: silence of one that is not read is no silence: {:?}",
            pair.ends
        );
    });
}

#[test]
fn a_session_that_does_not_last_is_started_anew() {
    for seed in 1..=6 {
        let mut settings = rough(seed, Version::V5);
        settings.connect.properties.session_expiry_interval = None;
        settings.loss = 0;
        let mut pair = Pair::new(settings);
        pair.run(Duration::from_secs(5));
        for _ in 0..3 {
            for _ in 0..20 {
                pair.publish(Side::Client, QoS::AtLeastOnce);
            }
            pair.run(Duration::from_secs(1));
            pair.cut();
            pair.run(Duration::from_secs(1));
        }
        settle(&mut pair);
        // What the client had not heard of is published anew: at least once, still.
        pair.check();
    }
}

/// One small conversation in both directions, in which a store takes its time.
fn conversation(seed: u64, version: Version, crash_at: Option<(Side, usize, bool)>) -> Pair {
    let mut settings = Settings::new(seed, connect(version, 60));
    settings.server.limits.receive_maximum = NonZeroU16::new(2).unwrap();
    settings.latency = millis(1, 20);
    settings.completion = millis(0, 30);
    settings.storing = millis(1, 25);
    settings.client_aliases = 3;
    let mut pair = Pair::new(settings);
    pair.crash_at = crash_at;
    pair.run(Duration::from_millis(200));
    for round in 0..6 {
        for side in SIDES {
            pair.publish(side, QoS::from_u8(1 + round % 2).unwrap());
        }
        pair.run(Duration::from_millis(15));
        if round == 3 {
            pair.cut();
        }
    }
    settle(&mut pair);
    pair
}

#[test]
fn a_crash_at_every_persist_point_loses_and_doubles_nothing() {
    for seed in 1..=12 {
        for version in [Version::V3_1_1, Version::V5] {
            let points = conversation(seed, version, None);
            points.check();
            for side in SIDES {
                let count = points.entries(side);
                assert!(count > 20, "{count}");
                for point in 1..=count {
                    for after in [false, true] {
                        conversation(seed, version, Some((side, point, after))).check();
                    }
                }
            }
        }
    }
}
