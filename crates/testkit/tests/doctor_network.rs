//! Group C: the network, and what answers.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_c01_name_unknown() {
    check("c01_name_unknown");
}

#[test]
fn doctor_c02_refused() {
    check("c02_refused");
}

#[test]
fn doctor_c02_refused_without_tls() {
    check("c02_refused_without_tls");
}

#[test]
fn doctor_c06_closed_at_once() {
    check("c06_closed_at_once");
}

#[test]
fn doctor_c06_closed_after_hello() {
    check("c06_closed_after_hello");
}

#[test]
fn doctor_c06_reset_at_once() {
    check("c06_reset_at_once");
}

#[test]
fn doctor_c06_reset_after_hello() {
    check("c06_reset_after_hello");
}

#[test]
fn doctor_c07_plain_mqtt() {
    check("c07_plain_mqtt");
}

#[test]
fn doctor_c08_web_server() {
    check("c08_web_server");
}

#[test]
fn doctor_c08_ssh_server() {
    check("c08_ssh_server");
}

#[test]
fn doctor_c08_mail_server() {
    check("c08_mail_server");
}

#[test]
fn doctor_c09_plain_client_on_tls_port() {
    check("c09_plain_client_on_tls_port");
}

#[test]
fn doctor_c11_inspecting_proxy() {
    check("c11_inspecting_proxy");
}

#[test]
fn doctor_c12_captive_portal() {
    check("c12_captive_portal");
}

#[test]
fn doctor_c13_idle_connection_dropped() {
    check("c13_idle_connection_dropped");
}

#[test]
fn doctor_c15_silent_after_hello() {
    check("c15_silent_after_hello");
}

#[test]
fn doctor_c15_half_server_hello() {
    check("c15_half_server_hello");
}

#[test]
fn doctor_c15_only_server_hello() {
    check("c15_only_server_hello");
}

#[test]
fn doctor_c15_trickle() {
    check("c15_trickle");
}

#[test]
fn doctor_c14_address_not_let_in() {
    check("c14_address_not_let_in");
}
