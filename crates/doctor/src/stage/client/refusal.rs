//! From an alert, and what was sent, to the cause.

use gridmq_tls::probe::{How, Seen};
use gridmq_tls::time::Utc;
use gridmq_tls::{Certificate, Finding, Id, Identity, TlsVersion};

use super::{Context, no_scheme, phase, tame};
use crate::stage::ms;

/// Why the server ended the connection over the certificate; `again` is the same try on TLS 1.2.
pub(crate) fn refused(cx: &Context<'_>, seen: &Seen, again: Option<&Seen>) -> Finding {
    let telling = if seen.alert().is_none() { again.filter(|again| again.alert().is_some()) } else { None };
    let telling = telling.unwrap_or(seen);
    let mut finding = match telling.alert() {
        Some(alert) => {
            let evidence = format!("alert {} {} {}", alert.code, alert.name, phase(telling));
            by_alert(cx, telling, alert.code).seen(evidence)
        }
        None => silent(cx, seen, again),
    };
    if let Some(identity) = cx.options.identity.as_ref().filter(|_| !telling.sent.is_empty()) {
        finding = finding.seen(format!("sent {} certificate(s), issuer {}", telling.sent.len(), issuer(identity)));
    }
    finding
}

fn issuer(identity: &Identity) -> String {
    identity.chain().first().map(|leaf| tame(&leaf.issuer().to_string())).unwrap_or_default()
}

fn about(cx: &Context<'_>) -> String {
    cx.options.identity.as_ref().map_or_else(|| cx.target.to_string(), |identity| tame(&identity.subject()))
}

fn by_alert(cx: &Context<'_>, seen: &Seen, code: u8) -> Finding {
    let identity = cx.options.identity.as_ref();
    let renegotiates = seen.version == Some(TlsVersion::V1_2) && seen.complete;
    if seen.renegotiation || (renegotiates && code == 40) {
        return renegotiation(cx);
    }
    if code == 109 && seen.request.is_none() {
        return late_request(cx);
    }
    if seen.request.is_none() && code != 116 {
        return unasked(cx, code);
    }
    let Some(identity) = identity.filter(|_| !seen.sent.is_empty()) else {
        return match cx.options.identity.as_ref() {
            Some(identity) if seen.no_common_scheme => no_scheme(cx, identity, seen),
            _ if matches!(code, 40 | 41 | 42 | 46 | 48 | 116) => none_sent(cx),
            _ => odd(cx, code),
        };
    };
    match code {
        48 => unknown_issuer(cx, seen, identity),
        45 => expired(cx, identity),
        44 => {
            let why = "the server finds the client certificate revoked";
            cx.error(Id::E08, about(cx), why, "get a new certificate; ask the operator why this one was revoked")
        }
        43 => usage(cx, identity),
        80 => {
            let why = "the server fails while it judges the client certificate";
            cx.error(Id::D17, cx.target.to_string(), why, "look into the server's log")
        }
        40 | 41 | 42 | 46 | 49 | 51 | 116 => bad(cx, identity, code),
        _ => odd(cx, code),
    }
}

fn odd(cx: &Context<'_>, code: u8) -> Finding {
    let why = format!("the server ends the connection with alert {code} when it has seen the client's answer");
    cx.error(Id::E05, about(cx), why, "look into the server's log for the reason of this alert")
}

/// An alert though no certificate was asked for.
fn unasked(cx: &Context<'_>, code: u8) -> Finding {
    let why = format!("the server ends the connection with alert {code} and never asked for a certificate");
    match code {
        80 => cx.error(Id::D17, cx.target.to_string(), why, "look into the server's log"),
        120 => cx.error(Id::D16, cx.target.to_string(), why, "offer the application protocol that the server speaks"),
        _ if cx.options.identity.is_some() => super::not_asked(cx, true),
        _ => cx.error(Id::C06, cx.target.to_string(), why, "look into the server's log"),
    }
}

fn renegotiation(cx: &Context<'_>) -> Finding {
    let why = "the server begins a second handshake to ask for a certificate, which is not supported here";
    let fix = "let the server ask in the first handshake, or use TLS 1.3 or a port that always asks";
    cx.error(Id::E12, cx.target.to_string(), why, fix)
}

