//! Strings.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding};

use super::{LONGEST, Outcome, argument, count, text, too_long, wrong};
use crate::template::problem::Problem;
use crate::template::value::Value;

/// The namespace of `guid`'s UUIDs of version 5.
const GUIDS: uuid::Uuid = uuid::uuid!("11fb06fb-712d-4ddd-98c7-e71bbd588830");

fn limited(text: String) -> Outcome {
    if text.len() > LONGEST { Err(too_long()) } else { Ok(text.into()) }
}

pub(super) fn base64(arguments: &[Value]) -> Outcome {
    limited(Base64::encode_string(text(arguments, 0)?.as_bytes()))
}

fn decoded(arguments: &[Value]) -> Result<String, Problem> {
    let bytes = Base64::decode_vec(text(arguments, 0)?).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Problem::new("argument 1 is no UTF-8 text in Base64", "encode it with base64()"))
}

pub(super) fn base64_to_string(arguments: &[Value]) -> Outcome {
    Ok(decoded(arguments)?.into())
}

pub(super) fn base64_to_json(arguments: &[Value]) -> Outcome {
    parsed(&decoded(arguments)?)
}

pub(super) fn json(arguments: &[Value]) -> Outcome {
    parsed(text(arguments, 0)?)
}

fn parsed(text: &str) -> Outcome {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Problem::new(format!("this is not JSON: {error}"), "correct it"))?;
    Ok(Value::from(&json))
}

pub(super) fn starts_with(arguments: &[Value]) -> Outcome {
    let (whole, part) = (text(arguments, 0)?.to_lowercase(), text(arguments, 1)?.to_lowercase());
    Ok(whole.starts_with(&part).into())
}

pub(super) fn ends_with(arguments: &[Value]) -> Outcome {
    let (whole, part) = (text(arguments, 0)?.to_lowercase(), text(arguments, 1)?.to_lowercase());
    Ok(whole.ends_with(&part).into())
}

pub(super) fn to_lower(arguments: &[Value]) -> Outcome {
    Ok(text(arguments, 0)?.to_lowercase().into())
}

pub(super) fn to_upper(arguments: &[Value]) -> Outcome {
    Ok(text(arguments, 0)?.to_uppercase().into())
}

pub(super) fn trim(arguments: &[Value]) -> Outcome {
    Ok(text(arguments, 0)?.trim().into())
}

pub(super) fn replace(arguments: &[Value]) -> Outcome {
    let (whole, old, new) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    if old.is_empty() {
        return Err(Problem::new("argument 2 is empty", "give what is to be replaced"));
    }
    if whole.matches(old).count().saturating_mul(new.len()).saturating_add(whole.len()) > LONGEST {
        return Err(too_long());
    }
    Ok(whole.replace(old, new).into())
}

