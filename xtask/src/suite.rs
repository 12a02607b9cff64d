//! `cargo xtask test`: every test that there is, and by name what was not run.

use std::fmt;
use std::io::IsTerminal as _;
use std::process::Command;

use crate::setup::{Environment, Installer, Peer};
use crate::shell::{Context, Result, cargo, duration, fail, has_cargo_command, in_ci, quiet, root, tee, timed};
use crate::sources::{self, Ignored};

/// The suites that need more than their own package: other people's programs, and which, or a built example. Those of
/// their tests that do are ignored in a plain `cargo test`.
const SUITES: [(&str, &[Peer]); 23] = [
    ("interop_mosquitto", &[Peer::Mosquitto]),
    ("interop_paho", &[Peer::Paho]),
    ("interop_samples", &[Peer::Paho]),
    ("interop_azure", &[Peer::Paho]),
    ("interop_mqttjs", &[Peer::MqttJs]),
    ("interop_clients", &[Peer::Paho, Peer::MqttJs, Peer::Programs]),
    ("interop_est", &[Peer::Curl, Peer::OpenSsl]),
    ("interop_websocket", &[Peer::Broker]),
    ("resilient_telemetry", &[]),
    ("broker_killed", &[]),
    ("bridge_killed", &[]),
    ("bridge_mosquitto", &[Peer::Broker]),
    ("certs_openssl", &[Peer::OpenSsl]),
    ("pkcs11", &[Peer::SoftHsm]),
    ("client_netns", &[Peer::Namespaces]),
    ("doctor_netns", &[Peer::Namespaces]),
    ("doctor_mosquitto", &[Peer::Broker]),
    ("doctor_certificates", &[Peer::Broker, Peer::OpenSsl]),
    ("doctor_client", &[Peer::Broker, Peer::OpenSsl]),
    ("doctor_server", &[Peer::OpenSsl]),
    ("doctor_connect", &[Peer::Broker]),
    ("doctor_access", &[Peer::Broker]),
    ("doctor_confusion", &[Peer::Broker, Peer::OpenSsl]),
];

/// Suites whose programs are too large for every run, and where it is written when they ran last.
const BY_HAND: &str = "interop_azure_cli";
const LAST_RUN: &str = "docs/azure-cli.md";

/// What came of a whole run.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    passed: usize,
    failed: usize,
    /// Name and reason of each suite or test that was not run.
    skipped: Vec<(String, String)>,
    /// Runs that failed as a whole.
    broken: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, reason) in &self.skipped {
            writeln!(f, "skipped: {name}: {reason}")?;
        }
        for what in &self.broken {
            writeln!(f, "failed: {what}")?;
        }
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

impl Summary {
    /// Whether the run is a success: nothing failed and, in continuous integration, nothing was skipped.
    pub(crate) fn verdict(&self) -> Result<()> {
        if self.failed > 0 || !self.broken.is_empty() {
            return fail("the tests failed");
        }
        if in_ci() && !self.skipped.is_empty() {
            return fail("tests were skipped, and CI=true makes that a failure");
        }
        if self.passed == 0 {
            return fail("no test was run");
        }
        Ok(())
    }

    /// Adds a run's counts. False if there were none, as when it did not compile.
    fn add(&mut self, what: &str, ok: bool, counts: (usize, usize, usize)) -> bool {
        let (passed, failed, runs) = counts;
        self.passed += passed;
        self.failed += failed;
        if !ok {
            self.broken.push(what.to_owned());
        }
        ok || runs > 0
    }
}

/// `cargo xtask test`.
pub(crate) fn command(interop: bool) -> Result<()> {
    let summary = run(interop)?;
    tell_by_hand();
    println!("\n{summary}");
    summary.verdict()
}

