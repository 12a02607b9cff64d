//! Statements about PUBLISH that the codec decides.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use bytes::{Bytes, BytesMut};
use common::*;
use gridmq_proto::codec::Role;
use gridmq_proto::packet::Publish;
use gridmq_proto::{OutgoingPublish, Packet, PacketId, QoS, ReasonCode as R, SharedMessage, TopicName};
use smallvec::SmallVec;

fn a_publish() -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        packet_id: None,
        topic: Some(TopicName::try_from("a").unwrap()),
        topic_alias: None,
        subscription_identifiers: SmallVec::new(),
        payload: Bytes::from_static(b"x"),
        properties: None,
    }
}

/// PUBLISH of "x" to "a" with those properties.
fn with(properties: &[u8]) -> Vec<u8> {
    packet(0x30, &[&field("a"), &[properties.len() as u8], properties, b"x"])
}

/// What a subscriber gets of the message in `bytes`.
fn forwarded(bytes: &[u8]) -> Publish {
    let Packet::Publish(mut publish) = from_client(V5, bytes) else { panic!() };
    let topic = publish.topic.take().unwrap();
    let message = publish.into_message(topic).detached();
    let outgoing = OutgoingPublish {
        message: SharedMessage::new(message),
        qos: QoS::AtLeastOnce,
        dup: false,
        retain: false,
        packet_id: Some(PacketId::MAX),
        topic_alias: None,
        subscription_identifiers: SmallVec::new(),
        message_expiry_interval: None,
    };
    let mut out = BytesMut::new();
    outgoing.encode(V5, None, &mut out).unwrap();
    let Packet::Publish(publish) = from_server(V5, &out) else { panic!() };
    publish
}

#[test]
fn mqtt5_3_3_1_2_and_mqtt311_3_3_1_2_and_mqtt5_4_3_1_1_and_mqtt311_4_3_1_1_no_dup_at_qos_0() {
    for version in [V3, V5] {
        for flags in [0x38, 0x39] {
            server_refuses(version, &[flags], "MQTT-3.3.1-2", R::MalformedPacket);
            client_refuses(version, &[flags], "MQTT-3.3.1-2", R::MalformedPacket);
        }
        let dup = Publish { dup: true, ..a_publish() };
        assert_eq!(forbidden(&Packet::Publish(dup), version), "MQTT-3.3.1-2");
        assert_eq!(encoded(&Packet::Publish(a_publish()), version)[0], 0x30);
    }
}

#[test]
fn mqtt5_3_3_1_4_and_mqtt311_3_3_1_4_qos_is_not_3() {
    for version in [V3, V5] {
        for flags in [0x36, 0x37, 0x3E, 0x3F] {
            server_refuses(version, &[flags], "MQTT-3.3.1-4", R::MalformedPacket);
            client_refuses(version, &[flags], "MQTT-3.3.1-4", R::MalformedPacket);
        }
    }
}

#[test]
fn mqtt5_3_3_2_1_and_mqtt311_3_3_2_1_the_topic_name_is_first_and_utf8() {
    let Packet::Publish(publish) = from_client(V3, b"\x32\x07\0\x01a\0\x02xy") else { panic!() };
    assert_eq!(publish.topic.unwrap().as_str(), "a");
    assert_eq!(publish.packet_id, PacketId::new(2));
    assert_eq!(&publish.payload[..], b"xy");
    server_refuses(V3, &packet(0x30, &[&field(b"\xFF")]), "MQTT-1.5.3-1", R::MalformedPacket);
    server_refuses(V5, &packet(0x30, &[&field(b"\xFF"), b"\0"]), "MQTT-1.5.4-1", R::MalformedPacket);
    for version in [V3, V5] {
        server_refuses(version, b"\x30\0", "§4.13.1", R::MalformedPacket);
        server_refuses(version, b"\x30\x02\0\x01", "§4.13.1", R::MalformedPacket);
    }
    server_refuses(V3, b"\x30\x02\0\0", "MQTT-4.7.3-1", R::ProtocolError);
    server_refuses(V5, b"\x30\x03\0\0\0", "MQTT-4.7.3-1", R::ProtocolError);
    let nothing = Publish { topic: None, ..a_publish() };
    assert_eq!(forbidden(&Packet::Publish(nothing), V5), "MQTT-4.7.3-1");
}

#[test]
fn mqtt5_3_3_2_2_and_mqtt311_3_3_2_2_no_wildcard_in_a_topic_name() {
    for topic in ["#", "+", "a/#", "a/+/b", "a+", "a#b"] {
        server_refuses(V3, &packet(0x30, &[&field(topic)]), "MQTT-3.3.2-2", R::TopicNameInvalid);
        server_refuses(V5, &packet(0x30, &[&field(topic), b"\0"]), "MQTT-3.3.2-2", R::TopicNameInvalid);
        client_refuses(V5, &packet(0x30, &[&field(topic), b"\0"]), "MQTT-3.3.2-2", R::TopicNameInvalid);
    }
}

