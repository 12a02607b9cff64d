//! Parameters: what is given, what the template says of each, and their defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::context::Context;
use super::evaluate::Frame;
use super::path::Path;
use super::problem::{Problem, TemplateError, nearest};
use super::value::{Value, member};

/// What is given, by name in lower case.
pub(super) fn given(
    defined: &Map<String, Json>,
    parameters: &Map<String, Json>,
) -> Result<BTreeMap<String, Json>, TemplateError> {
    let mut all = BTreeMap::new();
    for (name, given) in parameters {
        let path = format!("parameters.{name}");
        if member(defined, name).is_none() {
            let known = defined.keys().map(String::as_str);
            let cure = match nearest(name, known.clone()) {
                Some(near) => format!("is '{near}' meant?"),
                None if defined.is_empty() => "leave it out: it has none".to_owned(),
                None => format!("leave it out: it has {}", known.take(20).collect::<Vec<_>>().join(", ")),
            };
            return Err(Problem::new("the template has no such parameter", cure).at(path));
        }
        if given.get("reference").is_some() {
            let cure = "give the value itself: there is no key vault here";
            return Err(Problem::new("the value is in a key vault", cure).at(path));
        }
        let value = given
            .get("value")
            .ok_or_else(|| Problem::new("there is no value", r#"give an object with it: {"value": …}"#).at(&*path))?;
        all.insert(name.to_ascii_lowercase(), value.clone());
    }
    Ok(all)
}

/// The value of one parameter: what is given, or its default.
pub(super) fn value(
    context: &Context<'_>,
    name: &str,
    definition: &Json,
    given: Option<&Json>,
) -> Result<Value, TemplateError> {
    let start = Path::Start("parameters");
    let path = start.member(name);
    let shape = || Problem::new("this is no parameter", "give an object with 'type'").at(path.to_string());
    let definition = definition.as_object().ok_or_else(shape)?;
    let nullable = member(definition, "nullable") == Some(&Json::Bool(true));
    let value = match (given, member(definition, "defaultValue")) {
        (Some(given), _) => Value::from(given),
        (None, Some(default)) => context.json(default, &Frame::default(), &path.member("defaultValue"))?,
        (None, None) if nullable => Value::Null,
        (None, None) => {
            let cure = format!(r#"give it among the parameters: "{name}": {{"value": …}}"#);
            return Err(Problem::new("this parameter has no value", cure).at(path.to_string()));
        }
    };
    if value == Value::Null && nullable {
        return Ok(value);
    }
    let kind = member(definition, "type").and_then(Json::as_str).map(str::to_ascii_lowercase);
    let fits = match kind.as_deref() {
        Some("string" | "securestring") => matches!(value, Value::Text(_)),
        Some("int") => matches!(value, Value::Integer(_)),
        Some("bool") => matches!(value, Value::Boolean(_)),
        Some("object" | "secureobject") => matches!(value, Value::Object(_)),
        Some("array") => matches!(value, Value::Array(_)),
        // Bicep's own types refer to definitions.
        None if definition.contains_key("$ref") => true,
        _ => {
            let cure = "give string, securestring, int, bool, object, secureObject or array";
            return Err(
                Problem::new("this parameter has no type that there is", cure).at(path.member("type").to_string())
            );
        }
    };
    if !fits {
        let (found, expected) = (value.kind(), kind.unwrap_or_default());
        return Err(
            Problem::new(format!("the value is {found}"), format!("give one of type {expected}")).at(path.to_string())
        );
    }
    check(definition, &value).map_err(|problem| problem.at(path.to_string()))?;
    Ok(value)
}

/// The rules that a template has for values.
fn check(definition: &Map<String, Json>, value: &Value) -> Result<(), Problem> {
    if let Some(Json::Array(allowed)) = member(definition, "allowedValues") {
        let one_of = |allowed: &Json| Value::from(allowed) == *value;
        let all_of = match value {
            Value::Array(items) => items.iter().all(|item| allowed.iter().any(|one| Value::from(one) == *item)),
            _ => false,
        };
        if !allowed.iter().any(one_of) && !all_of {
            let allowed: Vec<_> = allowed.iter().map(Json::to_string).collect();
            let cure = format!("give one of {}", allowed.join(", "));
            return Err(Problem::new("the value is none of those that are allowed", cure));
        }
    }
    let (found, of, smallest, greatest) = match value {
        Value::Integer(number) => (*number, "the value", "minValue", "maxValue"),
        Value::Text(text) => (length(text.chars().count()), "the length", "minLength", "maxLength"),
        Value::Array(items) => (length(items.len()), "the length", "minLength", "maxLength"),
        _ => return Ok(()),
    };
    let bound = |name| member(definition, name).and_then(Json::as_i64);
    if let Some(least) = bound(smallest).filter(|least| found < *least) {
        return Err(Problem::new(format!("{of} is {found}"), format!("give {least} or more")));
    }
    if let Some(most) = bound(greatest).filter(|most| found > *most) {
        return Err(Problem::new(format!("{of} is {found}"), format!("give {most} or less")));
    }
    Ok(())
}

fn length(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
