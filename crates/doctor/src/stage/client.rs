//! Stage client: what the server asked for, what was sent, and what it thought of that.

use gridmq_tls::catalogue::Stage;
use gridmq_tls::probe::{Phase, Seen};
use gridmq_tls::{Finding, Id, Identity, TlsVersion, TlsVersions};
use serde_json::json;

use super::shake::{Shaken, Shape, shake};
use super::{Context, Route, ms, tame};
use crate::profile::ClientCertificate;
use crate::report::StageReport;

mod refusal;

pub(crate) use refusal::refused;

/// From here on the own signature is slow.
const SLOW_SIGNATURE_MS: u128 = 1500;
/// How many authorities are shown.
const MAX_SHOWN: usize = 4;

/// Reads what the handshake showed; repeats it on TLS 1.2 where TLS 1.3 hides the reason.
pub(crate) async fn run(cx: &Context<'_>, route: Route, shaken: &Shaken) -> StageReport {
    let mut report = StageReport::new(Stage::Client);
    cx.step(Stage::Client, "what the server says to the certificate");
    describe(cx, &mut report, &shaken.seen);
    if shaken.asks_late && cx.options.identity.is_some() {
        let finding = refusal::late_request(cx).seen("with TLS 1.2 it asks in the handshake, with TLS 1.3 it does not");
        report.found(finding);
        return report;
    }
    if shaken.is_good() {
        accepted(cx, &mut report, &shaken.seen);
        return report;
    }
    if shaken.stalled {
        report.found(stalled(cx, shaken));
        return report;
    }
    let again = if shaken.seen.version == Some(TlsVersion::V1_3) && cx.options.tls_versions.contains(TlsVersion::V1_2) {
        cx.step(Stage::Client, "the same with TLS 1.2");
        let limit = cx.brief();
        let shape = Shape { versions: TlsVersions::only(TlsVersion::V1_2), ..Shape::usual(cx) };
        Some(shake(cx, route, shape, limit).await)
    } else {
        None
    };
    let again = again.filter(|again| again.no_tcp.is_none());
    let mut finding = refused(cx, &shaken.seen, again.as_ref().map(|again| &again.seen));
    if let Some(again) = &again {
        finding = finding.seen(match again.seen.alert() {
            Some(alert) => format!("with TLS 1.2: alert {} {}", alert.code, alert.name),
            None if again.is_good() => "with TLS 1.2: accepted".to_owned(),
            None => "with TLS 1.2: closed without an alert".to_owned(),
        });
    }
    report.found(finding);
    report
}

fn describe(cx: &Context<'_>, report: &mut StageReport, seen: &Seen) {
    let facts = &mut report.facts;
    facts.insert("client_cert_requested".to_owned(), json!(seen.request.is_some()));
    facts.insert("sent_certificates".to_owned(), json!(seen.sent.len()));
    let Some(request) = &seen.request else {
        report.lines.push("the server did not ask for a certificate".to_owned());
        return;
    };
    facts.insert("ca_hints".to_owned(), json!(request.hints));
    facts.insert("schemes".to_owned(), json!(request.schemes));
    facts.insert("scheme".to_owned(), json!(seen.scheme));
    if let Some(alert) = seen.alert() {
        let phase = if seen.complete { "post_handshake" } else { "handshake" };
        facts.insert("alert".to_owned(), json!({ "code": alert.code, "name": alert.name, "phase": phase }));
    }
    let sent = match (seen.sent.len(), &cx.options.identity) {
        (0, None) => "none was there to be sent".to_owned(),
        (0, Some(_)) => "none was sent".to_owned(),
        (count, _) => {
            let by = seen.scheme.as_deref().map_or_else(String::new, |scheme| format!(", signed {scheme}"));
            let took = seen.signature_time.filter(|took| took.as_millis() > 0);
            let took = took.map_or_else(String::new, |took| format!(" in {}", ms(took)));
            format!("{count} sent{by}{took}")
        }
    };
    report.lines.push(format!("the server asked for a certificate ({} CA hints); {sent}", request.hint_count));
    if !request.hints.is_empty() {
        let shown: Vec<_> = request.hints.iter().take(MAX_SHOWN).map(|hint| tame(hint)).collect();
        let more = if request.hint_count > MAX_SHOWN { " …" } else { "" };
        report.lines.push(format!("it names {}{more}", shown.join(" · ")));
    }
}