#[test]
fn mqtt5_3_3_2_4_the_payload_format_indicator_is_sent_unaltered() {
    assert_eq!(forwarded(&with(b"\x01\x00")).properties.unwrap().payload_format_indicator, Some(false));
    assert_eq!(forwarded(&with(b"\x01\x01")).properties.unwrap().payload_format_indicator, Some(true));
    assert_eq!(forwarded(&with(b"")).properties, None);
    server_refuses(V5, &with(b"\x01\x02"), "§2.2.2.2", R::ProtocolError);
}

#[test]
fn mqtt5_3_3_2_8_a_topic_alias_is_not_zero() {
    server_refuses(V5, &with(b"\x23\0\0"), "MQTT-3.3.2-8", R::TopicAliasInvalid);
    client_refuses(V5, &with(b"\x23\0\0"), "MQTT-3.3.2-8", R::TopicAliasInvalid);
    let Packet::Publish(publish) = from_client(V5, &with(b"\x23\xFF\xFF")) else { panic!() };
    assert_eq!(publish.topic_alias.map(u16::from), Some(0xFFFF));
}

#[test]
fn mqtt5_3_3_2_13_the_response_topic_is_utf8() {
    server_refuses(V5, &with(b"\x08\0\x01\xFF"), "MQTT-1.5.4-1", R::MalformedPacket);
    server_refuses(V5, &with(b"\x08\0\x01\0"), "MQTT-4.7.3-2", R::MalformedPacket);
    server_refuses(V5, &with(b"\x08\0\0"), "MQTT-4.7.3-1", R::TopicNameInvalid);
}

#[test]
fn mqtt5_3_3_2_14_no_wildcard_in_a_response_topic() {
    for topic in ["#", "r/+", "+/r"] {
        let property = [&[0x08][..], &field(topic)].concat();
        server_refuses(V5, &with(&property), "MQTT-3.3.2-14", R::ProtocolError);
    }
}

#[test]
fn mqtt5_3_3_2_15_and_mqtt5_3_3_2_16_and_mqtt5_3_3_2_20_response_topic_correlation_data_and_content_type_are_sent_unaltered()
 {
    let found = forwarded(&with(b"\x03\0\x03a/b\x08\0\x03r/s\x09\0\x03\0\xFF\x01")).properties.unwrap();
    assert_eq!(found.content_type.as_deref(), Some("a/b"));
    assert_eq!(found.response_topic.unwrap().as_str(), "r/s");
    assert_eq!(found.correlation_data.as_deref(), Some(&[0, 0xFF, 1][..]));
}

#[test]
fn mqtt5_3_3_2_17_and_mqtt5_3_3_2_18_user_properties_are_sent_unaltered_and_in_order() {
    let found = forwarded(&with(b"\x26\0\x01b\0\x011\x26\0\x01a\0\x00\x26\0\x01b\0\x010\x26\0\x00\0\x01v")).properties;
    let found = found.unwrap().user_properties;
    let found: Vec<_> = found.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(found, [("b", "1"), ("a", ""), ("b", "0"), ("", "v")]);
}

#[test]
fn mqtt5_3_3_2_19_the_content_type_is_utf8() {
    server_refuses(V5, &with(b"\x03\0\x01\xFF"), "MQTT-1.5.4-1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_3_4_6_no_subscription_identifier_from_a_client() {
    server_refuses(V5, &with(b"\x0B\x01"), "MQTT-3.3.4-6", R::ProtocolError);
    let Packet::Publish(publish) = from_server(V5, &with(b"\x0B\x01\x0B\xFF\x7F")) else { panic!() };
    let found: Vec<_> = publish.subscription_identifiers.iter().map(|id| id.get()).collect();
    assert_eq!(found, [1, 16_383]);
    assert!(decode(Role::Client, V5, &with(b"\x0B\x00")).is_err());
}

#[test]
fn properties_of_a_publish_stand_once_and_are_its_own() {
    for twice in [&b"\x01\x00\x01\x00"[..], b"\x02\0\0\0\x01\x02\0\0\0\x01", b"\x23\0\x01\x23\0\x01"] {
        server_refuses(V5, &with(twice), "§2.2.2.2", R::ProtocolError);
    }
    for others in [&b"\x11\0\0\0\x01"[..], b"\x18\0\0\0\x01", b"\x1F\0\0", b"\x24\x01", b"\x21\0\x01"] {
        server_refuses(V5, &with(others), "§2.2.2.2", R::MalformedPacket);
    }
    server_refuses(V5, &with(b"\x02\0\0"), "§4.13.1", R::MalformedPacket);
}
