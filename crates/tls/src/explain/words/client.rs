//! What a client says.

use super::{Details, Kind, Words, first, general, is, list, sent, server_name};
use crate::catalogue::Id;
use crate::explain::HandshakeReport;
use crate::first_bytes::FirstBytes;
use crate::time::Utc;
use crate::verify::VerifyError;

pub(super) fn we_refuse_the_server(details: &Details) -> Words {
    let report = &details.report;
    let asked = server_name(report);
    if let Some(rule) = report.refusal.as_deref().map(|refusal| &refusal.rule)
        && let Some(words) = by_rule(rule, details, &asked)
    {
        return words;
    }
    let leaf = first(&report.peer_chain, "the server's certificate");
    let said = &details.detail;
    match details.kind {
        Kind::UnknownCa => unknown_ca(details, &asked),
        Kind::CertificateExpired => Words::new(
            leaf,
            format!("the server's certificate {leaf} has expired ({said})"),
            "it must be renewed, if our clock is right",
        ),
        Kind::CertificateNotYetValid => Words::new(
            leaf,
            format!("the server's certificate {leaf} is not valid yet ({said})"),
            "check this machine's clock",
        ),
        Kind::CertificateRevoked => {
            Words::new(leaf, format!("the server's certificate {leaf} was revoked"), "it must be replaced")
        }
        Kind::NameMismatch => wrong_name(report, leaf, &asked),
        Kind::WrongUsage => Words::new(
            leaf,
            format!("the certificate {leaf} may not be used by a server: its extended key usage lacks serverAuth"),
            "let the server have one with serverAuth",
        ),
        Kind::CaAsLeaf => Words::new(
            leaf,
            format!("the server shows the CA certificate {leaf} as its own"),
            "pin that very certificate, or issue the server one with CA:FALSE",
        ),
        Kind::BadCertificate => Words::new(
            leaf,
            format!("the server's certificate {leaf} cannot be accepted ({said})"),
            "it must be issued again",
        ),
        Kind::ProtocolVersion => Words::new(
            asked,
            format!("no TLS version in common: we allow {}, and the server wants another", report.versions),
            "allow more versions, or upgrade the server",
        ),
        Kind::NoCommonParameters | Kind::NoCommonSignatureScheme => Words::new(
            asked,
            format!("the server offers no cipher suite, group or signature that we accept ({said})"),
            "it must be updated",
        ),
        Kind::InvalidServerName => Words::new(
            asked.clone(),
            format!("{asked:?} is neither a DNS name nor an IP address"),
            "give the server's host name",
        ),
        Kind::NotTls(first) => not_tls(asked, first),
        _ => general(details, "server"),
    }
}

/// The rules of which more is known than their kind.
fn by_rule(rule: &VerifyError, details: &Details, asked: &str) -> Option<Words> {
    let report = &details.report;
    let leaf = first(&report.peer_chain, "the server's certificate");
    Some(match rule {
        VerifyError::Expired { subject, not_after } => {
            let whose =
                if subject == leaf { "the server's certificate" } else { "the certificate in the server's chain" };
            Words::new(
                subject,
                format!("{whose} {subject} has expired on {}", Utc(*not_after)),
                "it must be renewed, if our clock is right",
            )
        }
        VerifyError::NotYetValid { subject, not_before } => Words::new(
            subject,
            format!("the certificate {subject} of the server is valid only from {}", Utc(*not_before)),
            "check this machine's clock",
        ),
        VerifyError::NotPinned { subject, sha256 } => Words::new(
            subject,
            format!("{asked} shows {subject} with the SHA-256 {sha256}, which is not pinned"),
            "pin it if that is what the server's operator confirms; otherwise somebody else answers",
        ),
        VerifyError::BadSignature { subject, issuer, registered: true } => Words::new(
            subject,
            format!(
                "{subject} was not signed by the {issuer} that we trust: another CA of the same name, with another key, signed it"
            ),
            "trust the current CA certificate of that name, if its operator confirms it",
        ),
        VerifyError::BadSignature { subject, issuer, .. } => Words::new(
            subject,
            format!("{subject} was not signed by the certificate of {issuer} that the server sends with it"),
            "the server must send the intermediate that signed its certificate",
        ),
        VerifyError::IssuerUsage { subject, .. } => Words::new(
            subject,
            format!("the CA {subject} may not issue certificates for servers, by its extended key usage"),
            "the server's certificate must be issued under another CA",
        ),
        VerifyError::Revoked { subject, serial } => Words::new(
            subject,
            format!("the certificate {subject} (serial {serial}) of the server was revoked"),
            "it must be replaced",
        ),
        VerifyError::RevocationUnknown { .. }
        | VerifyError::ListOutdated { .. }
        | VerifyError::NameConstraints { .. }
        | VerifyError::NotACa { .. }
        | VerifyError::PathLength { .. }
        | VerifyError::WeakSignature { .. } => {
            let (why, fix) = rule.words();
            Words::new(rule.subject(), why, fix)
        }
        _ => return None,
    })
}

