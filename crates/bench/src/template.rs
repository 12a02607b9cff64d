//! PUBLISH packets that are encoded once, and of which only what differs is written before each is sent.

use bytes::{Bytes, BytesMut};
use gridmq_proto::packet::{Packet, Publish};
use gridmq_proto::{EncodeError, MessageProperties, PacketId, QoS, TopicName, Version, codec};

use crate::payload::{HEADER, Stamp, filler};

/// Digits of a number in a topic.
pub(crate) const DIGITS: usize = 6;

/// What all messages of a publisher have in common.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) version: Version,
    /// Where `{i}` stands, the number of a topic is written.
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: Option<Box<MessageProperties>>,
    pub(crate) run: u16,
    pub(crate) stream: u16,
    /// Of the payload, in bytes.
    pub(crate) size: usize,
}

/// The pattern's topic with a number in it.
pub(crate) fn numbered(topic: &str, number: u32) -> String {
    topic.replace("{i}", &format!("{number:0DIGITS$}"))
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error(transparent)]
    Topic(#[from] gridmq_proto::topic::TopicError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Pattern {
    fn encode(&self, number: u32, id: PacketId) -> Result<BytesMut, TemplateError> {
        let topic = TopicName::try_from(numbered(&self.topic, number).as_str())?;
        let mut payload = vec![0; HEADER];
        let body = self.size.saturating_sub(HEADER);
        payload.extend((0..body).map(|place| filler(self.run, self.stream, place)));
        let publish = Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            packet_id: (self.qos != QoS::AtMostOnce).then_some(id),
            topic: Some(topic),
            topic_alias: None,
            subscription_identifiers: Default::default(),
            payload: Bytes::from(payload),
            properties: self.properties.clone(),
        };
        let mut out = BytesMut::new();
        codec::encode(&Packet::Publish(publish), self.version, None, &mut out)?;
        Ok(out)
    }
}

/// Copies of one packet, one behind the other, of which some wait to be written.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: Vec<u8>,
    /// Length of one packet.
    length: usize,
    id_at: Option<usize>,
    /// Where the number of the topic stands; absent if it has none.
    number_at: Option<usize>,
    payload_at: usize,
    /// What waits: `from..to`, `to` at a packet's end.
    from: usize,
    to: usize,
}

/// What differs from packet to packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patch {
    pub(crate) id: Option<PacketId>,
    /// Of the topic.
    pub(crate) number: u32,
    pub(crate) stamp: Stamp,
}

impl Ring {
    /// As many copies as fit into that many bytes, but at least one.
    pub(crate) fn new(pattern: &Pattern, bytes: usize) -> Result<Self, TemplateError> {
        let packet = pattern.encode(0, PacketId::MIN)?;
        let other_id = pattern.encode(0, PacketId::MAX)?;
        let other_number = pattern.encode(111_111, PacketId::MIN)?;
        let differs = |other: &[u8]| packet.iter().zip(other).position(|(a, b)| a != b);
        let length = packet.len();
        Ok(Self {
            // The smallest identifier is 0x0001, the largest 0xFFFF: they differ from their first byte on.
            id_at: differs(&other_id),
            number_at: differs(&other_number),
            payload_at: length - pattern.size.max(HEADER),
            bytes: packet.repeat((bytes / length).max(1)),
            length,
            from: 0,
            to: 0,
        })
    }

    /// How many packets can be added: none before all that was added is written.
    pub(crate) fn room(&self) -> usize {
        if self.from == self.to { self.bytes.len() / self.length } else { 0 }
    }

