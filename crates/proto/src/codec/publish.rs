//! PUBLISH (MQTT 5.0 §3.3), and its sharing among many subscribers.
//!
//! What most subscribers of a message get differs only in the first byte and the packet identifier. So, where it has
//! properties, the head of the packet (fixed header, topic, properties) is made once per QoS class, kept with the
//! message, and copied and patched for each; the payload is copied from the message itself and not kept twice.

use std::num::NonZeroU16;

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::decoder::{Context, Role};
use super::properties::{Id, Properties, Property, PropertySink, Repeats, WithExpiry, take_message_property};
use super::read::Reader;
use super::read_topic::publish_topic;
use super::write::{Part, Sink, append, begin, check_size, measure, packet_len, sized};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::message::{OutgoingPublish, SubscriptionId};
use crate::packet::{PacketType, Publish};
use crate::{Message, MessageProperties, PacketId, QoS, TopicName, Version};

/// The PUBLISH of that body, if it has its topic and no properties, which most have. Anything else, and whatever is
/// wrong with it, is [`decode`]'s to say, and `body` is then as it was.
pub(super) fn decode_plain(
    body: &mut Bytes,
    version: Version,
    (dup, qos, retain): (bool, QoS, bool),
) -> Option<Publish> {
    let (&length, rest) = body.split_first_chunk::<2>()?;
    let topic_end = 2 + usize::from(u16::from_be_bytes(length));
    let rest = rest.get(topic_end - 2..)?;
    let (packet_id, rest) = if qos == QoS::AtMostOnce {
        (None, rest)
    } else {
        let (&id, rest) = rest.split_first_chunk::<2>()?;
        (Some(PacketId::new(u16::from_be_bytes(id))?), rest)
    };
    let rest = if version.is_v5() { rest.strip_prefix(&[0])? } else { rest };
    let payload_at = body.len() - rest.len();
    let topic = TopicName::try_from(ByteString::try_from(body.slice(2..topic_end)).ok()?).ok()?;
    let mut payload = std::mem::take(body);
    payload.advance(payload_at);
    Some(Publish {
        dup,
        qos,
        retain,
        packet_id,
        topic: Some(topic),
        topic_alias: None,
        subscription_identifiers: smallvec::SmallVec::new(),
        payload,
        properties: None,
    })
}

pub(super) fn decode(
    reader: &mut Reader,
    cx: Context,
    (dup, qos, retain): (bool, QoS, bool),
) -> Result<Publish, SpecViolation> {
    let topic = reader.text("the topic name")?;
    let zero = match cx.role {
        Role::Server => &statements::PACKET_ID_ZERO,
        Role::Client => &statements::PACKET_ID_ZERO_FROM_SERVER,
    };
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id(zero)?) };
    let mut publish = Publish {
        dup,
        qos,
        retain,
        packet_id,
        topic: None,
        topic_alias: None,
        subscription_identifiers: smallvec::SmallVec::new(),
        payload: Bytes::new(),
        properties: None,
    };
    if cx.version.is_v5() {
        properties(reader, cx, &mut publish)?;
    }
    if !topic.is_empty() {
        publish.topic = Some(publish_topic(topic)?);
    } else if publish.topic_alias.is_none() {
        return Err(SpecViolation::of(&statements::TOPIC_MISSING));
    }
    publish.payload = reader.rest();
    Ok(publish)
}

fn properties(reader: &mut Reader, cx: Context, publish: &mut Publish) -> Result<(), SpecViolation> {
    let repeats = match cx.role {
        Role::Server => Repeats::Nothing,
        Role::Client => Repeats::SubscriptionIdentifiers,
    };
    let mut properties = Properties::take(reader, repeats, cx.limits.user_properties)?;
    while let Some(property) = properties.next()? {
        match take_message_property(property, &mut publish.properties)? {
            None => {}
            Some(Property::Two1(Id::TopicAlias, alias)) => publish.topic_alias = Some(alias),
            Some(Property::Four1(Id::SubscriptionIdentifier, id)) => {
                if cx.role == Role::Server {
                    return Err(SpecViolation::of(&statements::SUBSCRIPTION_ID_FROM_CLIENT));
                }
                publish.subscription_identifiers.push(id);
            }
            Some(other) => return Err(other.misplaced()),
        }
    }
    Ok(())
}

