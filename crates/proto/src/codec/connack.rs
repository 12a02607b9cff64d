//! CONNACK (MQTT 5.0 §3.2).

use super::ack::{check_reason, reason};
use super::decoder::Context;
use super::encode::{Keep, not_in_version, require};
use super::properties::{Id, Properties, Property, PropertySink, Repeats};
use super::read::Reader;
use super::write::{Part, Sink, sized};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::packet::{ConnAck, ConnAckProperties, PacketType};
use crate::{QoS, ReasonCode, Version};

const SESSION_PRESENT: u8 = 0b0000_0001;

pub(super) fn decode(reader: &mut Reader, cx: Context) -> Result<ConnAck, SpecViolation> {
    let mut flags = reader.u8("the acknowledge flags")?;
    if cx.version == Version::V3_1 {
        // In 3.1 the byte is not used.
        flags = 0;
    }
    if flags & !SESSION_PRESENT != 0 {
        return Err(SpecViolation::of(&statements::CONNACK_FLAGS).seen(format_args!("0x{flags:02X}")));
    }
    let session_present = flags & SESSION_PRESENT != 0;
    let code = reader.u8("the reason code")?;
    let (reason, properties) = if cx.version.is_v5() {
        (reason(code, PacketType::ConnAck)?, properties(reader, cx)?)
    } else {
        let reason = ReasonCode::from_v3_connect_code(code)
            .ok_or_else(|| SpecViolation::of(&statements::CONNACK_REASON).seen(format_args!("return code {code}")))?;
        (reason, ConnAckProperties::default())
    };
    if session_present && reason != ReasonCode::Success {
        return Err(SpecViolation::of(&statements::SESSION_PRESENT_ON_FAILURE).seen(reason));
    }
    Ok(ConnAck { session_present, reason, properties })
}

fn properties(reader: &mut Reader, cx: Context) -> Result<ConnAckProperties, SpecViolation> {
    let mut found = ConnAckProperties::default();
    let mut properties = Properties::take(reader, Repeats::Nothing, cx.limits.user_properties)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::Four(Id::SessionExpiryInterval, value) => found.session_expiry_interval = Some(value),
            Property::Two1(Id::ReceiveMaximum, value) => found.receive_maximum = Some(value),
            Property::Qos(value) => found.maximum_qos = Some(value),
            Property::Flag(Id::RetainAvailable, value) => found.retain_available = Some(value),
            Property::Four1(Id::MaximumPacketSize, value) => found.maximum_packet_size = Some(value),
            Property::Text(Id::AssignedClientIdentifier, value) => found.assigned_client_identifier = Some(value),
            Property::Two(Id::TopicAliasMaximum, value) => found.topic_alias_maximum = Some(value),
            Property::Text(Id::ReasonString, value) => found.reason_string = Some(value),
            Property::User(name, value) => found.user_properties.push((name, value)),
            Property::Flag(Id::WildcardSubscriptionAvailable, value) => {
                found.wildcard_subscription_available = Some(value);
            }
            Property::Flag(Id::SubscriptionIdentifierAvailable, value) => {
                found.subscription_identifiers_available = Some(value);
            }
            Property::Flag(Id::SharedSubscriptionAvailable, value) => {
                found.shared_subscription_available = Some(value);
            }
            Property::Two(Id::ServerKeepAlive, value) => found.server_keep_alive = Some(value),
            Property::Text(Id::ResponseInformation, value) => found.response_information = Some(value),
            Property::Text(Id::ServerReference, value) => found.server_reference = Some(value),
            Property::Text(Id::AuthenticationMethod, value) => found.authentication_method = Some(value),
            Property::Data(Id::AuthenticationData, value) => found.authentication_data = Some(value),
            other => return Err(other.misplaced()),
        }
    }
    if found.authentication_data.is_some() && found.authentication_method.is_none() {
        return Err(SpecViolation::of(&statements::AUTH_DATA_ALONE));
    }
    Ok(found)
}

pub(super) struct ConnAckPart<'a> {
    pub(super) ack: &'a ConnAck,
    pub(super) version: Version,
    pub(super) keep: Keep,
}

impl Part for ConnAckPart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let packet = PacketType::ConnAck;
        let Self { ack, version, keep } = *self;
        if S::CHECKS {
            let coherent = !ack.session_present || ack.reason == ReasonCode::Success;
            require(coherent, packet, || SpecViolation::of(&statements::SESSION_PRESENT_ON_FAILURE))?;
            check_reason(ack.reason, packet)?;
            if !version.is_v5() && ack.properties != ConnAckProperties::default() {
                return not_in_version(packet, "a property", version);
            }
            if version == Version::V3_1 && ack.session_present {
                return not_in_version(packet, "Session Present", version);
            }
        }
        sink.u8(if ack.session_present { SESSION_PRESENT } else { 0 });
        if version.is_v5() {
            sink.u8(ack.reason.as_u8());
            return sized(sink, &Kept(&ack.properties, keep));
        }
        match ack.reason.to_v3_connect_code() {
            Some(code) => sink.u8(code),
            None => return not_in_version(packet, "this reason code", version),
        }
        Ok(())
    }
}

struct Kept<'a>(&'a ConnAckProperties, Keep);

impl Part for Kept<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Self(properties, keep) = self;
        sink.four(Id::SessionExpiryInterval, properties.session_expiry_interval);
        sink.two(Id::ReceiveMaximum, properties.receive_maximum.map(u16::from));
        if let Some(qos) = properties.maximum_qos {
            if S::CHECKS && qos == QoS::ExactlyOnce {
                let value = SpecViolation::of(&statements::PROPERTY_VALUE).seen("Maximum QoS is 2");
                return Err(value.within(PacketType::ConnAck).into());
            }
            sink.u8(Id::MaximumQos as u8);
            sink.u8(qos as u8);
        }
        sink.flag(Id::RetainAvailable, properties.retain_available);
        sink.four(Id::MaximumPacketSize, properties.maximum_packet_size.map(u32::from));
        sink.text(Id::AssignedClientIdentifier, properties.assigned_client_identifier.as_deref())?;
        sink.two(Id::TopicAliasMaximum, properties.topic_alias_maximum);
        sink.flag(Id::WildcardSubscriptionAvailable, properties.wildcard_subscription_available);
        sink.flag(Id::SubscriptionIdentifierAvailable, properties.subscription_identifiers_available);
        sink.flag(Id::SharedSubscriptionAvailable, properties.shared_subscription_available);
        sink.two(Id::ServerKeepAlive, properties.server_keep_alive);
        sink.text(Id::ResponseInformation, properties.response_information.as_deref())?;
        sink.text(Id::ServerReference, properties.server_reference.as_deref())?;
        sink.authentication(properties.authentication_method.as_deref(), properties.authentication_data.as_deref())?;
        if keep.reason_string {
            sink.text(Id::ReasonString, properties.reason_string.as_deref())?;
        }
        if keep.user_properties {
            sink.user(&properties.user_properties)?;
        }
        Ok(())
    }
}
