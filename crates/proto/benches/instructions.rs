//! Work whose instructions `cargo xtask callgrind` counts: each function below runs [`ROUNDS`] rounds of one case, and
//! its name is the name of the case. No clock, no randomness and no threads, so that every run counts the same.
//!
//! Run alone it does the work once and says nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement")]

use std::hint::black_box;
use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::packet::{Ack, AckProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Publish};
use gridmq_proto::packet::{SubAck, Subscribe, SubscribeFilter, SubscribeOptions};
use gridmq_proto::session::client::{Config, Connection, Event, Outgoing, Session};
use gridmq_proto::session::{Admitted, Output, QueueLimits};
use gridmq_proto::time::{Monotonic, Now, Wall};
use gridmq_proto::{
    Message, MessageProperties, OutgoingPublish, Packet, PacketId, QoS, ReasonCode, SharedMessage, TopicName, Version,
};

/// `cargo xtask callgrind` divides by this.
const ROUNDS: usize = 1000;
/// Messages under way at once.
const WINDOW: usize = 100;

fn now() -> Now {
    Now { monotonic: Monotonic::from_micros(1_000_000), wall: Wall::from_millis(1_790_000_000_000) }
}

fn topic() -> TopicName {
    TopicName::try_from("sites/building-7/sensors/temperature").unwrap()
}

fn message(size: usize) -> Message {
    Message::new(topic(), Bytes::from(vec![b'x'; size]))
}

fn with_properties(size: usize) -> Message {
    let mut message = message(size);
    let properties = MessageProperties {
        content_type: Some("application/json".into()),
        response_topic: Some(topic()),
        correlation_data: Some(Bytes::from_static(b"0123456789abcdef")),
        user_properties: vec![("region".into(), "north".into()), ("unit".into(), "celsius".into())],
        ..MessageProperties::default()
    };
    message.properties = Some(Box::new(properties));
    message
}

fn id(round: usize) -> PacketId {
    NonZeroU16::new((round % 65_535) as u16 + 1).unwrap()
}

fn publish(message: Message, qos: QoS, round: usize) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        packet_id: (qos != QoS::AtMostOnce).then(|| id(round)),
        topic: Some(message.topic),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: message.payload,
        properties: message.properties,
    }
}

fn ack(round: usize) -> Ack {
    Ack::new(id(round), ReasonCode::Success)
}

/// Encodes the same packet again and again.
#[inline(always)]
fn encode_rounds(packet: &Packet, version: Version) {
    let mut out = BytesMut::with_capacity(64 * 1024);
    for _ in 0..ROUNDS {
        encode(black_box(packet), version, None, &mut out).unwrap();
        if out.len() > 32 * 1024 {
            out.clear();
        }
    }
    black_box(out);
}

/// What the client encodes: a message of its own, each a new one.
#[inline(always)]
fn send_rounds(message: &Message, qos: QoS) {
    let mut out = BytesMut::with_capacity(64 * 1024);
    for round in 0..ROUNDS {
        let publish = OutgoingPublish {
            message: SharedMessage::new(black_box(message).clone()),
            qos,
            dup: false,
            retain: false,
            packet_id: (qos != QoS::AtMostOnce).then(|| id(round)),
            topic_alias: None,
            subscription_identifiers: <_>::default(),
            message_expiry_interval: None,
        };
        publish.encode(Version::V5, None, &mut out).unwrap();
        if out.len() > 32 * 1024 {
            out.clear();
        }
    }
    black_box(out);
}

fn begun(version: Version) -> Decoder {
    let mut decoder = Decoder::for_client(version, 1 << 20);
    decoder.set_version(version);
    decoder
}

fn bytes_of(packet: &Packet, version: Version) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(packet, version, None, &mut out).unwrap();
    out.to_vec()
}

/// Decodes the same packet again and again, as many as come in one read.
#[inline(always)]
fn decode_rounds(packet: &Packet, version: Version) {
    let one = bytes_of(packet, version);
    let together = (16 * 1024 / one.len()).clamp(1, ROUNDS);
    let read = one.repeat(together);
    let mut decoder = begun(version);
    let mut done = 0;
    while done < ROUNDS {
        let mut buffer = BytesMut::from(&read[..]);
        while done < ROUNDS
            && let Some(packet) = decoder.decode(&mut buffer).unwrap()
        {
            black_box(packet);
            done += 1;
        }
    }
}

