//! Several listeners: their limits, their certificates by name, and handshakes that do not end.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gridmq_broker::{Broker, Limits, Listener, ListenerLimits};
use gridmq_proto::packet::Connect;
use gridmq_proto::{Packet, ReasonCode, Version};
use gridmq_testkit::authority::{Authority, identity, unix_now};
use gridmq_testkit::wire::{Wire, connect, encoded, eventually};
use gridmq_tls::credentials::{Fixed, Published};
use gridmq_tls::issue::Validity;
use gridmq_tls::{ClientAuth, ClientConfig, Identity, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn server(authority: &Authority, names: &[&str]) -> Identity {
    identity(&authority.intermediate.issue_server(names.iter().copied(), Validity::days(unix_now(), 1)).unwrap())
}

fn config(identity: Identity, alpn: &[&str]) -> ServerConfig {
    let builder = ServerConfig::builder().identity(identity).client_certificate(ClientAuth::Off);
    builder.alpn(alpn.iter().copied()).build().unwrap()
}

/// The subject that the server shows to who asks for that name.
async fn shown(address: SocketAddr, authority: &Authority, name: &str) -> String {
    let client = ClientConfig::builder().trust(authority.trust()).build().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let (_, info) = gridmq_tls::stream::connect(tcp, name, &client).await.unwrap();
    info.peer_chain[0].clone()
}

#[tokio::test]
async fn each_name_has_its_certificate_and_each_is_replaced_by_itself() {
    let authority = Authority::new("Names");
    let plant = Published::new(server(&authority, &["plant.test"]));
    let listener =
        Listener::tls(LOOPBACK, config(server(&authority, &["main.test", "localhost", "a.b.sites.test"]), &[]))
            .certificate_for(["plant.test".parse().unwrap()], Arc::new(plant.clone()))
            .unwrap()
            .certificate_for(
                ["*.sites.test".parse().unwrap()],
                Arc::new(Fixed::new(server(&authority, &["*.sites.test"]))),
            )
            .unwrap();
    let broker = Broker::builder().workers(1).listener(listener).start().await.unwrap();
    let address = broker.addresses()[0];
    for (asked, subject) in [
        ("main.test", "main.test"),
        ("localhost", "main.test"),
        ("plant.test", "plant.test"),
        ("PLANT.test", "plant.test"),
        ("one.sites.test", "*.sites.test"),
        ("a.b.sites.test", "main.test"),
    ] {
        let got = shown(address, &authority, asked).await;
        assert!(got.contains(subject), "{asked}: {got}");
    }
    let names: Vec<_> = broker.credentials().into_iter().map(|credentials| credentials.names).collect();
    assert_eq!(names, [vec![], vec!["plant.test".to_owned()], vec!["*.sites.test".to_owned()]]);

    let client = ClientConfig::builder().trust(authority.trust()).build().unwrap();
    let mut before = Wire::connect_tls(address, "plant.test", &client).await;
    let renewed = server(&authority, &["plant.test", "renewed.test"]);
    let print = renewed.thumbprint_sha256().to_owned();
    plant.publish(renewed);
    eventually("the renewed certificate", || broker.credentials()[1].thumbprint_sha256 == print).await;
    assert_eq!(broker.credentials()[1].status.generation, 2);
    assert_eq!(broker.credentials()[0].status.generation, 1);
    let (mut wire, ack) =
        Wire::connect_tls(address, "plant.test", &client).await.introduce("new", Version::V5, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::Success);
    // Who was there goes on, also when the default is replaced, which leaves the names alone.
    broker.set_tls(0, config(server(&authority, &["other.test"]), &[])).unwrap();
    assert!(shown(address, &authority, "other.test").await.contains("other.test"));
    assert!(shown(address, &authority, "one.sites.test").await.contains("*.sites.test"));
    wire.ping().await;
    before.send(connect("old", Version::V5)).await;
    assert_eq!(before.connack().await.reason, ReasonCode::Success);
}

#[tokio::test]
async fn mqtt_is_chosen_by_alpn_and_who_offers_only_others_is_refused() {
    let authority = Authority::new("Protocols");
    let listener = |alpn: &[&str]| Listener::tls(LOOPBACK, config(server(&authority, &["localhost"]), alpn));
    let broker = Broker::builder().workers(1).listener(listener(&["mqtt"])).listener(listener(&[]));
    let broker = broker.start().await.unwrap();
    for (place, offered, chosen) in [
        (0, &["mqtt"][..], Ok(Some(&b"mqtt"[..]))),
        (0, &["h2", "mqtt"], Ok(Some(b"mqtt"))),
        (0, &[], Ok(None)),
        (0, &["x-amzn-mqtt-ca", "h2"], Err(())),
        (1, &["h2"], Ok(None)),
    ] {
        let client = ClientConfig::builder().trust(authority.trust()).alpn(offered.iter().copied()).build().unwrap();
        let tcp = TcpStream::connect(broker.addresses()[place]).await.unwrap();
        let outcome = gridmq_tls::stream::connect(tcp, "localhost", &client).await;
        let got = outcome.as_ref().map(|(_, info)| info.alpn.as_deref()).map_err(|_| ());
        assert_eq!(got, chosen, "{offered:?}");
    }
}

#[tokio::test]
async fn each_listener_has_limits_of_its_own_within_the_brokers() {
    let few = ListenerLimits::default().connections(1).maximum_packet_size(1000);
    let quick = ListenerLimits::default().connect_timeout(Duration::from_millis(200));
    let mut limits = Limits::default();
    limits.connections = 4;
    let broker = Broker::builder()
        .workers(2)
        .limits(limits)
        .listener(Listener::plain(LOOPBACK).limits(few))
        .listener(Listener::plain(LOOPBACK).limits(quick));
    let broker = broker.start().await.unwrap();
    let (few, quick) = (broker.addresses()[0], broker.addresses()[1]);
    let (mut one, ack) = Wire::open(few, "1", Version::V5, |_| ()).await;
    assert_eq!(ack.properties.maximum_packet_size.map(u32::from), Some(1000));
    assert!(Wire::connect(few).await.raw_until_closed().await.is_empty(), "one is enough there");
    let (_two, ack) = Wire::open(quick, "2", Version::V5, |_| ()).await;
    assert_ne!(ack.properties.maximum_packet_size.map(u32::from), Some(1000));
    assert!(Wire::connect(quick).await.raw_until_closed().await.is_empty(), "no CONNECT in time");
    one.send_raw(&[&[0x30, 0xe8, 0x07, 0, 1, b'a', 0][..], &[0; 996]].concat()).await;
    one.expect_end(ReasonCode::PacketTooLarge).await;
    drop(one);
    let hello = encoded(&Packet::Connect(Box::new(connect("3", Version::V5))), Version::V5);
    let room = async {
        loop {
            let mut stream = TcpStream::connect(few).await.unwrap();
            if stream.write_all(&hello).await.is_ok() && stream.read_u8().await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), room).await.expect("room for another");
}

/// A connection from another address of this machine.
async fn from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn good_client(address: SocketAddr, authority: &Authority) {
    let client = ClientConfig::builder().trust(authority.trust()).build().unwrap();
    let adjust = |connect: &mut Connect| connect.clean_start = true;
    let (wire, ack) =
        Wire::connect_tls(address, "localhost", &client).await.introduce("good", Version::V5, adjust).await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire.leave().await;
}

/// The beginning of a ClientHello that does not go on.
const HALF: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test]
async fn a_thousand_stalled_handshakes_do_not_hold_up_a_good_client() {
    let authority = Authority::new("Besieged");
    let mut limits = Limits::default();
    // So long that nobody is let in because the others had to go.
    limits.handshake_timeout = Duration::from_secs(120);
    limits.connect_timeout = Duration::from_secs(120);
    limits.handshake_patience = Duration::from_secs(120);
    let listener = Listener::tls(LOOPBACK, config(server(&authority, &["localhost"]), &[]));
    let broker = Broker::builder().workers(2).limits(limits).listener(listener).start().await.unwrap();
    let address = broker.addresses()[0];
    let mut stalled = Vec::new();
    for number in 0..1000_u32 {
        // Three sources, each with all of its share and hundreds in line; and some who say nothing.
        let mut stream = from([127, 0, 0, 2 + (number % 3) as u8], address).await;
        if number % 10 > 0 {
            stream.write_all(HALF).await.unwrap();
        }
        stalled.push(stream);
    }
    eventually("all are taken", || broker.stats().connections_accepted == 1000).await;
    good_client(address, &authority).await;
    assert_eq!(broker.stats().connections_refused, 0);
}

