//! MQTT over WebSocket, against a server of another make and against bad ones.
#![cfg(feature = "websocket")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "tests"
)]

#[path = "support/websocket.rs"]
mod peer;

use std::sync::Mutex;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_client::error::{ConnectErrorKind, DisconnectCause, DisconnectKind, Side, Stage, WebSocketError};
use gridmq_client::{Client, ConnectError, ConnectionState, Options, Proxy, QoS, Reconnect, Version};
use gridmq_proto::ReasonCode;
use gridmq_proto::codec::encode;
use gridmq_proto::packet::{ConnAck, ConnAckProperties, Packet, Publish};
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, TlsVersion, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use peer::{GOOD, field, filled, listener, server};

#[tokio::test]
async fn a_client_publishes_over_websocket_in_every_version() {
    for (version, subprotocol) in [(Version::V5, "mqtt"), (Version::V3_1_1, "mqtt"), (Version::V3_1, "mqttv3.1")] {
        let (listener, port) = listener();
        let server = server(listener, version);
        let client = Client::builder(&format!("ws://localhost:{port}/some/path?a=b"))
            .client_id("tester")
            .version(version)
            .websocket_header("X-Extra", "value")
            .connect()
            .await
            .unwrap();
        let large = vec![7; 300_000];
        client.publish("a/b", large.clone()).qos(QoS::AtLeastOnce).await.unwrap();
        client.disconnect().await.unwrap();
        let seen = server.join().unwrap();
        assert_eq!((seen.path.as_str(), &seen.host), ("/some/path?a=b", &format!("localhost:{port}")));
        assert_eq!((seen.subprotocol.as_str(), seen.extra.as_deref()), (subprotocol, Some("value")));
        let [Packet::Connect(_), Packet::Publish(publish), Packet::Disconnect(_)] = &seen.packets[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(publish.payload, large);
        assert!(seen.close && seen.frames.len() < 12, "{:?}", seen.frames);
    }
}

/// Everything that anybody logs.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Everything;

fn logged(line: &str) {
    let mut all = LOGGED.lock().unwrap();
    all.push_str(line);
    all.push('\n');
}

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        logged(&format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl tracing::Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        logged(&fields.0);
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        logged(&fields.0);
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(event.metadata().target().to_owned());
        event.record(&mut fields);
        logged(&fields.0);
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn passwords_and_payloads_are_in_no_log_at_any_level() {
    const SECRETS: [&str; 3] = ["s3cr3t-word", "s3cr3t-token", "s3cr3t-payload"];
    log::set_logger(&Everything).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    tracing::subscriber::set_global_default(Everything).unwrap();
    log::trace!("a line of another crate's");
    let (listener, port) = listener();
    let server = server(listener, Version::V5);
    let options = Client::builder(&format!("ws://localhost:{port}/mqtt")).client_id("tester");
    let options = options.username("tester").password(SECRETS[0]).websocket_header("Authorization", SECRETS[1]);
    let client = options.connect().await.unwrap();
    client.publish("a/b", SECRETS[2]).qos(QoS::AtLeastOnce).await.unwrap();
    client.disconnect().await.unwrap();
    let seen = server.join().unwrap();
    let [Packet::Connect(connect), Packet::Publish(_), ..] = &seen.packets[..] else { panic!("{seen:?}") };
    assert_eq!(connect.password.as_deref(), Some(SECRETS[0].as_bytes()));
    let logged = LOGGED.lock().unwrap().to_ascii_lowercase();
    assert!(logged.contains("another crate's") && logged.contains("gridmq_client"), "{logged}");
    for secret in SECRETS {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{:?}", secret.as_bytes());
        for form in [secret, &hex, list.trim_matches(['[', ']'])] {
            assert!(!logged.contains(form), "{form}: {logged}");
        }
    }
}

#[tokio::test]
async fn websocket_goes_through_a_proxy() {
    let ((mqtt, port), (proxy, proxy_port)) = (listener(), listener());
    let server = server(mqtt, Version::V5);
    proxy.set_nonblocking(true).unwrap();
    let proxy = TcpListener::from_std(proxy).unwrap();
    let forward = tokio::spawn(async move {
        let (mut near, _) = proxy.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(near.read_u8().await.unwrap());
        }
        near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
        request
    });
    let options = Client::builder("ws://only.proxy.invalid").client_id("tester");
    let client = options.proxy(Proxy::http_connect(&format!("127.0.0.1:{proxy_port}"))).connect().await.unwrap();
    assert_eq!(client.info().unwrap().address, None);
    client.disconnect().await.unwrap();
    drop(client);
    assert!(forward.await.unwrap().starts_with(b"CONNECT only.proxy.invalid:80 "));
    assert_eq!(server.join().unwrap().path, "/mqtt");
}

/// What becomes of a client whose server answers so.
async fn answered(answer: &'static [u8], closes: bool, patience: Duration) -> ConnectError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = io.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let answer = filled(answer, key);
        io.write_all(&answer).await.ok();
        if closes {
            io.shutdown().await.ok();
        }
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await.ok();
    });
    let connecting = Client::builder(&address).client_id("tester").connect_timeout(patience).connect();
    let error = tokio::time::timeout(Duration::from_secs(20), connecting).await.expect("no hang").unwrap_err();
    server.abort();
    error
}

