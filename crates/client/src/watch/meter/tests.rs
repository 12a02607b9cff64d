use super::*;
use gridmq_proto::message::SharedMessage;
use gridmq_proto::packet::Ack;
use gridmq_proto::session::Unsent;
use gridmq_proto::{Message, ReasonCode, TopicName};
use std::time::Duration;

fn publish(id: u16) -> OutgoingPublish {
    let topic: TopicName = "a".try_into().unwrap();
    OutgoingPublish {
        message: SharedMessage::new(Message::new(topic, "x".into())),
        qos: if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
        dup: false,
        retain: false,
        packet_id: PacketId::new(id),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        message_expiry_interval: None,
    }
}

fn puback(id: u16) -> Packet {
    Packet::PubAck(Ack::new(PacketId::new(id).unwrap(), ReasonCode::Success))
}

fn meter() -> Meter {
    Meter::new(Arc::default(), None)
}

const fn at(millis: u64) -> Monotonic {
    Monotonic::from_micros(millis * 1000)
}

#[test]
fn round_trips_are_timed_per_identifier() {
    let mut meter = meter();
    meter.published(&publish(1), 5, at(0));
    meter.published(&publish(2), 5, at(3));
    // One that was never sent, one twice.
    for id in [9, 2, 2, 1] {
        meter.received(&puback(id), 4, at(6));
    }
    let times = *meter.metrics().snapshot().round_trip(Exchange::Publish);
    assert_eq!((times.count(), times.sum()), (2, Duration::from_millis(9)));
    assert_eq!(times.quantile(0.5), Some(Duration::from_millis(5)));
    assert_eq!(times.quantile(1.0), Some(Duration::from_millis(10)));
}

#[test]
fn of_many_in_flight_some_are_timed_and_none_wrongly() {
    let mut meter = meter();
    for id in 1..=1000 {
        meter.published(&publish(id), 5, at(0));
    }
    for id in (1..=1000).rev() {
        meter.received(&puback(id), 4, at(1));
    }
    let times = *meter.metrics().snapshot().round_trip(Exchange::Publish);
    assert_eq!((times.count(), times.sum()), (64, Duration::from_millis(64)));
}

#[test]
fn the_oldest_ping_is_timed() {
    let mut meter = meter();
    meter.received(&Packet::PingResp, 2, at(0));
    meter.sent(&Packet::PingReq, 2, at(0));
    // The second is not timed: the answer is the first one's.
    meter.sent(&Packet::PingReq, 2, at(2));
    meter.received(&Packet::PingResp, 2, at(2));
    let pings = *meter.metrics().snapshot().round_trip(Exchange::Ping);
    assert_eq!((pings.count(), pings.sum()), (1, Duration::from_millis(2)));
}

#[test]
fn packets_reach_the_metrics_when_flushed() {
    let mut meter = meter();
    meter.published(&publish(0), 7, at(0));
    meter.published(&publish(1), 9, at(0));
    meter.received(&puback(1), 4, at(0));
    let message = || SharedMessage::new(Message::new("a".try_into().unwrap(), "x".into()));
    let settled = |qos, end| Event::Published { position: 7, qos, end };
    let refused = Settled::Refused { reason: ReasonCode::QuotaExceeded, properties: None, message: message() };
    meter.event(&settled(QoS::AtLeastOnce, refused));
    let expired = Settled::Unsent { why: Unsent::Expired, maybe_sent: false, message: message() };
    meter.event(&settled(QoS::ExactlyOnce, expired));
    // Counted as it went out.
    let sent = Settled::Taken { reason: ReasonCode::Success, properties: None };
    meter.event(&settled(QoS::AtMostOnce, sent));
    assert_eq!(meter.metrics().snapshot().packets(Direction::Sent, PacketType::Publish), 0);
    meter.flush();
    meter.flush();
    let snapshot = meter.metrics().snapshot();
    assert_eq!(snapshot.packets(Direction::Sent, PacketType::Publish), 2);
    assert_eq!(snapshot.bytes(Direction::Sent, PacketType::Publish), 16);
    assert_eq!(snapshot.bytes(Direction::Received, PacketType::PubAck), 4);
    assert_eq!(snapshot.packets(Direction::Received, PacketType::Publish), 0);
    assert_eq!(snapshot.messages(MessageFate::Refused, QoS::AtLeastOnce), 1);
    assert_eq!(snapshot.messages(MessageFate::Dropped, QoS::ExactlyOnce), 1);
    assert_eq!(snapshot.messages(MessageFate::Acknowledged, QoS::AtLeastOnce), 0);
    assert_eq!(snapshot.messages(MessageFate::Acknowledged, QoS::AtMostOnce), 1);
}
