//! Reading the file so that what is wrong is said with its line and column, and an unknown key with the nearest one that
//! is known.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::section::{How, Tree};

/// Other spellings that are taken.
const ALIASES: [(&str, &str); 2] = [("tls", "crl_check"), ("tls", "require_ocsp")];
/// More are not listed.
const MOST_PROBLEMS: usize = 20;

/// Reads TOML. Each problem is `LINE:COLUMN: words`.
pub(super) fn parse<T: DeserializeOwned>(text: &str, tree: &Tree) -> Result<T, Vec<String>> {
    let described = |error: &toml::de::Error, key: Option<&str>| {
        let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
        let words = error.message().trim_end().replace('\n', "; ");
        vec![located(text, error.span(), &format!("{key}{words}"))]
    };
    let table = DeTable::parse(text).map_err(|error| described(&error, None))?;
    let mut problems = Vec::new();
    walk(table.get_ref(), tree, &mut |span, words| problems.push(located(text, Some(span), &words)));
    if !problems.is_empty() {
        problems.truncate(MOST_PROBLEMS);
        return Err(problems);
    }
    toml::from_str(text).map_err(|error| {
        let key = error.span().and_then(|span| key_of(table.get_ref(), span.start));
        described(&error, key)
    })
}

/// The innermost key whose value is there. The span of a section is that of its head alone.
fn key_of<'a>(table: &'a DeTable<'_>, at: usize) -> Option<&'a str> {
    table.iter().find_map(|(key, value)| {
        let inner = match value.get_ref() {
            DeValue::Table(table) => key_of(table, at),
            DeValue::Array(array) => {
                array.iter().filter_map(|one| one.get_ref().as_table()).find_map(|table| key_of(table, at))
            }
            _ => None,
        };
        inner.or_else(|| value.span().contains(&at).then(|| key.get_ref().as_ref()))
    })
}

fn located(text: &str, span: Option<Range<usize>>, words: &str) -> String {
    let at = span.map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{line}:{column}: {words}")
}

fn walk(table: &DeTable<'_>, tree: &Tree, tell: &mut impl FnMut(Range<usize>, String)) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if let Some(section) = tree.sections.iter().find(|section| section.name == name) {
            match value.get_ref() {
                DeValue::Table(table) if section.how != How::Many => walk(table, section, tell),
                DeValue::Array(array) if section.how == How::Many => {
                    for table in array.iter().filter_map(|one| one.get_ref().as_table()) {
                        walk(table, section, tell);
                    }
                }
                DeValue::Table(_) => tell(key.span(), format!("[{name}] may be there several times: write [[{name}]]")),
                // What else it may be, its type knows.
                _ => {}
            }
        } else if !tree.keys.iter().any(|key| key.name == name) && !ALIASES.contains(&(tree.name.as_str(), name)) {
            tell(key.span(), unknown(name, tree, matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_))));
        }
    }
}

fn unknown(name: &str, tree: &Tree, section: bool) -> String {
    let place = if tree.name.is_empty() { String::new() } else { format!(" in [{}]", tree.name) };
    let keys = tree.keys.iter().map(|key| &key.name);
    let known = keys.chain(tree.sections.iter().map(|section| &section.name));
    let nearest = known.map(|known| (distance(name, known), known)).min();
    let cure = match nearest {
        Some((distance, known)) if distance <= (known.len().max(name.len()) / 3).max(1) => {
            format!("did you mean {known}?")
        }
        _ => match elsewhere(name, tree) {
            Some(place) => format!("it belongs into [{place}]"),
            None => "gridmq serve --print-config lists every key".to_owned(),
        },
    };
    let what = if section { "key or section" } else { "key" };
    format!("unknown {what} {name}{place}: {cure}")
}

/// The section below that has the key; rather one that is always there.
fn elsewhere<'a>(name: &str, tree: &'a Tree) -> Option<&'a str> {
    let has = |section: &&Tree| section.keys.iter().any(|key| key.name == name);
    let sections = || tree.sections.iter().filter(has);
    let section = sections().find(|section| section.how == How::Once).or_else(|| sections().next());
    section.map(|section| section.name.as_str())
}

/// How many letters have to be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    // A name of a megabyte is near to nothing.
    for (number, letter) in one.chars().take(64).enumerate() {
        let mut before = number;
        let mut left = number + 1;
        for (cell, known) in row.iter_mut().skip(1).zip(&other) {
            let same = letter == *known || (letter == '_' && *known == '-');
            left = (before + usize::from(!same)).min(left + 1).min(*cell + 1);
            before = std::mem::replace(cell, left);
        }
        if let Some(first) = row.first_mut() {
            *first = number + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (one, other, expected) in
            [("cert", "cert", 0), ("certs", "cert", 1), ("crt", "cert", 1), ("", "cert", 4), ("cret", "cert", 2)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
        assert_eq!(distance("trust_plain", "trust-plain"), 0);
    }
}
