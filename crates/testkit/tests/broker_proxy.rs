//! A listener behind a proxy: the PROXY protocol.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridmq_broker::{Broker, Limits, Listener, Observer, Occurrence, PeerAddress, ProxyProtocol, WebSocket};
use gridmq_namespace::Policy;
use gridmq_proto::{ReasonCode, Version};
use gridmq_testkit::authority::Authority;
use gridmq_testkit::broker::{resources, server_config};
use gridmq_testkit::wire::{Wire, eventually};
use gridmq_tls::ClientConfig;
use std::sync::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Where clients came from, and why connections were refused.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<(PeerAddress, String)>>);

impl Observer for Seen {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        let entry = match occurrence {
            Occurrence::Connected { from, client_id, .. } => (*from, (*client_id).to_owned()),
            Occurrence::Refused { from, why } => (*from, (*why).to_owned()),
            _ => return,
        };
        self.0.lock().unwrap().push(entry);
    }
}

impl Seen {
    async fn last(&self, count: usize) -> (PeerAddress, String) {
        eventually("an occurrence", || self.0.lock().unwrap().len() >= count).await;
        self.0.lock().unwrap()[count - 1].clone()
    }
}

fn proxy(network: &str) -> ProxyProtocol {
    ProxyProtocol::from_sources([network.parse().unwrap()])
}

async fn started(listeners: impl IntoIterator<Item = Listener>) -> (Broker, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_millis(500);
    let observer: Arc<dyn Observer> = Arc::<Seen>::clone(&seen);
    let builder = Broker::builder().workers(1).limits(limits).observer(observer);
    let builder = listeners.into_iter().fold(builder, gridmq_broker::Builder::listener);
    (builder.start().await.unwrap(), seen)
}

/// A connection that began with these bytes.
async fn begun(address: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(header).await.unwrap();
    stream
}

fn v2(command: u8, additions: &[u8]) -> Vec<u8> {
    let addresses = [203, 0, 113, 9, 192, 0, 2, 1, 0x14, 0xe9, 0x07, 0x5b];
    let length = u16::try_from(addresses.len() + additions.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, 0x11], &length, &addresses, additions].concat()
}

