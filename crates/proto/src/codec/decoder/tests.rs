use bytes::BytesMut;

use super::*;
use crate::ReasonCode;
use crate::error::Statement;

const CONNECT: &[u8] = b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\x01a";

#[test]
fn a_declared_length_allocates_nothing() {
    let mut decoder = Decoder::for_client(Version::V5, u32::MAX);
    let mut buf = BytesMut::with_capacity(64);
    let capacity = buf.capacity();
    buf.extend_from_slice(b"\x30\xFF\xFF\xFF\x7F\0\x01a\0");
    assert_eq!(decoder.decode(&mut buf), Ok(None));
    assert_eq!(buf.capacity(), capacity);
    assert_eq!(decoder.needed(), READ_STEP);
}

#[test]
fn what_is_needed_is_what_the_packet_lacks() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(&mut BytesMut::new()), Ok(None));
    assert_eq!(decoder.needed(), 2);
    assert_eq!(decoder.decode(&mut BytesMut::from(&CONNECT[..10])), Ok(None));
    assert_eq!(decoder.needed(), CONNECT.len() - 10);
}

#[test]
fn a_large_connect_is_refused_by_its_first_bytes() {
    let mut decoder = Decoder::for_server(100);
    assert_eq!(decoder.decode(&mut BytesMut::from(&b"\x10\x62"[..])), Ok(None));
    let violation = decoder.decode(&mut BytesMut::from(&b"\x10\x63"[..])).unwrap_err();
    assert_eq!(violation.reason(), ReasonCode::PacketTooLarge);
    assert_eq!(violation.packet_type(), Some(PacketType::Connect));
    assert_eq!(violation.statements(), Statement { v5: None, v311: None });
}

#[test]
fn the_version_comes_from_the_first_connect() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.version(), None);
    let mut buf = BytesMut::from(CONNECT);
    assert!(matches!(decoder.decode(&mut buf), Ok(Some(Packet::Connect(_)))));
    assert_eq!(decoder.version(), Some(Version::V5));
    // A second one is decoded too; to refuse it is the session's part.
    let mut second = BytesMut::from(&b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01a"[..]);
    assert!(matches!(decoder.decode(&mut second), Ok(Some(Packet::Connect(_)))));
    assert_eq!(decoder.version(), Some(Version::V5));
}

#[test]
fn other_protocols_are_named() {
    for (bytes, word) in [
        (&b"\x16\x03\x01\x02\x00\x01"[..], "TLS ClientHello"),
        (b"GET / HTTP/1.1\r\n", "HTTP request"),
        (b"PRI * HTTP/2.0\r\n", "HTTP/2"),
    ] {
        let violation = Decoder::default().decode(&mut BytesMut::from(bytes)).unwrap_err();
        assert!(violation.detail().contains(word), "{violation}");
        assert_eq!(violation.version(), None);
        // The same, however it is cut.
        let mut decoder = Decoder::default();
        let cut = (1..=bytes.len()).find_map(|cut| decoder.decode(&mut BytesMut::from(&bytes[..cut])).err());
        assert_eq!(cut, Some(violation));
    }
    let mut client = Decoder::for_client(Version::V5, 1000);
    let violation = client.decode(&mut BytesMut::from(&b"HTTP/1.1 400 Bad Request\r\n"[..])).unwrap_err();
    assert!(violation.detail().contains("HTTP response"));
}

#[test]
fn a_packet_lists_no_more_than_the_limits() {
    let limits = DecodeLimits { user_properties: 2, filters: 2 };
    let decode = |bytes: &[u8]| {
        let mut decoder = Decoder::for_server(u32::MAX).with_limits(limits);
        decoder.set_version(Version::V5);
        decoder.decode(&mut BytesMut::from(bytes))
    };
    assert!(decode(b"\x82\x0B\0\x01\0\0\x01a\0\0\x01b\0").is_ok());
    let violation = decode(b"\x82\x0F\0\x01\0\0\x01a\0\0\x01b\0\0\x01c\0").unwrap_err();
    assert_eq!(violation.reason(), ReasonCode::QuotaExceeded);
    assert!(decode(b"\xE0\x0C\0\x0A\x26\0\0\0\0\x26\0\0\0\0").is_ok());
    let violation = decode(b"\xE0\x11\0\x0F\x26\0\0\0\0\x26\0\0\0\0\x26\0\0\0\0").unwrap_err();
    assert_eq!(violation.reason(), ReasonCode::QuotaExceeded);
}

