//! A copy of the source to mutate, and runs of its tests.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::catalogue::Mutation;
use crate::conformance::Test;
use crate::shell::{Context, Result, cargo, quiet, root, target};

/// The package whose tests speak over sockets.
const PACKAGE: &str = "gridmq-testkit";
/// How long the tests of a statement may take. One that waits for ever for what a mutation keeps from coming has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// These failed.
    Caught(Vec<String>),
    /// All passed.
    Missed,
    /// It does not compile, which shows nothing.
    Broken,
}

impl Outcome {
    pub(super) const fn is_caught(&self) -> bool {
        matches!(self, Self::Caught(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(tests) => write!(f, "failed: {}", tests.join(", ")),
            Self::Missed => f.write_str("NOT NOTICED: every test passed"),
            Self::Broken => f.write_str("DOES NOT COMPILE"),
        }
    }
}

/// The copy. The tree of whoever runs this stays as it is.
pub(super) struct Scratch {
    source: PathBuf,
    build: PathBuf,
}

impl Scratch {
    /// Brings the copy up to date. What is the same keeps its time, so that little is built anew.
    pub(super) fn make() -> Result<Self> {
        let dir = std::path::absolute(target().join("mutate")).context("cannot find the target directory")?;
        let (source, build) = (dir.join("source"), dir.join("build"));
        let mut list = Command::new("git");
        list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
        for name in quiet(&mut list)?.lines() {
            let (from, to) = (root().join(name), source.join(name));
            // Deleted but still in the index, or a link.
            let Ok(bytes) = std::fs::read(&from) else { continue };
            write_if_other(&to, &bytes)?;
        }
        Ok(Self { source, build })
    }

    /// Does `work` with the mutation applied.
    pub(super) fn with<T>(&self, mutation: &Mutation, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let file = self.source.join(&mutation.file);
        let text = std::fs::read_to_string(&file).context(format_args!("cannot read {}", file.display()))?;
        write_if_other(&file, mutation.apply(&text)?.as_bytes())?;
        let outcome = work();
        write_if_other(&file, text.as_bytes())?;
        outcome
    }

    /// Builds and runs these tests.
    pub(super) fn run(&self, tests: &[Test]) -> Result<Outcome> {
        let mut binaries: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for test in tests {
            binaries.entry(&test.binary).or_default().push(&test.name);
        }
        let build: Vec<_> = binaries.keys().flat_map(|name| ["--test", *name]).collect();
        if quiet(self.cargo().arg("--no-run").args(build)).is_err() {
            return Ok(Outcome::Broken);
        }
        let mut failed = Vec::new();
        for (binary, names) in binaries {
            for name in names {
                let mut command = self.cargo();
                command.args(["--test", binary, "--", "--exact", name]);
                if !passes(&mut command)? {
                    failed.push(name.to_owned());
                }
            }
        }
        failed.sort();
        failed.dedup();
        Ok(if failed.is_empty() { Outcome::Missed } else { Outcome::Caught(failed) })
    }

    fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.source).args(["test", "--locked", "--quiet", "--package", PACKAGE]);
        command.arg("--target-dir").arg(&self.build);
        // What is built is run once; a crate that did not change is not to be built again.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "1");
        command
    }
}

fn passes(command: &mut Command) -> Result<bool> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().context("cannot start cargo")?;
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a test")? {
            return Ok(status.success());
        }
        if Instant::now() > until {
            end(&mut child);
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn write_if_other(file: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(file).is_ok_and(|have| have == bytes) {
        return Ok(());
    }
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).context(format_args!("cannot make {}", dir.display()))?;
    }
    std::fs::write(file, bytes).context(format_args!("cannot write {}", file.display()))
}