/// The first byte (§3.3.1).
pub(super) const fn first_byte(dup: bool, qos: QoS, retain: bool) -> u8 {
    PacketType::Publish.as_u8() << 4 | (dup as u8) << 3 | (qos as u8) << 1 | retain as u8
}

/// The fields of a PUBLISH after its fixed header and before its payload.
struct Head<'a> {
    version: Version,
    topic: &'a str,
    packet_id: Option<PacketId>,
    topic_alias: Option<NonZeroU16>,
    subscription_identifiers: &'a [SubscriptionId],
    properties: &'a MessageProperties,
    expiry: Option<u32>,
}

impl Part for Head<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        sink.string(self.topic, "the topic name")?;
        if let Some(id) = self.packet_id {
            sink.u16(id.get());
        }
        if self.version.is_v5() { sized(sink, &HeadProperties(self)) } else { Ok(()) }
    }
}

struct HeadProperties<'a>(&'a Head<'a>);

impl Part for HeadProperties<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let head = self.0;
        sink.two(Id::TopicAlias, head.topic_alias.map(u16::from));
        for &id in head.subscription_identifiers {
            sink.subscription_identifier(id)?;
        }
        WithExpiry { properties: head.properties, expiry: head.expiry }.write(sink)
    }
}

/// A whole PUBLISH after its fixed header.
struct Whole<'a> {
    head: Head<'a>,
    payload: &'a [u8],
}

impl Part for Whole<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        self.head.write(sink)?;
        sink.put(self.payload);
        Ok(())
    }
}

/// A PUBLISH without properties but perhaps a topic alias, which most are: nothing of it has to be measured.
struct Plain<'a> {
    first: u8,
    /// Empty: what the alias stands for. A topic name is never longer than its length can say.
    topic: &'a str,
    packet_id: Option<PacketId>,
    /// Of MQTT 5.0.
    topic_alias: Option<NonZeroU16>,
    payload: &'a [u8],
}

/// The bytes of a topic alias among the properties.
const ALIAS_LEN: u8 = 3;

impl Plain<'_> {
    fn remaining(&self, version: Version) -> usize {
        let id = if self.packet_id.is_some() { 2 } else { 0 };
        let alias = if self.topic_alias.is_some() { usize::from(ALIAS_LEN) } else { 0 };
        let properties = if version.is_v5() { 1 + alias } else { 0 };
        2 + self.topic.len() + id + properties + self.payload.len()
    }

    fn encode(&self, version: Version, max: Option<u32>, out: &mut BytesMut) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_size(PacketType::Publish, remaining, max)?;
        begin(self.first, remaining, out);
        out.u16(u16::try_from(self.topic.len()).unwrap_or(u16::MAX));
        out.put(self.topic.as_bytes());
        if let Some(id) = self.packet_id {
            out.u16(id.get());
        }
        match self.topic_alias.map(|alias| alias.get().to_be_bytes()) {
            Some([high, low]) => out.put(&[ALIAS_LEN, Id::TopicAlias as u8, high, low]),
            None if version.is_v5() => out.u8(0),
            None => {}
        }
        out.put(self.payload);
        Ok(())
    }
}

/// The combinations of flags, packet identifier and topic that the standard forbids.
fn check(dup: bool, qos: QoS, packet_id: Option<PacketId>, has_topic: bool) -> Result<(), SpecViolation> {
    let rule = match (qos, packet_id) {
        (QoS::AtMostOnce, Some(_)) => &statements::PACKET_ID_AT_QOS_0,
        (QoS::AtMostOnce, None) if dup => &statements::DUP_AT_QOS_0,
        (QoS::AtLeastOnce | QoS::ExactlyOnce, None) => &statements::PACKET_ID_MISSING,
        _ if !has_topic => &statements::TOPIC_MISSING,
        _ => return Ok(()),
    };
    Err(SpecViolation::of(rule).within(PacketType::Publish))
}

