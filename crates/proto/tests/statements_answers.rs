//! Statements about acknowledgements, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT and AUTH that the codec decides.
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
use gridmq_proto::codec::Role;
use gridmq_proto::packet::*;
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode as R, SubscriptionFilter, Version};

fn words() -> AckProperties {
    AckProperties { reason_string: Some("because".into()), user_properties: vec![("name".into(), "value".into())] }
}

fn ack_with_words(reason: R) -> Ack {
    Ack { packet_id: PacketId::MIN, reason, properties: Some(Box::new(words())) }
}

/// Asserts which reason codes the packet made by `bytes` takes, in both directions.
#[track_caller]
fn check_reasons(role: Role, statement: &str, bytes: impl Fn(u8) -> Vec<u8>, valid: &[u8]) {
    for byte in 0..=255 {
        match decode(role, V5, &bytes(byte)) {
            Ok(Some(_)) => assert!(valid.contains(&byte), "0x{byte:02X} is let in"),
            Err(violation) => {
                assert!(!valid.contains(&byte), "0x{byte:02X}: {violation}");
                assert_eq!(violation.statement(), statement);
                let known = R::from_u8(byte).is_some();
                assert_eq!(violation.reason(), if known { R::ProtocolError } else { R::MalformedPacket });
            }
            Ok(None) => panic!(),
        }
    }
}

const PUBLISHED: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

#[test]
fn mqtt5_3_4_2_1_reason_codes_of_puback() {
    check_reasons(Role::Server, "MQTT-3.4.2-1", |code| vec![0x40, 3, 0, 1, code], &PUBLISHED);
    let wrong = Ack::new(PacketId::MIN, R::PacketIdentifierNotFound);
    assert_eq!(forbidden(&Packet::PubAck(wrong), V5), "MQTT-3.4.2-1");
}

#[test]
fn mqtt5_3_4_2_2_and_mqtt5_3_4_2_3_words_of_puback_give_way() {
    check_words(&Packet::PubAck(ack_with_words(R::Success)), b"\x40\x02\0\x01");
    check_words(&Packet::PubAck(ack_with_words(R::QuotaExceeded)), b"\x40\x03\0\x01\x97");
}

#[test]
fn mqtt5_3_5_2_1_reason_codes_of_pubrec() {
    check_reasons(Role::Client, "MQTT-3.5.2-1", |code| vec![0x50, 3, 0, 1, code], &PUBLISHED);
    let wrong = Ack::new(PacketId::MIN, R::GrantedQos1);
    assert_eq!(forbidden(&Packet::PubRec(wrong), V5), "MQTT-3.5.2-1");
}

#[test]
fn mqtt5_3_5_2_2_and_mqtt5_3_5_2_3_words_of_pubrec_give_way() {
    check_words(&Packet::PubRec(ack_with_words(R::NotAuthorized)), b"\x50\x03\0\x01\x87");
}

#[test]
fn mqtt5_3_6_2_1_reason_codes_of_pubrel() {
    check_reasons(Role::Server, "MQTT-3.6.2-1", |code| vec![0x62, 3, 0, 1, code], &[0x00, 0x92]);
    assert_eq!(forbidden(&Packet::PubRel(Ack::new(PacketId::MIN, R::Banned)), V5), "MQTT-3.6.2-1");
}

#[test]
fn mqtt5_3_6_2_2_and_mqtt5_3_6_2_3_words_of_pubrel_give_way() {
    check_words(&Packet::PubRel(ack_with_words(R::PacketIdentifierNotFound)), b"\x62\x03\0\x01\x92");
}

#[test]
fn mqtt5_3_7_2_1_reason_codes_of_pubcomp() {
    check_reasons(Role::Client, "MQTT-3.7.2-1", |code| vec![0x70, 3, 0, 1, code], &[0x00, 0x92]);
    assert_eq!(forbidden(&Packet::PubComp(Ack::new(PacketId::MIN, R::Banned)), V5), "MQTT-3.7.2-1");
}

#[test]
fn mqtt5_3_7_2_2_and_mqtt5_3_7_2_3_words_of_pubcomp_give_way() {
    check_words(&Packet::PubComp(ack_with_words(R::Success)), b"\x70\x02\0\x01");
}

