use proptest::prelude::*;

use super::*;

/// Drives it with what a proxy says; everything that was written, and how it ended.
fn run(mut socks: Socks5<'_>, mut answers: &[u8]) -> (Vec<u8>, Option<Result<usize, ProxyError>>) {
    let mut written = socks.greeting();
    while let Some(wanted) = socks.wants() {
        let Some((now, later)) = answers.split_at_checked(wanted) else { return (written, None) };
        answers = later;
        match socks.take(now) {
            Ok(next) => written.extend(next.unwrap_or_default()),
            Err(error) => return (written, Some(Err(error))),
        }
    }
    (written, Some(Ok(answers.len())))
}

#[test]
fn a_name_goes_to_the_proxy_as_it_is() {
    let socks = Socks5::new(None, Host::Name("broker.example"), 8883);
    let (written, end) = run(socks, b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34rest");
    assert_eq!(written, b"\x05\x01\x00\x05\x01\x00\x03\x0ebroker.example\x22\xb3");
    assert!(matches!(end, Some(Ok(4))), "what follows is not touched");
}

#[test]
fn credentials_are_given_when_asked_for_and_addresses_are_bytes() {
    let credentials = Some((&b"user"[..], &b"word"[..]));
    let socks = Socks5::new(credentials, Host::Address("10.0.0.1".parse().unwrap()), 1);
    let (written, end) = run(socks, b"\x05\x02\x01\x00\x05\x00\x00\x03\x02ab\x12\x34");
    assert_eq!(written, b"\x05\x02\x00\x02\x01\x04user\x04word\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x01");
    assert!(matches!(end, Some(Ok(0))));

    let socks = Socks5::new(credentials, Host::Address("::1".parse().unwrap()), 1);
    let bound = [&b"\x05\x00\x05\x00\x00\x04"[..], &[0; 18]].concat();
    let (written, end) = run(socks, &bound);
    assert_eq!(written, [&b"\x05\x02\x00\x02\x05\x01\x00\x04"[..], &[0; 15], &[1, 0, 1]].concat());
    assert!(matches!(end, Some(Ok(0))));
}

#[test]
fn every_refusal_has_its_type() {
    let none = || Socks5::new(None, Host::Name("a"), 1);
    let some = || Socks5::new(Some((b"u", b"p")), Host::Name("a"), 1);
    let end = |socks, answers: &[u8]| run(socks, answers).1.unwrap().unwrap_err();
    assert!(matches!(end(none(), b"\x05\xff"), ProxyError::NoMethod { with_credentials: false }));
    assert!(matches!(end(some(), b"\x05\xff"), ProxyError::NoMethod { with_credentials: true }));
    assert!(matches!(end(none(), b"\x05\x02"), ProxyError::UnexpectedMethod(2)));
    assert!(matches!(end(some(), b"\x05\x01"), ProxyError::UnexpectedMethod(1)));
    assert!(matches!(end(some(), b"\x05\x02\x01\x07"), ProxyError::CredentialsRefused { status: 7 }));
    assert!(matches!(end(none(), b"HT"), ProxyError::Foreign { start, .. } if start == b"HT"));
    assert!(matches!(end(none(), b"\x05\x00\x04\x00\x00\x01"), ProxyError::Malformed(_)));
    assert!(matches!(end(none(), b"\x05\x00\x05\x00\x00\x02"), ProxyError::Malformed(_)));
    for (code, expected) in [
        (1, SocksReply::GeneralFailure),
        (2, SocksReply::NotAllowed),
        (3, SocksReply::NetworkUnreachable),
        (4, SocksReply::HostUnreachable),
        (5, SocksReply::ConnectionRefused),
        (6, SocksReply::TtlExpired),
        (7, SocksReply::CommandNotSupported),
        (8, SocksReply::AddressTypeNotSupported),
        (200, SocksReply::Other(200)),
    ] {
        let error = end(none(), &[5, 0, 5, code, 0, 1]);
        assert!(matches!(error, ProxyError::Refused(reply) if reply == expected), "{error}");
        assert!(error.to_string().contains(&format!("reply {code}")), "{error}");
    }
}

#[test]
fn a_name_that_does_not_fit_is_not_cut() {
    let name = "a".repeat(256);
    let (written, end) = run(Socks5::new(None, Host::Name(&name), 1), &[5, 0]);
    assert!(matches!(end, Some(Err(ProxyError::Malformed(_)))));
    assert_eq!(written, [5, 1, 0]);
}

proptest! {
    #[test]
    fn any_answer_ends_it_or_makes_it_wait(
        answers in prop::collection::vec(any::<u8>(), 0..600),
        valid in any::<bool>(),
        credentials in any::<bool>(),
    ) {
        let answers = if valid { [&b"\x05\x00\x05\x00\x00"[..], &answers].concat() } else { answers };
        let credentials = credentials.then_some((&b"u"[..], &b"p"[..]));
        let _ = run(Socks5::new(credentials, Host::Name("a"), 1), &answers);
    }

    #[test]
    fn a_request_says_where_to(
        name in "[a-z.]{1,255}",
        port in 1_u16..,
        username in prop::collection::vec(any::<u8>(), 1..256),
        password in prop::collection::vec(any::<u8>(), 0..256),
        bound in prop::collection::vec(any::<u8>(), 0..256),
        rest in 0_usize..20,
    ) {
        let socks = Socks5::new(Some((&username, &password)), Host::Name(&name), port);
        let mut answers = vec![5, 2, 1, 0, 5, 0, 0, 3, bound.len() as u8];
        answers.extend_from_slice(&bound);
        answers.extend(std::iter::repeat_n(9, 2 + rest));
        if bound.len() < 256 {
            let (written, end) = run(socks, &answers);
            prop_assert!(matches!(end, Some(Ok(left)) if left == rest));
            let expected = [
                &[5, 2, 0, 2, 1, username.len() as u8], &username[..], &[password.len() as u8], &password,
                &[5, 1, 0, 3, name.len() as u8], name.as_bytes(), &port.to_be_bytes(),
            ].concat();
            prop_assert_eq!(written, expected);
        }
    }
}
