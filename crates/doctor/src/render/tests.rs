use std::time::Duration;

use gridmq_tls::Id;
use serde_json::json;

use super::*;

const NOW: u64 = 1_795_392_000;
const DAY: u64 = 86_400;

fn certificate(subject: &str, issuer: &str, from: u64, to: u64) -> CertificateSummary {
    CertificateSummary {
        subject: subject.to_owned(),
        issuer: issuer.to_owned(),
        sha1: "AB".repeat(20),
        sha256: "CD".repeat(32),
        ski: None,
        aki: None,
        not_before: from,
        not_after: to,
        usages: vec!["clientAuth".to_owned()],
    }
}

fn report() -> Report {
    let mut files = StageReport::new(Stage::Files);
    files.lines = vec![
        "dev1.pem: 2 certificates, CN=dev1, P-256, clientAuth, 61 of 90 days left".to_owned(),
        "dev1.key: P-256 in SEC1, belongs to the certificate, mode 600".to_owned(),
    ];
    files.found(Finding::new(Id::A17, Severity::Warning, "CN=Root", Id::A17.why(), Id::A17.fix()));
    let mut tcp = StageReport::new(Stage::Tcp);
    tcp.lines = vec!["192.0.2.7:8883 in 14 ms".to_owned()];
    tcp.took = Duration::from_millis(14);
    let mut client = StageReport::new(Stage::Client);
    client.lines =
        vec!["the server asked for a certificate (0 CA names); sent CN=dev1 issued by CN=Dev\u{1b}[2J CA".to_owned()];
    client.facts.insert("alert".to_owned(), json!({ "code": 48, "phase": "after the handshake" }));
    client.took = Duration::from_millis(45);
    client.found(
        Finding::new(Id::E02, Severity::Error, "CN=dev1", Id::E02.why(), Id::E02.fix())
            .seen("alert 48 (unknown_ca) 31 ms after the handshake")
            .seen("TLS 1.2: alert 48 in the handshake"),
    );
    let mut connect = StageReport::new(Stage::Connect);
    connect.status = Status::Skipped;
    connect.lines = vec!["not tried: the server does not accept the client".to_owned()];
    let mut access = StageReport::new(Stage::Access);
    access.status = Status::Skipped;
    Report {
        target: "mqtts://ns.westeurope-1.ts.eventgrid.azure.net:8883".to_owned(),
        profile: "azure-event-grid".to_owned(),
        started: NOW,
        stages: vec![files, tcp, client, connect, access],
        client_certificates: vec![
            certificate("CN=dev1", "CN=Dev CA", NOW - 29 * DAY, NOW + 61 * DAY),
            certificate("CN=Dev CA", "CN=Root", NOW - 29 * DAY, NOW + 3000 * DAY),
        ],
        server_certificates: vec![
            certificate("CN=old.example", "CN=Root", NOW - 90 * DAY, NOW - 3 * DAY),
            certificate("CN=new.example", "CN=Root", NOW + DAY, NOW + 3 * DAY),
        ],
        timed_out: false,
    }
}

#[test]
fn text_at_80_columns() {
    insta::assert_snapshot!(text(&report(), &Style::plain(80)));
}

#[test]
fn text_at_140_columns() {
    insta::assert_snapshot!(text(&report(), &Style::plain(140)));
}

#[test]
fn json_form() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&crate::json::value(&report())).unwrap());
}

#[test]
fn lines_keep_to_the_width_where_words_allow() {
    for width in [40, 80, 100, 140] {
        for line in text(&report(), &Style::plain(width)).lines() {
            let words = line.trim_start().split(' ').filter(|word| !word.is_empty()).count();
            assert!(line.chars().count() <= width.max(44) || words <= 4, "{width}: {line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}

#[test]
fn colour_changes_nothing_else() {
    let style = Style::plain(100);
    let coloured = text(&report(), &style.coloured(true));
    assert!(coloured.contains("\x1b[31mFAIL"));
    let mut plain = String::new();
    for (number, part) in coloured.split("\x1b[").enumerate() {
        plain.push_str(if number == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(plain, text(&report(), &style));
}

#[test]
fn exit_codes_follow_the_first_stage_that_failed() {
    let mut report = report();
    assert_eq!(Exit::of(&report, false), Exit::Client);
    report.stages.retain(|stage| stage.status != Status::Failed);
    assert_eq!(Exit::of(&report, false), Exit::Fine);
    assert_eq!(Exit::of(&report, true), Exit::Warnings);
    report.timed_out = true;
    assert_eq!(Exit::of(&report, true), Exit::Timeout);
    assert!(text(&report, &Style::plain(80)).contains("exit 19"));
}

#[test]
fn a_redacted_report_does_not_show_the_client_id() {
    let mut report = report();
    crate::redact::client_id(&mut report, "dev1");
    let shown = text(&report, &Style::plain(100)) + &crate::json::value(&report).to_string();
    assert!(!shown.contains("dev1"));
    assert!(shown.contains("CN=id-"));
}

#[test]
fn entries_and_matches_are_shown_with_cause_and_cure() {
    insta::assert_snapshot!(entry(Id::E02, &Style::plain(80)));
    insta::assert_snapshot!(matches(&crate::explain("SSL alert number 45"), &Style::plain(80)));
}

#[test]
fn a_number_stays_with_its_unit() {
    assert_eq!(wrap("took 12 ms of 3650 days", 8, 0), "took\n12 ms of\n3650 days");
    assert_eq!(wrap("1 tried, 2 s", 6, 1), "1\n tried,\n 2 s");
    assert_eq!(wrap("a  b 5 ", 80, 0), "a  b 5 ");
}

#[test]
fn days_that_are_over_are_counted_whole() {
    let ago = |seconds| validity(&certificate("CN=a", "CN=b", NOW - 9 * DAY, NOW - seconds), NOW);
    insta::assert_snapshot!(ago(3), @"CN=a: expired on 2026-11-22, less than a day ago");
    insta::assert_snapshot!(ago(DAY), @"CN=a: expired on 2026-11-22, 1 day ago");
    insta::assert_snapshot!(ago(5 * DAY + 1), @"CN=a: expired on 2026-11-17, 5 days ago");
}
