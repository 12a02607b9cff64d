//! Group F: CONNECT and CONNACK.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_f01_only_3_1_1() {
    check("f01_only_3_1_1");
}

#[test]
fn doctor_f01_only_5() {
    check("f01_only_5");
}

#[test]
fn doctor_f02_client_id_refused() {
    check("f02_client_id_refused");
}

#[test]
fn doctor_f02_no_client_id() {
    check("f02_no_client_id");
}

#[test]
fn doctor_f03_bad_credentials() {
    check("f03_bad_credentials");
}

#[test]
fn doctor_f03_bad_credentials_without_tls() {
    check("f03_bad_credentials_without_tls");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_f03_anonymous_not_allowed_mosquitto() {
    check("f03_anonymous_not_allowed_mosquitto");
}

#[test]
fn doctor_f04_not_authorized() {
    check("f04_not_authorized");
}

#[test]
fn doctor_f04_not_registered_at_event_grid() {
    check("f04_not_registered_at_event_grid");
}

#[test]
fn doctor_f04_banned() {
    check("f04_banned");
}

#[test]
fn doctor_f05_will_retain() {
    check("f05_will_retain");
}

#[test]
fn doctor_f05_will_retain_3_1_1() {
    check("f05_will_retain_3_1_1");
}

#[test]
fn doctor_f06_will_qos_2() {
    check("f06_will_qos_2");
}

#[test]
fn doctor_f07_keep_alive_too_long() {
    check("f07_keep_alive_too_long");
}

#[test]
fn doctor_f08_connect_user_properties() {
    check("f08_connect_user_properties");
}

#[test]
fn doctor_f12_closed_without_connack() {
    check("f12_closed_without_connack");
}

#[test]
fn doctor_f09_protocol_error() {
    check("f09_protocol_error");
}

#[test]
fn doctor_f10_busy() {
    check("f10_busy");
}

#[test]
fn doctor_f10_unavailable() {
    check("f10_unavailable");
}

#[test]
fn doctor_f10_rate() {
    check("f10_rate");
}

#[test]
fn doctor_f10_moved() {
    check("f10_moved");
}

#[test]
fn doctor_f11_extended_authentication() {
    check("f11_extended_authentication");
}

#[test]
fn doctor_f11_bad_authentication_method() {
    check("f11_bad_authentication_method");
}

#[test]
fn doctor_f12_no_connack() {
    check("f12_no_connack");
}

#[test]
fn doctor_f12_no_connack_without_tls() {
    check("f12_no_connack_without_tls");
}

#[test]
fn doctor_f13_sessions_exhausted() {
    check("f13_sessions_exhausted");
}

#[test]
fn doctor_f14_web_server_over_tls() {
    check("f14_web_server_over_tls");
}

#[test]
fn doctor_f14_not_a_packet() {
    check("f14_not_a_packet");
}

#[test]
fn doctor_f14_publish_before_connack() {
    check("f14_publish_before_connack");
}