#[test]
fn acknowledgements_before_5_have_no_reason_code() {
    server_refuses(V3, b"\x40\x03\0\x01\0", "§4.13.1", R::MalformedPacket);
    let failed = Packet::PubAck(Ack::new(PacketId::MIN, R::NotAuthorized));
    assert!(encoded_within(&failed, V3, None).is_err());
    let unheard = Packet::PubAck(Ack::new(PacketId::MIN, R::NoMatchingSubscribers));
    assert_eq!(&encoded(&unheard, V3)[..], b"\x40\x02\0\x01");
}

fn subscribe(version: Version, filter: impl AsRef<[u8]>, options: u8) -> Vec<u8> {
    let properties: &[u8] = if version.is_v5() { b"\0" } else { b"" };
    packet(0x82, &[b"\0\x01", properties, &field(filter), &[options]])
}

fn unsubscribe(version: Version, filter: impl AsRef<[u8]>) -> Vec<u8> {
    let properties: &[u8] = if version.is_v5() { b"\0" } else { b"" };
    packet(0xA2, &[b"\0\x01", properties, &field(filter)])
}

#[test]
fn mqtt5_3_8_3_1_and_mqtt311_3_8_3_1_filters_of_a_subscribe_are_utf8() {
    server_refuses(V5, &subscribe(V5, b"\xFF", 0), "MQTT-1.5.4-1", R::MalformedPacket);
    server_refuses(V3, &subscribe(V3, b"\xFF", 0), "MQTT-1.5.3-1", R::MalformedPacket);
    server_refuses(V5, &subscribe(V5, b"a\0", 0), "MQTT-4.7.3-2", R::MalformedPacket);
    server_refuses(V5, &subscribe(V5, b"", 0), "MQTT-4.7.3-1", R::TopicFilterInvalid);
}

#[test]
fn mqtt5_3_8_3_2_and_mqtt311_3_8_3_3_a_subscribe_has_a_filter() {
    server_refuses(V5, b"\x82\x03\0\x01\0", "MQTT-3.8.3-2", R::ProtocolError);
    server_refuses(V3, b"\x82\x02\0\x01", "MQTT-3.8.3-3", R::ProtocolError);
    let empty = Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: Vec::new(),
    };
    assert_eq!(forbidden(&Packet::Subscribe(empty), V5), "MQTT-3.8.3-2");
    // A filter without options.
    server_refuses(V3, &packet(0x82, &[b"\0\x01", &field("a")]), "§4.13.1", R::MalformedPacket);
}

#[test]
fn mqtt5_3_8_3_4_no_local_is_not_for_shared_subscriptions() {
    server_refuses(V5, &subscribe(V5, "$share/g/a", 0x04), "MQTT-3.8.3-4", R::ProtocolError);
    from_client(V5, &subscribe(V5, "$share/g/a", 0x28));
    let shared = Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter {
            filter: SubscriptionFilter::try_from("$share/g/a").unwrap(),
            options: SubscribeOptions { no_local: true, ..SubscribeOptions::default() },
        }],
    };
    assert_eq!(forbidden(&Packet::Subscribe(shared), V5), "MQTT-3.8.3-4");
}

#[test]
fn mqtt5_3_8_3_5_reserved_bits_of_the_options_are_zero() {
    for byte in 0..=255_u8 {
        let answer = decode(Role::Server, V5, &subscribe(V5, "a", byte));
        let statement = answer.as_ref().err().map(|violation| violation.statement());
        if byte & 0xC0 != 0 {
            assert_eq!(statement, Some("MQTT-3.8.3-5"));
        } else if byte & 3 == 3 || byte >> 4 == 3 {
            assert_eq!(statement, Some("§3.8.3.1"));
        } else {
            let Ok(Some(Packet::Subscribe(subscribe))) = answer else { panic!("{answer:?}") };
            let options = subscribe.filters[0].options;
            assert_eq!(options.qos as u8, byte & 3);
            assert_eq!(options.no_local, byte & 4 != 0);
            assert_eq!(options.retain_as_published, byte & 8 != 0);
            assert_eq!(options.retain_handling as u8, byte >> 4);
        }
    }
}

