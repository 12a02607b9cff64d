//! Inspectors see every packet, and secrets only on demand.
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
use std::sync::{Arc, Mutex};

use gridmq_client::inspect::{Direction, Inspected, Inspector, Log};
use gridmq_client::{QoS, ReasonCode, Version};
use gridmq_proto::packet::{Ack, Packet, PacketType};
use support::{builder, bytes_of, connected_with};

type Seen = (Direction, PacketType, usize, String, Option<Packet>);

/// Remembers what it saw.
#[derive(Debug, Default)]
struct Witness {
    secrets: bool,
    seen: Mutex<Vec<Seen>>,
}

impl Inspector for Witness {
    fn packet(&self, direction: Direction, packet: &Inspected<'_>) {
        let seen = (direction, packet.packet_type(), packet.size(), packet.to_string(), packet.with_secrets());
        self.seen.lock().unwrap().push(seen);
    }

    fn exposes_secrets(&self) -> bool {
        self.secrets
    }
}

async fn session(witness: &Arc<Witness>) {
    let inspector = Arc::clone(witness) as Arc<dyn Inspector>;
    let options = builder().username("me").password("hunter2").inspector(inspector);
    let (client, mut server) = connected_with(Version::V5, options, <_>::default()).await;
    let serve = async {
        let publish = server.publish().await;
        let ack = Packet::PubAck(Ack::new(publish.packet_id.unwrap(), ReasonCode::Success));
        server.send(ack).await;
        bytes_of(&Packet::Publish(publish), Version::V5).len()
    };
    let publish = client.publish("a/b", "hunter2").qos(QoS::AtLeastOnce).into_future();
    let (published, length) = tokio::join!(publish, serve);
    published.unwrap();
    let seen = witness.seen.lock().unwrap();
    let packets: Vec<_> = seen.iter().map(|(direction, kind, ..)| (*direction, *kind)).collect();
    let (sent, received) = (Direction::Sent, Direction::Received);
    use PacketType::{ConnAck, Connect, PubAck, Publish};
    assert_eq!(packets, [(sent, Connect), (received, ConnAck), (sent, Publish), (received, PubAck)]);
    assert_eq!((seen[2].2, seen[3].2), (length, 4));
    for (.., line, _) in seen.iter() {
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[tokio::test]
async fn every_packet_is_seen_in_order_and_without_secrets() {
    let witness = Arc::default();
    session(&witness).await;
    assert!(witness.seen.lock().unwrap().iter().all(|(.., packet)| packet.is_none()));
}

#[tokio::test]
async fn secrets_are_given_to_those_who_ask() {
    let witness = Arc::new(Witness { secrets: true, ..Witness::default() });
    session(&witness).await;
    let seen = witness.seen.lock().unwrap();
    assert!(matches!(&seen[0].4, Some(Packet::Connect(connect)) if connect.password.as_deref() == Some(b"hunter2")));
    assert!(matches!(&seen[2].4, Some(Packet::Publish(publish)) if &publish.payload[..] == b"hunter2"));
}

#[tokio::test]
async fn the_log_disturbs_nothing() {
    let (client, mut server) =
        connected_with(Version::V5, builder().inspector(Arc::new(Log)).log_name("probe 7"), <_>::default()).await;
    client.publish("a", "1").await.unwrap();
    assert_eq!(&server.publish().await.payload[..], b"1");
}
