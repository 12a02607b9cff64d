//! Statements about CONNECT and CONNACK that the codec decides.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::*;
use gridmq_proto::packet::{ConnAck, ConnAckProperties, Connect};
use gridmq_proto::{ByteString, Packet, QoS, ReasonCode as R, Version};

fn will_fields() -> [Vec<u8>; 2] {
    [field("w/t"), field("bye")]
}

/// A CONNECT with everything that its payload can have.
fn full(version: Version) -> Connect {
    let [topic, payload] = will_fields();
    let will_properties: &[u8] = if version.is_v5() { b"\0" } else { b"" };
    connected(&connect(
        version,
        0b1110_1110,
        &[&field("id"), will_properties, &topic, &payload, &field("user"), &field("pass")],
    ))
}

fn connack(reason: R) -> ConnAck {
    ConnAck { session_present: false, reason, properties: ConnAckProperties::default() }
}

#[test]
fn mqtt5_3_1_2_1_and_mqtt311_3_1_2_1_the_protocol_name_is_mqtt() {
    for name in ["mqtt", "MQTT ", "MQT", "", "MQIsdpX", "AMQP"] {
        let bytes = packet(0x10, &[&field(name), &[4, 2, 0, 60], &field("id")]);
        first_is_refused(&bytes, "MQTT-3.1.2-1", R::UnsupportedProtocolVersion);
    }
    for (version, name, level) in [(V3_1, "MQIsdp", 3), (V3, "MQTT", 4), (V5, "MQTT", 5)] {
        let bytes = connect(version, 0x02, &[&field("id")]);
        let again = connected(&bytes);
        assert_eq!(again.version, version);
        assert_eq!(&encoded(&Packet::Connect(Box::new(again)), version)[..], bytes);
        assert!(bytes[2..].starts_with(&[&field(name)[..], &[level]].concat()));
    }
}

#[test]
fn mqtt5_3_1_2_2_and_mqtt311_3_1_2_2_an_unknown_level_is_refused() {
    for (name, level, answer) in
        [("MQTT", 3, V3), ("MQTT", 0, V3), ("MQTT", 6, V5), ("MQTT", 0x84, V3), ("MQTT", 0x85, V5), ("MQIsdp", 4, V3)]
    {
        let bytes = packet(0x10, &[&field(name), &[level, 2, 0, 60, 0], &field("id")]);
        let violation = first(&bytes).unwrap_err();
        assert_eq!(violation.statement(), "MQTT-3.1.2-2");
        assert_eq!(violation.reason(), R::UnsupportedProtocolVersion);
        assert_eq!(violation.reason().to_v3_connect_code(), Some(1));
        assert_eq!(violation.version(), Some(answer));
    }
}

#[test]
fn mqtt5_3_1_2_3_and_mqtt311_3_1_2_3_the_reserved_connect_flag_is_zero() {
    for version in [V3, V5] {
        first_is_refused(&connect(version, 0x03, &[&field("id")]), "MQTT-3.1.2-3", R::MalformedPacket);
    }
    // MQTT 3.1 does not use the bit.
    assert!(connected(&connect(V3_1, 0x03, &[&field("id")])).clean_start);
}

#[test]
fn mqtt5_3_1_2_9_and_mqtt311_3_1_2_9_a_will_has_its_fields() {
    for version in [V3, V5] {
        let will = full(version).will.unwrap();
        assert_eq!((will.message.topic.as_str(), &will.message.payload[..]), ("w/t", &b"bye"[..]));
        assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
        // Without topic, without payload, and on 5.0 without properties.
        let [topic, payload] = will_fields();
        let properties: &[u8] = if version.is_v5() { b"\0" } else { b"" };
        for fields in [&[&field("id")[..], properties][..], &[&field("id"), properties, &topic]] {
            first_is_refused(&connect(version, 0x06, fields), "§4.13.1", R::MalformedPacket);
        }
        if version.is_v5() {
            assert!(first(&connect(V5, 0x06, &[&field("id"), &topic, &payload])).is_err());
        }
    }
}

#[test]
fn mqtt311_3_1_2_11_without_a_will_there_are_no_fields_of_it() {
    let [topic, payload] = will_fields();
    first_is_refused(&connect(V3, 0x02, &[&field("id"), &topic, &payload]), "§4.13.1", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x0A, &[&field("id")]), "MQTT-3.1.2-13", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x22, &[&field("id")]), "MQTT-3.1.2-15", R::MalformedPacket);
}

