//! `$filter` of a list: `name eq 'a'`, `name ne 'a'`, `contains(name, 'a')`, with `and`, `or`, `not` and parentheses.

/// How deep parentheses and `not` may nest.
const DEPTH: usize = 16;

/// A condition on a name, which is compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    Is(String),
    Contains(String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable() };
        let filter = parser.or(0)?;
        match parser.tokens.next() {
            None => Ok(filter),
            Some(token) => Err(format!("{token} where the filter should end")),
        }
    }

    pub(super) fn takes(&self, name: &str) -> bool {
        match self {
            Self::Is(other) => name.eq_ignore_ascii_case(other),
            Self::Contains(part) => name.to_lowercase().contains(&part.to_lowercase()),
            Self::Not(filter) => !filter.takes(name),
            Self::And(one, other) => one.takes(name) && other.takes(name),
            Self::Or(one, other) => one.takes(name) || other.takes(name),
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => write!(f, "'{word}'"),
            Self::Text(text) => write!(f, "the text '{text}'"),
            Self::Sign(sign) => write!(f, "'{sign}'"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' | ')' | ',' => tokens.push(Token::Sign(c)),
            '\'' => {
                let mut text = String::new();
                loop {
                    match rest.next() {
                        // Two of them stand for one.
                        Some('\'') if rest.next_if_eq(&'\'').is_some() => text.push('\''),
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => return Err("a text in quotes that ends".to_owned()),
                    }
                }
                tokens.push(Token::Text(text));
            }
            c if c.is_alphanumeric() => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(Token::Word(word.to_lowercase()));
            }
            other => return Err(format!("no '{other}'")),
        }
    }
    Ok(tokens)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn or(&mut self, depth: usize) -> Result<Filter, String> {
        let mut left = self.and(depth)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Filter, String> {
        let mut left = self.one(depth)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one(depth)?));
        }
        Ok(left)
    }

    fn one(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEPTH {
            return Err(format!("at most {DEPTH} parentheses within one another"));
        }
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.sign('(') {
            let inner = self.or(depth + 1)?;
            return if self.sign(')') { Ok(inner) } else { Err("a ')' for each '('".to_owned()) };
        }
        let wanted = || "name eq '…', name ne '…' or contains(name, '…')".to_owned();
        if self.word("contains") {
            let right = self.sign('(') && self.word("name") && self.sign(',');
            let text = self.text().filter(|_| right).ok_or_else(wanted)?;
            return if self.sign(')') { Ok(Filter::Contains(text)) } else { Err(wanted()) };
        }
        if self.word("name") {
            if self.word("eq") {
                return self.text().map(Filter::Is).ok_or_else(wanted);
            }
            if self.word("ne") {
                return self.text().map(|text| Filter::Not(Box::new(Filter::Is(text)))).ok_or_else(wanted);
            }
        }
        Err(wanted())
    }

    fn word(&mut self, wanted: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(word) if word == wanted)).is_some()
    }

    fn sign(&mut self, wanted: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(wanted)).is_some()
    }

    fn text(&mut self) -> Option<String> {
        match self.tokens.next_if(|token| matches!(token, Token::Text(_))) {
            Some(Token::Text(text)) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    fn takes(filter: &str, name: &str) -> bool {
        Filter::parse(filter).unwrap().takes(name)
    }

    #[test]
    fn conditions_are_on_the_name() {
        assert!(takes("contains(name,'g')", "Group") && !takes("contains(name, 'x')", "group"));
        assert!(takes("name eq 'A'", "a") && !takes("name ne 'a'", "A"));
        assert!(takes("name eq 'it''s'", "it's"));
        assert!(takes("name eq 'a' or name eq 'b' and not contains(name,'b')", "a"));
        assert!(!takes("(name eq 'a' or name eq 'b') and not contains(name,'b')", "b"));
    }

    #[test]
    fn anything_else_is_told_what_is_expected() {
        for wrong in ["", "name", "name eq", "name eq a", "contains(name 'a')", "(name eq 'a'", "name eq 'a' b", "a&b"]
        {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Filter::parse(&"not ".repeat(1000)).is_err());
    }
}
