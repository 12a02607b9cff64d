//! Values to bytes and back. The layout is in the [parent's documentation](super).

use std::num::NonZeroU32;

use bytes::Bytes;
use gridmq_proto::TopicName;
use gridmq_proto::packet::{RetainHandling, SubscribeOptions, Will};
use gridmq_proto::session::server::Subscription;
use gridmq_proto::session::stored::{
    EXPIRES, QOS, flag, put_body, put_time, qos_of, take_body, take_flags, take_time, take_topic,
};
pub(super) use gridmq_proto::session::stored::{decode_delivery, decode_in_flight, encode_delivery, encode_in_flight};

use super::value::{Fault, Reader, Writer};
use super::{RetainedRow, SessionRow, WillRow};

/// Of an owner's row.
const DISCONNECTED: u8 = 1;

/// Of a will.
const RETAIN: u8 = 1 << 2;
const DUE: u8 = 1 << 3;

/// Of a subscription, MQTT 5.0 §3.8.3.1.
const NO_LOCAL: u8 = 1 << 2;
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const RETAIN_HANDLING_SHIFT: u8 = 4;

/// Room for the numbers of a message.
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

pub(super) fn encode_received() -> Bytes {
    Writer::new(0).finish()
}

pub(super) fn decode_received(value: Bytes) -> Result<(), Fault> {
    Reader::new(value)?.end()
}

pub(super) fn encode_will(row: &WillRow) -> Bytes {
    let WillRow { will: Will { message, qos, retain, delay_interval }, due } = row;
    let mut to = Writer::new(message.weight() + NUMBERS + 8 * message.properties().user_properties.len());
    to.u8(*qos as u8 | flag(*retain, RETAIN) | flag(due.is_some(), DUE));
    put_time(&mut to, *due);
    to.u32(*delay_interval);
    to.data(message.topic.as_bytes());
    put_body(&mut to, message);
    to.finish()
}

pub(super) fn decode_will(value: Bytes) -> Result<WillRow, Fault> {
    let mut from = Reader::new(value)?;
    let flags = take_flags(&mut from, QOS | RETAIN | DUE)?;
    let due = take_time(&mut from, flags & DUE)?;
    let delay_interval = from.u32()?;
    let topic = take_topic(&mut from)?;
    let message = take_body(&mut from, topic)?;
    from.end()?;
    Ok(WillRow { will: Will { message, qos: qos_of(flags)?, retain: flags & RETAIN != 0, delay_interval }, due })
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
