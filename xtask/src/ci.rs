//! `cargo xtask ci`: what a change must pass, stage by stage.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::shell::{Context, Result, cargo, duration, has_cargo_command, quiet, root, run, target, timed};
use crate::{callgrind, conformance, doctor_doc, files, suite, weigh};

/// Names and times of the stages that have passed, or why they were not needed.
#[derive(Default)]
struct Stages {
    rows: Vec<(&'static str, String)>,
    total: Duration,
}

impl Stages {
    fn stage<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let (outcome, time) = timed(work);
        self.total += time;
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("== {name}: {word} in {}", duration(time));
        self.rows.push((name, format!("{word:<7} {:>8}", duration(time))));
        outcome
    }

    fn absent(&mut self, name: &'static str, why: &str) {
        println!("\n== {name}: not run, {why}");
        self.rows.push((name, format!("not run: {why}")));
    }

    fn print(&self) {
        println!();
        for (name, outcome) in &self.rows {
            println!("{name:<12} {outcome}");
        }
        println!("{:<12} {:>16}", "total", duration(self.total));
    }
}

/// Runs the stages in order and stops at the first that fails.
pub(crate) fn command() -> Result<()> {
    let mut stages = Stages::default();
    let outcome = checks(&mut stages).and_then(|()| stages.stage("test", test));
    stages.print();
    // Once more as the last line, for whoever reads only that.
    outcome.map(|summary| println!("\n{summary}"))
}

/// What `cargo xtask test` does.
fn test() -> Result<suite::Summary> {
    let summary = suite::run(true)?;
    println!("\n{summary}");
    summary.verdict().map(|()| summary)
}

fn checks(stages: &mut Stages) -> Result<()> {
    stages.stage("format", || run(cargo().args(["fmt", "--all", "--check"])))?;
    stages.stage("files", files::command)?;
    stages.stage("conformance", || conformance::command(true))?;
    stages.stage("doctor-doc", || doctor_doc::command(true))?;
    advisories(stages)?;
    stages.stage("weigh", || weigh::command(false))?;
    stages.stage("clippy", || {
        run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    stages.stage("features", features)?;
    stages.stage("docs", || {
        run(cargo().args(["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    if has_cargo_command("deny") {
        stages.stage("deny", || run(cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"])))?;
    } else {
        stages.absent("deny", "cargo-deny is not installed");
    }
    stages.stage("callgrind", || callgrind::command(false))?;
    stages.stage("quickstart", quickstart)
}

/// Each feature of the TLS crate and of the client alone, and each crate with its own choice: unification would hide what is missing.
fn features() -> Result<()> {
    const OF_TLS: [&str; 11] = [
        "",
        "encrypted-keys",
        "est",
        "issue",
        "pkcs11",
        "pkcs12",
        "platform-verifier",
        "probe",
        "stream",
        "watch",
        "web-roots",
    ];
    let check =
        |rest: &[&str]| run(cargo().args(["clippy", "--locked", "--quiet"]).args(rest).args(["--", "-D", "warnings"]));
    for feature in OF_TLS {
        check(&["-p", "gridmq-tls", "--no-default-features", "--features", feature])?;
    }
    for feature in ["", "blocking", "est", "store", "tokens", "watch", "websocket"] {
        check(&["-p", "gridmq-client", "--no-default-features", "--features", feature])?;
    }
    for package in ["gridmq-client", "gridmq-broker", "gridmq-http", "gridmq-doctor"] {
        check(&["-p", package])?;
    }
    Ok(())
}

/// The table of advisories lies beside the repository where there is one.
fn advisories(stages: &mut Stages) -> Result<()> {
    let check = root().join("../shared/check-advisories");
    if check.is_file() {
        stages.stage("advisories", || run(Command::new(check).arg("Cargo.lock").current_dir(root())))
    } else {
        stages.absent("advisories", "there is no table beside the repository");
        Ok(())
    }
}

/// What the README's first commands do, built as users build it.
fn quickstart() -> Result<()> {
    run(cargo().args(["build", "--release", "--locked", "--bin", "gridmq", "--example", "event_grid_tls"]))?;
    let dir: PathBuf = target().join("ci/quickstart");
    // Certificates of an earlier run would hide a fault in making them.
    let _ = std::fs::remove_dir_all(&dir);
    let gridmq = target().join("release/gridmq");
    quiet(Command::new(&gridmq).arg("--version"))?;
    run(Command::new(&gridmq).args(["quickstart", "--once", "--port", "0", "--dir"]).arg(&dir))?;
    let mut serving = Serving::start(Command::new(&gridmq).args(["quickstart", "--port", "0", "--dir"]).arg(&dir))?;
    let port = serving.port()?;
    let example = target().join("release/examples/event_grid_tls");
    let mut example = Command::new(example);
    example.args(["--host", "localhost", "--port", &port]).arg("--cafile").arg(dir.join("root-ca.pem"));
    example.arg("--cert").arg(dir.join("client1-authn-ID.pem")).arg("--key").arg(dir.join("client1-authn-ID.key"));
    run(&mut example)
}

/// A quickstart that goes on serving; it ends with this value.
struct Serving(Child);

impl Serving {
    fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map(Self).context("cannot start gridmq")
    }

    /// The port that it says it serves on.
    fn port(&mut self) -> Result<String> {
        let output = self.0.stdout.take().context("gridmq has no output")?;
        let mut lines = BufReader::new(output).lines().map_while(std::io::Result::ok);
        let line = lines.find_map(|line| line.strip_prefix("Serving on port ").map(str::to_owned));
        let port = line.as_deref().and_then(|rest| rest.split(' ').next());
        let port = port.context("gridmq quickstart ended without serving")?.to_owned();
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.count());
        Ok(port)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