#[test]
fn mqtt5_3_1_2_11_and_mqtt311_3_1_2_13_without_a_will_its_qos_is_zero() {
    for qos in 1..=3 {
        let flags = 0x02 | qos << 3;
        first_is_refused(&connect(V5, flags, &[&field("id")]), "MQTT-3.1.2-11", R::MalformedPacket);
        first_is_refused(&connect(V3, flags, &[&field("id")]), "MQTT-3.1.2-13", R::MalformedPacket);
    }
}

#[test]
fn mqtt5_3_1_2_12_and_mqtt311_3_1_2_14_a_wills_qos_is_not_3() {
    let [topic, payload] = will_fields();
    let v5 = [&field("id")[..], b"\0", &topic, &payload];
    let v3 = [&field("id")[..], &topic, &payload];
    for (bits, qos) in [(0, QoS::AtMostOnce), (1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
        assert_eq!(connected(&connect(V5, 0x06 | bits << 3, &v5)).will.unwrap().qos, qos);
        assert_eq!(connected(&connect(V3, 0x06 | bits << 3, &v3)).will.unwrap().qos, qos);
    }
    first_is_refused(&connect(V5, 0x1E, &v5), "MQTT-3.1.2-12", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x1E, &v3), "MQTT-3.1.2-14", R::MalformedPacket);
}

#[test]
fn mqtt5_3_1_2_13_and_mqtt311_3_1_2_15_without_a_will_its_retain_is_zero() {
    first_is_refused(&connect(V5, 0x22, &[&field("id")]), "MQTT-3.1.2-13", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x22, &[&field("id")]), "MQTT-3.1.2-15", R::MalformedPacket);
}

#[test]
fn mqtt5_3_1_2_16_and_mqtt311_3_1_2_18_without_its_flag_there_is_no_user_name() {
    for version in [V3, V5] {
        assert_eq!(connected(&connect(version, 0x02, &[&field("id")])).username, None);
        first_is_refused(&connect(version, 0x02, &[&field("id"), &field("user")]), "§4.13.1", R::MalformedPacket);
    }
}

#[test]
fn mqtt5_3_1_2_17_and_mqtt311_3_1_2_19_with_its_flag_there_is_a_user_name() {
    for version in [V3, V5] {
        let connect_ok = connected(&connect(version, 0x82, &[&field("id"), &field("user")]));
        assert_eq!(connect_ok.username.as_deref(), Some("user"));
        first_is_refused(&connect(version, 0x82, &[&field("id")]), "§4.13.1", R::MalformedPacket);
    }
    // MQTT 3.1: the length of the packet has the last word.
    assert_eq!(connected(&connect(V3_1, 0xC2, &[&field("id")])).username, None);
}

#[test]
fn mqtt5_3_1_2_18_and_mqtt311_3_1_2_20_without_its_flag_there_is_no_password() {
    for version in [V3, V5] {
        let fields = [&field("id")[..], &field("user"), &field("pass")];
        assert_eq!(connected(&connect(version, 0x82, &fields[..2])).password, None);
        first_is_refused(&connect(version, 0x82, &fields), "§4.13.1", R::MalformedPacket);
    }
}

#[test]
fn mqtt5_3_1_2_19_and_mqtt311_3_1_2_21_with_its_flag_there_is_a_password() {
    for version in [V3, V5] {
        let fields = [&field("id")[..], &field("user"), &field([0xFF, 0x00])];
        assert_eq!(connected(&connect(version, 0xC2, &fields)).password.as_deref(), Some(&[0xFF, 0x00][..]));
        first_is_refused(&connect(version, 0xC2, &fields[..2]), "§4.13.1", R::MalformedPacket);
    }
}

#[test]
fn mqtt311_3_1_2_22_no_password_without_a_user_name() {
    let fields = [&field("id")[..], &field("pass")];
    first_is_refused(&connect(V3, 0x42, &fields), "MQTT-3.1.2-22", R::MalformedPacket);
    let v5 = connected(&connect(V5, 0x42, &fields));
    assert_eq!((v5.username.as_deref(), v5.password.as_deref()), (None, Some(&b"pass"[..])));
    let v3 = Connect { version: V3, ..v5 };
    assert_eq!(forbidden(&Packet::Connect(Box::new(v3)), V3), "MQTT-3.1.2-22");
}

#[test]
fn mqtt5_3_1_3_1_and_mqtt311_3_1_3_1_the_payload_has_its_order() {
    for version in [V3, V5] {
        let connect = full(version);
        assert_eq!(&connect.client_id[..], "id");
        assert_eq!(connect.will.as_ref().unwrap().message.topic.as_str(), "w/t");
        assert_eq!(connect.username.as_deref(), Some("user"));
        assert_eq!(connect.password.as_deref(), Some(&b"pass"[..]));
        let bytes = encoded(&Packet::Connect(Box::new(connect.clone())), version);
        assert!(bytes.ends_with(b"\x00\x03w/t\x00\x03bye\x00\x04user\x00\x04pass"));
        assert_eq!(connected(&bytes), connect);
    }
}

