//! Which entry of the catalogue a failure is.

use std::net::IpAddr;

use super::{Details, HandshakeReport, Role, Side, Stage, TlsErrorKind as Kind};
use crate::catalogue::Id;
use crate::certificate::Certificate;
use crate::first_bytes::FirstBytes;
use crate::verify::VerifyError;
use crate::versions::TlsVersion;

pub(super) fn of(details: &Details) -> Id {
    match (details.report.role, details.side) {
        (Role::Client, Side::Us) => we_refuse_the_server(details),
        (Role::Client, _) => the_server_refuses_us(details),
        (Role::Server, Side::Us) => we_refuse_the_client(details),
        (Role::Server, _) => the_client_refuses_us(details),
    }
}

fn we_refuse_the_server(details: &Details) -> Id {
    let report = &details.report;
    match (details.kind, report.refusal.as_deref().map(|refusal| &refusal.rule)) {
        (Kind::NotTls(FirstBytes::Mqtt), _) => Id::C07,
        (Kind::NotTls(_), _) => Id::C08,
        (Kind::ProtocolVersion, _) => Id::D14,
        (Kind::NoCommonSignatureScheme | Kind::NoCommonParameters | Kind::HandshakeFailure, _) => Id::D15,
        (Kind::NoCommonProtocol, _) => Id::D16,
        (Kind::InvalidServerName, _) => Id::D08,
        (_, Some(VerifyError::NotPinned { .. })) => Id::D03,
        (_, Some(VerifyError::BadSignature { registered: true, .. })) => Id::D03,
        (_, Some(VerifyError::RevocationUnknown { .. } | VerifyError::ListOutdated { .. })) => Id::D20,
        (_, Some(VerifyError::NameConstraints { .. })) => Id::B18,
        (_, Some(VerifyError::WeakSignature { .. })) => Id::A30,
        (_, Some(VerifyError::NotACa { .. } | VerifyError::PathLength { .. } | VerifyError::Other { .. })) => Id::B17,
        (Kind::CertificateExpired, _) => Id::D06,
        (Kind::CertificateNotYetValid, _) => Id::D07,
        (Kind::CertificateRevoked, _) => Id::B12,
        (Kind::WrongUsage, _) => Id::D11,
        (Kind::CaAsLeaf, _) => Id::D04,
        (Kind::NameMismatch, _) => wrong_name(report),
        (Kind::UnknownCa | Kind::BadCertificate, _) => unknown_server_ca(report),
        (Kind::Violation, _) => Id::C08,
        (Kind::Io(_), _) => Id::C15,
        _ => Id::D17,
    }
}

fn wrong_name(report: &HandshakeReport) -> Id {
    let is_address = report.server_name.as_deref().is_some_and(|name| name.parse::<IpAddr>().is_ok());
    if report.peer_names.is_empty() {
        Id::D10
    } else if is_address {
        Id::D09
    } else {
        Id::D08
    }
}

fn unknown_server_ca(report: &HandshakeReport) -> Id {
    let chain = &report.peer_certificates;
    if chain.first().is_some_and(Certificate::is_self_issued) {
        Id::D04
    } else if report.trusts_own_issuer.is_some() {
        Id::D02
    } else if chain.iter().skip(1).any(Certificate::is_self_issued) {
        Id::D05
    } else {
        Id::D01
    }
}

fn the_server_refuses_us(details: &Details) -> Id {
    let report = &details.report;
    let code = report.alert.as_ref().map(|alert| alert.code);
    let sent = !report.sent_chain.is_empty();
    let after = details.stage == Stage::AfterHandshake;
    match details.kind {
        Kind::NoCommonSignatureScheme => Id::E11,
        Kind::CertificateRequired if sent => Id::E05,
        Kind::CertificateRequired => Id::E01,
        // The stack that verifies our signature or our issuer's says 51 when the key is another one.
        Kind::UnknownCa => unknown_client_ca(report),
        Kind::Violation if code == Some(51) && sent => unknown_client_ca(report),
        Kind::Violation if code == Some(109) && after && !report.asked_for_certificate => Id::E13,
        Kind::Violation if report.peer_chain.is_empty() => Id::C08,
        Kind::CertificateExpired => expired(report),
        Kind::CertificateNotYetValid => Id::B02,
        Kind::CertificateRevoked => Id::E08,
        Kind::WrongUsage => Id::E06,
        Kind::BadCertificate if code == Some(42) && not_yet_valid(report) => Id::B02,
        Kind::BadCertificate => Id::E05,
        Kind::AccessDenied => Id::F04,
        Kind::ProtocolVersion => Id::D14,
        // After a TLS 1.2 handshake in which no certificate was asked for, this is what refusing to renegotiate leads to.
        Kind::HandshakeFailure
            if after && !report.asked_for_certificate && report.version == Some(TlsVersion::V1_2) =>
        {
            Id::E12
        }
        Kind::HandshakeFailure if report.asked_for_certificate => Id::E05,
        Kind::HandshakeFailure | Kind::NoCommonParameters => Id::D15,
        Kind::NoCommonProtocol => Id::D16,
        Kind::UnrecognisedName => Id::D12,
        Kind::ClosedAfterHandshake if report.asked_for_certificate => silent(report),
        Kind::ClosedAfterHandshake if report.identity.is_some() => Id::E15,
        Kind::ClosedAfterHandshake | Kind::ClosedDuringHandshake => Id::C06,
        Kind::OtherAlert if code == Some(86) => Id::D14,
        Kind::Io(_) => Id::C15,
        _ => Id::D17,
    }
}

