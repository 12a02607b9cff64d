//! What the certificates say beyond what a loader looks at: B15, B18, and the lines about them.

use gridmq_tls::inspect::{Inspection, Judge, Purpose, Question};
use gridmq_tls::time::Utc;
use gridmq_tls::{Certificate, Finding, Id, Severity};

use crate::json::days_left;
use crate::report::StageReport;

use super::names;

/// `CN=dev1 by CN=Dev CA, ECDSA P-256, clientAuth, 61 of 90 days left`.
pub(super) fn line(certificate: &Certificate, now: u64) -> String {
    let read = Inspection::of(certificate);
    let issuer = if read.self_issued { "itself".to_owned() } else { read.issuer.clone() };
    let subject = if read.subject.is_empty() { "(no subject)" } else { &read.subject };
    let mut line = format!("{subject} by {issuer}, {}", read.key);
    if certificate.is_ca() {
        line.push_str(", CA");
    }
    if let Some(usages) = read.extended_key_usage.filter(|usages| !usages.is_empty()) {
        line.push_str(&format!(", {}", usages.join(" and ")));
    }
    let left = days_left(certificate.not_after(), now);
    if now > certificate.not_after() {
        line.push_str(&format!(", expired on {}", Utc(certificate.not_after())));
    } else if now < certificate.not_before() {
        line.push_str(&format!(", not valid before {}", Utc(certificate.not_before())));
    } else {
        line.push_str(&format!(
            ", {left} of {} days left",
            days_left(certificate.not_after(), certificate.not_before())
        ));
    }
    line
}

/// Findings about the chain that is sent, leaf first.
pub(super) fn check(chain: &[Certificate], now: u64, stage: &mut StageReport) {
    let Some((leaf, issuers)) = chain.split_first() else { return };
    constraints(leaf, issuers, now, stage);
}

/// The chain's own judgement, where an issuer limits names: with them as the only thing that can be wrong.
fn constraints(leaf: &Certificate, issuers: &[Certificate], now: u64, stage: &mut StageReport) {
    let Some(limiting) = issuers.iter().find(|issuer| issuer.has_name_constraints()) else { return };
    let valid = |certificate: &Certificate| (certificate.not_before()..=certificate.not_after()).contains(&now);
    if !leaf.allows_client_auth() || leaf.is_ca() || !valid(leaf) || !issuers.iter().all(valid) {
        return;
    }
    // The constraints of an anchor do not count, so the last one is judged as an intermediate where it can be.
    let below = Question::new(leaf, issuers, issuers, Purpose::Client, now).judge();
    let inspected = Inspection::of(limiting);
    let limits: Vec<String> = inspected
        .permitted
        .iter()
        .map(|name| format!("permitted {name}"))
        .chain(inspected.excluded.iter().map(|name| format!("excluded {name}")))
        .collect();
    let excluded = !below.of(Judge::Rustls).is_accepted() || outside(leaf, &inspected.permitted, &inspected.excluded);
    if excluded {
        let why = format!("the name constraints of {} exclude a name of this certificate", limiting.subject());
        let finding = Finding::new(Id::B18, Severity::Error, leaf.subject().to_string(), why, Id::B18.fix());
        stage.found(limits.into_iter().fold(finding, Finding::seen));
    }
}

/// Is a DNS name of the leaf outside of what is permitted, or inside of what is excluded?
fn outside(leaf: &Certificate, permitted: &[String], excluded: &[String]) -> bool {
    let dns = |all: &[String]| -> Vec<String> {
        all.iter()
            .filter_map(|name| name.strip_prefix("DNS:"))
            .map(|name| name.trim_start_matches('.').to_ascii_lowercase())
            .collect()
    };
    let (permitted, excluded) = (dns(permitted), dns(excluded));
    let below = |name: &str, tree: &String| {
        tree.is_empty() || name == tree || name.strip_suffix(tree.as_str()).is_some_and(|rest| rest.ends_with('.'))
    };
    leaf.alternative_names().dns.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        (!permitted.is_empty() && !permitted.iter().any(|tree| below(&name, tree)))
            || excluded.iter().any(|tree| below(&name, tree))
    })
}

/// B15: the certificate that was used before.
pub(super) fn compare(previous: &Certificate, leaf: &Certificate, stage: &mut StageReport) {
    let before = names::candidates(previous);
    let after = names::candidates(leaf);
    let lost: Vec<&(&str, String)> = before.iter().filter(|name| !after.contains(name)).collect();
    if lost.is_empty() {
        stage.lines.push("the names are those of the certificate before".to_owned());
        return;
    }
    let why = "the certificate lacks a name that the one before had, and services know clients by their names";
    let mut finding = Finding::new(Id::B15, Severity::Warning, leaf.subject().to_string(), why, Id::B15.fix());
    for (source, name) in lost {
        finding = finding.seen(format!("before, {source}: {name}"));
    }
    for (source, name) in &after {
        finding = finding.seen(format!("now, {source}: {name}"));
    }
    stage.found(finding);
}