#[test]
fn mqtt5_3_1_3_3_and_mqtt311_3_1_3_3_there_is_a_client_identifier_and_it_is_first() {
    for version in [V3, V5] {
        first_is_refused(&connect(version, 0x02, &[]), "§4.13.1", R::MalformedPacket);
        assert_eq!(&connected(&connect(version, 0x82, &[&field("first"), &field("second")])).client_id[..], "first");
    }
}

#[test]
fn mqtt5_3_1_3_4_and_mqtt311_3_1_3_4_the_client_identifier_is_utf8() {
    first_is_refused(&connect(V5, 0x02, &[&field(b"\xFF")]), "MQTT-1.5.4-1", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x02, &[&field(b"\xFF")]), "MQTT-1.5.3-1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_1_3_5_and_mqtt311_3_1_3_5_client_identifiers_of_1_to_23_letters_and_digits_are_allowed() {
    let all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for version in [V3_1, V3, V5] {
        for length in 1..=23 {
            for start in [0, 10, 36, all.len() - length] {
                let id = &all[start..start + length];
                assert_eq!(&connected(&connect(version, 0x02, &[&field(id)])).client_id[..], id);
            }
        }
    }
}

#[test]
fn mqtt311_3_1_3_7_and_mqtt311_3_1_3_8_an_empty_client_identifier_needs_clean_session() {
    assert!(connected(&connect(V3, 0x02, &[&field("")])).client_id.is_empty());
    first_is_refused(&connect(V3, 0x00, &[&field("")]), "MQTT-3.1.3-8", R::ClientIdentifierNotValid);
    first_is_refused(&connect(V3_1, 0x02, &[&field("")]), "MQTT-3.1.3-8", R::ClientIdentifierNotValid);
    assert_eq!(R::ClientIdentifierNotValid.to_v3_connect_code(), Some(2));
    assert!(!connected(&connect(V5, 0x00, &[&field("")])).clean_start);
    let connect = Connect { client_id: ByteString::new(), clean_start: false, ..full(V3) };
    assert_eq!(forbidden(&Packet::Connect(Box::new(connect)), V3), "MQTT-3.1.3-8");
}

#[test]
fn mqtt5_3_1_3_10_user_properties_of_a_will_keep_their_order() {
    let pair = |name, value| [&[0x26][..], &field(name), &field(value)].concat();
    let pairs = [pair("b", "1"), pair("a", "2"), pair("b", "0")].concat();
    let properties = [&[pairs.len() as u8][..], &pairs].concat();
    let [topic, payload] = will_fields();
    let bytes = connect(V5, 0x06, &[&field("id"), &properties, &topic, &payload]);
    let connect = connected(&bytes);
    let found = connect.will.as_ref().unwrap().message.properties().user_properties.clone();
    let found: Vec<_> = found.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(found, [("b", "1"), ("a", "2"), ("b", "0")]);
    assert_eq!(&encoded(&Packet::Connect(Box::new(connect)), V5)[..], bytes);
}

#[test]
fn mqtt5_3_1_3_11_and_mqtt311_3_1_3_10_the_will_topic_is_utf8() {
    let v5 = [&field("id")[..], b"\0", &field(b"\xFF"), &field("bye")];
    first_is_refused(&connect(V5, 0x06, &v5), "MQTT-1.5.4-1", R::MalformedPacket);
    let v3 = [&field("id")[..], &field(b"\xFF"), &field("bye")];
    first_is_refused(&connect(V3, 0x06, &v3), "MQTT-1.5.3-1", R::MalformedPacket);
    let wildcard = [&field("id")[..], &field("a/+"), &field("bye")];
    first_is_refused(&connect(V3, 0x06, &wildcard), "MQTT-4.7.1-1", R::TopicNameInvalid);
    let empty = [&field("id")[..], &field(""), &field("bye")];
    first_is_refused(&connect(V3, 0x06, &empty), "MQTT-4.7.3-1", R::TopicNameInvalid);
}

