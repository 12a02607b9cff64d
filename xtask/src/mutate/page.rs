//! The text of docs/mutations.md.

use std::fmt::Write as _;

use super::Row;
use super::scratch::Outcome;

/// The whole page.
pub(super) fn render(seed: u64, rows: &[Row]) -> String {
    let caught = rows.iter().filter(|row| row.outcome.is_caught()).count();
    let mut text = format!(
        "# Mutations\n\n\
         [Conformance](conformance.md) goes by the names of tests, and a name can promise more than its test looks at. So \
         {count}\nstatements were drawn by the seed {seed} among all that bind the server and have a test over a socket; \
         for each, the source\nwas changed so that the broker breaks that rule, and the statement's tests over a socket \
         were run. A test must fail; a\nchange that does not compile shows nothing.\n\n\
         {caught} of {count} changes were noticed. `cargo xtask mutate --seed {seed} --count {count} --write` made this \
         page; do not edit it. The\nchanges are in [xtask/mutations](../xtask/mutations).\n\n\
         | statement | the broker, changed, … | the tests that then fail |\n|---|---|---|\n",
        count = rows.len(),
    );
    for row in rows {
        let seen = match &row.outcome {
            Outcome::Caught(tests) => tests.join("<br>"),
            other => format!("**{other}**"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} | {seen} |", row.statement.name, row.mutation.breaks);
    }
    text
}
