//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 §3.8, §3.10).

use super::decoder::Context;
use super::encode::{not_in_version, require};
use super::properties::{Id, Properties, Property, PropertySink, Repeats};
use super::read::Reader;
use super::read_topic::filter;
use super::write::{Part, Sink, sized};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::packet::{PacketType, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions, Unsubscribe};
use crate::{QoS, SubscriptionFilter, Version};

const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const RESERVED: u8 = 0b1100_0000;

fn too_many(limit: usize) -> SpecViolation {
    SpecViolation::of(&statements::TOO_MANY).seen(format_args!("more than {limit} topic filters"))
}

pub(super) fn decode_subscribe(reader: &mut Reader, cx: Context) -> Result<Subscribe, SpecViolation> {
    let mut subscribe = Subscribe {
        packet_id: reader.packet_id(&statements::PACKET_ID_ZERO)?,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: Vec::new(),
    };
    if cx.version.is_v5() {
        let mut properties = Properties::take(reader, Repeats::Nothing, cx.limits.user_properties)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::Four1(Id::SubscriptionIdentifier, id) => subscribe.subscription_identifier = Some(id),
                Property::User(name, value) => subscribe.user_properties.push((name, value)),
                other => return Err(other.misplaced()),
            }
        }
    }
    while !reader.is_empty() {
        if subscribe.filters.len() == cx.limits.filters {
            return Err(too_many(cx.limits.filters));
        }
        let filter = filter(reader.text("a topic filter")?)?;
        let options = options(reader.u8("the subscription options")?, cx.version)?;
        check_no_local(&filter, options)?;
        subscribe.filters.push(SubscribeFilter { filter, options });
    }
    if subscribe.filters.is_empty() {
        return Err(SpecViolation::of(&statements::SUBSCRIBE_EMPTY));
    }
    Ok(subscribe)
}

fn check_no_local(filter: &SubscriptionFilter, options: SubscribeOptions) -> Result<(), SpecViolation> {
    if options.no_local && matches!(filter, SubscriptionFilter::Shared(_)) {
        return Err(SpecViolation::of(&statements::SHARED_NO_LOCAL));
    }
    Ok(())
}

fn options(byte: u8, version: Version) -> Result<SubscribeOptions, SpecViolation> {
    // Before 5.0 all bits but those of the QoS are reserved.
    let reserved = if version.is_v5() { RESERVED } else { !0b11 };
    let refuse = |rule| SpecViolation::of(rule).seen(format_args!("0x{byte:02X}"));
    if byte & reserved != 0 {
        return Err(refuse(&statements::OPTIONS_RESERVED));
    }
    Ok(SubscribeOptions {
        qos: QoS::from_u8(byte & 0b11).ok_or_else(|| refuse(&statements::OPTIONS_QOS_3))?,
        no_local: byte & NO_LOCAL != 0,
        retain_as_published: byte & RETAIN_AS_PUBLISHED != 0,
        retain_handling: match byte >> 4 & 0b11 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(refuse(&statements::RETAIN_HANDLING_3)),
        },
    })
}

pub(super) fn decode_unsubscribe(reader: &mut Reader, cx: Context) -> Result<Unsubscribe, SpecViolation> {
    let packet_id = reader.packet_id(&statements::PACKET_ID_ZERO)?;
    let mut user_properties = Vec::new();
    if cx.version.is_v5() {
        let mut properties = Properties::take(reader, Repeats::Nothing, cx.limits.user_properties)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::User(name, value) => user_properties.push((name, value)),
                other => return Err(other.misplaced()),
            }
        }
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        if filters.len() == cx.limits.filters {
            return Err(too_many(cx.limits.filters));
        }
        filters.push(filter(reader.text("a topic filter")?)?);
    }
    if filters.is_empty() {
        return Err(SpecViolation::of(&statements::UNSUBSCRIBE_EMPTY));
    }
    Ok(Unsubscribe { packet_id, user_properties, filters })
}

impl SubscribeOptions {
    const fn to_byte(self) -> u8 {
        let mut byte = self.qos as u8 | (self.retain_handling as u8) << 4;
        if self.no_local {
            byte |= NO_LOCAL;
        }
        if self.retain_as_published {
            byte |= RETAIN_AS_PUBLISHED;
        }
        byte
    }
}

pub(super) struct SubscribePart<'a> {
    pub(super) subscribe: &'a Subscribe,
    pub(super) version: Version,
}

impl SubscribePart<'_> {
    fn check(&self) -> Result<(), EncodeError> {
        let packet = PacketType::Subscribe;
        let Self { subscribe, version } = *self;
        require(!subscribe.filters.is_empty(), packet, || SpecViolation::of(&statements::SUBSCRIBE_EMPTY))?;
        for SubscribeFilter { filter, options } in &subscribe.filters {
            check_no_local(filter, *options).map_err(|violation| violation.within(packet))?;
            if let Some(option) = options.first_set().filter(|_| !version.is_v5()) {
                return not_in_version(packet, option, version);
            }
        }
        if !version.is_v5() && subscribe.subscription_identifier.is_some() {
            return not_in_version(packet, "a subscription identifier", version);
        }
        if !version.is_v5() && !subscribe.user_properties.is_empty() {
            return not_in_version(packet, "a user property", version);
        }
        Ok(())
    }
}

impl Part for SubscribePart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        if S::CHECKS {
            self.check()?;
        }
        sink.u16(self.subscribe.packet_id.get());
        if self.version.is_v5() {
            sized(sink, &SubscribeProperties(self.subscribe))?;
        }
        for SubscribeFilter { filter, options } in &self.subscribe.filters {
            sink.string(filter.as_str(), "a topic filter")?;
            sink.u8(options.to_byte());
        }
        Ok(())
    }
}

struct SubscribeProperties<'a>(&'a Subscribe);

impl Part for SubscribeProperties<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        if let Some(id) = self.0.subscription_identifier {
            sink.subscription_identifier(id)?;
        }
        sink.user(&self.0.user_properties)
    }
}

pub(super) struct UnsubscribePart<'a> {
    pub(super) unsubscribe: &'a Unsubscribe,
    pub(super) version: Version,
}

impl Part for UnsubscribePart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let packet = PacketType::Unsubscribe;
        let Self { unsubscribe, version } = *self;
        if S::CHECKS {
            require(!unsubscribe.filters.is_empty(), packet, || SpecViolation::of(&statements::UNSUBSCRIBE_EMPTY))?;
            if !version.is_v5() && !unsubscribe.user_properties.is_empty() {
                return not_in_version(packet, "a user property", version);
            }
        }
        sink.u16(unsubscribe.packet_id.get());
        if version.is_v5() {
            sized(sink, &UnsubscribeProperties(unsubscribe))?;
        }
        unsubscribe.filters.iter().try_for_each(|filter| sink.string(filter.as_str(), "a topic filter"))
    }
}

struct UnsubscribeProperties<'a>(&'a Unsubscribe);

impl Part for UnsubscribeProperties<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        sink.user(&self.0.user_properties)
    }
}