fn unknown_ca(details: &Details, asked: &str) -> Words {
    let report = &details.report;
    let issuer = report.peer_issuer.as_deref().unwrap_or("(unknown)");
    let trusted = list(&report.trusted, "the operating system's authorities");
    let leaf = first(&report.peer_chain, asked);
    let own = report.trusts_own_issuer.as_deref().unwrap_or_default();
    if is(details, &[Id::D04]) {
        Words::new(
            leaf,
            format!(
                "we do not trust {asked}: its certificate {leaf} is self-signed and not among what we trust ({trusted})"
            ),
            "pin it, or trust it by file, if its fingerprint is the right one",
        )
    } else if is(details, &[Id::D02]) {
        Words::new(
            leaf,
            format!(
                "we do not trust {asked}: its chain ends at the issuer {issuer}, and what we trust has {own}, which \
                 issued our own certificate and says nothing about the server"
            ),
            "leave that file out of the trust (a service in the cloud has a public certificate), or give the server's CA",
        )
    } else if is(details, &[Id::D05]) {
        Words::new(
            leaf,
            format!(
                "we do not trust {asked}: it sends its own root, {issuer}, which is not among what we trust ({trusted})"
            ),
            "trust that root, if its fingerprint is the right one",
        )
    } else {
        Words::new(
            leaf,
            format!(
                "we do not trust {asked}: its chain ends at the issuer {issuer}, which is not among what we trust ({trusted})"
            ),
            "trust the CA that issued it, or ask the server's operator to send its intermediates",
        )
    }
}

fn wrong_name(report: &HandshakeReport, leaf: &str, asked: &str) -> Words {
    if report.peer_names.is_empty() {
        return Words::new(
            leaf,
            format!("the server's certificate {leaf} has no subject alternative name, so it is for no name at all"),
            format!("it must be issued again with {asked} in it, or be pinned"),
        );
    }
    Words::new(
        leaf,
        format!("the server's certificate is for {}, not for {asked}", list(&report.peer_names, "other names")),
        "connect to a name that it is for",
    )
}

fn not_tls(asked: String, first: FirstBytes) -> Words {
    let fix = match first {
        FirstBytes::Mqtt => "use mqtt:// on this port, or the port for TLS, usually 8883",
        FirstBytes::Http => "it is a web server's port; MQTT over TLS is usually on 8883",
        _ => "check the port; MQTT over TLS is usually on 8883",
    };
    Words::new(asked, format!("the other side does not speak TLS on this port, but {first}"), fix)
}

