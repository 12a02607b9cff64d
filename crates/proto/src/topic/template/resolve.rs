//! Template and values to filters.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use super::{Part, TopicTemplate, Variable};
use crate::topic::{MAX_TOPIC_BYTES, TopicFilter};

/// The values of one client.
pub trait Variables {
    /// The authentication name in the case in which it was registered.
    fn authentication_name(&self) -> &str;

    /// The values of an attribute: one, several for an array of strings, none if the client lacks it.
    ///
    /// Keys are compared exactly.
    fn attribute(&self, key: &str) -> AttributeValues<'_>;
}

/// The values of one attribute; any of them may stand for the variable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeValues<'a>(SmallVec<[Cow<'a, str>; 1]>);

impl<'a> AttributeValues<'a> {
    /// The client has no such attribute.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One value, such as a string or an integer in decimal.
    #[must_use]
    pub fn one(value: impl Into<Cow<'a, str>>) -> Self {
        Self::from_iter([value])
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl<'a, T: Into<Cow<'a, str>>> FromIterator<T> for AttributeValues<'a> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().map(Into::into).collect())
    }
}

/// What a template stands for with the values of one client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Resolved {
    /// At most [`TopicTemplate::MAX_FILTERS`], each once.
    pub filters: Vec<TopicFilter>,
    /// What was left out, at most [`TopicTemplate::MAX_FILTERS`] entries.
    pub unresolved: Vec<Unresolved>,
}

/// A variable, or one value of it, that gave no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unresolved {
    /// As in a template, without `${` and `}`; absent if the reason concerns the whole template.
    pub variable: Option<String>,
    /// The value, if there was one.
    pub value: Option<String>,
    /// Why it gave none.
    pub reason: UnresolvedReason,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.variable, &self.value) {
            (Some(variable), Some(value)) => write!(f, "${{{variable}}} = {value:?}: {}", self.reason),
            (Some(variable), None) => write!(f, "${{{variable}}}: {}", self.reason),
            (None, _) => write!(f, "{}", self.reason),
        }
    }
}

/// Why a variable or a value gave no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnresolvedReason {
    /// The client has no such attribute, or an empty array.
    #[error("the client has no value for it")]
    Missing,
    /// The value has no character.
    #[error("an empty value cannot be part of a topic")]
    Empty,
    /// The value has a `/` and would span segments.
    #[error("a value with '/' would span topic segments")]
    Separator,
    /// The value has a `+` or a `#` and would match more than itself.
    #[error("a value with '+' or '#' would match other topics than its own")]
    Wildcard,
    /// The value has the character U+0000.
    #[error("a value with the character U+0000 cannot be part of a topic")]
    Nul,
    /// With the value the filter begins with `$`, or is a shared subscription, which the template alone is not.
    #[error("with this value the filter would reach reserved topics")]
    Reserved,
    /// The filter would be longer than 65,535 bytes.
    #[error("the topic filter would be longer than 65535 bytes")]
    TooLong,
    /// More combinations of values than [`TopicTemplate::MAX_FILTERS`]; the first ones count.
    #[error("the values give {combinations} combinations; only the first 64 count")]
    TooMany {
        /// How many.
        combinations: usize,
    },
}

pub(super) fn resolve(template: &TopicTemplate, values: &dyn Variables) -> Resolved {
    let mut resolved = Resolved::default();
    let mut choices: Vec<Vec<String>> = Vec::with_capacity(template.variables.len());
    for (index, variable) in template.variables.iter().enumerate() {
        choices.push(usable(template, index, variable, values, &mut resolved.unresolved));
    }
    let combinations = choices.iter().fold(1_usize, |product, list| product.saturating_mul(list.len()));
    if combinations > TopicTemplate::MAX_FILTERS {
        note(&mut resolved.unresolved, None, None, UnresolvedReason::TooMany { combinations });
    }
    for nth in 0..combinations.min(TopicTemplate::MAX_FILTERS) {
        let text = fill(template, &pick(&choices, nth));
        if text.len() > MAX_TOPIC_BYTES {
            let reason = UnresolvedReason::TooLong;
            if !resolved.unresolved.iter().any(|known| known.reason == reason) {
                note(&mut resolved.unresolved, None, None, reason);
            }
            continue;
        }
        match TopicFilter::try_from(text) {
            Ok(filter) if resolved.filters.contains(&filter) => {}
            Ok(filter) => resolved.filters.push(filter),
            // Literal text and value can still meet as `$share/`.
            Err(_) => note(&mut resolved.unresolved, None, None, UnresolvedReason::Reserved),
        }
    }
    resolved
}

/// The values of a variable that can stand in its place, each once.
fn usable(
    template: &TopicTemplate,
    index: usize,
    variable: &Variable,
    values: &dyn Variables,
    unresolved: &mut Vec<Unresolved>,
) -> Vec<String> {
    let all = match variable {
        Variable::AuthenticationName => AttributeValues::one(values.authentication_name()),
        Variable::Attribute(key) => values.attribute(key),
    };
    let leads = template
        .segments
        .first()
        .and_then(|segment| segment.first())
        .is_some_and(|part| matches!(part, Part::Value { variable, .. } if *variable == index));
    let mut usable: Vec<String> = Vec::new();
    let mut any = false;
    for value in all.iter() {
        any = true;
        match refusal(value, leads) {
            Some(reason) => note(unresolved, Some(variable), Some(value), reason),
            // More than the limit of combinations are never used, but they are counted for the report.
            None if usable.len() <= TopicTemplate::MAX_FILTERS && usable.iter().any(|known| known == value) => {}
            None => usable.push(value.to_owned()),
        }
    }
    if !any {
        note(unresolved, Some(variable), None, UnresolvedReason::Missing);
    }
    usable
}

fn refusal(value: &str, leads: bool) -> Option<UnresolvedReason> {
    if value.is_empty() {
        return Some(UnresolvedReason::Empty);
    }
    if leads && value.starts_with('$') {
        return Some(UnresolvedReason::Reserved);
    }
    value.bytes().find_map(|byte| match byte {
        b'/' => Some(UnresolvedReason::Separator),
        b'+' | b'#' => Some(UnresolvedReason::Wildcard),
        0 => Some(UnresolvedReason::Nul),
        _ => None,
    })
}

fn note(list: &mut Vec<Unresolved>, variable: Option<&Variable>, value: Option<&str>, reason: UnresolvedReason) {
    if list.len() < TopicTemplate::MAX_FILTERS {
        let variable = variable.map(ToString::to_string);
        list.push(Unresolved { variable, value: value.map(ToOwned::to_owned), reason });
    }
}

/// The `nth` combination, with the last list turning fastest.
fn pick(choices: &[Vec<String>], mut nth: usize) -> Vec<&str> {
    let mut picked: Vec<&str> = Vec::with_capacity(choices.len());
    for list in choices.iter().rev() {
        let len = list.len().max(1);
        picked.push(list.get(nth % len).map_or("", String::as_str));
        nth /= len;
    }
    picked.reverse();
    picked
}

fn fill(template: &TopicTemplate, picked: &[&str]) -> String {
    let mut text = String::with_capacity(template.text.len());
    for (index, segment) in template.segments.iter().enumerate() {
        if index > 0 {
            text.push('/');
        }
        for part in segment {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Value { variable, suffix } => {
                    text.push_str(picked.get(*variable).copied().unwrap_or_default());
                    text.push_str(suffix);
                }
            }
        }
    }
    text
}
