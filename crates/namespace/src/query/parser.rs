//! The grammar of queries, by recursive descent with a limit on depth.

use super::lexer::{Lexer, Token};
use super::{Literal, Node, Operand, Order, QueryError, QueryErrorKind, Test};
use crate::limits::{QUERY_BYTES, QUERY_DEPTH};

pub(super) fn parse(text: &str) -> Result<Node, QueryError> {
    let bytes = text.len();
    if bytes as u64 > QUERY_BYTES.maximum {
        return Err(QueryError::new(0, QueryErrorKind::TooLong { bytes, limit: QUERY_BYTES.maximum }));
    }
    let mut lexer = Lexer::new(text);
    let (at, token) = lexer.next()?;
    let mut parser = Parser { lexer, at, token };
    let node = parser.query(0)?;
    match parser.token {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("`and`, `or` or the end of the query")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    at: usize,
    token: Token<'a>,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<(), QueryError> {
        (self.at, self.token) = self.lexer.next()?;
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> QueryError {
        QueryError::new(self.at, QueryErrorKind::Unexpected { found: self.token.shown(), expected })
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(self.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn sign(&mut self, sign: &'static str, expected: &'static str) -> Result<(), QueryError> {
        if self.token != Token::Sign(sign) {
            return Err(self.unexpected(expected));
        }
        self.advance()
    }

    fn query(&mut self, depth: u64) -> Result<Node, QueryError> {
        let first = self.conjunct(depth)?;
        if !self.at_keyword("or") {
            return Ok(first);
        }
        let mut nodes = vec![first];
        while self.at_keyword("or") {
            self.advance()?;
            nodes.push(self.conjunct(depth)?);
        }
        Ok(Node::Any(nodes))
    }

    fn conjunct(&mut self, depth: u64) -> Result<Node, QueryError> {
        let first = self.term(depth)?;
        if !self.at_keyword("and") {
            return Ok(first);
        }
        let mut nodes = vec![first];
        while self.at_keyword("and") {
            self.advance()?;
            nodes.push(self.term(depth)?);
        }
        Ok(Node::All(nodes))
    }

    fn term(&mut self, depth: u64) -> Result<Node, QueryError> {
        if self.token != Token::Sign("(") {
            let operand = self.operand()?;
            let test = self.test(&operand)?;
            return Ok(Node::Compare(operand, test));
        }
        if depth >= QUERY_DEPTH.maximum {
            return Err(QueryError::new(self.at, QueryErrorKind::TooDeep { limit: QUERY_DEPTH.maximum }));
        }
        self.advance()?;
        let node = self.query(depth + 1)?;
        self.sign(")", "`and`, `or` or `)`")?;
        Ok(node)
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        const EXPECTED: &str = "`attributes.<key>`, `authenticationName` or `(`";
        if self.at_keyword("authenticationName") {
            self.advance()?;
            return Ok(Operand::AuthenticationName);
        }
        if !self.at_keyword("attributes") {
            return Err(self.unexpected(EXPECTED));
        }
        self.advance()?;
        if self.token != Token::Sign(".") {
            return Err(self.unexpected("`.` and the key of an attribute"));
        }
        let (at, key) = self.lexer.key();
        if key.is_empty() {
            self.advance()?;
            let found = self.token.shown();
            let expected = "the key of an attribute: letters, digits and `_`";
            return Err(QueryError::new(at, QueryErrorKind::Unexpected { found, expected }));
        }
        self.advance()?;
        Ok(Operand::Attribute(key.to_owned()))
    }

    fn test(&mut self, operand: &Operand) -> Result<Test, QueryError> {
        if self.at_keyword("in") {
            self.advance()?;
            return self.list(operand);
        }
        let Token::Sign(sign) = self.token else { return Err(self.unexpected("a comparison or `in`")) };
        let order = match sign {
            "=" | "<>" | "!=" => None,
            "<" => Some(Order::Less),
            "<=" => Some(Order::AtMost),
            ">" => Some(Order::Greater),
            ">=" => Some(Order::AtLeast),
            _ => return Err(self.unexpected("a comparison or `in`")),
        };
        match order {
            Some(_) if *operand == Operand::AuthenticationName => {
                Err(self.unexpected("`=`, `<>` or `in`, since an authentication name is text"))
            }
            Some(order) => {
                self.advance()?;
                let Token::Integer(bound) = self.token else {
                    return Err(self.unexpected("an integer, since only integers are ordered"));
                };
                self.advance()?;
                Ok(Test::Ordered(order, bound))
            }
            None => {
                self.advance()?;
                let literal = self.literal(operand)?;
                Ok(if sign == "=" { Test::Equal(literal) } else { Test::Differs(literal) })
            }
        }
    }

    fn list(&mut self, operand: &Operand) -> Result<Test, QueryError> {
        self.sign("[", "`[`")?;
        let mut literals = vec![self.literal(operand)?];
        while self.token == Token::Sign(",") {
            self.advance()?;
            literals.push(self.literal(operand)?);
        }
        self.sign("]", "`,` or `]`")?;
        Ok(Test::In(literals))
    }

    fn literal(&mut self, operand: &Operand) -> Result<Literal, QueryError> {
        let text_only = *operand == Operand::AuthenticationName;
        let literal = match self.token {
            Token::Text(text) => Literal::Text(text.to_owned()),
            _ if text_only => return Err(self.unexpected("a string in quotation marks")),
            Token::Integer(value) => Literal::Integer(value),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            _ => return Err(self.unexpected("a string in quotation marks, an integer, `true` or `false`")),
        };
        self.advance()?;
        Ok(literal)
    }
}
