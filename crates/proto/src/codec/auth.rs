//! AUTH (MQTT 5.0 §3.15).

use super::ack::{check_reason, reason};
use super::decoder::Context;
use super::encode::{Keep, not_in_version, require};
use super::properties::{Id, Properties, Property, PropertySink, Repeats};
use super::read::Reader;
use super::write::{Part, Sink, sized};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::packet::{Auth, AuthProperties, PacketType};
use crate::{ReasonCode, Version};

pub(super) fn decode(reader: &mut Reader, cx: Context) -> Result<Auth, SpecViolation> {
    let mut auth = Auth { reason: ReasonCode::Success, properties: AuthProperties::default() };
    if reader.is_empty() {
        return Ok(auth);
    }
    auth.reason = reason(reader.u8("the reason code")?, PacketType::Auth)?;
    let found = &mut auth.properties;
    let mut properties = Properties::take(reader, Repeats::Nothing, cx.limits.user_properties)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::Text(Id::AuthenticationMethod, value) => found.authentication_method = Some(value),
            Property::Data(Id::AuthenticationData, value) => found.authentication_data = Some(value),
            Property::Text(Id::ReasonString, value) => found.reason_string = Some(value),
            Property::User(name, value) => found.user_properties.push((name, value)),
            other => return Err(other.misplaced()),
        }
    }
    if found.authentication_method.is_none() {
        return Err(SpecViolation::of(&statements::AUTH_WITHOUT_METHOD));
    }
    Ok(auth)
}

pub(super) struct AuthPart<'a> {
    pub(super) auth: &'a Auth,
    pub(super) version: Version,
    pub(super) keep: Keep,
}

impl Part for AuthPart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let packet = PacketType::Auth;
        let Self { auth, version, keep } = *self;
        let bare = auth.reason == ReasonCode::Success && auth.properties == AuthProperties::default();
        if S::CHECKS {
            if !version.is_v5() {
                return not_in_version(packet, "AUTH", version);
            }
            check_reason(auth.reason, packet)?;
            let has_method = bare || auth.properties.authentication_method.is_some();
            require(has_method, packet, || SpecViolation::of(&statements::AUTH_WITHOUT_METHOD))?;
        }
        if bare {
            return Ok(());
        }
        sink.u8(auth.reason.as_u8());
        sized(sink, &KeptAuth(&auth.properties, keep))
    }
}

struct KeptAuth<'a>(&'a AuthProperties, Keep);

impl Part for KeptAuth<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Self(properties, keep) = self;
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
