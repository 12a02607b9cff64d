//! Statements about data types, the fixed header and packet identifiers, as far as the codec decides them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use bytes::BytesMut;
use common::*;
use gridmq_proto::codec::{Decoder, Role};
use gridmq_proto::packet::{Ack, PacketType, Publish, SubAck, UnsubAck, Unsubscribe};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode as R, TopicName};

/// PUBLISH at QoS 0 with that topic, and with properties on MQTT 5.0.
fn publish(version: gridmq_proto::Version, topic: &[u8], properties: &[u8]) -> Vec<u8> {
    if version.is_v5() {
        packet(0x30, &[&field(topic), &[properties.len() as u8], properties])
    } else {
        packet(0x30, &[&field(topic)])
    }
}

#[test]
fn mqtt5_1_5_4_1_and_mqtt311_1_5_3_1_ill_formed_utf8_is_refused() {
    let ill_formed: [&[u8]; 8] = [
        b"\xFF",             // never a byte of UTF-8
        b"a\x80",            // continuation without a start
        b"\xC0\x80",         // overlong U+0000
        b"\xC1\xBF",         // overlong ASCII
        b"\xE2\x82",         // cut short
        b"\xED\xA0\x80",     // U+D800
        b"\xED\xBF\xBF",     // U+DFFF
        b"\xF4\x90\x80\x80", // above U+10FFFF
    ];
    for text in ill_formed {
        server_refuses(V5, &publish(V5, text, &[]), "MQTT-1.5.4-1", R::MalformedPacket);
        client_refuses(V3, &publish(V3, text, &[]), "MQTT-1.5.3-1", R::MalformedPacket);
        first_is_refused(&connect(V3, 0x02, &[&field(text)]), "MQTT-1.5.3-1", R::MalformedPacket);
    }
    // The code points around the surrogates, and non-characters, are fine.
    for text in ["\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10FFFF}"] {
        from_client(V5, &publish(V5, text.as_bytes(), &[]));
    }
}

#[test]
fn mqtt5_1_5_4_2_and_mqtt311_1_5_3_2_the_null_character_is_refused() {
    first_is_refused(&connect(V5, 0x02, &[&field("a\0b")]), "MQTT-1.5.4-2", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x02, &[&field("a\0b")]), "MQTT-1.5.3-2", R::MalformedPacket);
    let content_type = [&[0x03][..], &field("\0")].concat();
    server_refuses(V5, &publish(V5, b"a", &content_type), "MQTT-1.5.4-2", R::MalformedPacket);
    let ack = Ack {
        packet_id: PacketId::MIN,
        reason: R::Success,
        properties: Some(Box::new(gridmq_proto::packet::AckProperties {
            reason_string: Some("a\0".into()),
            user_properties: Vec::new(),
        })),
    };
    assert_eq!(forbidden(&Packet::PubAck(ack), V5), "MQTT-1.5.4-2");
}

#[test]
fn mqtt5_1_5_4_3_and_mqtt311_1_5_3_3_a_byte_order_mark_is_kept() {
    for version in [V3, V5] {
        let Packet::Publish(publish) = from_client(version, &publish(version, b"\xEF\xBB\xBFa", &[])) else { panic!() };
        assert_eq!(publish.topic.unwrap().as_str(), "\u{FEFF}a");
        let connect = connected(&connect(version, 0x02, &[&field(b"a\xEF\xBB\xBF")]));
        assert_eq!(&connect.client_id[..], "a\u{FEFF}");
    }
}

