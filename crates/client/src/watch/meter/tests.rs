use super::*;
use gridmq_proto::message::SharedMessage;
use gridmq_proto::packet::Ack;
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

#[tokio::test(start_paused = true)]
async fn round_trips_are_timed_per_identifier() {
    let mut meter = meter();
    meter.published(&publish(1), 5);
    tokio::time::advance(Duration::from_millis(3)).await;
    meter.published(&publish(2), 5);
    tokio::time::advance(Duration::from_millis(3)).await;
    // One that was never sent, one twice.
    for id in [9, 2, 2, 1] {
        meter.received(&puback(id), 4);
    }
    let times = *meter.metrics().snapshot().round_trip(Exchange::Publish);
    assert_eq!((times.count(), times.sum()), (2, Duration::from_millis(9)));
    assert_eq!(times.quantile(0.5), Some(Duration::from_millis(5)));
    assert_eq!(times.quantile(1.0), Some(Duration::from_millis(10)));
}

#[tokio::test(start_paused = true)]
async fn of_many_in_flight_some_are_timed_and_none_wrongly() {
    let mut meter = meter();
    for id in 1..=1000 {
        meter.published(&publish(id), 5);
    }
    tokio::time::advance(Duration::from_millis(1)).await;
    for id in (1..=1000).rev() {
        meter.received(&puback(id), 4);
    }
    let times = *meter.metrics().snapshot().round_trip(Exchange::Publish);
    assert_eq!((times.count(), times.sum()), (64, Duration::from_millis(64)));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_ping_is_timed() {
    let mut meter = meter();
    meter.received(&Packet::PingResp, 2);
    meter.sent(&Packet::PingReq, 2);
    tokio::time::advance(Duration::from_millis(2)).await;
    // The second is not timed: the answer is the first one's.
    meter.sent(&Packet::PingReq, 2);
    meter.received(&Packet::PingResp, 2);
    let pings = *meter.metrics().snapshot().round_trip(Exchange::Ping);
    assert_eq!((pings.count(), pings.sum()), (1, Duration::from_millis(2)));
}

#[tokio::test]
async fn packets_reach_the_metrics_when_flushed() {
    let mut meter = meter();
    meter.published(&publish(0), 7);
    meter.published(&publish(1), 9);
    meter.received(&puback(1), 4);
    let published = Event::Published { position: 7, reason: ReasonCode::QuotaExceeded };
    meter.event(&published, Some(QoS::AtLeastOnce));
    meter.event(&published, None);
    assert_eq!(meter.metrics().snapshot().packets(Direction::Sent, PacketType::Publish), 0);
    meter.flush();
    meter.flush();
    let snapshot = meter.metrics().snapshot();
    assert_eq!(snapshot.packets(Direction::Sent, PacketType::Publish), 2);
    assert_eq!(snapshot.bytes(Direction::Sent, PacketType::Publish), 16);
    assert_eq!(snapshot.bytes(Direction::Received, PacketType::PubAck), 4);
    assert_eq!(snapshot.packets(Direction::Received, PacketType::Publish), 0);
    assert_eq!(snapshot.messages(Outcome::Refused, QoS::AtLeastOnce), 1);
    assert_eq!(snapshot.messages(Outcome::Acknowledged, QoS::AtLeastOnce), 0);
    assert_eq!(snapshot.messages(Outcome::Acknowledged, QoS::AtMostOnce), 1);
}
