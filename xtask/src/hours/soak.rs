//! An hour of load with churn on one broker, which goes on between slices.
//!
//! Half of what it can do as messages, and beside it clients that come and go and subscriptions that come and go. The
//! first ten minutes are for it to get its memory; after that it may not get more.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Place;
use crate::shell::{Context, Result, fail, quiet, run};

/// When its memory is first looked at.
const SETTLED: u64 = 600;

/// The broker between slices: process, port, messages a second, and seconds so far.
struct State {
    file: PathBuf,
    pid: u32,
    port: u16,
    rate: u64,
    seconds: u64,
    /// Resident memory in KiB after [`SETTLED`] seconds; 0: not yet.
    settled: u64,
}

impl State {
    /// That of a broker that still runs.
    fn read(place: &Place) -> Option<Self> {
        let file = place.dir.join("soak.state");
        let text = fs::read_to_string(&file).ok()?;
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (pid, port) = (u32::try_from(next()?).ok()?, u16::try_from(next()?).ok()?);
        let state = Self { file, pid, port, rate: next()?, seconds: next()?, settled: next()? };
        let program = fs::canonicalize(place.program("gridmq")).ok()?;
        (fs::read_link(format!("/proc/{pid}/exe")).ok()? == program).then_some(state)
    }

    fn write(&self) -> Result<()> {
        let Self { pid, port, rate, seconds, settled, .. } = self;
        fs::write(&self.file, format!("{pid} {port} {rate} {seconds} {settled}\n")).context(self.file.display())
    }

    fn start(place: &Place) -> Result<Self> {
        let data = place.dir.join("soak.data");
        let _ = fs::remove_dir_all(&data);
        let mut command = Command::new(place.program("gridmq"));
        command.args(["serve", "--plain", "127.0.0.1:0", "--log", "error", "--data-dir"]).arg(&data);
        let output = place.dir.join("soak.out");
        let out = fs::File::create(&output).context(output.display())?;
        let mut child = command.stdin(Stdio::null()).stdout(out).spawn().context("gridmq serve")?;
        let port = loop {
            let file = fs::File::open(&output).context(output.display())?;
            let port = BufReader::new(file).lines().map_while(std::io::Result::ok).find_map(|line| {
                line.strip_prefix("listening on ")?.split(' ').next()?.rsplit(':').next()?.parse().ok()
            });
            if let Some(port) = port {
                break port;
            }
            if child.try_wait().context("gridmq serve")?.is_some() {
                return fail("gridmq serve ended without serving");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let file = place.dir.join("soak.state");
        let mut state = Self { file, pid: child.id(), port, rate: 0, seconds: 0, settled: 0 };
        let full = state.bench(place, &["fan-in-qos1", "--duration", "10s", "--json", "--quiet"]);
        let full = quiet(&mut { full })?;
        state.rate = delivered(&full).context("gridmq bench told no rate")? / 2;
        state.write()?;
        Ok(state)
    }

    fn bench(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = Command::new(place.program("gridmq"));
        command.arg("bench").args(words).arg(format!("mqtt://127.0.0.1:{}", self.port));
        command
    }

    /// Resident memory in KiB.
    fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the broker's memory")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        line.split_whitespace().next().and_then(|number| number.parse().ok()).context("VmRSS is no number")
    }

    fn stop(&self) -> Result<()> {
        let _ = fs::remove_file(&self.file);
        run(Command::new("kill").args(["-TERM", &self.pid.to_string()]))
    }
}

/// Messages delivered a second: the number of that name in the report's rates, which unlike a plan's rate are an object.
fn delivered(json: &str) -> Option<u64> {
    let json: String = json.split_whitespace().collect();
    let (_, rates) = json.split_once("\"rate\":{")?;
    let (_, number) = rates.split_once("\"delivered\"")?;
    let number = number.trim_start_matches([':', ' ']).split([',', '}', '\n', '.']).next()?;
    number.trim().parse().ok()
}

/// Load that ends with this value.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One slice; answers its line of counts.
pub(super) fn slice(place: &Place, length: Duration) -> Result<Vec<String>> {
    let mut state = State::read(place).map_or_else(|| State::start(place), Ok)?;
    println!("{} messages a second on process {}, {} s so far", state.rate, state.pid, state.seconds);
    let (rate, seconds) = (state.rate.max(1).to_string(), format!("{}s", length.as_secs()));
    let mut load = state.bench(place, &["fan-in-qos1", "--rate", &rate, "--duration", &seconds, "--json", "--quiet"]);
    let load = load.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("gridmq bench")?;
    let mut load = Load(load);
    let (before, start) = (state.seconds, Instant::now());
    let (mut connects, mut subscriptions) = (0, 0);
    while load.0.try_wait().context("gridmq bench")?.is_none() {
        quiet(&mut state.bench(place, &["connect", "--connections", "500", "--concurrency", "8", "--quiet"]))?;
        connects += 500;
        let filters = ["filters", "--subscribers", "20", "--filters", "50", "--topics", "1000", "--publishers", "1"];
        let rest = ["--rate", "200", "--duration", "2s", "--warmup", "100ms", "--quiet"];
        quiet(&mut state.bench(place, &[&filters[..], &rest[..]].concat()))?;
        subscriptions += 1000;
        state.seconds = before + start.elapsed().as_secs();
        if state.settled == 0 && state.seconds >= SETTLED {
            state.settled = state.memory()?;
        }
        state.write()?;
    }
    let mut report = String::new();
    if let Some(mut out) = load.0.stdout.take() {
        std::io::Read::read_to_string(&mut out, &mut report).context("gridmq bench")?;
    }
    if !load.0.wait().context("gridmq bench")?.success() {
        return fail(format!("the load was not carried as promised: {report}"));
    }
    let now = state.memory()?;
    let (settled, rate) = (state.settled, state.rate);
    if state.seconds >= 3600 {
        state.stop()?;
        if now * 100 > settled * 105 {
            return fail(format!("memory after ten minutes {settled} KiB, in the end {now} KiB"));
        }
    }
    let slice = start.elapsed().as_secs();
    Ok(vec![format!(
        "soak: seconds={slice} connects={connects} subscriptions={subscriptions} last_messages_a_second={rate} \
         last_KiB_after_ten_minutes={settled} last_KiB_at_the_end={now}"
    )])
}

#[cfg(test)]
mod tests {
    use super::delivered;

    #[test]
    fn the_rate_is_found_in_a_report() {
        let json = "{\"plan\": {\"rate\": null}, \"delivered\": 9, \"rate\": { \"sent\": 1.5, \"delivered\": 12345.6 }, \"x\": 1}";
        assert_eq!(delivered(json), Some(12345));
        assert_eq!(delivered("{\"rate\":{\"sent\":2,\"delivered\":7}}"), Some(7));
        assert_eq!(delivered("{}"), None);
    }
}
