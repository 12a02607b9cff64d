//! What holds for every packet and for any bytes.
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
use common::strategies::{any_packet, message, packet_id, qos};
use common::{V3, V3_1, V5, decoder, encoded, encoded_within, from_server};
use gridmq_proto::codec::{Role, encode, encoded_len};
use gridmq_proto::error::EncodeError;
use gridmq_proto::packet::Publish;
use gridmq_proto::{OutgoingPublish, Packet, QoS, SharedMessage, Version};
use proptest::prelude::*;
use smallvec::SmallVec;

fn situations() -> impl Strategy<Value = (Version, Role)> {
    (prop_oneof![1 => Just(V3_1), 2 => Just(V3), 3 => Just(V5)], prop_oneof![Just(Role::Server), Just(Role::Client)])
}

fn packets() -> impl Strategy<Value = (Version, Role, Packet)> {
    situations().prop_flat_map(|(version, role)| (Just(version), Just(role), any_packet(version, role)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn decoding_undoes_encoding((version, role, packet) in packets()) {
        let bytes = encoded(&packet, version);
        prop_assert_eq!(encoded_len(&packet, version), Ok(bytes.len()));
        let mut buf = BytesMut::from(&bytes[..]);
        buf.extend_from_slice(b"next");
        prop_assert_eq!(decoder(role, version).decode(&mut buf), Ok(Some(packet)));
        prop_assert_eq!(&buf[..], b"next");
    }

    #[test]
    fn a_packet_split_anywhere_is_the_same((version, role, packet) in packets()) {
        let bytes = encoded(&packet, version);
        for cut in 0..bytes.len() {
            let mut decoder = decoder(role, version);
            let mut buf = BytesMut::from(&bytes[..cut]);
            prop_assert_eq!(decoder.decode(&mut buf), Ok(None));
            prop_assert!(decoder.needed() <= bytes.len() - cut.min(bytes.len()) + 2);
            buf.extend_from_slice(&bytes[cut..]);
            prop_assert_eq!(decoder.decode(&mut buf), Ok(Some(packet.clone())));
        }
    }

    #[test]
    fn no_maximum_is_exceeded((version, _, packet) in packets(), max in 2..200_u32) {
        match encoded_within(&packet, version, Some(max)) {
            Ok(bytes) => prop_assert!(bytes.len() <= max as usize),
            Err(EncodeError::PacketTooLarge { bytes, limit, .. }) => {
                prop_assert!(bytes > max as usize && limit == max);
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }

    #[test]
    fn a_buffer_is_left_alone_when_encoding_fails((version, _, packet) in packets()) {
        let mut out = BytesMut::from(&b"kept"[..]);
        prop_assert!(encode(&packet, version, Some(1), &mut out).is_err());
        prop_assert_eq!(&out[..], b"kept");
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        gridmq_proto::fuzzing::decode_v3(&bytes);
        gridmq_proto::fuzzing::decode_v5(&bytes);
    }

    #[test]
    fn a_damaged_packet_never_panics(
        (version, _, packet) in packets(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encoded(&packet, version).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        gridmq_proto::fuzzing::decode_v3(&bytes);
        gridmq_proto::fuzzing::decode_v5(&bytes);
    }

    #[test]
    fn a_shared_frame_is_what_a_publish_of_ones_own_would_be(
        (version, message) in situations().prop_flat_map(|(version, _)| (Just(version), message(version))),
        (qos, dup, retain, id) in (qos(), any::<bool>(), any::<bool>(), packet_id()),
    ) {
        let packet_id = (qos != QoS::AtMostOnce).then_some(id);
        let dup = dup && packet_id.is_some();
        let outgoing = OutgoingPublish {
            message: SharedMessage::new(message.clone()),
            qos,
            dup,
            retain,
            packet_id,
            topic_alias: None,
            subscription_identifiers: SmallVec::new(),
            message_expiry_interval: None,
        };
        let alone = Packet::Publish(Publish {
            dup,
            qos,
            retain,
            packet_id,
            topic: Some(message.topic),
            topic_alias: None,
            subscription_identifiers: SmallVec::new(),
            payload: message.payload,
            properties: message.properties,
        });
        let mut others = Vec::new();
        // Alone; then with others, when the first time makes the frame and the second uses it.
        for holders in [0, 2, 2] {
            others.resize_with(holders, || outgoing.message.clone());
            let mut out = BytesMut::from(&b"before"[..]);
            outgoing.encode(version, None, &mut out).unwrap();
            prop_assert_eq!(&out[6..], &encoded(&alone, version)[..]);
            prop_assert_eq!(outgoing.encoded_len(version), out.len() - 6);
            prop_assert_eq!(&from_server(version, &out[6..]), &alone);
        }
    }
}
