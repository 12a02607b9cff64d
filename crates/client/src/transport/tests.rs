use std::time::Duration;

use super::*;
use crate::Client;
use crate::error::AddressError;

/// The first reason why these options cannot work.
async fn refused(options: crate::Options) -> (Stage, ConnectError) {
    let error = options.connect().await.unwrap_err();
    (error.stage(), error)
}

#[tokio::test]
async fn options_that_cannot_work_are_found_before_anything_is_dialled() {
    let option = |error: &ConnectError| match error.kind() {
        ConnectErrorKind::Option { option, .. } => *option,
        other => panic!("{other:?}"),
    };
    let here = std::net::Ipv4Addr::LOCALHOST;
    let cases = [
        (Client::builder("mqtt://a").address_family(AddressFamily::V6).local_address(here), "local_address"),
        (Client::builder("mqtt://a").tcp_buffers(0, 1), "tcp_buffers"),
        (Client::builder("mqtt://a").tcp_keep_alive(Duration::from_millis(999)), "tcp_keep_alive"),
        (Client::builder("mqtt://a").tcp_keep_alive(Duration::from_secs(32_768)), "tcp_keep_alive"),
        (Client::builder("mqtt://a").tcp_user_timeout(Some(Duration::ZERO)), "tcp_user_timeout"),
        (Client::builder("mqtt://a").tcp_user_timeout(Some(Duration::from_secs(25 * 86_400))), "tcp_user_timeout"),
        (Client::builder("mqtt://a").proxy(Proxy::http_connect("b").credentials("a:b", "c")), "proxy"),
        #[cfg(unix)]
        (Client::builder("unix:///run/x").proxy(Proxy::socks5("b")), "proxy"),
        #[cfg(feature = "websocket")]
        (Client::builder("ws://a").websocket_header("A b", "c"), "websocket_header"),
        #[cfg(feature = "websocket")]
        (Client::builder("ws://a").websocket_header("A", "b\r\nC: d"), "websocket_header"),
        #[cfg(feature = "websocket")]
        (Client::builder("ws://a").websocket_header("sec-websocket-key", "b"), "websocket_header"),
        #[cfg(feature = "websocket")]
        (Client::builder("ws://a").websocket_header("Authorization", "b"), "websocket_header"),
        #[cfg(feature = "websocket")]
        (Client::builder("ws://a").websocket_subprotocol("a b"), "websocket_subprotocol"),
    ];
    for (options, expected) in cases {
        let (stage, error) = refused(options).await;
        assert_eq!((stage, option(&error)), (Stage::Options, expected), "{error}");
    }
    #[cfg(feature = "websocket")]
    for ours in [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "TE",
        "Trailer",
        "Keep-Alive",
    ] {
        for name in [ours.to_owned(), ours.to_ascii_lowercase()] {
            let error = Client::builder("ws://a").websocket_header(&name, "b").check().unwrap_err();
            assert_eq!(option(&error), "websocket_header", "{name}");
        }
    }
    let (stage, error) = refused(Client::builder("mqtt://a").server("mqtt://b:0")).await;
    assert_eq!(stage, Stage::Options);
    assert!(matches!(error.kind(), ConnectErrorKind::Address(AddressError::Port { .. })), "{error}");
    let (_, error) = refused(Client::builder("mqtt://a").proxy(Proxy::from_url("ftp://b"))).await;
    assert!(matches!(error.kind(), ConnectErrorKind::Address(AddressError::UnknownScheme { .. })), "{error}");
}

#[cfg(feature = "websocket")]
#[test]
fn what_authorizes_goes_only_where_nobody_reads_along() {
    let options = |address: &str| Client::builder(address).websocket_header("authorization", "Bearer x");
    for address in ["ws://localhost", "ws://127.0.0.1:9001", "mqtt://a"] {
        options(address).check().unwrap();
    }
    options("ws://a").plain_tokens().check().unwrap();
    Client::builder("ws://a").websocket_header("X-Trace", "1").check().unwrap();
    let error = options("ws://localhost").server("ws://b:9001").check().unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "websocket_header", .. }), "{error}");
    assert!(error.to_string().contains("b:9001"), "{error}");
}

#[test]
fn several_servers_each_have_their_scheme() {
    let plan = Client::builder("mqtt://a").server("mqtt://b:1").servers(["tcp://c", "mqtt://[::1]"]).planned();
    let shown: Vec<_> = plan.addresses.iter().map(Address::shown).collect();
    assert_eq!(shown, ["a:1883", "b:1", "c:1883", "[::1]:1883"]);
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let options = TransportOptions {
        proxy: Some(Proxy::socks5("b").credentials("somebody", "secret")),
        websocket: settings::WebSocketSettings {
            headers: vec![("Authorization".to_owned(), "secret".to_owned())],
            ..Default::default()
        },
        ..Default::default()
    };
    let shown = format!("{options:?}");
    assert!(shown.contains("Authorization") && !shown.contains("secret") && !shown.contains("somebody"), "{shown}");
}
