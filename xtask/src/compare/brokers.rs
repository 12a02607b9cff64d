//! `cargo xtask compare`: our broker and its peers side by side, by `gridmq bench`, and their part of docs/benchmarks.md.
//!
//! Each row is a scenario, run against every broker in turn, then again. Every cell has a process, a directory and ports
//! of its own. What a cell gave is appended to a file, so that a comparison can be gone on with.

mod cell;
mod config;
mod page;
mod peers;
mod rows;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::cell::Cell;
use self::config::Place;
use self::peers::{Peer, Program};
use self::rows::Row;
use super::PAGE;
use super::servers::{Running, free_port, wait_for};
use crate::shell::{Context, Result, duration, fail, quiet, root, run, target};

/// How long one run of the generator may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nobody does anything before a cell.
const QUIET: Duration = Duration::from_secs(2);
/// The machine has other work above this load.
const BUSY: f64 = 0.5;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    quick: bool,
    rows: Vec<&'static str>,
    peers: Vec<Peer>,
    runs: Option<usize>,
    resume: bool,
    busy: bool,
    limit: Option<Duration>,
}

impl Choice {
    /// The options after `compare`; `None`: they are wrong.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut choice = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => choice.quick = true,
                "--resume" => choice.resume = true,
                "--busy" => choice.busy = true,
                "--row" => choice.rows.push(rows::named(words.next()?)?),
                "--peer" => choice.peers.push(Peer::named(words.next()?)?),
                "--runs" => choice.runs = Some(words.next()?.parse().ok().filter(|runs| (1..=9).contains(runs))?),
                "--for" => choice.limit = Some(Duration::from_secs(words.next()?.parse().ok()?)),
                _ => return None,
            }
        }
        Some(choice)
    }

    fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.quick { 1 } else { 2 })
    }

    fn has(&self, row: &Row) -> bool {
        self.rows.is_empty() || self.rows.contains(&row.name)
    }

    /// Whether everything is measured, so that the page may be written.
    fn whole(&self) -> bool {
        !self.quick && self.rows.is_empty() && self.peers.is_empty() && self.runs() >= 2
    }
}

/// Everything that a run needs.
#[derive(Debug)]
struct Bench {
    gridmq: PathBuf,
    certificates: PathBuf,
    programs: Vec<(Peer, Result<Program, String>)>,
    room: PathBuf,
}

/// Measures what is asked for, prints it, and writes the brokers' part of the page once it is whole.
pub(crate) fn command(choice: &Choice) -> Result<()> {
    let start = Instant::now();
    let bench = prepare(choice)?;
    println!("ready in {}", duration(start.elapsed()));
    for (peer, program) in &bench.programs {
        match program {
            Ok(program) => println!("{}: {}", peer.name(), program.version),
            Err(why) => println!("{}: left out: {why}", peer.name()),
        }
    }
    let file = bench.room.join(format!("{}{}.jsonl", commit()?, if choice.quick { "-quick" } else { "" }));
    if !choice.resume {
        let _ = std::fs::remove_file(&file);
    }
    let mut cells = Cell::read_all(&file)?;
    let measuring = Instant::now();
    let all = rows::all(choice.quick);
    let mut left = 0;
    let most = all.iter().map(|row| choice.runs() * row.times()).max().unwrap_or_default();
    for number in 0..most {
        for row in all.iter().filter(|row| choice.has(row) && number < choice.runs() * row.times()) {
            for (peer, program) in &bench.programs {
                let Ok(program) = program else { continue };
                let done = |cell: &Cell| cell.row == row.name && cell.peer == peer.name() && cell.run == number;
                if !row.is_for(*peer) || cells.iter().any(done) {
                    continue;
                }
                if choice.limit.is_some_and(|limit| measuring.elapsed() > limit) {
                    left += 1;
                    continue;
                }
                let cell = bench.measure(row, *peer, program, number, choice)?;
                println!("{}", page::line(row, &cell));
                cell.append(&file)?;
                cells.push(cell);
            }
        }
    }
    let part = page::part(&all, &bench.programs, &cells);
    if left > 0 {
        println!("{left} cells are left: go on with --resume");
        return Ok(());
    }
    println!("\n{part}");
    if !choice.whole() {
        return Ok(());
    }
    let page = root().join(PAGE);
    let before = std::fs::read_to_string(&page).unwrap_or_default();
    std::fs::write(&page, super::page::with_brokers(&before, &part))
        .context(format_args!("cannot write {}", page.display()))
}

fn commit() -> Result<String> {
    let said = quiet(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()))?;
    Ok(said.trim().to_owned())
}

