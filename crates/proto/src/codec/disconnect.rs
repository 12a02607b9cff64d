//! DISCONNECT (MQTT 5.0 §3.14).

use super::ack::{check_reason, reason};
use super::decoder::{Context, Role};
use super::encode::{Keep, not_in_version};
use super::properties::{Id, Properties, Property, PropertySink, Repeats};
use super::read::Reader;
use super::write::{Part, Sink, sized};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::packet::{Disconnect, DisconnectProperties, PacketType};
use crate::{ReasonCode, Version};

pub(super) fn decode(reader: &mut Reader, cx: Context) -> Result<Disconnect, SpecViolation> {
    let mut disconnect = Disconnect::new(ReasonCode::NORMAL_DISCONNECTION);
    if !cx.version.is_v5() || reader.is_empty() {
        return Ok(disconnect);
    }
    disconnect.reason = reason(reader.u8("the reason code")?, PacketType::Disconnect)?;
    if reader.is_empty() {
        return Ok(disconnect);
    }
    let found = &mut disconnect.properties;
    let mut properties = Properties::take(reader, Repeats::Nothing, cx.limits.user_properties)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::Four(Id::SessionExpiryInterval, _) if cx.role == Role::Client => {
                return Err(SpecViolation::of(&statements::SESSION_EXPIRY_FROM_SERVER));
            }
            Property::Four(Id::SessionExpiryInterval, value) => found.session_expiry_interval = Some(value),
            Property::Text(Id::ReasonString, value) => found.reason_string = Some(value),
            Property::User(name, value) => found.user_properties.push((name, value)),
            Property::Text(Id::ServerReference, value) => found.server_reference = Some(value),
            other => return Err(other.misplaced()),
        }
    }
    Ok(disconnect)
}

impl Disconnect {
    /// A DISCONNECT without properties.
    #[must_use]
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: DisconnectProperties::default() }
    }

    /// The first thing that says more than an empty DISCONNECT.
    fn only_v5(&self) -> Option<&'static str> {
        let DisconnectProperties { session_expiry_interval, reason_string, user_properties, server_reference } =
            &self.properties;
        [
            ("the reason code", self.reason != ReasonCode::NORMAL_DISCONNECTION),
            ("the session expiry interval", session_expiry_interval.is_some()),
            ("the reason string", reason_string.is_some()),
            ("a user property", !user_properties.is_empty()),
            ("the server reference", server_reference.is_some()),
        ]
        .into_iter()
        .find_map(|(field, set)| set.then_some(field))
    }
}

pub(super) struct DisconnectPart<'a> {
    pub(super) disconnect: &'a Disconnect,
    pub(super) version: Version,
    pub(super) keep: Keep,
}

impl DisconnectPart<'_> {
    /// Whether no property is left to write.
    const fn is_bare(&self) -> bool {
        let DisconnectProperties { session_expiry_interval, reason_string, user_properties, server_reference } =
            &self.disconnect.properties;
        session_expiry_interval.is_none()
            && server_reference.is_none()
            && (reason_string.is_none() || !self.keep.reason_string)
            && (user_properties.is_empty() || !self.keep.user_properties)
    }
}

impl Part for DisconnectPart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let packet = PacketType::Disconnect;
        let Self { disconnect, version, .. } = *self;
        if S::CHECKS {
            check_reason(disconnect.reason, packet)?;
            if let Some(field) = disconnect.only_v5().filter(|_| !version.is_v5()) {
                return not_in_version(packet, field, version);
            }
        }
        if self.is_bare() {
            if disconnect.reason != ReasonCode::NORMAL_DISCONNECTION {
                sink.u8(disconnect.reason.as_u8());
            }
            return Ok(());
        }
        sink.u8(disconnect.reason.as_u8());
        sized(sink, &KeptDisconnect(&disconnect.properties, self.keep))
    }
}

struct KeptDisconnect<'a>(&'a DisconnectProperties, Keep);

impl Part for KeptDisconnect<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Self(properties, keep) = self;
        sink.four(Id::SessionExpiryInterval, properties.session_expiry_interval);
        sink.text(Id::ServerReference, properties.server_reference.as_deref())?;
        if keep.reason_string {
            sink.text(Id::ReasonString, properties.reason_string.as_deref())?;
        }
        if keep.user_properties {
            sink.user(&properties.user_properties)?;
        }
        Ok(())
    }
}
