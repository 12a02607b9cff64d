//! Group A: files.
#![allow(missing_docs, reason = "tests")]

use gridmq_testkit::fixtures::check;

#[test]
fn doctor_a01_file_missing() {
    check("a01_file_missing");
}

#[test]
fn doctor_a03_key_readable_by_others() {
    check("a03_key_readable_by_others");
}

#[test]
fn doctor_a04_certificate_empty() {
    check("a04_certificate_empty");
}

#[test]
fn doctor_a04_key_empty() {
    check("a04_key_empty");
}

#[test]
fn doctor_a05_certificate_cut_off() {
    check("a05_certificate_cut_off");
}

#[test]
fn doctor_a05_key_cut_off() {
    check("a05_key_cut_off");
}

#[test]
fn doctor_a06_byte_order_mark() {
    check("a06_byte_order_mark");
}

#[test]
fn doctor_a07_utf16() {
    check("a07_utf16");
}

#[test]
fn doctor_a08_crlf() {
    check("a08_crlf");
}

#[test]
fn doctor_a09_newlines_escaped() {
    check("a09_newlines_escaped");
}

#[test]
fn doctor_a09_newlines_are_spaces() {
    check("a09_newlines_are_spaces");
}

#[test]
fn doctor_a10_four_dashes() {
    check("a10_four_dashes");
}

#[test]
fn doctor_a10_smart_dashes() {
    check("a10_smart_dashes");
}

#[test]
fn doctor_a10_indented() {
    check("a10_indented");
}

#[test]
fn doctor_a11_der_certificate() {
    check("a11_der_certificate");
}

#[test]
fn doctor_a11_der_key() {
    check("a11_der_key");
}

#[test]
fn doctor_a12_pkcs12_as_certificate() {
    check("a12_pkcs12_as_certificate");
}

#[test]
fn doctor_a13_files_swapped() {
    check("a13_files_swapped");
}

#[test]
fn doctor_a14_ca_as_leaf() {
    check("a14_ca_as_leaf");
}

#[test]
fn doctor_a15_intermediate_first() {
    check("a15_intermediate_first");
}

#[test]
fn doctor_a16_root_before_intermediate() {
    check("a16_root_before_intermediate");
}

#[test]
fn doctor_a17_needless_root() {
    check("a17_needless_root");
}

#[test]
fn doctor_a18_intermediate_missing() {
    check("a18_intermediate_missing");
}

#[test]
fn doctor_a19_key_of_another() {
    check("a19_key_of_another");
}

#[test]
fn doctor_a19_key_of_another_type() {
    check("a19_key_of_another_type");
}

#[test]
fn doctor_a20_encrypted_key() {
    check("a20_encrypted_key");
}

#[test]
fn doctor_a20_encrypted_traditional_key() {
    check("a20_encrypted_traditional_key");
}

#[test]
fn doctor_a21_passphrase_wrong() {
    check("a21_passphrase_wrong");
}

#[test]
fn doctor_a21_passphrase_with_a_space() {
    check("a21_passphrase_with_a_space");
}

#[test]
fn doctor_a22_request_as_certificate() {
    check("a22_request_as_certificate");
}

#[test]
fn doctor_a22_public_key_as_key() {
    check("a22_public_key_as_key");
}

#[test]
fn doctor_a22_openssh_key() {
    check("a22_openssh_key");
}

#[test]
fn doctor_a23_sec1_after_parameters() {
    check("a23_sec1_after_parameters");
}

#[test]
fn doctor_a24_pkcs12_of_old_windows() {
    check("a24_pkcs12_of_old_windows");
}

#[test]
fn doctor_a25_pkcs12_of_openssl_3() {
    check("a25_pkcs12_of_openssl_3");
}

#[test]
fn doctor_a26_pkcs12_password_wrong() {
    check("a26_pkcs12_password_wrong");
}

#[test]
fn doctor_a27_pkcs12_without_key() {
    check("a27_pkcs12_without_key");
}

#[test]
fn doctor_a28_pkcs12_without_chain() {
    check("a28_pkcs12_without_chain");
}

#[test]
fn doctor_a29_rsa_1024() {
    check("a29_rsa_1024");
}

#[test]
fn doctor_a30_sha1() {
    check("a30_sha1");
}

#[test]
fn doctor_a30_md5() {
    check("a30_md5");
}

#[test]
fn doctor_a31_secp256k1() {
    check("a31_secp256k1");
}

#[test]
fn doctor_a31_brainpool() {
    check("a31_brainpool");
}

#[test]
fn doctor_a33_kubernetes_links() {
    check("a33_kubernetes_links");
}

#[test]
fn doctor_a34_unrelated_certificate() {
    check("a34_unrelated_certificate");
}

#[test]
fn doctor_a35_directory() {
    check("a35_directory");
}

#[test]
fn doctor_a35_web_page() {
    check("a35_web_page");
}
