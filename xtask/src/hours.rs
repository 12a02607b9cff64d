//! `cargo xtask hours`: runs that take hours, in slices that may be resumed, on one commit's programs.
//!
//! The programs are built once into `target/hours/COMMIT/bin`. Each slice adds a line of counts to the file of its kind
//! there, so that a slice that is interrupted costs that slice alone.

mod soak;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::shell::{Context, Result, cargo, fail, quiet, root, target, tee};

/// Where the counts go in docs/reliability.md.
const BEGIN: &str = "<!-- hours: written by `cargo xtask hours --write` -->\n";
const END: &str = "<!-- /hours -->\n";

/// What is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sessions of any bytes.
    Fuzz,
    /// The broker killed under load.
    Crash,
    /// Load with churn, and the broker's memory.
    Soak,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Fuzz, Self::Crash, Self::Soak];

    const fn name(self) -> &'static str {
        match self {
            Self::Fuzz => "fuzz",
            Self::Crash => "crash",
            Self::Soak => "soak",
        }
    }
}

/// The command's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    kinds: Vec<Kind>,
    slice: Duration,
    write: bool,
    /// The commit whose programs are there already, and are to go on.
    commit: Option<String>,
}

impl Choice {
    /// `None`: they are not right.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut choice = Self { kinds: Vec::new(), slice: Duration::from_secs(20 * 60), write: false, commit: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--write" => choice.write = true,
                "--slice" => choice.slice = time(words.next()?)?,
                "--commit" => choice.commit = Some((*words.next()?).to_owned()).filter(|name| name.len() >= 4),
                other => {
                    choice.kinds.push(*Kind::ALL.iter().find(|kind| other.strip_prefix("--") == Some(kind.name()))?)
                }
            }
        }
        if choice.kinds.is_empty() && !choice.write {
            choice.kinds = Kind::ALL.to_vec();
        }
        Some(choice)
    }
}

/// `90s` or `20m`.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// The directory of one commit's runs.
#[derive(Debug)]
struct Place {
    commit: String,
    dir: PathBuf,
}

/// `cargo xtask hours`.
pub(crate) fn command(choice: &Choice) -> Result<()> {
    let place = match &choice.commit {
        Some(name) => Place::of(name)?,
        None => {
            let commit = quiet(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(root()))?;
            let commit = commit.trim().to_owned();
            let place = Place { dir: target().join("hours").join(&commit), commit };
            if !choice.kinds.is_empty() {
                place.prepare()?;
            }
            place
        }
    };
    for &kind in &choice.kinds {
        println!("== {}: {} s on commit {}", kind.name(), choice.slice.as_secs(), place.commit);
        let lines = match kind {
            Kind::Fuzz => {
                place.run("fuzz-broker", &["fuzzing::session::tests::whole_sessions", "--nocapture"], choice.slice)
            }
            Kind::Crash => {
                place.run("broker_killed", &["--ignored", "--nocapture", "--test-threads", "1"], choice.slice)
            }
            Kind::Soak => soak::slice(&place, choice.slice),
        };
        place.note(kind, &lines?)?;
    }
    let done = counts(&target().join("hours"))?;
    let summary = summary(&done);
    print!("\n{summary}");
    match choice.write {
        true if summary.is_empty() => fail("nothing has been run yet: cargo xtask hours"),
        true => write(&summary),
        false => Ok(()),
    }
}

impl Place {
    /// That of a commit whose programs are built, by the beginning of its name.
    fn of(name: &str) -> Result<Self> {
        let hours = target().join("hours");
        let entries = fs::read_dir(&hours).context(hours.display())?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let found: Vec<String> = names.filter(|commit| commit.starts_with(name) || name.starts_with(commit)).collect();
        match found.as_slice() {
            [commit] => {
                let place = Self { dir: hours.join(commit), commit: commit.clone() };
                let complete = place.program("complete").is_file();
                if complete { Ok(place) } else { fail(format!("the programs of commit {commit} are not complete")) }
            }
            _ => fail(format!("{} commits in {} begin with {name}", found.len(), hours.display())),
        }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }

    /// Builds what is not there yet.
    fn prepare(&self) -> Result<()> {
        if self.program("complete").is_file() {
            return Ok(());
        }
        let changed = quiet(Command::new("git").args(["status", "--porcelain", "-uno"]).current_dir(root()))?;
        if !changed.is_empty() {
            return fail("the hours are of one commit: commit what is changed first");
        }
        let bin = self.dir.join("bin");
        fs::create_dir_all(&bin).context(bin.display())?;
        build(&["build", "--bin", "gridmq"])?;
        copy(&target().join("release/gridmq"), &self.program("gridmq"))?;
        for (name, what) in [
            ("broker_killed", &["test", "--no-run", "-p", "gridmq-testkit", "--test", "broker_killed"][..]),
            ("fuzz-broker", &["test", "--no-run", "-p", "gridmq-broker", "--lib"]),
        ] {
            copy(&executable(&build(what)?)?, &self.program(name))?;
        }
        fs::write(self.program("complete"), "").context("the programs are complete")
    }

