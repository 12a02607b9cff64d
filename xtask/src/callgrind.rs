//! `cargo xtask callgrind`: instructions of encoding, decoding, the client's machine and the broker's routes, against a
//! stored baseline.
//!
//! The cases are the functions `case_…` of `crates/proto/benches/instructions.rs` and `crates/broker/benches/routes.rs`.
//! Valgrind counts what each of them
//! and all that it calls executes; the same build counts the same on every machine, up to the seeds of hash maps.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Command;

use crate::setup::{Installer, Peer};
use crate::shell::{Context, Result, cargo, fail, quiet, root, target};

/// What is measured: package, bench, features.
const PROGRAMS: [(&str, &str, &[&str]); 2] =
    [("gridmq-proto", "instructions", &[]), ("gridmq-broker", "routes", &["--features", "measure"])];
/// The counts that a change is held against.
const BASELINE: &str = "bench/instructions.txt";
/// A case may execute so many per cent more than its baseline.
const MARGIN: u64 = 3;
/// The same for the broker's routes: the seeds of their tables differ from run to run.
const MARGIN_OF_ROUTES: u64 = 8;
/// How their names begin.
const ROUTES: &str = "route_";
/// And so many instructions: what the compiler inlines elsewhere moves a small case by that.
const SLACK: u64 = 80;
/// Rounds of a case in one call: `ROUNDS` of the measured programs.
const ROUNDS: u64 = 1000;

/// Instructions of one round, by case.
type Counts = BTreeMap<String, u64>;

/// Counts, and compares with the baseline, or writes it.
pub(crate) fn command(bless: bool) -> Result<()> {
    Installer::default().prepare(Peer::Valgrind)?;
    let counts = count()?;
    let file = root().join(BASELINE);
    if bless {
        std::fs::write(&file, page(&counts)).context(format_args!("cannot write {}", file.display()))?;
        println!("{BASELINE}: {} cases", counts.len());
        return Ok(());
    }
    let text = std::fs::read_to_string(&file).context(format_args!("cannot read {}", file.display()))?;
    let (lines, faults) = compare(&counts, &read(&text));
    println!("{}", lines.join("\n"));
    if faults.is_empty() {
        return Ok(());
    }
    fail(format!(
        "{}; where that is meant, or the compiler is another one, `cargo xtask callgrind --bless` writes {BASELINE} anew",
        faults.join("; ")
    ))
}

fn count() -> Result<Counts> {
    let mut all = Counts::new();
    for (package, bench, features) in PROGRAMS {
        let program = build(package, bench, features)?;
        let out = target().join(format!("callgrind.{bench}.out"));
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", out.display()));
        quiet(valgrind.arg(program))?;
        let text = std::fs::read_to_string(&out).context(format_args!("cannot read {}", out.display()))?;
        let counts = cases(&text);
        if counts.is_empty() {
            return fail(format!("callgrind saw none of the cases of {bench}"));
        }
        all.extend(counts);
    }
    Ok(all)
}

/// The path of a measured program.
fn build(package: &str, bench: &str, features: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["bench", "--locked", "--no-run", "--package", package, "--bench", bench]).args(features);
    let messages = quiet(command.args(["--message-format", "json-render-diagnostics"]))?;
    let key = "\"executable\":\"";
    let mut paths = messages.lines().filter_map(|line| line.split_once(key)?.1.split('"').next());
    paths.next_back().map(PathBuf::from).context("cargo built no program to measure")
}

/// The inclusive cost of each case in callgrind's output. In the part of a function each line with a position ends
/// with a cost: its own, or, after `calls=`, that of what it called.
fn cases(text: &str) -> Counts {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut counts = Counts::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            // The name stands where the number first occurs.
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            let name = if name.is_empty() { names.get(number).copied().unwrap_or_default() } else { name };
            names.insert(number, name);
            current = case(name).map(str::to_owned);
        } else if let Some((_, name)) = line.strip_prefix("cfn=").and_then(|called| called.split_once(' ')) {
            let number = line.trim_start_matches("cfn=").split(' ').next().unwrap_or_default();
            names.insert(number, name);
        } else if let (Some(case), true) =
            (&current, line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)))
            && let Some(cost) = line.rsplit(' ').next().and_then(|cost| cost.parse::<u64>().ok())
        {
            *counts.entry(case.clone()).or_default() += cost;
        }
    }
    counts.values_mut().for_each(|count| *count /= ROUNDS);
    counts
}

