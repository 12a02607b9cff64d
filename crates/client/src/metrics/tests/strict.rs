//! A reader of OpenMetrics 1.0 that takes nothing that the format does not allow.

use std::collections::{HashMap, HashSet};

type Fault = String;

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

#[derive(Debug, Default)]
pub(super) struct Exposition {
    pub(super) samples: Vec<Sample>,
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    lines: HashSet<&'static str>,
    samples: Vec<Sample>,
}

impl Exposition {
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let same = |sample: &&Sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(name, value)| sample.labels.iter().any(|(n, v)| n == name && v == value))
        };
        self.samples.iter().find(same).map(|sample| sample.value)
    }

    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let body = text.strip_suffix("# EOF\n").ok_or("no # EOF at the end")?;
        if !body.is_empty() && !body.ends_with('\n') {
            return Err("# EOF is not a line".to_owned());
        }
        let mut exposition = Self::default();
        let (mut seen, mut series) = (HashSet::new(), HashSet::new());
        let mut family: Option<Family> = None;
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let (what, rest) = rest.split_once(' ').ok_or("a comment")?;
                let (name, value) = rest.split_once(' ').ok_or("nothing after the name")?;
                let what = ["TYPE", "UNIT", "HELP"].into_iter().find(|known| *known == what).ok_or("a comment")?;
                if family.as_ref().is_none_or(|family| family.name != name) {
                    exposition.take(family.take())?;
                    valid_name(name, true)?;
                    if !seen.insert(name.to_owned()) {
                        return Err(format!("{name} is interrupted"));
                    }
                    family = Some(Family { name: name.to_owned(), ..Family::default() });
                }
                let family = family.as_mut().ok_or("no family")?;
                if !family.samples.is_empty() || !family.lines.insert(what) {
                    return Err(format!("{what} of {name} at the wrong place"));
                }
                match what {
                    "TYPE" => family.kind = value.to_owned(),
                    "UNIT" if !name.ends_with(&format!("_{value}")) => return Err(format!("{name} in {value}")),
                    _ => {}
                }
                continue;
            }
            let sample = sample(line)?;
            let mut labels = sample.labels.clone();
            labels.sort();
            if !series.insert((sample.name.clone(), labels)) {
                return Err(format!("twice: {line}"));
            }
            let family = family.as_mut().ok_or("a sample without a family")?;
            family.check(&sample)?;
            family.samples.push(sample);
        }
        exposition.take(family)?;
        Ok(exposition)
    }

    fn take(&mut self, family: Option<Family>) -> Result<(), Fault> {
        if let Some(family) = family {
            if family.kind == "histogram" {
                family.check_histograms()?;
            }
            self.samples.extend(family.samples);
        }
        Ok(())
    }
}

impl Family {
    fn check(&self, sample: &Sample) -> Result<(), Fault> {
        let suffix = sample.name.strip_prefix(&self.name).ok_or_else(|| format!("{} in {}", sample.name, self.name))?;
        let allowed: &[&str] = match self.kind.as_str() {
            "counter" => &["_total"],
            "gauge" | "stateset" => &[""],
            "histogram" => &["_bucket", "_count", "_sum"],
            other => return Err(format!("type {other}")),
        };
        if !allowed.contains(&suffix) {
            return Err(format!("{suffix} in a {}", self.kind));
        }
        let state = sample.labels.iter().any(|(name, _)| *name == self.name);
        if (self.kind == "stateset") != state || (state && ![0.0, 1.0].contains(&sample.value)) {
            return Err(format!("{sample:?} in a {}", self.kind));
        }
        let grows = matches!(self.kind.as_str(), "counter" | "histogram");
        if sample.value.is_nan() || (grows && sample.value < 0.0) {
            return Err(format!("{} is {}", sample.name, sample.value));
        }
        Ok(())
    }

    fn check_histograms(&self) -> Result<(), Fault> {
        #[derive(Default)]
        struct One {
            buckets: Vec<(f64, f64)>,
            count: Option<f64>,
            sum: bool,
        }
        let mut all: HashMap<Vec<(String, String)>, One> = HashMap::new();
        for sample in &self.samples {
            let (bound, labels): (Vec<_>, Vec<_>) = sample.labels.iter().cloned().partition(|(name, _)| name == "le");
            let one = all.entry(labels).or_default();
            match (sample.name.strip_prefix(&self.name), bound.first()) {
                (Some("_bucket"), Some((_, bound))) => {
                    let canonical = bound == "+Inf" || (bound.contains('.') && bound.parse::<f64>().is_ok());
                    if !canonical {
                        return Err(format!("bound {bound}"));
                    }
                    one.buckets.push((bound.parse().map_err(|_| "a bound")?, sample.value));
                }
                (Some("_count"), None) => one.count = Some(sample.value),
                (Some("_sum"), None) => one.sum = true,
                _ => return Err(format!("{sample:?}")),
            }
        }
        for one in all.values() {
            let rises = one.buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            let last = one.buckets.last().ok_or("no bucket")?;
            if !rises || last.0.is_finite() || one.count != Some(last.1) || !one.sum {
                return Err(format!("the histogram {}", self.name));
            }
        }
        Ok(())
    }
}

fn valid_name(name: &str, colons: bool) -> Result<(), Fault> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(good) {
        return Err(format!("the name {name:?}"));
    }
    Ok(())
}

fn sample(line: &str) -> Result<Sample, Fault> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    valid_name(name, true)?;
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inside.split_once("=\"").ok_or("a label")?;
            valid_name(label, false)?;
            if labels.iter().any(|(known, _)| known == label) {
                return Err(format!("{label} twice"));
            }
            let (value, after) = quoted(after)?;
            labels.push((label.to_owned(), value));
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            inside = after.strip_prefix(',').ok_or("no comma")?;
        }
    }
    let number = rest.strip_prefix(' ').ok_or("no space")?;
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
    if !number.chars().all(digits) {
        return Err(format!("the number {number:?}"));
    }
    let value = number.parse().map_err(|_| format!("the number {number:?}"))?;
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> Result<(String, &str), Fault> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[index + 1..])),
            '\\' => value.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('\\' | '"'))) => escaped,
                other => return Err(format!("escaped {other:?}")),
            }),
            other => value.push(other),
        }
    }
    Err("no closing quote".to_owned())
}
