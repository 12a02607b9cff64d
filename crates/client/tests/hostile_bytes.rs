//! A server that says anything at all, and closes anywhere.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::future::IntoFuture;
use std::num::NonZeroU16;
use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_client::error::{ConnectErrorKind, DisconnectKind, Stage};
use gridmq_client::{Client, ConnectError, QoS, ReasonCode, Version};
use gridmq_proto::packet::{Ack, AckProperties, ConnAck, ConnAckProperties, Packet, SubAck};
use gridmq_proto::{PacketId, vectors};
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{Identity, ServerConfig, TlsVersion, Trust};
use support::{bounded, builder, bytes_of, connected_with, message, over, pair};
use tokio::io::AsyncReadExt as _;

const BOTH: [Version; 2] = [Version::V5, Version::V3_1_1];

fn connack(version: Version) -> Vec<u8> {
    let properties = if version.is_v5() {
        ConnAckProperties {
            receive_maximum: NonZeroU16::new(20),
            assigned_client_identifier: Some("assigned".into()),
            reason_string: Some("welcome".into()),
            user_properties: vec![("k".into(), "v".into())],
            ..ConnAckProperties::default()
        }
    } else {
        ConnAckProperties::default()
    };
    let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties };
    bytes_of(&Packet::ConnAck(Box::new(ack)), version)
}

