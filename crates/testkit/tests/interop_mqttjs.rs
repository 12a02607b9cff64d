//! MQTT.js for Node.js over mutual TLS against a spawned namespace.
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
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_exchanges_over_3_1_1() {
    scenarios::exchange(Kind::MqttJs, "3", 1);
}

#[test]
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_exchanges_over_5() {
    scenarios::exchange(Kind::MqttJs, "5", 1);
}

#[test]
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_exchanges_across_four_workers() {
    scenarios::exchange(Kind::MqttJs, "3", 4);
    scenarios::exchange(Kind::MqttJs, "5", 4);
}

#[test]
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_takes_over_across_four_workers() {
    scenarios::take_over(Kind::MqttJs, "3", 4);
    scenarios::take_over(Kind::MqttJs, "5", 4);
}

#[test]
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_shares_a_group_across_four_workers() {
    scenarios::shared_group(Kind::MqttJs, 4);
}

#[test]
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_retains_across_four_workers() {
    scenarios::retained(Kind::MqttJs, "3", 4);
    scenarios::retained(Kind::MqttJs, "5", 4);
}

#[test]
#[ignore = "needs MQTT.js for Node.js: cargo xtask test"]
fn real_client_mqttjs_leaves_wills_across_four_workers() {
    scenarios::will(Kind::MqttJs, "3", 4);
    scenarios::will(Kind::MqttJs, "5", 4);
}
