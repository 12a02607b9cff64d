//! The text of docs/conformance.md.

use std::fmt::Write;

use super::Row;
use super::names::Standard;

const HEAD: &str = "\
# Conformance

Which normative statements of the MQTT standards are covered by tests. A test covers a statement when its name
contains the statement's number. This page is made by `cargo xtask conformance`; do not edit it.

*codec* marks the statements that are decided by the bytes of a packet and the syntax of topics alone. Each of them
must have a test.

";

/// The whole page.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::from(HEAD);
    text.push_str(&summary(rows));
    for standard in [Standard::Mqtt5, Standard::Mqtt311] {
        let version = standard.version();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## MQTT {version}\n\n| statement | codec | covered by |\n|---|---|---|\n");
        for row in rows.iter().filter(|row| row.statement.standard == standard) {
            let codec = if row.codec { "codec" } else { "" };
            let _ = writeln!(text, "| {} | {codec} | {} |", row.statement.number(), covered_by(row));
        }
    }
    text
}

/// One line for the terminal.
pub(crate) fn counts(rows: &[Row]) -> String {
    let parts = [Standard::Mqtt5, Standard::Mqtt311].map(|standard| {
        let count = Count::of(rows, standard);
        format!(
            "MQTT {}: {} of {} statements covered, the codec's {} of {}",
            standard.version(),
            count.covered,
            count.all,
            count.codec_covered,
            count.codec
        )
    });
    parts.join("\n")
}

struct Count {
    all: usize,
    covered: usize,
    codec: usize,
    codec_covered: usize,
    untestable: usize,
}

impl Count {
    fn of(rows: &[Row], standard: Standard) -> Self {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.statement.standard == standard).collect();
        let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
        Self {
            all: rows.len(),
            covered: count(|row| !row.covers.is_empty()),
            codec: count(|row| row.codec),
            codec_covered: count(|row| row.codec && !row.covers.is_empty()),
            untestable: count(|row| row.covers.is_empty() && row.reason.is_some()),
        }
    }
}

fn summary(rows: &[Row]) -> String {
    let mut text = String::from(
        "| standard | statements | covered | not yet | not testable | of the codec's |\n|---|---|---|---|---|---|\n",
    );
    for standard in [Standard::Mqtt5, Standard::Mqtt311] {
        let Count { all, covered, codec, codec_covered, untestable } = Count::of(rows, standard);
        let open = all - covered - untestable;
        let version = standard.version();
        let _ = writeln!(
            text,
            "| MQTT {version} | {all} | {covered} | {open} | {untestable} | {codec_covered} of {codec} covered |"
        );
    }
    text
}

fn covered_by(row: &Row) -> String {
    if row.covers.is_empty() {
        return row.reason.as_ref().map_or_else(|| "not yet".to_owned(), |reason| format!("not testable: {reason}"));
    }
    let links = row.covers.iter().map(|cover| format!("[{}](../{})", cover.test, cover.path));
    links.collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::super::names::Statement;
    use super::super::{Cover, Row};
    use super::*;

    fn row(number: &str, codec: bool, tests: &[&str], reason: Option<&str>) -> Row {
        let covers = tests.iter().map(|test| Cover { test: (*test).into(), path: "crates/a/tests/b.rs".into() });
        Row {
            statement: Statement::parse(Standard::Mqtt5, number).unwrap(),
            codec,
            covers: covers.collect(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn a_page_has_counts_and_a_line_for_each_statement() {
        let rows = [
            row("MQTT-1.5.4-1", true, &["one", "two"], None),
            row("MQTT-2.1.3-1", true, &[], None),
            row("MQTT-4.2.0-1", false, &[], Some("a matter of the transport")),
        ];
        let text = render(&rows);
        assert!(text.contains("| MQTT 5.0 | 3 | 1 | 1 | 1 | 1 of 2 covered |"));
        assert!(
            text.contains("| MQTT-1.5.4-1 | codec | [one](../crates/a/tests/b.rs)<br>[two](../crates/a/tests/b.rs) |")
        );
        assert!(text.contains("| MQTT-2.1.3-1 | codec | not yet |"));
        assert!(text.contains("| MQTT-4.2.0-1 |  | not testable: a matter of the transport |"));
    }
}
