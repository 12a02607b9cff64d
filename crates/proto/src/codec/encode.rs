//! Appending packets to a buffer.

use bytes::BytesMut;

use super::ack::{AckPart, SubAckPart, UnsubAckPart};
use super::auth::AuthPart;
use super::connack::ConnAckPart;
use super::disconnect::DisconnectPart;
use super::subscribe::{SubscribePart, UnsubscribePart};
use super::write::{Part, Sink, append, begin, check_size, measure, packet_len};
use crate::error::{EncodeError, SpecViolation};
use crate::packet::{AckProperties, Packet, PacketType};
use crate::{PacketId, ReasonCode, Version};

/// Which of the properties for people are written; a peer's Maximum Packet Size may leave no room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) reason_string: bool,
    pub(super) user_properties: bool,
}

impl Keep {
    const ALL: Self = Self { reason_string: true, user_properties: true };

    /// What to try, one after the other.
    const FALLBACKS: [Self; 4] = [
        Self::ALL,
        Self { reason_string: true, user_properties: false },
        Self { reason_string: false, user_properties: true },
        Self { reason_string: false, user_properties: false },
    ];

    /// Whether nothing is left of `properties`.
    pub(super) const fn nothing_of(self, properties: &AckProperties) -> bool {
        (properties.reason_string.is_none() || !self.reason_string)
            && (properties.user_properties.is_empty() || !self.user_properties)
    }
}

/// Refuses to break a rule.
pub(super) fn require(
    holds: bool,
    packet: PacketType,
    violation: impl FnOnce() -> SpecViolation,
) -> Result<(), EncodeError> {
    if holds { Ok(()) } else { Err(violation().within(packet).into()) }
}

/// Refuses what a version has no place for.
pub(super) const fn not_in_version<T>(
    packet: PacketType,
    field: &'static str,
    version: Version,
) -> Result<T, EncodeError> {
    Err(EncodeError::NotInVersion { packet, field, version })
}

/// The fields of any packet but PUBLISH after the fixed header.
struct Fields<'a> {
    packet: &'a Packet,
    version: Version,
    keep: Keep,
}

impl Part for Fields<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let Self { version, keep, .. } = *self;
        let packet = self.packet.packet_type();
        match self.packet {
            // PUBLISH has its own way, see `Publish::encode`; pings have no fields.
            Packet::Publish(_) | Packet::PingReq | Packet::PingResp => Ok(()),
            Packet::Connect(connect) => connect.write(sink),
            Packet::ConnAck(ack) => ConnAckPart { ack, version, keep }.write(sink),
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                AckPart { packet, ack, version, keep }.write(sink)
            }
            Packet::Subscribe(subscribe) => SubscribePart { subscribe, version }.write(sink),
            Packet::SubAck(ack) => SubAckPart { ack, version, keep }.write(sink),
            Packet::Unsubscribe(unsubscribe) => UnsubscribePart { unsubscribe, version }.write(sink),
            Packet::UnsubAck(ack) => UnsubAckPart { ack, version, keep }.write(sink),
            Packet::Disconnect(disconnect) => DisconnectPart { disconnect, version, keep }.write(sink),
            Packet::Auth(auth) => AuthPart { auth, version, keep }.write(sink),
        }
    }
}

/// Appends `packet` to `out` as `version` writes it. A CONNECT is written as its own version says.
///
/// `max` is the peer's Maximum Packet Size in bytes. Where an answer is larger, its user properties or its reason
/// string are left out, or both [MQTT-3.2.2-19], [MQTT-3.4.2-2] and their like.
///
/// # Errors
/// If the packet breaks the standard, has fields that the version has not, or is larger than `max`; `out` is then
/// unchanged.
pub fn encode(packet: &Packet, version: Version, max: Option<u32>, out: &mut BytesMut) -> Result<(), EncodeError> {
    if let Packet::Publish(publish) = packet {
        return publish.encode(version, max, out);
    }
    let packet_type = packet.packet_type();
    let first = packet_type.as_u8() << 4 | packet_type.reserved_flags().unwrap_or(0);
    if let Some(id) = plain_success(packet) {
        check_size(packet_type, 2, max)?;
        begin(first, 2, out);
        out.u16(id.get());
        return Ok(());
    }
    let mut refused = Ok(());
    for keep in Keep::FALLBACKS {
        let fields = Fields { packet, version, keep };
        let remaining = measure(&fields)?;
        match check_size(packet_type, remaining, max) {
            Ok(()) => return append(first, remaining, &fields, out),
            Err(error) => refused = Err(error),
        }
    }
    refused
}

/// The identifier of an acknowledgement that says nothing else; all versions write it alike (MQTT 5.0 §3.4.2.1).
fn plain_success(packet: &Packet) -> Option<PacketId> {
    let (Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack)) = packet else {
        return None;
    };
    (ack.reason == ReasonCode::Success && ack.properties.is_none()).then_some(ack.packet_id)
}

/// The length in bytes of `packet` as `version` writes it, with all its properties.
///
/// # Errors
/// If it cannot be encoded at all; the size is not judged.
pub fn encoded_len(packet: &Packet, version: Version) -> Result<usize, EncodeError> {
    if let Packet::Publish(publish) = packet {
        return publish.encoded_len(version);
    }
    measure(&Fields { packet, version, keep: Keep::ALL }).map(packet_len)
}

#[cfg(test)]
mod tests;
