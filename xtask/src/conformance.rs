//! `cargo xtask conformance`: which normative statements the tests' names cover.
//!
//! A name covers a statement if it contains its number: `mqtt5_3_1_2_24_…` is MQTT-3.1.2-24 of MQTT 5.0,
//! `mqtt311_…` the same for 3.1.1, and `…_and_mqtt311_1_5_3_1_…` adds another one. `paho5_…` and `paho311_…` name a case
//! of the Eclipse Paho interoperability suites.

mod names;
mod page;
mod paho;

use std::collections::BTreeMap;
use std::path::Path;

use crate::shell::{Context, Failure, Result, fail, root};
use crate::{mutate, sources};
use names::{Standard, Statement};

/// The page, relative to the root.
const PAGE: &str = "docs/conformance.md";
/// Where the lists of statements are.
const LISTS: &str = "docs/statements";

/// Where the tests are that speak with a broker over a socket.
const OVER_SOCKETS: &str = "crates/testkit/tests/broker_";

/// A test that covers a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cover {
    test: String,
    path: String,
}

impl Cover {
    fn is_over_a_socket(&self) -> bool {
        self.path.starts_with(OVER_SOCKETS)
    }
}

/// Whom a statement binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binds {
    /// The server, alone or as well as the client: shown over a socket.
    Server,
    /// The client alone.
    Client,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    statement: Statement,
    binds: Binds,
    codec: bool,
    covers: Vec<Cover>,
    reason: Option<String>,
}

impl Row {
    /// Whether there is a test of the kind that the statement needs.
    fn is_shown(&self) -> bool {
        match self.binds {
            Binds::Server => self.covers.iter().any(Cover::is_over_a_socket),
            Binds::Client => !self.covers.is_empty(),
        }
    }

    /// What is wrong with it, if anything is.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let statement = &self.statement;
        if self.codec && self.covers.is_empty() {
            faults.push(format!("{statement} is the codec's and no test covers it"));
        }
        match (self.is_shown(), &self.reason, self.binds) {
            (false, None, Binds::Server) => faults.push(format!(
                "{statement} binds the server, and neither a test over a socket nor a reason is there: name a test in \
                 {OVER_SOCKETS}*.rs after it, or give a reason in {LISTS}/reasons.txt"
            )),
            (false, None, Binds::Client) => faults.push(format!("{statement} has neither a test nor a reason")),
            (true, Some(_), _) => {
                faults.push(format!("{statement} has a test and also a reason why there can be none; remove one"));
            }
            _ => {}
        }
        faults
    }
}

/// A test that speaks with a broker over a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    /// The binary of the test, as cargo names it.
    pub(crate) binary: String,
    /// The name of the test in it.
    pub(crate) name: String,
}

/// A statement that binds the server, and the tests that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawable {
    /// Its place among all.
    pub(crate) order: usize,
    /// `MQTT-3.1.2-24 of MQTT 5.0`
    pub(crate) name: String,
    pub(crate) tests: Vec<Test>,
}

impl Drawable {
    pub(crate) fn tests_in_words(&self) -> String {
        self.tests.iter().map(|test| format!("{}::{}", test.binary, test.name)).collect::<Vec<_>>().join(" ")
    }
}

/// Every statement that binds the server and is shown over a socket.
pub(crate) fn drawable() -> Result<Vec<Drawable>> {
    let (rows, _) = gather(&Lists::read(&root().join(LISTS))?)?;
    Ok(drawable_of(&rows))
}

fn drawable_of(rows: &[Row]) -> Vec<Drawable> {
    let servers = rows.iter().enumerate().filter(|(_, row)| row.binds == Binds::Server && row.is_shown());
    let drawable = |(order, row): (usize, &Row)| {
        let covers = row.covers.iter().filter(|cover| cover.is_over_a_socket());
        let test = |cover: &Cover| {
            let binary = cover.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            Test { binary, name: cover.test.clone() }
        };
        Drawable { order, name: row.statement.to_string(), tests: covers.map(test).collect() }
    };
    servers.map(drawable).collect()
}

/// Writes the page, or checks that it is up to date. Fails if a statement is neither shown by a test nor reasoned.
pub(crate) fn command(check: bool) -> Result<()> {
    let root = root();
    let lists = Lists::read(&root.join(LISTS))?;
    let (rows, strangers) = gather(&lists)?;
    let mut faults: Vec<String> = strangers;
    let cases = paho::gather(&lists.paho, &lists.paho_reasons, &mut faults)?;
    let text = page::render(&rows, &cases);
    let file = root.join(PAGE);
    if check {
        let have = std::fs::read_to_string(&file).unwrap_or_default();
        if have != text {
            faults.push(format!("{PAGE} is not up to date; run cargo xtask conformance"));
        }
    } else {
        std::fs::write(&file, &text).context(format_args!("cannot write {}", file.display()))?;
    }
    faults.extend(rows.iter().flat_map(Row::faults));
    faults.extend(mutate::faults(&root, &drawable_of(&rows))?);
    faults.extend(cases.iter().filter_map(paho::Case::fault));
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
            binds: if lists.client.contains(statement) { Binds::Client } else { Binds::Server },
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
    client: Vec<Statement>,
    reasons: BTreeMap<Statement, String>,
    /// Cases and what each checks.
    paho: Vec<(Standard, String, String)>,
    paho_reasons: Vec<(Standard, String, String)>,
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
        let numbers = |file: &str| -> Result<Vec<Statement>> {
            let sections = sections(&dir.join(file))?;
            sections.iter().map(|(line, standard, text)| known(line, *standard, text.trim())).collect()
        };
        let (codec, client) = (numbers("codec.txt")?, numbers("client.txt")?);
        let mut reasons = BTreeMap::new();
        for (line, standard, number, reason) in named(&dir.join("reasons.txt"))? {
            reasons.insert(known(&line, standard, &number)?, reason);
        }
        let cases = |file: &str| -> Result<Vec<(Standard, String, String)>> {
            let named = named(&dir.join(file))?;
            Ok(named.into_iter().map(|(_, standard, name, words)| (standard, name, words)).collect())
        };
        let (paho, paho_reasons) = (cases("paho.txt")?, cases("paho-reasons.txt")?);
        Ok(Self { all, codec, client, reasons, paho, paho_reasons })
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

/// The lines of such a list, each a name and, after it, words.
fn named(file: &Path) -> Result<Vec<(Line, Standard, String, String)>> {
    let split = |(line, standard, text): (Line, Standard, String)| {
        let (name, words) =
            text.split_once(char::is_whitespace).ok_or_else(|| line.fault("a name and, after it, words"))?;
        let (name, words) = (name.to_owned(), words.trim().to_owned());
        Ok((line, standard, name, words))
    };
    sections(file)?.into_iter().map(split).collect()
}