    /// Runs a test of ours for a slice; answers its lines of counts.
    fn run(&self, program: &str, args: &[&str], slice: Duration) -> Result<Vec<String>> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        println!("seed {seed}");
        let mut command = Command::new(self.program(program));
        command.args(args).env("GRIDMQ_HOURS_SECONDS", slice.as_secs().to_string());
        command.env("GRIDMQ_HOURS_SEED", seed.to_string()).env("GRIDMQ_HOURS_BROKER", self.program("gridmq"));
        command.env("RUST_BACKTRACE", "0");
        let (ok, lines) = tee(&mut command)?;
        if !ok {
            return fail(format!("{program} has found something with seed {seed}: see above"));
        }
        Ok(lines)
    }

    /// Keeps the counts of a slice.
    fn note(&self, kind: Kind, lines: &[String]) -> Result<()> {
        let start = format!("{}: ", kind.name());
        let file = self.dir.join(kind.name());
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&file).context(file.display())?;
        let counts = lines.iter().filter_map(|line| line.find(&start).and_then(|at| line.get(at + start.len()..)));
        let mut noted = false;
        for line in counts {
            noted = true;
            writeln!(file, "{line}").context("a count is kept")?;
        }
        // A run of no tests is a success to the harness.
        if noted { Ok(()) } else { fail(format!("the {} run told no counts: is there such a test?", kind.name())) }
    }
}

/// The lines of counts of each kind, and of which commit: the one on which it ran last.
fn counts(hours: &Path) -> Result<Vec<(Kind, String, String)>> {
    let mut newest: BTreeMap<&str, (SystemTime, Kind, String, String)> = BTreeMap::new();
    for entry in fs::read_dir(hours).context(hours.display())? {
        let entry = entry.context(hours.display())?;
        let commit = entry.file_name().to_string_lossy().into_owned();
        for kind in Kind::ALL {
            let file = entry.path().join(kind.name());
            let Ok(lines) = fs::read_to_string(&file) else { continue };
            let at = fs::metadata(&file).and_then(|about| about.modified()).context(file.display())?;
            if newest.get(kind.name()).is_none_or(|(before, ..)| *before < at) {
                newest.insert(kind.name(), (at, kind, commit.clone(), lines));
            }
        }
    }
    let of =
        |kind: Kind| newest.get(kind.name()).map(|(_, kind, commit, lines)| (*kind, commit.clone(), lines.clone()));
    Ok(Kind::ALL.into_iter().filter_map(of).collect())
}

/// What came of everything so far, as Markdown; nothing if nothing did.
fn summary(done: &[(Kind, String, String)]) -> String {
    let mut rows = String::new();
    for (kind, commit, lines) in done {
        for (name, counts) in totals(lines) {
            rows.push_str(&format!("| {}{name} | {commit} | {counts} |\n", kind.name()));
        }
    }
    if rows.is_empty() { rows } else { format!("| run | commit | counts |\n|---|---|---|\n{rows}") }
}

/// The sums over all slices, by what is not a number; of numbers called `last_…` the newest.
fn totals(lines: &str) -> Vec<(String, String)> {
    let mut sums: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for line in lines.lines() {
        let pairs: Vec<_> = line.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        let name: String = pairs
            .iter()
            .filter(|(_, value)| value.parse::<u64>().is_err())
            .map(|(_, value)| format!(", {value}"))
            .collect();
        let sum = sums.entry(name).or_insert_with(|| vec![("slices".to_owned(), 0)]);
        for (key, value) in [("slices", 1)]
            .into_iter()
            .chain(pairs.iter().filter_map(|(key, value)| value.parse().ok().map(|value: u64| (*key, value))))
        {
            match sum.iter_mut().find(|(name, _)| name == key) {
                Some((_, before)) if key.starts_with("last_") => *before = value,
                Some((_, before)) => *before = before.saturating_add(value),
                None => sum.push((key.to_owned(), value)),
            }
        }
    }
    let show = |pairs: Vec<(String, u64)>| {
        let shown =
            |(key, value): &(String, u64)| format!("{} {value}", key.trim_start_matches("last_").replace('_', " "));
        pairs.iter().map(shown).collect::<Vec<_>>().join(", ")
    };
    sums.into_iter().map(|(name, pairs)| (name, show(pairs))).collect()
}

fn write(summary: &str) -> Result<()> {
    let file = root().join("docs/reliability.md");
    let text = fs::read_to_string(&file).context(file.display())?;
    fs::write(&file, with_summary(&text, summary)).context(file.display())
}

