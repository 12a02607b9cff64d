//! Group G: publishing, subscribing, and what ends a session.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_g01_qos_2() {
    check("g01_qos_2");
}

#[test]
fn doctor_g02_retain() {
    check("g02_retain");
}

#[test]
fn doctor_g03_packet_too_large() {
    check("g03_packet_too_large");
}

#[test]
fn doctor_g03_packet_too_large_deep() {
    check("g03_packet_too_large_deep");
}

#[test]
fn doctor_g04_bad_filter() {
    check("g04_bad_filter");
}

#[test]
fn doctor_g05_wildcard_in_topic() {
    check("g05_wildcard_in_topic");
}

#[test]
fn doctor_g06_topic_alias() {
    check("g06_topic_alias");
}

#[test]
fn doctor_g07_publish_denied() {
    check("g07_publish_denied");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_g07_publish_denied_mosquitto() {
    check("g07_publish_denied_mosquitto");
}

#[test]
fn doctor_g08_granted_and_not_delivered() {
    check("g08_granted_and_not_delivered");
}

#[test]
fn doctor_g08_subscribe_denied() {
    check("g08_subscribe_denied");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_g08_subscribe_denied_mosquitto() {
    check("g08_subscribe_denied_mosquitto");
}

#[test]
fn doctor_g09_taken_over() {
    check("g09_taken_over");
}

#[test]
fn doctor_g10_keep_alive_missed() {
    check("g10_keep_alive_missed");
}

#[test]
fn doctor_g12_unacknowledged() {
    check("g12_unacknowledged");
}

#[test]
fn doctor_g13_message_rate() {
    check("g13_message_rate");
}

#[test]
fn doctor_g13_quota() {
    check("g13_quota");
}

#[test]
fn doctor_g14_as_long_as_the_credentials() {
    check("g14_as_long_as_the_credentials");
}

#[test]
fn doctor_g16_administrative_action() {
    check("g16_administrative_action");
}
