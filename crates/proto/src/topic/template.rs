//! Event Grid's topic templates: filters with variables that each client's own values replace.

mod parse;
mod resolve;

pub use parse::{TemplateError, TemplateErrorKind};
pub use resolve::{AttributeValues, Resolved, Unresolved, UnresolvedReason, Variables};

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::TopicFilter;

/// A topic filter in which `${client.authenticationName}` and `${client.attributes.key}` stand for the client's values.
///
/// A variable is a whole segment or a part of one; `${client.authenticationName|.suffix}` appends literal text within
/// the segment. `principal` is accepted for `client`. A segment with a variable has no wildcard. A template that
/// begins with `$share/` is refused.
#[derive(Clone)]
pub struct TopicTemplate {
    text: Arc<str>,
    segments: Arc<[Segment]>,
    /// The variables in the order of their first use, each once.
    variables: Arc<[Variable]>,
    widest: TopicFilter,
}

/// The text between two `/`, in parts.
type Segment = SmallVec<[Part; 1]>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Text as it stands, wildcards included.
    Literal(Box<str>),
    /// The value of the variable of that index, then the suffix.
    Value { variable: usize, suffix: Box<str> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Variable {
    AuthenticationName,
    Attribute(Box<str>),
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthenticationName => f.write_str("client.authenticationName"),
            Self::Attribute(key) => write!(f, "client.attributes.{key}"),
        }
    }
}

impl TopicTemplate {
    /// The most filters that one template stands for with one client.
    pub const MAX_FILTERS: usize = 64;

    /// Reads a template.
    ///
    /// # Errors
    /// Says where the text is neither a filter nor a variable.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::parse(text)
    }

    /// The text as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is a variable, so that clients differ.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        !self.variables.is_empty()
    }

    /// The template with `+` in place of each segment that has a variable.
    ///
    /// It matches what the template allows to all clients together and more; it is for explanations, never for a
    /// decision. It does not match topics that begin with `$`, which a template can whose first segment is `$` and a
    /// variable [MQTT-4.7.2-1].
    #[must_use]
    pub const fn widest(&self) -> &TopicFilter {
        &self.widest
    }

    /// The filters that the template stands for with these values, in a stable order.
    ///
    /// An attribute with several values gives one filter for each; a variable that occurs twice has the same value in
    /// both places of a filter. Values that cannot stand in one topic level are left out and named in
    /// [`Resolved::unresolved`]: they narrow what is allowed and never widen it.
    #[must_use]
    pub fn resolve(&self, values: &dyn Variables) -> Resolved {
        resolve::resolve(self, values)
    }
}

impl std::str::FromStr for TopicTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl PartialEq for TopicTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TopicTemplate {}

impl std::hash::Hash for TopicTemplate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests;
