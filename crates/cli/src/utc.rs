//! The time now, and seconds since 1970 as a date.

use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_tls::time::Utc;

/// Seconds since 1970; 0 on a machine whose clock stands before that.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339).
pub(crate) fn date(seconds: u64) -> String {
    Utc(seconds).rfc3339()
}
