//! The queries that select a client group's members.
//!
//! ```text
//! query      = conjunct *( "or" conjunct )
//! conjunct   = term *( "and" term )
//! term       = "(" query ")" / operand comparison
//! operand    = "attributes." key / "authenticationName"
//! comparison = ( "=" / "<>" / "!=" ) literal
//!            / ( "<" / "<=" / ">" / ">=" ) integer
//!            / "in" "[" literal *( "," literal ) "]"
//! literal    = string / integer / "true" / "false"
//! string     = "'" text without "'" "'"  /  '"' text without '"' '"'
//! ```
//!
//! Where the documentation is silent:
//! - Keywords ignore case; keys and text are compared exactly, authentication names too.
//! - A comparison with a missing attribute, or between different types, does not hold, whatever its operator.
//! - A comparison with an array of texts holds if it holds for any element.
//! - Text has no escapes. A query has at most 8192 bytes and 32 nested parentheses.

mod eval;
mod lexer;
mod parser;

use std::fmt;
use std::str::FromStr;

use crate::resource::Attributes;

/// A query that was read and can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    text: String,
    root: Node,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// The first place where the text leaves the grammar or passes a limit.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.to_owned(), root: parser::parse(text)? })
    }

    /// Whether a client of that name and those attributes is selected.
    #[must_use]
    pub fn matches(&self, authentication_name: &str, attributes: &Attributes) -> bool {
        self.root.holds(authentication_name, attributes)
    }

    /// The text that was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {kind}")]
pub struct QueryError {
    at: usize,
    kind: QueryErrorKind,
}

impl QueryError {
    pub(crate) const fn new(at: usize, kind: QueryErrorKind) -> Self {
        Self { at, kind }
    }

    /// The offset in bytes of what is wrong; the length of the text where it ended too early.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> &QueryErrorKind {
        &self.kind
    }
}

/// What is wrong in a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryErrorKind {
    /// Something else has to stand here.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// What stands here.
        found: String,
        /// What has to.
        expected: &'static str,
    },
    /// A text is not closed.
    #[error("the string that starts here has no closing {quote}")]
    UnterminatedString {
        /// The quotation mark that opened it.
        quote: char,
    },
    /// An integer has more than 64 bits.
    #[error("the integer {digits} is outside -9223372036854775808 to 9223372036854775807")]
    IntegerOutOfRange {
        /// The integer, at most 32 characters of it.
        digits: String,
    },
    /// A character that begins nothing.
    #[error("the character {found:?} begins no word, string, integer or operator")]
    Character {
        /// The character.
        found: char,
    },
    /// The parentheses nest too deep.
    #[error("parentheses nest deeper than {limit}; write the query flatter")]
    TooDeep {
        /// The documented limit.
        limit: u64,
    },
    /// The text is too long.
    #[error("the query has {bytes} bytes, at most {limit} are accepted; use IN lists or several groups")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The documented limit.
        limit: u64,
    },
}

/// A part of a query. Alternating and bounded in depth by the parser, so that recursion over it is bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// One of them holds.
    Any(Vec<Self>),
    /// Each of them holds.
    All(Vec<Self>),
    /// A comparison.
    Compare(Operand, Test),
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    /// The attribute of that key.
    Attribute(String),
    /// The authentication name.
    AuthenticationName,
}

/// With what it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// Equal to the literal.
    Equal(Literal),
    /// Of the same type as the literal and not equal to it.
    Differs(Literal),
    /// Ordered so against an integer.
    Ordered(Order, i64),
    /// Equal to one of the literals.
    In(Vec<Literal>),
}

/// An order between integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A constant of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

#[cfg(test)]
mod tests;
