//! B08: a thumbprint as somebody pasted it, against the certificate.

use gridmq_tls::{Certificate, Finding, Id, Severity};

use crate::profile::Profile;
use crate::report::StageReport;

/// Characters that certificate viewers copy along and nobody sees.
const INVISIBLE: [char; 8] =
    ['\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202c}', '\u{feff}'];
/// The longest text that is looked at, in characters.
const MAX_TEXT: usize = 512;

pub(super) fn check(pasted: &str, chain: &[Certificate], profile: &Profile, stage: &mut StageReport) {
    let Some(leaf) = chain.first() else { return };
    let pasted: String = pasted.chars().take(MAX_TEXT).collect();
    let pasted = pasted.trim();
    let invisible = pasted.chars().filter(|c| INVISIBLE.contains(c)).count();
    let separators = pasted.chars().filter(|c| matches!(c, ':' | '-') || c.is_whitespace()).count();
    let digits: String = pasted
        .chars()
        .filter(|c| !INVISIBLE.contains(c) && !matches!(c, ':' | '-') && !c.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase();
    let subject = leaf.subject().to_string();
    let sha1 = leaf.thumbprint_sha1().to_ascii_uppercase();
    let sha256 = leaf.thumbprint_sha256().to_ascii_uppercase();
    let problem = |severity, why: String, fix: String| {
        Finding::new(Id::B08, severity, subject.clone(), why, fix)
            .seen(format!("SHA-256 {sha256}"))
            .seen(format!("SHA-1 {sha1}"))
    };
    if !matches!(digits.len(), 40 | 64) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let why = format!(
            "the thumbprint that was given is none: it has {} characters, and SHA-1 has 40 hexadecimal digits, SHA-256 64",
            digits.chars().count()
        );
        stage.found(problem(Severity::Error, why, "register one of the two values below".to_owned()));
        return;
    }
    let hash = if digits.len() == 40 { "SHA-1" } else { "SHA-256" };
    let is = |certificate: &Certificate| {
        [certificate.thumbprint_sha1(), certificate.thumbprint_sha256()].contains(&digits.as_str())
    };
    if !is(leaf) {
        let other = chain.iter().skip(1).find(|certificate| is(certificate));
        let why = match other {
            Some(other) => format!("the thumbprint that was given is the {hash} of the issuer {}", other.subject()),
            None => format!("the thumbprint that was given is not the {hash} of this certificate"),
        };
        let fix = format!("register the {hash} below, or use the certificate that is registered");
        stage.found(problem(Severity::Error, why, fix));
        return;
    }
    let wanted = profile.names.thumbprint.as_deref();
    if wanted.is_some_and(|wanted| wanted != hash) {
        let wanted = wanted.unwrap_or_default();
        let why =
            format!("the thumbprint that was given is this certificate's {hash}, and the service asks for {wanted}");
        stage.found(problem(Severity::Warning, why, format!("register the {wanted} below")));
        return;
    }
    if invisible + separators > 0 {
        let what = if invisible > 0 { "invisible characters" } else { "separators" };
        let why = format!("the thumbprint is this certificate's {hash}, and among its digits stand {what}");
        let fix = "register the digits alone: copy the value below".to_owned();
        stage.found(problem(Severity::Warning, why, fix));
        return;
    }
    stage.lines.push(format!("the thumbprint is the {hash} of {subject}"));
}
