use std::io;

use rustls::{AlertDescription, Error, InvalidMessage};

use super::*;

fn received(alert: AlertDescription, report: HandshakeReport) -> TlsError {
    let error = io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(alert));
    TlsError::new(&error, Stage::AfterHandshake, report)
}

fn asked(sent: &[&str]) -> HandshakeReport {
    HandshakeReport {
        asked_for_certificate: true,
        sent_chain: sent.iter().map(ToString::to_string).collect(),
        ..HandshakeReport::default()
    }
}

#[test]
fn the_alerts_of_rejected_client_certificates_are_told_apart() {
    for (alert, sent, expected) in [
        (AlertDescription::CertificateRequired, &[][..], TlsErrorKind::CertificateRequired),
        (AlertDescription::HandshakeFailure, &[], TlsErrorKind::CertificateRequired),
        (AlertDescription::HandshakeFailure, &["CN=a"], TlsErrorKind::HandshakeFailure),
        (AlertDescription::UnknownCA, &["CN=a"], TlsErrorKind::UnknownCa),
        (AlertDescription::CertificateExpired, &["CN=a"], TlsErrorKind::CertificateExpired),
        (AlertDescription::BadCertificate, &["CN=a"], TlsErrorKind::BadCertificate),
        (AlertDescription::UnsupportedCertificate, &["CN=a"], TlsErrorKind::WrongUsage),
        (AlertDescription::CertificateRevoked, &["CN=a"], TlsErrorKind::CertificateRevoked),
        (AlertDescription::Unknown(200), &["CN=a"], TlsErrorKind::OtherAlert),
    ] {
        let error = received(alert, asked(sent));
        assert_eq!((error.kind(), error.side()), (expected, Side::Peer), "{alert:?}");
        assert_eq!(error.report().alert.as_ref().map(|alert| alert.code), Some(u8::from(alert)));
    }
    let mut no_scheme = asked(&[]);
    no_scheme.no_common_scheme = true;
    let error = received(AlertDescription::CertificateRequired, no_scheme);
    assert_eq!((error.kind(), error.catalogue_id()), (TlsErrorKind::NoCommonSignatureScheme, Some("E11")));
}

#[test]
fn alerts_have_the_names_of_the_standard() {
    let name = |alert| received(alert, HandshakeReport::default()).report().alert.clone().map(|alert| alert.name);
    assert_eq!(name(AlertDescription::CertificateRequired).as_deref(), Some("certificate_required"));
    assert_eq!(name(AlertDescription::UnknownCA).as_deref(), Some("unknown_ca"));
    assert_eq!(name(AlertDescription::Unknown(200)).as_deref(), Some("200"));
}

#[test]
fn what_is_not_tls_is_named_by_its_first_bytes() {
    for (first, expected) in [
        (Some(FirstBytes::Http), TlsErrorKind::NotTls(FirstBytes::Http)),
        (Some(FirstBytes::Unknown), TlsErrorKind::NotTls(FirstBytes::Unknown)),
        (Some(FirstBytes::TlsHandshake), TlsErrorKind::Violation),
        (None, TlsErrorKind::Violation),
    ] {
        let error =
            io::Error::new(io::ErrorKind::InvalidData, Error::InvalidMessage(InvalidMessage::InvalidContentType));
        let report = HandshakeReport { first_bytes: first, ..HandshakeReport::default() };
        assert_eq!(TlsError::new(&error, Stage::Handshake, report).kind(), expected);
    }
}

#[test]
fn every_combination_has_words() {
    use TlsErrorKind as K;
    for kind in [
        K::CertificateRequired,
        K::NoCommonSignatureScheme,
        K::UnknownCa,
        K::BadCertificate,
        K::CertificateExpired,
        K::CertificateNotYetValid,
        K::CertificateRevoked,
        K::WrongUsage,
        K::CaAsLeaf,
        K::NameMismatch,
        K::ProtocolVersion,
        K::NoCommonParameters,
        K::HandshakeFailure,
        K::NoCommonProtocol,
        K::UnrecognisedName,
        K::InvalidServerName,
        K::NotTls(FirstBytes::Mqtt),
        K::AccessDenied,
        K::ClosedDuringHandshake,
        K::ClosedAfterHandshake,
        K::Violation,
        K::OtherAlert,
        K::Io(io::ErrorKind::TimedOut),
        K::Internal,
    ] {
        for role in [Role::Client, Role::Server] {
            for side in [Side::Us, Side::Peer, Side::Network] {
                let report = HandshakeReport { role, ..HandshakeReport::default() };
                let details = Details { side, stage: Stage::Handshake, kind, detail: "detail".into(), report };
                let words = TlsError(Box::new(details)).to_string();
                assert!(words.len() > 20 && !words.contains("  "), "{kind:?} {role:?} {side:?}: {words:?}");
            }
        }
    }
}

#[test]
fn only_tls_errors_are_found_in_io_errors() {
    assert_eq!(from_io(&io::Error::from(io::ErrorKind::TimedOut)), None);
    assert_eq!(from_io(&io::Error::other("something")), None);
    let alert = io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(AlertDescription::UnknownCA));
    let found = from_io(&alert).unwrap();
    assert_eq!(found.kind(), TlsErrorKind::UnknownCa);
    let wrapped = io::Error::new(io::ErrorKind::InvalidData, found.clone());
    assert_eq!(from_io(&wrapped), Some(found));
}
