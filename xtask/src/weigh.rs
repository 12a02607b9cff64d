//! `cargo xtask weigh`: what a program that only publishes has to build and to carry, against rumqttc.

use std::collections::BTreeSet;
use std::process::Command;

use crate::shell::{Context, Result, cargo, fail, quiet, root, target};

/// What may be weighed against rumqttc 0.25.1.
struct Choice {
    words: &'static str,
    features: &'static [&'static str],
    /// The features of the program of the same name in `bench/peers/hello`.
    hello: &'static [&'static str],
    /// Crates in its tree with rumqttc, the client itself counted.
    crates: usize,
    /// Bytes of the release binary of such a program, where there is a limit.
    bytes: Option<u64>,
}

const CHOICES: [Choice; 2] = [
    Choice {
        words: "without TLS",
        features: &["--no-default-features"],
        hello: &["--no-default-features"],
        crates: 31,
        bytes: None,
    },
    Choice { words: "with TLS", features: &[], hello: &["--features", "tls"], crates: 50, bytes: Some(5_500_000) },
];

/// Counts the crates; `binary`: builds the program too, which takes minutes.
pub(crate) fn command(binary: bool) -> Result<()> {
    let mut faults = Vec::new();
    for choice in &CHOICES {
        let crates = tree(choice.features)?;
        println!("{}: {} crates, rumqttc {}", choice.words, crates.len(), choice.crates);
        if crates.len() > choice.crates {
            let names: Vec<_> = crates.iter().map(String::as_str).collect();
            faults.push(format!("{} are {} crates: {}", choice.words, crates.len(), names.join(", ")));
        }
        if binary {
            let bytes = hello(choice.hello)?;
            let limit = choice.bytes.map(|limit| format!(", rumqttc {}", megabytes(limit))).unwrap_or_default();
            println!("{}: {}{limit}", choice.words, megabytes(bytes));
            if choice.bytes.is_some_and(|limit| bytes > limit) {
                faults.push(format!("{} the binary has {}", choice.words, megabytes(bytes)));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { fail(format!("the client is too heavy: {}", faults.join("; "))) }
}

/// The crates that the client needs at run time or to build, itself among them, by name and version.
fn tree(features: &[&str]) -> Result<BTreeSet<String>> {
    let mut command = cargo();
    command.args([
        "tree",
        "--locked",
        "--quiet",
        "--package",
        "gridmq-client",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]);
    let lines = quiet(command.args(features))?;
    Ok(names(&lines))
}

fn names(lines: &str) -> BTreeSet<String> {
    let first_two = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    lines.lines().filter(|line| !line.is_empty()).map(first_two).collect()
}

/// Builds the smallest program that publishes, with debug information left out as users ship it, and weighs it.
fn hello(features: &[&str]) -> Result<u64> {
    let dir = target().join("weigh");
    let mut command = cargo();
    command.current_dir(root().join("bench/peers")).env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").arg("build");
    command.args(["--quiet", "--locked", "--release", "--package", "hello-gridmq", "--target-dir"]).arg(&dir);
    quiet(command.args(features))?;
    let file = dir.join("release/hello-gridmq");
    let size = std::fs::metadata(&file).context(format_args!("cannot find {}", file.display()))?.len();
    let mut run = Command::new(&file);
    // Without an address it says how it is used: proof that it is a program.
    quiet(run.arg("--help")).map(|_| size)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_in_each_version() {
        let lines =
            "a v1.0.0 (/src/a)\nb v2.0.0 (proc-macro)\nc v1.0.0\nb v2.0.0 (*)\nc v2.0.0\n\na v1.0.0 (/src/a) (*)\n";
        let counted = names(lines);
        assert_eq!(counted.into_iter().collect::<Vec<_>>(), ["a v1.0.0", "b v2.0.0", "c v1.0.0", "c v2.0.0"]);
    }
}
