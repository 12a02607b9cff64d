//! The migration page names tests that exist, and every test that is named for a defect or a pain.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mqttnet.md");

/// What a row is about: `defect` or `pain`, and its number.
type Row = (String, u32);

fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// Every function of the sources.
fn functions() -> BTreeSet<String> {
    let mut texts = Vec::new();
    sources(&Path::new(ROOT).join("crates"), &mut texts);
    let lines = texts.iter().flat_map(|text| text.lines());
    lines
        .filter_map(|line| {
            let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("async ");
            line.strip_prefix("fn ")?.split(['(', '<']).next().map(str::to_owned)
        })
        .collect()
}

/// What a test is named for, such as `defect_01_…`.
fn subject(name: &str) -> Option<Row> {
    let mut parts = name.splitn(3, '_');
    let (kind @ ("defect" | "pain"), number) = (parts.next()?, parts.next()?) else { return None };
    parts.next()?;
    Some((kind.to_owned(), number.parse().ok()?))
}

/// A row of the tables, if the line is one: what it is about, all of it but the last cell, and that.
fn row<'a>(kind: &str, line: &'a str) -> Option<(Row, &'a str, &'a str)> {
    let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let number = cells.first()?.parse().ok()?;
    let before = line.strip_suffix('|')?.rsplit_once('|')?.0;
    Some(((kind.to_owned(), number), before, cells.get(2)?))
}

#[test]
fn the_page_and_the_tests_agree() {
    let page = fs::read_to_string(PAGE).unwrap();
    let functions = functions();
    let mut tests = BTreeMap::<Row, Vec<&str>>::new();
    for name in &functions {
        if let Some(row) = subject(name) {
            tests.entry(row).or_default().push(name);
        }
    }
    let (mut kind, mut seen, mut empty, mut made) = ("", BTreeSet::new(), Vec::new(), String::new());
    for line in page.lines() {
        match line {
            "| number | defect | shown by |" => kind = "defect",
            "| number | pain | shown by |" => kind = "pain",
            _ => {}
        }
        let Some((row, before, cell)) = row(kind, line).filter(|_| !kind.is_empty()) else {
            made.push_str(line);
            made.push('\n');
            continue;
        };
        let listed = cell.split(", ").map(|name| name.trim_matches('`')).filter(|name| !name.is_empty());
        // Those of this row come from the sources; others stay, as far as they exist.
        let mut names = tests.get(&row).cloned().unwrap_or_default();
        for name in listed.filter(|name| subject(name).as_ref() != Some(&row)) {
            assert!(functions.contains(name), "{} {}: {name} is no test", row.0, row.1);
            names.push(name);
        }
        if names.is_empty() {
            empty.push(format!("{} {}", row.0, row.1));
        }
        let names: String = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let gap = if names.is_empty() { "" } else { " " };
        made.push_str(&format!("{before}|{gap}{names} |\n"));
        seen.insert(row);
    }
    let without_row: Vec<_> = tests.keys().filter(|row| !seen.contains(*row)).collect();
    assert!(without_row.is_empty(), "docs/mqttnet.md has no rows for {without_row:?}");
    if std::env::var_os("GRIDMQ_BLESS").is_some() {
        fs::write(PAGE, &made).unwrap();
    } else {
        let lines = made.lines().zip(page.lines());
        let stale: Vec<_> = lines.filter(|(made, page)| made != page).map(|(made, _)| made).collect();
        assert!(stale.is_empty(), "docs/mqttnet.md is to say (run with GRIDMQ_BLESS=1):\n{}", stale.join("\n"));
    }
    assert!(empty.is_empty(), "nothing shows {empty:?}");
}

/// What the sources declare: functions, types, modules, fields and variants.
fn declared() -> BTreeSet<String> {
    let mut texts = Vec::new();
    for part in ["client/src", "tls/src", "proto/src"] {
        sources(&Path::new(ROOT).join("crates").join(part), &mut texts);
    }
    let words = |line: &str| {
        let (mut line, declarations) = (line.trim_start(), ["fn", "struct", "enum", "trait", "mod", "static", "type"]);
        for prefix in ["pub ", "const ", "async "] {
            line = line.strip_prefix(prefix).unwrap_or(line);
        }
        let declares = declarations.iter().find_map(|kind| line.strip_prefix(kind)?.strip_prefix(' '));
        let name: String =
            declares.unwrap_or(line).chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        Some(name).filter(|name| !name.is_empty())
    };
    texts.iter().flat_map(|text| text.lines()).filter_map(words).collect()
}

#[test]
fn the_pages_name_what_there_is() {
    let declared = declared();
    let mut missing = BTreeSet::new();
    for page in ["mqttnet.md", "client.md", "presets.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join("docs").join(page)).unwrap();
        let mut code = false;
        for line in text.lines() {
            code ^= line.starts_with("```");
            if code {
                continue;
            }
            for quoted in line.split('`').skip(1).step_by(2) {
                // `Type::method`, or `.method` of what was said before.
                let path = quoted.split(['(', '<']).next().unwrap_or_default();
                let ours = path.contains("::") || path.starts_with('.');
                let name = path.rsplit(['.', ':']).next().unwrap_or_default();
                let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                let is_file = path.starts_with(".env") || path.contains('/');
                if ours && is_name && !is_file && !declared.contains(name) {
                    missing.insert(format!("{page}: {quoted}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "there is no such thing: {missing:#?}");
}
