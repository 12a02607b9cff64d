//! Text to template.

use super::{Part, Segment, TopicTemplate, Variable};
use crate::topic::{MAX_TOPIC_BYTES, TopicError, TopicFilter};

/// Why a text is no topic template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {kind}")]
#[non_exhaustive]
pub struct TemplateError {
    /// Bytes from the start of the template.
    pub at: usize,
    /// What is wrong there.
    pub kind: TemplateErrorKind,
}

/// What is wrong with a topic template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// No character at all.
    #[error("the template is empty; give at least one character")]
    Empty,
    /// More than 65,535 bytes.
    #[error("the template is longer than 65535 bytes; shorten it")]
    TooLong,
    /// The character U+0000.
    #[error("the template contains the character U+0000; remove it")]
    Nul,
    /// A shared subscription, which is no set of topics.
    #[error("a template cannot begin with '$share/'; write the filter alone")]
    Shared,
    /// `+` that shares its segment, or `#` that is not alone in the last one.
    #[error("the wildcard is misplaced; '+' must be a whole segment, '#' the whole last segment")]
    MisplacedWildcard,
    /// `${` without `}` in the same segment.
    #[error("the variable has no closing '}}' in its segment; a variable cannot span segments")]
    Unclosed,
    /// No variable of that name.
    #[error("unknown variable; use ${{client.authenticationName}} or ${{client.attributes.<key>}}")]
    UnknownVariable,
    /// The key of an attribute is empty or not made of letters, digits and `_`.
    #[error("the attribute's key must be made of ASCII letters, digits and '_'")]
    BadKey,
    /// Nothing after `|`, or a wildcard.
    #[error("after '|' there must be literal text without '+' and '#'")]
    BadSuffix,
}

impl TemplateErrorKind {
    const fn at(self, at: usize) -> TemplateError {
        TemplateError { at, kind: self }
    }
}

pub(super) fn parse(text: &str) -> Result<TopicTemplate, TemplateError> {
    if text.is_empty() {
        return Err(TemplateErrorKind::Empty.at(0));
    }
    if text.len() > MAX_TOPIC_BYTES {
        return Err(TemplateErrorKind::TooLong.at(MAX_TOPIC_BYTES));
    }
    if let Some(at) = text.find('\0') {
        return Err(TemplateErrorKind::Nul.at(at));
    }
    if text.starts_with("$share/") {
        return Err(TemplateErrorKind::Shared.at(0));
    }
    let mut variables = Vec::new();
    let mut segments = Vec::new();
    let mut widest = String::with_capacity(text.len());
    let mut at = 0;
    let mut rest = Some(text);
    while let Some(remaining) = rest {
        let (segment_text, tail) = match remaining.split_once('/') {
            Some((segment, tail)) => (segment, Some(tail)),
            None => (remaining, None),
        };
        let segment = segment(segment_text, at, &mut variables)?;
        check_wildcards(segment_text, &segment, at, tail.is_none())?;
        widest.push_str(if is_literal(&segment) { segment_text } else { "+" });
        if tail.is_some() {
            widest.push('/');
        }
        segments.push(segment);
        at += segment_text.len() + 1;
        rest = tail;
    }
    let widest = TopicFilter::try_from(widest).map_err(from_filter)?;
    Ok(TopicTemplate { text: text.into(), segments: segments.into(), variables: variables.into(), widest })
}

fn is_literal(segment: &Segment) -> bool {
    !segment.iter().any(|part| matches!(part, Part::Value { .. }))
}

/// The parts of one segment that begins at byte `start` of the template.
fn segment(text: &str, start: usize, variables: &mut Vec<Variable>) -> Result<Segment, TemplateError> {
    let mut parts = Segment::new();
    let mut at = start;
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once("${") {
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        at += literal.len();
        let (inner, tail) = tail.split_once('}').ok_or_else(|| TemplateErrorKind::Unclosed.at(at))?;
        parts.push(variable(inner, at, variables)?);
        at += "${}".len() + inner.len();
        rest = tail;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Literal(rest.into()));
    }
    Ok(parts)
}

/// What stands between `${` at byte `at` and `}`.
fn variable(inner: &str, at: usize, variables: &mut Vec<Variable>) -> Result<Part, TemplateError> {
    let (name, suffix) = match inner.split_once('|') {
        Some((name, suffix)) => (name, Some(suffix)),
        None => (inner, None),
    };
    if let Some(suffix) = suffix
        && (suffix.is_empty() || suffix.contains(['+', '#']))
    {
        return Err(TemplateErrorKind::BadSuffix.at(at + "${|".len() + name.len()));
    }
    let field = name
        .strip_prefix("client.")
        .or_else(|| name.strip_prefix("principal."))
        .ok_or_else(|| TemplateErrorKind::UnknownVariable.at(at))?;
    let variable = match (field, field.strip_prefix("attributes.")) {
        ("authenticationName", _) => Variable::AuthenticationName,
        (_, Some(key)) if is_key(key) => Variable::Attribute(key.into()),
        (_, Some(key)) => return Err(TemplateErrorKind::BadKey.at(at + "${".len() + name.len() - key.len())),
        (_, None) => return Err(TemplateErrorKind::UnknownVariable.at(at)),
    };
    let index = variables.iter().position(|known| *known == variable).unwrap_or_else(|| {
        variables.push(variable);
        variables.len() - 1
    });
    Ok(Part::Value { variable: index, suffix: suffix.unwrap_or_default().into() })
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_wildcards(text: &str, segment: &Segment, start: usize, last: bool) -> Result<(), TemplateError> {
    let Some(at) = text.find(['+', '#']) else { return Ok(()) };
    // With a variable beside it the text is longer than the wildcard, so it is misplaced too.
    let whole = is_literal(segment) && (text == "+" || (text == "#" && last));
    if whole { Ok(()) } else { Err(TemplateErrorKind::MisplacedWildcard.at(start + at)) }
}

/// Everything is checked before with better positions; this only keeps the conversion total.
const fn from_filter(error: TopicError) -> TemplateError {
    match error {
        TopicError::Empty => TemplateErrorKind::Empty.at(0),
        TopicError::TooLong { .. } => TemplateErrorKind::TooLong.at(0),
        TopicError::Nul => TemplateErrorKind::Nul.at(0),
        TopicError::Wildcard { at } | TopicError::MisplacedWildcard { at } => {
            TemplateErrorKind::MisplacedWildcard.at(at)
        }
        TopicError::Share { .. } => TemplateErrorKind::Shared.at(0),
    }
}