/// The name of the case whose function that is; closures in it are not.
fn case(function: &str) -> Option<&str> {
    let (_, name) = function.split_once("::case_")?;
    let name = name.split("::h").next().unwrap_or(name);
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

fn page(counts: &Counts) -> String {
    let mut page = format!(
        "# Instructions of one round of each case of crates/proto/benches/instructions.rs and crates/broker/benches/routes.rs.\n\
         # Written by `cargo xtask callgrind --bless`; `cargo xtask callgrind` fails beyond {MARGIN} per cent more\n\
         # ({MARGIN_OF_ROUTES} for routes, whose tables have other seeds in each run),\n\
         # and never for less than {SLACK} instructions.\n"
    );
    for (case, count) in counts {
        page.push_str(&format!("{case:<36} {count:>8}\n"));
    }
    page
}

fn read(page: &str) -> Counts {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(case, n)| Some((case.to_owned(), n.trim().parse().ok()?)))
        .collect()
}

/// A line for each case, and what is wrong.
fn compare(counts: &Counts, baseline: &Counts) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for (case, &count) in counts {
        let Some(&before) = baseline.get(case) else {
            faults.push(format!("{case} is not in {BASELINE}"));
            continue;
        };
        let change = (count as f64 / before.max(1) as f64 - 1.0) * 100.0;
        lines.push(format!("{case:<36} {count:>8} {change:>+7.1} %"));
        let margin = if case.starts_with(ROUTES) { MARGIN_OF_ROUTES } else { MARGIN };
        if count > (before * (100 + margin) / 100).max(before + SLACK) {
            faults.push(format!("{case} takes {count} instructions, {change:.1} % more than {before}"));
        }
    }
    faults.extend(baseline.keys().filter(|&case| !counts.contains_key(case)).map(|case| format!("{case} was not run")));
    (lines, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "events: Ir\n\
        fn=(1) main\n10 5\ncfn=(2) instructions::case_encode::h0123456789abcdef\ncalls=1 20\n11 9000\n\n\
        fn=(2)\n20 1000\n+1 2000\ncfn=(3) memcpy\ncalls=7 0\n* 6000\n\n\
        fn=(3)\n0 6000\n\n\
        fn=(4) instructions::case_encode::{{closure}}\n0 5000\n";

    #[test]
    fn a_case_costs_what_it_and_its_callees_execute() {
        assert_eq!(cases(OUTPUT), Counts::from([("encode".to_owned(), 9)]));
    }

    #[test]
    fn what_is_written_is_read() {
        let counts = Counts::from([("a".to_owned(), 1000), ("b".to_owned(), 7)]);
        assert_eq!(read(&page(&counts)), counts);
    }

    #[test]
    fn more_than_the_margin_is_a_fault_and_less_is_none() {
        let baseline = Counts::from([("a".to_owned(), 10_000)]);
        let faults = |count| compare(&Counts::from([("a".to_owned(), count)]), &baseline).1;
        assert!(faults(10_300).is_empty() && faults(10).is_empty());
        assert_eq!(faults(10_301).len(), 1);
        let small = Counts::from([("a".to_owned(), 100)]);
        let faults = |count| compare(&Counts::from([("a".to_owned(), count)]), &small).1;
        assert!(faults(180).is_empty());
        assert_eq!(faults(181).len(), 1);
        assert_eq!(compare(&Counts::new(), &baseline).1, ["a was not run"]);
        assert_eq!(compare(&baseline, &Counts::new()).1.len(), 1);
    }
}
