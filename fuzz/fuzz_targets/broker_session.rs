//! Whole sessions against a broker without sockets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gridmq_broker::fuzzing::broker_session(data);
});
