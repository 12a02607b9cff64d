//! Unix seconds as a date that people read.

use std::fmt;

/// Displays seconds since 1970-01-01T00:00:00Z as `YYYY-MM-DD HH:MM:SS UTC`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Utc(pub(crate) u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days to civil date by 400-year eras that begin on 1 March of year 0.
        let seconds = self.0 % 86_400;
        let days = self.0 / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        )
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
        assert_eq!(Utc(4_107_542_400).to_string(), "2100-03-01 00:00:00 UTC");
        assert_eq!(Utc(253_402_300_799).to_string(), "9999-12-31 23:59:59 UTC");
        assert!(!Utc(u64::MAX).to_string().is_empty());
    }
}
