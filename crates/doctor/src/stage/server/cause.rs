//! Why a chain is not trusted: the true cause, not the verifier's first word.

use std::net::IpAddr;

use gridmq_tls::probe::{Seen, Verdict, judge};
use gridmq_tls::time::Utc;
use gridmq_tls::{Certificate, Finding, Id, Severity, Trust};

use super::super::{Context, tame};
use super::{Verdicts, names};
use crate::render::days_ago;

/// How many names are shown.
const MAX_NAMES: usize = 8;

fn subject(certificate: &Certificate) -> String {
    tame(&certificate.subject().to_string())
}

/// The finding for a chain that the wanted trust refuses.
pub(super) fn find(
    cx: &Context<'_>,
    seen: &Seen,
    leaf: &Certificate,
    chain: &[Certificate],
    verdicts: &Verdicts,
) -> Finding {
    match &verdicts.wanted {
        Verdict::NoRoots(detail) if !verdicts.given => no_roots(cx, detail),
        Verdict::Expired => expired(cx, chain),
        Verdict::NotYetValid => not_yet(cx, chain),
        Verdict::WrongName => wrong_name(cx, leaf),
        Verdict::WrongUsage => usage(cx, leaf, chain),
        Verdict::CaAsLeaf if leaf.is_self_issued() => self_signed(cx, leaf),
        Verdict::CaAsLeaf => {
            let why = "the server shows a CA certificate as its own";
            let fix = "give the server a certificate with CA:FALSE and serverAuth, or pin this one by its fingerprint";
            cx.error(Id::D11, subject(leaf), why, fix)
        }
        Verdict::Revoked => {
            let why = "a certificate of the server's chain is revoked";
            cx.error(Id::B12, subject(leaf), why, "give the server a new certificate")
        }
        Verdict::WeakSignature => {
            let why = "a certificate of the server's chain is signed with an algorithm that is no longer accepted";
            cx.error(Id::A30, subject(leaf), why, "issue the chain anew with SHA-256 or better")
        }
        Verdict::NameConstraints => {
            let why = "a CA of the chain may not issue for this name (name constraints)";
            cx.error(Id::B18, subject(leaf), why, "issue the server's certificate from a CA that may name it")
        }
        Verdict::Unreadable(detail) => {
            let why = "a certificate of the server's chain breaks RFC 5280 and cannot be used";
            cx.error(Id::B17, subject(leaf), why, "issue it anew").seen(tame(detail))
        }
        Verdict::UnknownIssuer | Verdict::BadSignature => unknown(cx, seen, leaf, chain, verdicts),
        other => {
            let why = "the server's chain is refused";
            let fix = "compare the chain with the authorities that are trusted";
            cx.error(Id::D01, subject(leaf), why, fix).seen(tame(&format!("{other:?}")))
        }
    }
}

fn no_roots(cx: &Context<'_>, detail: &str) -> Finding {
    let why = "this machine has no store of trusted roots, so no server can be trusted";
    let fix = "install the package ca-certificates, or name the authorities or the built-in roots of the web";
    cx.error(Id::D19, "the system's store", why, fix).seen(tame(detail))
}

pub(super) fn intercepted(cx: &Context<'_>, product: &str, severity: Severity) -> Finding {
    let why = format!("the chain was issued by {product}: a TLS-inspecting proxy answers in the server's place");
    let fix = "have this host exempted from inspection; a client certificate cannot pass such a proxy";
    cx.finding(Id::C11, severity, cx.target.to_string(), why, fix)
}

fn expired(cx: &Context<'_>, chain: &[Certificate]) -> Finding {
    let Some(old) = chain.iter().find(|certificate| certificate.not_after() < cx.now) else {
        return cx.error(
            Id::D06,
            cx.target.to_string(),
            "a certificate of the server's chain has expired",
            "renew it, and check this machine's clock",
        );
    };
    let ago = days_ago(cx.now.saturating_sub(old.not_after()));
    let why = format!("it expired {ago}, at {}", Utc(old.not_after()));
    let fix = if old.is_ca() {
        "replace the intermediate in the server's chain by the current one"
    } else {
        "renew the server's certificate; if it is in date, correct this machine's clock"
    };
    cx.error(Id::D06, subject(old), why, fix).seen(format!("this machine's clock says {}", Utc(cx.now)))
}

