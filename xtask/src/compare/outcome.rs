//! The line of results that every measured program prints.

/// What one run of one client gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) version: String,
    /// Messages, or connections.
    pub(super) count: f64,
    pub(super) seconds: f64,
    /// User and system time, in microseconds.
    pub(super) cpu_us: f64,
    /// The most memory that the process has had, in KiB.
    pub(super) hwm_kib: f64,
    /// Round-trip times in microseconds, where they were measured.
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
}

impl Outcome {
    /// Reads a flat JSON object; `None`: the line is none, or lacks something.
    pub(super) fn read(line: &str) -> Option<Self> {
        let inner = line.trim().strip_prefix('{')?.strip_suffix('}')?;
        let value = |name: &str| {
            let (_, rest) = inner.split_once(&format!("\"{name}\":"))?;
            rest.split(',').next()
        };
        let number = |name: &str| value(name)?.parse::<f64>().ok().filter(|number| number.is_finite());
        Some(Self {
            version: value("version")?.trim_matches('"').to_owned(),
            count: number("count")?,
            seconds: number("seconds").filter(|&seconds| seconds > 0.0)?,
            cpu_us: number("cpu_us")?,
            hwm_kib: number("hwm_kib")?,
            p50_us: number("p50_us"),
            p99_us: number("p99_us"),
        })
    }

    /// Messages, or connections, a second.
    pub(super) fn rate(&self) -> f64 {
        self.count / self.seconds
    }

    /// Microseconds of processor time for each.
    pub(super) fn cost(&self) -> f64 {
        self.cpu_us / self.count.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_results_is_read() {
        let line =
            r#"{"version":"1.2","count":200,"seconds":0.5,"cpu_us":1000,"hwm_kib":2048,"p50_us":80.5,"p99_us":90.0}"#;
        let outcome = Outcome::read(line).unwrap();
        assert_eq!((outcome.version.as_str(), outcome.rate(), outcome.cost()), ("1.2", 400.0, 5.0));
        assert_eq!((outcome.hwm_kib, outcome.p50_us, outcome.p99_us), (2048.0, Some(80.5), Some(90.0)));
    }

    #[test]
    fn half_a_line_is_none() {
        assert_eq!(Outcome::read("{\"version\":\"1\",\"count\":1,\"seconds\":0,\"cpu_us\":1,\"hwm_kib\":1}"), None);
        assert_eq!(Outcome::read("{\"version\":\"1\",\"count\":1}"), None);
        assert_eq!(Outcome::read("connect: 7"), None);
    }
}
