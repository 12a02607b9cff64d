//! Fuzz targets as plain functions of bytes. Each panics on an inconsistency and on nothing else; a seeded driver
//! runs them in the tests, cargo-fuzz where it is installed.

mod machines;

pub use machines::{client_machine, server_machine};

use bytes::{Bytes, BytesMut};

use crate::codec::{DEFAULT_MAX_CONNECT_SIZE, Decoder, Role, encode, encoded_len};
use crate::{Packet, SpecViolation, Version};

/// Decodes `bytes` as MQTT 3.1.1: as the first bytes of a connection, and later on either side.
pub fn decode_v3(bytes: &[u8]) {
    decode(bytes, Version::V3_1_1);
}

/// Decodes `bytes` as MQTT 5.0: as the first bytes of a connection, and later on either side.
pub fn decode_v5(bytes: &[u8]) {
    decode(bytes, Version::V5);
}

fn decode(bytes: &[u8], version: Version) {
    let later = || {
        let mut decoder = Decoder::for_server(DEFAULT_MAX_CONNECT_SIZE);
        decoder.set_version(version);
        decoder
    };
    check(bytes, Role::Server, || Decoder::for_server(DEFAULT_MAX_CONNECT_SIZE));
    check(bytes, Role::Server, later);
    check(bytes, Role::Client, || Decoder::for_client(version, DEFAULT_MAX_CONNECT_SIZE));
}

/// All packets of a stream, with the version and the length on the wire of each, and how it ended.
type Decoded = (Vec<(Packet, Version, usize)>, Result<(), SpecViolation>);

/// Feeds `bytes` in pieces of `step`.
fn decode_all(bytes: &[u8], mut decoder: Decoder, step: usize) -> Decoded {
    let mut packets = Vec::new();
    let mut buf = BytesMut::new();
    for piece in bytes.chunks(step.max(1)) {
        buf.extend_from_slice(piece);
        loop {
            let before = buf.len();
            match decoder.decode(&mut buf) {
                Ok(Some(packet)) => {
                    let version = decoder.version();
                    assert!(version.is_some(), "a packet was decoded before the version was known");
                    let version = match &packet {
                        Packet::Connect(connect) => connect.version,
                        _ => version.unwrap_or(Version::V5),
                    };
                    packets.push((packet, version, before - buf.len()));
                }
                Ok(None) => {
                    assert_eq!(buf.len(), before, "bytes were taken without a packet");
                    assert!(decoder.needed() > 0);
                    break;
                }
                Err(violation) => return (packets, Err(violation)),
            }
        }
    }
    (packets, Ok(()))
}

fn check(bytes: &[u8], role: Role, decoder: impl Fn() -> Decoder) {
    let whole = decode_all(bytes, decoder(), bytes.len());
    // Some other step for every input.
    let odd = 2 + usize::from(bytes.first().copied().unwrap_or_default()) % 61;
    for step in [1, 2, odd] {
        assert_eq!(decode_all(bytes, decoder(), step), whole, "in pieces of {step} it is something else");
    }
    if let Err(violation) = &whole.1 {
        assert!(violation.reason().is_failure());
        assert!(!violation.detail().is_empty() && !violation.statement().is_empty());
    }
    for (packet, version, length) in &whole.0 {
        check_again(packet, *version, *length, role);
    }
}

/// What was decoded can be encoded, in no more bytes, and is then decoded as the same.
fn check_again(packet: &Packet, version: Version, length: usize, role: Role) {
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(encode(packet, version, None, &mut out), Ok(()), "{packet:?}");
    let frame = Bytes::from(out).split_off(b"before".len());
    assert_eq!(Ok(frame.len()), encoded_len(packet, version));
    assert!(frame.len() <= length, "{packet:?} grew");
    let mut decoder = match role {
        Role::Server => Decoder::for_server(u32::MAX),
        Role::Client => Decoder::for_client(version, u32::MAX),
    };
    if role == Role::Server && !matches!(packet, Packet::Connect(_)) {
        decoder.set_version(version);
    }
    let (again, end) = decode_all(&frame, decoder, frame.len());
    assert_eq!(end, Ok(()), "{packet:?} is refused once encoded");
    assert!(matches!(again.as_slice(), [(same, _, all)] if same == packet && *all == frame.len()), "{again:?}");
}
