//! Recognising the error texts of other programs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gridmq_doctor::explain(&String::from_utf8_lossy(data));
});
