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
                let words = TlsError(Arc::new(details)).to_string();
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

fn certificate(name: &str, is_ca: bool, validity: (u64, u64)) -> Certificate {
    let validity = crate::issue::Validity::new(validity.0, validity.1);
    crate::issue::self_signed_client(name, is_ca, validity).unwrap().chain()[0].clone()
}

#[test]
fn the_alerts_are_entries_of_the_catalogue_by_what_was_sent() {
    use AlertDescription as A;
    let current = certificate("a", false, (1_000, 9_000));
    let report = |time, asked: bool, sent: bool| HandshakeReport {
        asked_for_certificate: asked,
        sent_chain: if sent { vec!["CN=a".to_owned()] } else { Vec::new() },
        identity_chain: if sent { vec![current.clone()] } else { Vec::new() },
        identity: sent.then(|| "CN=a".to_owned()),
        peer_chain: vec!["CN=server".to_owned()],
        time: Some(time),
        version: Some(TlsVersion::V1_2),
        ..HandshakeReport::default()
    };
    for (alert, time, asked, sent, expected) in [
        (A::CertificateRequired, 5_000, true, false, Id::E01),
        (A::HandshakeFailure, 5_000, true, false, Id::E01),
        (A::BadCertificate, 5_000, true, false, Id::E01),
        (A::UnknownCA, 5_000, true, true, Id::E02),
        (A::DecryptError, 5_000, true, true, Id::E02),
        (A::CertificateExpired, 9_001, true, true, Id::E04),
        (A::CertificateExpired, 999, true, true, Id::B02),
        (A::CertificateExpired, 5_000, true, true, Id::B13),
        (A::BadCertificate, 999, true, true, Id::B02),
        (A::BadCertificate, 5_000, true, true, Id::E05),
        (A::CertificateUnknown, 5_000, true, true, Id::E05),
        (A::UnsupportedCertificate, 5_000, true, true, Id::E06),
        (A::CertificateRevoked, 5_000, true, true, Id::E08),
        (A::AccessDenied, 5_000, true, true, Id::F04),
        (A::ProtocolVersion, 5_000, false, false, Id::D14),
        (A::InappropriateFallback, 5_000, false, false, Id::D14),
        (A::InsufficientSecurity, 5_000, false, false, Id::D15),
        (A::InternalError, 5_000, false, false, Id::D17),
        (A::UnrecognisedName, 5_000, false, false, Id::D12),
        (A::NoApplicationProtocol, 5_000, false, false, Id::D16),
        (A::HandshakeFailure, 5_000, false, false, Id::E12),
        (A::MissingExtension, 5_000, false, false, Id::E13),
    ] {
        let error = received(alert, report(time, asked, sent));
        assert_eq!(error.id(), expected, "{alert:?} at {time}: {error}");
        assert_eq!(error.finding().id, expected);
        assert!(error.to_string().ends_with(&format!("[{expected} {}]", expected.name())), "{error}");
        assert!(!format!("{error:#}").contains('['), "{error:#}");
    }
    let in_handshake = io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(A::HandshakeFailure));
    let nothing_seen = TlsError::new(&in_handshake, Stage::Handshake, HandshakeReport::default());
    assert_eq!(nothing_seen.id(), Id::D15);
}

#[test]
fn a_server_that_closes_without_a_word_is_judged_by_our_own_certificate() {
    let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let with = |chain: Vec<Certificate>, asked, time| HandshakeReport {
        asked_for_certificate: asked,
        sent_chain: chain.iter().map(|certificate| certificate.subject().to_string()).collect(),
        identity: chain.first().map(|leaf| leaf.subject().to_string()),
        identity_chain: chain,
        time: Some(time),
        ..HandshakeReport::default()
    };
    let ours = || vec![certificate("a", false, (1_000, 9_000))];
    for (report, expected) in [
        (with(Vec::new(), true, 5_000), Id::E01),
        (with(ours(), true, 9_001), Id::E04),
        (with(ours(), true, 5), Id::B02),
        (with(ours(), true, 5_000), Id::E02),
        (with(ours(), false, 5_000), Id::E15),
        (with(Vec::new(), false, 5_000), Id::C06),
    ] {
        let error = TlsError::new(&gone(), Stage::AfterHandshake, report);
        assert_eq!(error.id(), expected, "{error}");
    }
    assert_eq!(TlsError::new(&gone(), Stage::Handshake, HandshakeReport::default()).id(), Id::C06);
    let late = io::Error::from(io::ErrorKind::TimedOut);
    assert_eq!(TlsError::new(&late, Stage::Handshake, HandshakeReport::default()).id(), Id::C15);
}
