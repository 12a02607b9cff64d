//! CONNECT (MQTT 5.0 §3.1).

use super::decoder::DecodeLimits;
use super::properties::{Id, Properties, Property, PropertySink, Repeats, WithExpiry, take_message_property};
use super::read::Reader;
use super::read_topic::will_topic;
use super::write::{Part, Sink, sized};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::packet::{Connect, ConnectProperties, PacketType, Will};
use crate::{Message, QoS, Version};

const USERNAME: u8 = 0b1000_0000;
const PASSWORD: u8 = 0b0100_0000;
const WILL_RETAIN: u8 = 0b0010_0000;
const WILL: u8 = 0b0000_0100;
const CLEAN_START: u8 = 0b0000_0010;
const RESERVED: u8 = 0b0000_0001;

pub(super) fn decode(reader: &mut Reader, limits: DecodeLimits) -> Result<Connect, SpecViolation> {
    let version = version(reader)?;
    fields(reader, version, limits).map_err(|violation| violation.on(version))
}

fn version(reader: &mut Reader) -> Result<Version, SpecViolation> {
    let name = reader.binary("the protocol name")?;
    match &name[..] {
        b"MQTT" | b"MQIsdp" => {}
        _ => return Err(SpecViolation::of(&statements::PROTOCOL_NAME).on(Version::V3_1_1)),
    }
    let level = reader.u8("the protocol level")?;
    match (&name[..], level) {
        (b"MQIsdp", 3) => Ok(Version::V3_1),
        (b"MQTT", 4) => Ok(Version::V3_1_1),
        (b"MQTT", 5) => Ok(Version::V5),
        _ => {
            // Bridges of some brokers mark themselves with the upper bit.
            let nearest = if level & 0x7F < 5 { Version::V3_1_1 } else { Version::V5 };
            let name = if name.len() == 4 { "MQTT" } else { "MQIsdp" };
            Err(SpecViolation::of(&statements::PROTOCOL_LEVEL).seen(format_args!("{name}, {level}")).on(nearest))
        }
    }
}

fn fields(reader: &mut Reader, version: Version, limits: DecodeLimits) -> Result<Connect, SpecViolation> {
    let flags = reader.u8("the connect flags")?;
    let will_qos = check_flags(flags, version)?;
    let clean_start = flags & CLEAN_START != 0;
    let keep_alive = reader.u16("the keep-alive")?;
    let properties = if version.is_v5() { properties(reader, limits)? } else { ConnectProperties::default() };
    let client_id = reader.string("the client identifier")?;
    if client_id.is_empty() && (version == Version::V3_1 || version == Version::V3_1_1 && !clean_start) {
        return Err(SpecViolation::of(&statements::CLIENT_ID_EMPTY));
    }
    let will = if flags & WILL == 0 {
        None
    } else {
        Some(Box::new(will(reader, version, limits, will_qos, flags & WILL_RETAIN != 0)?))
    };
    // In 3.1 the length of the packet has the last word over these two flags.
    let ends = |reader: &Reader| version == Version::V3_1 && reader.is_empty();
    let username = if flags & USERNAME == 0 || ends(reader) { None } else { Some(reader.string("the user name")?) };
    let password = if flags & PASSWORD == 0 || ends(reader) { None } else { Some(reader.binary("the password")?) };
    reader.end()?;
    Ok(Connect { version, clean_start, keep_alive, client_id, username, password, will, properties })
}

/// Checks the connect flags (§3.1.2.3) and gives the will's QoS.
fn check_flags(flags: u8, version: Version) -> Result<QoS, SpecViolation> {
    if flags & RESERVED != 0 && version != Version::V3_1 {
        return Err(SpecViolation::of(&statements::CONNECT_RESERVED));
    }
    let Some(qos) = QoS::from_u8(flags >> 3 & 0b11) else {
        let rule = if flags & WILL == 0 { &statements::WILL_QOS_WITHOUT_WILL } else { &statements::WILL_QOS_3 };
        return Err(SpecViolation::of(rule));
    };
    if flags & WILL == 0 && qos != QoS::AtMostOnce {
        return Err(SpecViolation::of(&statements::WILL_QOS_WITHOUT_WILL));
    }
    if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        return Err(SpecViolation::of(&statements::WILL_RETAIN_WITHOUT_WILL));
    }
    if flags & PASSWORD != 0 && flags & USERNAME == 0 && !version.is_v5() {
        return Err(SpecViolation::of(&statements::PASSWORD_ALONE));
    }
    Ok(qos)
}

