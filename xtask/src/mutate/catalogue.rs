//! The mutations: which text of which file becomes what, for which statement.

use std::path::Path;

use crate::conformance::Drawable;
use crate::shell::{Context, Failure, Result};

/// Where they are, relative to the root.
pub(super) const DIRECTORY: &str = "xtask/mutations";
/// One file for each standard, and the words behind the numbers of its statements.
const FILES: [(&str, &str); 2] = [("mqtt-5.0.toml", "MQTT 5.0"), ("mqtt-3.1.1.toml", "MQTT 3.1.1")];

/// One change that breaks one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mutation {
    /// `MQTT-3.1.2-24 of MQTT 5.0`
    pub(super) statement: String,
    /// What the broker then does.
    pub(super) breaks: String,
    pub(super) file: String,
    pub(super) old: String,
    pub(super) new: String,
}

impl Mutation {
    /// The file's text with the mutation.
    pub(super) fn apply(&self, text: &str) -> Result<String> {
        match text.matches(&self.old).count() {
            1 => Ok(text.replacen(&self.old, &self.new, 1)),
            count => Err(Failure(format!(
                "{DIRECTORY}: the text that the mutation of {} replaces is there {count} times in {}, and must be there \
                 once: the code changed, so write the mutation anew",
                self.statement, self.file
            ))),
        }
    }
}

/// All of them.
pub(super) fn read(root: &Path) -> Result<Vec<Mutation>> {
    let mut all = Vec::new();
    for (name, standard) in FILES {
        let file = root.join(DIRECTORY).join(name);
        let text = std::fs::read_to_string(&file).context(format_args!("cannot read {}", file.display()))?;
        all.extend(parse(&text, standard).map_err(|Failure(why)| Failure(format!("{DIRECTORY}/{name}: {why}")))?);
    }
    Ok(all)
}

fn parse(text: &str, standard: &str) -> Result<Vec<Mutation>> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| Failure(error.to_string()))?;
    let entries = table.get("mutation").and_then(toml::Value::as_array).context("there is no [[mutation]]")?;
    let mut all = Vec::new();
    for entry in entries {
        let text = |key: &str| {
            let value = entry.get(key).and_then(toml::Value::as_str).filter(|value| !value.is_empty());
            value.map(str::to_owned).context(format_args!("a [[mutation]] has no {key}"))
        };
        all.push(Mutation {
            statement: format!("{} of {standard}", text("statement")?),
            breaks: text("breaks")?,
            file: text("file")?,
            old: text("old")?,
            new: text("new")?,
        });
    }
    Ok(all)
}

/// What is wrong with the catalogue as the source now is: quick, so a part of the conformance check.
pub(crate) fn faults(root: &Path, statements: &[Drawable]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for mutation in read(root)? {
        if !statements.iter().any(|statement| statement.name == mutation.statement) {
            faults.push(format!(
                "{DIRECTORY}: {} is no statement that binds the server and has a test over a socket",
                mutation.statement
            ));
        }
        let file = root.join(&mutation.file);
        let applied = std::fs::read_to_string(&file)
            .context(format_args!("cannot read {}", file.display()))
            .and_then(|text| mutation.apply(&text));
        faults.extend(applied.err().map(|Failure(why)| why));
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[mutation]]\nstatement = 'MQTT-1.2.3-4'\nbreaks = 'it forgets'\nfile = 'a.rs'\nold = 'keep'\n";

    #[test]
    fn a_mutation_is_applied_where_its_text_is_found_once() {
        let all = parse(&format!("{ONE}new = 'drop'"), "MQTT 5.0").unwrap_or_default();
        assert_eq!(all.len(), 1);
        for mutation in all {
            assert_eq!(mutation.statement, "MQTT-1.2.3-4 of MQTT 5.0");
            assert_eq!(mutation.apply("a keep b").ok().as_deref(), Some("a drop b"));
            assert!(mutation.apply("keep keep").is_err());
            assert!(mutation.apply("none").is_err());
        }
    }

    #[test]
    fn an_incomplete_mutation_is_refused() {
        assert!(parse(ONE, "MQTT 5.0").is_err());
        assert!(parse("", "MQTT 5.0").is_err());
    }
}
