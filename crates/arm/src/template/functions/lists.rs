//! Arrays and objects, and what is the same for strings.

use std::collections::HashSet;
use std::sync::Arc;

use super::{LONGEST, Outcome, argument, count, text, too_long, wrong};
use crate::template::problem::{Problem, nearest};
use crate::template::value::{Object, Value};

fn items(arguments: &[Value], at: usize) -> Result<&[Value], Problem> {
    match argument(arguments, at) {
        Value::Array(items) => Ok(items),
        _ => Err(wrong(arguments, at, "an array")),
    }
}

fn members(arguments: &[Value], at: usize) -> Result<&Object, Problem> {
    match argument(arguments, at) {
        Value::Object(members) => Ok(members),
        _ => Err(wrong(arguments, at, "an object")),
    }
}

pub(super) fn array(arguments: &[Value]) -> Outcome {
    Ok(match argument(arguments, 0) {
        Value::Array(items) => Value::Array(Arc::clone(items)),
        other => Value::array([other.clone()]),
    })
}

pub(super) fn create_array(arguments: &[Value]) -> Outcome {
    Ok(Value::array(arguments.iter().cloned()))
}

pub(super) fn create_object(arguments: &[Value]) -> Outcome {
    let mut members = Object::new();
    for at in (0..arguments.len()).step_by(2) {
        let name = text(arguments, at)?;
        let value = arguments.get(at + 1);
        let value =
            value.ok_or_else(|| Problem::new(format!("{name:?} has no value"), "give names and values in turn"))?;
        members.insert(name.to_owned(), value.clone());
    }
    Ok(Value::Object(Arc::new(members)))
}

pub(super) fn coalesce(arguments: &[Value]) -> Outcome {
    Ok(arguments.iter().find(|value| **value != Value::Null).cloned().unwrap_or(Value::Null))
}

pub(super) fn concat(arguments: &[Value]) -> Outcome {
    if matches!(argument(arguments, 0), Value::Array(_)) {
        let lists = (0..arguments.len()).map(|at| items(arguments, at)).collect::<Result<Vec<_>, _>>()?;
        if lists.iter().map(|list| list.len()).sum::<usize>() > LONGEST / 16 {
            return Err(too_long());
        }
        return Ok(Value::array(lists.into_iter().flatten().cloned()));
    }
    let mut out = String::new();
    for (at, value) in arguments.iter().enumerate() {
        if matches!(value, Value::Array(_) | Value::Object(_)) {
            return Err(wrong(arguments, at, "what the others are: all strings, or all arrays"));
        }
        out.push_str(&value.to_text());
        if out.len() > LONGEST {
            return Err(too_long());
        }
    }
    Ok(out.into())
}

pub(super) fn contains(arguments: &[Value]) -> Outcome {
    let wanted = argument(arguments, 1);
    Ok(Value::Boolean(match argument(arguments, 0) {
        Value::Text(whole) => whole.contains(&wanted.to_text()),
        Value::Array(items) => items.contains(wanted),
        object @ Value::Object(_) => object.member(&wanted.to_text()).is_some(),
        _ => return Err(wrong(arguments, 0, "a string, an array or an object")),
    }))
}

pub(super) fn empty(arguments: &[Value]) -> Outcome {
    Ok(Value::Boolean(match argument(arguments, 0) {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => return Err(wrong(arguments, 0, "a string, an array or an object")),
    }))
}

