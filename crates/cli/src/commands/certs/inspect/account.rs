//! One certificate: for people in lines, for programs as JSON.

use std::io::{self, IsTerminal};
use std::path::Path;

use gridmq_tls::catalogue::Severity;
use gridmq_tls::inspect::{Inspection, Lifetime, Link};
use serde_json::{Value, json};

use crate::commands::certs::duration;
use crate::output::{self, Colour, Style};
use crate::utc;

/// Cells of the bar that shows how far a validity has run.
const CELLS: u32 = 20;

/// Width of the names in front.
const INDENT: usize = 14;

pub(super) fn lines(link: &Link, now: u64, style: Style) -> Vec<String> {
    let terminal = io::stdout().is_terminal();
    let account = Inspection::of(&link.certificate);
    let title = format!("[{}] {}", link.position + 1, output::visible(&account.subject));
    let mut lines = vec![style.paint(Colour::Bold, &title)];
    for (name, value) in facts(&account, now, terminal) {
        let value = output::visible(&value);
        let value = output::wrap(&value, style.width().saturating_sub(INDENT), INDENT);
        lines.push(format!("    {name:<width$}{value}", width = INDENT - 4));
    }
    for fault in &link.faults {
        let text = format!("{fault}: {} ({})", fault.cure(), fault.id());
        let text = output::wrap(&output::visible(&text), style.width().saturating_sub(6), 6);
        let good = fault.severity() == Severity::Info;
        let mark = if good { style.paint(Colour::Green, "✓") } else { style.paint(Colour::Red, "✗") };
        lines.push(format!("    {mark} {text}"));
    }
    lines
}

fn facts(account: &Inspection, now: u64, bar: bool) -> Vec<(&'static str, String)> {
    let own = if account.self_issued { " (itself)" } else { "" };
    let mut facts = vec![
        ("issuer", format!("{}{own}", account.issuer)),
        ("valid", format!("{} to {}", utc::date(account.not_before), utc::date(account.not_after))),
        ("", lifetime(account.lifetime(now), bar)),
    ];
    if !account.alternative_names.is_empty() {
        facts.push(("names", account.alternative_names.join(", ")));
    }
    let ca = match (account.ca, account.path_length) {
        (Some(true), Some(length)) => format!("yes, with at most {length} more below it"),
        (Some(true), None) => "yes".to_owned(),
        (Some(false), _) => "no".to_owned(),
        (None, _) => "no (not said)".to_owned(),
    };
    facts.push(("CA", ca));
    for (name, subtrees) in [("permitted", &account.permitted), ("excluded", &account.excluded)] {
        if !subtrees.is_empty() {
            facts.push((name, subtrees.join(", ")));
        }
    }
    facts.push(("key usage", account.key_usage.as_ref().map_or_else(|| "any".to_owned(), |bits| bits.join(", "))));
    let extended = account.extended_key_usage.as_ref().map_or_else(|| "any".to_owned(), |uses| uses.join(", "));
    facts.push(("for", extended));
    let weak = if account.signature.is_weak() { " (weak)" } else { "" };
    facts.push(("key", account.key.to_string()));
    facts.push(("signed", format!("{}{weak}", account.signature.name)));
    facts.push(("serial", account.serial.clone()));
    facts.extend(account.subject_key_id.clone().map(|id| ("SKI", id)));
    facts.extend(account.authority_key_id.clone().map(|id| ("AKI", id)));
    for (name, uris) in [("CRL", &account.crl_uris), ("OCSP", &account.ocsp_uris), ("issuer at", &account.issuer_uris)]
    {
        if !uris.is_empty() {
            facts.push((name, uris.join(", ")));
        }
    }
    facts.push(("SHA-1", account.thumbprints.sha1().to_owned()));
    facts.push(("SHA-256", account.thumbprints.sha256().to_owned()));
    facts.push(("key pin", account.thumbprints.key_pin()));
    facts
}

/// `▕██████░░░▏ 29 of 90 days left`; without the bar where no person looks.
fn lifetime(life: Lifetime, bar: bool) -> String {
    let total = duration::words(life.total());
    let text = if life.is_over() {
        format!("expired, after {total}")
    } else if life.is_to_come() {
        format!("not yet valid, for {total} then")
    } else {
        let left = duration::words(life.left());
        // In the same unit it is said once.
        let left = left.strip_suffix(total.trim_start_matches(|c: char| c.is_ascii_digit())).unwrap_or(&left);
        format!("{left} of {total} left")
    };
    if !bar {
        return text;
    }
    let run = usize::try_from(life.cells(CELLS)).unwrap_or(0);
    let rest = usize::try_from(CELLS).unwrap_or(0).saturating_sub(run);
    format!("▕{}{}▏ {text}", "█".repeat(run), "░".repeat(rest))
}

pub(super) fn document(place: &Path, link: &Link, now: u64) -> Value {
    let certificate = &link.certificate;
    let account = Inspection::of(certificate);
    let names = certificate.alternative_names();
    let faults: Vec<Value> = link
        .faults
        .iter()
        .map(|fault| {
            json!({ "id": fault.id().code(), "severity": fault.severity().name(), "text": fault.to_string(),
                    "fix": fault.cure() })
        })
        .collect();
    let prints = &account.thumbprints;
    json!({
        "file": place.display().to_string(),
        "position": link.position + 1,
        "subject": account.subject,
        "issuer": account.issuer,
        "notBefore": utc::date(account.not_before),
        "notAfter": utc::date(account.not_after),
        "secondsLeft": account.lifetime(now).left(),
        "ca": certificate.is_ca(),
        "pathLength": account.path_length,
        "clientAuth": certificate.allows_client_auth(),
        "serverAuth": certificate.allows_server_auth(),
        "keyUsage": account.key_usage,
        "extendedKeyUsage": account.extended_key_usage,
        "alternativeNames": {
            "dns": names.dns,
            "ip": names.ip.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "uri": names.uri,
            "email": names.email,
        },
        "permitted": account.permitted,
        "excluded": account.excluded,
        "key": account.key.to_string(),
        "keyBits": account.key.bits(),
        "signature": account.signature.name,
        "serial": certificate.serial(),
        "subjectKeyId": account.subject_key_id,
        "authorityKeyId": account.authority_key_id,
        "crl": account.crl_uris,
        "thumbprintSha1": certificate.thumbprint_sha1(),
        "thumbprintSha256": certificate.thumbprint_sha256(),
        "thumbprints": {
            "sha1": prints.sha1(),
            "sha1Colons": prints.sha1_colons(),
            "sha256": prints.sha256(),
            "sha256Colons": prints.sha256_colons(),
            "sha256Base64": prints.sha256_base64(),
            "keySha256": prints.key_sha256(),
            "keyPin": prints.key_pin(),
        },
        "issuerPosition": link.issuer.map(|at| at + 1),
        "faults": faults,
    })
}
