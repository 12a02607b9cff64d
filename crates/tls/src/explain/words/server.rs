//! What a server says.

use super::{Details, Kind, Words, first, general, list};
use crate::first_bytes::FirstBytes;

pub(super) fn we_refuse_the_client(details: &Details) -> Words {
    let report = &details.report;
    if let Some(refusal) = &report.refusal {
        let (why, fix) = refusal.rule.words();
        return Words::new(refusal.rule.subject(), why, fix);
    }
    let leaf = first(&report.peer_chain, "the client's certificate");
    let said = &details.detail;
    let (why, fix) = match details.kind {
        Kind::CertificateRequired => (
            "the client sent no certificate and this listener requires one".to_owned(),
            "configure the client with a certificate and its key",
        ),
        Kind::UnknownCa => (
            format!("{leaf} was issued by nobody that this listener trusts"),
            "trust its CA, or let the client send its intermediates",
        ),
        Kind::CertificateExpired => (format!("the client's certificate has expired ({said})"), "renew it"),
        Kind::CertificateNotYetValid => {
            (format!("the client's certificate is not valid yet ({said})"), "check both clocks")
        }
        Kind::CertificateRevoked => ("the client's certificate was revoked".to_owned(), "the client needs a new one"),
        Kind::WrongUsage => (
            "the client's certificate may not authenticate a client".to_owned(),
            "issue one whose extended key usage has clientAuth",
        ),
        Kind::CaAsLeaf => ("the client shows a CA certificate as its own".to_owned(), "issue one with CA:FALSE"),
        Kind::BadCertificate => (format!("the client's certificate cannot be accepted ({said})"), "issue it again"),
        Kind::ProtocolVersion => (
            format!("the client offers no TLS version that this listener accepts ({})", report.versions),
            "upgrade the client or allow more versions",
        ),
        Kind::NoCommonParameters | Kind::NoCommonSignatureScheme => (
            format!("the client and this listener have no cipher suite, group or signature in common ({said})"),
            "upgrade the client",
        ),
        Kind::NoCommonProtocol => (
            "the client offers only application protocols (ALPN) that this listener does not speak".to_owned(),
            "change or drop them in the client",
        ),
        Kind::NotTls(FirstBytes::Mqtt) => (
            "the client speaks MQTT without TLS on a TLS port".to_owned(),
            "set mqtts:// (or TLS) in the client, or use the plain port",
        ),
        Kind::NotTls(first) => (format!("the client speaks {first} on a TLS port"), "check its address and port"),
        _ => return general(details, "client"),
    };
    Words::new(leaf, why, fix)
}

pub(super) fn the_client_refuses_us(details: &Details) -> Words {
    let report = &details.report;
    let sent = list(&report.sent_chain, "nothing");
    let (why, fix) = match details.kind {
        Kind::UnknownCa | Kind::BadCertificate => (
            format!("the client does not trust this server's certificate (sent: {sent})"),
            "give the client the root of that chain, and connect by a name in the certificate",
        ),
        Kind::CertificateExpired => {
            (format!("the client says that this server's certificate has expired (sent: {sent})"), "renew it")
        }
        Kind::ProtocolVersion => (
            format!("the client refuses the TLS version; this listener accepts {}", report.versions),
            "upgrade the client or allow more versions",
        ),
        Kind::ClosedDuringHandshake => (
            "the client closed the connection during the TLS handshake and gave no reason".to_owned(),
            "it may not trust this server's certificate, or was only looking whether the port is open",
        ),
        Kind::ClosedAfterHandshake => {
            ("the client closed the connection right after the handshake".to_owned(), "its log says why")
        }
        _ => return general(details, "client"),
    };
    Words::new(first(&report.sent_chain, "this server"), why, fix)
}