#[test]
fn mqtt5_1_5_5_1_lengths_take_the_fewest_bytes() {
    // As remaining length, as property length, as property identifier and as value.
    server_refuses(V5, &[0xC0, 0x80, 0x00], "MQTT-1.5.5-1", R::MalformedPacket);
    server_refuses(V5, &packet(0x30, &[&field("a"), &[0x80, 0x00]]), "MQTT-1.5.5-1", R::MalformedPacket);
    server_refuses(V5, &publish(V5, b"a", &[0x81, 0x00, 0x01]), "MQTT-1.5.5-1", R::MalformedPacket);
    client_refuses(V5, &publish(V5, b"a", &[0x0B, 0x81, 0x00]), "MQTT-1.5.5-1", R::MalformedPacket);
    // And what is encoded does, at each border.
    for (payload, head) in [(124, 2), (125, 3), (16_380, 3), (16_381, 4), (2_097_148, 4), (2_097_149, 5)] {
        let packet = Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            packet_id: None,
            topic: Some(TopicName::try_from("a").unwrap()),
            topic_alias: None,
            subscription_identifiers: Default::default(),
            payload: vec![0; payload].into(),
            properties: None,
        });
        let bytes = encoded(&packet, V3);
        assert_eq!(bytes.len(), head + 3 + payload);
        assert_eq!(from_server(V3, &bytes), packet);
    }
}

#[test]
fn mqtt5_1_5_7_1_both_strings_of_a_pair_are_utf8() {
    for (name, value) in [(&b"\xFF"[..], &b"v"[..]), (b"k", b"\xFF")] {
        let pair = [&[0x26][..], &field(name), &field(value)].concat();
        server_refuses(V5, &publish(V5, b"a", &pair), "MQTT-1.5.4-1", R::MalformedPacket);
    }
    for (name, value) in [("\0", "v"), ("k", "\0")] {
        let pair = [&[0x26][..], &field(name), &field(value)].concat();
        server_refuses(V5, &publish(V5, b"a", &pair), "MQTT-1.5.4-2", R::MalformedPacket);
    }
}

#[test]
fn mqtt5_2_1_3_1_and_mqtt311_2_2_2_1_and_mqtt311_2_2_2_2_reserved_flags_are_checked() {
    for version in [V3, V5] {
        for role in [Role::Server, Role::Client] {
            for kind in PacketType::ALL {
                let Some(right) = kind.reserved_flags() else { continue };
                for flags in (0..16).filter(|&flags| flags != right) {
                    let Err(violation) = decode(role, version, &[kind.as_u8() << 4 | flags, 0, 0]) else {
                        panic!("{kind} with flags {flags:04b} is let in")
                    };
                    // Some types do not go to this side at all.
                    if violation.statement() != "§2.1.2" {
                        assert_eq!(violation.reason(), R::MalformedPacket);
                    }
                }
            }
        }
    }
    server_refuses(V5, &[0x41], "MQTT-2.1.3-1", R::MalformedPacket);
    server_refuses(V3, &[0x41], "MQTT-2.2.2-1", R::MalformedPacket);
    client_refuses(V5, &[0xD8], "MQTT-2.1.3-1", R::MalformedPacket);
    client_refuses(V3, &[0x92], "MQTT-2.2.2-1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_6_1_1_and_mqtt311_3_6_1_1_flags_of_pubrel() {
    for version in [V3, V5] {
        server_refuses(version, &[0x60], "MQTT-3.6.1-1", R::MalformedPacket);
        client_refuses(version, &[0x63], "MQTT-3.6.1-1", R::MalformedPacket);
        assert_eq!(encoded(&Packet::PubRel(Ack::new(PacketId::MIN, R::Success)), version)[0], 0x62);
    }
}

#[test]
fn mqtt5_3_8_1_1_and_mqtt311_3_8_1_1_flags_of_subscribe() {
    for version in [V3, V5] {
        server_refuses(version, &[0x80], "MQTT-3.8.1-1", R::MalformedPacket);
        server_refuses(version, &[0x8A], "MQTT-3.8.1-1", R::MalformedPacket);
    }
}

#[test]
fn mqtt5_3_10_1_1_and_mqtt311_3_10_1_1_flags_of_unsubscribe() {
    for version in [V3, V5] {
        server_refuses(version, &[0xA0], "MQTT-3.10.1-1", R::MalformedPacket);
        let filters = vec!["a".try_into().unwrap()];
        let packet = Unsubscribe { packet_id: PacketId::MIN, user_properties: Vec::new(), filters };
        assert_eq!(encoded(&Packet::Unsubscribe(packet), version)[0], 0xA2);
    }
}

#[test]
fn mqtt5_3_14_1_1_flags_of_disconnect() {
    server_refuses(V5, &[0xE1], "MQTT-3.14.1-1", R::MalformedPacket);
    server_refuses(V3, &[0xE2], "MQTT-3.14.1-1", R::MalformedPacket);
    client_refuses(V5, &[0xE8], "MQTT-3.14.1-1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_15_1_1_flags_of_auth() {
    for flags in 1..16 {
        server_refuses(V5, &[0xF0 | flags], "MQTT-3.15.1-1", R::MalformedPacket);
        client_refuses(V5, &[0xF0 | flags], "MQTT-3.15.1-1", R::MalformedPacket);
    }
}

#[test]
fn mqtt5_2_2_1_2_and_mqtt311_2_3_1_5_no_packet_identifier_at_qos_0() {
    let bytes = packet(0x30, &[&field("a"), b"\0\x01"]);
    let Packet::Publish(publish) = from_client(V3, &bytes) else { panic!() };
    assert_eq!(publish.packet_id, None);
    assert_eq!(&publish.payload[..], b"\0\x01");
    let with_id = Packet::Publish(Publish { packet_id: Some(PacketId::MIN), ..publish });
    assert_eq!(forbidden(&with_id, V5), "MQTT-2.2.1-2");
}

#[test]
fn mqtt5_2_2_1_3_and_mqtt311_2_3_1_1_packet_identifiers_are_not_zero() {
    server_refuses(V5, &packet(0x32, &[&field("a"), b"\0\0\0"]), "MQTT-2.2.1-3", R::ProtocolError);
    server_refuses(V3, &packet(0x34, &[&field("a"), b"\0\0"]), "MQTT-2.3.1-1", R::ProtocolError);
    for first in [0x82, 0xA2] {
        server_refuses(V5, &packet(first, &[b"\0\0\0", &field("a"), b"\0"]), "MQTT-2.2.1-3", R::ProtocolError);
        server_refuses(V3, &packet(first, &[b"\0\0", &field("a"), b"\0"]), "MQTT-2.3.1-1", R::ProtocolError);
    }
    let without = Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: false,
        packet_id: None,
        topic: Some(TopicName::try_from("a").unwrap()),
        topic_alias: None,
        subscription_identifiers: Default::default(),
        payload: Default::default(),
        properties: None,
    });
    assert_eq!(forbidden(&without, V5), "MQTT-2.2.1-3");
}