#[test]
fn mqtt5_3_1_3_12_and_mqtt311_3_1_3_11_the_user_name_is_utf8() {
    let fields = [&field("id")[..], &field(b"\xFF")];
    first_is_refused(&connect(V5, 0x82, &fields), "MQTT-1.5.4-1", R::MalformedPacket);
    first_is_refused(&connect(V3, 0x82, &fields), "MQTT-1.5.3-1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_1_4_1_and_mqtt311_3_1_4_1_what_does_not_match_the_format_is_refused() {
    for version in [V3_1, V3, V5] {
        let whole = connect(version, 0x02, &[&field("id")]);
        // Shorter by each number of bytes, with a length that says so.
        for length in 2..whole.len() {
            let mut cut = whole[..length].to_vec();
            cut[1] = (length - 2) as u8;
            assert!(first(&cut).is_err(), "{cut:?}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        longer[1] += 1;
        first_is_refused(&longer, "§4.13.1", R::MalformedPacket);
    }
    // A property twice, of another packet, unknown, and with a value that it cannot have.
    let with = |properties: &[u8]| {
        packet(0x10, &[&field("MQTT"), &[5, 2, 0, 60, properties.len() as u8], properties, &field("id")])
    };
    first_is_refused(&with(b"\x11\0\0\0\x01\x11\0\0\0\x01"), "§2.2.2.2", R::ProtocolError);
    first_is_refused(&with(b"\x13\0\x01"), "§2.2.2.2", R::MalformedPacket);
    first_is_refused(&with(b"\x30\0"), "§2.2.2.2", R::MalformedPacket);
    first_is_refused(&with(b"\x17\x02"), "§2.2.2.2", R::ProtocolError);
    first_is_refused(&with(b"\x21\0\0"), "§2.2.2.2", R::ProtocolError);
    first_is_refused(&with(b"\x27\0\0\0\0"), "§2.2.2.2", R::ProtocolError);
    first_is_refused(&with(b"\x16\0\x01d"), "§3.1.2.11.10", R::ProtocolError);
}

#[test]
fn mqtt5_3_2_2_1_the_reserved_acknowledge_flags_are_zero() {
    for flags in 2..=255 {
        client_refuses(V5, &[0x20, 3, flags, 0, 0], "MQTT-3.2.2-1", R::MalformedPacket);
    }
    assert_eq!(&encoded(&Packet::ConnAck(Box::new(connack(R::Success))), V5)[..], b"\x20\x03\0\0\0");
    client_refuses(V3, b"\x20\x02\x02\0", "MQTT-2.2.2-1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_2_2_6_and_mqtt311_3_2_2_4_no_session_is_present_after_a_refusal() {
    client_refuses(V5, b"\x20\x03\x01\x87\x00", "MQTT-3.2.2-6", R::ProtocolError);
    client_refuses(V3, b"\x20\x02\x01\x05", "MQTT-3.2.2-4", R::ProtocolError);
    let ack = ConnAck { session_present: true, ..connack(R::NotAuthorized) };
    assert_eq!(forbidden(&Packet::ConnAck(Box::new(ack)), V5), "MQTT-3.2.2-6");
}

#[test]
fn mqtt311_3_2_2_6_where_no_return_code_fits_there_is_no_connack() {
    let ack = Packet::ConnAck(Box::new(connack(R::MalformedPacket)));
    assert!(matches!(
        encoded_within(&ack, V3, None),
        Err(gridmq_proto::error::EncodeError::NotInVersion { version: V3, .. })
    ));
    for (reason, code) in [(R::Success, 0), (R::BadUserNameOrPassword, 4), (R::NotAuthorized, 5), (R::Banned, 5)] {
        assert_eq!(&encoded(&Packet::ConnAck(Box::new(connack(reason))), V3)[..], [0x20, 2, 0, code]);
    }
    for code in 6..=255 {
        client_refuses(V3, &[0x20, 2, 0, code], "§3.2.2.2", R::ProtocolError);
    }
}

#[test]
fn mqtt5_3_2_2_8_reason_codes_of_connack() {
    for byte in 0..=255 {
        let valid = matches!(byte, 0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F);
        let bytes = [0x20, 3, 0, byte, 0];
        match decode(gridmq_proto::codec::Role::Client, V5, &bytes) {
            Ok(Some(Packet::ConnAck(ack))) => assert!(valid && ack.reason.as_u8() == byte, "0x{byte:02X}"),
            Err(violation) => assert!(!valid && violation.statement() == "MQTT-3.2.2-8", "0x{byte:02X}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(forbidden(&Packet::ConnAck(Box::new(connack(R::SessionTakenOver))), V5), "MQTT-3.2.2-8");
}

#[test]
fn mqtt5_3_2_2_19_and_mqtt5_3_2_2_20_words_give_way_to_the_maximum_packet_size() {
    let mut ack = connack(R::NotAuthorized);
    ack.properties.server_keep_alive = Some(7);
    ack.properties.reason_string = Some("because".into());
    ack.properties.user_properties = vec![("name".into(), "value".into())];
    check_words(&Packet::ConnAck(Box::new(ack)), b"\x20\x06\0\x87\x03\x13\0\x07");
}
