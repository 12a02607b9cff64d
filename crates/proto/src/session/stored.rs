//! Messages as they are stored: the values of the rows in which a client's or a server's store keeps a session.
//!
//! Every value begins with the format byte `01`. Numbers are big-endian. `data` is a length (`u32`) and that many bytes,
//! `text` is data in UTF-8. What is marked `?` is there only if its flag says so. Decoding is strict: bits without a
//! meaning are zero, nothing follows the last field, and one value has one encoding.
//!
//! - Delivery: `u8` flags: bits 0 and 1 QoS, bit 2 RETAIN, bit 3 expires, bit 4 shared; `u64`? time of expiry in
//!   milliseconds since 1970; text? filter of the shared subscription; `u32` number of subscription identifiers, `u32`
//!   each; text topic; body.
//! - In flight: `u8` 0 sent, 1 released (PUBREL is due); `u16` packet identifier.
//! - Body: data payload; `u8` flags: bit 0 has properties, and only with it bit 1 payload format indicator present,
//!   bit 2 its value, bit 3 message expiry interval, bit 4 content type, bit 5 response topic, bit 6 correlation data;
//!   `u32`? message expiry interval in seconds; text? content type; text? response topic; data? correlation data; and
//!   with bit 0 `u32` number of user properties, text name and text value each.

mod value;

use std::num::NonZeroU16;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

pub use self::value::{Fault, Reader, Writer, text};
use super::Delivery;
use crate::message::SubscriptionId;
use crate::time::Wall;
use crate::{Message, MessageProperties, PacketId, QoS, SharedMessage, TopicName};

/// The bits of the QoS.
pub const QOS: u8 = 0b11;
const RETAIN: u8 = 1 << 2;
/// The bit that says that a time of expiry follows.
pub const EXPIRES: u8 = 1 << 3;
const SHARED: u8 = 1 << 4;

/// Of a body.
const PROPERTIES: u8 = 1;
const FORMAT_INDICATOR: u8 = 1 << 1;
const IS_TEXT: u8 = 1 << 2;
const EXPIRY_INTERVAL: u8 = 1 << 3;
const CONTENT_TYPE: u8 = 1 << 4;
const RESPONSE_TOPIC: u8 = 1 << 5;
const CORRELATION_DATA: u8 = 1 << 6;

/// Room for the numbers of a delivery and its body.
const NUMBERS: usize = 48;

/// A delivery as a value.
#[must_use]
pub fn encode_delivery(delivery: &Delivery) -> Bytes {
    let Delivery { message, qos, retain, subscription_identifiers, expires_at, share } = delivery;
    let share_len = share.as_ref().map_or(0, |share| share.len());
    let user_properties = message.message().properties().user_properties.len();
    let numbers = NUMBERS + 4 * subscription_identifiers.len() + 8 * user_properties;
    let mut to = Writer::new(message.weight() + share_len + numbers);
    to.u8(*qos as u8 | flag(*retain, RETAIN) | flag(expires_at.is_some(), EXPIRES) | flag(share.is_some(), SHARED));
    put_time(&mut to, *expires_at);
    if let Some(share) = share {
        to.data(share.as_bytes());
    }
    to.count(subscription_identifiers.len());
    for identifier in subscription_identifiers {
        to.u32(identifier.get());
    }
    to.data(message.message().topic.as_bytes());
    put_body(&mut to, message.message());
    to.finish()
}

/// The delivery that a value is.
///
/// # Errors
/// When it is none.
pub fn decode_delivery(value: Bytes) -> Result<Delivery, Fault> {
    let mut from = Reader::new(value)?;
    let flags = take_flags(&mut from, QOS | RETAIN | EXPIRES | SHARED)?;
    let qos = qos_of(flags)?;
    let expires_at = take_time(&mut from, flags & EXPIRES)?;
    let share = if flags & SHARED == 0 { None } else { Some(Arc::from(&*from.text()?)) };
    // Grows with what is there, not with what is said to be there.
    let mut subscription_identifiers = SmallVec::new();
    for _ in 0..from.u32()? {
        subscription_identifiers.push(SubscriptionId::new(from.u32()?).ok_or(Fault::ZeroIdentifier)?);
    }
    let topic = take_topic(&mut from)?;
    let message = SharedMessage::new(take_body(&mut from, topic)?);
    from.end()?;
    Ok(Delivery { message, qos, retain: flags & RETAIN != 0, subscription_identifiers, expires_at, share })
}

/// A packet identifier, and whether the message was released, as a value.
#[must_use]
pub fn encode_in_flight(id: PacketId, released: bool) -> Bytes {
    let mut to = Writer::new(3);
    to.u8(released.into());
    to.u16(id.get());
    to.finish()
}

