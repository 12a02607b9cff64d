//! Decoding and encoding of MQTT 5.0.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_proto::fuzzing::decode_v5(data));
