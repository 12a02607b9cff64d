//! What bad input gets: it is closed, with a reason where the protocol has a place for one, and nobody else notices.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridmq_broker::{Broker, Limits, Listener, Observer, Occurrence};
use gridmq_proto::codec::Role;
use gridmq_proto::vectors::{Expect, VECTORS};
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::authority::Authority;
use gridmq_testkit::broker::server_config;
use gridmq_testkit::wire::{Wire, eventually, payload_of};

/// Somebody else on the same broker, whom nothing of this may touch.
struct Witness(Wire);

impl Witness {
    async fn new(address: SocketAddr) -> Self {
        let mut wire = Wire::join(address, "witness", Version::V5).await;
        wire.subscribe("witness", QoS::AtLeastOnce).await;
        Self(wire)
    }

    async fn is_served(&mut self) {
        assert_eq!(self.0.publish("witness", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
        assert_eq!(payload_of(&self.0.take().await), "x");
    }
}

/// Keeps the words of refusals.
#[derive(Debug, Default)]
struct Refusals(Mutex<Vec<String>>);

impl Observer for Refusals {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        if let Occurrence::Refused { why, .. } = occurrence {
            self.0.lock().unwrap().push((*why).to_owned());
        }
    }
}

impl Refusals {
    async fn reach(&self, count: usize) {
        eventually("it is told", || self.0.lock().unwrap().len() >= count).await;
        assert_eq!(self.0.lock().unwrap().len(), count);
        assert!(self.0.lock().unwrap().iter().all(|why| !why.is_empty()));
    }
}

#[tokio::test]
async fn mqtt5_4_13_1_1_and_mqtt5_4_13_2_1_and_mqtt311_4_8_0_1_every_invalid_packet_ends_its_connection_with_its_reason()
 {
    let broker = gridmq_testkit::open(4).await;
    let mut witness = Witness::new(broker.address()).await;
    let mut tried = 0;
    for vector in VECTORS.iter().filter(|vector| vector.role == Role::Server) {
        let Expect::Refused(_, reason) = vector.expect else { continue };
        let Some(version) = vector.version else { continue };
        tried += 1;
        let mut wire = Wire::join(broker.address(), "c", version).await;
        wire.send_raw(vector.bytes).await;
        let last = wire.expect_closed().await;
        if version.is_v5() {
            match &last[..] {
                [gridmq_proto::Packet::Disconnect(disconnect)] => {
                    assert_eq!(disconnect.reason, reason, "{}", vector.name);
                }
                other => panic!("{}: {other:?}", vector.name),
            }
        } else {
            assert!(last.is_empty(), "{}: {last:?}", vector.name);
        }
    }
    assert!(tried > 30, "{tried}");
    witness.is_served().await;
    eventually("only the witness is left", || broker.broker.stats().clients_connected == 1).await;
}

#[tokio::test]
async fn mqtt5_3_1_4_1_and_mqtt311_3_1_4_1_every_invalid_connect_is_closed_with_its_reason_or_without_a_word() {
    let broker = gridmq_testkit::open(4).await;
    let mut witness = Witness::new(broker.address()).await;
    for vector in VECTORS.iter().filter(|vector| vector.role == Role::Server && vector.version.is_none()) {
        let mut wire = Wire::connect(broker.address()).await;
        wire.send_raw(vector.bytes).await;
        match vector.expect {
            Expect::Packet(_) => {
                // It lets the client in, or refuses it as the rules say.
                let mut first = wire.next_raw().await;
                assert_eq!(first.remove(0), 0x20, "{}", vector.name);
            }
            Expect::Refused(_, reason) => {
                let answer = wire.raw_until_closed().await;
                let fits = match answer[..] {
                    [] => true,
                    // MQTT 3.1.1: the version and the identifier have return codes.
                    [0x20, 2, 0, code] => {
                        let expected = match reason {
                            ReasonCode::UnsupportedProtocolVersion => 1,
                            ReasonCode::ClientIdentifierNotValid => 2,
                            _ => 0,
                        };
                        code == expected
                    }
                    [0x20, _, 0, code, ..] => code == reason.as_u8(),
                    _ => false,
                };
                assert!(fits, "{}: {answer:x?}", vector.name);
            }
        }
    }
    witness.is_served().await;
}

#[tokio::test]
async fn valid_packets_out_of_place_harm_nobody() {
    let broker = gridmq_testkit::open(4).await;
    let mut witness = Witness::new(broker.address()).await;
    for vector in VECTORS.iter().filter(|vector| vector.role == Role::Server) {
        let (Expect::Packet(_), Some(version)) = (vector.expect, vector.version) else { continue };
        let mut wire = Wire::join(broker.address(), "c", version).await;
        for _ in 0..3 {
            wire.send_raw(vector.bytes).await;
        }
        wire.send_raw(b"\xc0\x00").await;
        // Either it is served and the ping answered, or the connection ends.
        while let Some(packet) = wire.next().await {
            if packet == gridmq_proto::Packet::PingResp {
                break;
            }
        }
    }
    witness.is_served().await;
}

#[tokio::test]
async fn garbage_is_closed() {
    let broker = gridmq_testkit::open(4).await;
    let mut witness = Witness::new(broker.address()).await;
    // A linear congruential generator: the same garbage each time.
    let mut state = 1u64;
    for length in [1usize, 2, 7, 64, 1000, 100_000] {
        for _ in 0..10 {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8
                })
                .collect();
            let mut wire = Wire::connect(broker.address()).await;
            wire.send_raw(&bytes).await;
            if length >= 64 {
                // Not a CONNECT, but for the first byte in one of 256 cases, and then not one of a good length.
                assert!(wire.raw_until_closed().await.len() < 100);
            }
            let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
            wire.send_raw(&bytes).await;
            drop(wire);
        }
    }
    witness.is_served().await;
}

