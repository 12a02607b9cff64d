//! Bundles of certificates.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_tls::fuzzing::pkcs7(data));
