//! `cargo xtask compare --clients`: this client and its peers side by side, and docs/benchmarks.md.
//!
//! Each row is one scenario, run by every client in turn against the same server, twice; the better run counts. The
//! first run of a client that leaves TCP_NODELAY to the application is without it, the second with it.

pub(crate) mod brokers;
mod outcome;
mod page;
mod peers;
mod rows;
mod servers;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::outcome::Outcome;
use self::peers::Contestant;
use self::rows::{Group, Row, Server};
use self::servers::{Servers, Source};
use crate::shell::{Context, Result, duration, fail, root};

/// The page, relative to the root.
const PAGE: &str = "docs/benchmarks.md";
/// How long one run of one client may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// When no further row is begun.
const WHOLE: Duration = Duration::from_secs(24 * 60);

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    quick: bool,
    mosquitto: bool,
    only: Option<Group>,
}

impl Choice {
    /// The options after `compare --clients`; `None`: they are wrong.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut choice = Self { quick: false, mosquitto: false, only: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => choice.quick = true,
                "--only" => choice.only = Some(Group::named(words.next()?)?),
                "--broker" => match *words.next()? {
                    "mosquitto" => choice.mosquitto = true,
                    "gridmq" => choice.mosquitto = false,
                    _ => return None,
                },
                _ => return None,
            }
        }
        Some(choice)
    }

    /// The command that makes this choice.
    fn command(self) -> String {
        let broker = if self.mosquitto { "mosquitto" } else { "gridmq" };
        let quick = if self.quick { " --quick" } else { "" };
        let only = self.only.map(|group| format!(" --only {}", group.name())).unwrap_or_default();
        format!("cargo xtask compare --clients{quick}{only} --broker {broker}")
    }

    fn runs(self) -> usize {
        if self.quick { 1 } else { 2 }
    }
}

/// A row and what came of it, by contestant.
#[derive(Debug)]
struct Measured {
    row: Row,
    outcomes: Vec<Result<Outcome, String>>,
}

/// Measures, prints the tables, and writes them into the broker's part of the page; a quick run, or one
/// of a part, only prints.
pub(crate) fn command(choice: Choice) -> Result<()> {
    let start = Instant::now();
    let bench = peers::prepare()?;
    println!("built in {}", duration(start.elapsed()));
    let servers = Servers::start(choice.mosquitto, &bench)?;
    let mut measured = Vec::new();
    for row in rows::all(choice.quick).into_iter().filter(|row| choice.only.is_none_or(|group| group == row.group)) {
        if start.elapsed() > WHOLE {
            println!("{}: not run, the time is up", row.title());
            continue;
        }
        let outcomes = measure(&row, choice, &bench.contestants, &servers, &bench.source)?;
        println!("{}", page::line(&row, &outcomes));
        measured.push(Measured { row, outcomes });
    }
    let part = page::part(choice, &servers.version, &bench.contestants, &measured);
    println!("\n{part}\nmeasured in {}", duration(start.elapsed()));
    if choice.quick || choice.only.is_some() {
        return Ok(());
    }
    let file = root().join(PAGE);
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(&file, page::with_part(&before, choice.mosquitto, &part))
        .context(format_args!("cannot write {}", file.display()))
}

fn measure(
    row: &Row,
    choice: Choice,
    contestants: &[Contestant],
    servers: &Servers,
    source: &Path,
) -> Result<Vec<Result<Outcome, String>>> {
    let mut outcomes: Vec<Result<Outcome, String>> = vec![Err("it was not run".to_owned()); contestants.len()];
    for number in 0..choice.runs() {
        for (contestant, best) in contestants.iter().zip(&mut outcomes) {
            let mut command = Command::new(&contestant.program);
            command.args(row.arguments()).args(["--mqtt", contestant.mqtt]);
            if number == 1 || row.needs_nodelay() {
                command.arg("--nodelay");
            }
            // Started for each run, so that no client meets what another has left behind.
            let source = (row.server == Server::Source).then(|| Source::start(source, row)).transpose()?;
            match (&row.server, &source) {
                (_, Some(source)) => drop(command.args(["--port", &source.port])),
                (server, None) => servers.arguments(*server, &mut command),
            }
            let outcome = run(&mut command);
            *best = match (std::mem::replace(best, Err(String::new())), outcome) {
                (Ok(one), Ok(other)) => Ok(if row.better(&other, &one) { other } else { one }),
                (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
                (Err(_), Err(why)) => Err(why),
            };
        }
    }
    Ok(outcomes)
}

/// Runs one client; ends it when it takes too long.
fn run(command: &mut Command) -> Result<Outcome, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it did not start: {error}"))?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            outcome => {
                let _ = child.kill();
                let _ = child.wait();
                let why = outcome.err().map(|error| error.to_string());
                return Err(why.unwrap_or_else(|| format!("it did not end within {} s", PATIENCE.as_secs())));
            }
        }
    };
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    // One that has said its result and then ends badly has still done the work.
    text.lines().rev().find_map(Outcome::read).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("{status}: {last}")
    })
}

/// The first line of what a program says of its version.
fn version_of(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().context("cannot ask for a version")?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    match String::from_utf8_lossy(&text).lines().next() {
        Some(line) => Ok(line.to_owned()),
        None => fail("a program does not say its version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order_and_nothing_else_is_taken() {
        let read = |words: &[&str]| Choice::read(words).map(Choice::command);
        assert_eq!(read(&[]).as_deref(), Some("cargo xtask compare --clients --broker gridmq"));
        let quick = Some("cargo xtask compare --clients --quick --broker mosquitto");
        assert_eq!(read(&["--quick", "--broker", "mosquitto"]).as_deref(), quick);
        assert_eq!(read(&["--broker", "mosquitto", "--quick"]).as_deref(), quick);
        let part = Some("cargo xtask compare --clients --only receive --broker gridmq");
        assert_eq!(read(&["--only", "receive"]).as_deref(), part);
        assert_eq!(read(&["--only", "weigh"]), None);
        assert_eq!(read(&["--broker"]), None);
        assert_eq!(read(&["--broker", "other"]), None);
        assert_eq!(read(&["--fast"]), None);
    }
}
