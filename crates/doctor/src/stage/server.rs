//! Stage server: the chain that was shown, judged by every trust.

use gridmq_tls::catalogue::Stage;
use gridmq_tls::probe::{How, Verdict, judge, judge_platform, judge_web_roots};
use gridmq_tls::{Certificate, Id, Severity, Trust};
use serde_json::json;

use super::shake::Shaken;
use super::{Context, tame};
use crate::report::StageReport;

mod cause;
mod names;

/// From so many bytes a chain does not fit into the first flight of most networks.
const MANY_BYTES: usize = 6 * 1024;
/// Fewer days left than this are told.
const FEW_DAYS: u64 = 10;
const DAY: u64 = 86_400;

/// What the trusts say.
pub(crate) struct Verdicts {
    /// By the trust that was given; otherwise the platform's.
    pub(crate) wanted: Verdict,
    /// Authorities or pins were given, not only the system's store or the web's roots.
    pub(crate) given: bool,
    pub(crate) platform: Verdict,
    pub(crate) web: Verdict,
}

impl Verdicts {
    fn of(cx: &Context<'_>, chain: &[Vec<u8>]) -> Self {
        let (name, now) = (cx.server_name(), cx.now);
        let platform = judge_platform(chain, name, now);
        let web = judge_web_roots(chain, name, now);
        let wanted = cx.options.trust.as_ref().map(|trust| judge(chain, name, trust, now));
        let given = cx.options.trust.as_ref().is_some_and(names_somebody);
        Self { given, wanted: wanted.unwrap_or_else(|| platform.clone()), platform, web }
    }

    /// Does a public store vouch for the chain?
    fn is_public(&self) -> bool {
        self.platform.is_trusted() || self.web.is_trusted()
    }

    fn words(&self) -> String {
        let mut by = Vec::new();
        if self.given && self.wanted.is_trusted() {
            by.push("the given trust");
        }
        if self.platform.is_trusted() {
            by.push("the system's store");
        }
        if self.web.is_trusted() {
            by.push("the web's roots");
        }
        match (by.is_empty(), self.given) {
            (true, true) => "trusted neither as given, nor by the system's store, nor by the web's roots".to_owned(),
            (true, false) => "trusted neither by the system's store nor by the web's roots".to_owned(),
            _ => format!("trusted by {}", by.join(", ")),
        }
    }
}

/// Does it have authorities or pins of its own?
fn names_somebody(trust: &Trust) -> bool {
    !trust.certificates().is_empty() || !trust.pins().is_empty()
}

/// Judges what the handshake showed.
pub(crate) fn run(cx: &Context<'_>, shaken: &Shaken) -> (StageReport, Vec<Certificate>) {
    let mut report = StageReport::new(Stage::Server);
    let seen = &shaken.seen;
    cx.step(Stage::Server, "judging the server's chain");
    if seen.end.as_ref().is_some_and(|end| end.how == How::TooLarge) {
        let why = "the server sends more than 64 KiB of certificates, which no client takes";
        let fix = "configure the server with its own certificate and its intermediates, not with a bundle of roots";
        report.found(cx.error(Id::D18, cx.target.to_string(), why, fix));
        return (report, Vec::new());
    }
    let parsed: Vec<_> = seen.server_chain.iter().map(|der| Certificate::from_der(der)).collect();
    let chain: Vec<Certificate> = parsed.iter().filter_map(|parsed| parsed.as_ref().ok().cloned()).collect();
    let Some(leaf) = chain.first() else {
        if let Some(Err(error)) = parsed.first() {
            let why = format!("the server's certificate cannot be read: {error}");
            report.found(cx.error(Id::B17, cx.target.to_string(), why, "issue the server's certificate anew"));
        } else {
            report.lines.push("the handshake ended before the server's certificates could be judged".to_owned());
        }
        return (report, chain);
    };
    let verdicts = Verdicts::of(cx, &seen.server_chain);
    describe(cx, &mut report, shaken, &chain, &verdicts);
    if verdicts.wanted.is_trusted() {
        if let Some(finding) = names::interceptor(&chain)
            .filter(|_| !verdicts.web.is_trusted())
            .map(|product| cause::intercepted(cx, &product, Severity::Warning))
        {
            report.found(finding);
        }
        remarks(cx, &mut report, shaken, &chain);
    } else {
        report.found(cause::find(cx, seen, leaf, &chain, &verdicts));
        // An expired chain says nothing new about its days, and a large one may be why it was cut.
        if seen.server_chain_bytes > MANY_BYTES {
            remarks(cx, &mut report, shaken, &chain);
        }
    }
    (report, chain)
}

fn describe(cx: &Context<'_>, report: &mut StageReport, shaken: &Shaken, chain: &[Certificate], verdicts: &Verdicts) {
    let seen = &shaken.seen;
    let mut path: Vec<_> = chain.iter().take(6).map(|certificate| tame(&certificate.subject().to_string())).collect();
    if let Some(last) = chain.last().filter(|last| !last.is_self_issued()) {
        path.push(format!("({})", tame(&last.issuer().to_string())));
    }
    report.lines.push(path.join(" ← "));
    let last = chain.iter().map(Certificate::not_after).min().unwrap_or_default();
    let left = match last.checked_sub(cx.now) {
        Some(left) => format!("{} d left", left / DAY),
        None => "expired".to_owned(),
    };
    let (bytes, count) = (seen.server_chain_bytes, seen.server_chain_length);
    report.lines.push(format!("{} · {left} · {bytes} bytes in {count} certs", verdicts.words()));
    let word = |verdict: &Verdict| if verdict.is_trusted() { "trusted".to_owned() } else { format!("{verdict:?}") };
    let facts = &mut report.facts;
    facts.insert("certificates".to_owned(), json!(count));
    facts.insert("bytes".to_owned(), json!(bytes));
    facts.insert("given".to_owned(), json!(verdicts.given.then(|| word(&verdicts.wanted))));
    facts.insert("platform".to_owned(), json!(word(&verdicts.platform)));
    facts.insert("web_roots".to_owned(), json!(word(&verdicts.web)));
}

/// What works and is worth a word.
fn remarks(cx: &Context<'_>, report: &mut StageReport, shaken: &Shaken, chain: &[Certificate]) {
    let (bytes, count) = (shaken.seen.server_chain_bytes, shaken.seen.server_chain_length);
    let root = chain.len() > 1 && chain.last().is_some_and(Certificate::is_self_issued);
    if bytes > MANY_BYTES {
        let with = if root { ", the root included" } else { "" };
        let why =
            format!("the server sends {bytes} bytes in {count} certificates{with}; each connection pays for them");
        let fix = "send the leaf and its intermediates only, and prefer ECDSA keys";
        report.found(cx.warning(Id::D18, cx.target.to_string(), why, fix));
    } else if root {
        report.lines.push("the chain carries its root, which clients do not need".to_owned());
    }
    for certificate in chain.iter().filter(|certificate| certificate.not_after() >= cx.now) {
        let days = (certificate.not_after() - cx.now) / DAY;
        let life = certificate.not_after().saturating_sub(certificate.not_before()) / DAY;
        // Short lives are renewed by machines; days alone would cry wolf.
        if days < FEW_DAYS && days * 3 < life && life > FEW_DAYS {
            let why = format!("the certificate runs out in {days} days");
            let subject = tame(&certificate.subject().to_string());
            report.found(cx.warning(Id::D06, subject, why, "see that the server renews it in time"));
        }
    }
}