async fn comes_in(stream: TcpStream, client_id: &str) {
    let (wire, ack) = Wire::over(stream).introduce(client_id, Version::V5, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire.leave().await;
}

#[tokio::test]
async fn the_client_is_where_the_proxy_says() {
    let (broker, seen) = started([Listener::plain(LOOPBACK).proxy_protocol(proxy("127.0.0.0/8"))]).await;
    let address = broker.addresses()[0];
    comes_in(begun(address, b"PROXY TCP4 203.0.113.9 192.0.2.1 5353 1883\r\n").await, "one").await;
    assert_eq!(seen.last(1).await, (PeerAddress::Ip("203.0.113.9:5353".parse().unwrap()), "one".to_owned()));
    comes_in(begun(address, b"PROXY TCP6 2001:db8::7 ::1 5353 1883\r\n").await, "two").await;
    assert_eq!(seen.last(2).await.0, PeerAddress::Ip("[2001:db8::7]:5353".parse().unwrap()));
    comes_in(begun(address, &v2(0x21, b"\x01\x00\x04mqtt")).await, "three").await;
    assert_eq!(seen.last(3).await.0.to_string(), "203.0.113.9:5353");
    // The proxy itself, and a client that it does not know.
    for header in [v2(0x20, b""), b"PROXY UNKNOWN\r\n".to_vec()] {
        let stream = begun(address, &header).await;
        let own = stream.local_addr().unwrap();
        comes_in(stream, "own").await;
        let count = seen.0.lock().unwrap().len();
        assert_eq!(seen.last(count).await.0, PeerAddress::Ip(own));
    }
}

#[tokio::test]
async fn who_is_no_proxy_or_says_nothing_of_use_is_closed() {
    let listeners =
        ["127.0.0.1", "192.0.2.0/24"].map(|network| Listener::plain(LOOPBACK).proxy_protocol(proxy(network)));
    let (broker, seen) = started(listeners).await;
    let (trusting, other) = (broker.addresses()[0], broker.addresses()[1]);
    let line = b"PROXY TCP4 203.0.113.9 192.0.2.1 5353 1883\r\n";
    for (number, (address, bytes, why)) in [
        (other, &line[..], "none of the listener's networks of proxies"),
        (trusting, b"\x10\x0e\x00\x04MQTT\x04\x02\x00<\x00\x02c1", "does not begin with a PROXY header"),
        (trusting, b"PROXY TCP4 203.0.113.9\r\n", "malformed"),
        (trusting, &[b"PROXY TCP4 ".to_vec(), vec![b'1'; 120]].concat(), "107 bytes"),
        (trusting, &v2(0x21, &[&[4, 2, 88][..], &[0; 600]].concat()), "longest header"),
        (trusting, &v2(0x2f, b""), "malformed"),
        (trusting, b"PROXY TC", "took too long"),
        (trusting, b"", "took too long"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wire = Wire::over(begun(address, bytes).await);
        assert!(wire.raw_until_closed().await.is_empty(), "{why}");
        let (_, told) = seen.last(number + 1).await;
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(broker.stats().connections_refused, 8);
    comes_in(begun(trusting, line).await, "still-served").await;
}

#[tokio::test]
async fn tls_and_websocket_come_behind_it() {
    let authority = Authority::new("Proxied");
    let (broker, seen) = started([
        Listener::tls(LOOPBACK, server_config(&authority)).proxy_protocol(proxy("127.0.0.1")),
        Listener::plain(LOOPBACK).websocket(WebSocket::default()).proxy_protocol(proxy("127.0.0.1")),
    ])
    .await;
    let config = ClientConfig::builder().trust(authority.trust()).build().unwrap();
    let stream = begun(broker.addresses()[0], &v2(0x21, b"")).await;
    let (stream, _) = gridmq_tls::stream::connect(stream, "localhost", &config).await.unwrap();
    let (_wire, ack) = Wire::over(stream).introduce("tls", Version::V5, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::Success);
    assert_eq!(seen.last(1).await.0.to_string(), "203.0.113.9:5353");
    let mut stream = begun(broker.addresses()[1], &v2(0x21, b"")).await;
    stream.write_all(b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = Wire::over(stream).raw_until_closed().await;
    assert!(answer.starts_with(b"HTTP/1.1 404 "));
    assert_eq!(seen.last(2).await.0.to_string(), "203.0.113.9:5353");
}

#[tokio::test]
async fn trust_in_this_machine_is_no_trust_in_a_proxys_clients() {
    let authority = Authority::new("Namespace");
    let rules = Arc::new(Policy::compile(resources(&authority), 1).unwrap());
    let listener = Listener::plain(LOOPBACK).trust_plain(true).proxy_protocol(proxy("127.0.0.1"));
    let broker = Broker::builder().workers(1).rules(rules).listener(listener).start().await.unwrap();
    for (header, reason) in [
        (b"PROXY TCP4 127.0.0.1 127.0.0.1 5353 1883\r\n".to_vec(), ReasonCode::NotAuthorized),
        (b"PROXY UNKNOWN\r\n".to_vec(), ReasonCode::NotAuthorized),
        (v2(0x20, b""), ReasonCode::Success),
    ] {
        let stream = begun(broker.addresses()[0], &header).await;
        let named = |connect: &mut gridmq_proto::packet::Connect| connect.username = Some("client1-authn-ID".into());
        let (_, ack) = Wire::over(stream).introduce("client1", Version::V5, named).await;
        assert_eq!(ack.reason, reason);
    }
}

/// What a proxy says of a certificate that it has verified, or not.
fn certificate(name: &str, verify: u8) -> Vec<u8> {
    let name = [&[0x22, 0, name.len() as u8][..], name.as_bytes()].concat();
    [&[0x20, 0, 5 + name.len() as u8, 0x07, 0, 0, 0, verify][..], &name].concat()
}

#[tokio::test]
async fn a_name_that_a_trusted_proxy_has_verified_proves_who_it_is() {
    let authority = Authority::new("Namespace");
    let rules = Arc::new(Policy::compile(resources(&authority), 1).unwrap());
    let broker = Broker::builder()
        .workers(1)
        .rules(rules)
        .listener(Listener::plain(LOOPBACK).proxy_protocol(proxy("127.0.0.1").trust_names(true)))
        .listener(Listener::plain(LOOPBACK).proxy_protocol(proxy("127.0.0.1")));
    let broker = broker.start().await.unwrap();
    let name = "client1-authn-ID";
    for (place, verify, certified, username, reason) in [
        (0, 0, name, None, ReasonCode::Success),
        (0, 0, name, Some(name), ReasonCode::Success),
        (0, 0, name, Some("client2-authn-ID"), ReasonCode::NotAuthorized),
        (0, 0, "unknown", None, ReasonCode::NotAuthorized),
        (0, 1, name, Some(name), ReasonCode::NotAuthorized),
        (1, 0, name, Some(name), ReasonCode::NotAuthorized),
    ] {
        let stream = begun(broker.addresses()[place], &v2(0x21, &certificate(certified, verify))).await;
        let named = |connect: &mut gridmq_proto::packet::Connect| connect.username = username.map(Into::into);
        let (_, ack) = Wire::over(stream).introduce("client1", Version::V5, named).await;
        assert_eq!(ack.reason, reason, "{certified} {username:?} at {place}, {verify}");
    }
}
