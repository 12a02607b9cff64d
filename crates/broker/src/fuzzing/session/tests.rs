//! Runs sessions on bytes of a seed. `GRIDMQ_HOURS_SECONDS` says for how long, `GRIDMQ_HOURS_SEED` from which; without
//! the first it is a number of them, more in continuous integration.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the counts and the input of a failure are shown")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use gridmq_proto::packet::{ConnAck, Publish};
use gridmq_proto::{Packet, QoS, ReasonCode, Version};

use super::good::publish;
use super::ledger::Ledger;
use super::packets::{clean, encoded};
use super::peer::Peer;
use super::{Life, broker_session};

/// Runs without a time.
const RUNS: u64 = 300;
const RUNS_IN_CI: u64 = 3000;

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Every other input is mostly without damage, so that what all did is known.
fn input(random: &mut Xorshift) -> Vec<u8> {
    let length = 20 + random.next() % 1500;
    let gentle = random.next().is_multiple_of(2);
    let mut bytes: Vec<u8> = (0..length).map(|_| (random.next() >> 24) as u8).collect();
    if gentle {
        // Of the second byte of each step these are the damages, wherever steps begin.
        for byte in &mut bytes {
            if matches!(*byte % 22, 9 | 10) {
                *byte = byte.wrapping_add(4);
            }
        }
    }
    bytes
}

fn run(bytes: &[u8], words: &str) -> Life {
    catch_unwind(AssertUnwindSafe(|| broker_session(bytes))).unwrap_or_else(|panic| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{words}: the input was {hex}");
        resume_unwind(panic)
    })
}

#[test]
fn whole_sessions_of_any_bytes_cost_themselves_alone() {
    let seed = number_of("GRIDMQ_HOURS_SEED").unwrap_or(0x5EED);
    let mut random = Xorshift(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let end = number_of("GRIDMQ_HOURS_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let number = if in_ci { RUNS_IN_CI } else { RUNS };
    let (mut runs, mut bytes, mut acknowledged, mut arrived) = (0, 0, 0, 0);
    while end.map_or(runs < number, |end| Instant::now() < end) {
        let input = input(&mut random);
        let life = run(&input, &format!("run {runs} of seed {seed}"));
        runs += 1;
        bytes += input.len();
        acknowledged += life.acknowledged;
        arrived += life.arrived;
    }
    println!("fuzz: executions={runs} bytes={bytes} acknowledged={acknowledged} arrived={arrived}");
    // A broker that refuses everything would lose nothing.
    assert!(acknowledged as u64 > 3 * runs, "{acknowledged} of {runs} runs");
}

/// One input, in hexadecimal, as a failure shows it.
#[test]
fn an_input_can_be_run_again() {
    let hex = std::env::var("GRIDMQ_FUZZ_INPUT").unwrap_or_default();
    let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    run(&bytes, "again");
}

#[test]
#[should_panic(expected = "message 0 was acknowledged and is lost")]
fn what_was_acknowledged_and_does_not_arrive_is_seen() {
    let (mut ledger, _) = one_message(QoS::AtLeastOnce);
    ledger.acknowledged(0);
    ledger.is_settled();
}

#[test]
#[should_panic(expected = "message 0 came twice")]
fn what_comes_twice_is_seen() {
    let (mut ledger, message) = one_message(QoS::ExactlyOnce);
    ledger.arrived(&message, 1);
    ledger.arrived(&Publish { dup: true, ..message }, 2);
}

#[test]
#[should_panic(expected = "message 0 came after 1")]
fn what_comes_out_of_order_is_seen() {
    let (mut ledger, first) = one_message(QoS::AtLeastOnce);
    let mut second = first.clone();
    ledger.mark(1, &mut second);
    ledger.arrived(&second, 1);
    ledger.arrived(&first, 1);
}

#[test]
#[should_panic(expected = "identifier 1 is in use")]
fn an_identifier_that_is_in_use_is_seen() {
    let (mut ledger, message) = one_message(QoS::AtLeastOnce);
    let mut peer = Peer::default();
    peer.introduced(&clean("a", Version::V5));
    let welcome = ConnAck { session_present: false, reason: ReasonCode::Success, properties: <_>::default() };
    peer.take(&encoded(&Packet::ConnAck(Box::new(welcome)), Version::V5), &mut ledger);
    for _ in 0..2 {
        peer.take(&encoded(&Packet::Publish(message.clone()), Version::V5), &mut ledger);
    }
}

fn one_message(qos: QoS) -> (Ledger, Publish) {
    let mut ledger = Ledger::default();
    let Packet::Publish(mut message) = publish("x", qos, 1, 20) else { panic!("not a PUBLISH") };
    assert_eq!(ledger.mark(1, &mut message), Some(0));
    (ledger, message)
}

#[test]
fn nothing_and_very_little_are_sessions_too() {
    for bytes in [&[][..], &[0], &[0, 0, 0], &[1, 0, 10, 200], &[0, 3, 11, 3, 14, 3, 12, 5]] {
        run(bytes, "little");
    }
}