const PATIENT: Duration = Duration::from_secs(15);
#[tokio::test]
async fn what_is_no_websocket_is_told_with_its_status_and_words() {
    let error = answered(b"HTTP/1.1 404 Not here\r\nContent-Length: 9\r\n\r\nno /mqtt!", false, PATIENT).await;
    assert_eq!((error.stage(), error.side()), (Stage::WebSocket, Side::Server));
    let ConnectErrorKind::WebSocket(WebSocketError::Status { status, reason, body, .. }) = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((*status, reason.as_str(), body.as_str()), (404, "Not here", "no /mqtt!"));

    let error = answered(b"\x15\x03\x01\x00\x02\x02\x46", true, PATIENT).await;
    assert!(matches!(error.kind(), ConnectErrorKind::WebSocket(WebSocketError::NotHttp(Some(_)))), "{error}");
    assert!(error.advice().contains("wss://"), "{error}");
}

#[tokio::test]
async fn a_server_that_closes_at_any_byte_of_the_upgrade_is_named() {
    for cut in 0..GOOD.len() {
        let error = answered(&GOOD[..cut], true, PATIENT).await;
        assert_eq!((error.stage(), error.side()), (Stage::WebSocket, Side::Server), "{cut}: {error}");
        assert!(matches!(error.kind(), ConnectErrorKind::WebSocket(WebSocketError::Closed)), "{cut}: {error}");
    }
    let error = answered(GOOD, true, PATIENT).await;
    assert!(matches!(error.kind(), ConnectErrorKind::Closed), "{error}");
    assert_eq!(error.stage(), Stage::Connect);
}

#[tokio::test]
async fn a_server_that_stalls_runs_into_the_deadline_with_the_stage() {
    let short = Duration::from_millis(60);
    for (answer, stage) in [(&b""[..], Stage::WebSocket), (b"HTTP/1.1 1", Stage::WebSocket), (GOOD, Stage::Connect)] {
        let error = answered(answer, false, short).await;
        assert_eq!(error.stage(), stage);
        assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_text_frame_in_place_of_connack_is_a_typed_error() {
    const TEXT: &[u8] = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n\x81\x02hi";
    let error = answered(TEXT, false, PATIENT).await;
    assert_eq!((error.stage(), error.side()), (Stage::WebSocket, Side::Us));
    assert!(matches!(error.kind(), ConnectErrorKind::WebSocket(WebSocketError::TextFrame)), "{error}");
}

/// How a client ends, or what it waits after, whose server says this once it is connected.
async fn after_connack(frames: &'static [u8]) -> DisconnectCause {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let (connected, is_connected) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            request.push(char::from(io.read_u8().await.unwrap()));
        }
        let answer = filled(GOOD, &field(&request, "Sec-WebSocket-Key").unwrap());
        io.write_all(&[&answer[..], b"\x82\x05\x20\x03\x00\x00\x00"].concat()).await.unwrap();
        is_connected.await.unwrap();
        io.write_all(frames).await.unwrap();
        io.read_to_end(&mut Vec::new()).await.ok();
    });
    let client = Client::builder(&address).client_id("tester").reconnect(Reconnect::never()).connect().await.unwrap();
    let mut states = client.state();
    connected.send(()).unwrap();
    let over = states.wait_for(|state| matches!(state, ConnectionState::Disconnected(_)));
    tokio::time::timeout(PATIENT, over).await.expect("an end").unwrap();
    server.abort();
    client.disconnected().unwrap()
}

