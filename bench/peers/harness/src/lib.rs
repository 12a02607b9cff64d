//! What every measured client shares: one command line, one clock, one line of results.
//!
//! ```text
//! peer-NAME publish|receive|latency|connect --port N [--mqtt 4|5] [--qos 0|1|2] [--size BYTES] [--count N]
//!           [--window N] [--nodelay] [--ca FILE [--cert FILE --key FILE]] [--user NAME]
//! ```
//! The C programs read the same line; see `c/common.h`.

use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Everything goes to this topic.
pub const TOPIC: &str = "bench/topic";
/// Messages a second of the `latency` scenario.
pub const RATE: u32 = 1000;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Publish `count` messages, until the last is acknowledged.
    Publish,
    /// Subscribe, and take `count` messages.
    Receive,
    /// Send [`RATE`] messages a second to oneself.
    Latency,
    /// Connect and leave, `count` times, one after the other.
    Connect,
}

/// The command line.
#[derive(Debug, Clone)]
pub struct Arguments {
    pub scenario: Scenario,
    pub port: u16,
    /// 4 is MQTT 3.1.1.
    pub mqtt: u8,
    pub qos: u8,
    pub size: usize,
    pub count: usize,
    /// Messages that may be under way.
    pub window: usize,
    /// TCP_NODELAY, where the client leaves it to the application.
    pub nodelay: bool,
    pub ca: Option<Vec<u8>>,
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    pub user: Option<String>,
}

impl Arguments {
    /// Reads the command line; ends the program with a message if it is wrong.
    pub fn read() -> Self {
        Self::parse(std::env::args().skip(1)).unwrap_or_else(|problem| {
            eprintln!("{problem}");
            std::process::exit(2)
        })
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let scenario = match words.next().as_deref() {
            Some("publish") => Scenario::Publish,
            Some("receive") => Scenario::Receive,
            Some("latency") => Scenario::Latency,
            Some("connect") => Scenario::Connect,
            other => return Err(format!("no such scenario: {other:?}")),
        };
        let mut args = Self {
            scenario,
            port: 1883,
            mqtt: 5,
            qos: 0,
            size: 16,
            count: 1,
            window: 100,
            nodelay: false,
            ca: None,
            identity: None,
            user: None,
        };
        let (mut cert, mut key) = (None, None);
        while let Some(option) = words.next() {
            if option == "--nodelay" {
                args.nodelay = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
            let file = || std::fs::read(&value).map_err(|error| format!("{option} {value}: {error}"));
            match option.as_str() {
                "--port" => args.port = number(&option, &value)?,
                "--mqtt" => args.mqtt = number(&option, &value)?,
                "--qos" => args.qos = number(&option, &value)?,
                "--size" => args.size = number::<usize>(&option, &value)?.max(8),
                "--count" => args.count = number(&option, &value)?,
                "--window" => args.window = number::<u16>(&option, &value)?.into(),
                "--ca" => args.ca = Some(file()?),
                "--cert" => cert = Some(file()?),
                "--key" => key = Some(file()?),
                "--user" => args.user = Some(value),
                _ => return Err(format!("no such option: {option}")),
            }
        }
        args.identity = cert.zip(key);
        Ok(args)
    }

    /// A client identifier of this process.
    pub fn client_id(&self) -> String {
        format!("bench-{}", std::process::id())
    }

    /// A message of the size asked for.
    pub fn payload(&self) -> Vec<u8> {
        vec![b'x'; self.size]
    }
}

/// A number that its place has room for.
fn number<T: FromStr<Err: Display>>(option: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{option} {value}: {error}"))
}

/// Time and processor time from here on.
#[derive(Debug)]
pub struct Measure {
    start: Instant,
    cpu: Duration,
}

impl Measure {
    pub fn start() -> Self {
        Self { start: Instant::now(), cpu: cpu() }
    }

    /// Prints the line of results: `extra` are names with numbers.
    pub fn finish(self, version: &str, args: &Arguments, extra: &[(&str, f64)]) {
        let (seconds, cpu) = (self.start.elapsed().as_secs_f64(), cpu() - self.cpu);
        let extra: String = extra.iter().map(|(name, value)| format!(",\"{name}\":{value:.1}")).collect();
        println!(
            "{{\"version\":\"{version}\",\"count\":{},\"seconds\":{seconds:.6},\"cpu_us\":{},\"hwm_kib\":{}{extra}}}",
            args.count,
            cpu.as_micros(),
            high_water(),
        );
    }
}

/// Round-trip times.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Takes the time from the payload's first eight bytes to now.
    pub fn arrived(&mut self, start: Instant, payload: &[u8]) {
        if let Some(sent) = payload.first_chunk() {
            let now = start.elapsed().as_nanos() as u64;
            self.0.push((now.saturating_sub(u64::from_le_bytes(*sent)) / 100) as u32);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// p50 and p99 in microseconds.
    pub fn summary(mut self) -> [(&'static str, f64); 2] {
        self.0.sort_unstable();
        let at = |share: f64| self.0.get((self.0.len() as f64 * share) as usize).map_or(0.0, |&t| f64::from(t) / 10.0);
        [("p50_us", at(0.5)), ("p99_us", at(0.99))]
    }
}

/// Puts the time since `start` in front of the payload.
pub fn stamp(payload: &mut [u8], start: Instant) {
    if let Some(place) = payload.first_chunk_mut() {
        *place = (start.elapsed().as_nanos() as u64).to_le_bytes();
    }
}

/// User and system time of this process.
fn cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the call fills the structure that it is given, and zeroes are a valid one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |t: libc::timeval| Duration::from_micros(t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The most memory that this process has had, in KiB.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