pub(super) fn the_server_refuses_us(details: &Details) -> Words {
    let report = &details.report;
    let about = first(&report.sent_chain, report.identity.as_deref().unwrap_or("the client certificate"));
    let (why, fix) = match details.kind {
        Kind::CertificateRequired if report.identity.is_none() => (
            "the server requires a client certificate and none was configured".to_owned(),
            "give a certificate and its key",
        ),
        Kind::CertificateRequired => (
            format!("the server requires a client certificate and {}", sent(report)),
            "check that certificate and key are those it expects",
        ),
        Kind::NoCommonSignatureScheme => (
            format!(
                "the server asked for a client certificate, but accepts none of the signatures that our key can make \
                 (it accepts {})",
                list(&report.schemes, "none")
            ),
            "use a certificate with another kind of key",
        ),
        _ if is(details, &[Id::B02]) => (
            format!("our certificate is not valid yet by our own clock; {}", sent(report)),
            "set this machine's clock, or wait",
        ),
        _ if is(details, &[Id::B13]) => (
            format!("the server says that our certificate has expired, and by our clock it is in date; {}", sent(report)),
            "tell its operator: the server's revocation list is out of date, or its clock is wrong",
        ),
        _ if is(details, &[Id::E12]) => (
            "the server wanted to renegotiate, most likely to ask for a client certificate, and this TLS stack does not".to_owned(),
            "use TLS 1.3, or let the server ask in the first handshake",
        ),
        _ if is(details, &[Id::E13]) => (
            "the server wanted a client certificate after the handshake, and this TLS stack does not offer that".to_owned(),
            "let the server ask in the handshake",
        ),
        Kind::UnknownCa if is(details, &[Id::E03]) => (
            format!("the server does not know who issued our certificate, since its intermediate was not sent; {}", sent(report)),
            "add the intermediate to the certificate file",
        ),
        Kind::UnknownCa if report.identity_chain.first().is_some_and(crate::certificate::Certificate::is_self_issued) => (
            format!("the server does not take our self-signed certificate; {}", sent(report)),
            "register its thumbprint, or use a certificate of a CA that the server knows",
        ),
        Kind::UnknownCa if report.identity_chain.len() == 1 => (
            format!("the server does not know the CA of our certificate; {}", sent(report)),
            "register the CA certificate with the server, or add missing intermediates to the certificate file",
        ),
        _ if is(details, &[Id::E02]) => (
            format!("the server does not know the CA of our certificate; {}", sent(report)),
            "register the CA certificate with the server; one of the same name with another key does not do",
        ),
        Kind::CertificateExpired => (
            format!("the server says that our certificate has expired; {}", sent(report)),
            "renew it; if it is in date, the server's clock or revocation list is not",
        ),
        Kind::CertificateRevoked => {
            (format!("the server says that our certificate was revoked; {}", sent(report)), "get a new one")
        }
        Kind::WrongUsage => (
            format!("the server does not take our certificate for a client; {}", sent(report)),
            "issue one whose extended key usage has clientAuth and whose key usage has digitalSignature",
        ),
        Kind::BadCertificate => (
            format!("the server does not accept our certificate; {}", sent(report)),
            "check its dates, its issuer and this machine's clock",
        ),
        Kind::AccessDenied => (
            format!("the server knows our certificate and denies access; {}", sent(report)),
            "let its operator allow this client",
        ),
        _ => return of_the_connection(details),
    };
    Words::new(about, why, fix)
}

fn of_the_connection(details: &Details) -> Words {
    let report = &details.report;
    let (why, fix) = match details.kind {
        Kind::ProtocolVersion => (
            format!("no TLS version in common: we offered {} and the server refused", report.versions),
            "allow more versions, or upgrade the server",
        ),
        Kind::HandshakeFailure | Kind::NoCommonParameters => (
            format!(
                "the server and we have no cipher suite, group or signature in common, or it wants something that it \
                 does not name; {}",
                sent(report)
            ),
            "the server's log says more",
        ),
        Kind::NoCommonProtocol => (
            "the server speaks none of the application protocols (ALPN) that we offered".to_owned(),
            "change or drop them",
        ),
        Kind::UnrecognisedName => (
            format!("the server has no site named {}", report.server_name.as_deref().unwrap_or("(none)")),
            "connect by the name that it is configured with",
        ),
        Kind::ClosedDuringHandshake => (
            "the server closed the connection during the TLS handshake without a reason".to_owned(),
            "check the host name and the port, and whether the server expects TLS and allows this address",
        ),
        Kind::ClosedAfterHandshake if report.asked_for_certificate => (
            format!(
                "the server closed the connection right after the handshake, most likely because of our certificate; {}",
                sent(report)
            ),
            "check that the server knows its issuer, and look at the server's log",
        ),
        Kind::ClosedAfterHandshake => (
            "the server closed the connection right after the handshake, and had asked for no client certificate"
                .to_owned(),
            "look at its log",
        ),
        _ => return general(details, "server"),
    };
    Words::new(server_name(report), why, fix)
}
