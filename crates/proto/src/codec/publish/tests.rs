use bytes::Bytes;

use super::*;
use crate::message::{SharedMessage, TopicAliasUse};
use crate::{Message, TopicName};

fn outgoing() -> OutgoingPublish {
    let mut message = Message::new(TopicName::try_from("a/b").unwrap(), Bytes::from_static(b"hello"));
    message.properties_mut().message_expiry_interval = Some(60);
    OutgoingPublish {
        message: SharedMessage::new(message),
        qos: QoS::AtLeastOnce,
        dup: false,
        retain: false,
        packet_id: PacketId::new(0x1234),
        topic_alias: None,
        subscription_identifiers: smallvec::SmallVec::new(),
        message_expiry_interval: None,
    }
}

fn encoded(publish: &OutgoingPublish, version: Version) -> Vec<u8> {
    let mut out = BytesMut::new();
    publish.encode(version, None, &mut out).unwrap();
    assert_eq!(publish.encoded_len(version), out.len());
    out.to_vec()
}

#[test]
fn a_frame_is_patched_for_each_subscriber() {
    let first = outgoing();
    let others = [first.message.clone(), first.message.clone()];
    assert!(first.frame().is_some());
    assert_eq!(encoded(&first, Version::V5), b"\x32\x12\0\x03a/b\x12\x34\x05\x02\0\0\0\x3Chello");
    let dup = OutgoingPublish {
        qos: QoS::ExactlyOnce,
        dup: true,
        retain: true,
        packet_id: PacketId::new(0xFFFE),
        ..first.clone()
    };
    assert_eq!(encoded(&dup, Version::V5), b"\x3D\x12\0\x03a/b\xFF\xFE\x05\x02\0\0\0\x3Chello");
    let plain = OutgoingPublish { qos: QoS::AtMostOnce, packet_id: None, ..first.clone() };
    assert_eq!(encoded(&plain, Version::V5), b"\x30\x10\0\x03a/b\x05\x02\0\0\0\x3Chello");
    assert_eq!(encoded(&first, Version::V3_1_1), b"\x32\x0C\0\x03a/b\x12\x34hello");
    assert_eq!(encoded(&plain, Version::V3_1), b"\x30\x0A\0\x03a/bhello");
    drop((dup, plain, others));
    // For one subscriber none is made, and it gets the same.
    assert!(first.frame().is_none());
    assert_eq!(encoded(&first, Version::V5), b"\x32\x12\0\x03a/b\x12\x34\x05\x02\0\0\0\x3Chello");
}

#[test]
fn mqtt5_3_3_2_6_the_remaining_expiry_interval_is_sent() {
    let later = OutgoingPublish { message_expiry_interval: Some(9), ..outgoing() };
    assert_eq!(encoded(&later, Version::V5), b"\x32\x12\0\x03a/b\x12\x34\x05\x02\0\0\0\x09hello");
    let same = OutgoingPublish { message_expiry_interval: Some(60), ..outgoing() };
    let _others = [&same, &same, &later, &later].map(|publish| publish.message.clone());
    assert!(same.frame().is_some());
    assert!(later.frame().is_none());
    assert_eq!(encoded(&later, Version::V3_1_1), b"\x32\x0C\0\x03a/b\x12\x34hello");
}

#[test]
fn an_alias_and_subscription_identifiers_are_this_subscribers_own() {
    let alias = NonZeroU16::new(7).unwrap();
    let setting = OutgoingPublish { topic_alias: Some(TopicAliasUse { alias, send_topic: true }), ..outgoing() };
    assert_eq!(encoded(&setting, Version::V5), b"\x32\x15\0\x03a/b\x12\x34\x08\x23\0\x07\x02\0\0\0\x3Chello");
    let using = OutgoingPublish { topic_alias: Some(TopicAliasUse { alias, send_topic: false }), ..outgoing() };
    assert_eq!(encoded(&using, Version::V5), b"\x32\x12\0\0\x12\x34\x08\x23\0\x07\x02\0\0\0\x3Chello");
    assert_eq!(encoded(&using, Version::V3_1_1), encoded(&outgoing(), Version::V3_1_1));
    let mut found = outgoing();
    found.subscription_identifiers.extend([1, 300].map(|id| SubscriptionId::new(id).unwrap()));
    assert_eq!(encoded(&found, Version::V5), b"\x32\x17\0\x03a/b\x12\x34\x0A\x0B\x01\x0B\xAC\x02\x02\0\0\0\x3Chello");
}

