//! Texts of peers and documents, as sentences show them.

use std::fmt;

/// How many characters of a peer's text a sentence shows.
const SHOWN_CHARACTERS: usize = 256;

/// A peer's text, shortened and without characters that could forge a line of a log or move a terminal's cursor.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(SHOWN_CHARACTERS) {
            if c.is_control() { write!(f, "{}", c.escape_unicode())? } else { write!(f, "{c}")? }
        }
        if self.0.chars().nth(SHOWN_CHARACTERS).is_some() { f.write_str("…") } else { Ok(()) }
    }
}

/// A text in quotation marks, shortened to `limit` characters, with control characters escaped.
pub(crate) fn quoted(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// A name that a peer gave, in quotation marks.
pub(crate) fn named(text: &str) -> String {
    quoted(text, SHOWN_CHARACTERS)
}
