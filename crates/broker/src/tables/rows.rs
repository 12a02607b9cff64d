//! Values to bytes and back. The layout is in the [parent's documentation](super).

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use bytes::Bytes;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{RetainHandling, SubscribeOptions};
use gridmq_proto::session::Delivery;
use gridmq_proto::session::server::Subscription;
use gridmq_proto::time::Wall;
use gridmq_proto::{Message, MessageProperties, PacketId, QoS, SharedMessage, TopicName};
use smallvec::SmallVec;

use super::value::{Fault, Reader, Writer};
use super::{RetainedRow, SessionRow};

/// Of an owner's row.
const DISCONNECTED: u8 = 1;

/// Of a subscription, MQTT 5.0 §3.8.3.1.
const NO_LOCAL: u8 = 1 << 2;
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const RETAIN_HANDLING_SHIFT: u8 = 4;

/// Of a delivery, a retained message and a subscription.
const QOS: u8 = 0b11;
/// Of a delivery.
const RETAIN: u8 = 1 << 2;
/// Of a delivery and a retained message.
const EXPIRES: u8 = 1 << 3;
/// Of a delivery.
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

pub(super) fn encode_started(expiry_interval: u32) -> Bytes {
    let mut to = Writer::new(4);
    to.u32(expiry_interval);
    to.finish()
}

pub(super) fn decode_started(value: Bytes) -> Result<u32, Fault> {
    let mut from = Reader::new(value)?;
    let expiry_interval = from.u32()?;
    from.end()?;
    Ok(expiry_interval)
}

pub(super) fn encode_session_row(row: &SessionRow) -> Bytes {
    let SessionRow { owner, disconnected_at } = row;
    let mut to = Writer::new(owner.len() + 13);
    to.data(owner.as_bytes());
    to.u8(flag(disconnected_at.is_some(), DISCONNECTED));
    put_time(&mut to, *disconnected_at);
    to.finish()
}

pub(super) fn decode_session_row(value: Bytes) -> Result<SessionRow, Fault> {
    let mut from = Reader::new(value)?;
    let owner = from.text()?.to_string();
    let flags = take_flags(&mut from, DISCONNECTED)?;
    let disconnected_at = take_time(&mut from, flags & DISCONNECTED)?;
    from.end()?;
    Ok(SessionRow { owner, disconnected_at })
}

pub(super) fn encode_subscription(subscription: &Subscription) -> Bytes {
    let Subscription { options, identifier } = *subscription;
    let SubscribeOptions { qos, no_local, retain_as_published, retain_handling } = options;
    let mut to = Writer::new(5);
    to.u8(qos as u8
        | flag(no_local, NO_LOCAL)
        | flag(retain_as_published, RETAIN_AS_PUBLISHED)
        | (retain_handling as u8) << RETAIN_HANDLING_SHIFT);
    to.u32(identifier.map_or(0, NonZeroU32::get));
    to.finish()
}

pub(super) fn decode_subscription(value: Bytes) -> Result<Subscription, Fault> {
    let mut from = Reader::new(value)?;
    let flags = from.u8()?;
    let retain_handling = match flags >> RETAIN_HANDLING_SHIFT {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(Fault::Flags(flags)),
    };
    let options = SubscribeOptions {
        qos: qos_of(flags)?,
        no_local: flags & NO_LOCAL != 0,
        retain_as_published: flags & RETAIN_AS_PUBLISHED != 0,
        retain_handling,
    };
    let identifier = NonZeroU32::new(from.u32()?);
    from.end()?;
    Ok(Subscription { options, identifier })
}

pub(super) fn encode_delivery(delivery: &Delivery) -> Bytes {
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

pub(super) fn decode_delivery(value: Bytes) -> Result<Delivery, Fault> {
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

pub(super) fn encode_in_flight(id: PacketId, released: bool) -> Bytes {
    let mut to = Writer::new(3);
    to.u8(released.into());
    to.u16(id.get());
    to.finish()
}

/// The packet identifier, and whether the message was released.
pub(super) fn decode_in_flight(value: Bytes) -> Result<(PacketId, bool), Fault> {
    let mut from = Reader::new(value)?;
    let released = take_flags(&mut from, 1)? != 0;
    let id = NonZeroU16::new(from.u16()?).ok_or(Fault::ZeroIdentifier)?;
    from.end()?;
    Ok((id, released))
}

pub(super) fn encode_received() -> Bytes {
    Writer::new(0).finish()
}

pub(super) fn decode_received(value: Bytes) -> Result<(), Fault> {
    Reader::new(value)?.end()
}

pub(super) fn encode_retained(row: &RetainedRow) -> Bytes {
    let RetainedRow { message, qos, expires_at } = row;
    let mut to = Writer::new(message.weight() + NUMBERS + 8 * message.properties().user_properties.len());
    to.u8(*qos as u8 | flag(expires_at.is_some(), EXPIRES));
    put_time(&mut to, *expires_at);
    put_body(&mut to, message);
    to.finish()
}

/// `topic`: from the key.
pub(super) fn decode_retained(value: Bytes, topic: TopicName) -> Result<RetainedRow, Fault> {
    let mut from = Reader::new(value)?;
    let flags = take_flags(&mut from, QOS | EXPIRES)?;
    let qos = qos_of(flags)?;
    let expires_at = take_time(&mut from, flags & EXPIRES)?;
    let message = take_body(&mut from, topic)?;
    from.end()?;
    Ok(RetainedRow { message, qos, expires_at })
}

fn put_body(to: &mut Writer, message: &Message) {
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

fn take_body(from: &mut Reader, topic: TopicName) -> Result<Message, Fault> {
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

fn put_time(to: &mut Writer, time: Option<Wall>) {
    if let Some(time) = time {
        to.u64(time.as_millis());
    }
}

fn take_time(from: &mut Reader, flag: u8) -> Result<Option<Wall>, Fault> {
    if flag == 0 { Ok(None) } else { from.u64().map(Wall::from_millis).map(Some) }
}

fn take_topic(from: &mut Reader) -> Result<TopicName, Fault> {
    TopicName::try_from(from.text()?).map_err(Fault::Topic)
}

const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

fn take_flags(from: &mut Reader, known: u8) -> Result<u8, Fault> {
    let flags = from.u8()?;
    if flags & !known == 0 { Ok(flags) } else { Err(Fault::Flags(flags)) }
}

fn qos_of(flags: u8) -> Result<QoS, Fault> {
    QoS::from_u8(flags & QOS).ok_or(Fault::Flags(flags))
}
