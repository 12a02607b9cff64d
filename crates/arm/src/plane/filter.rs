//! `$filter` of a list: `name eq 'a'`, `name ne 'a'`, `contains(name, 'a')`, with `and`, `or`, `not` and parentheses;
//! `resourceGroup` and `resourceType` can stand for `name`.

/// How deep parentheses and `not` may nest.
const DEPTH: usize = 16;

/// A condition on a resource. Texts are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    Is(Field, String),
    Contains(Field, String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

/// What of a resource a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    ResourceGroup,
    ResourceType,
}

impl Field {
    const ALL: [(&'static str, Self); 3] =
        [("name", Self::Name), ("resourcegroup", Self::ResourceGroup), ("resourcetype", Self::ResourceType)];
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

    /// Whether a resource of which `text` tells the fields meets it.
    pub(super) fn takes<'a>(&self, text: &impl Fn(Field) -> &'a str) -> bool {
        match self {
            Self::Is(field, other) => text(*field).eq_ignore_ascii_case(other),
            Self::Contains(field, part) => text(*field).to_lowercase().contains(&part.to_lowercase()),
            Self::Not(filter) => !filter.takes(text),
            Self::And(one, other) => one.takes(text) && other.takes(text),
            Self::Or(one, other) => one.takes(text) || other.takes(text),
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
            let open = self.sign('(');
            let field = self.field().filter(|_| open).ok_or_else(wanted)?;
            let comma = self.sign(',');
            let text = self.text().filter(|_| comma).ok_or_else(wanted)?;
            return if self.sign(')') { Ok(Filter::Contains(field, text)) } else { Err(wanted()) };
        }
        let field = self.field().ok_or_else(wanted)?;
        let equals = self.word("eq");
        if !equals && !self.word("ne") {
            return Err(wanted());
        }
        let is = self.text().map(|text| Filter::Is(field, text)).ok_or_else(wanted)?;
        Ok(if equals { is } else { Filter::Not(Box::new(is)) })
    }

    fn field(&mut self) -> Option<Field> {
        Field::ALL.into_iter().find(|(name, _)| self.word(name)).map(|(_, field)| field)
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
    use super::{Field, Filter};

    fn takes(filter: &str, name: &str) -> bool {
        let text = |field| match field {
            Field::Name => name,
            Field::ResourceGroup => "rg",
            Field::ResourceType => "Microsoft.EventGrid/namespaces",
        };
        Filter::parse(filter).unwrap().takes(&text)
    }

    #[test]
    fn conditions_are_on_the_name() {
        assert!(takes("contains(name,'g')", "Group") && !takes("contains(name, 'x')", "group"));
        assert!(takes("name eq 'A'", "a") && !takes("name ne 'a'", "A"));
        assert!(takes("name eq 'it''s'", "it's"));
        assert!(takes("name eq 'a' or name eq 'b' and not contains(name,'b')", "a"));
        assert!(takes("resourceGroup eq 'RG' and resourceType eq 'microsoft.eventgrid/namespaces'", "a"));
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