fn not_yet(cx: &Context<'_>, chain: &[Certificate]) -> Finding {
    let new = chain.iter().find(|certificate| certificate.not_before() > cx.now);
    let (about, from) = new.map_or_else(|| (cx.target.to_string(), 0), |new| (subject(new), new.not_before()));
    let why = format!("it is valid only from {}, and this machine's clock says {}", Utc(from), Utc(cx.now));
    cx.error(Id::D07, about, why, "set this machine's clock (NTP); if it is right, the certificate was made too early")
}

fn wrong_name(cx: &Context<'_>, leaf: &Certificate) -> Finding {
    let wanted = cx.server_name();
    let san = leaf.alternative_names();
    let mut shown: Vec<String> = san.dns.iter().map(|name| tame(name)).collect();
    shown.extend(san.ip.iter().map(ToString::to_string));
    let more = shown.len().saturating_sub(MAX_NAMES);
    shown.truncate(MAX_NAMES);
    let mut list = shown.join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    if let Some(portal) = names::portal(leaf) {
        let why = format!("a captive portal ({}) answers in the server's place", tame(&portal));
        return cx.error(Id::C12, subject(leaf), why, "log in to this network in a browser first, or use another one");
    }
    if let Ok(address) = wanted.parse::<IpAddr>() {
        if !san.is_empty() {
            let why = format!("the certificate is not for the address {address}; it is for {list}");
            return cx.error(Id::D09, subject(leaf), why, "connect by the name, or issue one with the address as SAN");
        }
    } else if !cx.options.send_server_name && !san.dns.is_empty() {
        let why = format!("without SNI the server shows its default certificate, which is for {list}");
        return cx.error(Id::D13, subject(leaf), why, "let the client send the server name (SNI)");
    }
    if san.dns.is_empty() && san.ip.is_empty() {
        let named = leaf.subject().common_name().map(tame).unwrap_or_default();
        let why = format!("the certificate has no subject alternative name, only the common name {named:?}");
        let fix = "issue it anew with the name as SAN; some other clients take the common name, RFC 9525 does not";
        return cx.error(Id::D10, subject(leaf), why, fix);
    }
    let why = format!("the certificate is not for {wanted}; it is for {list}");
    cx.error(Id::D08, subject(leaf), why, "connect to a name of the certificate, or issue one for this name")
}

fn usage(cx: &Context<'_>, leaf: &Certificate, chain: &[Certificate]) -> Finding {
    let unfit = chain.iter().find(|certificate| !certificate.allows_server_auth()).unwrap_or(leaf);
    let why = "its extended key usage does not allow serverAuth";
    let why = if unfit.allows_server_auth() { "a certificate of the path may not be used this way" } else { why };
    cx.error(Id::D11, subject(unfit), why, "issue it anew with extendedKeyUsage serverAuth")
}

fn self_signed(cx: &Context<'_>, leaf: &Certificate) -> Finding {
    let why = "the server's certificate is signed by nobody but itself";
    let fix = "pin it by its fingerprint, or give the server a certificate of an authority";
    cx.error(Id::D04, subject(leaf), why, fix).seen(format!("SHA-256 {}", leaf.thumbprint_sha256().to_uppercase()))
}