/// A client that a server has accepted.
fn connected() -> Connection {
    let connect = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 60,
        client_id: "sensor-7".into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    let config =
        Config { connect, connect_timeout: Duration::from_secs(30), receive_maximum: 256, outbound_topic_aliases: 0 };
    let mut machine = Connection::new(now(), config, Session::new(QueueLimits::default()));
    while !matches!(machine.poll_output(), Output::Timeout(_)) {}
    let accepted =
        ConnAck { session_present: false, reason: ReasonCode::Success, properties: ConnAckProperties::default() };
    machine.handle_packet(now(), Packet::ConnAck(Box::new(accepted)));
    while !matches!(machine.poll_output(), Output::Timeout(_)) {}
    machine
}

/// Encodes what the machine sends, and gives what it tells.
fn drain(machine: &mut Connection, out: &mut BytesMut, mut told: impl FnMut(&Event)) {
    loop {
        match machine.poll_output() {
            Output::Send(packet) => encode(&packet, Version::V5, None, out).unwrap(),
            Output::Publish(publish) => publish.encode(Version::V5, None, out).unwrap(),
            Output::Event(event) => told(&event),
            Output::Persist(_, _) | Output::Close(_) => panic!("nothing is stored, and nothing ends"),
            Output::Timeout(_) => return,
        }
    }
}

/// Publishes a window full, and has the server's answers handled: machine and codec, without I/O.
#[inline(always)]
fn publish_rounds(message: &Message, qos: QoS) {
    let mut machine = connected();
    let (mut out, mut answers) = (BytesMut::with_capacity(256 * 1024), BytesMut::with_capacity(64 * 1024));
    let mut decoder = begun(Version::V5);
    let (mut sent, mut done) = (0, 0);
    while sent < ROUNDS {
        let first = sent;
        for _ in 0..WINDOW {
            let outgoing = Outgoing { message: message.clone(), qos, retain: false };
            assert!(matches!(machine.publish(now(), outgoing), Ok(Admitted::Sent(_))), "the window is open");
            drain(&mut machine, &mut out, |_| {});
            sent += 1;
        }
        out.clear();
        let steps: &[fn(Ack) -> Packet] = match qos {
            QoS::AtMostOnce => &[],
            QoS::AtLeastOnce => &[Packet::PubAck],
            QoS::ExactlyOnce => &[Packet::PubRec, Packet::PubComp],
        };
        for step in steps {
            for round in first..sent {
                encode(&step(ack(round)), Version::V5, None, &mut answers).unwrap();
            }
            while let Some(packet) = decoder.decode(&mut answers).unwrap() {
                machine.handle_packet(now(), packet);
                drain(&mut machine, &mut out, |event| done += usize::from(matches!(event, Event::Published { .. })));
            }
            out.clear();
        }
    }
    assert!(qos == QoS::AtMostOnce || done == ROUNDS, "every message is acknowledged");
}

/// Receives messages and acknowledges them: machine and codec, without I/O.
#[inline(always)]
fn receive_rounds(message: &Message, qos: QoS) {
    let mut machine = connected();
    let mut decoder = begun(Version::V5);
    let (mut input, mut out) = (BytesMut::with_capacity(256 * 1024), BytesMut::with_capacity(64 * 1024));
    let (mut sent, mut got) = (0, 0);
    while sent < ROUNDS {
        let first = sent;
        for _ in 0..WINDOW {
            let packet = Packet::Publish(publish(message.clone(), qos, sent));
            encode(&packet, Version::V5, None, &mut input).unwrap();
            sent += 1;
        }
        for step in 0..=usize::from(qos == QoS::ExactlyOnce) {
            if step == 1 {
                for round in first..sent {
                    encode(&Packet::PubRel(ack(round)), Version::V5, None, &mut input).unwrap();
                }
            }
            while let Some(packet) = decoder.decode(&mut input).unwrap() {
                machine.handle_packet(now(), packet);
                let mut token = None;
                drain(&mut machine, &mut out, |event| {
                    if let Event::Message(incoming) = event {
                        token = incoming.token;
                        got += 1;
                    }
                });
                if let Some(token) = token {
                    machine.complete(now(), token, ReasonCode::Success);
                    drain(&mut machine, &mut out, |_| {});
                }
            }
        }
        out.clear();
    }
    assert_eq!(got, ROUNDS, "every message arrives");
}

