//! Group D: the server's hello and chain.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_d01_only_the_leaf_is_sent() {
    check("d01_only_the_leaf_is_sent");
}

#[test]
fn doctor_d01_another_root_is_trusted() {
    check("d01_another_root_is_trusted");
}

#[test]
fn doctor_d02_client_authority_as_trust() {
    check("d02_client_authority_as_trust");
}

#[test]
fn doctor_d03_root_was_renewed_with_a_new_key() {
    check("d03_root_was_renewed_with_a_new_key");
}

#[test]
fn doctor_d04_self_signed_ca() {
    check("d04_self_signed_ca");
}

#[test]
fn doctor_d04_self_signed() {
    check("d04_self_signed");
}

#[test]
fn doctor_d04_pinned_self_signed_ca() {
    check("d04_pinned_self_signed_ca");
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn doctor_d05_private_root_sent() {
    check("d05_private_root_sent");
}

#[test]
fn doctor_d06_server_expired() {
    check("d06_server_expired");
}

#[test]
fn doctor_d06_intermediate_expired() {
    check("d06_intermediate_expired");
}

#[test]
fn doctor_d07_server_not_yet_valid() {
    check("d07_server_not_yet_valid");
}

#[test]
fn doctor_d08_another_name() {
    check("d08_another_name");
}

#[test]
fn doctor_d09_address_not_in_certificate() {
    check("d09_address_not_in_certificate");
}

#[test]
fn doctor_d10_common_name_only() {
    check("d10_common_name_only");
}

#[test]
fn doctor_d11_client_usage_only() {
    check("d11_client_usage_only");
}

#[test]
fn doctor_d12_name_unknown_to_the_server() {
    check("d12_name_unknown_to_the_server");
}

#[test]
fn doctor_d13_name_not_sent() {
    check("d13_name_not_sent");
}

#[test]
fn doctor_d13_closed_without_name() {
    check("d13_closed_without_name");
}

#[test]
fn doctor_d14_tls_1_1_only() {
    check("d14_tls_1_1_only");
}

#[test]
fn doctor_d14_tls_1_0_only() {
    check("d14_tls_1_0_only");
}

#[test]
fn doctor_d14_application_wants_1_3() {
    check("d14_application_wants_1_3");
}

#[test]
fn doctor_d15_cbc_only() {
    check("d15_cbc_only");
}

#[test]
fn doctor_d15_rsa_key_exchange_only() {
    check("d15_rsa_key_exchange_only");
}

#[test]
fn doctor_d15_p521_group_only() {
    check("d15_p521_group_only");
}

#[test]
fn doctor_d16_another_protocol() {
    check("d16_another_protocol");
}

#[test]
fn doctor_d16_protocol_required() {
    check("d16_protocol_required");
}

#[test]
fn doctor_d17_internal_error() {
    check("d17_internal_error");
}

#[test]
fn doctor_d18_thousand_certificates() {
    check("d18_thousand_certificates");
}

#[test]
fn doctor_d18_large_certificates() {
    check("d18_large_certificates");
}

#[test]
fn doctor_d07_clock_of_1970() {
    check("d07_clock_of_1970");
}