pub(crate) fn late_request(cx: &Context<'_>) -> Finding {
    let why = "the server wants to ask for the certificate after the handshake, which is not supported here";
    let fix = "let the server ask in the handshake, as MQTT brokers do";
    cx.error(Id::E13, cx.target.to_string(), why, fix)
}

fn none_sent(cx: &Context<'_>) -> Finding {
    let why = "the server requires a client certificate and got none";
    let fix = "give the client its certificate and key (--cert and --key)";
    cx.error(Id::E01, cx.target.to_string(), why, fix)
}

fn expired(cx: &Context<'_>, identity: &Identity) -> Finding {
    if identity.chain().iter().any(|certificate| certificate.not_before() > cx.now) {
        // Some servers have one alert for both ends of the validity.
        return bad(cx, identity, 45);
    }
    let old = identity.chain().iter().find(|certificate| certificate.not_after() < cx.now);
    match old {
        Some(old) => {
            let why = format!("{} expired at {}", tame(&old.subject().to_string()), Utc(old.not_after()));
            cx.error(Id::E04, about(cx), why, "renew it; see that it is renewed by itself")
        }
        None => {
            let why = "the server says expired, while every certificate that was sent is in date here";
            let fix = "ask the operator to load a current revocation list (CRL) and to check the server's clock";
            cx.error(Id::B13, about(cx), why, fix)
        }
    }
}

fn usage(cx: &Context<'_>, identity: &Identity) -> Finding {
    let none = identity.chain().first().is_some_and(|leaf| leaf.extended_key_usage().is_none());
    if none {
        let why = "the server wants an extended key usage, and the client certificate has none";
        return cx.error(Id::E07, about(cx), why, "issue it anew with extendedKeyUsage clientAuth");
    }
    let why = "the server finds that the certificate may not authenticate a client";
    let fix = "issue it with extendedKeyUsage clientAuth and keyUsage digitalSignature; public CAs no longer do";
    cx.error(Id::E06, about(cx), why, fix)
}

fn bad(cx: &Context<'_>, identity: &Identity, code: u8) -> Finding {
    let soon = identity.chain().iter().find(|certificate| certificate.not_before() > cx.now);
    let why = match soon {
        Some(soon) => format!("the certificate is valid only from {}", Utc(soon.not_before())),
        None => format!("the server finds the client certificate bad and does not say why (alert {code})"),
    };
    let fix = "compare the server's clock with the certificate's validity, and look into the server's log";
    cx.error(Id::E05, about(cx), why, fix)
}

/// Alert 48: several mistakes look alike to the server; the hints and the own chain tell them apart.
fn unknown_issuer(cx: &Context<'_>, seen: &Seen, identity: &Identity) -> Finding {
    let chain = identity.chain();
    let Some(leaf) = chain.first() else { return none_sent(cx) };
    let hints = seen.request.as_ref().map(|request| request.hints.as_slice()).unwrap_or_default();
    let hinted = |name: &str| hints.iter().any(|hint| hint == name);
    let issuer = leaf.issuer().to_string();
    if leaf.is_self_issued() {
        let why = "the client certificate is self-signed, and the server trusts authorities only";
        let fix = "use a certificate of a CA that the server trusts, or register the thumbprint where that is possible";
        return cx.error(Id::B09, about(cx), why, fix);
    }
    let immediate = chain.iter().skip(1).find(|certificate| certificate.subject() == leaf.issuer());
    let has_intermediate = immediate.is_some_and(|issuer| !issuer.is_self_issued());
    if has_intermediate && hinted(&issuer) && !chain.iter().skip(1).any(|ca| hinted(&ca.issuer().to_string())) {
        let why = format!("the server trusts the intermediate {} and not its root", tame(&issuer));
        let fix = "ask the operator to add the root to the server's CA file, or to allow partial chains";
        return cx.error(Id::E09, about(cx), why, fix);
    }
    if chain.len() == 1 && !hinted(&issuer) && is_under_an_intermediate(cx, leaf, hints) {
        let why = format!("only the leaf was sent, and the server does not have its issuer {}", tame(&issuer));
        let fix = "append the intermediate to the client's certificate file, after the leaf";
        return cx.error(Id::E03, about(cx), why, fix);
    }
    let upper = chain.iter().skip(1).any(|ca| hinted(&ca.issuer().to_string()) && ca.issuer() != leaf.issuer());
    if has_intermediate && upper && !cx.is_cloud() {
        // The chain that was sent leads to what the server names; what may be missing is its revocation list.
        let why = "the server names the root of the chain that was sent and refuses the chain all the same";
        let fix = "ask the operator whether the server's revocation lists (CRL) are there and current";
        return cx.error(Id::B13, about(cx), why, fix);
    }
    if has_intermediate && upper {
        let why =
            format!("the server has the root, and wants the certificate's own issuer {} registered", tame(&issuer));
        return cx.error(Id::B10, about(cx), why, "register the immediate issuer, not the root and not the leaf");
    }
    let ski = leaf.authority_key_id().map_or_else(String::new, |id| {
        let hex: String = id.iter().map(|byte| format!("{byte:02X}")).collect();
        format!(" (key id {hex})")
    });
    let why = format!("the server does not know the issuer {}{ski}", tame(&issuer));
    let fix = "register this issuer with the server, or use a certificate of a CA that it names";
    let finding = cx.error(Id::E02, about(cx), why, fix);
    hints.iter().take(4).fold(finding, |finding, hint| finding.seen(format!("the server names {}", tame(hint))))
}