pub(super) fn length(arguments: &[Value]) -> Outcome {
    let length = match argument(arguments, 0) {
        Value::Text(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => return Err(wrong(arguments, 0, "a string, an array or an object")),
    };
    Ok(Value::Integer(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn one_character(character: Option<char>) -> Value {
    character.map(String::from).unwrap_or_default().into()
}

pub(super) fn first(arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Text(text) => Ok(one_character(text.chars().next())),
        Value::Array(items) => Ok(items.first().cloned().unwrap_or(Value::Null)),
        _ => Err(wrong(arguments, 0, "a string or an array")),
    }
}

pub(super) fn last(arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Text(text) => Ok(one_character(text.chars().next_back())),
        Value::Array(items) => Ok(items.last().cloned().unwrap_or(Value::Null)),
        _ => Err(wrong(arguments, 0, "a string or an array")),
    }
}

pub(super) fn skip(arguments: &[Value]) -> Outcome {
    let number = count(arguments, 1)?;
    match argument(arguments, 0) {
        Value::Text(text) => Ok(text.chars().skip(number).collect::<String>().into()),
        Value::Array(items) => Ok(Value::array(items.iter().skip(number).cloned())),
        _ => Err(wrong(arguments, 0, "a string or an array")),
    }
}

pub(super) fn take(arguments: &[Value]) -> Outcome {
    let number = count(arguments, 1)?;
    match argument(arguments, 0) {
        Value::Text(text) => Ok(text.chars().take(number).collect::<String>().into()),
        Value::Array(items) => Ok(Value::array(items.iter().take(number).cloned())),
        _ => Err(wrong(arguments, 0, "a string or an array")),
    }
}

fn place(found: Option<usize>) -> Outcome {
    Ok(Value::Integer(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

/// In a string ignoring case, by characters.
pub(super) fn index_of(arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Text(whole) => {
            let (whole, part) = (whole.to_lowercase(), text(arguments, 1)?.to_lowercase());
            place(whole.split_once(&part).map(|(before, _)| before.chars().count()))
        }
        Value::Array(items) => place(items.iter().position(|item| item == argument(arguments, 1))),
        _ => Err(wrong(arguments, 0, "a string or an array")),
    }
}

pub(super) fn last_index_of(arguments: &[Value]) -> Outcome {
    match argument(arguments, 0) {
        Value::Text(whole) => {
            let (whole, part) = (whole.to_lowercase(), text(arguments, 1)?.to_lowercase());
            place(whole.rsplit_once(&part).map(|(before, _)| before.chars().count()))
        }
        Value::Array(items) => place(items.iter().rposition(|item| item == argument(arguments, 1))),
        _ => Err(wrong(arguments, 0, "a string or an array")),
    }
}

fn from_end(arguments: &[Value]) -> Result<Option<&Value>, Problem> {
    let (items, number) = (items(arguments, 0)?, count(arguments, 1)?);
    Ok(number.checked_sub(1).and_then(|back| items.iter().rev().nth(back)))
}

pub(super) fn index_from_end(arguments: &[Value]) -> Outcome {
    let found = from_end(arguments)?.cloned();
    found.ok_or_else(|| Problem::new("the array has no such item", "count from 1 at its end"))
}

pub(super) fn try_index_from_end(arguments: &[Value]) -> Outcome {
    Ok(from_end(arguments)?.cloned().unwrap_or(Value::Null))
}

/// A member, or an item, of a member, and so on; `null` where one is not there.
pub(super) fn try_get(arguments: &[Value]) -> Outcome {
    let mut value = argument(arguments, 0);
    for step in arguments.iter().skip(1) {
        let next = match (value, step) {
            (Value::Object(_), Value::Text(name)) => value.member(name),
            (Value::Array(items), Value::Integer(at)) => usize::try_from(*at).ok().and_then(|at| items.get(at)),
            (Value::Null, _) => None,
            _ => {
                return Err(Problem::new(
                    format!("{} has no member by {}", value.kind(), step.kind()),
                    "look into it first",
                ));
            }
        };
        match next {
            Some(next) => value = next,
            None => return Ok(Value::Null),
        }
    }
    Ok(value.clone())
}

pub(super) fn object_keys(arguments: &[Value]) -> Outcome {
    Ok(Value::array(members(arguments, 0)?.keys().map(|name| name.as_str().into())))
}

/// `key` and `value` of each member, in the order of keys.
pub(super) fn items_of_object(arguments: &[Value]) -> Outcome {
    let item = |name: &str, value: &Value| [("key".to_owned(), name.into()), ("value".to_owned(), value.clone())];
    Ok(Value::array(members(arguments, 0)?.iter().map(|(name, value)| Value::object(item(name, value)))))
}

pub(super) fn flatten(arguments: &[Value]) -> Outcome {
    let mut out = Vec::new();
    for item in items(arguments, 0)? {
        match item {
            Value::Array(inner) if out.len() + inner.len() <= LONGEST / 16 => out.extend(inner.iter().cloned()),
            Value::Array(_) => return Err(too_long()),
            other => {
                let problem = format!("the array holds {}", other.kind());
                return Err(Problem::new(problem, "flatten arrays of arrays"));
            }
        }
    }
    Ok(Value::array(out))
}

pub(super) fn union(arguments: &[Value]) -> Outcome {
    if let Value::Object(first) = argument(arguments, 0) {
        let mut all = Object::clone(first);
        for at in 1..arguments.len() {
            merge(&mut all, members(arguments, at)?);
        }
        return Ok(Value::Object(Arc::new(all)));
    }
    let mut seen = HashSet::new();
    let mut all: Vec<Value> = Vec::new();
    for at in 0..arguments.len() {
        all.extend(items(arguments, at)?.iter().filter(|item| seen.insert(written(item))).cloned());
    }
    Ok(Value::array(all))
}

/// What is the same is written alike.
fn written(value: &Value) -> String {
    value.to_json().to_string()
}

/// The later value of a member counts; of objects, member by member.
fn merge(into: &mut Object, from: &Object) {
    for (name, value) in from {
        let merged = match (into.get(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let mut all = Object::clone(old);
                merge(&mut all, new);
                Value::Object(Arc::new(all))
            }
            _ => value.clone(),
        };
        into.insert(name.clone(), merged);
    }
}

pub(super) fn shallow_merge(arguments: &[Value]) -> Outcome {
    let list = items(arguments, 0)?;
    let mut all = Object::new();
    for at in 0..list.len() {
        all.extend(members(list, at)?.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(Value::Object(Arc::new(all)))
}

pub(super) fn intersection(arguments: &[Value]) -> Outcome {
    if let Value::Object(first) = argument(arguments, 0) {
        let others = (1..arguments.len()).map(|at| members(arguments, at)).collect::<Result<Vec<_>, _>>()?;
        let in_all = |name: &String, value: &Value| others.iter().all(|other| other.get(name) == Some(value));
        let kept = first.iter().filter(|(name, value)| in_all(name, value));
        return Ok(Value::object(kept.map(|(name, value)| (name.clone(), value.clone()))));
    }
    let set = |at| Ok(items(arguments, at)?.iter().map(written).collect::<HashSet<_>>());
    let others = (1..arguments.len()).map(set).collect::<Result<Vec<_>, Problem>>()?;
    let kept = items(arguments, 0)?.iter().filter(|item| others.iter().all(|other| other.contains(&written(item))));
    Ok(Value::array(kept.cloned()))
}

/// An item of an array by its place from 0, or a member of an object by its name.
pub(in crate::template) fn at(list: &Value, index: &Value) -> Outcome {
    match (list, index) {
        (Value::Array(items), Value::Integer(number)) => {
            let found = usize::try_from(*number).ok().and_then(|at| items.get(at));
            found.cloned().ok_or_else(|| {
                let problem = format!("there is no item {number} in an array of {}", items.len());
                Problem::new(problem, "count from 0, or use tryGet()")
            })
        }
        (Value::Object(_), Value::Text(name)) => member(list, name),
        _ => Err(Problem::new(
            format!("{} is looked into by {}", list.kind(), index.kind()),
            "take an item of an array by an int, a member of an object by a string",
        )),
    }
}

/// A member that has to be there.
pub(in crate::template) fn member(object: &Value, name: &str) -> Outcome {
    let Value::Object(members) = object else {
        return Err(Problem::new(format!("{} has no member '{name}'", object.kind()), "take it from an object"));
    };
    object.member(name).cloned().ok_or_else(|| {
        let known: Vec<_> = members.keys().map(String::as_str).take(10).collect();
        let cure = match nearest(name, known.iter().copied()) {
            Some(near) => format!("is '{near}' meant?"),
            None if known.is_empty() => "it has none: use tryGet() where that may be".to_owned(),
            None => format!("it has {}; use tryGet() where it may be absent", known.join(", ")),
        };
        Problem::new(format!("there is no member '{name}'"), cure)
    })
}
