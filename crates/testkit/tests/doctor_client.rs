//! Group E: the server judges the client's certificate.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_e01_no_certificate() {
    check("e01_no_certificate");
}

#[test]
fn doctor_e01_no_certificate_tls_1_2() {
    check("e01_no_certificate_tls_1_2");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e01_no_certificate_mosquitto() {
    check("e01_no_certificate_mosquitto");
}

#[test]
fn doctor_e02_issuer_unknown() {
    check("e02_issuer_unknown");
}

#[test]
fn doctor_e02_issuer_unknown_tls_1_2() {
    check("e02_issuer_unknown_tls_1_2");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e02_issuer_unknown_mosquitto() {
    check("e02_issuer_unknown_mosquitto");
}

#[test]
fn doctor_e03_intermediate_not_sent() {
    check("e03_intermediate_not_sent");
}

#[test]
fn doctor_e03_intermediate_not_sent_tls_1_2() {
    check("e03_intermediate_not_sent_tls_1_2");
}

#[test]
fn doctor_e04_expired() {
    check("e04_expired");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e04_expired_mosquitto() {
    check("e04_expired_mosquitto");
}

#[test]
fn doctor_e05_not_yet_valid() {
    check("e05_not_yet_valid");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e05_not_yet_valid_mosquitto() {
    check("e05_not_yet_valid_mosquitto");
}

#[test]
fn doctor_e06_server_usage_only() {
    check("e06_server_usage_only");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e06_server_usage_only_mosquitto() {
    check("e06_server_usage_only_mosquitto");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e06_no_digital_signature_mosquitto() {
    check("e06_no_digital_signature_mosquitto");
}

#[test]
fn doctor_e07_no_extended_key_usage() {
    check("e07_no_extended_key_usage");
}

#[test]
fn doctor_e08_revoked() {
    check("e08_revoked");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e08_revoked_mosquitto() {
    check("e08_revoked_mosquitto");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_e08_revoked_openssl() {
    check("e08_revoked_openssl");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_e09_server_trusts_the_intermediate_only() {
    check("e09_server_trusts_the_intermediate_only");
}

#[test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
fn doctor_e10_no_common_name() {
    check("e10_no_common_name");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_e11_rsa_signatures_only() {
    check("e11_rsa_signatures_only");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_e11_rsa_signatures_only_tls_1_2() {
    check("e11_rsa_signatures_only_tls_1_2");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_e12_renegotiation() {
    check("e12_renegotiation");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_e13_post_handshake_authentication() {
    check("e13_post_handshake_authentication");
}

#[test]
fn doctor_e15_certificate_not_asked_for() {
    check("e15_certificate_not_asked_for");
}

#[test]
fn doctor_e15_not_asked_for_and_let_in() {
    check("e15_not_asked_for_and_let_in");
}

#[test]
fn doctor_e16_pending_activation() {
    check("e16_pending_activation");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_d15_server_group_p521() {
    check("d15_server_group_p521");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_d15_server_cbc() {
    check("d15_server_cbc");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_d14_server_tls_1_1() {
    check("d14_server_tls_1_1");
}
