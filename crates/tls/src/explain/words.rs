//! A sentence or two for people.

use std::fmt;

use super::{Details, HandshakeReport, Role, Side, Stage, TlsError, TlsErrorKind};
use crate::first_bytes::FirstBytes;

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        f.write_str(&match (details.report.role, details.side) {
            (Role::Client, Side::Us) => we_refuse_the_server(details),
            (Role::Client, Side::Peer) => the_server_refuses_us(details),
            (Role::Server, Side::Us) => we_refuse_the_client(details),
            (Role::Server, Side::Peer) => the_client_refuses_us(details),
            (_, Side::Network) => format!("the connection failed: {}", details.detail),
        })?;
        if let Some(alert) = &details.report.alert {
            write!(f, " (alert {}, {})", alert.code, alert.name)?;
        }
        Ok(())
    }
}

fn we_refuse_the_server(details: &Details) -> String {
    let report = &details.report;
    let asked = report.server_name.as_deref().unwrap_or("the server");
    let leaf = first(&report.peer_chain, "the server's certificate");
    match details.kind {
        TlsErrorKind::UnknownCa => format!(
            "we do not trust {asked}: its chain ends at the issuer {}, which is not among what we trust ({}). \
             Trust the CA that issued it, or ask the server's operator to send its intermediates",
            report.peer_issuer.as_deref().unwrap_or("(unknown)"),
            list(&report.trusted, "the operating system's authorities"),
        ),
        TlsErrorKind::CertificateExpired => {
            format!(
                "the server's certificate {leaf} has expired ({}): it must be renewed, if our clock is right",
                details.detail
            )
        }
        TlsErrorKind::CertificateNotYetValid => {
            format!("the server's certificate {leaf} is not valid yet ({}): check this machine's clock", details.detail)
        }
        TlsErrorKind::CertificateRevoked => format!("the server's certificate {leaf} was revoked: it must be replaced"),
        TlsErrorKind::NameMismatch if report.peer_names.is_empty() => format!(
            "the server's certificate {leaf} has no subject alternative name, so it is for no name at all: \
             it must be issued again with {asked} in it"
        ),
        TlsErrorKind::NameMismatch => format!(
            "the server's certificate is for {}, not for {asked}: connect to a name that it is for",
            list(&report.peer_names, "other names")
        ),
        TlsErrorKind::WrongUsage => {
            format!("the certificate {leaf} may not be used by a server: its extended key usage lacks serverAuth")
        }
        TlsErrorKind::CaAsLeaf => {
            format!("the server shows the CA certificate {leaf} as its own: it must be issued one with CA:FALSE")
        }
        TlsErrorKind::BadCertificate => {
            format!("the server's certificate {leaf} cannot be accepted ({}): it must be issued again", details.detail)
        }
        TlsErrorKind::ProtocolVersion => format!(
            "no TLS version in common: we allow {}, and the server wants another. Allow more versions, or \
             upgrade the server",
            report.versions
        ),
        TlsErrorKind::NoCommonParameters | TlsErrorKind::NoCommonSignatureScheme => format!(
            "the server offers no cipher suite, group or signature that we accept ({}): it must be updated",
            details.detail
        ),
        TlsErrorKind::InvalidServerName => {
            format!("{asked:?} is neither a DNS name nor an IP address: give the server's host name")
        }
        TlsErrorKind::NotTls(first) => not_tls_server(first),
        _ => general(details, "server"),
    }
}

fn not_tls_server(first: FirstBytes) -> String {
    let hint = match first {
        FirstBytes::Mqtt => "use mqtt:// on this port, or the port for TLS, usually 8883",
        FirstBytes::Http => "it is a web server's port; MQTT over TLS is usually on 8883",
        _ => "check the port; MQTT over TLS is usually on 8883",
    };
    format!("the other side does not speak TLS on this port, but {first}: {hint}")
}

