//! PKCS#12 files without a password.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_tls::fuzzing::pkcs12(data));