#[tokio::test]
async fn what_ends_a_websocket_after_connack_has_its_type() {
    let cause = after_connack(b"\x81\x02hi").await;
    assert!(matches!(cause.kind(), DisconnectKind::WebSocket(WebSocketError::TextFrame)), "{cause}");
    assert_eq!(cause.side(), Side::Us);
    let cause = after_connack(b"\x82\x7f\0\0\0\0\x10\0\0\0").await;
    assert!(matches!(cause.kind(), DisconnectKind::WebSocket(WebSocketError::TooLong { .. })), "{cause}");
    assert!(cause.to_string().contains("maximum_packet_size"), "{cause}");
    let cause = after_connack(b"\x88\x07\x03\xf3hello").await;
    let DisconnectKind::WebSocket(WebSocketError::Left { code: 1011, reason }) = cause.kind() else {
        panic!("{cause}")
    };
    assert_eq!((reason.as_str(), cause.side()), ("hello", Side::Server));
    let cause = after_connack(b"\x88\x02\x03\xe9").await;
    assert!(matches!(cause.kind(), DisconnectKind::Closed), "{cause}");
}

#[tokio::test]
async fn a_goodbye_that_breaks_the_standard_is_a_goodbye() {
    for frames in [&b"\x88\x02\x03\xee"[..], b"\x88\x02\x03\xed", b"\x88\x03\x03\xe9\xe9"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}", listener.local_addr().unwrap());
        let policy = Reconnect::new().first_wait(Duration::from_millis(10));
        let client = Client::builder(&address).client_id("tester").reconnect(policy).start().unwrap();
        for goodbye in [frames, b""] {
            let (mut io, _) =
                tokio::time::timeout(PATIENT, listener.accept()).await.expect("the client comes").unwrap();
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                request.push(char::from(io.read_u8().await.unwrap()));
            }
            let answer = filled(GOOD, &field(&request, "Sec-WebSocket-Key").unwrap());
            io.write_all(&[&answer[..], b"\x82\x05\x20\x03\x00\x00\x00"].concat()).await.unwrap();
            tokio::time::timeout(PATIENT, client.connected()).await.expect("in time").unwrap();
            io.write_all(goodbye).await.unwrap();
            if goodbye.is_empty() {
                drop(client);
                break;
            }
            io.read_to_end(&mut Vec::new()).await.ok();
        }
    }
}

struct Pki {
    root: CertificateAuthority,
    validity: Validity,
}

fn pki(name: &str) -> Pki {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    Pki { root: CertificateAuthority::new_root(name, validity).unwrap(), validity }
}

impl Pki {
    fn trust(&self) -> Trust {
        Trust::only_pem(self.root.certificate_pem().as_bytes()).unwrap()
    }

    fn client(&self) -> Identity {
        identity(&self.root.issue_client("client1", self.validity).unwrap())
    }

    fn server(&self, name: &str, version: TlsVersion, auth: ClientAuth) -> ServerConfig {
        let issued = self.root.issue_server([name], self.validity).unwrap();
        let builder = ServerConfig::builder().identity(identity(&issued)).versions(version);
        builder.client_certificate(auth).handshake_trust(ClientTrust::Anchors(self.trust())).build().unwrap()
    }
}

fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

/// The error of a client of that scheme with these options, against a server that speaks TLS as configured.
async fn against(scheme: &str, config: &ServerConfig, set: &dyn Fn(Options) -> Options) -> ConnectError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        if let Ok((mut io, _)) = gridmq_tls::stream::accept(tcp, config).await {
            io.read_to_end(&mut Vec::new()).await.ok();
        }
    };
    let connecting = set(Client::builder(&address).client_id("tester")).connect();
    tokio::join!(connecting, serve).0.unwrap_err()
}

