//! The text of docs/conformance.md.

use std::fmt::Write;

use super::names::Standard;
use super::paho::Case;
use super::{Binds, Row};

const HEAD: &str = "\
# Conformance

Which normative statements of the MQTT standards are covered by tests. A test covers a statement when its name
contains the statement's number. This page is made by `cargo xtask conformance`; do not edit it.

A statement that binds the server is *shown* by a test that speaks with a broker over a socket (those in **bold**); one
that binds the client alone by any test. What is not shown has a reason. CI fails when a statement is in neither.

*codec* marks the statements that are decided by the bytes of a packet and the syntax of topics alone. Each of them
must have a test.

That the tests notice when a rule is broken is shown for statements drawn by a seed in [mutations.md](mutations.md).

";

const PAHO: &str = "
## The Eclipse Paho interoperability suites

The cases of the public suites (11 for MQTT 3.1.1, 27 for 5.0), each with our own test of it, or with the statement of
the standard that the case contradicts.

| suite | case | checks | shown by |
|---|---|---|---|
";

/// The whole page.
pub(crate) fn render(rows: &[Row], cases: &[Case]) -> String {
    let mut text = String::from(HEAD);
    text.push_str(&summary(rows));
    for standard in [Standard::Mqtt5, Standard::Mqtt311] {
        let version = standard.version();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## MQTT {version}\n\n| statement | binds | codec | covered by |\n|---|---|---|---|\n");
        for row in rows.iter().filter(|row| row.statement.standard == standard) {
            let codec = if row.codec { "codec" } else { "" };
            let binds = match row.binds {
                Binds::Server => "server",
                Binds::Client => "client",
            };
            let _ = writeln!(text, "| {} | {binds} | {codec} | {} |", row.statement.number(), covered_by(row));
        }
    }
    text.push_str(PAHO);
    for case in cases {
        let covers = case.covers.iter().map(|cover| format!("[{}](../{})", cover.test, cover.path));
        let shown = covers.chain(case.reason.clone()).collect::<Vec<_>>().join("<br>");
        let _ = writeln!(text, "| {} | {} | {} | {shown} |", case.standard.version(), case.name, case.words);
    }
    text
}

/// One line for the terminal.
pub(crate) fn counts(rows: &[Row]) -> String {
    let parts = [Standard::Mqtt5, Standard::Mqtt311].map(|standard| {
        let count = Count::of(rows, standard);
        format!(
            "MQTT {}: of {} statements {} shown ({} of the server's over a socket), {} reasoned, {} open",
            standard.version(),
            count.all,
            count.shown,
            count.server_shown,
            count.reasoned,
            count.open()
        )
    });
    parts.join("\n")
}

struct Count {
    all: usize,
    server: usize,
    shown: usize,
    server_shown: usize,
    reasoned: usize,
}

impl Count {
    fn of(rows: &[Row], standard: Standard) -> Self {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.statement.standard == standard).collect();
        let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
        Self {
            all: rows.len(),
            server: count(|row| row.binds == Binds::Server),
            shown: count(Row::is_shown),
            server_shown: count(|row| row.binds == Binds::Server && row.is_shown()),
            reasoned: count(|row| !row.is_shown() && row.reason.is_some()),
        }
    }

    fn open(&self) -> usize {
        self.all - self.shown - self.reasoned
    }
}

fn summary(rows: &[Row]) -> String {
    let mut text = String::from(
        "| standard | statements | shown | reasoned | open | the server's, over a socket |\n|---|---|---|---|---|---|\n",
    );
    for standard in [Standard::Mqtt5, Standard::Mqtt311] {
        let count = Count::of(rows, standard);
        let Count { all, server, shown, server_shown, reasoned } = &count;
        let (version, open) = (standard.version(), count.open());
        let _ =
            writeln!(text, "| MQTT {version} | {all} | {shown} | {reasoned} | {open} | {server_shown} of {server} |");
    }
    text
}

fn covered_by(row: &Row) -> String {
    let links = row.covers.iter().map(|cover| {
        let link = format!("[{}](../{})", cover.test, cover.path);
        if cover.is_over_a_socket() { format!("**{link}**") } else { link }
    });
    let missing = match (&row.reason, row.is_shown()) {
        (Some(reason), _) => Some(format!("not shown: {reason}")),
        (None, false) => Some("open".to_owned()),
        (None, true) => None,
    };
    links.chain(missing).collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::super::Cover;
    use super::super::names::Statement;
    use super::*;

    const OVER_A_SOCKET: &str = "crates/testkit/tests/broker_b.rs";

    fn row(number: &str, binds: Binds, tests: &[(&str, &str)], reason: Option<&str>) -> Row {
        let covers = tests.iter().map(|(test, path)| Cover { test: (*test).into(), path: (*path).into() });
        Row {
            statement: Statement::parse(Standard::Mqtt5, number).unwrap(),
            binds,
            codec: false,
            covers: covers.collect(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn a_page_has_counts_and_a_line_for_each_statement() {
        let rows = [
            row("MQTT-1.5.4-1", Binds::Server, &[("one", "crates/a/tests/b.rs"), ("two", OVER_A_SOCKET)], None),
            row("MQTT-2.1.3-1", Binds::Server, &[("one", "crates/a/tests/b.rs")], None),
            row("MQTT-4.2.0-1", Binds::Server, &[], Some("a matter of the transport")),
            row("MQTT-4.5.0-2", Binds::Client, &[("three", "crates/a/tests/b.rs")], None),
        ];
        let text = render(&rows, &[]);
        assert!(text.contains("| MQTT 5.0 | 4 | 2 | 1 | 1 | 1 of 3 |"), "{text}");
        assert!(text.contains(
            "| MQTT-1.5.4-1 | server |  | [one](../crates/a/tests/b.rs)<br>**[two](../crates/testkit/tests/broker_b.rs)** |"
        ));
        assert!(text.contains("| MQTT-2.1.3-1 | server |  | [one](../crates/a/tests/b.rs)<br>open |"));
        assert!(text.contains("| MQTT-4.2.0-1 | server |  | not shown: a matter of the transport |"));
        assert!(text.contains("| MQTT-4.5.0-2 | client |  | [three](../crates/a/tests/b.rs) |"));
    }

    #[test]
    fn a_statement_that_is_in_neither_is_a_fault() {
        let codec = [("one", "crates/a/tests/b.rs")];
        let socket = [("two", OVER_A_SOCKET)];
        assert_eq!(row("MQTT-1.5.4-1", Binds::Server, &socket, None).faults(), Vec::<String>::new());
        assert_eq!(row("MQTT-1.5.4-1", Binds::Server, &codec, None).faults().len(), 1);
        assert_eq!(row("MQTT-1.5.4-1", Binds::Server, &codec, Some("because")).faults(), Vec::<String>::new());
        assert_eq!(row("MQTT-1.5.4-1", Binds::Server, &socket, Some("because")).faults().len(), 1);
        assert_eq!(row("MQTT-1.5.4-1", Binds::Client, &codec, None).faults(), Vec::<String>::new());
        assert_eq!(row("MQTT-1.5.4-1", Binds::Client, &[], None).faults().len(), 1);
    }
}
