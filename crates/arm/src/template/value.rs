//! Values of the template language. Cloning one copies nothing: templates hand whole lists to each turn of a loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

/// A value: JSON whose parts are shared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Arc<str>),
    Array(Arc<[Self]>),
    Object(Arc<Object>),
}

/// Levels of arrays and objects within one another: those of a document, and some more.
pub(super) const DEPTH: usize = 600;

/// Members by name, in the order of names.
pub(super) type Object = BTreeMap<String, Value>;

impl Value {
    /// What kind of value it is, in the language's words.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a bool",
            Self::Integer(_) => "an int",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// A member by name: the exact one, else one that differs in case alone.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        find(members, name)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As the language writes it in a string.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(true) => "True".to_owned(),
            Self::Boolean(false) => "False".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.to_string(),
            Self::Array(_) | Self::Object(_) => self.to_json().to_string(),
        }
    }

    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Bool(*value),
            Self::Integer(number) => Json::from(*number),
            Self::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Self::Text(text) => Json::String(text.to_string()),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(members) => {
                Json::Object(members.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
            }
        }
    }

    /// What is left of so many bytes when it is written out; nothing if it takes more, or nests deeper than
    /// [`DEPTH`]. What is shared counts each time.
    pub(super) fn take_from(&self, left: usize) -> Option<usize> {
        self.take_below(left, DEPTH)
    }

    fn take_below(&self, left: usize, levels: usize) -> Option<usize> {
        let below = || levels.checked_sub(1);
        match self {
            Self::Null | Self::Boolean(_) | Self::Integer(_) | Self::Float(_) => left.checked_sub(8),
            Self::Text(text) => left.checked_sub(text.len() + 2),
            Self::Array(items) => {
                let below = below()?;
                items.iter().try_fold(left.checked_sub(2)?, |left, item| item.take_below(left, below))
            }
            Self::Object(members) => {
                let below = below()?;
                members.iter().try_fold(left.checked_sub(2)?, |left, (name, value)| {
                    value.take_below(left.checked_sub(name.len() + 3)?, below)
                })
            }
        }
    }
}

/// The exact member, else one that differs in case alone.
pub(super) fn find<'a, T>(members: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let exact = members.get(name);
    exact.or_else(|| members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// As [`find`], of plain JSON.
pub(super) fn member<'a>(members: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    let exact = members.get(name);
    exact.or_else(|| members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Boolean(*value),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap_or_default()), Self::Integer)
            }
            Json::String(text) => Self::Text(text.as_str().into()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Json::Object(members) => {
                Self::object(members.iter().map(|(name, value)| (name.clone(), Self::from(value))))
            }
        }
    }
}

impl Value {
    pub(super) fn object(members: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self::Object(Arc::new(members.into_iter().collect()))
    }

    pub(super) fn array(items: impl IntoIterator<Item = Self>) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
