//! MQTT over WebSocket, plain and secure (MQTT 5.0 section 6).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use gridmq_broker::{Broker, Limits, Listener, WebSocket};
use gridmq_client::{Client, QoS};
use gridmq_proto::{Packet, Version};
use gridmq_testkit::authority::Authority;
use gridmq_testkit::broker::server_config;
use gridmq_testkit::wire::{connect, encoded, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PATIENCE: Duration = Duration::from_secs(10);
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

async fn broker() -> Broker {
    let listener = Listener::plain(LOOPBACK).websocket(WebSocket::default());
    Broker::builder().workers(2).listener(listener).start().await.unwrap()
}

fn request(path: &str, protocols: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocols}\r\n"
    )
}

/// A socket that speaks WebSocket byte by byte.
struct Socket(TcpStream);

impl Socket {
    async fn connect(broker: &Broker) -> Self {
        Self(TcpStream::connect(broker.addresses()[0]).await.unwrap())
    }

    /// Agreed on, with the server's answer.
    async fn open(broker: &Broker, protocols: &str) -> (Self, String) {
        let mut socket = Self::connect(broker).await;
        let request = request("/mqtt", &format!("Sec-WebSocket-Protocol: {protocols}\r\n"));
        socket.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(socket.0.read_u8().await.unwrap());
        }
        (socket, String::from_utf8(answer).unwrap())
    }

    async fn send(&mut self, first: u8, payload: &[u8]) {
        assert!(payload.len() < 126);
        let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let frame: Vec<u8> = [first, 0x80 | payload.len() as u8].into_iter().chain(MASK).chain(masked).collect();
        self.0.write_all(&frame).await.unwrap();
    }

    /// The next frame: its first byte and its payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let next = async {
            let first = self.0.read_u8().await.unwrap();
            let length = match self.0.read_u8().await.unwrap() {
                short @ ..126 => usize::from(short),
                126 => usize::from(self.0.read_u16().await.unwrap()),
                _ => panic!("a long frame, or a masked one"),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.unwrap();
            (first, payload)
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a frame")
    }

    /// What comes until the server closes.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the end").unwrap();
        rest
    }
}

fn connect_packet(client_id: &str) -> Vec<u8> {
    encoded(&Packet::Connect(Box::new(connect(client_id, Version::V5))), Version::V5).to_vec()
}

#[tokio::test]
async fn mqtt5_6_0_0_1_and_mqtt311_6_0_0_1_only_binary_frames_are_taken_and_sent() {
    let broker = broker().await;
    let (mut socket, _) = Socket::open(&broker, "mqtt").await;
    socket.send(0x82, &connect_packet("binary")).await;
    let (first, packet) = socket.frame().await;
    assert_eq!((first, packet[0], packet[3]), (0x82, 0x20, 0), "a CONNACK in a binary frame");
    socket.send(0x81, &[0xc0, 0]).await;
    let rest = socket.rest().await;
    assert!(rest.ends_with(b"\x88\x02\x03\xeb"), "closed with 1003, and TCP with it: {rest:x?}");

    let (mut socket, _) = Socket::open(&broker, "mqtt").await;
    socket.send(0x81, &connect_packet("text")).await;
    assert_eq!(socket.rest().await, b"\x88\x02\x03\xeb", "nothing but that it is closed");
}

#[tokio::test]
async fn mqtt5_6_0_0_2_and_mqtt311_6_0_0_2_packets_and_frames_are_not_aligned() {
    let broker = broker().await;
    let (mut socket, _) = Socket::open(&broker, "mqtt").await;
    for byte in connect_packet("unaligned") {
        socket.send(0x82, &[byte]).await;
    }
    assert_eq!(socket.frame().await.1[0], 0x20);
    // Three packets in one frame.
    socket.send(0x82, b"\x82\x07\x00\x01\x00\x00\x01a\x00\xc0\x00\xc0\x00").await;
    let mut got = Vec::new();
    while got.len() < 6 + 4 {
        got.extend(socket.frame().await.1);
    }
    assert_eq!(got, b"\x90\x04\x00\x01\x00\x00\xd0\x00\xd0\x00");
    // One over a message in parts, with a ping between them.
    socket.send(0x02, b"\x30\x07\x00\x01a").await;
    socket.send(0x89, b"are you there").await;
    assert_eq!(socket.frame().await, (0x8a, b"are you there".to_vec()));
    socket.send(0x00, b"\x00x").await;
    socket.send(0x80, b"yz").await;
    assert_eq!(socket.frame().await, (0x82, b"\x30\x07\x00\x01a\x00xyz".to_vec()));
    socket.send(0x82, b"\xe0\x00").await;
    socket.send(0x88, b"\x03\xe8").await;
    assert!(socket.rest().await.ends_with(b"\x88\x02\x03\xe8"), "closing is answered");
}

