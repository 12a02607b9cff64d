//! Expressions of the template language: text between `[` and `]`.
//!
//! ```text
//! expression := primary ( '.' name | '[' expression ']' )*
//! primary    := string | integer | name [ '.' name ] '(' [ expression ( ',' expression )* ] ')'
//! ```

use std::fmt;

/// How deep an expression may nest.
const DEPTH: usize = 64;
/// Bytes of an expression; Azure Resource Manager takes 24,576 characters.
const LENGTH: usize = 128 * 1024;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Text(String),
    Integer(i64),
    /// A function by name, in lower case; of a user's namespace if there is one.
    Call {
        namespace: Option<String>,
        name: String,
        arguments: Vec<Self>,
    },
    /// `object.name`
    Member(Box<Self>, String),
    /// `list[number]` or `object['name']`
    Index(Box<Self>, Box<Self>),
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Counted in characters from 1, `[` included.
    pub(super) column: usize,
    pub(super) problem: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.problem)
    }
}

/// A string of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Text<'a> {
    /// As it stands, without the `[` that escapes another one.
    Literal(&'a str),
    Expression(Expression),
}

/// Reads a string: an expression if it begins with `[` and ends with `]`, unless it begins with `[[`.
pub(super) fn read(text: &str) -> Result<Text<'_>, SyntaxError> {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
        return Ok(Text::Literal(text));
    };
    if inner.starts_with('[') {
        return Ok(Text::Literal(text.get(1..).unwrap_or_default()));
    }
    if inner.len() > LENGTH {
        return Err(SyntaxError { column: 1, problem: format!("more than {LENGTH} bytes in one expression") });
    }
    let mut parser = Parser { rest: inner, column: 2, depth: 0 };
    let expression = parser.expression()?;
    parser.space();
    match parser.rest.chars().next() {
        None => Ok(Text::Expression(expression)),
        Some(found) => Err(parser.error(format!("found {found:?}, expected the end of the expression"))),
    }
}

struct Parser<'a> {
    rest: &'a str,
    column: usize,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, problem: impl Into<String>) -> SyntaxError {
        SyntaxError { column: self.column, problem: problem.into() }
    }

    fn expected(&self, what: &str) -> SyntaxError {
        match self.rest.chars().next() {
            Some(found) => self.error(format!("found {found:?}, expected {what}")),
            None => self.error(format!("the expression ends where {what} was expected")),
        }
    }

    /// Takes so many bytes, which end a character.
    fn take(&mut self, bytes: usize) -> &str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn space(&mut self) {
        let bytes = self.rest.len() - self.rest.trim_start().len();
        self.take(bytes);
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.space();
        let found = self.rest.starts_with(wanted);
        if found {
            self.take(wanted.len_utf8());
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), SyntaxError> {
        if self.eat(wanted) { Ok(()) } else { Err(self.expected(&format!("'{wanted}'"))) }
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        self.space();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-');
        let bytes = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        if bytes == 0 || self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Err(self.expected("a name"));
        }
        Ok(self.take(bytes).to_owned())
    }

    fn expression(&mut self) -> Result<Expression, SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error(format!("more than {DEPTH} levels of nesting")));
        }
        let mut expression = self.primary()?;
        loop {
            if self.eat('.') {
                expression = Expression::Member(Box::new(expression), self.name()?);
            } else if self.eat('[') {
                let index = self.expression()?;
                self.expect(']')?;
                expression = Expression::Index(Box::new(expression), Box::new(index));
            } else {
                break;
            }
        }
        self.depth -= 1;
        Ok(expression)
    }

    fn primary(&mut self) -> Result<Expression, SyntaxError> {
        self.space();
        match self.rest.chars().next() {
            Some('\'') => self.text(),
            Some(c) if c == '-' || c.is_ascii_digit() => self.integer(),
            _ => self.call(),
        }
    }

    /// A string in single quotes; two of them are one in it.
    fn text(&mut self) -> Result<Expression, SyntaxError> {
        let begun = self.error("this string has no end: add the closing quote");
        self.take(1);
        let mut text = String::new();
        loop {
            let Some(bytes) = self.rest.find('\'') else { return Err(begun) };
            text.push_str(self.take(bytes));
            self.take(1);
            if !self.rest.starts_with('\'') {
                return Ok(Expression::Text(text));
            }
            self.take(1);
            text.push('\'');
        }
    }

    fn integer(&mut self) -> Result<Expression, SyntaxError> {
        let begun = self.error("this number is no integer of 64 bits: write others as json('1.5')");
        let bytes = self.rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(self.rest.len());
        self.take(bytes).parse().map(Expression::Integer).map_err(|_| begun)
    }

    fn call(&mut self) -> Result<Expression, SyntaxError> {
        let mut name = self.name()?.to_ascii_lowercase();
        let mut namespace = None;
        if self.eat('.') {
            namespace = Some(std::mem::replace(&mut name, self.name()?.to_ascii_lowercase()));
        }
        if !self.eat('(') {
            return Err(self.expected("'(': a name by itself means nothing, strings stand in single quotes"));
        }
        let mut arguments = Vec::new();
        if !self.eat(')') {
            loop {
                arguments.push(self.expression()?);
                if !self.eat(',') {
                    break;
                }
            }
            self.expect(')')?;
        }
        Ok(Expression::Call { namespace, name, arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Expression {
        match read(text).unwrap() {
            Text::Expression(expression) => expression,
            Text::Literal(text) => panic!("{text} is literal"),
        }
    }

    fn call(name: &str, arguments: Vec<Expression>) -> Expression {
        Expression::Call { namespace: None, name: name.to_owned(), arguments }
    }

    #[test]
    fn strings_are_literal_unless_they_are_in_brackets() {
        for text in ["", "plain", "[open", "close]", "${client.authenticationName}/#"] {
            assert_eq!(read(text), Ok(Text::Literal(text)));
        }
        assert_eq!(read("[[escaped]"), Ok(Text::Literal("[escaped]")));
    }

    #[test]
    fn calls_nest_and_are_looked_into() {
        let name = || Expression::Text("a'b".to_owned());
        assert_eq!(parse("[ Parameters( 'a''b' ) ]"), call("parameters", vec![name()]));
        let member = Expression::Member(Box::new(call("variables", vec![name()])), "x-y".to_owned());
        let index = Expression::Index(Box::new(member), Box::new(Expression::Integer(-3)));
        assert_eq!(parse("[variables('a''b').x-y[-3]]"), index);
        let user = Expression::Call {
            namespace: Some("contoso".to_owned()),
            name: "unique".to_owned(),
            arguments: vec![call("null", vec![])],
        };
        assert_eq!(parse("[contoso.unique(null())]"), user);
    }

    #[test]
    fn errors_name_the_place_and_what_is_expected_there() {
        for (text, column, words) in [
            ("[]", 2, "a name"),
            ("[concat('a' 'b')]", 13, "')'"),
            ("[concat('a)]", 9, "closing quote"),
            ("[name]", 6, "'('"),
            ("[a() b()]", 6, "the end"),
            ("[add(1, 99999999999999999999)]", 9, "64 bits"),
            ("[a().]", 6, "a name"),
            ("[é()]", 2, "a name"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.column, column, "{text}: {error}");
            assert!(error.problem.contains(words), "{text}: {error}");
        }
        let deep = format!("[{}1{}]", "not(".repeat(100), ")".repeat(100));
        assert!(read(&deep).unwrap_err().problem.contains("nesting"));
    }
}