/// Defect 14 of MQTTnet: TLS options are ignored under WebSocket.
#[tokio::test]
async fn mqttnet_defect_14_tls_options_act_the_same_under_tcp_and_websocket() {
    let (ours, theirs) = (pki("Ours"), pki("Theirs"));
    type Set = Box<dyn Fn(Options) -> Options>;
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let other = if version == TlsVersion::V1_2 { TlsVersion::V1_3 } else { TlsVersion::V1_2 };
        let (trust, wrong) = (ours.trust(), theirs.trust());
        let (trust_1, trust_2, trust_3) = (trust.clone(), trust.clone(), trust.clone());
        let stranger = theirs.client();
        let cases: [(&str, &str, ClientAuth, Set); 5] = [
            ("nobody trusts it", "localhost", ClientAuth::Off, Box::new(move |o| o.trust(wrong.clone()))),
            ("another name", "elsewhere", ClientAuth::Off, Box::new(move |o| o.trust(trust.clone()))),
            (
                "no version in common",
                "localhost",
                ClientAuth::Off,
                Box::new(move |o| o.trust(trust_1.clone()).tls_versions(other)),
            ),
            ("no certificate", "localhost", ClientAuth::Required, Box::new(move |o| o.trust(trust_2.clone()))),
            (
                "a stranger's certificate",
                "localhost",
                ClientAuth::Required,
                Box::new(move |o| o.trust(trust_3.clone()).identity(stranger.clone())),
            ),
        ];
        for (what, name, auth, set) in cases {
            let config = ours.server(name, version, auth);
            let [tcp, websocket] =
                [against("mqtts", &config, &set).await, against("wss", &config, &set).await].map(|error| {
                    assert_eq!(error.stage(), Stage::Tls, "{what}: {error}");
                    let ConnectErrorKind::Tls(tls) = error.kind() else { panic!("{what}: {error}") };
                    (tls.kind(), error.side(), error.id())
                });
            assert_eq!(tcp, websocket, "{what} with {version:?}");
        }
    }
}

#[tokio::test]
async fn a_secure_websocket_connects_with_both_versions_of_tls() {
    let pki = pki("Ours");
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let config = pki.server("localhost", version, ClientAuth::Required);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
        let server = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let (mut io, info) = gridmq_tls::stream::accept(tcp, &config).await.unwrap();
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                request.push(char::from(io.read_u8().await.unwrap()));
            }
            let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            // The CONNACK comes in the same breath: nothing of it may be lost.
            io.write_all(&[&filled(GOOD, key)[..], b"\x82\x05\x20\x03\x00\x00\x00"].concat()).await.unwrap();
            io.flush().await.unwrap();
            io.read_to_end(&mut Vec::new()).await.ok();
            info
        };
        let client = async {
            let options = Client::builder(&address).trust(pki.trust()).identity(pki.client()).client_id("tester");
            let client = options.connect().await.unwrap();
            let tls = client.info().unwrap().tls.clone().unwrap();
            client.disconnect().await.unwrap();
            tls
        };
        let (seen, tls) = tokio::join!(server, client);
        assert_eq!((tls.version, seen.version), (version, version));
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_takes_long_to_arrive_is_no_silence() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let version = Version::V5;
    let bytes_of = |packet| {
        let mut bytes = BytesMut::new();
        encode(&packet, version, None, &mut bytes).unwrap();
        bytes
    };
    let connack = bytes_of(Packet::ConnAck(Box::new(ConnAck {
        session_present: false,
        reason: ReasonCode::Success,
        properties: ConnAckProperties::default(),
    })));
    let publish = bytes_of(Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        packet_id: None,
        topic: Some("a".try_into().unwrap()),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: vec![7; 20_000].into(),
        properties: None,
    }));
    let (mut reader, mut writer) = tokio::io::split(far);
    let options = Client::builder("ws://memory").client_id("tester").version(version);
    let connecting = tokio::spawn(options.keep_alive(Duration::from_secs(4)).connect_over(near));
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert!(reader.read_buf(&mut request).await.unwrap() > 0);
    }
    let key = field(std::str::from_utf8(&request).unwrap(), "Sec-WebSocket-Key").unwrap();
    writer.write_all(&filled(GOOD, &key)).await.unwrap();
    // The client's CONNECT, and its PINGREQs, which are not answered: the answers come behind the message.
    tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
    writer.write_all(&[&[0x82, u8::try_from(connack.len()).unwrap()], &connack[..]].concat()).await.unwrap();
    let client = connecting.await.unwrap().unwrap();
    let mut messages = client.messages();
    let length = u16::try_from(publish.len()).unwrap().to_be_bytes();
    for piece in [&[0x82, 126, length[0], length[1]], &publish[..]].concat().chunks(1000) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(client.disconnected().is_none(), "{:?}", client.disconnected());
        writer.write_all(piece).await.unwrap();
    }
    assert_eq!(messages.next().await.unwrap().payload().len(), 20_000);
}
