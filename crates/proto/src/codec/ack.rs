//! PUBACK, PUBREC, PUBREL, PUBCOMP (MQTT 5.0 §3.4–3.7), SUBACK and UNSUBACK (§3.9, §3.11).

use super::decoder::Context;
use super::encode::{Keep, not_in_version, require};
use super::properties::{Id, Properties, Property, PropertySink, Repeats};
use super::read::Reader;
use super::write::{Part, Sink, sized};
use crate::error::{EncodeError, Rule, SpecViolation, statements};
use crate::packet::{Ack, AckProperties, PacketType, SubAck, UnsubAck};
use crate::{ReasonCode, Version};

/// The rule about reason codes in that packet.
const fn reason_rule(packet: PacketType) -> &'static Rule {
    match packet {
        PacketType::PubAck => &statements::PUBACK_REASON,
        PacketType::PubRec => &statements::PUBREC_REASON,
        PacketType::PubRel => &statements::PUBREL_REASON,
        PacketType::PubComp => &statements::PUBCOMP_REASON,
        PacketType::SubAck => &statements::SUBACK_REASON,
        PacketType::UnsubAck => &statements::UNSUBACK_REASON,
        PacketType::Disconnect => &statements::DISCONNECT_REASON,
        PacketType::Auth => &statements::AUTH_REASON,
        _ => &statements::CONNACK_REASON,
    }
}

/// A reason code that the packet may carry.
pub(super) fn reason(byte: u8, packet: PacketType) -> Result<ReasonCode, SpecViolation> {
    let refuse = || SpecViolation::of(reason_rule(packet)).seen(format_args!("0x{byte:02X}"));
    let code = ReasonCode::from_u8(byte).ok_or_else(|| refuse().because(ReasonCode::MalformedPacket))?;
    if code.valid_in(packet) { Ok(code) } else { Err(refuse()) }
}

/// Refuses to send a reason code that the packet may not carry.
pub(super) fn check_reason(code: ReasonCode, packet: PacketType) -> Result<(), EncodeError> {
    require(code.valid_in(packet), packet, || SpecViolation::of(reason_rule(packet)).seen(code))
}

fn properties(reader: &mut Reader, cx: Context) -> Result<AckProperties, SpecViolation> {
    let mut found = AckProperties::default();
    let mut properties = Properties::take(reader, Repeats::Nothing, cx.limits.user_properties)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::Text(Id::ReasonString, text) => found.reason_string = Some(text),
            Property::User(name, value) => found.user_properties.push((name, value)),
            other => return Err(other.misplaced()),
        }
    }
    Ok(found)
}

pub(super) fn decode(reader: &mut Reader, cx: Context, packet: PacketType) -> Result<Ack, SpecViolation> {
    let mut ack = Ack::new(reader.packet_id(&statements::ACK_ID_ZERO)?, ReasonCode::Success);
    if cx.version.is_v5() && !reader.is_empty() {
        ack.reason = reason(reader.u8("the reason code")?, packet)?;
        if !reader.is_empty() {
            let found = properties(reader, cx)?;
            ack.properties = (!found.is_empty()).then(|| Box::new(found));
        }
    }
    Ok(ack)
}

pub(super) fn decode_suback(reader: &mut Reader, cx: Context) -> Result<SubAck, SpecViolation> {
    let packet_id = reader.packet_id(&statements::SUBACK_ID_ZERO)?;
    let properties = if cx.version.is_v5() { properties(reader, cx)? } else { AckProperties::default() };
    let bytes = reader.rest();
    let reasons = bytes.iter().map(|&byte| suback_reason(byte, cx.version)).collect::<Result<Vec<_>, _>>()?;
    if reasons.is_empty() {
        return Err(SpecViolation::of(&statements::SUBACK_EMPTY));
    }
    Ok(SubAck { packet_id, properties, reasons })
}

fn suback_reason(byte: u8, version: Version) -> Result<ReasonCode, SpecViolation> {
    if !version.is_v5() && !matches!(byte, 0x00..=0x02 | 0x80) {
        return Err(SpecViolation::of(&statements::SUBACK_REASON).seen(format_args!("0x{byte:02X}")));
    }
    reason(byte, PacketType::SubAck)
}