/// Connects to a server that answers CONNECT with these bytes and closes.
async fn answered(version: Version, bytes: &[u8]) -> Result<Client, ConnectError> {
    let (connect, mut server) = pair(version);
    let serve = async {
        server.connect().await;
        server.raw(bytes).await;
        server.hang_up().await;
    };
    let (answer, ()) = bounded("the answer", async { tokio::join!(connect(builder()), serve) }).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn closing_at_each_byte_of_connack() {
    for version in BOTH {
        let whole = connack(version);
        for part in 0..whole.len() {
            let error = answered(version, &whole[..part]).await.expect_err("half a CONNACK");
            assert_eq!(error.stage(), Stage::Connect);
            assert!(matches!(error.kind(), ConnectErrorKind::Closed), "{part} of {}: {error}", whole.len());
        }
        // One that takes us and leaves in the same breath has refused us, unless we are quicker.
        match answered(version, &whole).await {
            Ok(client) => assert!(matches!(over(&client).await.kind(), DisconnectKind::Closed)),
            Err(error) => assert!(matches!(error.kind(), ConnectErrorKind::Closed), "{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn closing_at_each_byte_of_a_message() {
    for version in BOTH {
        let whole = bytes_of(&Packet::Publish(message("a/b", "payload", QoS::AtLeastOnce, 3)), version);
        for part in 0..=whole.len() {
            let (client, mut server) = connected_with(version, builder(), <_>::default()).await;
            let mut messages = client.messages();
            tokio::task::yield_now().await;
            server.raw(&whole[..part]).await;
            server.hang_up().await;
            let got = bounded("the stream", messages.next()).await;
            assert_eq!(got.is_some(), part == whole.len());
            assert!(matches!(over(&client).await.kind(), DisconnectKind::Closed), "{part}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_changed_byte_of_connack_is_a_connection_or_a_typed_error() {
    for version in BOTH {
        let whole = connack(version);
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[place] ^= 1 << bit;
                match answered(version, &changed).await {
                    // What still makes sense is believed.
                    Ok(client) => drop(over(&client).await),
                    Err(error) => assert_eq!(error.stage(), Stage::Connect, "{place}.{bit}: {error}"),
                }
            }
        }
    }
}

/// Splitmix.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_for_an_answer_is_a_typed_error() {
    for seed in 0..2000 {
        let version = BOTH[seed as usize % 2];
        let garbage = Random(seed).bytes(200);
        match answered(version, &garbage).await {
            Ok(client) => drop(over(&client).await),
            Err(error) => assert_eq!(error.stage(), Stage::Connect, "seed {seed}: {error}"),
        }
    }
}

/// Valid packets, some of them in the wrong place, and bytes of them changed, left out and put in twice.
fn mangled(seed: u64, version: Version) -> Vec<u8> {
    let mut random = Random(seed);
    let id = |n: u16| PacketId::new(n).unwrap();
    let mut stream = Vec::new();
    for _ in 0..random.below(8) + 1 {
        let n = random.below(4) as u16 + 1;
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][random.below(3)];
        let ack = Ack::new(id(n), ReasonCode::Success);
        let packet = match random.below(9) {
            0..=2 => Packet::Publish(message("a/b", "payload", qos, n)),
            3 => Packet::PubAck(ack),
            4 => Packet::PubRec(ack),
            5 => Packet::PubRel(ack),
            6 => Packet::PubComp(ack),
            7 => Packet::PingResp,
            _ => Packet::SubAck(SubAck {
                packet_id: id(n),
                properties: AckProperties::default(),
                reasons: vec![ReasonCode::GRANTED_QOS_0],
            }),
        };
        stream.extend(bytes_of(&packet, version));
    }
    for _ in 0..random.below(3) {
        let place = random.below(stream.len());
        match random.below(4) {
            0 => stream[place] ^= 1 << random.below(8),
            1 => stream[place] = random.next() as u8,
            2 => drop(stream.remove(place)),
            _ => stream.insert(place, stream[place]),
        }
    }
    stream
}

#[tokio::test(start_paused = true)]
async fn a_mangled_stream_ends_the_connection_or_does_not_matter() {
    for seed in 0..2000 {
        let version = BOTH[seed as usize % 2];
        let (client, mut server) = connected_with(version, builder().receive_maximum(10), <_>::default()).await;
        let mut messages = client.messages();
        let publish = tokio::spawn(client.publish("p", "").qos(QoS::ExactlyOnce).into_future());
        let read = async { while messages.next().await.is_some() {} };
        let serve = async {
            server.raw(&mangled(seed, version)).await;
            server.hang_up().await;
        };
        bounded("a mangled stream", async { tokio::join!(read, serve) }).await;
        let _ = bounded("the message", publish).await.unwrap();
        let cause = over(&client).await;
        let fits = matches!(
            cause.kind(),
            DisconnectKind::Closed
                | DisconnectKind::Violation(_)
                | DisconnectKind::Server(_)
                | DisconnectKind::Network(_)
        );
        assert!(fits, "seed {seed}: {cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_packet_of_the_vectors_in_place_of_connack_and_after_it() {
    for version in BOTH {
        for vector in vectors::VECTORS {
            let bytes = vector.bytes;
            match answered(version, bytes).await {
                Ok(client) => drop(over(&client).await),
                Err(error) => assert_eq!(error.stage(), Stage::Connect, "{error}"),
            }
            let mut stream = connack(version);
            stream.extend_from_slice(bytes);
            let client = answered(version, &stream).await;
            if let Ok(client) = client {
                drop(over(&client).await);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn closing_at_each_byte_of_the_tls_handshake() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Closing Root", validity).unwrap();
    let issued = root.issue_server(["memory"], validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let trust = Trust::only_pem(root.certificate_pem().as_bytes()).unwrap();
    for tls in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let config = ServerConfig::builder().identity(identity.clone()).versions(tls).build().unwrap();
        let mut stages = Vec::new();
        for part in 0.. {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let (read, write) = tokio::io::split(near);
            let io = tokio::io::join(read.take(part), write);
            let serve = async {
                if let Ok((io, _)) = gridmq_tls::stream::accept(far, &config).await {
                    let mut server = support::Peer::new(io, Version::V5);
                    if let Some(Packet::Connect(_)) = server.next().await {
                        server.raw(&connack(Version::V5)).await;
                    }
                    while server.next().await.is_some() {}
                }
            };
            let options = Client::builder("mqtts://memory").client_id("tester").trust(trust.clone());
            let connect = async {
                let client = options.connect_over(io).await?;
                // Dropping it lets the server go too.
                drop(client);
                Ok::<_, ConnectError>(())
            };
            let (outcome, ()) = bounded("a handshake", async { tokio::join!(connect, serve) }).await;
            match outcome {
                Ok(()) => break,
                Err(error) => {
                    let typed = matches!(error.kind(), ConnectErrorKind::Tls(_) | ConnectErrorKind::Closed);
                    assert!(typed, "{tls:?}, {part} bytes: {error}");
                    stages.push(error.stage());
                }
            }
            assert!(part < 20_000, "a handshake that never ends");
        }
        assert!(stages.len() > 500, "{}", stages.len());
        // With TLS 1.3 the server judges our certificate behind the handshake, so that the last of it may count for either.
        assert!(stages[..stages.len() / 2].iter().all(|stage| *stage == Stage::Tls), "{stages:?}");
    }
}
