//! The cases of the Eclipse Paho interoperability suites, and the tests of ours that are named after them.

use super::Cover;
use super::names::Standard;
use crate::shell::Result;
use crate::sources;

/// A case and what we have of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) standard: Standard,
    pub(crate) name: String,
    /// What it checks.
    pub(crate) words: String,
    pub(crate) covers: Vec<Cover>,
    /// Where it contradicts the standard.
    pub(crate) reason: Option<String>,
}

impl Case {
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { standard, name, covers, reason, .. } = self;
        (covers.is_empty() && reason.is_none())
            .then(|| format!("the Paho case {} has neither a test nor a reason", token(*standard).to_owned() + name))
    }
}

/// Puts the tests to the cases; `faults` gets the names that no case has.
pub(crate) fn gather(
    cases: &[(Standard, String, String)],
    reasons: &[(Standard, String, String)],
    faults: &mut Vec<String>,
) -> Result<Vec<Case>> {
    let reason = |standard: Standard, name: &str| {
        let found = reasons.iter().find(|(of, case, _)| *of == standard && case == name);
        found.map(|(_, _, words)| words.clone())
    };
    let mut table: Vec<Case> = cases
        .iter()
        .map(|(standard, name, words)| Case {
            standard: *standard,
            name: name.clone(),
            words: words.clone(),
            covers: Vec::new(),
            reason: reason(*standard, name),
        })
        .collect();
    for (standard, name, _) in reasons {
        if !cases.iter().any(|(of, case, _)| of == standard && case == name) {
            faults.push(format!("a reason is given for the Paho case {name}, which is not listed"));
        }
    }
    for source in sources::all()?.iter().filter(|source| source.path.starts_with("crates/")) {
        for test in sources::tests(&source.text) {
            for (standard, rest) in cases_of(&test.name) {
                let named = |case: &&mut Case| case.standard == standard && is_named(rest, &case.name);
                match table.iter_mut().filter(named).max_by_key(|case| case.name.len()) {
                    Some(case) => case.covers.push(Cover { test: test.name.clone(), path: source.path.clone() }),
                    None => {
                        faults.push(format!("{} in {} names a Paho case that is not listed", test.name, source.path));
                    }
                }
            }
        }
    }
    Ok(table)
}

const fn token(standard: Standard) -> &'static str {
    match standard {
        Standard::Mqtt5 => "paho5_",
        Standard::Mqtt311 => "paho311_",
    }
}

/// What follows each token in a test's name.
fn cases_of(test: &str) -> Vec<(Standard, &str)> {
    let mut found = Vec::new();
    for standard in [Standard::Mqtt5, Standard::Mqtt311] {
        let token = token(standard);
        for (at, _) in test.match_indices(token) {
            let (before, from) = test.split_at(at);
            if before.is_empty() || before.ends_with('_') {
                found.extend(from.strip_prefix(token).map(|rest| (standard, rest)));
            }
        }
    }
    found
}

/// Whether the rest of a test's name begins with that case's.
fn is_named(rest: &str, case: &str) -> bool {
    rest.strip_prefix(case).is_some_and(|more| more.is_empty() || more.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_case() {
        assert_eq!(cases_of("paho5_keepalive"), [(Standard::Mqtt5, "keepalive")]);
        assert_eq!(cases_of("mqtt5_3_1_2_24_and_paho311_keepalive_fires"), [(Standard::Mqtt311, "keepalive_fires")]);
        assert_eq!(cases_of("paho5_a_and_paho5_b"), [(Standard::Mqtt5, "a_and_paho5_b"), (Standard::Mqtt5, "b")]);
        assert_eq!(cases_of("xpaho5_keepalive"), []);
        assert!(is_named("keepalive", "keepalive") && is_named("keepalive_fires", "keepalive"));
        assert!(!is_named("keepalives", "keepalive"));
    }
}
