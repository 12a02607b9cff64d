//! A report for people, in lines of a width.
//!
//! What peers and files said is shown with its control characters made visible, so that it cannot steer a terminal.

use gridmq_tls::catalogue::{Finding, Severity, Stage};
use gridmq_tls::time::Utc;

use crate::exit::Exit;
use crate::explain::Match;
use crate::json::days_left;
use crate::profile::Profile;
use crate::report::{CertificateSummary, Report, StageReport, Status};

mod text;

pub(crate) use text::days_ago;
pub use text::{visible, wrap};

/// Where the text of a stage begins.
const TEXT: usize = 18;
/// Where the words of a finding begin.
const WORDS: usize = TEXT + 6;

/// How it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Style {
    /// The longest line, in characters; words are not broken.
    pub width: usize,
    /// Colour by ANSI escape sequences.
    pub colour: bool,
    /// Warnings count against the exit code.
    pub strict: bool,
}

impl Style {
    /// Without colour, in lines of that width.
    #[must_use]
    pub const fn plain(width: usize) -> Self {
        Self { width, colour: false, strict: false }
    }

    /// With colour or without.
    #[must_use]
    pub const fn coloured(self, colour: bool) -> Self {
        Self { colour, ..self }
    }

    /// With warnings that count or without.
    #[must_use]
    pub const fn strictly(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour || matches!(paint, Paint::None) {
            return text.to_owned();
        }
        let code = match paint {
            Paint::None => 0,
            Paint::Bold => 1,
            Paint::Dim => 2,
            Paint::Red => 31,
            Paint::Green => 32,
            Paint::Yellow => 33,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// `text` after `label`, which takes `indent` characters, in lines of the width.
    fn block(self, out: &mut String, indent: usize, label: &str, text: &str) {
        let width = self.width.saturating_sub(indent).max(20);
        out.push_str(label);
        out.push_str(wrap(&visible(text), width, indent).trim_end());
        out.push('\n');
    }
}

#[derive(Debug, Clone, Copy)]
enum Paint {
    None,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

/// The number of a stage in reports.
#[must_use]
pub const fn number(stage: Stage) -> u8 {
    match stage {
        Stage::Files => 1,
        Stage::Name => 2,
        Stage::Tcp => 3,
        Stage::Hello => 4,
        Stage::Server => 5,
        Stage::Client => 6,
        Stage::Connect => 7,
        Stage::Access => 8,
        _ => 9,
    }
}

/// The whole report.
#[must_use]
pub fn text(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    let title = Profile::by_name(&report.profile).map_or("", |profile| profile.title.as_str());
    style.block(&mut out, 10, &style.paint(Paint::Bold, "target    "), &report.target);
    if !report.profile.is_empty() {
        let profile = if title.is_empty() { report.profile.clone() } else { format!("{} ({title})", report.profile) };
        style.block(&mut out, 10, &style.paint(Paint::Bold, "profile   "), &profile);
    }
    for stage in &report.stages {
        out.push_str(&stage_text(stage, style));
    }
    out.push_str(&summary(report, style));
    out
}

/// One stage: its facts, then what was found.
#[must_use]
pub fn stage_text(stage: &StageReport, style: &Style) -> String {
    let mut out = String::new();
    let (word, paint) = match stage.status {
        Status::Ok => ("ok", Paint::Green),
        Status::Warning => ("warn", Paint::Yellow),
        Status::Failed => ("FAIL", Paint::Red),
        Status::Skipped => ("skip", Paint::Dim),
    };
    let status = if stage.lines.is_empty() { word.to_owned() } else { format!("{word:<6}") };
    let label = format!("{:>2} {:<9}{}", number(stage.stage), stage.stage.name(), style.paint(paint, &status));
    match stage.lines.split_first() {
        Some((first, others)) => {
            style.block(&mut out, TEXT, &label, first);
            for line in others {
                style.block(&mut out, TEXT, &" ".repeat(TEXT), line);
            }
        }
        None => {
            out.push_str(&label);
            out.push('\n');
        }
    }
    for finding in &stage.findings {
        out.push_str(&finding_text(finding, style));
    }
    out
}

/// One finding: what it is about, why, and what to do.
#[must_use]
pub fn finding_text(finding: &Finding, style: &Style) -> String {
    let mut out = String::new();
    let (word, paint) = match finding.severity {
        Severity::Info => ("note", Paint::None),
        Severity::Warning => ("warn", Paint::Yellow),
        _ => ("FAIL", Paint::Red),
    };
    let indent = " ".repeat(TEXT - 6);
    let label = format!("{indent}{}", style.paint(paint, &format!("{word:<6}")));
    let about = if finding.about.is_empty() { String::new() } else { format!(": {}", finding.about) };
    style.block(&mut out, TEXT, &label, &format!("{} {}{about}", finding.id.code(), finding.id.name()));
    let indent = " ".repeat(TEXT);
    style.block(&mut out, WORDS, &format!("{indent}why   "), &finding.why);
    style.block(&mut out, WORDS, &format!("{indent}{}", style.paint(Paint::Bold, "fix   ")), &finding.fix);
    for evidence in &finding.evidence {
        style.block(&mut out, WORDS, &format!("{indent}seen  "), evidence);
    }
    out
}

/// How long the certificates are valid, and the result.
fn summary(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    let all = [("client", &report.client_certificates), ("server", &report.server_certificates)];
    let mut label = "valid";
    for (side, certificates) in all {
        for (place, certificate) in certificates.iter().enumerate() {
            let whose = if place == 0 { side } else { "issuer" };
            let label_text = format!("{label:<10}{whose:<8}");
            style.block(&mut out, TEXT, &label_text, &validity(certificate, report.started));
            label = "";
        }
    }
    let exit = Exit::of(report, style.strict);
    let (result, paint) = match report.failed_stage() {
        Some(stage) => (format!("FAIL at stage {} ({})", number(stage.stage), stage.stage), Paint::Red),
        None if report.timed_out => ("the time was over before everything was tried".to_owned(), Paint::Red),
        None if report.stages.iter().any(|stage| stage.status == Status::Warning) => {
            ("ok, with warnings".to_owned(), Paint::Yellow)
        }
        None if unexamined(report) => ("ok as far as it was examined".to_owned(), Paint::Green),
        None => ("ok".to_owned(), Paint::Green),
    };
    out.push_str(&style.paint(Paint::Bold, "result    "));
    out.push_str(&format!("{}   exit {}\n", style.paint(paint, &result), exit.code()));
    if let Some(cause) = report.primary() {
        let text = format!("{} {}: {}", cause.id.code(), cause.id.name(), cause.id.title());
        style.block(&mut out, 10, &style.paint(Paint::Bold, "cause     "), &text);
    }
    out
}

/// A server was examined, and MQTT was not spoken with it.
fn unexamined(report: &Report) -> bool {
    report.stages.iter().any(|stage| stage.stage == Stage::Connect && stage.status == Status::Skipped)
}

fn validity(certificate: &CertificateSummary, now: u64) -> String {
    let left = days_left(certificate.not_after, now);
    let whole = days_left(certificate.not_after, certificate.not_before);
    let date = Utc(certificate.not_after).rfc3339();
    let day = date.get(..10).unwrap_or(&date).to_owned();
    let subject = if certificate.subject.is_empty() { "(no subject)" } else { &certificate.subject };
    if now > certificate.not_after {
        let ago = days_ago(now.saturating_sub(certificate.not_after));
        format!("{subject}: expired on {day}, {ago}")
    } else if now < certificate.not_before {
        format!("{subject}: not valid before {}", Utc(certificate.not_before))
    } else {
        format!("{subject}: {left} of {whole} days left, until {day}")
    }
}

/// What a text was recognised as.
#[must_use]
pub fn matches(found: &[Match], style: &Style) -> String {
    let mut out = String::new();
    for one in found {
        let label = format!("{:<10}", one.confidence.name());
        let head = format!("{} {}: {}", one.id.code(), one.id.name(), one.id.title());
        style.block(&mut out, 10, &style.paint(Paint::Bold, &label), &head);
        if one.confidence > crate::explain::Confidence::Related {
            style.block(&mut out, 16, &format!("{:10}why   ", ""), one.id.why());
            style.block(&mut out, 16, &format!("{:10}{}", "", style.paint(Paint::Bold, "fix   ")), one.id.fix());
            style.block(&mut out, 16, &format!("{:10}seen  ", ""), &one.matched.join(" · "));
        } else {
            style.block(&mut out, 10, "          ", &one.matched.join(" · "));
        }
    }
    out
}

/// An entry of the catalogue, whole.
#[must_use]
pub fn entry(id: gridmq_tls::Id, style: &Style) -> String {
    let mut out = String::new();
    let head = format!("{} {}: {}", id.code(), id.name(), id.title());
    style.block(&mut out, 0, "", &style.paint(Paint::Bold, &head));
    style.block(&mut out, 10, "stage     ", id.stage().name());
    style.block(&mut out, 10, "why       ", id.why());
    style.block(&mut out, 10, "fix       ", id.fix());
    for profile in Profile::all() {
        if let Some(hint) = profile.hint(id) {
            style.block(&mut out, 10, "          ", &format!("{}: {hint}", profile.title));
        }
    }
    for (number, symptom) in id.symptoms().iter().chain(id.vague_symptoms()).enumerate() {
        style.block(&mut out, 10, if number == 0 { "shows as  " } else { "          " }, symptom);
    }
    out
}

#[cfg(test)]
mod tests;
