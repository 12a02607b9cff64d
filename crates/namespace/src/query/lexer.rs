//! The words of a query.

use super::{QueryError, QueryErrorKind};

/// One word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Letters, digits and `_`, not starting with a digit.
    Word(&'a str),
    /// What stands between quotation marks.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// An operator or a bracket.
    Sign(&'static str),
    /// Nothing more.
    End,
}

impl Token<'_> {
    /// The token as an error shows it.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Word(word) => format!("`{}`", shortened(word)),
            Self::Text(text) => format!("the string {:?}", shortened(text)),
            Self::Integer(value) => format!("the integer {value}"),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end of the query".to_owned(),
        }
    }
}

/// At most 32 characters of what the error quotes.
fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(32).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Longer signs come before their beginnings.
const SIGNS: [&str; 12] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ","];

/// Reads words from a text, one at a time.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves over the first `length` bytes of the rest and returns them.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// The next word and where it begins.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'a>), QueryError> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        let (at, rest) = (self.at, self.rest());
        let Some(first) = rest.chars().next() else { return Ok((at, Token::End)) };
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.take(sign.len());
            return Ok((at, Token::Sign(sign)));
        }
        match first {
            '.' => {
                self.take(1);
                Ok((at, Token::Sign(".")))
            }
            '\'' | '"' => self.string(at, first),
            '0'..='9' | '-' | '+' => self.integer(at),
            _ if first.is_ascii_alphabetic() || first == '_' => Ok((at, Token::Word(self.word()))),
            found => Err(QueryError::new(at, QueryErrorKind::Character { found })),
        }
    }

    /// The attribute key that must follow a dot at once; a key may begin with a digit.
    pub(super) fn key(&mut self) -> (usize, &'a str) {
        (self.at, self.word())
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len()))
    }

    fn string(&mut self, at: usize, quote: char) -> Result<(usize, Token<'a>), QueryError> {
        self.take(1);
        let Some(length) = self.rest().find(quote) else {
            return Err(QueryError::new(at, QueryErrorKind::UnterminatedString { quote }));
        };
        let text = self.take(length);
        self.take(1);
        Ok((at, Token::Text(text)))
    }

    fn integer(&mut self, at: usize) -> Result<(usize, Token<'a>), QueryError> {
        let rest = self.rest();
        let signed = usize::from(rest.starts_with(['-', '+']));
        let digits = rest.get(signed..).unwrap_or_default();
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if length == 0 {
            let found = rest.chars().next().unwrap_or_default();
            return Err(QueryError::new(at, QueryErrorKind::Character { found }));
        }
        let text = self.take(signed + length);
        if self.rest().starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            let tail = self.rest();
            let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(tail.len());
            let found = format!("`{}`", shortened(&format!("{text}{}", tail.get(..end).unwrap_or_default())));
            return Err(QueryError::new(at, QueryErrorKind::Unexpected { found, expected: "an integer or a string" }));
        }
        match text.parse() {
            Ok(value) => Ok((at, Token::Integer(value))),
            Err(_) => Err(QueryError::new(at, QueryErrorKind::IntegerOutOfRange { digits: shortened(text) })),
        }
    }
}