/// `cargo xtask test --az`: Azure's command line, which takes some minutes to install. Writes down that it ran.
pub(crate) fn azure_cli() -> Result<()> {
    let environment = Installer::default().prepare(Peer::AzureCli)?;
    let az = environment.iter().find(|(name, _)| *name == "GRIDMQ_INTEROP_AZ").map(|(_, path)| path.clone());
    let runner = Runner { nextest: has_cargo_command("nextest") };
    let mut summary = Summary::default();
    let (ok, lines) = tee(runner.suites(&[BY_HAND]).envs(environment))?;
    summary.add("the tests with az", ok, runner.counts(&lines));
    println!("\n{summary}");
    summary.verdict()?;
    let version = match az {
        Some(az) => quiet(Command::new(az).args(["version", "--query", "\"azure-cli\"", "-o", "tsv"]))?,
        None => String::new(),
    };
    let date = quiet(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let commit = quiet(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))?;
    let text = format!(
        "# az\n\nWritten by `cargo xtask test --az`, which installs azure-cli and runs [azure_cli.sh](../interop/azure_cli.sh) against \
         `gridmq serve --arm`: login, namespace, parts, refusals, keys, deployment, role assignment, deletion.\n\nPassed last on \
         {}, with azure-cli {}, on top of commit {}.\n",
        date.trim(),
        version.trim(),
        commit.trim()
    );
    std::fs::write(root().join(LAST_RUN), text).context(LAST_RUN)
}

/// Says when the suites ran last that are not run each time.
fn tell_by_hand() {
    let text = std::fs::read_to_string(root().join(LAST_RUN)).unwrap_or_default();
    let last = text.lines().find(|line| line.starts_with("Passed last on ")).unwrap_or("It never ran.");
    println!("by hand: {BY_HAND} (cargo xtask test --az). {last}");
}

/// Sets up, runs everything, and counts.
pub(crate) fn run(interop: bool) -> Result<Summary> {
    let mut summary = Summary::default();
    skips_of_single_tests(&mut summary)?;
    let (suites, environment) = prepare(interop, &mut summary);
    let runner = Runner { nextest: has_cargo_command("nextest") };

    let (ok, lines) = tee(&mut runner.workspace())?;
    if !summary.add("the workspace's tests", ok, runner.counts(&lines)) {
        return Ok(summary);
    }
    let (ok, lines) = tee(cargo().args(["test", "--locked", "--workspace", "--doc"]))?;
    summary.add("the documentation's tests", ok, CARGO_TEST.counts(&lines));
    if !suites.is_empty() {
        let (ok, lines) = tee(runner.suites(&suites).envs(environment))?;
        summary.add("the tests with other programs", ok, runner.counts(&lines));
    }
    Ok(summary)
}

/// Names the ignored tests that no suite runs, and makes sure that every suite is known here.
fn skips_of_single_tests(summary: &mut Summary) -> Result<()> {
    for source in sources::all()? {
        let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let is_suite = file == BY_HAND || SUITES.iter().any(|(name, _)| *name == file);
        if source.is_test_only() && is_suite {
            continue;
        }
        if file.starts_with("interop_") && source.is_test_only() {
            return fail(format!("{} is not in the table of suites in xtask/src/suite.rs", source.path));
        }
        for test in sources::tests(&source.text) {
            if let Ignored::Because(reason) = test.ignored {
                summary.skipped.push((format!("{} in {}", test.name, source.path), reason));
            }
        }
    }
    Ok(())
}

/// Makes the programs ready; the suites of those that cannot be are skips.
fn prepare(interop: bool, summary: &mut Summary) -> (Vec<&'static str>, Environment) {
    let mut installer = Installer::default();
    let mut suites = Vec::new();
    let mut environment = Environment::new();
    for (name, peers) in SUITES {
        if !interop {
            summary.skipped.push((name.to_owned(), "--no-interop was given".to_owned()));
            continue;
        }
        let prepared = || peers.iter().map(|peer| installer.prepare(*peer)).collect::<Result<Vec<_>>>();
        let (outcome, time) = timed(prepared);
        match outcome {
            Ok(variables) => {
                println!("set-up: {name}: ready ({})", duration(time));
                suites.push(name);
                environment.extend(variables.into_iter().flatten());
            }
            Err(why) => {
                println!("set-up: {name}: {why}");
                summary.skipped.push((name.to_owned(), why.to_string()));
            }
        }
    }
    (suites, environment)
}

