//! The fixed header (MQTT 5.0 §2.1), judged before anything of the body has come.

use super::decoder::{Decoder, Role};
use super::foreign::{may_be_foreign, recognise};
use super::read::{Varint, varint};
use crate::error::{Rule, SpecViolation, statements};
use crate::packet::PacketType;
use crate::{QoS, Version};

/// A valid fixed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FixedHeader {
    pub(super) packet: PacketType,
    /// The lower four bits of the first byte.
    pub(super) flags: u8,
    /// Bytes of the fixed header itself.
    pub(super) length: usize,
    /// Bytes that follow it.
    pub(super) remaining: u32,
}

impl FixedHeader {
    pub(super) const fn total(self) -> usize {
        self.length + self.remaining as usize
    }
}

/// The flags of PUBLISH (§3.3.1): DUP, QoS and RETAIN.
pub(super) fn publish_flags(flags: u8) -> Result<(bool, QoS, bool), SpecViolation> {
    let dup = flags & 0b1000 != 0;
    let qos = QoS::from_u8(flags >> 1 & 0b11).ok_or_else(|| SpecViolation::of(&statements::QOS_3))?;
    if dup && qos == QoS::AtMostOnce {
        return Err(SpecViolation::of(&statements::DUP_AT_QOS_0));
    }
    Ok((dup, qos, flags & 0b0001 != 0))
}

impl Decoder {
    /// The fixed header at the front of `bytes`; `None` as long as it is not whole.
    pub(super) fn fixed_header(&self, bytes: &[u8]) -> Result<Option<FixedHeader>, SpecViolation> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        if !self.begun && first != self.role.first_byte() {
            if let Some(foreign) = recognise(bytes) {
                return Err(SpecViolation::of(&statements::FOREIGN).seen(foreign));
            }
            if may_be_foreign(bytes) {
                return Ok(None);
            }
        }
        let packet = self.packet_type(first)?;
        let flags = first & 0x0F;
        check_flags(packet, flags).map_err(|violation| violation.within(packet))?;
        match varint(rest).map_err(|violation| violation.seen("the remaining length").within(packet))? {
            Varint::Partial => Ok(None),
            Varint::Whole(remaining, length) => {
                let header = FixedHeader { packet, flags, length: 1 + length, remaining };
                self.check_length(header).map_err(|violation| violation.within(packet))?;
                Ok(Some(header))
            }
        }
    }

    fn packet_type(&self, first: u8) -> Result<PacketType, SpecViolation> {
        let Some(packet) = PacketType::from_u8(first >> 4) else {
            return Err(SpecViolation::of(&statements::TYPE_ZERO));
        };
        let refuse = |rule: &'static Rule| Err(SpecViolation::of(rule).within(packet));
        if !self.begun && self.role == Role::Server && packet != PacketType::Connect {
            return refuse(&statements::FIRST_IS_CONNECT);
        }
        if packet == PacketType::Auth && self.version.is_some_and(|version| !version.is_v5()) {
            return refuse(&statements::AUTH_BEFORE_V5);
        }
        if !self.role.receives(packet, self.version) {
            return refuse(&statements::DIRECTION);
        }
        Ok(packet)
    }

    /// Refuses what is larger than the receiver takes, and early what is longer than its type can be.
    fn check_length(&self, header: FixedHeader) -> Result<(), SpecViolation> {
        let (limit, rule) = match (self.begun, self.role) {
            (false, Role::Server) => (self.max_packet_size, &statements::CONNECT_TOO_LARGE),
            (true, Role::Server) => (self.max_packet_size, &statements::TOO_LARGE_FOR_SERVER),
            (_, Role::Client) => (self.max_packet_size, &statements::TOO_LARGE_FOR_CLIENT),
        };
        if header.total() > limit as usize {
            let size = header.total();
            return Err(SpecViolation::of(rule).seen(format_args!("{size} bytes, {limit} are allowed")));
        }
        let longest = fixed_length(header.packet, self.version.is_some_and(|version| !version.is_v5()));
        if longest.is_some_and(|longest| header.remaining > longest) {
            let more = header.remaining - longest.unwrap_or(0);
            return Err(SpecViolation::of(&statements::TRAILING).seen(format_args!("{more} bytes more")));
        }
        Ok(())
    }
}

/// The remaining length of packets that have only one.
const fn fixed_length(packet: PacketType, before_v5: bool) -> Option<u32> {
    match packet {
        PacketType::PingReq | PacketType::PingResp => Some(0),
        PacketType::Disconnect if before_v5 => Some(0),
        PacketType::ConnAck
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubRel
        | PacketType::PubComp
        | PacketType::UnsubAck
            if before_v5 =>
        {
            Some(2)
        }
        _ => None,
    }
}

fn check_flags(packet: PacketType, flags: u8) -> Result<(), SpecViolation> {
    let Some(expected) = packet.reserved_flags() else { return publish_flags(flags).map(drop) };
    if flags == expected {
        return Ok(());
    }
    let rule = match packet {
        PacketType::PubRel => &statements::FLAGS_PUBREL,
        PacketType::Subscribe => &statements::FLAGS_SUBSCRIBE,
        PacketType::Unsubscribe => &statements::FLAGS_UNSUBSCRIBE,
        PacketType::Disconnect => &statements::FLAGS_DISCONNECT,
        PacketType::Auth => &statements::FLAGS_AUTH,
        _ => &statements::FLAGS,
    };
    Err(SpecViolation::of(rule).seen(format_args!("they are {flags:04b}, not {expected:04b}")))
}

impl Role {
    /// The first byte of the first packet that this side gets: CONNECT or CONNACK.
    const fn first_byte(self) -> u8 {
        match self {
            Self::Server => PacketType::Connect.as_u8() << 4,
            Self::Client => PacketType::ConnAck.as_u8() << 4,
        }
    }

    /// Whether that packet goes in this direction (§2.1.2).
    fn receives(self, packet: PacketType, version: Option<Version>) -> bool {
        match packet {
            PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq => {
                self == Self::Server
            }
            PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
                self == Self::Client
            }
            PacketType::Disconnect => self == Self::Server || version.is_none_or(Version::is_v5),
            _ => true,
        }
    }
}
