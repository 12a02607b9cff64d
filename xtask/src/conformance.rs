//! `cargo xtask conformance`: which normative statements the tests' names cover.
//!
//! A name covers a statement if it contains its number: `mqtt5_3_1_2_24_…` is MQTT-3.1.2-24 of MQTT 5.0,
//! `mqtt311_…` the same for 3.1.1, and `…_and_mqtt311_1_5_3_1_…` adds another one.

mod names;
mod page;

use std::collections::BTreeMap;
use std::path::Path;

use crate::shell::{Context, Failure, Result, fail, root};
use crate::sources;
use names::{Standard, Statement};

/// The page, relative to the root.
const PAGE: &str = "docs/conformance.md";
/// Where the lists of statements are.
const LISTS: &str = "docs/statements";

/// A test that covers a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cover {
    test: String,
    path: String,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    statement: Statement,
    codec: bool,
    covers: Vec<Cover>,
    reason: Option<String>,
}

/// Writes the page, or checks that it is up to date. Fails if a statement of the codec's has no test.
pub(crate) fn command(check: bool) -> Result<()> {
    let root = root();
    let lists = Lists::read(&root.join(LISTS))?;
    let (rows, strangers) = gather(&lists)?;
    let text = page::render(&rows);
    let file = root.join(PAGE);
    let mut faults: Vec<String> = strangers;
    if check {
        let have = std::fs::read_to_string(&file).unwrap_or_default();
        if have != text {
            faults.push(format!("{PAGE} is not up to date; run cargo xtask conformance"));
        }
    } else {
        std::fs::write(&file, &text).context(format_args!("cannot write {}", file.display()))?;
    }
    for row in rows.iter().filter(|row| row.codec && row.covers.is_empty()) {
        faults.push(format!("{} is the codec's and no test covers it", row.statement));
    }
    for fault in &faults {
        println!("fault: {fault}");
    }
    println!("{}", page::counts(&rows));
    if faults.is_empty() {
        Ok(())
    } else {
        fail(format!("faults in the conformance table, listed above: {}", faults.len()))
    }
}

/// Puts the tests to the statements; the second value names tests whose statement does not exist.
fn gather(lists: &Lists) -> Result<(Vec<Row>, Vec<String>)> {
    let mut covers: BTreeMap<Statement, Vec<Cover>> = BTreeMap::new();
    let mut strangers = Vec::new();
    for source in sources::all()?.iter().filter(|source| !source.path.starts_with("xtask/")) {
        for test in sources::tests(&source.text) {
            for statement in names::statements(&test.name) {
                if !lists.all.contains(&statement) {
                    strangers.push(format!("{} in {} names {statement}, which is not listed", test.name, source.path));
                    continue;
                }
                let cover = Cover { test: test.name.clone(), path: source.path.clone() };
                covers.entry(statement).or_default().push(cover);
            }
        }
    }
    let row = |statement: &Statement| {
        let mut covers = covers.remove(statement).unwrap_or_default();
        covers.sort();
        covers.dedup();
        Row {
            statement: *statement,
            codec: lists.codec.contains(statement),
            covers,
            reason: lists.reasons.get(statement).cloned(),
        }
    };
    Ok((lists.all.iter().map(row).collect(), strangers))
}

/// The statements of both standards and what is known of them.
struct Lists {
    /// In the order of the standards.
    all: Vec<Statement>,
    codec: Vec<Statement>,
    reasons: BTreeMap<Statement, String>,
}

impl Lists {
    fn read(dir: &Path) -> Result<Self> {
        let mut all = Vec::new();
        for standard in [Standard::Mqtt5, Standard::Mqtt311] {
            for (line, text) in lines(&dir.join(standard.list()))? {
                let statement = Statement::parse(standard, text.trim()).ok_or_else(|| line.fault("MQTT-3.1.2-24"))?;
                all.push(statement);
            }
        }
        let known = |line: &Line, standard, number: &str| {
            let statement =
                Statement::parse(standard, number).ok_or_else(|| line.fault("a heading, or MQTT-3.1.2-24"))?;
            if all.contains(&statement) { Ok(statement) } else { Err(line.fault("a statement that is listed")) }
        };
        let mut codec = Vec::new();
        for (line, standard, text) in sections(&dir.join("codec.txt"))? {
            codec.push(known(&line, standard, text.trim())?);
        }
        let mut reasons = BTreeMap::new();
        if dir.join("reasons.txt").is_file() {
            for (line, standard, text) in sections(&dir.join("reasons.txt"))? {
                let (number, reason) = text
                    .split_once(char::is_whitespace)
                    .ok_or_else(|| line.fault("a statement and, after it, a reason"))?;
                reasons.insert(known(&line, standard, number)?, reason.trim().to_owned());
            }
        }
        Ok(Self { all, codec, reasons })
    }
}

/// Where a line of a list stands.
struct Line {
    file: String,
    number: usize,
}

impl Line {
    fn fault(&self, expected: &str) -> Failure {
        Failure(format!("{}:{}: expected {expected}", self.file, self.number))
    }
}

/// The lines of a list that are neither empty nor comments.
fn lines(file: &Path) -> Result<Vec<(Line, String)>> {
    let text = std::fs::read_to_string(file).context(format_args!("cannot read {}", file.display()))?;
    let name = format!("{LISTS}/{}", file.file_name().unwrap_or_default().to_string_lossy());
    let numbered = text.lines().enumerate().map(|(index, text)| (Line { file: name.clone(), number: index + 1 }, text));
    Ok(numbered
        .filter(|(_, text)| !text.trim().is_empty() && !text.starts_with('#'))
        .map(|(line, text)| (line, text.to_owned()))
        .collect())
}

/// The lines of a list with headings `[mqtt-5.0]` and `[mqtt-3.1.1]`.
fn sections(file: &Path) -> Result<Vec<(Line, Standard, String)>> {
    let mut standard = None;
    let mut found = Vec::new();
    for (line, text) in lines(file)? {
        match text.trim() {
            "[mqtt-5.0]" => standard = Some(Standard::Mqtt5),
            "[mqtt-3.1.1]" => standard = Some(Standard::Mqtt311),
            _ => {
                let standard = standard.ok_or_else(|| line.fault("the heading [mqtt-5.0] or [mqtt-3.1.1]"))?;
                found.push((line, standard, text));
            }
        }
    }
    Ok(found)
}
