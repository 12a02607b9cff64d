//! What is odd about an identity that can be used.

use super::Role;
use super::chain::Notes;
use super::lint::{self, Extra};
use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::Certificate;
use crate::keys::KeyKind;
use crate::time::Utc;

const DAY: u64 = 24 * 60 * 60;

pub(super) fn findings(chain: &[Certificate], notes: &Notes, pkcs12: bool, role: Role, now: u64) -> Vec<Finding> {
    let mut found = Vec::new();
    let extras: Vec<Extra> = chain.iter().map(Extra::of).collect();
    for certificate in chain {
        validity(certificate, now, &mut found);
    }
    if let (Some(leaf), Some(extra)) = (chain.first(), extras.first()) {
        leaf_findings(leaf, extra, notes, role, &mut found);
        if chain.len() == 1 && !leaf.is_self_issued() && notes.root.is_none() {
            found.push(leaf_only(leaf, extra, pkcs12));
        }
        let own_key = KeyKind::of(leaf.public_key());
        for (certificate, extra) in chain.iter().zip(&extras).skip(1) {
            issuer_findings(certificate, extra, role, &own_key, &mut found);
        }
    }
    for (place, (certificate, extra)) in chain.iter().zip(&extras).enumerate() {
        // Nobody checks the signature of what is its own issuer.
        if let Some(algorithm) = extra.weak_signature
            && !certificate.is_self_issued()
        {
            found.push(about(
                certificate,
                Id::A30,
                Severity::Error,
                format!("the certificate is signed with {algorithm}, which TLS stacks refuse"),
                "have it issued again with SHA-256",
            ));
        }
        found.extend(lint::lints(certificate, extra, place > 0));
    }
    path_length(chain, &extras, &mut found);
    if let Some(root) = &notes.root {
        found.push(
            about(
                root,
                Id::A17,
                Severity::Warning,
                "the root is not sent, since the peer must have it to trust it".to_owned(),
                "drop it from the file",
            )
            .seen(format!("{} bytes saved in each handshake", root.der().len())),
        );
    }
    for certificate in &notes.unrelated {
        found.push(about(
            certificate,
            Id::A34,
            Severity::Warning,
            "the certificate belongs to another chain and is not sent".to_owned(),
            "drop it from the file",
        ));
    }
    found
}

fn about(certificate: &Certificate, id: Id, severity: Severity, why: String, fix: &str) -> Finding {
    Finding::new(id, severity, certificate.subject().to_string(), why, fix)
}

fn validity(certificate: &Certificate, now: u64, found: &mut Vec<Finding>) {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now > not_after {
        found.push(about(
            certificate,
            Id::B01,
            Severity::Error,
            format!("the certificate expired on {}, {} ago", Utc(not_after), span(now - not_after)),
            "renew it",
        ));
    } else if now < not_before {
        found.push(about(
            certificate,
            Id::B02,
            Severity::Error,
            format!(
                "the certificate is valid only from {}, and this machine's clock says {}",
                Utc(not_before),
                Utc(now)
            ),
            "set the clock right, or wait",
        ));
    } else {
        let (left, whole) = (not_after - now, not_after.saturating_sub(not_before));
        let days = |part: u64, days: u64| (whole.saturating_mul(part) / 100).min(days * DAY);
        let why = format!("the certificate ends on {}, in {}", Utc(not_after), span(left));
        if left <= days(10, 1) {
            found.push(about(certificate, Id::B14, Severity::Warning, why, "renew it now"));
        } else if left <= days(33, 10) {
            found.push(about(certificate, Id::B14, Severity::Warning, why, "renew it soon"));
        }
    }
}