#[tokio::test]
async fn slow_handshakes_give_way_when_all_places_are_taken() {
    let authority = Authority::new("Crowded");
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_secs(120);
    limits.handshakes = 4;
    limits.handshakes_per_source = 4;
    limits.handshake_patience = Duration::from_millis(200);
    let listener = Listener::tls(LOOPBACK, config(server(&authority, &["localhost"]), &[]));
    let broker = Broker::builder().workers(1).limits(limits).listener(listener).start().await.unwrap();
    let address = broker.addresses()[0];
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(HALF).await.unwrap();
        stalled.push(stream);
    }
    eventually("all are taken", || broker.stats().connections_accepted == 4).await;
    for _ in 0..3 {
        good_client(address, &authority).await;
    }
    assert!(broker.stats().connections_refused <= 3, "one for each that waited, at most");
}

#[tokio::test]
async fn who_finds_no_place_in_the_line_is_closed() {
    let authority = Authority::new("Full");
    let mut limits = Limits::default();
    limits.handshakes = 1;
    limits.handshakes_waiting = 1;
    limits.handshake_timeout = Duration::from_millis(700);
    let listener = Listener::tls(LOOPBACK, config(server(&authority, &["localhost"]), &[]));
    let broker = Broker::builder().workers(1).limits(limits).listener(listener).start().await.unwrap();
    let address = broker.addresses()[0];
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(HALF).await.unwrap();
        streams.push(Wire::over(stream));
    }
    let ends = streams.iter_mut().map(Wire::raw_until_closed);
    for end in ends {
        end.await;
    }
    // One for want of room, two for want of time.
    eventually("all are counted", || broker.stats().connections_refused == 3).await;
    good_client(address, &authority).await;
}
