//! Unix seconds as a date.

use std::fmt;
use std::time::Duration;

use x509_cert::der::DateTime;

/// Seconds since 1970-01-01T00:00:00Z. Displays as `YYYY-MM-DD HH:MM:SS UTC`, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs, reason = "a unit of measure")]
pub struct Utc(pub u64);

impl Utc {
    /// The last second that four digits of a year can say.
    const LAST: u64 = 253_402_300_799;

    fn date(self) -> Option<DateTime> {
        DateTime::from_unix_duration(Duration::from_secs(self.0.min(Self::LAST))).ok()
    }

    /// `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339), for programs. What lies beyond the year 9999 shows as its last second.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.date().map_or_else(|| self.0.to_string(), |date| date.to_string())
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(date) = self.date() else { return write!(f, "{} s after 1970", self.0) };
        let (year, month, day) = (date.year(), date.month(), date.day());
        let (hour, minutes, seconds) = (date.hour(), date.minutes(), date.seconds());
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minutes:02}:{seconds:02} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn dates_around_leap_days_are_right() {
        assert_eq!(Utc(0).to_string(), "1970-01-01 00:00:00 UTC");
        assert_eq!(Utc(951_782_400).to_string(), "2000-02-29 00:00:00 UTC");
        assert_eq!(Utc(951_868_799).to_string(), "2000-02-29 23:59:59 UTC");
        assert_eq!(Utc(951_868_799).rfc3339(), "2000-02-29T23:59:59Z");
        assert_eq!(Utc(4_107_542_400).to_string(), "2100-03-01 00:00:00 UTC");
        assert_eq!(Utc(253_402_300_799).to_string(), "9999-12-31 23:59:59 UTC");
        assert_eq!(Utc(u64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
    }
}
