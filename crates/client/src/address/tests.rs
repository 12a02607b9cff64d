use super::*;
use crate::Proxy;

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
    assert_eq!(address.password.as_ref().map(|it| &it[..]), Some(&b"pa:ss:word\xff"[..]));
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

/// What a program may show of what was written as an address: the error, or the address.
fn said(text: &str) -> String {
    let proxies = [Proxy::from_url(text), Proxy::socks5(text), Proxy::http_connect(text)].map(|it| format!("{it:?}"));
    let address = match Address::parse(text) {
        Ok(address) => format!("{address:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    address + &proxies.concat()
}

#[test]
fn a_password_that_is_not_percent_encoded_is_in_no_error() {
    for text in [
        "mqtts://device:s3/cr3t@host",
        "mqtts://device:s3/cr3t",
        "mqtts://device:12/s3cr3t@host/a?b=c",
        "mqtts://device:s3cr3t",
        "mqtts://device:12345678",
        "s3cr3t:s3cr3t://host",
        "device:s3cr3t@host",
        "unix://user:s3cr3t@host/run/s",
        "unix://user:12/s3cr3t@/run/s",
        #[cfg(feature = "websocket")]
        "wss://host/mqtt?sig=s3cr3t^",
        #[cfg(feature = "websocket")]
        "wss://host/mqtt?sig=s3cr3t",
        #[cfg(feature = "websocket")]
        "wss://device:12/s3cr3t@host/mqtt",
    ] {
        let said = said(text);
        assert!(!["s3", "cr3t", "12345678"].iter().any(|part| said.contains(part)), "{text}: {said}");
    }
    for text in ["mqtts://u:1/2@host", "mqtts://u:1?2@host", "mqtts://u:1#2@h", "mqtts://u/1@h", "unix://u:1/2@/run/x"]
    {
        assert_eq!(Address::parse(text).unwrap_err(), AddressError::UserInformation, "{text}");
    }
    // What would be asked of another host, in clear.
    #[cfg(feature = "websocket")]
    {
        for text in ["wss://u:12/34@host/mqtt", "wss://u:12?34@host/mqtt", "wss://u:1/2/3@host", "wss://tok/en@host/a"]
        {
            assert_eq!(Address::parse(text).unwrap_err(), AddressError::UserInformation, "{text}");
        }
        for text in
            ["wss://u:12?a=b@host/mqtt", "wss://u:12/x?a=b@host/mqtt", "wss://u:12?a=b@host", "ws://u:1#?a=b@h/m"]
        {
            assert_eq!(Address::parse(text).unwrap_err(), AddressError::UserInformation, "{text}");
        }
        assert!(Address::parse("wss://host:8443/mqtt?user=a@b").is_ok());
        assert!(Address::parse("wss://host/a%40b").is_ok());
    }
}

proptest::proptest! {
    /// A password that is not percent-encoded makes no other host the one that is asked.
    #[test]
    #[cfg(feature = "websocket")]
    fn no_piece_of_a_password_is_dialled(
        user in "[a-z]{1,3}",
        port in 1_u16..,
        rest in "[/?#][a-z0-9/?#=&:%]{0,8}",
    ) {
        let text = format!("wss://{user}:{port}{rest}@host/mqtt");
        let read = Address::parse(&text);
        proptest::prop_assert!(!read.is_ok_and(|address| address.host != "host"), "{}", text);
    }

    /// Wherever it stands and whatever is not percent-encoded in it, and with or without the host.
    #[test]
    fn a_password_is_shown_at_no_position(
        scheme in "(mqtts|mqtt|ssl|wss|ws|unix|socks5|http|ftp)://|",
        user in "[a-z]{0,3}",
        before in "[/?#@:%^ \\[\\]=]{0,3}",
        after in "[/?#@:%^ \\[\\]=]{0,3}",
        end in "(@host|@host:1|@host/mqtt|@host:0/mqtt|@/run/x|@|)",
    ) {
        const SECRET: &str = "Zz3Zz4Zz";
        // A password that begins with these and an '@' is whole, as far as anybody can see, and what follows a host.
        let text = format!("{scheme}{user}:{before}{SECRET}{after}{end}");
        let whole = before.contains('@') || after.contains('@');
        let said = said(&text);
        proptest::prop_assert!(whole || !said.contains("Zz"), "{}: {}", text, said);
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
