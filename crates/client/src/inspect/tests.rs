use super::*;
use bytes::Bytes;
use gridmq_proto::message::{SharedMessage, TopicAliasUse};
use gridmq_proto::packet::{
    Ack, AckProperties, Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, SubAck, Will,
};
use gridmq_proto::{Message, Version};
use std::num::NonZeroU16;

const SECRET: &str = "hunter2-hunter2";

fn shown(packet: &Packet) -> String {
    Inspected::packet(packet, 10, false).to_string()
}

fn message() -> Message {
    Message::new("a/b".try_into().unwrap(), SECRET.into())
}

fn outgoing(alias: Option<TopicAliasUse>) -> OutgoingPublish {
    OutgoingPublish {
        message: SharedMessage::new(message()),
        qos: QoS::AtLeastOnce,
        dup: true,
        retain: true,
        packet_id: PacketId::new(7),
        topic_alias: alias,
        subscription_identifiers: <_>::default(),
        message_expiry_interval: Some(9),
    }
}

/// Each packet that can have a secret in it.
fn secretive() -> Vec<Packet> {
    let secret = || Some(Bytes::from_static(SECRET.as_bytes()));
    let user_properties = vec![("token".into(), SECRET.into())];
    let connect = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 60,
        client_id: "me".into(),
        username: Some(SECRET.into()),
        password: secret(),
        will: Some(Box::new(Will { message: message(), qos: QoS::AtMostOnce, retain: false, delay_interval: 0 })),
        properties: ConnectProperties {
            authentication_method: Some("OAUTH2-JWT".into()),
            authentication_data: secret(),
            user_properties: user_properties.clone(),
            ..ConnectProperties::default()
        },
    };
    let connack = ConnAckProperties {
        authentication_data: secret(),
        user_properties: user_properties.clone(),
        ..ConnAckProperties::default()
    };
    let auth = AuthProperties {
        authentication_data: secret(),
        user_properties: user_properties.clone(),
        ..AuthProperties::default()
    };
    let ack = AckProperties { reason_string: None, user_properties };
    vec![
        Packet::Connect(Box::new(connect)),
        Packet::ConnAck(Box::new(ConnAck { session_present: false, reason: ReasonCode::Success, properties: connack })),
        Packet::Publish(whole(&outgoing(None))),
        Packet::PubAck(Ack {
            packet_id: PacketId::MIN,
            reason: ReasonCode::Success,
            properties: Some(Box::new(ack.clone())),
        }),
        Packet::SubAck(SubAck { packet_id: PacketId::MIN, properties: ack, reasons: vec![ReasonCode::Success] }),
        Packet::Auth(Box::new(Auth { reason: ReasonCode::ContinueAuthentication, properties: auth })),
    ]
}

#[test]
fn nothing_secret_is_shown() {
    for packet in secretive() {
        let inspected = Inspected::packet(&packet, 10, false);
        for text in [inspected.to_string(), format!("{inspected:?}"), format!("{inspected:#?}")] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert_eq!(inspected.with_secrets(), None);
        assert_eq!(Inspected::packet(&packet, 10, true).with_secrets(), Some(packet.clone()));
    }
    let outgoing = outgoing(None);
    let inspected = Inspected::outgoing(&outgoing, 10, false);
    assert!(!format!("{inspected} {inspected:?}").contains("hunter2"));
    assert_eq!(inspected.with_secrets(), None);
}

#[test]
fn a_line_says_what_a_packet_is() {
    let [connect, .., auth] = &secretive()[..] else { panic!() };
    let line = shown(connect);
    for part in ["CONNECT", "client_id=\"me\"", "username=(15 bytes)", "password=(15 bytes)", "will_topic=\"a/b\""] {
        assert!(line.contains(part), "{line}");
    }
    assert!(shown(auth).contains("data=(15 bytes)"));
    let outgoing = outgoing(None);
    let line = Inspected::outgoing(&outgoing, 30, false).to_string();
    assert_eq!(line, "PUBLISH id=7 qos=1 retain dup topic=\"a/b\" payload=(15 bytes) size=30");
}

#[test]
fn what_the_server_says_cannot_forge_a_line() {
    let words = format!("no\n2026-01-01 INFO fine {}", "x".repeat(10_000));
    let properties = AckProperties { reason_string: Some(words.into()), user_properties: Vec::new() };
    let ack =
        Ack { packet_id: PacketId::MIN, reason: ReasonCode::NotAuthorized, properties: Some(Box::new(properties)) };
    let line = shown(&Packet::PubAck(ack));
    assert!(!line.contains('\n') && line.len() < 500, "{line}");
}

#[test]
fn a_message_under_an_alias_has_no_topic() {
    let alias = NonZeroU16::new(3).unwrap();
    for (send_topic, topic) in [(true, Some("a/b")), (false, None)] {
        let outgoing = outgoing(Some(TopicAliasUse { alias, send_topic }));
        let inspected = Inspected::outgoing(&outgoing, 10, true);
        assert_eq!(inspected.topic().map(|topic| topic.as_str()), topic);
        let Some(Packet::Publish(publish)) = inspected.with_secrets() else { panic!() };
        assert_eq!(publish.topic.as_ref().map(|topic| topic.as_str()), topic);
        assert_eq!((publish.topic_alias, &publish.payload[..]), (Some(alias), SECRET.as_bytes()));
        assert_eq!(publish.properties.unwrap().message_expiry_interval, Some(9));
    }
}

#[test]
fn of_several_reasons_the_failure_is_told() {
    let reasons = vec![ReasonCode::GrantedQos1, ReasonCode::NotAuthorized];
    let ack = SubAck { packet_id: PacketId::MIN, properties: AckProperties::default(), reasons };
    let packet = Packet::SubAck(ack);
    assert_eq!(Inspected::packet(&packet, 1, false).reason(), Some(ReasonCode::NotAuthorized));
}