#[tokio::test]
async fn mqtt5_6_0_0_3_and_mqtt311_6_0_0_3_who_does_not_offer_mqtt_gets_no_websocket() {
    let broker = broker().await;
    for protocols in ["", "Sec-WebSocket-Protocol: mqttv3.1\r\n", "Sec-WebSocket-Protocol: MQTT, chat\r\n"] {
        let mut socket = Socket::connect(&broker).await;
        socket.0.write_all(request("/mqtt", protocols).as_bytes()).await.unwrap();
        let answer = String::from_utf8(socket.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("subprotocol 'mqtt'"), "{answer}");
    }
}

#[tokio::test]
async fn mqtt5_6_0_0_4_and_mqtt311_6_0_0_4_mqtt_is_what_the_server_chooses() {
    let broker = broker().await;
    for protocols in ["mqtt", "mqttv3.1, mqtt", "chat,mqtt , mqttv5"] {
        let (_, answer) = Socket::open(&broker, protocols).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert_eq!(answer.matches("Sec-WebSocket-Protocol: mqtt\r\n").count(), 1, "{answer}");
    }
}

#[tokio::test]
async fn who_wants_something_else_is_told_what_is_here() {
    let broker = broker().await;
    let offered = "Sec-WebSocket-Protocol: mqtt\r\n";
    for (request, status, words) in [
        (request("/", offered), "404", "no MQTT at this path"),
        ("GET /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "426", "connect with an MQTT client"),
        (format!("GET /mqtt HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9_000)), "431", "shorter than 8 KiB"),
    ] {
        let mut socket = Socket::connect(&broker).await;
        socket.0.write_all(request.as_bytes()).await.unwrap();
        let answer = String::from_utf8(socket.rest().await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(words), "{answer}");
    }
    let mut socket = Socket::connect(&broker).await;
    socket.0.write_all(&connect_packet("lost")).await.unwrap();
    assert!(socket.rest().await.is_empty(), "MQTT without frames");
    eventually("all are counted", || broker.stats().connections_refused == 4).await;
}

#[tokio::test]
async fn the_deadlines_count_from_the_beginning() {
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_millis(300);
    limits.connect_timeout = Duration::from_millis(600);
    let listener = Listener::plain(LOOPBACK).websocket(WebSocket::default());
    let broker = Broker::builder().workers(1).limits(limits).listener(listener).start().await.unwrap();
    let mut silent = Socket::connect(&broker).await;
    let mut half = Socket::connect(&broker).await;
    half.0.write_all(b"GET /mqtt HT").await.unwrap();
    let (mut idle, _) = Socket::open(&broker, "mqtt").await;
    idle.send(0x89, b"pings buy no time").await;
    assert!(silent.rest().await.is_empty() && half.rest().await.is_empty());
    assert_eq!(idle.frame().await.0, 0x8a);
    assert_eq!(idle.rest().await[0], 0x88);
}

async fn round_trip(client: Client, events: &str) {
    let mut messages = client.subscribe(events, QoS::AtLeastOnce).await.unwrap();
    client.publish(events, vec![7; 300_000]).qos(QoS::AtLeastOnce).await.unwrap();
    assert_eq!(messages.next().await.unwrap().payload().len(), 300_000);
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn our_client_speaks_it_plain_and_secure() {
    let authority = Authority::new("Web");
    let broker = Broker::builder()
        .workers(2)
        .listener(Listener::plain(LOOPBACK).websocket(WebSocket::default()))
        .listener(Listener::tls(LOOPBACK, server_config(&authority)).websocket(WebSocket::default().path("/other")));
    let broker = broker.start().await.unwrap();
    let (plain, secure) = (broker.addresses()[0].port(), broker.addresses()[1].port());
    for version in [Version::V3_1_1, Version::V5] {
        let client = Client::builder(&format!("ws://localhost:{plain}/mqtt")).version(version).client_id("plain");
        round_trip(client.connect().await.unwrap(), "ws").await;
        let client = Client::builder(&format!("wss://localhost:{secure}/other")).version(version).client_id("secure");
        round_trip(client.trust(authority.trust()).connect().await.unwrap(), "wss").await;
    }
    let error = Client::builder(&format!("ws://localhost:{plain}/else")).connect().await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
}
