use bytes::BytesMut;
use gridmq_proto::codec::Decoder;
use gridmq_proto::packet::SubscribeOptions;
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};

use super::HELD;
use crate::measure::{Bench, Peer};
use crate::worker::publish::tests::{bytes, enter, publish, subscribe};

const SUBSCRIBERS: usize = 5;

/// Subscribers to `all` on two workers, and two publishers on the first.
struct Hall {
    bench: Bench,
    subscribers: Vec<Peer>,
    publishers: Vec<Peer>,
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

/// Payloads of messages, and reason codes of acknowledgements.
fn read(mut sent: BytesMut) -> Vec<String> {
    let mut decoder = Decoder::for_client(Version::V5, 1 << 16);
    let mut all = Vec::new();
    while let Some(packet) = decoder.decode(&mut sent).unwrap() {
        match packet {
            Packet::Publish(publish) => all.push(String::from_utf8(publish.payload.to_vec()).unwrap()),
            Packet::PubAck(ack) => all.push(format!("{:?}", ack.reason)),
            _ => {}
        }
    }
    all
}

impl Hall {
    fn new() -> Self {
        let mut bench = Bench::new(2);
        let mut subscribers: Vec<_> =
            (0..SUBSCRIBERS).map(|at| enter(&mut bench, at % 2, &format!("subscriber {at}"))).collect();
        for peer in &mut subscribers {
            let options = SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() };
            bench.turn(peer, &bytes(&subscribe(id(1), "all", options)));
        }
        bench.turn(&mut subscribers[0], &bytes(&subscribe(id(2), "one", SubscribeOptions::default())));
        let publishers = (0..2).map(|at| enter(&mut bench, 0, &format!("publisher {at}"))).collect();
        bench.settle();
        bench.send_slowly(1);
        Self { bench, subscribers, publishers }
    }

    fn publish(&mut self, publisher: usize, packets: &[Packet]) -> Vec<String> {
        let all: Vec<u8> = packets.iter().flat_map(|packet| bytes(packet).to_vec()).collect();
        read(self.bench.turn(&mut self.publishers[publisher], &all))
    }

    fn received(&mut self) -> Vec<Vec<String>> {
        self.subscribers.iter_mut().map(|peer| read(self.bench.turn(peer, &[]))).collect()
    }
}

fn all(messages: &[&str]) -> Vec<Vec<String>> {
    vec![messages.iter().map(|&message| message.to_owned()).collect(); SUBSCRIBERS]
}

#[test]
fn its_publisher_waits_and_nobody_else() {
    let mut hall = Hall::new();
    let message = |number: u16| publish(id(number), "all", &number.to_string(), QoS::AtLeastOnce, false);
    assert!(hall.publish(0, &[message(1), message(2)]).is_empty());
    assert_eq!(hall.received(), all(&[]), "no round has been");
    hall.publish(1, &[publish(id(1), "one", "between", QoS::AtMostOnce, false)]);
    assert_eq!(hall.received()[0], ["between"]);
    hall.bench.settle();
    assert_eq!(hall.received(), all(&["1"]));
    assert_eq!(hall.publish(0, &[]), [format!("{:?}", ReasonCode::Success)], "acknowledged, and the next one is read");
    hall.bench.settle();
    assert_eq!(hall.received(), all(&["2"]));
    assert_eq!(hall.publish(0, &[]), [format!("{:?}", ReasonCode::Success)]);
}

#[test]
fn the_end_of_its_publisher_takes_nothing_from_anybody() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut hall = Hall::new();
        hall.publish(0, &[publish(id(1), "all", "last words", qos, false)]);
        let publisher = hall.publishers.remove(0);
        hall.bench.close(&publisher);
        // The same client once more.
        hall.publishers.insert(0, enter(&mut hall.bench, 0, "publisher 0"));
        hall.publish(0, &[publish(id(1), "all", "first words", qos, false)]);
        hall.bench.settle();
        assert_eq!(hall.received(), all(&["last words", "first words"]));
    }
}

#[test]
fn a_subscriber_that_moves_meanwhile_misses_nothing() {
    let mut hall = Hall::new();
    hall.publish(0, &[publish(id(1), "all", "for all", QoS::AtLeastOnce, false)]);
    // Its successor on the other worker takes the session over, and has no part in what was before.
    let mut other = enter(&mut hall.bench, 1, "subscriber 0");
    hall.bench.settle();
    assert!(read(hall.bench.turn(&mut other, &[])).is_empty());
    hall.subscribers.remove(0);
    assert_eq!(hall.received(), all(&["for all"])[1..]);
    assert_eq!(hall.publish(0, &[]), [format!("{:?}", ReasonCode::Success)]);
}

#[test]
fn what_waits_is_bounded() {
    let mut hall = Hall::new();
    hall.publish(0, &[publish(id(1), "all", "in rounds", QoS::AtMostOnce, false)]);
    assert_eq!(*hall.bench.held(), SUBSCRIBERS);
    *hall.bench.held() += HELD - SUBSCRIBERS;
    // There is no room to have this one wait too.
    hall.publish(1, &[publish(id(1), "all", "at once", QoS::AtMostOnce, false)]);
    hall.bench.carry();
    assert_eq!(hall.received(), all(&["at once"]));
    hall.bench.settle();
    assert_eq!(hall.received(), all(&["in rounds"]));
    assert_eq!(*hall.bench.held(), HELD - SUBSCRIBERS);
}
