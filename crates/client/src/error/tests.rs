use super::*;

#[test]
fn a_servers_words_are_made_safe_and_short() {
    assert_eq!(quoted("topic 'a/b' is not \"yours\""), "topic 'a/b' is not \"yours\"");
    assert_eq!(quoted("go \u{1b}[31maway\n"), "go \\u{1b}[31maway\\n");
    assert_eq!(quoted("größer \u{202e}"), "größer \\u{202e}");
    let long = "x".repeat(10_000);
    assert_eq!(quoted(&long).chars().count(), MAX_SHOWN + 1);
}

#[test]
fn errors_are_entries_of_the_catalogue() {
    use std::io;
    use std::time::Duration;

    use gridmq_catalogue::Id;
    use gridmq_proto::codec::Foreign;
    use gridmq_proto::{ReasonCode, Version};

    let attempt = |error| Attempt { address: ([127, 0, 0, 1], 1).into(), error };
    let timeout = || ConnectErrorKind::Timeout { after: Duration::ZERO, attempts: Vec::new() };
    let refused = |reason| ConnectErrorKind::Refused { reason, farewell: None };
    let cases = [
        (Stage::Options, ConnectErrorKind::NoTrust, None),
        (Stage::Name, ConnectErrorKind::Name(io::ErrorKind::NotFound.into()), Some(Id::C01)),
        (Stage::Name, ConnectErrorKind::NoAddress, Some(Id::C01)),
        (
            Stage::Tcp,
            ConnectErrorKind::Tcp(vec![attempt(None), attempt(Some(io::ErrorKind::ConnectionRefused.into()))]),
            Some(Id::C02),
        ),
        (Stage::Tcp, ConnectErrorKind::Tcp(vec![attempt(None)]), Some(Id::C03)),
        (Stage::Tcp, timeout(), Some(Id::C03)),
        (Stage::Tls, timeout(), Some(Id::C15)),
        (Stage::Connect, timeout(), Some(Id::F12)),
        (Stage::Connect, ConnectErrorKind::Closed, Some(Id::F12)),
        (Stage::Connect, ConnectErrorKind::NotMqtt(Foreign::HttpResponse), Some(Id::C08)),
        (Stage::Connect, ConnectErrorKind::NotMqtt(Foreign::TlsAlert), Some(Id::C09)),
        (Stage::Connect, refused(ReasonCode::UnsupportedProtocolVersion), Some(Id::F01)),
        (Stage::Connect, refused(ReasonCode::ClientIdentifierNotValid), Some(Id::F02)),
        (Stage::Connect, refused(ReasonCode::BadUserNameOrPassword), Some(Id::F03)),
        (Stage::Connect, refused(ReasonCode::NotAuthorized), Some(Id::F04)),
        (Stage::Connect, refused(ReasonCode::RetainNotSupported), Some(Id::F05)),
        (Stage::Connect, refused(ReasonCode::QosNotSupported), Some(Id::F06)),
        (Stage::Connect, refused(ReasonCode::ServerBusy), Some(Id::F10)),
        (Stage::Connect, refused(ReasonCode::QuotaExceeded), Some(Id::F13)),
        (Stage::Connect, refused(ReasonCode::UnspecifiedError), None),
    ];
    for (stage, kind, id) in cases {
        let error = ConnectError::new("host:1", Version::V5, stage, kind);
        assert_eq!(error.id(), id, "{error}");
        let finding = error.finding();
        assert_eq!(finding.as_ref().map(|finding| finding.id), id);
        if let Some(finding) = finding {
            assert!(!finding.why.is_empty() && !finding.fix.is_empty(), "{finding}");
            assert_eq!(finding.about, "host:1");
        }
    }
    let http = ConnectErrorKind::NotMqtt(Foreign::HttpResponse);
    let error = ConnectError::new("host:1", Version::V5, Stage::Connect, http).with_tls(true);
    assert_eq!(error.id(), Some(Id::F14));
}
