use super::*;

fn shown(proxy: &Proxy) -> (Kind, Option<String>, Option<&str>, &[u8]) {
    (proxy.kind, proxy.shown(), proxy.username.as_deref(), &proxy.password)
}

#[test]
fn urls_are_read_with_their_credentials() {
    for (url, kind, address, username, password) in [
        ("socks5://proxy", Kind::Socks5, "proxy:1080", None, &b""[..]),
        ("socks5h://us%40er:w%3ao:rd@proxy:9/", Kind::Socks5, "proxy:9", Some("us@er"), b"w:o:rd"),
        ("HTTP://user@[::1]:3128", Kind::Http, "[::1]:3128", Some("user"), b""),
        ("http://proxy", Kind::Http, "proxy:8080", None, b""),
    ] {
        let proxy = Proxy::from_url(url);
        assert_eq!(shown(&proxy), (kind, Some(address.to_owned()), username, password), "{url}");
        assert!(proxy.check().is_ok(), "{url}");
    }
}

#[test]
fn what_cannot_be_used_is_found_before_anything_is_dialled() {
    for url in ["ftp://proxy", "proxy:1080", "socks5://", "socks5://proxy/path", "http://u%4@proxy", "http://proxy:0"] {
        assert!(matches!(Proxy::from_url(url).check(), Err(ConnectErrorKind::Address(_))), "{url}");
    }
    let refused = |proxy: Proxy| matches!(proxy.check(), Err(ConnectErrorKind::Option { option: "proxy", .. }));
    assert!(refused(Proxy::socks5("proxy").credentials("", "x")));
    assert!(refused(Proxy::socks5("proxy").credentials("x".repeat(256), "x")));
    assert!(refused(Proxy::socks5("proxy").credentials("x", "x".repeat(256))));
    assert!(refused(Proxy::http_connect("proxy").credentials("a:b", "x")));
    let long = "x".repeat(256);
    assert!(Proxy::socks5("proxy").check_target(&long).is_err());
    assert!(Proxy::http_connect("proxy").check_target(&long).is_ok());
}

#[test]
fn credentials_are_never_shown() {
    let text = format!("{:?}", Proxy::from_url("socks5://somebody:secret@proxy"));
    assert!(text.contains("proxy") && !text.contains("somebody") && !text.contains("secret"), "{text}");
}

#[test]
fn a_tunnel_is_asked_for_as_the_standard_has_it() {
    let request = connect::request(Host::Name("broker.example"), 8883, None);
    assert_eq!(request, b"CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n");
    let request = connect::request(Host::Address("::1".parse().unwrap()), 1, Some(("Aladdin", b"open sesame")));
    let text = String::from_utf8(request).unwrap();
    assert!(text.starts_with("CONNECT [::1]:1 HTTP/1.1\r\nHost: [::1]:1\r\n"), "{text}");
    assert!(text.ends_with("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"), "{text}");
}
