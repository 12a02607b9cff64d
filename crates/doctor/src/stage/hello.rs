//! Stage hello: versions, suites, groups, server name, application protocols.

use gridmq_tls::catalogue::Stage;
use gridmq_tls::probe::{How, Seen};
use gridmq_tls::{Id, TlsVersion, TlsVersions};
use serde_json::json;

use super::shake::{self, Shaken, Shape, shake};
use super::{Context, Route, ms};
use crate::report::StageReport;

mod sniff;
mod why;

pub(crate) use sniff::answers_tls;

/// Shakes hands as the application would, and asks what else the server would do.
pub(crate) async fn run(cx: &Context<'_>, route: Route) -> (StageReport, Option<Shaken>) {
    let mut report = StageReport::new(Stage::Hello);
    cx.step(Stage::Hello, format!("TLS handshake with {}", route.address));
    let shape = Shape::usual(cx);
    let patience = cx.patience();
    let mut shaken = shake(cx, route, shape, patience).await;
    if let Some(why) = shaken.no_tcp {
        let text = format!("the server takes the connection and ends it before the handshake: {why}");
        let fix = "check the host name; a firewall, an IP filter or a limit on connections may be in the way";
        report.found(cx.error(Id::C06, route.address.to_string(), text, fix));
        return (report, None);
    }
    if !reached_certificates(&shaken.seen) {
        for finding in why::explain(cx, route, &shaken).await {
            report.found(finding);
        }
        facts(&mut report, &shaken.seen);
        return (report, None);
    }
    let others = others(cx, route, &shaken).await;
    shaken.asks_late = others.asks && shaken.seen.request.is_none() && shaken.seen.version == Some(TlsVersion::V1_3);
    describe(cx, &mut report, &shaken, &others);
    if let Some(without) = &others.without_name
        && let Some(finding) = name_matters(cx, &shaken.seen, without)
    {
        report.found(finding);
    }
    (report, Some(shaken))
}

/// Did the server get as far as its certificates, so that what went wrong is not the hello's?
fn reached_certificates(seen: &Seen) -> bool {
    let too_large = seen.end.as_ref().is_some_and(|end| end.how == How::TooLarge);
    seen.complete || seen.request.is_some() || !seen.server_chain.is_empty() || too_large
}

/// What else the server would do.
struct Others {
    /// It also takes the version that was not chosen.
    other_version: Option<TlsVersion>,
    /// With that version it asks for a certificate.
    asks: bool,
    /// What it does without the server name.
    without_name: Option<Shaken>,
}

async fn others(cx: &Context<'_>, route: Route, shaken: &Shaken) -> Others {
    let usual = Shape { identity: false, ..Shape::usual(cx) };
    let other = match shaken.seen.version {
        Some(TlsVersion::V1_3) => TlsVersion::V1_2,
        _ => TlsVersion::V1_3,
    };
    cx.step(Stage::Hello, format!("asking for {other}, and without the server name"));
    let limit = cx.brief();
    let version = async {
        let answer = shake(cx, route, Shape { versions: TlsVersions::only(other), ..usual }, limit).await;
        ((answer.seen.version == Some(other)).then_some(other), answer.seen.request.is_some())
    };
    let name = async {
        if !cx.sends_name() {
            return None;
        }
        Some(shake(cx, route, Shape { name: false, ..usual }, limit).await)
    };
    let ((other_version, asks), without_name) = tokio::join!(version, name);
    Others { other_version, asks, without_name }
}

fn describe(cx: &Context<'_>, report: &mut StageReport, shaken: &Shaken, others: &Others) {
    let seen = &shaken.seen;
    let version = seen.version.map_or("no version", TlsVersion::name);
    let mut line = version.to_owned();
    for part in [seen.cipher.as_deref(), seen.group.as_deref()].into_iter().flatten() {
        line.push(' ');
        line.push_str(part);
    }
    if let Some(other) = others.other_version {
        line.push_str(&format!(" · also {other}"));
    }
    report.lines.push(format!("{line} · {}", ms(shaken.took)));
    let sni = if cx.sends_name() { format!("SNI {}", cx.server_name()) } else { "SNI not sent".to_owned() };
    let without = match &others.without_name {
        None => "",
        Some(other) if other.seen.end.is_none() && other.seen.server_chain.is_empty() => "",
        Some(other) if !reached_certificates(&other.seen) => ", refused without it",
        Some(other) if other.seen.server_chain.first() == seen.server_chain.first() => ", same certificate without it",
        Some(_) => ", another certificate without it",
    };
    let alpn = match &seen.alpn {
        Some(protocol) => format!("ALPN {}", super::tame(&String::from_utf8_lossy(protocol))),
        None if shake::protocols(cx).is_empty() => "ALPN not offered".to_owned(),
        None => "ALPN ignored".to_owned(),
    };
    report.lines.push(format!("{sni}{without} · {alpn}"));
    facts(report, seen);
    if let Some(other) = others.other_version {
        report.facts.insert("also".to_owned(), json!([other.name()]));
    }
}

fn facts(report: &mut StageReport, seen: &Seen) {
    let facts = &mut report.facts;
    facts.insert("version".to_owned(), json!(seen.version.map(TlsVersion::name)));
    facts.insert("cipher".to_owned(), json!(seen.cipher));
    facts.insert("group".to_owned(), json!(seen.group));
    facts.insert("alpn".to_owned(), json!(seen.alpn.as_ref().map(|alpn| String::from_utf8_lossy(alpn).into_owned())));
    if let Some(alert) = seen.alert() {
        facts.insert("alert".to_owned(), json!({ "code": alert.code, "name": alert.name, "phase": "handshake" }));
    }
}

/// Without the name the server shows something else: clients that send none will fail.
fn name_matters(cx: &Context<'_>, seen: &Seen, without: &Shaken) -> Option<gridmq_tls::Finding> {
    let ended = without.seen.end.is_some() || !without.seen.server_chain.is_empty();
    if !ended || without.seen.server_chain.first() == seen.server_chain.first() {
        return None;
    }
    let why = if without.seen.server_chain.is_empty() {
        "the server refuses a client that does not send the server name (SNI)"
    } else {
        "the server shows another certificate to a client that does not send the server name (SNI)"
    };
    let severity = gridmq_tls::Severity::Info;
    Some(cx.finding(Id::D13, severity, cx.server_name(), why, "see that every client sends SNI"))
}
