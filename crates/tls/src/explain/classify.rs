//! From the TLS stack's errors to ours.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};

use super::{Alert, HandshakeReport, Role, Side, Stage, TlsErrorKind};
use crate::first_bytes::FirstBytes;

pub(super) fn io(error: &io::Error, stage: Stage, report: &mut HandshakeReport) -> (Side, TlsErrorKind) {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return rustls(tls, report);
    }
    let gone = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    );
    match (gone, stage) {
        (true, Stage::AfterHandshake) => (Side::Peer, TlsErrorKind::ClosedAfterHandshake),
        (true, _) => match report.first_bytes {
            Some(first @ (FirstBytes::Http | FirstBytes::Mqtt | FirstBytes::Ssh)) => {
                (Side::Us, TlsErrorKind::NotTls(first))
            }
            _ => (Side::Peer, TlsErrorKind::ClosedDuringHandshake),
        },
        (false, _) => (Side::Network, TlsErrorKind::Io(error.kind())),
    }
}

fn rustls(error: &Error, report: &mut HandshakeReport) -> (Side, TlsErrorKind) {
    match error {
        Error::AlertReceived(alert) => {
            report.alert = Some(Alert { code: u8::from(*alert), name: alert_name(*alert) });
            (Side::Peer, alert_kind(*alert, report))
        }
        Error::InvalidCertificate(error) => (Side::Us, certificate(error)),
        Error::NoCertificatesPresented => (Side::Us, TlsErrorKind::CertificateRequired),
        Error::NoApplicationProtocol => (Side::Us, TlsErrorKind::NoCommonProtocol),
        Error::PeerIncompatible(incompatible) => (Side::Us, incompatibility(incompatible)),
        Error::InvalidMessage(_) => match report.first_bytes {
            Some(FirstBytes::TlsHandshake | FirstBytes::TlsAlert) | None => (Side::Us, TlsErrorKind::Violation),
            Some(first) => (Side::Us, TlsErrorKind::NotTls(first)),
        },
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => (Side::Us, TlsErrorKind::Violation),
        Error::UnsupportedNameType => (Side::Us, TlsErrorKind::InvalidServerName),
        _ => (Side::Us, TlsErrorKind::Internal),
    }
}

fn certificate(error: &CertificateError) -> TlsErrorKind {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsErrorKind::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsErrorKind::CertificateNotYetValid
        }
        CertificateError::Revoked => TlsErrorKind::CertificateRevoked,
        CertificateError::UnknownIssuer => TlsErrorKind::UnknownCa,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsErrorKind::NameMismatch
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => TlsErrorKind::WrongUsage,
        CertificateError::Other(other) if is_ca_as_leaf(other) => TlsErrorKind::CaAsLeaf,
        _ => TlsErrorKind::BadCertificate,
    }
}

fn is_ca_as_leaf(error: &OtherError) -> bool {
    error.0.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity)
}

fn incompatibility(incompatible: &PeerIncompatible) -> TlsErrorKind {
    match incompatible {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        // Clients older than TLS 1.2 have no such extension.
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => TlsErrorKind::ProtocolVersion,
        PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => TlsErrorKind::NoCommonSignatureScheme,
        _ => TlsErrorKind::NoCommonParameters,
    }
}

fn alert_kind(alert: AlertDescription, report: &HandshakeReport) -> TlsErrorKind {
    let client_was_asked = report.role == Role::Client && report.asked_for_certificate;
    let sent_nothing = client_was_asked && report.sent_chain.is_empty();
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::HandshakeFailure
        | AlertDescription::NoCertificate
            if sent_nothing && report.no_common_scheme =>
        {
            TlsErrorKind::NoCommonSignatureScheme
        }
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => TlsErrorKind::CertificateRequired,
        // What TLS 1.2 servers, and some that are unsure, say when the certificate is missing.
        AlertDescription::HandshakeFailure | AlertDescription::BadCertificate if sent_nothing => {
            TlsErrorKind::CertificateRequired
        }
        AlertDescription::HandshakeFailure => TlsErrorKind::HandshakeFailure,
        AlertDescription::InsufficientSecurity => TlsErrorKind::NoCommonParameters,
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => TlsErrorKind::BadCertificate,
        AlertDescription::UnsupportedCertificate => TlsErrorKind::WrongUsage,
        AlertDescription::CertificateRevoked => TlsErrorKind::CertificateRevoked,
        AlertDescription::CertificateExpired => TlsErrorKind::CertificateExpired,
        AlertDescription::UnknownCA => TlsErrorKind::UnknownCa,
        AlertDescription::AccessDenied => TlsErrorKind::AccessDenied,
        AlertDescription::ProtocolVersion => TlsErrorKind::ProtocolVersion,
        AlertDescription::UnrecognisedName => TlsErrorKind::UnrecognisedName,
        AlertDescription::NoApplicationProtocol => TlsErrorKind::NoCommonProtocol,
        AlertDescription::UnexpectedMessage
        | AlertDescription::BadRecordMac
        | AlertDescription::DecodeError
        | AlertDescription::DecryptError
        | AlertDescription::IllegalParameter
        | AlertDescription::MissingExtension
        | AlertDescription::UnsupportedExtension => TlsErrorKind::Violation,
        _ => TlsErrorKind::OtherAlert,
    }
}

/// The name in the form of RFC 8446 §6: lower case with underscores.
fn alert_name(alert: AlertDescription) -> String {
    let debug = match alert {
        AlertDescription::UnknownCA => return "unknown_ca".to_owned(),
        AlertDescription::UnknownPSKIdentity => return "unknown_psk_identity".to_owned(),
        AlertDescription::UnrecognisedName => return "unrecognized_name".to_owned(),
        AlertDescription::Unknown(code) => return code.to_string(),
        known => format!("{known:?}"),
    };
    let mut name = String::with_capacity(debug.len() + 4);
    for c in debug.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}
