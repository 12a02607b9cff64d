//! The client's machine on the fake clock against the server's, through thousands of short bad lives: loss, silence,
//! sessions that the server forgets, clocks that jump.
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

/// Lives of each test.
const LIVES: u64 = 1500;

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }

    fn millis(&mut self, most: u64) -> std::ops::RangeInclusive<Duration> {
        let low = self.roll(most);
        Duration::from_millis(low)..=Duration::from_millis(low + self.roll(most))
    }
}

/// A world of that seed: any two differ in version, limits, latency, loss and patience.
fn world(seed: u64, dice: &mut Dice) -> Settings {
    let version = if seed.is_multiple_of(3) { Version::V3_1_1 } else { Version::V5 };
    let properties = if version.is_v5() {
        ConnectProperties {
            session_expiry_interval: Some(100_000),
            receive_maximum: NonZeroU16::new(1 + dice.roll(6) as u16),
            topic_alias_maximum: Some(dice.roll(4) as u16),
            ..ConnectProperties::default()
        }
    } else {
        ConnectProperties::default()
    };
    let connect = Connect {
        version,
        clean_start: false,
        keep_alive: 2 + dice.roll(20) as u16,
        client_id: "c".into(),
        username: None,
        password: None,
        will: None,
        properties,
    };
    let mut settings = Settings::new(seed, connect);
    settings.server.limits.receive_maximum = NonZeroU16::new(1 + dice.roll(5) as u16).unwrap();
    settings.server.limits.outbound_topic_aliases = dice.roll(4) as u16;
    settings.client_aliases = dice.roll(4) as u16;
    settings.receive_maximum = 1 + dice.roll(5) as u16;
    settings.latency = dice.millis(120);
    settings.loss = [0, 15, 40, 100][dice.roll(4) as usize];
    settings.loss_is_told = dice.roll(3) != 0;
    settings.completion = dice.millis(200);
    settings.decision = dice.millis(50);
    settings.storing = dice.millis(30);
    settings.back_off = Duration::from_millis(10 + dice.roll(500));
    settings
}

/// Both sides publish for a while; `mishap` happens now and then. Then the world is a quiet one, and everything has to
/// come to rest.
fn live(seed: u64, mut mishap: impl FnMut(&mut Pair, &mut Dice)) -> Pair {
    let mut dice = Dice::new(seed);
    let mut pair = Pair::new(world(seed, &mut dice));
    for _ in 0..12 + dice.roll(12) {
        for _ in 0..=dice.roll(4) {
            let side = if dice.roll(3) == 0 { Side::Server } else { Side::Client };
            pair.publish(side, QoS::from_u8(dice.roll(3) as u8).unwrap());
        }
        pair.run(Duration::from_millis(dice.roll(900)));
        if dice.roll(4) == 0 {
            mishap(&mut pair, &mut dice);
        }
    }
    pair.settings.loss = 0;
    for _ in 0..400 {
        pair.run(Duration::from_secs(1));
        if pair.is_connected() && pair.is_idle() {
            assert_eq!(pair.client_load(), (0, 0), "seed {seed}: an identifier or a message is left over");
            let broken = pair.ends.iter().find(|(_, end, _)| matches!(end, End::Violation(_)));
            assert!(broken.is_none(), "seed {seed}: {broken:?}");
            return pair;
        }
    }
    panic!("seed {seed}: something is stuck: {pair:?}");
}

#[test]
fn a_network_that_loses_connections_loses_no_message() {
    let mut connections = 0;
    for seed in 1..=LIVES {
        let pair = live(seed, |pair, dice| if dice.roll(2) == 0 { pair.cut() } else { pair.cut_silently() });
        pair.check();
        connections += u64::from(pair.connections());
    }
    assert!(connections > LIVES * 3, "{connections}: the worlds were not bad enough");
}

#[test]
fn a_server_that_forgets_the_session_gets_everything_all_the_same() {
    let (mut taken, mut dark) = (0, 0);
    for seed in 1..=LIVES {
        let pair = live(seed, |pair, dice| match dice.roll(3) {
            0 => pair.cut(),
            _ => pair.lose_session(),
        });
        pair.check_after_losses();
        taken += pair.taken(Side::Server);
        dark += u64::from(pair.is_in_the_dark());
    }
    assert!(dark < LIVES / 2, "{dark} lives were hardly judged");
    assert!(taken > LIVES as usize * 5, "{taken}: hardly anything was published");
}

#[test]
fn clocks_that_jump_cost_connections_and_no_messages() {
    for seed in 1..=LIVES {
        let pair = live(seed, |pair, dice| match dice.roll(4) {
            0 => pair.jump(Duration::from_secs(1 + dice.roll(60))),
            1 => pair.jump(Duration::from_secs(3600 + dice.roll(20_000))),
            2 => pair.set_wall_clock(dice.roll(100_000_000_000) as i64 - 50_000_000_000),
            _ => pair.cut(),
        });
        pair.check();
    }
}

#[test]
fn everything_at_once_and_crashes_of_the_server() {
    for seed in 1..=LIVES {
        let pair = live(seed, |pair, dice| match dice.roll(6) {
            0 => pair.lose_session(),
            1 => pair.crash(Side::Server),
            2 => pair.jump(Duration::from_secs(dice.roll(5000))),
            3 => pair.cut_silently(),
            _ => pair.cut(),
        });
        pair.check_after_losses();
    }
}
