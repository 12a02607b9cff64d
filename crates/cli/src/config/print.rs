//! `gridmq serve --print-config`: every key with its default and what it means, from where the keys are declared.

use super::Settings;
use super::section::{How, Key, Section, Tree};

const HEAD: &str = "\
# What gridmq serve --config FILE reads: every key, with its default.
# A line that begins with # and a name is a default: take the # away to change it.
# A line that begins with ## is an example where there is no default.
# Keys marked (reload) are read again on SIGHUP; the others wait for the next start.
# A relative path starts at this file's directory.
";

/// The whole file.
pub(crate) fn print() -> String {
    let mut text = HEAD.to_owned();
    section(&Settings::tree(""), false, &mut text);
    text
}

fn section(tree: &Tree, example: bool, text: &mut String) {
    text.push('\n');
    for line in tree.about {
        comment(line, text);
    }
    if tree.name.is_empty() {
        text.push('\n');
    }
    let example = example || tree.how != How::Once;
    if !tree.name.is_empty() {
        text.push_str(if example { "##" } else { "" });
        text.push_str(&if tree.how == How::Many {
            format!("[[{}]]\n", tree.name)
        } else {
            format!("[{}]\n", tree.name)
        });
    }
    for one in &tree.keys {
        key(one, example, text);
    }
    for one in &tree.sections {
        section(one, example, text);
    }
}

fn key(key: &Key, example: bool, text: &mut String) {
    let last = key.doc.len().saturating_sub(1);
    for (number, line) in key.doc.iter().enumerate() {
        let mark = if key.reloads && number == last { " (reload)" } else { "" };
        comment(&format!("{line}{mark}"), text);
    }
    let (mark, value) = match (&key.default, key.example) {
        // An empty default shows nothing of how the key is written.
        (_, Some(given)) => ("##", given),
        (Some(default), None) => (if example { "##" } else { "#" }, default.as_str()),
        (None, None) => ("##", "''"),
    };
    text.push_str(&format!("{mark}{} = {value}\n", key.name));
}

fn comment(line: &str, text: &mut String) {
    text.push('#');
    text.push_str(line);
    text.push('\n');
}
