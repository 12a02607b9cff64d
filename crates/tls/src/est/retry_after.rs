//! `Retry-After` (RFC 9110 §10.2.3).

use x509_cert::der::DateTime;

use super::MAX_RETRY_AFTER;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How many seconds to wait from `now` (seconds since 1970): what a field value says, as seconds or as a date in any
/// of the three forms of RFC 9110 §5.6.7. At least 1, at most [`MAX_RETRY_AFTER`]; `None` for what is neither.
#[must_use]
pub fn retry_after(value: &str, now: u64) -> Option<u64> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().unwrap_or(MAX_RETRY_AFTER)
    } else {
        date(value)?.saturating_sub(now)
    };
    Some(seconds.clamp(1, MAX_RETRY_AFTER))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
fn date(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', '-', ',']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match *words.as_slice() {
        [_, month, day, time, year] if time.contains(':') => (day, month, year, time),
        [_, day, month, year, time, "GMT" | "UTC"] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
    let year: u16 = year.parse().ok()?;
    // RFC 9110 §5.6.7 has two digits mean the nearest such year; nobody asks to wait until the last century.
    let year = if year < 100 { 2000 + year } else { year };
    let mut clock = time.split(':');
    let mut part = || clock.next().and_then(|part| part.parse::<u8>().ok());
    let (hour, minutes, seconds) = (part()?, part()?, part()?);
    let month = u8::try_from(month).ok()?;
    // A leap second is the second before.
    let date = DateTime::new(year, month, day.parse().ok()?, hour, minutes, seconds.min(59)).ok()?;
    Some(date.unix_duration().as_secs())
}
