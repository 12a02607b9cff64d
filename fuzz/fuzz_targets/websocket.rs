//! The server's side of WebSocket: requests and frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridmq_broker::fuzzing::websocket(data));
