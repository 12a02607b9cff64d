//! The attributes of a client.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// What an attribute holds.
///
/// Sources differ on booleans; the wider reading is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A whole number of 64 bits.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Text.
    Text(String),
    /// Several texts; a comparison holds if it holds for any of them.
    Texts(Vec<String>),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Texts(values) => write!(f, "{values:?}"),
        }
    }
}

impl From<i64> for AttributeValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for AttributeValue {
    fn from(values: [&str; N]) -> Self {
        Self::Texts(values.map(str::to_owned).to_vec())
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of 64 bits, a boolean, a string or an array of strings")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<AttributeValue, E> {
        i64::try_from(value)
            .map(AttributeValue::Integer)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<AttributeValue, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element()? {
            texts.push(text);
        }
        Ok(AttributeValue::Texts(texts))
    }
}

/// The attributes of a client by key, in the order of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Attributes(BTreeMap<String, AttributeValue>);

impl Attributes {
    /// No attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The value of `key`, which is compared exactly.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.0.get(key)
    }

    /// Sets `key`; the former value is returned.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<AttributeValue>) -> Option<AttributeValue> {
        self.0.insert(key.into(), value.into())
    }

    /// All keys and values in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size that the documented limit counts: keys and values in bytes, integers as 8, booleans as 1.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(key, value)| {
                key.len()
                    + match value {
                        AttributeValue::Integer(_) => 8,
                        AttributeValue::Boolean(_) => 1,
                        AttributeValue::Text(text) => text.len(),
                        AttributeValue::Texts(texts) => texts.iter().map(String::len).sum(),
                    }
            })
            .sum()
    }
}

impl<K: Into<String>, V: Into<AttributeValue>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        Self(items.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes::new();
        while let Some(key) = items.next_key::<String>()? {
            let value: AttributeValue = items.next_value()?;
            if attributes.0.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the attribute `{key}` is given twice")));
            }
            attributes.0.insert(key, value);
        }
        Ok(attributes)
    }
}
