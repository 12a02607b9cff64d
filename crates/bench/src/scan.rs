//! Finds packets in what arrives, quickly. The five kinds that make up the load are read in place; whatever else
//! comes is handed on whole, for the codec to judge.

use gridmq_proto::{PacketId, Version};

/// A packet at the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned<'a> {
    Publish {
        dup: bool,
        qos: u8,
        retain: bool,
        id: Option<PacketId>,
        payload: &'a [u8],
    },
    /// PUBACK, PUBREC, PUBREL or PUBCOMP, by the first byte; 0 is success.
    Ack {
        first: u8,
        id: PacketId,
        reason: u8,
    },
    /// Any other packet, or one of those in a form that is rare or wrong.
    Other(&'a [u8]),
}

/// The first byte of the acknowledgements; PUBREL has flags.
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;

/// A length that no packet can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The first packet, if it is whole, and how many bytes it takes.
pub(crate) fn scan(bytes: &[u8], version: Version) -> Result<Option<(Scanned<'_>, usize)>, Malformed> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((length, rest)) = varint(rest)? else { return Ok(None) };
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let total = bytes.len() - rest.len() + length;
    let whole = bytes.get(..total).unwrap_or_default();
    let scanned = match first {
        0x30..=0x3F => publish(first, body, version),
        PUBACK | PUBREC | PUBREL | PUBCOMP => ack(first, body),
        _ => None,
    };
    Ok(Some((scanned.unwrap_or(Scanned::Other(whole)), total)))
}

/// Length of the first packet, as far as it says it.
pub(crate) fn announced(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = varint(bytes.get(1..)?).ok()??;
    Some(bytes.len() - rest.len() + length)
}

fn varint(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, Malformed> {
    let mut value = 0;
    for (place, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * place);
        if byte < 0x80 {
            return Ok(Some((value, bytes.get(place + 1..).unwrap_or_default())));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed) }
}

fn publish(first: u8, body: &[u8], version: Version) -> Option<Scanned<'_>> {
    let qos = first >> 1 & 3;
    if qos == 3 {
        return None;
    }
    let (topic, rest) = body.split_first_chunk::<2>()?;
    let mut rest = rest.get(usize::from(u16::from_be_bytes(*topic))..)?;
    let mut id = None;
    if qos > 0 {
        let (bytes, after) = rest.split_first_chunk::<2>()?;
        id = Some(PacketId::new(u16::from_be_bytes(*bytes))?);
        rest = after;
    }
    if version.is_v5() {
        let (properties, after) = varint(rest).ok()??;
        rest = after.get(properties..)?;
    }
    Some(Scanned::Publish { dup: first & 8 != 0, qos, retain: first & 1 != 0, id, payload: rest })
}

