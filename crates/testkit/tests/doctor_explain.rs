//! Texts of other programs.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_a02_permission_denied() {
    check("a02_permission_denied");
}

#[test]
fn doctor_a32_token_object() {
    check("a32_token_object");
}

#[test]
fn doctor_a32_token_pin() {
    check("a32_token_pin");
}

#[test]
fn doctor_b11_upload_refused() {
    check("b11_upload_refused");
}

#[test]
fn doctor_c03_filtered() {
    check("c03_filtered");
}

#[test]
fn doctor_c05_path_mtu() {
    check("c05_path_mtu");
}

#[test]
fn doctor_c10_slow_signature() {
    check("c10_slow_signature");
}

#[test]
fn doctor_d19_no_roots() {
    check("d19_no_roots");
}

#[test]
fn doctor_d20_revocation() {
    check("d20_revocation");
}

#[test]
fn doctor_e14_old_identity() {
    check("e14_old_identity");
}

#[test]
fn doctor_g11_session_lost() {
    check("g11_session_lost");
}

#[test]
fn doctor_g16_ip_forbidden() {
    check("g16_ip_forbidden");
}

#[test]
fn doctor_g15_clock_drift() {
    check("g15_clock_drift");
}

#[test]
fn doctor_e13_openssl_text() {
    check("e13_openssl_text");
}

#[test]
fn doctor_h01_schannel_ephemeral() {
    check("h01_schannel_ephemeral");
}

#[test]
fn doctor_h02_schannel_key() {
    check("h02_schannel_key");
}

#[test]
fn doctor_h03_intermediates() {
    check("h03_intermediates");
}

#[test]
fn doctor_h04_no_eligible() {
    check("h04_no_eligible");
}

#[test]
fn doctor_h05_ca_hints() {
    check("h05_ca_hints");
}

#[test]
fn doctor_h06_untrusted_ignored() {
    check("h06_untrusted_ignored");
}

#[test]
fn doctor_h07_policy_errors() {
    check("h07_policy_errors");
}

#[test]
fn doctor_h07_partial_chain() {
    check("h07_partial_chain");
}

#[test]
fn doctor_h08_alert() {
    check("h08_alert");
}

#[test]
fn doctor_h09_mbedtls() {
    check("h09_mbedtls");
}

#[test]
fn doctor_h09_esp() {
    check("h09_esp");
}

#[test]
fn doctor_h10_mqttjs() {
    check("h10_mqttjs");
}

#[test]
fn doctor_h11_pem() {
    check("h11_pem");
}

#[test]
fn doctor_e02_openssl_text() {
    check("e02_openssl_text");
}

#[test]
fn doctor_e01_openssl_text() {
    check("e01_openssl_text");
}

#[test]
fn doctor_e04_openssl_text() {
    check("e04_openssl_text");
}

#[test]
fn doctor_e08_openssl_text() {
    check("e08_openssl_text");
}

#[test]
fn doctor_e06_openssl_text() {
    check("e06_openssl_text");
}

#[test]
fn doctor_d14_openssl_text() {
    check("d14_openssl_text");
}

#[test]
fn doctor_c08_java_text() {
    check("c08_java_text");
}

#[test]
fn doctor_c06_dotnet_text() {
    check("c06_dotnet_text");
}

#[test]
fn doctor_c01_node_text() {
    check("c01_node_text");
}

#[test]
fn doctor_d08_node_text() {
    check("d08_node_text");
}

#[test]
fn doctor_d06_node_text() {
    check("d06_node_text");
}

#[test]
fn doctor_d04_node_text() {
    check("d04_node_text");
}

#[test]
fn doctor_d01_java_text() {
    check("d01_java_text");
}

#[test]
fn doctor_a19_openssl_text() {
    check("a19_openssl_text");
}

#[test]
fn doctor_a24_openssl_text() {
    check("a24_openssl_text");
}

#[test]
fn doctor_a25_windows_text() {
    check("a25_windows_text");
}