/// Does the leaf seem to come from an intermediate rather than from a root?
fn is_under_an_intermediate(cx: &Context<'_>, leaf: &Certificate, hints: &[String]) -> bool {
    let known = cx.options.trust.as_ref().map(gridmq_tls::Trust::certificates).unwrap_or_default();
    if let Some(issuer) = known.iter().find(|ca| ca.subject() == leaf.issuer()) {
        return !issuer.is_self_issued();
    }
    let files = cx.options.files.as_ref();
    if files.is_some_and(|files| files.findings.iter().any(|finding| finding.id == Id::A18)) {
        return true;
    }
    let name = leaf.issuer().to_string().to_lowercase();
    let words = ["intermediate", "issuing", "sub ca", "subca", "sub-ca", "level 2", "signing ca"];
    let sounds = words.iter().any(|word| name.contains(word));
    // The same organisation above and below speaks for one hierarchy.
    let organisation = |text: &str| {
        text.split(',').map(str::trim).find(|part| part.to_lowercase().starts_with("o=")).map(str::to_lowercase)
    };
    let related = organisation(&leaf.issuer().to_string())
        .is_some_and(|own| hints.iter().any(|hint| organisation(hint).as_deref() == Some(own.as_str())));
    sounds || related
}

/// The connection ended and nobody said why.
fn silent(cx: &Context<'_>, seen: &Seen, again: Option<&Seen>) -> Finding {
    if again.is_some_and(|again| again.renegotiation) || seen.renegotiation {
        return renegotiation(cx);
    }
    let how = match seen.end.as_ref().map(|end| &end.how) {
        Some(How::Reset) => "resets the connection",
        _ => "closes the connection",
    };
    let slow = seen.signature_time.filter(|took| took.as_secs() >= 2);
    if let Some(took) = slow {
        let why = format!("the server {how}; the own signature took {}", ms(took));
        return cx.error(Id::C10, "the own key", why, "use a faster token or an ECDSA key");
    }
    match (&cx.options.identity, &seen.request) {
        (Some(identity), Some(_)) if seen.no_common_scheme => no_scheme(cx, identity, seen),
        (_, Some(_)) if seen.sent.is_empty() => none_sent(cx),
        (Some(_), Some(_)) => {
            let why = format!("the server {how} when it has seen the client certificate, and says nothing");
            if cx.profile.name.starts_with("aws") {
                let fix = "activate the certificate, attach a policy, and try again after a moment";
                return cx.error(Id::E16, about(cx), why, fix);
            }
            let fix = "look into the server's log; most often it does not know the certificate's issuer";
            cx.error(Id::E05, about(cx), why, fix)
        }
        _ => {
            let why = format!("the server {how} right after the handshake, and says nothing");
            let fix = "check host and port; an IP filter or a proxy without a backend does this";
            cx.error(Id::C06, cx.target.to_string(), why, fix)
        }
    }
}
