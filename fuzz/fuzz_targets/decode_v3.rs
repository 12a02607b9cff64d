//! Decoding and encoding of MQTT 3.1 and 3.1.1.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_proto::fuzzing::decode_v3(data));
