//! Takes a client identifier out of a report that is to be shown to others.

use gridmq_tls::catalogue::Finding;
use gridmq_tls::inspect::sha256_hex;
use serde_json::Value;

use crate::report::Report;

/// Replaces every occurrence of a client identifier, as a word of its own, by `id-` and the first twelve hexadecimal
/// digits of its SHA-256: the same identifier is recognised in two reports and cannot be read.
pub fn client_id(report: &mut Report, id: &str) {
    if id.is_empty() {
        return;
    }
    let word = format!("id-{}", digits(id));
    let change = |text: &mut String| *text = replace(text, id, &word);
    change(&mut report.target);
    for stage in &mut report.stages {
        stage.lines.iter_mut().for_each(change);
        stage.facts.values_mut().for_each(|value| json(value, id, &word));
        for Finding { about, why, fix, evidence, .. } in &mut stage.findings {
            [about, why, fix].into_iter().for_each(change);
            evidence.iter_mut().for_each(change);
        }
    }
    for certificate in report.client_certificates.iter_mut().chain(&mut report.server_certificates) {
        change(&mut certificate.subject);
        change(&mut certificate.issuer);
    }
}

fn json(value: &mut Value, id: &str, word: &str) {
    match value {
        Value::String(text) => *text = replace(text, id, word),
        Value::Array(values) => values.iter_mut().for_each(|value| json(value, id, word)),
        Value::Object(members) => members.values_mut().for_each(|value| json(value, id, word)),
        _ => {}
    }
}

fn digits(id: &str) -> String {
    sha256_hex(id.as_bytes()).chars().take(12).collect()
}

/// Replaces `id` where it does not stand inside a longer word.
fn replace(text: &str, id: &str, word: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(id) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let after = from.get(id.len()..).unwrap_or_default();
        replaced.push_str(before);
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if inside(replaced.chars().next_back()) || inside(after.chars().next()) {
            let first = from.chars().next().map_or(1, char::len_utf8);
            let (first, others) = from.split_at_checked(first).unwrap_or((from, ""));
            replaced.push_str(first);
            rest = others;
        } else {
            replaced.push_str(word);
            rest = after;
        }
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_replaced() {
        assert_eq!(replace("dev1, CN=dev1-doctor, mydev12 dev1", "dev1", "X"), "X, CN=X-doctor, mydev12 X");
        assert_eq!(replace("ä", "ä", "X"), "X");
        assert_eq!(replace("ää", "ä", "X"), "ää");
        assert_eq!(digits("dev1").len(), 12);
    }
}