/// Nobody who is trusted issued it: who did, and who was meant?
fn unknown(cx: &Context<'_>, seen: &Seen, leaf: &Certificate, chain: &[Certificate], verdicts: &Verdicts) -> Finding {
    if let Some(portal) = names::portal(leaf).filter(|_| chain.len() == 1 || leaf.is_self_issued()) {
        let why = format!("a captive portal ({}) answers in the server's place", tame(&portal));
        return cx.error(Id::C12, subject(leaf), why, "log in to this network in a browser first, or use another one");
    }
    if let Some(product) = names::interceptor(chain) {
        return intercepted(cx, &product, Severity::Error);
    }
    if chain.len() == 1 && leaf.is_self_issued() {
        return self_signed(cx, leaf);
    }
    let last = chain.last().unwrap_or(leaf);
    let top = tame(&last.issuer().to_string());
    let trusted = cx.options.trust.as_ref().map(Trust::certificates).unwrap_or_default();
    if let Some(trust) = &cx.options.trust {
        if lacks_only_intermediates(cx, seen, trust) {
            let why = format!("the server does not send the intermediate {top}, which leads to the trusted root");
            let fix = "configure the server with its whole chain: leaf first, then the intermediates";
            return cx.error(Id::D01, subject(leaf), why, fix).seen("with the intermediate added the chain is good");
        }
        if issued_ours(cx, trusted) {
            let why = "the trust that was given is the CA of the client's certificate, and the server's has another";
            let fix = if verdicts.is_public() {
                "leave the option for the server's CA out: the server has a public certificate"
            } else {
                "name the CA that issued the server's certificate; the client's own CA says nothing about the server"
            };
            return cx.error(Id::D02, subject(leaf), why, fix).seen(format!("the server's chain ends at {top}"));
        }
        let renewed = trusted.iter().find(|root| {
            chain.iter().any(|certificate| {
                certificate.issuer() == root.subject()
                    || (certificate.subject() == root.subject() && certificate.public_key() != root.public_key())
            })
        });
        if let Some(old) = renewed {
            let why = format!("the trusted {} has the name of the chain's issuer and another key", subject(old));
            let fix = "replace the trusted certificate by the current one, and trust roots rather than intermediates";
            return cx.error(Id::D03, subject(leaf), why, fix);
        }
        if verdicts.is_public() {
            let why = format!("the trust that was given does not lead to {top}, a public root that would do");
            let fix = "trust the system's store, or add the service's current roots";
            return cx.error(Id::D03, subject(leaf), why, fix);
        }
    }
    if let Some(root) = chain.iter().skip(1).find(|certificate| certificate.is_self_issued()) {
        let why = format!("the server's chain ends at {}, a private root that is not trusted", subject(root));
        let fix = "if it is yours, trust this root by name";
        let print = root.thumbprint_sha256().to_uppercase();
        return cx.error(Id::D05, subject(root), why, fix).seen(format!("SHA-256 {print}"));
    }
    let (why, fix) = if chain.len() == 1 {
        (
            format!("the server sends only its leaf, whose issuer {top} is not trusted"),
            "configure the server with its whole chain, or trust the CA that issued it",
        )
    } else {
        let fix = if verdicts.given {
            "give the certificate of that CA (--cafile), if this is the server that is meant"
        } else {
            "if it is a CA of your own, give its certificate (--cafile) or add it to the system's store"
        };
        (format!("the server's chain ends at {top}, which is not trusted"), fix)
    };
    let finding = cx.error(Id::D01, subject(leaf), why, fix);
    trusted.iter().take(4).fold(finding, |finding, root| finding.seen(format!("trusted: {}", subject(root))))
}

/// Would the chain be good with the intermediates of our own chain?
fn lacks_only_intermediates(cx: &Context<'_>, seen: &Seen, trust: &Trust) -> bool {
    let Some(identity) = &cx.options.identity else { return false };
    let mut longer = seen.server_chain.clone();
    longer.extend(identity.chain().iter().skip(1).map(|certificate| certificate.der().to_vec()));
    longer.len() > seen.server_chain.len() && judge(&longer, cx.server_name(), trust, cx.now).is_trusted()
}

/// Did one of these issue a certificate of our own chain?
fn issued_ours(cx: &Context<'_>, trusted: &[Certificate]) -> bool {
    let Some(identity) = &cx.options.identity else { return false };
    identity.chain().iter().any(|own| {
        trusted.iter().any(|root| {
            own.issuer() == root.subject()
                && own.authority_key_id().zip(root.subject_key_id()).is_none_or(|(named, actual)| named == actual)
        })
    })
}
