//! `gridmq doctor explain` and `gridmq doctor list`: the catalogue in words.

use std::io::Read;

use clap::Args;
use gridmq_doctor::{Match, Profile, explain as recognise, render};
use gridmq_tls::Id;
use serde_json::{Value, json};

use super::show::style;
use crate::error::{Failure, Outcome};
use crate::output;

const HELP: &str = r#"Examples:
  gridmq doctor explain "SSL alert number 48"
  gridmq doctor explain -0x2700
  gridmq doctor explain A19"#;

/// Recognise an error text of any MQTT client or TLS library
///
/// Takes the text of OpenSSL, SChannel and .NET, Java, Node.js, Python, mosquitto, paho, rustls or mbed TLS, and says
/// what it means and what to do. Also shows an entry of the catalogue by its id or name. Exits with 1 if nothing was
/// recognised.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Explain {
    /// The text, or an id such as A19 [default: read from standard input]
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// List every way to fail that is known
#[derive(Debug, Args)]
pub(super) struct List {
    /// Print JSON, one entry a line
    #[arg(long)]
    json: bool,
}

pub(super) fn explain(arguments: &Explain) -> Outcome {
    // A flag after the text is taken for a part of it.
    let as_json = arguments.json || arguments.text.iter().any(|word| word == "--json");
    let words: Vec<&str> = arguments.text.iter().map(String::as_str).filter(|word| *word != "--json").collect();
    let text = if words.is_empty() || words == ["-"] { standard_input()? } else { words.join(" ") };
    match text.trim().parse::<Id>() {
        Ok(id) if as_json => return output::json(&entry(id)),
        Ok(id) => return output::raw(render::entry(id, &style(false)).as_bytes()),
        Err(unknown) if looks_like_an_id(text.trim()) => {
            return Err(Failure::failed(format!("{unknown}; gridmq doctor list shows them all")));
        }
        Err(_) => {}
    }
    let found = recognise(&text);
    if as_json {
        output::json(&Value::Array(found.iter().map(matched).collect()))?;
    } else if !found.is_empty() {
        output::raw(render::matches(&found, &style(false)).as_bytes())?;
    }
    if found.is_empty() {
        return Err(if as_json {
            Failure::said()
        } else {
            Failure::failed(
                "the text is not recognised: give the whole of it, or run gridmq doctor URL against the server",
            )
        });
    }
    Ok(())
}

/// A letter and two digits are nothing that another program prints alone.
fn looks_like_an_id(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, tens, ones]
        if letter.is_ascii_alphabetic() && tens.is_ascii_digit() && ones.is_ascii_digit())
}

pub(super) fn list(arguments: &List) -> Outcome {
    for id in Id::ALL.iter().copied() {
        if arguments.json {
            output::json(&entry(id))?;
        } else {
            output::line(&format!("{}  {:<8} {:<34} {}", id.code(), id.stage().name(), id.name(), id.title()))?;
        }
    }
    Ok(())
}

fn standard_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(gridmq_doctor::explain::MAX_TEXT).unwrap_or(u64::MAX);
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::failed(format!("standard input cannot be read: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn entry(id: Id) -> Value {
    let hints: serde_json::Map<String, Value> = Profile::all()
        .iter()
        .filter_map(|profile| profile.hint(id).map(|hint| (profile.name.clone(), hint.into())))
        .collect();
    json!({
        "id": id.code(), "name": id.name(), "title": id.title(), "stage": id.stage().name(),
        "why": id.why(), "fix": id.fix(), "fix_at": hints,
        "symptoms": id.symptoms().iter().chain(id.vague_symptoms()).collect::<Vec<_>>(),
    })
}

fn matched(found: &Match) -> Value {
    json!({
        "id": found.id.code(), "name": found.id.name(), "title": found.id.title(), "stage": found.id.stage().name(),
        "confidence": found.confidence.name(), "matched": found.matched, "why": found.id.why(), "fix": found.id.fix(),
    })
}