#[test]
fn mqtt311_3_8_3_4_the_requested_qos_is_0_1_or_2() {
    for (byte, qos) in [(0, QoS::AtMostOnce), (1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
        let Packet::Subscribe(subscribe) = from_client(V3, &subscribe(V3, "a", byte)) else { panic!() };
        assert_eq!(subscribe.filters[0].options, SubscribeOptions { qos, ..SubscribeOptions::default() });
    }
    for byte in 3..=255 {
        let reason = if byte == 3 { R::ProtocolError } else { R::MalformedPacket };
        server_refuses(V3, &subscribe(V3, "a", byte), "MQTT-3.8.3-4", reason);
    }
}

fn suback(reasons: Vec<R>) -> SubAck {
    SubAck { packet_id: PacketId::MIN, properties: AckProperties::default(), reasons }
}

#[test]
fn mqtt5_3_9_2_1_and_mqtt5_3_9_2_2_words_of_suback_give_way() {
    let ack = SubAck { properties: words(), ..suback(vec![R::GrantedQos1, R::NotAuthorized]) };
    check_words(&Packet::SubAck(ack), b"\x90\x05\0\x01\0\x01\x87");
}

#[test]
fn mqtt5_3_9_3_1_reason_codes_of_suback_keep_their_order() {
    let bytes = b"\x90\x07\0\x01\0\x02\x00\x87\x01";
    let ack = from_server(V5, bytes);
    assert_eq!(ack, Packet::SubAck(suback(vec![R::GrantedQos2, R::Success, R::NotAuthorized, R::GrantedQos1])));
    assert_eq!(&encoded(&ack, V5)[..], bytes);
}

#[test]
fn mqtt5_3_8_4_6_and_mqtt311_3_8_4_5_a_suback_has_a_code_for_each_filter() {
    client_refuses(V5, b"\x90\x03\0\x01\0", "MQTT-3.8.4-6", R::ProtocolError);
    client_refuses(V3, b"\x90\x02\0\x01", "MQTT-3.8.4-5", R::ProtocolError);
    assert_eq!(forbidden(&Packet::SubAck(suback(Vec::new())), V5), "MQTT-3.8.4-6");
    let mixed = suback(vec![R::Success, R::GrantedQos1, R::GrantedQos2, R::NotAuthorized, R::TopicFilterInvalid]);
    assert_eq!(&encoded(&Packet::SubAck(mixed), V3)[..], b"\x90\x07\0\x01\0\x01\x02\x80\x80");
    for code in (0x03..=0x7F).chain(0x81..=0xFF) {
        assert!(decode(Role::Client, V3, &[0x90, 3, 0, 1, code]).is_err());
    }
}

#[test]
fn mqtt5_3_9_3_2_reason_codes_of_suback() {
    let valid = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
    check_reasons(Role::Client, "MQTT-3.9.3-2", |code| vec![0x90, 4, 0, 1, 0, code], &valid);
    assert_eq!(forbidden(&Packet::SubAck(suback(vec![R::Banned])), V5), "MQTT-3.9.3-2");
}

#[test]
fn mqtt5_3_10_3_1_and_mqtt311_3_10_3_1_filters_of_an_unsubscribe_are_utf8() {
    server_refuses(V5, &unsubscribe(V5, b"\xFF"), "MQTT-1.5.4-1", R::MalformedPacket);
    server_refuses(V3, &unsubscribe(V3, b"\xFF"), "MQTT-1.5.3-1", R::MalformedPacket);
    for version in [V3, V5] {
        let bytes = unsubscribe(version, "a/+");
        let Packet::Unsubscribe(found) = from_client(version, &bytes) else { panic!() };
        assert_eq!(found.filters[0].as_str(), "a/+");
        assert_eq!(&encoded(&Packet::Unsubscribe(found), version)[..], bytes);
    }
}

#[test]
fn mqtt5_3_10_3_2_and_mqtt311_3_10_3_2_an_unsubscribe_has_a_filter() {
    server_refuses(V5, b"\xA2\x03\0\x01\0", "MQTT-3.10.3-2", R::ProtocolError);
    server_refuses(V3, b"\xA2\x02\0\x01", "MQTT-3.10.3-2", R::ProtocolError);
    let empty = Unsubscribe { packet_id: PacketId::MIN, user_properties: Vec::new(), filters: Vec::new() };
    assert_eq!(forbidden(&Packet::Unsubscribe(empty), V5), "MQTT-3.10.3-2");
}

fn unsuback(reasons: Vec<R>) -> UnsubAck {
    UnsubAck { packet_id: PacketId::MIN, properties: AckProperties::default(), reasons }
}

#[test]
fn mqtt5_3_11_2_1_and_mqtt5_3_11_2_2_words_of_unsuback_give_way() {
    let ack = UnsubAck { properties: words(), ..unsuback(vec![R::NoSubscriptionExisted]) };
    check_words(&Packet::UnsubAck(ack), b"\xB0\x04\0\x01\0\x11");
}

#[test]
fn mqtt5_3_11_3_1_reason_codes_of_unsuback_keep_their_order() {
    let bytes = b"\xB0\x06\0\x01\0\x11\x00\x87";
    let ack = from_server(V5, bytes);
    assert_eq!(ack, Packet::UnsubAck(unsuback(vec![R::NoSubscriptionExisted, R::Success, R::NotAuthorized])));
    assert_eq!(&encoded(&ack, V5)[..], bytes);
    client_refuses(V5, b"\xB0\x03\0\x01\0", "MQTT-3.11.3-1", R::ProtocolError);
}

#[test]
fn mqtt5_3_11_3_2_reason_codes_of_unsuback() {
    let valid = [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
    check_reasons(Role::Client, "MQTT-3.11.3-2", |code| vec![0xB0, 4, 0, 1, 0, code], &valid);
    assert_eq!(forbidden(&Packet::UnsubAck(unsuback(vec![R::Banned])), V5), "MQTT-3.11.3-2");
}

fn disconnect_with_words(reason: R) -> Disconnect {
    let AckProperties { reason_string, user_properties } = words();
    Disconnect {
        reason,
        properties: DisconnectProperties { reason_string, user_properties, ..DisconnectProperties::default() },
    }
}

#[test]
fn mqtt5_3_14_2_1_reason_codes_of_disconnect() {
    let mut valid = vec![0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90];
    valid.extend(0x93..=0xA2);
    check_reasons(Role::Client, "MQTT-3.14.2-1", |code| vec![0xE0, 1, code], &valid);
    assert_eq!(forbidden(&Packet::Disconnect(Disconnect::new(R::Banned)), V5), "MQTT-3.14.2-1");
    let normal = Packet::Disconnect(Disconnect::new(R::NORMAL_DISCONNECTION));
    assert_eq!(&encoded(&normal, V5)[..], b"\xE0\0");
    assert_eq!(from_server(V5, b"\xE0\x02\0\0"), normal);
    assert_eq!(&encoded(&normal, V3)[..], b"\xE0\0");
    assert!(encoded_within(&Packet::Disconnect(Disconnect::new(R::ServerBusy)), V3, None).is_err());
}

#[test]
fn mqtt5_3_14_2_2_no_session_expiry_interval_from_a_server() {
    let bytes = b"\xE0\x07\0\x05\x11\0\0\0\x01";
    client_refuses(V5, bytes, "MQTT-3.14.2-2", R::ProtocolError);
    let Packet::Disconnect(found) = from_client(V5, bytes) else { panic!() };
    assert_eq!(found.properties.session_expiry_interval, Some(1));
}

#[test]
fn mqtt5_3_14_2_3_and_mqtt5_3_14_2_4_words_of_disconnect_give_way() {
    check_words(&Packet::Disconnect(disconnect_with_words(R::ServerBusy)), b"\xE0\x01\x89");
    check_words(&Packet::Disconnect(disconnect_with_words(R::NORMAL_DISCONNECTION)), b"\xE0\0");
}

fn auth(reason: R) -> Auth {
    let AckProperties { reason_string, user_properties } = words();
    Auth {
        reason,
        properties: AuthProperties {
            authentication_method: Some("M".into()),
            authentication_data: None,
            reason_string,
            user_properties,
        },
    }
}

#[test]
fn mqtt5_3_15_2_1_reason_codes_of_auth() {
    let bytes = |code| packet(0xF0, &[&[code, 4, 0x15], &field("M")]);
    check_reasons(Role::Server, "MQTT-3.15.2-1", bytes, &[0x00, 0x18, 0x19]);
    assert_eq!(forbidden(&Packet::Auth(Box::new(auth(R::NotAuthorized))), V5), "MQTT-3.15.2-1");
    let bare = Auth { reason: R::Success, properties: AuthProperties::default() };
    assert_eq!(&encoded(&Packet::Auth(Box::new(bare)), V5)[..], b"\xF0\0");
    let nameless = Auth { reason: R::ContinueAuthentication, properties: AuthProperties::default() };
    assert_eq!(forbidden(&Packet::Auth(Box::new(nameless)), V5), "§3.15.2.2.2");
    server_refuses(V5, b"\xF0\x02\x18\0", "§3.15.2.2.2", R::ProtocolError);
}

#[test]
fn mqtt5_3_15_2_2_and_mqtt5_3_15_2_3_words_of_auth_give_way() {
    check_words(&Packet::Auth(Box::new(auth(R::ContinueAuthentication))), b"\xF0\x06\x18\x04\x15\0\x01M");
}
