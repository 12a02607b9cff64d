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

use std::net::TcpListener as StdListener;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_client::error::{ConnectErrorKind, Side, Stage, WebSocketError};
use gridmq_client::{Client, ConnectError, Options, Proxy, QoS, Version};
use gridmq_proto::ReasonCode;
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::packet::{Ack, ConnAck, ConnAckProperties, Packet};
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, TlsVersion, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, accept_hdr};

/// What a server saw: path, host, subprotocol, one more header, the sizes of the frames, and the packets.
#[derive(Debug, Default)]
struct Seen {
    path: String,
    host: String,
    subprotocol: String,
    extra: Option<String>,
    frames: Vec<usize>,
    packets: Vec<Packet>,
    close: bool,
}

/// A server over tungstenite: it takes one client and everything that it says until it leaves.
fn server(listener: StdListener, version: Version) -> JoinHandle<Seen> {
    std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut seen = Seen::default();
        let callback = |request: &Request, mut response: Response| {
            let field = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            seen.path = request.uri().to_string();
            seen.host = field("Host").unwrap();
            seen.subprotocol = field("Sec-WebSocket-Protocol").unwrap();
            seen.extra = field("X-Extra");
            let agreed = seen.subprotocol.parse().unwrap();
            response.headers_mut().insert("Sec-WebSocket-Protocol", agreed);
            Ok(response)
        };
        let mut socket = accept_hdr(tcp, callback).unwrap();
        let (mut decoder, mut incoming) = (Decoder::for_server(1 << 24), BytesMut::new());
        socket.send(Message::Ping("are you there".into())).unwrap();
        loop {
            match socket.read() {
                Ok(Message::Binary(bytes)) => {
                    seen.frames.push(bytes.len());
                    incoming.extend_from_slice(&bytes);
                }
                Ok(Message::Pong(bytes)) => assert_eq!(&bytes[..], b"are you there"),
                Ok(Message::Close(_)) => seen.close = true,
                Ok(other) => panic!("{other:?}"),
                Err(_) => return seen,
            }
            while let Some(packet) = decoder.decode(&mut incoming).unwrap() {
                let answer = match &packet {
                    Packet::Connect(_) => Packet::ConnAck(Box::new(ConnAck {
                        session_present: false,
                        reason: ReasonCode::Success,
                        properties: ConnAckProperties::default(),
                    })),
                    Packet::Publish(publish) => Packet::PubAck(Ack {
                        packet_id: publish.packet_id.unwrap(),
                        reason: ReasonCode::Success,
                        properties: None,
                    }),
                    _ => {
                        seen.packets.push(packet);
                        continue;
                    }
                };
                let mut bytes = BytesMut::new();
                encode(&answer, version, None, &mut bytes).unwrap();
                // Packets may be cut anywhere.
                for part in bytes.chunks(1) {
                    socket.write(Message::Binary(part.to_vec().into())).unwrap();
                }
                socket.flush().unwrap();
                seen.packets.push(packet);
            }
        }
    })
}

fn listener() -> (StdListener, u16) {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

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

/// The answer with what the key asks for.
fn filled(answer: &[u8], key: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"{accept}";
    match answer.windows(PLACE.len()).position(|window| window == PLACE) {
        Some(at) => [&answer[..at], derive_accept_key(key.as_bytes()).as_bytes(), &answer[at + PLACE.len()..]].concat(),
        None => answer.to_vec(),
    }
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
const GOOD: &[u8] =
    b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
                      Sec-WebSocket-Protocol: mqtt\r\n\r\n";

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
