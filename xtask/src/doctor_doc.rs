//! `cargo xtask doctor-doc`: docs/doctor.md from the catalogue's sources and the names of the tests.
//!
//! A test covers an entry if its name begins with `doctor_` and the entry's id: `doctor_a19_key_of_another`.

mod page;
mod read;

use std::collections::BTreeMap;

use crate::shell::{Context, Result, fail, root};
use crate::sources::{self, Ignored};

/// The page, relative to the root.
const PAGE: &str = "docs/doctor.md";
/// Why an entry has no fixture, a line each.
const REASONS: &str = "docs/doctor-without-fixture.txt";
/// Of every five entries, this many must have a fixture.
const OF_FIVE: usize = 4;

/// An entry of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    id: String,
    stage: String,
    name: String,
    title: String,
    why: String,
    fix: String,
    fixtures: Vec<Fixture>,
    reason: Option<String>,
}

/// A test that shows an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fixture {
    test: String,
    path: String,
    /// What it needs, where it does not always run.
    needs: Option<String>,
}

/// Writes the page, or checks that it is up to date. Fails if an entry has neither a fixture nor a reason, or too many
/// have none.
pub(crate) fn command(check: bool) -> Result<()> {
    let root = root();
    let text = |path: &str| {
        let file = root.join(path);
        std::fs::read_to_string(&file).context(format_args!("cannot read {}", file.display()))
    };
    let mut entries = read::entries(&text("crates/catalogue/src/ids.rs")?);
    for group in read::GROUPS {
        read::add_words(&mut entries, &text(&format!("crates/catalogue/src/words/{group}.rs"))?);
    }
    let mut faults = Vec::new();
    add_fixtures(&mut entries, &mut faults)?;
    add_reasons(&mut entries, &std::fs::read_to_string(root.join(REASONS)).unwrap_or_default(), &mut faults);
    let mut profiles = Vec::new();
    for file in read::PROFILES {
        profiles.push(read::profile(&text(&format!("crates/doctor/profiles/{file}.toml"))?));
    }
    let exits = read::exits(&text("crates/doctor/src/exit.rs")?);
    let page = page::render(&entries, &exits, &profiles);
    let file = root.join(PAGE);
    if check {
        if std::fs::read_to_string(&file).unwrap_or_default() != page {
            faults.push(format!("{PAGE} is not up to date; run cargo xtask doctor-doc"));
        }
    } else {
        std::fs::write(&file, &page).context(format_args!("cannot write {}", file.display()))?;
    }
    for entry in &entries {
        if entry.why.is_empty() || entry.fix.is_empty() {
            faults.push(format!("{} has no words", entry.id));
        }
        if entry.fixtures.is_empty() && entry.reason.is_none() {
            faults.push(format!("{} has no fixture, and {REASONS} gives no reason", entry.id));
        }
    }
    let shown = entries.iter().filter(|entry| !entry.fixtures.is_empty()).count();
    if shown * 5 < entries.len() * OF_FIVE {
        faults.push(format!("only {shown} of {} entries have a fixture", entries.len()));
    }
    for fault in &faults {
        println!("fault: {fault}");
    }
    println!("the doctor's catalogue: {shown} of {} entries have a fixture", entries.len());
    if faults.is_empty() {
        Ok(())
    } else {
        fail(format!("faults in the doctor's catalogue, listed above: {}", faults.len()))
    }
}

fn add_fixtures(entries: &mut [Entry], faults: &mut Vec<String>) -> Result<()> {
    for source in sources::all()?.iter().filter(|source| !source.path.starts_with("xtask/")) {
        for test in sources::tests(&source.text) {
            let Some(id) = read::id_of_test(&test.name) else { continue };
            let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) else {
                faults.push(format!("{} in {} names {id}, which is not in the catalogue", test.name, source.path));
                continue;
            };
            let needs = match test.ignored {
                Ignored::Because(reason) => Some(reason.split(';').next().unwrap_or_default().trim().to_owned()),
                _ => None,
            };
            entry.fixtures.push(Fixture { test: test.name, path: source.path.clone(), needs });
        }
    }
    for entry in entries {
        entry.fixtures.sort();
        entry.fixtures.dedup();
    }
    Ok(())
}

fn add_reasons(entries: &mut [Entry], text: &str, faults: &mut Vec<String>) {
    let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match line.split_once(' ') {
            Some((id, reason)) if entries.iter().any(|entry| entry.id == id) => {
                reasons.insert(id, reason.trim());
            }
            _ => faults.push(format!("{REASONS}: expected an id and a reason: {line}")),
        }
    }
    for entry in entries {
        entry.reason = reasons.get(entry.id.as_str()).map(|reason| (*reason).to_owned());
        if entry.reason.is_some() && !entry.fixtures.is_empty() {
            faults.push(format!("{} has a fixture, and {REASONS} says why it has none", entry.id));
        }
    }
}
