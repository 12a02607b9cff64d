//! Revocation lists in PEM and DER, and certificates judged by them.
#![no_main]

use gridmq_tls::revocation::{Outdated, Revocation};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let lenient = Revocation::builder().outdated(Outdated::Accept);
    if let Ok(lists) = lenient.from_bytes(data, 0) {
        assert!(!lists.lists().is_empty());
        assert!(lists.next_update().is_some());
        // What is loaded leniently is either loaded strictly too, or overdue.
        let _ = Revocation::builder().from_bytes(data, u64::MAX / 2);
    }
});