fn leaf_findings(leaf: &Certificate, extra: &Extra, notes: &Notes, role: Role, found: &mut Vec<Finding>) {
    let mut note = |id, severity, why: String, fix: &str| found.push(about(leaf, id, severity, why, fix));
    if leaf.is_ca() && leaf.is_self_issued() {
        note(
            Id::A14,
            Severity::Warning,
            "the certificate is a self-signed CA certificate, which works only where its thumbprint is registered"
                .to_owned(),
            "issue a certificate with CA:FALSE and use that",
        );
    } else if leaf.is_ca() {
        note(
            Id::A14,
            Severity::Error,
            "the certificate is a CA's, which authenticates nobody".to_owned(),
            "issue a certificate with CA:FALSE and use that",
        );
    }
    if notes.leaf_not_first {
        note(
            Id::A15,
            Severity::Warning,
            "the leaf was not the first certificate; it is sent first, while other programs take the first for it"
                .to_owned(),
            "put the leaf first, then each issuer (`gridmq certs order` writes such a file)",
        );
    }
    if notes.out_of_order {
        note(
            Id::A16,
            Severity::Warning,
            "the chain was out of order; it is sent in order, while other programs send it as it stands".to_owned(),
            "put each issuer after what it issued (`gridmq certs order` writes such a file)",
        );
    }
    if extra.key_usage.is_some_and(|usage| !usage.digital_signature) {
        note(
            Id::B04,
            Severity::Error,
            "the key usage lacks digitalSignature, with which TLS proves the key".to_owned(),
            "have it issued with digitalSignature",
        );
    }
    if role == Role::Client {
        if !leaf.allows_client_auth() && !extra.any_usage {
            let seen = leaf.extended_key_usage().unwrap_or_default().join(", ");
            found.push(
                about(
                    leaf,
                    Id::B03,
                    Severity::Error,
                    "the extended key usage lacks clientAuth, so servers that check it refuse the certificate"
                        .to_owned(),
                    "have it issued with clientAuth by a private CA; public CAs no longer issue such certificates",
                )
                .seen(format!("extended key usage {seen}")),
            );
        }
        if leaf.is_self_issued() && !leaf.is_ca() {
            found.push(about(
                leaf,
                Id::B09,
                Severity::Info,
                "the certificate is self-signed, which works only where its thumbprint is registered".to_owned(),
                "register its thumbprint, or have it issued by a CA that the server knows",
            ));
        }
    }
}

fn leaf_only(leaf: &Certificate, extra: &Extra, pkcs12: bool) -> Finding {
    let id = if pkcs12 { Id::A28 } else { Id::A18 };
    let finding = about(
        leaf,
        id,
        Severity::Info,
        format!("only the leaf is sent, and a server that knows no more than the root does not find {}", leaf.issuer()),
        "if its issuer is no root, append the issuer's certificate",
    );
    match &extra.issuer_url {
        Some(url) => finding.seen(format!("the issuer's certificate is at {url}")),
        None => finding,
    }
}

fn issuer_findings(issuer: &Certificate, extra: &Extra, role: Role, own_key: &KeyKind, found: &mut Vec<Finding>) {
    let allowed = match role {
        Role::Client => issuer.allows_client_auth(),
        Role::Server => issuer.allows_server_auth(),
    };
    if !allowed && !extra.any_usage {
        found.push(about(
            issuer,
            Id::B05,
            Severity::Error,
            format!(
                "this CA's extended key usage does not let it issue certificates for {}",
                match role {
                    Role::Client => "clients",
                    Role::Server => "servers",
                }
            ),
            "have the certificate issued by a CA without that restriction",
        ));
    }
    match KeyKind::of(issuer.public_key()) {
        KeyKind::Rsa { bits } if bits < 2048 => found.push(about(
            issuer,
            Id::A29,
            Severity::Error,
            format!("this CA's RSA key has {bits} bits, and fewer than 2048 are refused"),
            "have the chain issued again under a larger key",
        )),
        KeyKind::Rsa { .. } => {}
        kind if !kind.is_usable() && *own_key != kind => {
            found.push(about(
                issuer,
                Id::A31,
                Severity::Warning,
                format!("this CA signs with {kind}, which many TLS stacks do not verify"),
                "have the chain issued again under a P-256 or P-384 key",
            ));
        }
        _ => {}
    }
}

/// RFC 5280 §4.2.1.9: at most so many CAs between this one and the leaf.
fn path_length(chain: &[Certificate], extras: &[Extra], found: &mut Vec<Finding>) {
    for (place, (certificate, extra)) in chain.iter().zip(extras).enumerate().skip(1) {
        let below = u64::try_from(place - 1).unwrap_or(u64::MAX);
        if let Some(limit) = extra.path_length
            && below > u64::from(limit)
        {
            found.push(about(
                certificate,
                Id::B17,
                Severity::Error,
                format!("this CA allows {limit} CAs below itself, and there are {below}"),
                "have the intermediate issued by a CA that may",
            ));
        }
    }
}

/// A length of time in its largest unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / DAY),
    }
}
