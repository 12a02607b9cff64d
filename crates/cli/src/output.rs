//! What is shown: for people in words, wrapped and perhaps in colour; for programs as JSON, a line each.

use std::io::{self, IsTerminal, Write};

pub(crate) use gridmq_doctor::render::{visible, wrap};
use serde_json::Value;
use terminal_size::{Width, terminal_size_of};

use crate::error::{Failure, Outcome};

/// Lines for a terminal are no shorter and no longer than this; COLUMNS may say 20 to 1000.
const WIDTHS: std::ops::RangeInclusive<usize> = 80..=140;
const COLUMNS: std::ops::RangeInclusive<usize> = 20..=1000;

/// How text for people looks on one of the standard streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
    width: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Red,
    Green,
    Bold,
}

impl Style {
    pub(crate) fn stdout() -> Self {
        let out = io::stdout();
        Self::of(out.is_terminal(), terminal_size_of(&out))
    }

    pub(crate) fn stderr() -> Self {
        let out = io::stderr();
        Self::of(out.is_terminal(), terminal_size_of(&out))
    }

    fn of(terminal: bool, size: Option<(Width, terminal_size::Height)>) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        Self { colour: terminal && !plain, width: width(terminal, columns, size) }
    }

    /// The longest line, in characters.
    pub(crate) const fn width(self) -> usize {
        self.width
    }

    /// Is there colour?
    pub(crate) const fn is_coloured(self) -> bool {
        self.colour
    }

    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Bold => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// `✓` or `✗`, and the text, its further lines indented below it.
    pub(crate) fn mark(self, good: bool, text: &str) -> String {
        let mark = if good { self.paint(Colour::Green, "✓") } else { self.paint(Colour::Red, "✗") };
        format!("{mark} {}", wrap(text, self.width - 2, 2))
    }

    /// Says on standard error why the program ends.
    pub(crate) fn error(self, text: &str) {
        self.tell("error:", text);
    }

    /// Says on standard error what is odd.
    pub(crate) fn warning(self, text: &str) {
        self.tell("warning:", text);
    }

    fn tell(self, label: &str, text: &str) {
        let indent = label.len() + 1;
        let text = wrap(&visible(text), self.width - indent, indent);
        // With standard error gone there is nobody left to tell.
        drop(writeln!(io::stderr(), "{} {text}", self.paint(Colour::Red, label)));
    }
}

/// The length of lines: what COLUMNS says, or what fits the terminal. Lines for programs and files are not broken.
fn width(terminal: bool, columns: Option<usize>, size: Option<(Width, terminal_size::Height)>) -> usize {
    match (columns.filter(|columns| COLUMNS.contains(columns)), terminal) {
        (Some(columns), _) => columns,
        (None, false) => usize::MAX,
        (None, true) => {
            size.map_or(*WIDTHS.end(), |(Width(columns), _)| usize::from(columns)).clamp(*WIDTHS.start(), *WIDTHS.end())
        }
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> Outcome {
    raw(format!("{text}\n").as_bytes())
}

/// Writes a line of JSON to standard output.
pub(crate) fn json(value: &Value) -> Outcome {
    line(&value.to_string())
}

/// Writes bytes to standard output as they are, and flushes it.
pub(crate) fn raw(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_spaces_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 7, 2), "one two\n  three");
        assert_eq!(wrap("a /a/very/long/path b", 6, 0), "a\n/a/very/long/path\nb");
        assert_eq!(wrap("first\nsecond", 80, 2), "first\n  second");
        assert_eq!(wrap("", 80, 2), "");
    }

    #[test]
    fn only_terminals_and_columns_break_lines() {
        let size = Some((Width(100), terminal_size::Height(50)));
        assert_eq!(width(true, None, size), 100);
        assert_eq!(width(true, Some(60), size), 60);
        assert_eq!(width(false, None, None), usize::MAX);
        assert_eq!(width(false, Some(60), None), 60);
        assert_eq!(width(false, Some(0), None), usize::MAX);
    }

    #[test]
    fn colour_is_only_for_terminals() {
        let plain = Style { colour: false, width: 80 };
        assert_eq!(plain.mark(true, "done"), "✓ done");
        assert_eq!(plain.mark(false, "not done"), "✗ not done");
        let coloured = Style { colour: true, width: 80 };
        assert_eq!(coloured.paint(Colour::Red, "no"), "\x1b[31mno\x1b[0m");
    }

    #[test]
    fn control_characters_of_a_peer_are_made_visible() {
        assert_eq!(visible("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\nc");
    }
}
