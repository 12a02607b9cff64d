use super::{Scheme, Target, TargetError};

#[test]
fn urls_are_read() {
    for (url, scheme, host, port) in [
        ("mqtts://broker.example", Scheme::Mqtts, "broker.example", 8883),
        ("broker.example", Scheme::Mqtts, "broker.example", 8883),
        ("broker.example:443", Scheme::Mqtts, "broker.example", 443),
        ("SSL://broker.example:1", Scheme::Mqtts, "broker.example", 1),
        ("mqtt://[::1]:1884/", Scheme::Mqtt, "::1", 1884),
        ("mqtt://[2001:db8::5]", Scheme::Mqtt, "2001:db8::5", 1883),
        ("::1", Scheme::Mqtts, "::1", 8883),
        ("https://user@192.0.2.1/path?x", Scheme::Https, "192.0.2.1", 443),
        ("wss://broker.example/mqtt", Scheme::Wss, "broker.example", 443),
    ] {
        let target = Target::parse(url).unwrap();
        assert_eq!((target.scheme, target.host.as_str(), target.port), (scheme, host, port), "{url}");
        assert_eq!(Target::parse(&target.to_string()).unwrap().port, port, "{target}");
    }
}

#[test]
fn what_is_no_url_is_refused() {
    assert!(matches!(Target::parse("ftp://x"), Err(TargetError::Scheme(_))));
    assert!(matches!(Target::parse("mqtts://"), Err(TargetError::NoHost)));
    assert!(matches!(Target::parse("mqtts://a b"), Err(TargetError::BadHost(_))));
    assert!(matches!(Target::parse("mqtts://host:0"), Err(TargetError::BadPort(_))));
    assert!(matches!(Target::parse("mqtts://host:99999"), Err(TargetError::BadPort(_))));
    assert!(matches!(Target::parse("mqtts://u:secret@host"), Err(TargetError::Password)));
    assert!(matches!(Target::parse(&"a".repeat(5000)), Err(TargetError::TooLong)));
}

#[test]
fn a_refused_url_does_not_repeat_its_password() {
    let error = Target::parse("mqtts://u:hunter2@host").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