/// The two runners have the same tests and different words for them.
struct Runner {
    nextest: bool,
}

const CARGO_TEST: Runner = Runner { nextest: false };

impl Runner {
    fn workspace(&self) -> Command {
        let mut command = self.base();
        if !self.nextest {
            // Without --doc's tests, which follow.
            command.args(["--lib", "--bins", "--tests", "--examples"]);
        }
        command
    }

    fn suites(&self, names: &[&str]) -> Command {
        let mut command = self.base();
        if self.nextest {
            let binaries: Vec<_> = names.iter().map(|name| format!("binary({name})")).collect();
            command.args(["--run-ignored", "only", "-E", &binaries.join(" + ")]);
        } else {
            command.args(names.iter().flat_map(|name| ["--test", name]));
            command.args(["--", "--ignored", "--test-threads", "1"]);
        }
        command
    }

    // The whole workspace each time: another choice of packages is another choice of features, and builds anew.
    fn base(&self) -> Command {
        let mut command = cargo();
        if std::io::stderr().is_terminal() {
            // Its output passes through us, so it cannot see the terminal.
            command.env("CARGO_TERM_COLOR", "always");
        }
        if self.nextest {
            command.args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]);
            if in_ci() {
                command.args(["--profile", "ci"]);
            }
        } else {
            command.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
        }
        command
    }

    /// Tests passed, tests failed, and how many closing lines said so.
    fn counts(&self, lines: &[String]) -> (usize, usize, usize) {
        let (mut passed, mut failed, mut runs) = (0, 0, 0);
        for line in lines {
            let line = line.trim();
            // nextest repeats the harness's own closing line for each test that failed: that one must not count.
            let (start, middle) = if self.nextest { ("Summary [", " run: ") } else { ("test result: ", ". ") };
            let Some((_, parts)) = line.strip_prefix(start).and_then(|rest| rest.split_once(middle)) else { continue };
            runs += 1;
            // `3 passed (1 slow), 1 failed, 1 timed out, 2 skipped` or `3 passed; 1 failed; 0 ignored; …`
            for part in parts.split([',', ';']) {
                let mut words = part.split_whitespace();
                let Some(number) = words.next().and_then(|word| word.parse::<usize>().ok()) else { continue };
                match words.next() {
                    Some("passed") => passed += number,
                    Some("failed" | "timed" | "exec" | "setup") => failed += number,
                    _ => {}
                }
            }
        }
        (passed, failed, runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_runners_closing_lines_are_counted() {
        let nextest = "     Summary [   1.234s] 9 tests run: 5 passed (1 slow), 3 failed, 1 timed out, 7 skipped";
        let nextest = format!("  test result: FAILED. 0 passed; 1 failed; 0 ignored\n{nextest}");
        assert_eq!(Runner { nextest: true }.counts(&lines(&nextest)), (5, 4, 1));
        let cargo = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                     test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.1s";
        assert_eq!(CARGO_TEST.counts(&lines(cargo)), (14, 3, 2));
        assert_eq!(CARGO_TEST.counts(&lines("error: could not compile")), (0, 0, 0));
    }

    #[test]
    fn a_run_without_tests_or_with_a_failure_is_no_success() {
        assert!(Summary::default().verdict().is_err());
        assert!(Summary { passed: 3, failed: 1, ..Summary::default() }.verdict().is_err());
        assert!(Summary { passed: 3, broken: vec!["x".into()], ..Summary::default() }.verdict().is_err());
        assert!(Summary { passed: 3, ..Summary::default() }.verdict().is_ok());
    }

    #[test]
    fn skips_are_named() {
        let skipped = vec![("interop_paho".to_owned(), "not root".to_owned())];
        let text = Summary { passed: 3, skipped, ..Summary::default() }.to_string();
        assert_eq!(text, "skipped: interop_paho: not root\n3 passed, 0 failed, 1 skipped");
    }
}