#[test]
fn mqtt5_2_2_1_4_a_servers_packet_identifiers_are_not_zero() {
    client_refuses(V5, &packet(0x32, &[&field("a"), b"\0\0\0"]), "MQTT-2.2.1-4", R::ProtocolError);
    client_refuses(V3, &packet(0x32, &[&field("a"), b"\0\0"]), "MQTT-2.3.1-1", R::ProtocolError);
}

#[test]
fn mqtt5_2_2_1_5_and_mqtt311_2_3_1_6_acknowledgements_carry_an_identifier() {
    let id = PacketId::new(0xABCD).unwrap();
    for version in [V3, V5] {
        for (first, kind) in [(0x40, 0), (0x50, 1), (0x62, 2), (0x70, 3)] {
            let ack = Ack::new(id, R::Success);
            let whole = match kind {
                0 => Packet::PubAck(ack),
                1 => Packet::PubRec(ack),
                2 => Packet::PubRel(ack),
                _ => Packet::PubComp(ack),
            };
            assert_eq!(&encoded(&whole, version)[..], [first, 2, 0xAB, 0xCD]);
            assert_eq!(from_client(version, &[first, 2, 0xAB, 0xCD]), whole);
            let statement = if version.is_v5() { "MQTT-2.2.1-5" } else { "MQTT-2.3.1-6" };
            server_refuses(version, &[first, 2, 0, 0], statement, R::ProtocolError);
        }
    }
}