/// The packet identifier, and whether the message was released.
///
/// # Errors
/// When the value is none such.
pub fn decode_in_flight(value: Bytes) -> Result<(PacketId, bool), Fault> {
    let mut from = Reader::new(value)?;
    let released = take_flags(&mut from, 1)? != 0;
    let id = NonZeroU16::new(from.u16()?).ok_or(Fault::ZeroIdentifier)?;
    from.end()?;
    Ok((id, released))
}

/// Writes payload and properties.
pub fn put_body(to: &mut Writer, message: &Message) {
    let Message { topic: _, payload, properties } = message;
    to.data(payload);
    let Some(properties) = properties else { return to.u8(0) };
    let MessageProperties {
        payload_format_indicator,
        message_expiry_interval,
        content_type,
        response_topic,
        correlation_data,
        user_properties,
    } = &**properties;
    to.u8(PROPERTIES
        | flag(payload_format_indicator.is_some(), FORMAT_INDICATOR)
        | flag(*payload_format_indicator == Some(true), IS_TEXT)
        | flag(message_expiry_interval.is_some(), EXPIRY_INTERVAL)
        | flag(content_type.is_some(), CONTENT_TYPE)
        | flag(response_topic.is_some(), RESPONSE_TOPIC)
        | flag(correlation_data.is_some(), CORRELATION_DATA));
    if let Some(seconds) = message_expiry_interval {
        to.u32(*seconds);
    }
    if let Some(content_type) = content_type {
        to.data(content_type.as_bytes());
    }
    if let Some(topic) = response_topic {
        to.data(topic.as_bytes());
    }
    if let Some(data) = correlation_data {
        to.data(data);
    }
    to.count(user_properties.len());
    for (name, value) in user_properties {
        to.data(name.as_bytes());
        to.data(value.as_bytes());
    }
}

/// Reads payload and properties.
///
/// # Errors
/// When they make no sense.
pub fn take_body(from: &mut Reader, topic: TopicName) -> Result<Message, Fault> {
    let payload = from.data()?;
    let flags = take_flags(from, 0x7f)?;
    if flags & PROPERTIES == 0 {
        return if flags == 0 { Ok(Message::new(topic, payload)) } else { Err(Fault::Flags(flags)) };
    }
    if flags & (FORMAT_INDICATOR | IS_TEXT) == IS_TEXT {
        return Err(Fault::Flags(flags));
    }
    let has = |bit| flags & bit != 0;
    let mut properties = MessageProperties {
        payload_format_indicator: has(FORMAT_INDICATOR).then_some(has(IS_TEXT)),
        ..MessageProperties::default()
    };
    if has(EXPIRY_INTERVAL) {
        properties.message_expiry_interval = Some(from.u32()?);
    }
    if has(CONTENT_TYPE) {
        properties.content_type = Some(from.text()?);
    }
    if has(RESPONSE_TOPIC) {
        properties.response_topic = Some(take_topic(from)?);
    }
    if has(CORRELATION_DATA) {
        properties.correlation_data = Some(from.data()?);
    }
    for _ in 0..from.u32()? {
        properties.user_properties.push((from.text()?, from.text()?));
    }
    Ok(Message { topic, payload, properties: Some(Box::new(properties)) })
}

/// Writes a time, if there is one.
pub fn put_time(to: &mut Writer, time: Option<Wall>) {
    if let Some(time) = time {
        to.u64(time.as_millis());
    }
}

/// Reads a time, if `flag` is set.
///
/// # Errors
/// When it is missing.
pub fn take_time(from: &mut Reader, flag: u8) -> Result<Option<Wall>, Fault> {
    if flag == 0 { Ok(None) } else { from.u64().map(Wall::from_millis).map(Some) }
}

/// Reads a topic name.
///
/// # Errors
/// When it is none.
pub fn take_topic(from: &mut Reader) -> Result<TopicName, Fault> {
    TopicName::try_from(from.text()?).map_err(Fault::Topic)
}

/// `bit` if `set`.
#[must_use]
pub const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// Reads flags of which only those in `known` may be set.
///
/// # Errors
/// When others are.
pub fn take_flags(from: &mut Reader, known: u8) -> Result<u8, Fault> {
    let flags = from.u8()?;
    if flags & !known == 0 { Ok(flags) } else { Err(Fault::Flags(flags)) }
}

/// The QoS in the lowest bits of flags.
///
/// # Errors
/// When it is 3.
pub fn qos_of(flags: u8) -> Result<QoS, Fault> {
    QoS::from_u8(flags & QOS).ok_or(Fault::Flags(flags))
}
