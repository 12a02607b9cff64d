//! What bytes are, whatever they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_tls::fuzzing::classify(data));
