//! Evaluation of a query for one client.

use super::{Literal, Node, Operand, Order, Test};
use crate::resource::{AttributeValue, Attributes};

/// One value of the client, as a comparison sees it.
#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Boolean(bool),
}

impl Node {
    pub(crate) fn holds(&self, authentication_name: &str, attributes: &Attributes) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(authentication_name, attributes)),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(authentication_name, attributes)),
            Self::Compare(Operand::AuthenticationName, test) => test.holds(Value::Text(authentication_name)),
            Self::Compare(Operand::Attribute(key), test) => match attributes.get(key) {
                None => false,
                Some(AttributeValue::Integer(value)) => test.holds(Value::Integer(*value)),
                Some(AttributeValue::Boolean(value)) => test.holds(Value::Boolean(*value)),
                Some(AttributeValue::Text(value)) => test.holds(Value::Text(value)),
                Some(AttributeValue::Texts(values)) => values.iter().any(|value| test.holds(Value::Text(value))),
            },
        }
    }
}

impl Test {
    fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Self::Equal(literal) => literal.equals(value) == Some(true),
            Self::Differs(literal) => literal.equals(value) == Some(false),
            Self::In(literals) => literals.iter().any(|literal| literal.equals(value) == Some(true)),
            Self::Ordered(order, bound) => match value {
                Value::Integer(value) => order.holds(value, *bound),
                Value::Text(_) | Value::Boolean(_) => false,
            },
        }
    }
}

impl Order {
    const fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Literal {
    /// Whether the two are equal; `None` if their types differ.
    fn equals(&self, value: Value<'_>) -> Option<bool> {
        match (self, value) {
            (Self::Text(left), Value::Text(right)) => Some(left == right),
            (Self::Integer(left), Value::Integer(right)) => Some(*left == right),
            (Self::Boolean(left), Value::Boolean(right)) => Some(*left == right),
            _ => None,
        }
    }
}