#[test]
fn a_message_without_properties_is_written_at_once() {
    let message = Message::new(TopicName::try_from("a/b").unwrap(), Bytes::from_static(b"hello"));
    let first = OutgoingPublish { message: SharedMessage::new(message), ..outgoing() };
    assert_eq!(encoded(&first, Version::V5), b"\x32\x0D\0\x03a/b\x12\x34\0hello");
    assert_eq!(encoded(&first, Version::V3_1_1), b"\x32\x0C\0\x03a/b\x12\x34hello");
    let plain = OutgoingPublish { qos: QoS::AtMostOnce, packet_id: None, retain: true, ..first.clone() };
    assert_eq!(encoded(&plain, Version::V5), b"\x31\x0B\0\x03a/b\0hello");
    let alias = |send_topic| Some(TopicAliasUse { alias: NonZeroU16::new(7).unwrap(), send_topic });
    let setting = OutgoingPublish { topic_alias: alias(true), ..first.clone() };
    assert_eq!(encoded(&setting, Version::V5), b"\x32\x10\0\x03a/b\x12\x34\x03\x23\0\x07hello");
    let using = OutgoingPublish { topic_alias: alias(false), ..first.clone() };
    assert_eq!(encoded(&using, Version::V5), b"\x32\x0D\0\0\x12\x34\x03\x23\0\x07hello");
    assert_eq!(encoded(&using, Version::V3_1_1), encoded(&first, Version::V3_1_1));
    let mut out = BytesMut::from(&b"kept"[..]);
    assert!(matches!(
        first.encode(Version::V5, Some(14), &mut out),
        Err(EncodeError::PacketTooLarge { bytes: 15, .. })
    ));
    assert_eq!(&out[..], b"kept");
}

#[test]
fn what_the_peer_cannot_take_is_refused_whole() {
    let shared = outgoing();
    let _others = [shared.message.clone(), shared.message.clone()];
    for publish in [shared, OutgoingPublish { message_expiry_interval: Some(1), ..outgoing() }] {
        let mut out = BytesMut::from(&b"kept"[..]);
        let refused = publish.encode(Version::V5, Some(19), &mut out);
        assert!(matches!(refused, Err(EncodeError::PacketTooLarge { bytes: 20, limit: 19, .. })));
        assert_eq!(&out[..], b"kept");
        assert!(publish.encode(Version::V5, Some(20), &mut out).is_ok());
    }
}

#[test]
fn what_cannot_be_encoded_has_no_length() {
    let mut message = Message::new(TopicName::try_from("a").unwrap(), Bytes::new());
    message.properties_mut().correlation_data = Some(vec![0; 65_536].into());
    let publish = OutgoingPublish { message: SharedMessage::new(message), ..outgoing() };
    assert_eq!(publish.encoded_len(Version::V5), usize::MAX);
    assert!(publish.encode(Version::V5, None, &mut BytesMut::new()).is_err());
    assert_eq!(publish.encoded_len(Version::V3_1_1), 7);
}

#[test]
fn identifiers_follow_the_qos() {
    let without = OutgoingPublish { packet_id: None, ..outgoing() };
    assert!(without.encode(Version::V5, None, &mut BytesMut::new()).is_err());
    let needless = OutgoingPublish { qos: QoS::AtMostOnce, ..outgoing() };
    assert!(needless.encode(Version::V5, None, &mut BytesMut::new()).is_err());
}