fn ack(first: u8, body: &[u8]) -> Option<Scanned<'_>> {
    let (id, rest) = body.split_first_chunk::<2>()?;
    let id = PacketId::new(u16::from_be_bytes(*id))?;
    Some(Scanned::Ack { first, id, reason: rest.first().copied().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use gridmq_proto::codec::Role;
    use gridmq_proto::packet::Packet;
    use gridmq_proto::vectors::{Expect, VECTORS};

    use super::*;

    /// What the codec says, in the scanner's words.
    fn judged(packet: &Packet) -> Option<(u8, Option<PacketId>, u8, Vec<u8>)> {
        match packet {
            Packet::Publish(publish) => Some((0x30, publish.packet_id, publish.qos as u8, publish.payload.to_vec())),
            Packet::PubAck(ack) => Some((PUBACK, Some(ack.packet_id), ack.reason.as_u8(), Vec::new())),
            Packet::PubRec(ack) => Some((PUBREC, Some(ack.packet_id), ack.reason.as_u8(), Vec::new())),
            Packet::PubRel(ack) => Some((PUBREL, Some(ack.packet_id), ack.reason.as_u8(), Vec::new())),
            Packet::PubComp(ack) => Some((PUBCOMP, Some(ack.packet_id), ack.reason.as_u8(), Vec::new())),
            _ => None,
        }
    }

    #[test]
    fn it_reads_what_the_codec_reads() {
        let mut hot = 0;
        for vector in VECTORS.iter().filter(|vector| vector.role == Role::Client) {
            let Expect::Packet(_) = vector.expect else { continue };
            let version = vector.version.unwrap_or(Version::V5);
            let packet = vector.decoder().decode(&mut BytesMut::from(vector.bytes)).unwrap().unwrap();
            let (scanned, length) = scan(vector.bytes, version).unwrap().unwrap();
            assert_eq!(length, vector.bytes.len(), "{}", vector.name);
            let said = match scanned {
                Scanned::Publish { qos, id, payload, .. } => Some((0x30, id, qos, payload.to_vec())),
                Scanned::Ack { first, id, reason } => Some((first, Some(id), reason, Vec::new())),
                Scanned::Other(whole) => {
                    assert_eq!(whole, vector.bytes);
                    None
                }
            };
            hot += usize::from(said.is_some());
            assert_eq!(said, judged(&packet), "{}", vector.name);
        }
        assert!(hot > 3, "{hot} of the vectors are of the kinds that it reads");
    }

    #[test]
    fn it_reads_each_of_the_five_kinds_as_the_codec_writes_it() {
        use gridmq_proto::packet::{Ack, Publish};
        use gridmq_proto::{MessageProperties, QoS, ReasonCode, codec};
        let id = PacketId::new(0x1234).unwrap();
        for version in [Version::V3_1_1, Version::V5] {
            let reason = if version.is_v5() { ReasonCode::PacketIdentifierNotFound } else { ReasonCode::Success };
            let mut properties = MessageProperties::default();
            if version.is_v5() {
                properties.user_properties.push(("a".into(), "b".into()));
            }
            let publish = |qos| Publish {
                dup: qos != QoS::AtMostOnce,
                qos,
                retain: true,
                packet_id: (qos != QoS::AtMostOnce).then_some(id),
                topic: Some("a/b".try_into().unwrap()),
                topic_alias: None,
                subscription_identifiers: Default::default(),
                payload: vec![7; 300].into(),
                properties: Some(Box::new(properties.clone())),
            };
            for packet in [
                Packet::Publish(publish(QoS::AtMostOnce)),
                Packet::Publish(publish(QoS::AtLeastOnce)),
                Packet::Publish(publish(QoS::ExactlyOnce)),
                Packet::PubAck(Ack::new(id, ReasonCode::Success)),
                Packet::PubRec(Ack::new(id, ReasonCode::Success)),
                Packet::PubRel(Ack::new(id, reason)),
                Packet::PubComp(Ack::new(id, reason)),
            ] {
                let mut bytes = BytesMut::new();
                codec::encode(&packet, version, None, &mut bytes).unwrap();
                let (scanned, length) = scan(&bytes, version).unwrap().unwrap();
                assert_eq!(length, bytes.len());
                let said = match scanned {
                    Scanned::Publish { dup, qos, retain, id, payload } => {
                        assert_eq!((dup, retain), (qos > 0, true));
                        (0x30, id, qos, payload.to_vec())
                    }
                    Scanned::Ack { first, id, reason } => (first, Some(id), reason, Vec::new()),
                    Scanned::Other(_) => panic!("{packet:?} is one of the five"),
                };
                assert_eq!(Some(said), judged(&packet));
            }
        }
    }

    #[test]
    fn nothing_is_found_before_it_is_whole_and_nothing_panics() {
        for vector in VECTORS {
            for version in [Version::V3_1_1, Version::V5] {
                for end in 0..vector.bytes.len() {
                    if let Ok(Some((_, length))) = scan(&vector.bytes[..end], version) {
                        assert!(length <= end);
                    }
                }
            }
        }
        assert_eq!(scan(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], Version::V5), Err(Malformed));
    }
}