impl Publish {
    fn parts(&self, version: Version) -> Result<Whole<'_>, EncodeError> {
        let has_topic = self.topic.is_some() || self.topic_alias.is_some();
        check(self.dup, self.qos, self.packet_id, has_topic)?;
        let properties = self.properties.as_deref().unwrap_or_else(|| MessageProperties::absent());
        if !version.is_v5() {
            let not_here = |field| Err(EncodeError::NotInVersion { packet: PacketType::Publish, field, version });
            if self.topic_alias.is_some() {
                return not_here("a topic alias");
            }
            if !self.subscription_identifiers.is_empty() {
                return not_here("a subscription identifier");
            }
            if let Some(property) = properties.first_set() {
                return not_here(property);
            }
        }
        let head = Head {
            version,
            topic: self.topic.as_ref().map_or("", |topic| topic.as_str()),
            packet_id: self.packet_id,
            topic_alias: self.topic_alias,
            subscription_identifiers: &self.subscription_identifiers,
            properties,
            expiry: properties.message_expiry_interval,
        };
        Ok(Whole { head, payload: &self.payload })
    }

    /// The packet, if it has no properties.
    fn plain(&self) -> Option<Plain<'_>> {
        let has = self.properties.is_some() || self.topic_alias.is_some() || !self.subscription_identifiers.is_empty();
        let topic = self.topic.as_ref().filter(|_| !has)?.as_str();
        let first = first_byte(self.dup, self.qos, self.retain);
        Some(Plain { first, topic, packet_id: self.packet_id, topic_alias: None, payload: &self.payload })
    }

    pub(super) fn encode(&self, version: Version, max: Option<u32>, out: &mut BytesMut) -> Result<(), EncodeError> {
        if let Some(plain) = self.plain() {
            check(self.dup, self.qos, self.packet_id, true)?;
            return plain.encode(version, max, out);
        }
        let whole = self.parts(version)?;
        let remaining = measure(&whole)?;
        check_size(PacketType::Publish, remaining, max)?;
        append(first_byte(self.dup, self.qos, self.retain), remaining, &whole, out)
    }

    pub(super) fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        Ok(packet_len(measure(&self.parts(version)?)?))
    }
}

/// Holders of a message up to which its frame is not made: a client's message has itself and its session, a broker's
/// one subscriber likewise.
const FEW: usize = 2;

/// The head of a PUBLISH as one message's subscribers get it, up to the payload.
#[derive(Debug)]
pub(crate) struct Frame {
    /// With 0x30 as first byte and the packet identifier, if there is one, zero.
    head: Box<[u8]>,
    /// Where the packet identifier lies, for QoS above 0.
    packet_id_at: Option<usize>,
    /// Length of the packet without its fixed header.
    remaining: usize,
}

impl Frame {
    /// Makes the head of `message` for QoS 0 or QoS above 0.
    pub(crate) fn new(message: &Message, acknowledged: bool) -> Result<Self, EncodeError> {
        let properties = message.properties();
        let head = Head {
            version: Version::V5,
            topic: message.topic.as_str(),
            packet_id: acknowledged.then_some(PacketId::MIN),
            topic_alias: None,
            subscription_identifiers: &[],
            properties,
            expiry: properties.message_expiry_interval,
        };
        let remaining = measure(&head)? + message.payload.len();
        check_size(PacketType::Publish, remaining, None)?;
        let mut bytes = BytesMut::with_capacity(packet_len(remaining) - message.payload.len());
        bytes.u8(PacketType::Publish.as_u8() << 4);
        bytes.varint(u32::try_from(remaining).unwrap_or(u32::MAX));
        let fields_at = bytes.len();
        head.write(&mut bytes)?;
        Ok(Self {
            head: bytes.to_vec().into_boxed_slice(),
            packet_id_at: acknowledged.then_some(fields_at + 2 + message.topic.as_str().len()),
            remaining,
        })
    }