fn the_server_refuses_us(details: &Details) -> String {
    let report = &details.report;
    match details.kind {
        TlsErrorKind::CertificateRequired if report.identity.is_none() => {
            "the server requires a client certificate and none was configured: give a certificate and its \
             key"
            .to_owned()
        }
        TlsErrorKind::CertificateRequired => format!(
            "the server requires a client certificate and {}: check that certificate and key are those it expects",
            sent(report)
        ),
        TlsErrorKind::NoCommonSignatureScheme => format!(
            "the server asked for a client certificate, but accepts none of the signatures that our key can make \
             (it accepts {}): use a certificate with another kind of key",
            list(&report.schemes, "none")
        ),
        TlsErrorKind::UnknownCa => format!(
            "the server does not know the CA of our certificate; {}. Register the CA certificate with the server, \
             or add missing intermediates to the certificate file",
            sent(report)
        ),
        TlsErrorKind::CertificateExpired => {
            format!(
                "the server says that our certificate has expired; {}. Renew it; if it is in date, the \
             server's clock or revocation list is not",
                sent(report)
            )
        }
        TlsErrorKind::CertificateRevoked => {
            format!("the server says that our certificate was revoked; {}. Get a new one", sent(report))
        }
        TlsErrorKind::WrongUsage => format!(
            "the server does not take our certificate for a client; {}. Issue one whose extended key usage has \
             clientAuth",
            sent(report)
        ),
        TlsErrorKind::BadCertificate => format!(
            "the server does not accept our certificate; {}. Check its dates, its issuer and this machine's clock",
            sent(report)
        ),
        TlsErrorKind::AccessDenied => format!("the server knows our certificate and denies access; {}", sent(report)),
        TlsErrorKind::ProtocolVersion => format!(
            "no TLS version in common: we offered {} and the server refused. Allow more versions, or upgrade \
             the server",
            report.versions
        ),
        TlsErrorKind::HandshakeFailure | TlsErrorKind::NoCommonParameters => format!(
            "the server and we have no cipher suite, group or signature in common, or it wants something that it \
             does not name; {}. The server's log says more",
            sent(report)
        ),
        TlsErrorKind::NoCommonProtocol => {
            "the server speaks none of the application protocols (ALPN) that we offered: change or drop \
             them"
                .to_owned()
        }
        TlsErrorKind::UnrecognisedName => format!(
            "the server has no site named {}: connect by the name that it is configured with",
            report.server_name.as_deref().unwrap_or("(none)")
        ),
        TlsErrorKind::ClosedDuringHandshake => format!(
            "the server closed the connection during the TLS handshake without a reason: check the host name \
             ({}) and the \
             port, and whether the server expects TLS and allows this address",
            report.server_name.as_deref().unwrap_or("none sent")
        ),
        TlsErrorKind::ClosedAfterHandshake if report.asked_for_certificate => format!(
            "the server closed the connection right after the handshake, most likely because of our certificate; {}",
            sent(report)
        ),
        TlsErrorKind::ClosedAfterHandshake => {
            "the server closed the connection right after the handshake: it asked for no client certificate, so \
             look at \
             its log"
                .to_owned()
        }
        _ => general(details, "server"),
    }
}