/// Nothing was said against it so far.
fn accepted(cx: &Context<'_>, report: &mut StageReport, seen: &Seen) {
    let about = cx.target.to_string();
    match (&seen.request, &cx.options.identity) {
        (None, Some(_)) => report.found(not_asked(cx, false)),
        (Some(_), Some(identity)) if seen.no_common_scheme => {
            report.found(no_scheme(cx, identity, seen));
        }
        (None, None) if cx.profile.client_certificate == ClientCertificate::Usual && cx.username().is_none() => {
            let why = "this service usually asks for a client certificate, and this listener did not";
            report.found(cx.warning(Id::E15, about, why, "check host and port"));
        }
        (Some(_), None) => report.lines.push("the server goes on without a certificate".to_owned()),
        (Some(request), Some(identity)) => {
            if request.hint_bytes > 16 * 1024 {
                let why = format!("the server names {} authorities, {} bytes", request.hint_count, request.hint_bytes);
                report.found(cx.warning(Id::H05, about, why, "turn the list of CA names off, or trust fewer CAs"));
            }
            if let Some(leaf) = identity.chain().first().filter(|leaf| leaf.extended_key_usage().is_none()) {
                let why = "the certificate has no extended key usage; stricter brokers refuse it";
                let severity = gridmq_tls::Severity::Info;
                let subject = tame(&leaf.subject().to_string());
                report.found(cx.finding(Id::E07, severity, subject, why, "add extendedKeyUsage clientAuth at renewal"));
            }
        }
        (None, None) => {}
    }
    if let Some(took) = seen.signature_time.filter(|took| took.as_millis() >= SLOW_SIGNATURE_MS) {
        let why = format!("the own signature took {}; brokers give up on a handshake after about 5 s", ms(took));
        let fix = "use a faster token or an ECDSA key, or lengthen the broker's handshake timeout";
        report.found(cx.warning(Id::C10, "the own key", why, fix));
    }
}

/// The server never saw the certificate.
pub(crate) fn not_asked(cx: &Context<'_>, fatal: bool) -> Finding {
    let why = "the server does not ask for a client certificate, so it never sees the one that was given";
    let fix = "check the port; a proxy or load balancer that ends TLS must ask for it itself, or pass TLS through";
    let usual = cx.profile.client_certificate == ClientCertificate::Usual && cx.is_cloud();
    if fatal || usual {
        cx.error(Id::E15, cx.target.to_string(), why, fix)
    } else {
        cx.warning(Id::E15, cx.target.to_string(), why, fix)
    }
}

fn no_scheme(cx: &Context<'_>, identity: &Identity, seen: &Seen) -> Finding {
    let schemes = seen.request.as_ref().map(|request| request.schemes.join(", ")).unwrap_or_default();
    let why = "the client's key fits none of the signature schemes that the server accepts, so nothing was sent";
    let fix = "use a key of a kind that the server accepts, or allow this kind (ECDSA, RSA, Ed25519) on the server";
    cx.error(Id::E11, tame(&identity.subject()), why, fix).seen(format!("the server accepts {schemes}"))
}

fn stalled(cx: &Context<'_>, shaken: &Shaken) -> Finding {
    let slow = shaken.seen.signature_time.filter(|took| took.as_millis() >= SLOW_SIGNATURE_MS);
    if let Some(took) = slow {
        let why = format!("the own signature took {} and the handshake did not end in time", ms(took));
        return cx.error(Id::C10, "the own key", why, "use a faster token or an ECDSA key");
    }
    let why = "the server stops in the middle of the handshake, after it asked for a certificate";
    let fix = "look whether it waits for something to judge the certificate by, such as a CRL or an OCSP server";
    cx.error(Id::C15, cx.target.to_string(), why, fix).seen(format!("waited {}", ms(shaken.took)))
}

/// When it happened, in words.
fn phase(seen: &Seen) -> &'static str {
    match seen.end.as_ref().map(|end| end.phase) {
        Some(Phase::After) => "after the handshake",
        _ => "in the handshake",
    }
}