pub(super) fn decode_unsuback(reader: &mut Reader, cx: Context) -> Result<UnsubAck, SpecViolation> {
    let packet_id = reader.packet_id(&statements::SUBACK_ID_ZERO)?;
    if !cx.version.is_v5() {
        return Ok(UnsubAck { packet_id, properties: AckProperties::default(), reasons: Vec::new() });
    }
    let properties = properties(reader, cx)?;
    let bytes = reader.rest();
    let reasons = bytes.iter().map(|&byte| reason(byte, PacketType::UnsubAck)).collect::<Result<Vec<_>, _>>()?;
    if reasons.is_empty() {
        return Err(SpecViolation::of(&statements::UNSUBACK_EMPTY));
    }
    Ok(UnsubAck { packet_id, properties, reasons })
}

impl AckProperties {
    /// Whether all are absent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.reason_string.is_none() && self.user_properties.is_empty()
    }

    /// Refuses them where the version has none.
    fn check(&self, packet: PacketType, version: Version) -> Result<(), EncodeError> {
        match self {
            _ if version.is_v5() => Ok(()),
            Self { reason_string: Some(_), .. } => not_in_version(packet, "the reason string", version),
            Self { user_properties, .. } if !user_properties.is_empty() => {
                not_in_version(packet, "a user property", version)
            }
            _ => Ok(()),
        }
    }
}

/// The properties of an acknowledgement, as far as they are kept.
struct Kept<'a>(&'a AckProperties, Keep);

impl Part for Kept<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Self(properties, keep) = self;
        if keep.reason_string {
            sink.text(Id::ReasonString, properties.reason_string.as_deref())?;
        }
        if keep.user_properties {
            sink.user(&properties.user_properties)?;
        }
        Ok(())
    }
}

/// One of the four acknowledgements of one packet.
pub(super) struct AckPart<'a> {
    pub(super) packet: PacketType,
    pub(super) ack: &'a Ack,
    pub(super) version: Version,
    pub(super) keep: Keep,
}

impl Part for AckPart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Self { packet, ack, version, keep } = *self;
        let properties = ack.properties.as_deref().filter(|properties| !keep.nothing_of(properties));
        if S::CHECKS {
            check_reason(ack.reason, packet)?;
            if !version.is_v5() && ack.reason.is_failure() {
                return not_in_version(packet, "a reason code that says it failed", version);
            }
            properties.map_or(Ok(()), |properties| properties.check(packet, version))?;
        }
        sink.u16(ack.packet_id.get());
        if !version.is_v5() || (ack.reason == ReasonCode::Success && properties.is_none()) {
            return Ok(());
        }
        sink.u8(ack.reason.as_u8());
        properties.map_or(Ok(()), |properties| sized(sink, &Kept(properties, keep)))
    }
}

pub(super) struct SubAckPart<'a> {
    pub(super) ack: &'a SubAck,
    pub(super) version: Version,
    pub(super) keep: Keep,
}

impl Part for SubAckPart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let packet = PacketType::SubAck;
        let Self { ack, version, keep } = *self;
        if S::CHECKS {
            require(!ack.reasons.is_empty(), packet, || SpecViolation::of(&statements::SUBACK_EMPTY))?;
            ack.reasons.iter().try_for_each(|&code| check_reason(code, packet))?;
            ack.properties.check(packet, version)?;
        }
        sink.u16(ack.packet_id.get());
        if version.is_v5() {
            sized(sink, &Kept(&ack.properties, keep))?;
        }
        for code in &ack.reasons {
            // 3.1.1 has one code for every failure.
            sink.u8(if version.is_v5() { code.as_u8() } else { code.as_u8().min(0x80) });
        }
        Ok(())
    }
}

pub(super) struct UnsubAckPart<'a> {
    pub(super) ack: &'a UnsubAck,
    pub(super) version: Version,
    pub(super) keep: Keep,
}

impl Part for UnsubAckPart<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let packet = PacketType::UnsubAck;
        let Self { ack, version, keep } = *self;
        if S::CHECKS {
            ack.reasons.iter().try_for_each(|&code| check_reason(code, packet))?;
            ack.properties.check(packet, version)?;
            if version.is_v5() {
                require(!ack.reasons.is_empty(), packet, || SpecViolation::of(&statements::UNSUBACK_EMPTY))?;
            } else if ack.reasons.iter().any(|code| code.is_failure()) {
                return not_in_version(packet, "a reason code that says it failed", version);
            }
        }
        sink.u16(ack.packet_id.get());
        if version.is_v5() {
            sized(sink, &Kept(&ack.properties, keep))?;
            for code in &ack.reasons {
                sink.u8(code.as_u8());
            }
        }
        Ok(())
    }
}