pub(super) fn split(arguments: &[Value]) -> Outcome {
    let whole = text(arguments, 0)?;
    let delimiters: Vec<&str> = match argument(arguments, 1) {
        Value::Text(one) => vec![one],
        Value::Array(several) => (0..several.len()).map(|at| text(several, at)).collect::<Result<_, _>>()?,
        _ => return Err(wrong(arguments, 1, "a string or an array of strings")),
    };
    let mut parts = Vec::new();
    let mut rest = whole;
    let first = |rest: &str| {
        let found =
            delimiters.iter().filter(|one| !one.is_empty()).filter_map(|one| Some((rest.find(one)?, one.len())));
        found.min_by_key(|(at, length)| (*at, usize::MAX - length))
    };
    while let Some((at, length)) = first(rest) {
        let (part, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        parts.push(Value::from(part));
        rest = after.get(length..).unwrap_or_default();
    }
    parts.push(rest.into());
    Ok(Value::array(parts))
}

pub(super) fn join(arguments: &[Value]) -> Outcome {
    let Value::Array(items) = argument(arguments, 0) else { return Err(wrong(arguments, 0, "an array")) };
    let delimiter = text(arguments, 1)?;
    let texts: Vec<_> = items.iter().map(Value::to_text).collect();
    let length = texts.iter().map(|text| text.len() + delimiter.len()).fold(0, usize::saturating_add);
    if length > LONGEST { Err(too_long()) } else { Ok(texts.join(delimiter).into()) }
}

/// By characters, where Azure counts UTF-16.
pub(super) fn substring(arguments: &[Value]) -> Outcome {
    let (whole, start) = (text(arguments, 0)?, count(arguments, 1)?);
    let length = whole.chars().count();
    let wanted = if arguments.len() > 2 { count(arguments, 2)? } else { length.saturating_sub(start) };
    if start.saturating_add(wanted) > length {
        let problem = format!("{wanted} characters from {start} are not in a string of {length}");
        return Err(Problem::new(problem, "take fewer"));
    }
    Ok(whole.chars().skip(start).take(wanted).collect::<String>().into())
}

pub(super) fn pad_left(arguments: &[Value]) -> Outcome {
    let whole = argument(arguments, 0).to_text();
    let width = count(arguments, 1)?;
    let with = if arguments.len() > 2 { text(arguments, 2)? } else { " " };
    let mut characters = with.chars();
    let (Some(with), None) = (characters.next(), characters.next()) else {
        return Err(Problem::new("argument 3 is not one character", "give one"));
    };
    if width > LONGEST / 4 {
        return Err(too_long());
    }
    let missing = width.saturating_sub(whole.chars().count());
    Ok(std::iter::repeat_n(with, missing).chain(whole.chars()).collect::<String>().into())
}

/// `{0}` and so on, and `{{` and `}}` for braces.
pub(super) fn format(arguments: &[Value]) -> Outcome {
    let pattern = text(arguments, 0)?;
    let mut out = String::new();
    let mut rest = pattern;
    let unclear = |what: &str| {
        Problem::new(format!("{what} in the format {pattern:?}"), "write {0} for the first value, {{ and }} for braces")
    };
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else {
            let inner = from.strip_prefix('{').ok_or_else(|| unclear("a '}' by itself"))?;
            let (number, after) = inner.split_once('}').ok_or_else(|| unclear("a '{' without its '}'"))?;
            let number: usize = number.trim().parse().map_err(|_| unclear(&format!("{{{number}}}")))?;
            let value = arguments.get(number.saturating_add(1));
            let value = value.ok_or_else(|| unclear(&format!("{{{number}}}, for which there is no argument,")))?;
            out.push_str(&value.to_text());
            rest = after;
        }
        if out.len() > LONGEST {
            return Err(too_long());
        }
    }
    out.push_str(rest);
    limited(out)
}

fn joined(arguments: &[Value]) -> Result<String, Problem> {
    let parts = (0..arguments.len()).map(|at| text(arguments, at)).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.join("-"))
}

pub(super) fn guid(arguments: &[Value]) -> Outcome {
    Ok(uuid::Uuid::new_v5(&GUIDS, joined(arguments)?.as_bytes()).to_string().into())
}

/// 13 letters and digits that depend on the arguments alone. Azure's own are others: how it makes them is not documented.
pub(super) fn unique_string(arguments: &[Value]) -> Outcome {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bytes = *uuid::Uuid::new_v5(&GUIDS, joined(arguments)?.as_bytes()).as_bytes();
    let mut number = u128::from_be_bytes(bytes);
    let mut out = String::with_capacity(13);
    for _ in 0..13 {
        out.extend(LETTERS.get((number % 32) as usize).map(|letter| char::from(*letter)));
        number /= 32;
    }
    Ok(out.into())
}

pub(super) fn uri(arguments: &[Value]) -> Outcome {
    let (base, relative) = (text(arguments, 0)?, text(arguments, 1)?);
    let base = match base.rsplit_once('/') {
        _ if base.ends_with('/') => base.to_owned(),
        // Without a path after the host there is nothing to replace.
        Some((before, _)) if !before.ends_with('/') => format!("{before}/"),
        _ => format!("{base}/"),
    };
    Ok(format!("{base}{}", relative.trim_start_matches('/')).into())
}

pub(super) fn uri_component(arguments: &[Value]) -> Outcome {
    let mut out = String::new();
    for byte in text(arguments, 0)?.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    limited(out)
}

pub(super) fn uri_component_to_string(arguments: &[Value]) -> Outcome {
    let escaped = text(arguments, 0)?;
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let pair = pair.filter(|pair| *first == b'%' && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    let text = String::from_utf8(bytes);
    text.map(Value::from)
        .map_err(|_| Problem::new("argument 1 is no UTF-8 when decoded", "encode it with uriComponent()"))
}
