//! What several test files share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod strategies;

use bytes::{Bytes, BytesMut};
use gridmq_proto::codec::{Decoder, Role, encode};
use gridmq_proto::error::EncodeError;
use gridmq_proto::{Packet, ReasonCode, SpecViolation, Version};

pub use gridmq_proto::Version::{V3_1, V3_1_1 as V3, V5};

/// A decoder in the middle of a connection; takes packets of any size.
pub fn decoder(role: Role, version: Version) -> Decoder {
    match role {
        Role::Client => Decoder::for_client(version, u32::MAX),
        Role::Server => {
            let mut decoder = Decoder::for_server(u32::MAX);
            decoder.set_version(version);
            decoder
        }
    }
}

pub fn decode(role: Role, version: Version, bytes: &[u8]) -> Result<Option<Packet>, SpecViolation> {
    decoder(role, version).decode(&mut BytesMut::from(bytes))
}

/// The packet that a client sent.
pub fn from_client(version: Version, bytes: &[u8]) -> Packet {
    decode(Role::Server, version, bytes).unwrap().unwrap()
}

/// The packet that a server sent.
pub fn from_server(version: Version, bytes: &[u8]) -> Packet {
    decode(Role::Client, version, bytes).unwrap().unwrap()
}

/// Asserts that a server refuses it, for that statement and with that reason code.
#[track_caller]
pub fn server_refuses(version: Version, bytes: &[u8], statement: &str, reason: ReasonCode) {
    let violation = decode(Role::Server, version, bytes).unwrap_err();
    assert_eq!((violation.statement(), violation.reason()), (statement, reason), "{violation}");
}

/// Asserts that a client refuses it, for that statement and with that reason code.
#[track_caller]
pub fn client_refuses(version: Version, bytes: &[u8], statement: &str, reason: ReasonCode) {
    let violation = decode(Role::Client, version, bytes).unwrap_err();
    assert_eq!((violation.statement(), violation.reason()), (statement, reason), "{violation}");
}

/// A server's answer to the first bytes of a connection.
pub fn first(bytes: &[u8]) -> Result<Option<Packet>, SpecViolation> {
    Decoder::default().decode(&mut BytesMut::from(bytes))
}

/// Asserts that a server refuses it as first bytes.
#[track_caller]
pub fn first_is_refused(bytes: &[u8], statement: &str, reason: ReasonCode) {
    let violation = first(bytes).unwrap_err();
    assert_eq!((violation.statement(), violation.reason()), (statement, reason), "{violation}");
}

pub fn encoded(packet: &Packet, version: Version) -> Bytes {
    encoded_within(packet, version, None).unwrap()
}

pub fn encoded_within(packet: &Packet, version: Version, max: Option<u32>) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    encode(packet, version, max, &mut out).map(|()| out.freeze())
}

/// The statement that encoding refuses to break.
#[track_caller]
pub fn forbidden(packet: &Packet, version: Version) -> &'static str {
    let mut out = BytesMut::from(&b"kept"[..]);
    let refused = encode(packet, version, None, &mut out);
    assert_eq!(&out[..], b"kept");
    match refused {
        Err(EncodeError::Forbidden(violation)) => violation.statement(),
        other => panic!("{other:?}"),
    }
}

/// A packet of those fields.
pub fn packet(first: u8, fields: &[&[u8]]) -> Vec<u8> {
    let body = fields.concat();
    assert!(body.len() < 16_384);
    let mut bytes = vec![first];
    if body.len() < 128 {
        bytes.push(body.len() as u8);
    } else {
        bytes.extend([(body.len() % 128) as u8 | 0x80, (body.len() / 128) as u8]);
    }
    bytes.extend(body);
    bytes
}

/// A string or binary field.
pub fn field(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A CONNECT with those flags and that payload, keep-alive 60 and no properties.
pub fn connect(version: Version, flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    let payload = payload.concat();
    match version {
        V3_1 => packet(0x10, &[&field("MQIsdp"), &[3, flags, 0, 60], &payload]),
        V3 => packet(0x10, &[&field("MQTT"), &[4, flags, 0, 60], &payload]),
        V5 => packet(0x10, &[&field("MQTT"), &[5, flags, 0, 60, 0], &payload]),
    }
}

/// The CONNECT in those bytes.
#[track_caller]
pub fn connected(bytes: &[u8]) -> gridmq_proto::packet::Connect {
    match first(bytes) {
        Ok(Some(Packet::Connect(connect))) => *connect,
        other => panic!("{other:?}"),
    }
}

/// Asserts that `packet`, whose reason string is "because" and whose one user property is "name"="value", loses first
/// the user property, then the reason string, then neither exceeds the peer's maximum; `bare` is what remains.
#[track_caller]
pub fn check_words(packet: &Packet, bare: &[u8]) {
    const WORDS: u32 = 3 + 7;
    const PAIR: u32 = 1 + 6 + 7;
    let full = encoded(packet, V5).len() as u32;
    let len = |max| encoded_within(packet, V5, Some(max)).map(|bytes| bytes.len() as u32);
    assert_eq!(len(full), Ok(full));
    assert_eq!(len(full - 1), Ok(full - PAIR));
    assert_eq!(len(full - PAIR), Ok(full - PAIR));
    let least = len(full - PAIR - 1).unwrap();
    assert!(least <= full - PAIR - WORDS);
    let found = encoded_within(packet, V5, Some(least)).unwrap();
    assert_eq!(&found[..], bare);
    assert!(matches!(len(least - 1), Err(EncodeError::PacketTooLarge { .. })));
}