#[tokio::test]
async fn half_a_packet_and_then_nothing_is_forgotten() {
    let broker = gridmq_testkit::open(4).await;
    let mut witness = Witness::new(broker.address()).await;
    for version in [Version::V3_1_1, Version::V5] {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        wire.send_raw(b"\x30\xff\x7f\x00\x07witn").await;
        drop(wire);
        let mut wire = Wire::connect(broker.address()).await;
        wire.send_raw(b"\x10\x20\x00\x04MQTT").await;
        drop(wire);
    }
    eventually("they are gone", || {
        let stats = broker.broker.stats();
        stats.clients_connected == 1 && stats.connections_refused == 2
    })
    .await;
    witness.is_served().await;
}

#[tokio::test]
async fn other_protocols_on_the_plain_port_are_recognised_and_closed() {
    let refusals = Arc::new(Refusals::default());
    let builder = Broker::builder().workers(2).observer(Arc::<Refusals>::clone(&refusals));
    let broker = OpenBroker::start(builder).await;
    let mut witness = Witness::new(broker.address()).await;
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for (number, bytes) in [&http[..], tls, b"SSH-2.0-OpenSSH_9.6\r\n"].into_iter().enumerate() {
        let mut wire = Wire::connect(broker.address()).await;
        wire.send_raw(bytes).await;
        assert!(wire.raw_until_closed().await.is_empty());
        refusals.reach(number + 1).await;
    }
    // A whole handshake by a real client, which is told that this is no TLS.
    let authority = Authority::new("Somebody");
    let config = gridmq_tls::ClientConfig::builder().trust(authority.trust()).build().unwrap();
    let tcp = tokio::net::TcpStream::connect(broker.address()).await.unwrap();
    let handshake = gridmq_tls::stream::connect(tcp, "localhost", &config);
    assert!(tokio::time::timeout(Duration::from_secs(10), handshake).await.unwrap().is_err());
    refusals.reach(4).await;
    witness.is_served().await;
}

#[tokio::test]
async fn plain_mqtt_on_the_tls_port_is_recognised_and_closed() {
    let refusals = Arc::new(Refusals::default());
    let authority = Authority::new("Test");
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_millis(400);
    let broker = Broker::builder()
        .workers(2)
        .limits(limits)
        .observer(Arc::<Refusals>::clone(&refusals))
        .listener(Listener::tls(address, server_config(&authority)))
        .listener(Listener::plain(address))
        .start()
        .await
        .unwrap();
    let (tls, plain) = (broker.addresses()[0], broker.addresses()[1]);
    let mut witness = Witness::new(plain).await;
    let mut wire = Wire::connect(tls).await;
    wire.send_raw(b"\x10\x0e\x00\x04MQTT\x04\x02\x00<\x00\x02c1").await;
    let answer = wire.raw_until_closed().await;
    assert!(answer.is_empty() || answer[0] == 0x15, "nothing, or a TLS alert: {answer:x?}");
    refusals.reach(1).await;
    // A ClientHello that does not go on.
    let mut wire = Wire::connect(tls).await;
    wire.send_raw(b"\x16\x03\x01\x02\x00\x01\x00").await;
    let answer = wire.raw_until_closed().await;
    assert!(answer.is_empty() || answer[0] == 0x15);
    refusals.reach(2).await;
    // Nothing at all.
    assert!(Wire::connect(tls).await.raw_until_closed().await.is_empty());
    refusals.reach(3).await;
    witness.is_served().await;
}