fn we_refuse_the_client(details: &Details) -> String {
    let report = &details.report;
    let leaf = first(&report.peer_chain, "the client's certificate");
    match details.kind {
        TlsErrorKind::CertificateRequired => {
            "the client sent no certificate and this listener requires one: configure the client with a \
             certificate and \
             its key"
                .to_owned()
        }
        TlsErrorKind::UnknownCa => format!(
            "the client's certificate {leaf} was issued by nobody that this listener trusts: trust its CA, or \
             let the \
             client send its intermediates"
        ),
        TlsErrorKind::CertificateExpired => {
            format!("the client's certificate has expired ({}): renew it", details.detail)
        }
        TlsErrorKind::CertificateNotYetValid => {
            format!("the client's certificate is not valid yet ({}): check both clocks", details.detail)
        }
        TlsErrorKind::CertificateRevoked => "the client's certificate was revoked: the client needs a new \
         one"
        .to_owned(),
        TlsErrorKind::WrongUsage => {
            "the client's certificate may not authenticate a client: issue one whose extended key usage has \
             clientAuth"
                .to_owned()
        }
        TlsErrorKind::CaAsLeaf => "the client shows a CA certificate as its own: issue one with CA:FALSE".to_owned(),
        TlsErrorKind::BadCertificate => {
            format!("the client's certificate cannot be accepted ({}): issue it again", details.detail)
        }
        TlsErrorKind::ProtocolVersion => format!(
            "the client offers no TLS version that this listener accepts ({}): upgrade the client or allow more \
             versions",
            report.versions
        ),
        TlsErrorKind::NoCommonParameters | TlsErrorKind::NoCommonSignatureScheme => format!(
            "the client and this listener have no cipher suite, group or signature in common ({}): upgrade the \
             client",
            details.detail
        ),
        TlsErrorKind::NoCommonProtocol => {
            "the client offers only application protocols (ALPN) that this listener does not speak".to_owned()
        }
        TlsErrorKind::NotTls(FirstBytes::Mqtt) => {
            "the client speaks MQTT without TLS on a TLS port: set mqtts:// (or TLS) in the client, or use the \
             plain port"
                .to_owned()
        }
        TlsErrorKind::NotTls(first) => format!("the client speaks {first} on a TLS port: check its address and port"),
        _ => general(details, "client"),
    }
}

fn the_client_refuses_us(details: &Details) -> String {
    let report = &details.report;
    let sent = list(&report.sent_chain, "nothing");
    match details.kind {
        TlsErrorKind::UnknownCa | TlsErrorKind::BadCertificate => format!(
            "the client does not trust this server's certificate (sent: {sent}): give the client the root of \
             that chain, \
             and connect by a name in the certificate"
        ),
        TlsErrorKind::CertificateExpired => {
            format!("the client says that this server's certificate has expired (sent: {sent}): renew it")
        }
        TlsErrorKind::ProtocolVersion => {
            format!("the client refuses the TLS version; this listener accepts {}", report.versions)
        }
        TlsErrorKind::ClosedDuringHandshake => {
            "the client closed the connection during the TLS handshake and gave no reason: it may not trust this \
             server's certificate, or was only looking whether the port is open"
                .to_owned()
        }
        TlsErrorKind::ClosedAfterHandshake => "the client closed the connection right after the handshake".to_owned(),
        _ => general(details, "client"),
    }
}

fn general(details: &Details, peer: &str) -> String {
    let when = match details.stage {
        Stage::ServerName => "before the TLS handshake",
        Stage::Handshake => "in the TLS handshake",
        Stage::AfterHandshake => "after the TLS handshake",
    };
    let said = &details.detail;
    match (details.side, details.kind) {
        (Side::Us, TlsErrorKind::Violation) => {
            format!(
                "the {peer} broke the TLS protocol {when} ({said}): look for something between us that alters traffic"
            )
        }
        (Side::Peer, TlsErrorKind::Violation) => {
            format!(
                "the {peer} says that we broke the TLS protocol {when}: look for something between us that \
                 alters traffic"
            )
        }
        (Side::Peer, _) => format!("the {peer} ended the connection {when} ({said}): its log says why"),
        _ => format!("TLS failed {when}: {said}"),
    }
}

fn sent(report: &HandshakeReport) -> String {
    if !report.sent_chain.is_empty() {
        format!("sent was {}", report.sent_chain.join(" ← "))
    } else if report.asked_for_certificate {
        "we sent none".to_owned()
    } else {
        "the server asked for no certificate".to_owned()
    }
}

fn first<'a>(names: &'a [String], otherwise: &'a str) -> &'a str {
    names.first().map_or(otherwise, String::as_str)
}

fn list(names: &[String], otherwise: &str) -> String {
    match names {
        [] => otherwise.to_owned(),
        [a, b, c, d, e, _, ..] => format!("{a}, {b}, {c}, {d}, {e} and {} more", names.len() - 5),
        few => few.join(", "),
    }
}
