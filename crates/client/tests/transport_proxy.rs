//! SOCKS5 and HTTP proxies, good ones and others.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::time::Duration;

use gridmq_client::error::{ConnectErrorKind, ProxyError, Side, SocksReply, Stage};
use gridmq_client::{Client, ConnectError, Options, Proxy, Version};
use gridmq_proto::packet::ConnAckProperties;
use support::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn options(address: &str) -> Options {
    Client::builder(address).client_id("tester").connect_timeout(Duration::from_secs(10))
}

/// An MQTT server that takes one client and waits for it to leave.
async fn server(listener: TcpListener) {
    let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
    server.accept(false, ConnAckProperties::default()).await;
    while server.next().await.is_some() {}
}

async fn forward(mut client: TcpStream, target: &str) {
    let mut server = TcpStream::connect(target).await.unwrap();
    copy_bidirectional(&mut client, &mut server).await.ok();
}

async fn bytes(io: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    io.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// A SOCKS5 proxy that takes user name and password and leads to `target`, whatever it is asked for; gives that.
async fn socks(listener: TcpListener, target: String) -> (Vec<u8>, Vec<u8>) {
    let (mut io, _) = listener.accept().await.unwrap();
    let count = bytes(&mut io, 2).await[1];
    let methods = bytes(&mut io, count.into()).await;
    let mut credentials = Vec::new();
    if methods.contains(&2) {
        io.write_all(&[5, 2]).await.unwrap();
        let length = bytes(&mut io, 2).await[1];
        credentials = bytes(&mut io, length.into()).await;
        let length = bytes(&mut io, 1).await[0];
        credentials.push(b'/');
        credentials.extend(bytes(&mut io, length.into()).await);
        io.write_all(&[1, 0]).await.unwrap();
    } else {
        io.write_all(&[5, 0]).await.unwrap();
    }
    let head = bytes(&mut io, 4).await;
    let length = match head[3] {
        1 => 4,
        4 => 16,
        _ => bytes(&mut io, 1).await[0].into(),
    };
    let mut asked = vec![head[3]];
    asked.extend(bytes(&mut io, length + 2).await);
    io.write_all(b"\x05\x00\x00\x03\x04here\x00\x00").await.unwrap();
    forward(io, &target).await;
    (credentials, asked)
}

#[tokio::test]
async fn a_name_is_looked_up_by_the_socks_proxy() {
    let ((mqtt, target), (proxy, address)) = (listener().await, listener().await);
    let client = async {
        // Nobody else than the proxy knows this name.
        let proxy = Proxy::from_url(&format!("socks5://us%40er:w:ord@{address}"));
        let client = options("mqtt://only.proxy.invalid:1999").proxy(proxy).connect().await.unwrap();
        client.disconnect().await.unwrap();
    };
    let ((), (), (credentials, asked)) = tokio::join!(client, server(mqtt), socks(proxy, target));
    assert_eq!(credentials, b"us@er/w:ord");
    assert_eq!(asked, [&[3][..], b"only.proxy.invalid", &1999_u16.to_be_bytes()].concat());
}

#[tokio::test]
async fn a_name_is_looked_up_here_when_asked_and_addresses_go_as_they_are() {
    for (host, locally) in [("localhost", true), ("127.0.0.1", false)] {
        let ((mqtt, target), (proxy, address)) = (listener().await, listener().await);
        let client = async {
            let proxy = Proxy::socks5(&address);
            let proxy = if locally { proxy.resolve_locally() } else { proxy };
            let options = options(&format!("mqtt://{host}:1999")).address_family(gridmq_client::AddressFamily::V4);
            options.proxy(proxy).connect().await.unwrap().disconnect().await.unwrap();
        };
        let ((), (), (_, asked)) = tokio::join!(client, server(mqtt), socks(proxy, target));
        assert_eq!(asked, [&[1, 127, 0, 0, 1][..], &1999_u16.to_be_bytes()].concat());
    }
}

/// An HTTP proxy that leads to `target`; gives the request.
async fn http(listener: TcpListener, target: String) -> String {
    let (mut io, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(io.read_u8().await.unwrap());
    }
    io.write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await.unwrap();
    forward(io, &target).await;
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn an_http_proxy_opens_a_tunnel() {
    let ((mqtt, target), (proxy, address)) = (listener().await, listener().await);
    let client = async {
        let proxy = Proxy::http_connect(&address).credentials("Aladdin", "open sesame");
        let client = options("mqtt://only.proxy.invalid:1999").proxy(proxy).connect().await.unwrap();
        client.disconnect().await.unwrap();
    };
    let ((), (), request) = tokio::join!(client, server(mqtt), http(proxy, target));
    assert!(request.starts_with("CONNECT only.proxy.invalid:1999 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{request}");
}

/// What becomes of a client whose proxy answers each message of it with the next of these, and then closes, or stalls.
async fn against(proxy: fn(&str) -> Proxy, answers: Vec<Vec<u8>>, stalls: bool, patience: Duration) -> ConnectError {
    let (listener, address) = listener().await;
    let misbehaving = tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        for answer in answers {
            if io.read(&mut buffer).await.unwrap_or(0) == 0 || io.write_all(&answer).await.is_err() {
                return;
            }
        }
        if stalls {
            while io.read(&mut buffer).await.unwrap_or(0) > 0 {}
        } else {
            io.shutdown().await.ok();
            while io.read(&mut buffer).await.unwrap_or(0) > 0 {}
        }
    });
    let options = options("mqtt://server.invalid:1999").proxy(proxy(&address)).connect_timeout(patience);
    let error = tokio::time::timeout(Duration::from_secs(20), options.connect()).await.expect("no hang").unwrap_err();
    misbehaving.abort();
    assert_eq!(error.proxy(), Some(address.as_str()));
    assert!(error.to_string().contains(&address), "{error}");
    error
}

fn with_password(address: &str) -> Proxy {
    Proxy::socks5(address).credentials("u", "p")
}

const PATIENT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_proxy_that_closes_at_any_byte_is_named() {
    let socks: [&[u8]; 3] = [b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x03\x04here\x00\x00"];
    for (at, answer) in socks.iter().enumerate() {
        for cut in 0..answer.len() {
            let mut answers: Vec<_> = socks[..at].iter().map(|answer| answer.to_vec()).collect();
            answers.push(answer[..cut].to_vec());
            let error = against(with_password, answers, false, PATIENT).await;
            assert_eq!((error.stage(), error.side()), (Stage::Proxy, Side::Server), "{error}");
            assert!(matches!(error.kind(), ConnectErrorKind::Proxy(ProxyError::Closed)), "{error}");
        }
    }
    let http = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    for cut in 0..http.len() {
        let error = against(Proxy::http_connect, vec![http[..cut].to_vec()], false, PATIENT).await;
        assert_eq!(error.stage(), Stage::Proxy);
        assert!(matches!(error.kind(), ConnectErrorKind::Proxy(ProxyError::Closed)), "{cut}: {error}");
    }
}

#[tokio::test]
async fn a_proxy_that_stalls_in_any_phase_runs_into_the_deadline() {
    let socks: [&[u8]; 3] = [b"\x05\x02", b"\x01\x00", b"\x05\x00\x00"];
    let short = Duration::from_millis(60);
    for phases in 0..=3 {
        let answers = socks[..phases].iter().map(|answer| answer.to_vec()).collect();
        let error = against(with_password, answers, true, short).await;
        assert_eq!(error.stage(), Stage::Proxy);
        assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
    }
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\n"] {
        let error = against(Proxy::http_connect, vec![answer.to_vec()], true, short).await;
        assert_eq!(error.stage(), Stage::Proxy);
        assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
    }
}

async fn says(proxy: fn(&str) -> Proxy, answers: &[&[u8]], expected: impl Fn(&ProxyError) -> bool) {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    let error = against(proxy, answers, false, PATIENT).await;
    assert_eq!(error.stage(), Stage::Proxy);
    let ConnectErrorKind::Proxy(proxy) = error.kind() else { panic!("{error}") };
    assert!(expected(proxy), "{error}");
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_with_its_code_and_words() {
    says(Proxy::socks5, &[b"\x05\xff"], |e| matches!(e, ProxyError::NoMethod { with_credentials: false })).await;
    says(Proxy::socks5, &[b"\x05\x02"], |e| matches!(e, ProxyError::UnexpectedMethod(2))).await;
    says(with_password, &[b"\x05\x02", b"\x01\x01"], |e| matches!(e, ProxyError::CredentialsRefused { status: 1 }))
        .await;
    says(Proxy::socks5, &[b"\x05\x00", b"\x05\x05\x00\x01\0\0\0\0\0\0"], |e| {
        matches!(e, ProxyError::Refused(SocksReply::ConnectionRefused))
    })
    .await;
    says(Proxy::socks5, &[b"HTTP/1.1 400 Bad\r\n\r\n"], |e| matches!(e, ProxyError::Foreign { .. })).await;
    says(Proxy::socks5, &[b"\x04\x5b\0\0\0\0\0\0"], |e| matches!(e, ProxyError::Foreign { .. })).await;

    let auth = b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: NTLM\r\n\r\n";
    says(Proxy::http_connect, &[auth], |e| {
        matches!(e, ProxyError::Status { status: 407, reason, challenges }
            if reason == "Who are you" && challenges == &["Basic", "NTLM"])
    })
    .await;
    says(Proxy::http_connect, &[b"HTTP/1.1 403 No\r\n\r\n"], |e| matches!(e, ProxyError::Status { status: 403, .. }))
        .await;
    says(Proxy::http_connect, &[b"\x05\x00"], |e| matches!(e, ProxyError::Foreign { expected: "HTTP", .. })).await;
    says(Proxy::http_connect, &[b"HTTP/1.1 OK\r\n\r\n"], |e| matches!(e, ProxyError::Malformed(_))).await;
    let endless = [&b"HTTP/1.1 200 OK\r\nA: "[..], &b"x".repeat(9_000)].concat();
    says(Proxy::http_connect, &[&endless], |e| matches!(e, ProxyError::TooLong(8192))).await;
    says(Proxy::http_connect, &[b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0"], |e| matches!(e, ProxyError::SpokeFirst(7))).await;
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_what_is_named() {
    let (gone, address) = listener().await;
    drop(gone);
    let error = options("mqtt://server.invalid").proxy(Proxy::socks5(&address)).connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Tcp, Side::Network));
    assert!(error.to_string().contains(&format!("the proxy {address}")), "{error}");
    let proxy = Proxy::http_connect("no-such-proxy.invalid");
    let error = options("mqtt://127.0.0.1").proxy(proxy).connect().await.unwrap_err();
    assert_eq!(error.stage(), Stage::Name);
    assert!(error.to_string().contains("no-such-proxy.invalid:8080"), "{error}");
}