macro_rules! cases {
    ($($name:ident: $work:expr;)*) => {
        $(#[inline(never)]
        fn $name() {
            $work
        })*

        fn main() {
            // Test runners ask what there is; nothing is.
            if std::env::args().any(|word| word == "--list") {
                return;
            }
            $($name();)*
        }
    };
}

cases! {
    case_encode_publish_qos0_16: encode_rounds(&Packet::Publish(publish(message(16), QoS::AtMostOnce, 0)), Version::V5);
    case_encode_publish_v311_qos1_256:
        encode_rounds(&Packet::Publish(publish(message(256), QoS::AtLeastOnce, 0)), Version::V3_1_1);
    case_encode_publish_qos1_properties_256:
        encode_rounds(&Packet::Publish(publish(with_properties(256), QoS::AtLeastOnce, 0)), Version::V5);
    case_encode_own_publish_qos0_16: send_rounds(&message(16), QoS::AtMostOnce);
    case_encode_own_publish_qos1_256: send_rounds(&message(256), QoS::AtLeastOnce);
    case_encode_own_publish_qos1_16384: send_rounds(&message(16_384), QoS::AtLeastOnce);
    case_encode_puback: encode_rounds(&Packet::PubAck(ack(0)), Version::V5);
    case_encode_pingreq: encode_rounds(&Packet::PingReq, Version::V5);
    case_encode_subscribe: encode_rounds(&Packet::Subscribe(subscribe()), Version::V5);
    case_decode_publish_qos0_16: decode_rounds(&Packet::Publish(publish(message(16), QoS::AtMostOnce, 0)), Version::V5);
    case_decode_publish_v311_qos1_256:
        decode_rounds(&Packet::Publish(publish(message(256), QoS::AtLeastOnce, 0)), Version::V3_1_1);
    case_decode_publish_qos1_properties_256:
        decode_rounds(&Packet::Publish(publish(with_properties(256), QoS::AtLeastOnce, 0)), Version::V5);
    case_decode_publish_qos1_16384:
        decode_rounds(&Packet::Publish(publish(message(16_384), QoS::AtLeastOnce, 0)), Version::V5);
    case_decode_puback: decode_rounds(&Packet::PubAck(ack(0)), Version::V5);
    case_decode_puback_reason: decode_rounds(&Packet::PubAck(refused()), Version::V5);
    case_decode_suback: decode_rounds(&Packet::SubAck(suback()), Version::V5);
    case_decode_pingresp: decode_rounds(&Packet::PingResp, Version::V5);
    case_publish_qos0_16: publish_rounds(&message(16), QoS::AtMostOnce);
    case_publish_qos1_16: publish_rounds(&message(16), QoS::AtLeastOnce);
    case_publish_qos2_16: publish_rounds(&message(16), QoS::ExactlyOnce);
    case_receive_qos0_16: receive_rounds(&message(16), QoS::AtMostOnce);
    case_receive_qos1_16: receive_rounds(&message(16), QoS::AtLeastOnce);
    case_receive_qos2_16: receive_rounds(&message(16), QoS::ExactlyOnce);
}

fn subscribe() -> Subscribe {
    let filter = SubscribeFilter {
        filter: "sites/+/sensors/#".try_into().unwrap(),
        options: SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() },
    };
    Subscribe { packet_id: id(0), subscription_identifier: None, user_properties: Vec::new(), filters: vec![filter] }
}

fn suback() -> SubAck {
    SubAck { packet_id: id(0), properties: AckProperties::default(), reasons: vec![ReasonCode::GrantedQos1] }
}

fn refused() -> Ack {
    let words = AckProperties { reason_string: Some("not here".into()), ..AckProperties::default() };
    Ack { properties: Some(Box::new(words)), ..Ack::new(id(0), ReasonCode::NotAuthorized) }
}
