//! The values of a client that topic templates refer to.

use gridmq_proto::topic::{AttributeValues, Variables};

use crate::resource::{AttributeValue, Attributes};

/// A client's name and attributes. Integers and booleans stand as the text that JSON has for them.
#[derive(Clone, Copy)]
pub(crate) struct ClientVariables<'a> {
    pub(crate) authentication_name: &'a str,
    pub(crate) attributes: &'a Attributes,
}

impl Variables for ClientVariables<'_> {
    fn authentication_name(&self) -> &str {
        self.authentication_name
    }

    fn attribute(&self, key: &str) -> AttributeValues<'_> {
        match self.attributes.get(key) {
            None => AttributeValues::none(),
            Some(AttributeValue::Text(text)) => AttributeValues::one(text.as_str()),
            Some(AttributeValue::Texts(texts)) => texts.iter().map(String::as_str).collect(),
            Some(AttributeValue::Integer(value)) => AttributeValues::one(value.to_string()),
            Some(AttributeValue::Boolean(value)) => AttributeValues::one(value.to_string()),
        }
    }
}
