//! paho-mqtt for Python over mutual TLS against a spawned namespace.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each suite uses a part of the shared module"
)]

mod real_clients;

use real_clients::driven::Kind;
use real_clients::scenarios;

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_exchanges_over_3_1_1() {
    scenarios::exchange(Kind::Paho, "3", 1);
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_exchanges_over_5() {
    scenarios::exchange(Kind::Paho, "5", 1);
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_exchanges_across_four_workers() {
    scenarios::exchange(Kind::Paho, "3", 4);
    scenarios::exchange(Kind::Paho, "5", 4);
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_takes_over_across_four_workers() {
    scenarios::take_over(Kind::Paho, "3", 4);
    scenarios::take_over(Kind::Paho, "5", 4);
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_shares_a_group_across_four_workers() {
    scenarios::shared_group(Kind::Paho, 4);
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_retains_across_four_workers() {
    scenarios::retained(Kind::Paho, "3", 4);
    scenarios::retained(Kind::Paho, "5", 4);
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn real_client_paho_leaves_wills_across_four_workers() {
    scenarios::will(Kind::Paho, "3", 4);
    scenarios::will(Kind::Paho, "5", 4);
}
