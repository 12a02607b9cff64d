//! Lengths of time as people write them.

/// `60s`, `15m`, `12h`, `90d`, `2y` (of 365 days); at most 100 years, at least a second.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let cure = || "expected a length of time such as 60s, 15m, 12h, 90d or 2y, up to 100y".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(cure)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "y" => 365 * 86_400,
        _ => return Err(cure()),
    };
    let number: u64 = number.parse().map_err(|_| cure())?;
    let seconds = number.checked_mul(unit).ok_or_else(cure)?;
    if (1..=100 * 365 * 86_400).contains(&seconds) { Ok(seconds) } else { Err(cure()) }
}

/// Whole days, at most 100 years.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| "expected a number of days from 1 to 36500".to_owned())
}

/// The largest unit that says it in two digits or more: `90 days`, `36 hours`, `60 seconds`.
pub(super) fn words(seconds: u64) -> String {
    let (number, unit) = match seconds {
        172_800.. => (seconds / 86_400, "day"),
        7200.. => (seconds / 3600, "hour"),
        120.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        assert_eq!(parse("60s"), Ok(60));
        assert_eq!(parse("90d"), Ok(7_776_000));
        assert_eq!(parse("2y"), Ok(63_072_000));
        for bad in ["", "s", "0d", "10", "-1d", "101y", "99999999999999999999d", "1w", "1é"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_read() {
        assert_eq!((days("1"), days("36500")), (Ok(1), Ok(36_500)));
        for bad in ["", "0", "-1", "1d", "36501", "99999999999"] {
            assert!(days(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn they_are_said_in_the_largest_unit_that_fits() {
        assert_eq!(words(60), "60 seconds");
        assert_eq!(words(1), "1 second");
        assert_eq!(words(7_776_000), "90 days");
        assert_eq!(words(86_400), "24 hours");
    }
}
