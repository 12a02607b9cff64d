//! Group B: what the certificate says.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_b01_expired() {
    check("b01_expired");
}

#[test]
fn doctor_b02_not_yet_valid() {
    check("b02_not_yet_valid");
}

#[test]
fn doctor_b03_server_usage_only() {
    check("b03_server_usage_only");
}

#[test]
fn doctor_b04_no_digital_signature() {
    check("b04_no_digital_signature");
}

#[test]
fn doctor_b05_issuer_for_servers_only() {
    check("b05_issuer_for_servers_only");
}

#[test]
fn doctor_b06_name_not_in_certificate() {
    check("b06_name_not_in_certificate");
}

#[test]
fn doctor_b07_name_from_another_field() {
    check("b07_name_from_another_field");
}

#[test]
fn doctor_b08_thumbprint_of_another() {
    check("b08_thumbprint_of_another");
}

#[test]
fn doctor_b08_sha1_where_sha256_is_wanted() {
    check("b08_sha1_where_sha256_is_wanted");
}

#[test]
fn doctor_b09_self_signed() {
    check("b09_self_signed");
}

#[test]
fn doctor_b12_server_revoked() {
    check("b12_server_revoked");
}

#[test]
fn doctor_b13_broker_crl_stale() {
    check("b13_broker_crl_stale");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_b13_broker_crl_stale_mosquitto() {
    check("b13_broker_crl_stale_mosquitto");
}

#[test]
fn doctor_b14_expires_soon() {
    check("b14_expires_soon");
}

#[test]
fn doctor_b15_renewed_under_another_name() {
    check("b15_renewed_under_another_name");
}

#[test]
fn doctor_b17_serial_too_long() {
    check("b17_serial_too_long");
}

#[test]
fn doctor_b17_no_key_identifiers() {
    check("b17_no_key_identifiers");
}

#[test]
fn doctor_b18_name_constraints() {
    check("b18_name_constraints");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_b10_root_registered() {
    check("b10_root_registered");
}

#[test]
fn doctor_b09_self_signed_refused() {
    check("b09_self_signed_refused");
}
