//! OpenMetrics 1.0, the text format.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{Display, Write as _};

use super::families::STATE;
use super::{Distribution, Family, Reading, Snapshot};

/// The media type of what [`open_metrics`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Label names that the samples have themselves.
const OWN: [&str; 7] = ["cause", "direction", "exchange", "gridmq_client_state", "le", "qos", "type"];

/// The text of several clients, each told from the others by its labels: the families of all, each once.
///
/// In the name of a label, what is not an ASCII letter, a digit or `_` becomes `_`; a name that the samples use
/// themselves gets the prefix `exported_`; of equal names the first counts. Values may be any text. Clients with equal
/// labels would make a text that no reader takes: give them different ones.
#[must_use]
pub fn open_metrics<'a>(clients: impl IntoIterator<Item = (&'a [(&'a str, &'a str)], &'a Snapshot)>) -> String {
    let clients: Vec<_> = clients.into_iter().map(|(labels, snapshot)| (common(labels), snapshot)).collect();
    let mut text = String::new();
    for (family, readings) in by_family(&clients, Snapshot::all_counters) {
        head(&mut text, family, "counter");
        for reading in readings {
            sample(&mut text, &reading, "_total", None, reading.1.value);
        }
    }
    for (family, readings) in by_family(&clients, Snapshot::all_gauges) {
        head(&mut text, family, if *family == STATE { "stateset" } else { "gauge" });
        for reading in readings {
            sample(&mut text, &reading, "", None, reading.1.value);
        }
    }
    for (family, readings) in by_family(&clients, Snapshot::all_histograms) {
        head(&mut text, family, "histogram");
        for reading in readings {
            distribution(&mut text, &reading);
        }
    }
    text.push_str("# EOF\n");
    text
}

/// The labels of one client, ready to be written: `a="b",c="d"`.
fn common(labels: &[(&str, &str)]) -> String {
    let mut names = HashSet::new();
    let mut text = String::new();
    for (name, value) in labels {
        let name = label_name(name);
        if names.insert(name.clone()) {
            label(&mut text, &name, value);
        }
    }
    text
}

fn label_name(name: &str) -> String {
    let mut valid: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if valid.is_empty() || valid.starts_with(|c: char| c.is_ascii_digit()) {
        valid.insert(0, '_');
    }
    if OWN.contains(&valid.as_str()) {
        valid.insert_str(0, "exported_");
    }
    valid
}

fn label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    let escaped = if value.contains(['\\', '"', '\n']) {
        Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    } else {
        Cow::Borrowed(value)
    };
    // Writing to a string does not fail.
    let _ = write!(text, "{name}=\"{escaped}\"");
}

/// Readings of one family, each with the labels of its client.
type Group<'a, T> = (&'static Family, Vec<(&'a str, Reading<T>)>);

/// The readings of all clients by family, for a family may not be interrupted.
fn by_family<'a, T>(
    clients: &'a [(String, &Snapshot)],
    read: impl Fn(&Snapshot) -> Vec<Reading<T>>,
) -> Vec<Group<'a, T>> {
    let mut groups: Vec<Group<'a, T>> = Vec::new();
    for (common, snapshot) in clients {
        for reading in read(snapshot) {
            let family = reading.family;
            match groups.iter_mut().find(|(known, _)| *known == family) {
                Some((_, readings)) => readings.push((common, reading)),
                None => groups.push((family, vec![(common, reading)])),
            }
        }
    }
    groups
}

fn head(text: &mut String, family: &Family, kind: &str) {
    let name = family.name;
    let _ = writeln!(text, "# TYPE {name} {kind}");
    if !family.unit.name().is_empty() {
        let _ = writeln!(text, "# UNIT {name} {}", family.unit.name());
    }
    let _ = writeln!(text, "# HELP {name} {}", family.help);
}

fn sample<T>(
    text: &mut String,
    (common, reading): &(&str, Reading<T>),
    suffix: &str,
    bound: Option<&str>,
    value: impl Display,
) {
    text.push_str(reading.family.name);
    text.push_str(suffix);
    let mut labels = (*common).to_owned();
    for (name, value) in reading.labels() {
        label(&mut labels, name, value);
    }
    if let Some(bound) = bound {
        label(&mut labels, "le", bound);
    }
    let _ = if labels.is_empty() { writeln!(text, " {value}") } else { writeln!(text, "{{{labels}}} {value}") };
}

fn distribution(text: &mut String, reading: &(&str, Reading<Distribution>)) {
    let value = reading.1.value;
    let mut below = 0;
    for (bound, count) in value.buckets() {
        below += count;
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| float(bound.as_secs_f64()));
        sample(text, reading, "_bucket", Some(&bound), below);
    }
    // The buckets were read once; a count of their own could differ from them.
    sample(text, reading, "_count", None, below);
    sample(text, reading, "_sum", None, value.sum().as_secs_f64());
}

/// A number as the format wants bounds written: with a point.
fn float(number: f64) -> String {
    let text = number.to_string();
    if text.contains('.') { text } else { text + ".0" }
}
