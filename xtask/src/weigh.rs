//! `cargo xtask weigh`: what a program that only publishes has to build and to carry, against rumqttc.

use std::collections::BTreeSet;
use std::process::Command;

use crate::shell::{Context, Result, cargo, fail, quiet, root, target};

/// What may be weighed against rumqttc 0.25.1.
struct Choice {
    words: &'static str,
    features: &'static [&'static str],
    /// The features of the programs `hello-…` in `bench/peers`.
    hello: &'static [&'static str],
    /// Crates in its tree with rumqttc, the client itself counted.
    crates: usize,
    /// Whether the program may not be larger than rumqttc's.
    limited: bool,
}

const CHOICES: [Choice; 2] = [
    Choice {
        words: "without TLS",
        features: &["--no-default-features"],
        hello: &["--no-default-features"],
        crates: 31,
        limited: false,
    },
    Choice { words: "with TLS", features: &[], hello: &["--features", "tls"], crates: 50, limited: true },
];

/// How a program may be built, as variables of Cargo's environment.
struct Profile {
    words: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

/// The first is what `cargo build --release` does where nothing is said of it.
const PROFILES: [Profile; 4] = [
    Profile { words: "default", variables: &[] },
    Profile { words: "stripped", variables: &[("STRIP", "symbols")] },
    Profile { words: "LTO", variables: &[("LTO", "fat"), ("CODEGEN_UNITS", "1")] },
    Profile {
        words: "small",
        variables: &[
            ("LTO", "fat"),
            ("CODEGEN_UNITS", "1"),
            ("OPT_LEVEL", "s"),
            ("PANIC", "abort"),
            ("STRIP", "symbols"),
        ],
    },
];

/// Counts the crates; `binary`: builds the programs too, which takes many minutes.
pub(crate) fn command(binary: bool) -> Result<()> {
    let mut faults = Vec::new();
    for choice in &CHOICES {
        let crates = tree(choice.features)?;
        println!("{}: {} crates, rumqttc {}", choice.words, crates.len(), choice.crates);
        if crates.len() > choice.crates {
            let names: Vec<_> = crates.iter().map(String::as_str).collect();
            faults.push(format!("{} are {} crates: {}", choice.words, crates.len(), names.join(", ")));
        }
        for (number, profile) in PROFILES.iter().enumerate().filter(|_| binary) {
            let ours = hello("hello-gridmq", choice, profile)?;
            let theirs = hello("hello-rumqttc", choice, profile)?;
            let line =
                format!("{}, {}: {}, rumqttc {}", choice.words, profile.words, megabytes(ours), megabytes(theirs));
            println!("{line}");
            if number == 0 && choice.limited && ours > theirs {
                faults.push(line);
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

/// Builds a program that does no more than publish, and weighs it.
fn hello(package: &str, choice: &Choice, profile: &Profile) -> Result<u64> {
    let dir = target().join("weigh");
    let mut command = cargo();
    command.current_dir(root().join("bench/peers"));
    for variable in ["STRIP", "LTO", "CODEGEN_UNITS", "OPT_LEVEL", "PANIC"] {
        command.env_remove(format!("CARGO_PROFILE_RELEASE_{variable}"));
    }
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    command.envs(profile.variables.iter().map(|(name, value)| (format!("CARGO_PROFILE_RELEASE_{name}"), value)));
    command.args(["build", "--quiet", "--locked", "--release", "--package", package, "--target-dir"]).arg(&dir);
    quiet(command.args(choice.hello))?;
    let file = dir.join("release").join(package);
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