fn prepare(choice: &Choice) -> Result<Bench> {
    run(crate::shell::cargo().args(["build", "--quiet", "--release", "--locked", "--bin", "gridmq"]))?;
    let absolute = |path: PathBuf| std::path::absolute(&path).context(format_args!("cannot find {}", path.display()));
    let gridmq = absolute(target().join("release/gridmq"))?;
    let room = absolute(target().join("compare/brokers"))?;
    std::fs::create_dir_all(&room).context(format_args!("cannot make {}", room.display()))?;
    let certificates = room.join("certificates");
    if !certificates.join("server.pem").exists() {
        quiet(Command::new(&gridmq).args(["quickstart", "--once", "--port", "0", "--dir"]).arg(&certificates))?;
    }
    let programs = peers::prepare(&choice.peers, &gridmq)?;
    Ok(Bench { gridmq, certificates, programs, room })
}

impl Bench {
    fn measure(&self, row: &Row, peer: Peer, program: &Program, number: usize, choice: &Choice) -> Result<Cell> {
        let dir = self.room.join("state");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).context(format_args!("cannot make {}", dir.display()))?;
        let place = Place {
            dir: &dir,
            certificates: &self.certificates,
            plain: free_port()?,
            tls: free_port()?,
            other: free_port()?,
            nodelay: number % 2 == 1 || row.needs_nodelay(),
            shipped: row.shipped(),
        };
        wait_for_quiet(choice.busy)?;
        let mut command = config::command(peer, &program.path, &place)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map(Running).context("cannot start the broker")?;
        let port = if row.tls { place.tls } else { place.plain };
        let said = wait_for(port).map_err(|failure| failure.to_string()).and_then(|()| {
            std::thread::sleep(QUIET);
            self.generate(row, &process, port)
        });
        drop(process);
        Ok(Cell::new(row, peer, &program.version, number, place.nodelay, said))
    }

    /// Runs the generator; gives its JSON.
    fn generate(&self, row: &Row, process: &Running, port: u16) -> Result<String, String> {
        let mut command = Command::new(&self.gridmq);
        command.arg("bench").args(row.arguments.split(' ')).args([
            "--mqtt",
            "3.1.1",
            "--json",
            "--quiet",
            "--allow-loss",
        ]);
        command.args(["--pid", &process.0.id().to_string()]);
        if row.tls {
            let file = |name: &str| self.certificates.join(name);
            command.arg("--cafile").arg(file("root-ca.pem"));
            command.arg("--cert").arg(file("client1-authn-ID.pem")).arg("--key").arg(file("client1-authn-ID.key"));
            command.arg(format!("mqtts://127.0.0.1:{port}"));
        } else {
            command.arg(format!("mqtt://127.0.0.1:{port}"));
        }
        said_by(&mut command)
    }
}

/// What a program writes, if it ends well and in time.
fn said_by(command: &mut Command) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the generator did not start: {error}"))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {} s", PATIENCE.as_secs()));
            }
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().rev().find(|line| line.starts_with('{')).map(str::to_owned).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        line.trim_start_matches("error: ").to_owned()
    })
}

/// Waits until the machine has nothing else to do.
fn wait_for_quiet(busy: bool) -> Result<()> {
    std::thread::sleep(QUIET);
    if busy {
        return Ok(());
    }
    // The load average remembers a minute, this second does not.
    let running = |text: &str| text.split(' ').nth(3)?.split('/').next()?.parse::<f64>().ok();
    for _ in 0..30 {
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        if running(&text).is_none_or(|running| running - 1.0 <= BUSY) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    fail("the machine has other work: wait until that is done, or say --busy and have figures that are worth little")
}

/// Appends a line.
fn append(file: &Path, line: &str) -> Result<()> {
    let doing = format!("cannot write {}", file.display());
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).context(&doing)?;
    writeln!(file, "{line}").context(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order_and_nothing_else_is_taken() {
        let read = Choice::read(&["--row", "fan-in", "--quick", "--peer", "mosquitto", "--for", "80"]).unwrap();
        assert_eq!(
            (read.rows.as_slice(), read.peers.as_slice(), read.runs()),
            (&["fan-in"][..], &[Peer::Mosquitto][..], 1)
        );
        assert!(!read.whole());
        assert!(Choice::read(&["--resume"]).unwrap().whole());
        for wrong in [&["--row"][..], &["--row", "nothing"], &["--peer", "nobody"], &["--runs", "0"], &["--fast"]] {
            assert_eq!(Choice::read(wrong), None, "{wrong:?}");
        }
    }
}