#[test]
fn topic_and_payload_are_slices_of_the_buffer() {
    let mut decoder = Decoder::for_client(Version::V3_1_1, 1000);
    let mut buf = BytesMut::from(&b"\x30\x08\0\x03a/bxyz"[..]);
    let inside = buf.as_ptr_range();
    let Ok(Some(Packet::Publish(publish))) = decoder.decode(&mut buf) else { panic!() };
    assert!(inside.contains(&publish.topic.unwrap().as_str().as_ptr()));
    assert!(inside.contains(&publish.payload.as_ptr()));
}

#[test]
fn a_violation_says_where_and_what() {
    let mut decoder = Decoder::for_server(1000);
    decoder.set_version(Version::V5);
    let violation = decoder.decode(&mut BytesMut::from(&b"\x30\x06\0\x03a/#\0"[..])).unwrap_err();
    assert_eq!(violation.to_string(), "[MQTT-3.3.2-2] PUBLISH: the topic name contains a wildcard (at byte 2)");
    assert_eq!(violation.version(), Some(Version::V5));
}

#[test]
fn the_quick_way_through_a_publish_takes_only_what_the_thorough_one_takes_and_says_the_same() {
    let bodies: [&[u8]; 4] =
        [b"\0\x03a/b\0\x07\0data", b"\0\x03a/b\0data", b"\0\x01a\0\x01\x03\x23\0\x01x", b"\0\0\0\x01\0"];
    let mut taken = 0;
    for body in bodies {
        for (at, byte) in (0..body.len()).flat_map(|at| [0, 1, 3, b'+', b'#', 0xC3].map(|byte| (at, byte))) {
            let mut body = body.to_vec();
            body[at] = byte;
            for (version, role, flags) in [
                (Version::V5, Role::Client, 0b0000),
                (Version::V5, Role::Server, 0b0011),
                (Version::V3_1_1, Role::Client, 0b1100),
                (Version::V3_1_1, Role::Server, 0b0000),
            ] {
                let flags = publish_flags(flags).unwrap();
                let cx = Context { role, version, limits: DecodeLimits::default() };
                let thorough = publish::decode(&mut Reader::new(Bytes::copy_from_slice(&body)), cx, flags);
                let mut left = Bytes::copy_from_slice(&body);
                match publish::decode_plain(&mut left, version, flags) {
                    Some(quick) => {
                        assert_eq!(Ok(quick), thorough, "{body:?} {cx:?}");
                        taken += 1;
                    }
                    None => assert_eq!(left, body),
                }
            }
        }
    }
    assert!(taken > 100, "{taken}");
}

#[test]
fn an_acknowledgement_with_a_bad_reason_is_refused_whether_properties_follow_or_not() {
    for bytes in [&b"\x40\x03\0\x07\x04"[..], b"\x40\x04\0\x07\x04\0", b"\x62\x03\0\x07\x80"] {
        let mut decoder = Decoder::for_client(Version::V5, 100);
        assert!(decoder.decode(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
    }
    for bytes in [&b"\x40\x03\0\x07\x10"[..], b"\x40\x04\0\x07\x10\0"] {
        let mut decoder = Decoder::for_client(Version::V5, 100);
        let ack = Ack::new(PacketId::new(7).unwrap(), ReasonCode::NoMatchingSubscribers);
        assert_eq!(decoder.decode(&mut BytesMut::from(bytes)), Ok(Some(Packet::PubAck(ack))));
    }
}
