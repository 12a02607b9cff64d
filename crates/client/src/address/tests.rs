use super::*;

fn parts(text: &str) -> (bool, String, u16) {
    let address = Address::parse(text).unwrap();
    (address.tls, address.host, address.port)
}

#[test]
fn every_form_is_read() {
    for (text, tls, host, port) in [
        ("mqtts://example.org:8883", true, "example.org", 8883),
        ("mqtts://example.org", true, "example.org", 8883),
        ("MQTT://example.org/", false, "example.org", 1883),
        ("tcp://example.org", false, "example.org", 1883),
        ("tls://example.org", true, "example.org", 8883),
        ("ssl://example.org:443", true, "example.org", 443),
        ("mqtt://[::1]:1884", false, "::1", 1884),
        ("example.org", true, "example.org", 8883),
        ("example.org:443", true, "example.org", 443),
        ("::1", true, "::1", 8883),
        ("[::1]", true, "::1", 8883),
        ("10.0.0.1:1", true, "10.0.0.1", 1),
        ("mqtt://[fe80::1%25eth0]:1883", false, "fe80::1%eth0", 1883),
        ("mqtt://[fe80::1%eth0]", false, "fe80::1%eth0", 1883),
        ("mqtt://[fe80::1%25]", false, "fe80::1%25", 1883),
    ] {
        assert_eq!(parts(text), (tls, host.to_owned(), port), "{text}");
    }
}

#[test]
fn a_zone_is_shown_and_is_no_part_of_the_servers_name() {
    let address = Address::parse("mqtts://[fe80::1%25eth0]").unwrap();
    assert_eq!((address.shown().as_str(), address.server_name()), ("[fe80::1%eth0]:8883", "fe80::1"));
    assert_eq!(without_zone("100%.example"), "100%.example");
}

#[test]
#[cfg(feature = "websocket")]
fn websocket_addresses_have_a_path_and_the_ports_of_http() {
    for (text, tls, port, path) in [
        ("ws://host", false, 80, "/mqtt"),
        ("wss://host", true, 443, "/mqtt"),
        ("wss://host:8443/", true, 8443, "/"),
        ("WSS://user:word@host/a/b%20c?d=e@f", true, 443, "/a/b%20c?d=e@f"),
        ("ws://host?token=1", false, 80, "/?token=1"),
        ("ws://[::1]:9001/mqtt", false, 9001, "/mqtt"),
    ] {
        let address = Address::parse(text).unwrap();
        assert_eq!((address.tls, address.port), (tls, port), "{text}");
        assert_eq!(address.carrier, Carrier::WebSocket { path: path.to_owned() }, "{text}");
    }
    for text in ["ws://host/a#b", "ws://host/a b", "ws://host/ü", "ws://host/a\r\nX: y"] {
        assert!(matches!(Address::parse(text), Err(AddressError::PathCharacter { .. })), "{text}");
    }
}

#[test]
#[cfg(not(feature = "websocket"))]
fn websocket_addresses_name_the_feature() {
    for scheme in ["ws", "wss"] {
        let error = Address::parse(&format!("{scheme}://host/mqtt")).unwrap_err();
        assert_eq!(error, AddressError::NotInThisBuild { scheme: scheme.to_owned(), needs: NEEDS_WEBSOCKET });
    }
}

#[test]
#[cfg(unix)]
fn unix_sockets_are_paths() {
    let address = Address::parse("unix:///run/mosquitto.sock").unwrap();
    assert_eq!((address.carrier.clone(), address.shown().as_str()), (Carrier::Unix, "/run/mosquitto.sock"));
    let address = Address::parse("unix://us%40er:word@/run/a%20b").unwrap();
    assert_eq!((address.host.as_str(), address.username.as_deref()), ("/run/a b", Some("us@er")));
    let long = format!("unix:///{}", "x".repeat(200));
    for text in ["unix://", "unix:///", "unix://run/x", "unix://run", "unix:///a%00b", &long] {
        assert!(matches!(Address::parse(text), Err(AddressError::SocketPath { .. })), "{text}");
    }
}

/// Defect 11 of MQTTnet: user information is not percent-decoded and the password is cut at a second colon.
#[test]
fn user_information_is_percent_decoded_and_a_password_may_hold_colons() {
    let address = Address::parse("mqtts://us%40er%2F1:pa:ss%3aword%ff@host").unwrap();
    assert_eq!(address.username.as_deref(), Some("us@er/1"));
    assert_eq!(address.password.as_deref(), Some(&b"pa:ss:word\xff"[..]));
    let address = Address::parse("mqtt://user@host").unwrap();
    assert_eq!((address.username.as_deref(), address.password), (Some("user"), None));
}

#[test]
fn user_and_password_are_never_shown() {
    let address = Address::parse("mqtts://somebody:secret@host").unwrap();
    for shown in [format!("{address:?}"), address.shown()] {
        assert!(shown.contains("host:8883") && !shown.contains("somebody") && !shown.contains("secret"), "{shown}");
    }
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    for (text, expected) in [
        ("", AddressError::NoHost),
        ("mqtts://:8883", AddressError::NoHost),
        ("mqtts://host:0", AddressError::Port { port: "0".to_owned() }),
        ("mqtts://host:65536", AddressError::Port { port: "65536".to_owned() }),
        ("mqtts://host:", AddressError::Port { port: String::new() }),
        ("ftp://host", AddressError::UnknownScheme { scheme: "ftp".to_owned(), known: KNOWN }),
        ("mqtts://host/topic", AddressError::Path { path: "/topic".to_owned() }),
        ("mqtts://[host]:1", AddressError::Brackets),
        ("mqtts://[fe80::1%25]x]:1", AddressError::Brackets),
        ("mqtts://[::1%e!th0]", AddressError::Brackets),
        ("mqtts://1::2:3:x", AddressError::Brackets),
        ("mqtts://ho st", AddressError::HostCharacter { character: ' ' }),
        ("mqtts://ho]st", AddressError::HostCharacter { character: ']' }),
        ("mqtts://u%4:p@host", AddressError::PercentEncoding),
        ("mqtts://%ff@host", AddressError::UsernameNotUtf8),
    ] {
        assert_eq!(Address::parse(text).err(), Some(expected), "{text}");
    }
}