    fn append(&self, first: u8, packet_id: Option<PacketId>, payload: &[u8], out: &mut BytesMut) {
        let start = out.len();
        out.reserve(packet_len(self.remaining));
        out.extend_from_slice(&self.head);
        if let Some(byte) = out.get_mut(start) {
            *byte = first;
        }
        if let (Some(at), Some(id)) = (self.packet_id_at, packet_id)
            && let Some(place) = out.get_mut(start + at..start + at + 2)
        {
            place.copy_from_slice(&id.get().to_be_bytes());
        }
        out.extend_from_slice(payload);
    }
}

impl OutgoingPublish {
    /// The packet, if it has no properties but perhaps a topic alias. Before MQTT 5.0 none has.
    fn plain(&self, version: Version) -> Option<Plain<'_>> {
        let Message { topic, payload, properties } = self.message.message();
        let has = version.is_v5()
            && (properties.is_some()
                || !self.subscription_identifiers.is_empty()
                || self.message_expiry_interval.is_some());
        if has {
            return None;
        }
        let alias = self.topic_alias.filter(|_| version.is_v5());
        let topic = if alias.is_none_or(|alias| alias.send_topic) { topic.as_str() } else { "" };
        let first = first_byte(self.dup, self.qos, self.retain);
        let topic_alias = alias.map(|alias| alias.alias);
        Some(Plain { first, topic, packet_id: self.packet_id, topic_alias, payload })
    }

    /// The shared frame, if this subscriber gets what the others get, and if it pays: for one or two of them making it
    /// costs more than it saves.
    fn frame(&self) -> Option<Result<&Frame, EncodeError>> {
        let alone = self.topic_alias.is_some()
            || !self.subscription_identifiers.is_empty()
            || self.expiry() != self.message.message().properties().message_expiry_interval
            || self.message.holders() <= FEW;
        (!alone).then(|| self.message.frame(self.qos != QoS::AtMostOnce))
    }

    fn expiry(&self) -> Option<u32> {
        self.message_expiry_interval.or_else(|| self.message.message().properties().message_expiry_interval)
    }

    /// The packet made anew, of MQTT 5.0.
    fn parts(&self) -> Whole<'_> {
        let message = self.message.message();
        let with_topic = self.topic_alias.is_none_or(|alias| alias.send_topic);
        let head = Head {
            version: Version::V5,
            topic: if with_topic { message.topic.as_str() } else { "" },
            packet_id: self.packet_id,
            topic_alias: self.topic_alias.map(|alias| alias.alias),
            subscription_identifiers: &self.subscription_identifiers,
            properties: message.properties(),
            expiry: self.expiry(),
        };
        Whole { head, payload: &message.payload }
    }

    /// Appends the PUBLISH to `out`. Before MQTT 5.0 whatever that version has no place for is left out.
    ///
    /// # Errors
    /// If it is larger than `max`, the peer's Maximum Packet Size, or cannot be encoded at all; `out` is then
    /// unchanged. The message is to be dropped for this peer as if it had been sent [MQTT-3.1.2-25].
    pub fn encode(&self, version: Version, max: Option<u32>, out: &mut BytesMut) -> Result<(), EncodeError> {
        check(self.dup, self.qos, self.packet_id, true)?;
        if let Some(plain) = self.plain(version) {
            return plain.encode(version, max, out);
        }
        let first = first_byte(self.dup, self.qos, self.retain);
        match self.frame() {
            Some(frame) => {
                let frame = frame?;
                check_size(PacketType::Publish, frame.remaining, max)?;
                frame.append(first, self.packet_id, &self.message.message().payload, out);
                Ok(())
            }
            None => {
                let whole = self.parts();
                let remaining = measure(&whole)?;
                check_size(PacketType::Publish, remaining, max)?;
                append(first, remaining, &whole, out)
            }
        }
    }

    /// The length of the whole packet in bytes; `usize::MAX` if it cannot be encoded at all.
    #[must_use]
    pub fn encoded_len(&self, version: Version) -> usize {
        if let Some(plain) = self.plain(version) {
            return packet_len(plain.remaining(version));
        }
        let len = match self.frame() {
            Some(frame) => frame.map(|frame| packet_len(frame.remaining)),
            None => measure(&self.parts()).map(packet_len),
        };
        len.unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests;