#[test]
fn mqtt5_2_2_1_6_and_mqtt311_2_3_1_7_suback_and_unsuback_carry_an_identifier() {
    let id = PacketId::new(0xABCD).unwrap();
    let suback = SubAck { packet_id: id, properties: Default::default(), reasons: vec![R::GrantedQos1] };
    assert_eq!(&encoded(&Packet::SubAck(suback.clone()), V3)[..], b"\x90\x03\xAB\xCD\x01");
    assert_eq!(&encoded(&Packet::SubAck(suback), V5)[..], b"\x90\x04\xAB\xCD\x00\x01");
    let unsuback = UnsubAck { packet_id: id, properties: Default::default(), reasons: Vec::new() };
    assert_eq!(&encoded(&Packet::UnsubAck(unsuback), V3)[..], b"\xB0\x02\xAB\xCD");
    client_refuses(V5, b"\x90\x04\0\0\0\x01", "MQTT-2.2.1-6", R::ProtocolError);
    client_refuses(V3, b"\xB0\x02\0\0", "MQTT-2.3.1-7", R::ProtocolError);
}

#[test]
fn mqtt5_2_2_2_1_no_properties_are_a_length_of_zero() {
    server_refuses(V5, &packet(0x30, &[&field("a")]), "§4.13.1", R::MalformedPacket);
    server_refuses(V5, &packet(0x82, &[b"\0\x01"]), "§4.13.1", R::MalformedPacket);
    client_refuses(V5, b"\x20\x02\0\0", "§4.13.1", R::MalformedPacket);
    let Packet::Publish(publish) = from_client(V5, &packet(0x30, &[&field("a"), b"\0x"])) else { panic!() };
    assert_eq!(publish.properties, None);
    assert_eq!(&encoded(&Packet::Publish(publish), V5)[..], b"\x30\x05\0\x01a\0x");
}

#[test]
fn mqtt5_3_1_0_1_and_mqtt311_3_1_0_1_the_first_packet_is_connect() {
    for kind in PacketType::ALL.into_iter().filter(|&kind| kind != PacketType::Connect) {
        let first = kind.as_u8() << 4 | kind.reserved_flags().unwrap_or(0);
        first_is_refused(&[first, 0x02, 0, 0, 0, 0, 0, 0], "MQTT-3.1.0-1", R::ProtocolError);
    }
    let mut decoder = Decoder::default();
    let mut buf = BytesMut::from(&connect(V3, 0x02, &[&field("a")])[..]);
    buf.extend_from_slice(b"\xC0\0");
    assert!(matches!(decoder.decode(&mut buf), Ok(Some(Packet::Connect(_)))));
    assert_eq!(decoder.decode(&mut buf), Ok(Some(Packet::PingReq)));
}

#[test]
fn mqtt5_3_1_2_24_and_mqtt5_3_2_2_15_packets_keep_to_the_receivers_maximum() {
    let ping = b"\xC0\0";
    let bytes = packet(0x30, &[&field("a"), b"\0", &[b'x'; 91]]);
    assert_eq!(bytes.len(), 97);
    for (maximum, fits) in [(97, true), (96, false)] {
        let mut server = decoder(Role::Server, V5);
        server.set_max_packet_size(maximum);
        let mut buf = BytesMut::from(&bytes[..]);
        let mut client = Decoder::for_client(V5, maximum);
        if fits {
            let publish = server.decode(&mut buf).unwrap().unwrap();
            assert!(encoded_within(&publish, V5, Some(maximum)).is_ok());
            assert!(encoded_within(&publish, V5, Some(maximum - 1)).is_err());
            assert!(client.decode(&mut BytesMut::from(&bytes[..])).is_ok());
        } else {
            // Two bytes suffice to refuse it.
            let violation = server.decode(&mut BytesMut::from(&bytes[..2])).unwrap_err();
            assert_eq!((violation.statement(), violation.reason()), ("MQTT-3.2.2-15", R::PacketTooLarge));
            let violation = client.decode(&mut buf).unwrap_err();
            assert_eq!((violation.statement(), violation.reason()), ("MQTT-3.1.2-24", R::PacketTooLarge));
        }
    }
    assert_eq!(from_client(V5, ping), Packet::PingReq);
}
