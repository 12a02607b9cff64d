//! What the doctor found: the data that text and JSON are made of.

use std::time::Duration;

use gridmq_tls::Certificate;
use gridmq_tls::catalogue::{Finding, Severity, Stage};
use gridmq_tls::inspect::Inspection;
use serde_json::{Map, Value};

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Nothing above severity info.
    Ok,
    /// Works, with a warning.
    Warning,
    /// Does not work.
    Failed,
    /// Not tried; the stage's lines say why.
    Skipped,
}

/// What one stage did and found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageReport {
    /// Which stage.
    pub stage: Stage,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub took: Duration,
    /// What was seen, for people: one fact a line, the most important first.
    pub lines: Vec<String>,
    /// What was seen, for programs.
    pub facts: Map<String, Value>,
    /// What is wrong or odd, the primary finding first.
    pub findings: Vec<Finding>,
}

impl StageReport {
    /// A stage that has not found anything yet.
    #[must_use]
    pub fn new(stage: Stage) -> Self {
        Self {
            stage,
            status: Status::Ok,
            took: Duration::ZERO,
            lines: Vec::new(),
            facts: Map::new(),
            findings: Vec::new(),
        }
    }

    /// Adds a finding; the status follows the worst one.
    pub fn found(&mut self, finding: Finding) {
        self.status = match (finding.severity, self.status) {
            (Severity::Error, _) | (_, Status::Failed) => Status::Failed,
            (Severity::Warning, _) | (_, Status::Warning) => Status::Warning,
            (_, status) => status,
        };
        self.findings.push(finding);
    }
}

/// A certificate, as the report's end lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSummary {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// SHA-1 thumbprint, 40 hexadecimal digits in upper case.
    pub sha1: String,
    /// SHA-256 thumbprint, 64 hexadecimal digits in upper case.
    pub sha256: String,
    /// Subject key identifier in hexadecimal, if it has one.
    pub ski: Option<String>,
    /// Authority key identifier in hexadecimal, if it has one.
    pub aki: Option<String>,
    /// First second of validity, in seconds since 1970.
    pub not_before: u64,
    /// Last second of validity, in seconds since 1970.
    pub not_after: u64,
    /// Extended key usages by name.
    pub usages: Vec<String>,
}

impl CertificateSummary {
    /// What a report lists of a certificate.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        let read = Inspection::of(certificate);
        Self {
            sha1: read.thumbprints.sha1().to_owned(),
            sha256: read.thumbprints.sha256().to_owned(),
            subject: read.subject,
            issuer: read.issuer,
            ski: read.subject_key_id,
            aki: read.authority_key_id,
            not_before: read.not_before,
            not_after: read.not_after,
            usages: read.extended_key_usage.unwrap_or_default(),
        }
    }
}

/// Everything that one run found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// What was examined: a URL without its password, or `files`.
    pub target: String,
    /// The profile's name.
    pub profile: String,
    /// When it started, in seconds since 1970.
    pub started: u64,
    /// The stages, in order.
    pub stages: Vec<StageReport>,
    /// The client's certificates, leaf first.
    pub client_certificates: Vec<CertificateSummary>,
    /// The server's certificates, leaf first.
    pub server_certificates: Vec<CertificateSummary>,
    /// The deadline of the whole run passed.
    pub timed_out: bool,
}

impl Report {
    /// The first stage that failed.
    #[must_use]
    pub fn failed_stage(&self) -> Option<&StageReport> {
        self.stages.iter().find(|stage| stage.status == Status::Failed)
    }

    /// The finding that names the true cause: the first error of the first stage that failed.
    #[must_use]
    pub fn primary(&self) -> Option<&Finding> {
        self.failed_stage().and_then(|stage| stage.findings.iter().find(|finding| finding.severity == Severity::Error))
    }
}
