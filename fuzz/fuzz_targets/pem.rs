//! Certificates and keys in every wrapping but PKCS#12.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_tls::fuzzing::pem(data));