fn properties(reader: &mut Reader, limits: DecodeLimits) -> Result<ConnectProperties, SpecViolation> {
    let mut found = ConnectProperties::default();
    let mut properties = Properties::take(reader, Repeats::Nothing, limits.user_properties)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::Four(Id::SessionExpiryInterval, value) => found.session_expiry_interval = Some(value),
            Property::Two1(Id::ReceiveMaximum, value) => found.receive_maximum = Some(value),
            Property::Four1(Id::MaximumPacketSize, value) => found.maximum_packet_size = Some(value),
            Property::Two(Id::TopicAliasMaximum, value) => found.topic_alias_maximum = Some(value),
            Property::Flag(Id::RequestResponseInformation, value) => {
                found.request_response_information = Some(value);
            }
            Property::Flag(Id::RequestProblemInformation, value) => found.request_problem_information = Some(value),
            Property::Text(Id::AuthenticationMethod, value) => found.authentication_method = Some(value),
            Property::Data(Id::AuthenticationData, value) => found.authentication_data = Some(value),
            Property::User(name, value) => found.user_properties.push((name, value)),
            other => return Err(other.misplaced()),
        }
    }
    if found.authentication_data.is_some() && found.authentication_method.is_none() {
        return Err(SpecViolation::of(&statements::AUTH_DATA_ALONE));
    }
    Ok(found)
}

fn will(
    reader: &mut Reader,
    version: Version,
    limits: DecodeLimits,
    qos: QoS,
    retain: bool,
) -> Result<Will, SpecViolation> {
    let mut delay_interval = 0;
    let mut message_properties = None;
    if version.is_v5() {
        let mut properties = Properties::take(reader, Repeats::Nothing, limits.user_properties)?;
        while let Some(property) = properties.next()? {
            match take_message_property(property, &mut message_properties)? {
                None => {}
                Some(Property::Four(Id::WillDelayInterval, seconds)) => delay_interval = seconds,
                Some(other) => return Err(other.misplaced()),
            }
        }
    }
    let topic = will_topic(reader.text("the will topic")?)?;
    let payload = reader.binary("the will payload")?;
    Ok(Will { message: Message { topic, payload, properties: message_properties }, qos, retain, delay_interval })
}

/// The fields of a CONNECT after its fixed header.
impl Part for Connect {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        if S::CHECKS {
            self.check()?;
        }
        let (name, level) = match self.version {
            Version::V3_1 => ("MQIsdp", 3),
            Version::V3_1_1 => ("MQTT", 4),
            Version::V5 => ("MQTT", 5),
        };
        sink.string(name, "the protocol name")?;
        sink.u8(level);
        sink.u8(self.flags());
        sink.u16(self.keep_alive);
        if self.version.is_v5() {
            sized(sink, &self.properties)?;
        }
        sink.string(&self.client_id, "the client identifier")?;
        if let Some(will) = &self.will {
            if self.version.is_v5() {
                sized(sink, &WillProperties(will))?;
            }
            sink.string(will.message.topic.as_str(), "the will topic")?;
            sink.binary(&will.message.payload, "the will payload")?;
        }
        if let Some(username) = &self.username {
            sink.string(username, "the user name")?;
        }
        if let Some(password) = &self.password {
            sink.binary(password, "the password")?;
        }
        Ok(())
    }
}

impl Connect {
    const fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | (will.qos as u8) << 3;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.username.is_some() {
            flags |= USERNAME;
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        flags
    }

    fn check(&self) -> Result<(), EncodeError> {
        let version = self.version;
        if version.is_v5() {
            return Ok(());
        }
        let not_here = |field| Err(EncodeError::NotInVersion { packet: PacketType::Connect, field, version });
        if let Some(property) = self.properties.first_set() {
            return not_here(property);
        }
        if self.will.as_ref().is_some_and(|will| will.delay_interval != 0) {
            return not_here("a will delay interval");
        }
        if let Some(property) = self.will.as_ref().and_then(|will| will.message.properties().first_set()) {
            return not_here(property);
        }
        if self.password.is_some() && self.username.is_none() {
            return Err(SpecViolation::of(&statements::PASSWORD_ALONE).on(version).into());
        }
        if self.client_id.is_empty() && (version == Version::V3_1 || !self.clean_start) {
            return Err(SpecViolation::of(&statements::CLIENT_ID_EMPTY).on(version).into());
        }
        Ok(())
    }
}

impl Part for ConnectProperties {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        sink.four(Id::SessionExpiryInterval, self.session_expiry_interval);
        sink.two(Id::ReceiveMaximum, self.receive_maximum.map(u16::from));
        sink.four(Id::MaximumPacketSize, self.maximum_packet_size.map(u32::from));
        sink.two(Id::TopicAliasMaximum, self.topic_alias_maximum);
        sink.flag(Id::RequestResponseInformation, self.request_response_information);
        sink.flag(Id::RequestProblemInformation, self.request_problem_information);
        sink.authentication(self.authentication_method.as_deref(), self.authentication_data.as_deref())?;
        sink.user(&self.user_properties)
    }
}

struct WillProperties<'a>(&'a Will);

impl Part for WillProperties<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Will { message, delay_interval, .. } = self.0;
        sink.four(Id::WillDelayInterval, (*delay_interval != 0).then_some(*delay_interval));
        let properties = message.properties();
        WithExpiry { properties, expiry: properties.message_expiry_interval }.write(sink)
    }
}
