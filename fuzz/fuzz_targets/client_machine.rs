//! The client's session machine under any input.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_proto::fuzzing::client_machine(data));