/// The page with that summary in place of the one before, or at its end.
fn with_summary(text: &str, summary: &str) -> String {
    let (before, after) = match (text.find(BEGIN), text.find(END)) {
        (Some(from), Some(to)) if from < to => (text.get(..from), text.get(to + END.len()..)),
        _ => (Some(text), Some("")),
    };
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let head = if before.contains("\n## Long runs\n") { "" } else { "\n## Long runs\n" };
    format!("{before}{head}{BEGIN}{summary}{END}{after}")
}

/// Builds for release; answers what cargo said.
fn build(words: &[&str]) -> Result<Vec<String>> {
    let Some((verb, rest)) = words.split_first() else { return fail("nothing to build") };
    let (ok, lines) = tee(cargo().arg(verb).args(["--release", "--locked"]).args(rest))?;
    if ok { Ok(lines) } else { fail("the build failed") }
}

/// The test that cargo says it has built: `Executable tests/x.rs (PATH)`.
fn executable(lines: &[String]) -> Result<PathBuf> {
    let path = lines.iter().find_map(|line| {
        line.trim().strip_prefix("Executable ")?.rsplit_once('(').and_then(|(_, path)| path.strip_suffix(')'))
    });
    path.map(|path| root().join(path)).context("cargo did not say what it has built")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).context(format_args!("{} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let all = Choice { kinds: Kind::ALL.to_vec(), slice: minutes(20), write: false, commit: None };
        assert_eq!(Choice::read(&[]), Some(all));
        let some =
            Choice { kinds: vec![Kind::Crash, Kind::Fuzz], slice: Duration::from_secs(90), write: false, commit: None };
        assert_eq!(Choice::read(&["--crash", "--slice", "90s", "--fuzz"]), Some(some));
        let written = Choice { kinds: Vec::new(), slice: minutes(20), write: true, commit: Some("0123abc".to_owned()) };
        assert_eq!(Choice::read(&["--write", "--commit", "0123abc"]), Some(written));
        for wrong in
            [&["--slice"][..], &["--commit"], &["--slice", "20"], &["--slice", "0m"], &["--slice", ""], &["soak"]]
        {
            assert_eq!(Choice::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn each_kind_has_the_commit_on_which_it_ran_last() {
        let hours = std::env::temp_dir().join(format!("gridmq-hours-{}", std::process::id()));
        let _ = fs::remove_dir_all(&hours);
        for (commit, kind, lines, at) in [
            ("aaaa", "fuzz", "n=1\n", 10),
            ("bbbb", "fuzz", "n=2\nn=3\n", 20),
            ("aaaa", "crash", "durability=os n=4\n", 5),
        ] {
            fs::create_dir_all(hours.join(commit)).unwrap();
            fs::write(hours.join(commit).join(kind), lines).unwrap();
            let file = fs::File::options().append(true).open(hours.join(commit).join(kind)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(at)).unwrap();
        }
        let expected = "| run | commit | counts |\n|---|---|---|\n| fuzz | bbbb | slices 2, n 5 |\n\
                        | crash, os | aaaa | slices 1, n 4 |\n";
        assert_eq!(summary(&counts(&hours).unwrap()), expected);
        fs::remove_dir_all(&hours).unwrap();
        assert_eq!(summary(&[]), "");
    }

    #[test]
    fn slices_add_up() {
        let lines = "durability=os kills=3 lost=0\ndurability=fsync kills=1 lost=0\ndurability=os kills=4 lost=1\n";
        let expected = [(", fsync", "slices 1, kills 1, lost 0"), (", os", "slices 2, kills 7, lost 1")];
        assert_eq!(totals(lines), expected.map(|(name, counts)| (name.to_owned(), counts.to_owned())));
        let soak = totals("seconds=5 last_kib=7\nseconds=6 last_kib=8\n");
        assert_eq!(soak, [(String::new(), "slices 2, seconds 11, kib 8".to_owned())]);
    }

    #[test]
    fn a_summary_takes_the_place_of_the_one_before() {
        let first = with_summary("# Page\n\n## Damage\nwords\n", "one\n");
        assert_eq!(first, format!("# Page\n\n## Damage\nwords\n\n## Long runs\n{BEGIN}one\n{END}"));
        let more = format!("{first}more\n");
        assert_eq!(with_summary(&more, "two\n"), more.replace("one", "two"));
        let placed = format!("## Long runs\nWords.\n{BEGIN}{END}\n## After\n");
        let placed = format!("# Page\n{placed}");
        assert_eq!(with_summary(&placed, "x\n"), format!("# Page\n## Long runs\nWords.\n{BEGIN}x\n{END}\n## After\n"));
    }

    #[test]
    fn cargo_says_what_it_has_built() {
        let lines = vec!["   Compiling x".to_owned(), "  Executable tests/x.rs (/t/release/deps/x-1)".to_owned()];
        assert_eq!(executable(&lines).unwrap(), PathBuf::from("/t/release/deps/x-1"));
        assert!(executable(&[]).is_err());
    }
}