    /// Fills packets one after the other as long as `next` has some, up to `most`; there must be [`Self::room`].
    pub(crate) fn fill(&mut self, most: usize, mut next: impl FnMut() -> Option<Patch>) -> usize {
        if self.from != self.to {
            return 0;
        }
        let mut filled = 0;
        for packet in self.bytes.chunks_exact_mut(self.length).take(most) {
            let Some(patch) = next() else { break };
            if let Some((place, id)) = self.id_at.and_then(|at| packet.get_mut(at..at + 2)).zip(patch.id) {
                place.copy_from_slice(&id.get().to_be_bytes());
            }
            if let Some(place) = self.number_at.and_then(|at| packet.get_mut(at..at + DIGITS)) {
                let mut rest = patch.number;
                for digit in place.iter_mut().rev() {
                    *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                    rest /= 10;
                }
            }
            if let Some(place) = packet.get_mut(self.payload_at..self.payload_at + HEADER) {
                place.copy_from_slice(&patch.stamp.to_bytes());
            }
            filled += 1;
        }
        (self.from, self.to) = (0, filled * self.length);
        filled
    }

    /// What waits to be written.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    /// Whether part of what was filled is written.
    pub(crate) const fn begun(&self) -> bool {
        self.from > 0 && self.from < self.to
    }

    /// So many bytes of what waits are written.
    pub(crate) fn written(&mut self, bytes: usize) {
        self.from = (self.from + bytes).min(self.to);
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(version: Version, qos: QoS) -> Pattern {
        let properties = (version == Version::V5).then(|| {
            let mut properties = MessageProperties::default();
            properties.user_properties.push(("1".into(), "0".into()));
            Box::new(properties)
        });
        Pattern {
            version,
            topic: "bench/{i}/x".to_owned(),
            qos,
            retain: false,
            properties,
            run: 9,
            stream: 2,
            size: 40,
        }
    }

    fn decode(bytes: &[u8], version: Version) -> Vec<Publish> {
        let mut decoder = codec::Decoder::for_server(65536);
        decoder.set_version(version);
        let mut buffer = BytesMut::from(bytes);
        std::iter::from_fn(|| decoder.decode(&mut buffer).unwrap())
            .map(|packet| match packet {
                Packet::Publish(publish) => publish,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_copy_decodes_to_what_was_written_into_it() {
        for version in [Version::V3_1_1, Version::V5] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let mut ring = Ring::new(&pattern(version, qos), 1000).unwrap();
                let room = ring.room();
                assert!(room > 5);
                for round in 0..2u32 {
                    let mut count = 0;
                    let filled = ring.fill(5, || {
                        count += 1;
                        let seq = round * 5 + count;
                        let stamp = Stamp { run: 9, stream: 2, seq, sent: u64::from(seq) << 33 };
                        Some(Patch { id: PacketId::new(300 + u16::try_from(seq).unwrap()), number: seq * 1001, stamp })
                    });
                    assert_eq!(filled, 5);
                    assert_eq!(ring.room(), 0, "until it is written");
                    for (publish, seq) in decode(ring.waiting(), version).into_iter().zip(round * 5 + 1..) {
                        assert_eq!(publish.topic.unwrap().as_str(), format!("bench/{:06}/x", seq * 1001));
                        assert_eq!(publish.packet_id.is_some(), qos != QoS::AtMostOnce);
                        if let Some(id) = publish.packet_id {
                            assert_eq!(u32::from(id.get()), 300 + seq);
                        }
                        let stamp = Stamp::read(&publish.payload).unwrap();
                        assert_eq!(stamp.seq, seq);
                        assert!(crate::payload::is_whole(&publish.payload, stamp, 40, crate::payload::Check::All));
                    }
                    let waiting = ring.waiting().len();
                    ring.written(7);
                    assert!(ring.begun());
                    ring.written(waiting - 7);
                    assert_eq!(ring.room(), room);
                }
            }
        }
    }

    #[test]
    fn a_packet_larger_than_the_ring_is_still_one() {
        let large = Pattern { size: 5000, ..pattern(Version::V3_1_1, QoS::AtMostOnce) };
        assert_eq!(Ring::new(&large, 1000).unwrap().room(), 1);
    }
}
