use super::*;
use crate::packet::{Ack, Subscribe, SubscribeFilter, SubscribeOptions};
use crate::{PacketId, QoS, ReasonCode};

fn subscribe(options: SubscribeOptions) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter { filter: "a".try_into().unwrap(), options }],
    })
}

#[test]
fn packets_are_appended_in_their_shortest_form() {
    let mut out = BytesMut::new();
    let ack = Packet::PubAck(Ack::new(PacketId::MIN, ReasonCode::Success));
    encode(&ack, Version::V5, None, &mut out).unwrap();
    encode(&Packet::PingReq, Version::V5, None, &mut out).unwrap();
    encode(&Packet::PubAck(Ack::new(PacketId::MIN, ReasonCode::QuotaExceeded)), Version::V5, None, &mut out).unwrap();
    assert_eq!(&out[..], b"\x40\x02\0\x01\xC0\0\x40\x03\0\x01\x97");
}

#[test]
fn what_the_version_has_not_is_refused() {
    let options = SubscribeOptions { qos: QoS::AtLeastOnce, no_local: true, ..SubscribeOptions::default() };
    let mut out = BytesMut::from(&b"kept"[..]);
    let refused = encode(&subscribe(options), Version::V3_1_1, None, &mut out);
    assert!(matches!(refused, Err(EncodeError::NotInVersion { packet: PacketType::Subscribe, .. })));
    assert_eq!(&out[..], b"kept");
    assert!(encode(&subscribe(options), Version::V5, None, &mut out).is_ok());
}

#[test]
fn a_field_holds_65535_bytes() {
    let ack = |length| {
        let properties = AckProperties { reason_string: Some("x".repeat(length).into()), ..Default::default() };
        let ack = Ack::new(PacketId::MIN, ReasonCode::Success);
        Packet::PubAck(Ack { properties: Some(Box::new(properties)), ..ack })
    };
    let mut out = BytesMut::new();
    assert!(encode(&ack(65_535), Version::V5, None, &mut out).is_ok());
    let refused = encode(&ack(65_536), Version::V5, None, &mut out);
    assert_eq!(refused, Err(EncodeError::FieldTooLong { field: "Reason String", bytes: 65_536 }));
}
