//! A report for programs: schema `gridmq-doctor/1`.
//!
//! Members may be added within version 1; none is removed or changes its meaning. Text in `lines`, `why`, `fix` and
//! `evidence` is for people and may change.

use gridmq_tls::catalogue::{Finding, Severity};
use gridmq_tls::time::Utc;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::report::{CertificateSummary, Report, StageReport, Status};

/// The schema's name.
pub const SCHEMA: &str = "gridmq-doctor/1";

/// The report as JSON; warnings do not count against the exit code.
#[must_use]
pub fn value(report: &Report) -> Value {
    value_with(report, false)
}

/// The report as JSON; with `strict`, warnings count against the exit code.
#[must_use]
pub fn value_with(report: &Report, strict: bool) -> Value {
    let exit = Exit::of(report, strict);
    let certificates =
        |all: &[CertificateSummary]| -> Vec<Value> { all.iter().map(|one| certificate(one, report.started)).collect() };
    json!({
        "schema": SCHEMA,
        "target": { "url": report.target, "profile": report.profile },
        "started": Utc(report.started).rfc3339(),
        "result": result(report),
        "stage": report.failed_stage().map(|stage| stage.stage.name()),
        "cause": report.primary().map(|finding| finding.id.code()),
        "exit": exit.code(),
        "timed_out": report.timed_out,
        "stages": report.stages.iter().map(stage).collect::<Vec<_>>(),
        "certs": {
            "client": certificates(&report.client_certificates),
            "server": certificates(&report.server_certificates),
        },
    })
}

/// `ok`, `warn`, `fail` or `timeout`.
#[must_use]
pub fn result(report: &Report) -> &'static str {
    if report.failed_stage().is_some() {
        "fail"
    } else if report.timed_out {
        "timeout"
    } else if report.stages.iter().any(|stage| stage.status == Status::Warning) {
        "warn"
    } else {
        "ok"
    }
}

/// `ok`, `warn`, `fail` or `skip`.
#[must_use]
pub const fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warning => "warn",
        Status::Failed => "fail",
        Status::Skipped => "skip",
    }
}

/// One stage as JSON.
#[must_use]
pub fn stage(stage: &StageReport) -> Value {
    json!({
        "name": stage.stage.name(),
        "status": status(stage.status),
        "ms": u64::try_from(stage.took.as_millis()).unwrap_or(u64::MAX),
        "lines": stage.lines,
        "facts": stage.facts,
        "findings": stage.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// One finding as JSON.
#[must_use]
pub fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.id.code(),
        "name": finding.id.name(),
        "severity": match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            _ => "error",
        },
        "title": finding.id.title(),
        "about": finding.about,
        "why": finding.why,
        "fix": finding.fix,
        "evidence": finding.evidence,
    })
}

fn certificate(one: &CertificateSummary, now: u64) -> Value {
    json!({
        "subject": one.subject,
        "issuer": one.issuer,
        "sha1": one.sha1,
        "sha256": one.sha256,
        "ski": one.ski,
        "aki": one.aki,
        "not_before": Utc(one.not_before).rfc3339(),
        "not_after": Utc(one.not_after).rfc3339(),
        "days_left": days_left(one.not_after, now),
        "eku": one.usages,
    })
}

/// Whole days until `not_after`; below zero once it has passed.
#[must_use]
pub fn days_left(not_after: u64, now: u64) -> i64 {
    let seconds = i64::try_from(not_after).unwrap_or(i64::MAX).saturating_sub(i64::try_from(now).unwrap_or(i64::MAX));
    seconds.div_euclid(86_400)
}