/// Which is missing: the CA on the server's side, or an intermediate on ours?
fn unknown_client_ca(report: &HandshakeReport) -> Id {
    let leaf_only = report.identity_chain.len() == 1;
    let self_signed = report.identity_chain.first().is_some_and(Certificate::is_self_issued);
    if !leaf_only || self_signed || report.hints_name_our_issuer == Some(true) {
        return Id::E02;
    }
    // Nobody but a bundle of authorities can tell that the issuer is no root.
    if report.issuer_is_intermediate == Some(true) { Id::E03 } else { Id::E02 }
}

/// Alert 45 stands for an expired certificate and for one that is not valid yet; OpenSSL also sends it when its own
/// revocation list is out of date.
fn expired(report: &HandshakeReport) -> Id {
    let Some(time) = report.time else { return Id::E04 };
    if not_yet_valid(report) {
        Id::B02
    } else if report.identity_chain.iter().any(|certificate| certificate.not_after() < time) {
        Id::E04
    } else {
        Id::B13
    }
}

fn not_yet_valid(report: &HandshakeReport) -> bool {
    let early = |time| report.identity_chain.iter().any(|certificate| certificate.not_before() > time);
    report.time.is_some_and(early)
}

/// The server closed without an alert after it had asked for a certificate: what our own certificate suggests.
fn silent(report: &HandshakeReport) -> Id {
    let Some(leaf) = report.identity_chain.first() else { return Id::E01 };
    if report.no_common_scheme {
        Id::E11
    } else if report.sent_chain.is_empty() {
        Id::E01
    } else if report.time.is_some_and(|time| leaf.not_after() < time) {
        Id::E04
    } else if not_yet_valid(report) {
        Id::B02
    } else if !leaf.allows_client_auth() || !leaf.allows_digital_signature() {
        Id::E06
    } else {
        unknown_client_ca(report)
    }
}

fn we_refuse_the_client(details: &Details) -> Id {
    if let Some(refusal) = &details.report.refusal {
        return refusal.rule.id();
    }
    match details.kind {
        Kind::CertificateRequired => Id::E01,
        Kind::UnknownCa => Id::E02,
        Kind::CertificateExpired => Id::B01,
        Kind::CertificateNotYetValid => Id::B02,
        Kind::CertificateRevoked => Id::B12,
        Kind::WrongUsage => Id::B03,
        Kind::CaAsLeaf => Id::A14,
        Kind::BadCertificate | Kind::NameMismatch | Kind::AccessDenied => Id::B17,
        Kind::ProtocolVersion => Id::D14,
        Kind::NoCommonParameters | Kind::HandshakeFailure => Id::D15,
        Kind::NoCommonSignatureScheme => Id::E11,
        Kind::NoCommonProtocol => Id::D16,
        Kind::UnrecognisedName | Kind::InvalidServerName => Id::D12,
        Kind::NotTls(FirstBytes::Mqtt) => Id::C09,
        Kind::NotTls(_) | Kind::Violation => Id::C08,
        Kind::Io(_) => Id::C15,
        _ => Id::D17,
    }
}

fn the_client_refuses_us(details: &Details) -> Id {
    let code = details.report.alert.as_ref().map(|alert| alert.code);
    match details.kind {
        Kind::UnknownCa => Id::D01,
        Kind::CertificateExpired => Id::D06,
        Kind::CertificateNotYetValid => Id::D07,
        Kind::CertificateRevoked => Id::B12,
        Kind::WrongUsage => Id::D11,
        // 42 is also what several stacks send when the name is another.
        Kind::BadCertificate if code == Some(42) => Id::D08,
        Kind::BadCertificate | Kind::CaAsLeaf => Id::D04,
        Kind::NameMismatch => Id::D08,
        Kind::ProtocolVersion => Id::D14,
        Kind::HandshakeFailure | Kind::NoCommonParameters | Kind::NoCommonSignatureScheme => Id::D15,
        Kind::NoCommonProtocol => Id::D16,
        Kind::UnrecognisedName => Id::D12,
        Kind::ClosedDuringHandshake | Kind::ClosedAfterHandshake => Id::C06,
        Kind::NotTls(FirstBytes::Mqtt) => Id::C09,
        Kind::NotTls(_) => Id::C08,
        Kind::Io(_) => Id::C15,
        Kind::Violation => Id::D01,
        _ => Id::D17,
    }
}
