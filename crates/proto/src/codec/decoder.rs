//! Taking packets off a buffer, within limits.

use bytes::{Buf, Bytes, BytesMut};

use super::header::{FixedHeader, publish_flags};
use super::read::Reader;
use super::{DEFAULT_MAX_CONNECT_SIZE, MAX_PACKET_SIZE, ack, auth, connack, connect, disconnect, publish, subscribe};
use crate::error::{SpecViolation, statements};
use crate::packet::{Ack, Packet, PacketType};
use crate::{PacketId, ReasonCode, Version};

/// Which side decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a connection has two sides")]
pub enum Role {
    /// The server decodes what clients send.
    Server,
    /// The client decodes what servers send.
    Client,
}

/// How much one packet may list. Each entry takes some ten times its bytes on the wire once decoded, so the size of
/// the packet alone is no limit to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// User properties of one packet or will; 1,024 by default.
    pub user_properties: usize,
    /// Topic filters of one SUBSCRIBE or UNSUBSCRIBE; 1,024 by default.
    pub filters: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { user_properties: 1024, filters: 1024 }
    }
}

/// What the body of a packet is decoded with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) role: Role,
    pub(super) version: Version,
    pub(super) limits: DecodeLimits,
}

type Requests = fn(PacketType, &mut Reader, Context) -> Result<Packet, SpecViolation>;

/// CONNECT, SUBSCRIBE or UNSUBSCRIBE.
fn request(packet: PacketType, reader: &mut Reader, cx: Context) -> Result<Packet, SpecViolation> {
    Ok(match packet {
        PacketType::Connect => Packet::Connect(Box::new(connect::decode(reader, cx.limits)?)),
        PacketType::Subscribe => Packet::Subscribe(subscribe::decode_subscribe(reader, cx)?),
        _ => Packet::Unsubscribe(subscribe::decode_unsubscribe(reader, cx)?),
    })
}

/// How many bytes [`Decoder::needed`] asks for at most, however long the packet says it is.
const READ_STEP: usize = 16 * 1024;

/// Takes packets off the front of a buffer, for one side of one connection.
///
/// The fixed header is judged as soon as it has come: type, flags, direction, and the declared length against the
/// limit. Until then, and until the packet is whole, nothing is allocated.
///
/// A server's decoder learns the version from CONNECT and takes at most `max_connect_size` bytes for it; the limit
/// stays until [`Self::set_max_packet_size`] sets another. After a violation the decoder and its buffer are of no
/// more use.
#[derive(Debug)]
pub struct Decoder {
    pub(super) role: Role,
    /// A server's: what only clients send. Held, so that a program with nothing but a client does not carry it.
    requests: Option<Requests>,
    pub(super) version: Option<Version>,
    pub(super) max_packet_size: u32,
    limits: DecodeLimits,
    /// Whether the first packet has been decoded.
    pub(super) begun: bool,
    needed: usize,
}

impl Decoder {
    /// Decodes what a client sends; `max_connect_size` in bytes, see
    /// [`DEFAULT_MAX_CONNECT_SIZE`](super::DEFAULT_MAX_CONNECT_SIZE).
    #[must_use]
    pub fn for_server(max_connect_size: u32) -> Self {
        Self { requests: Some(request), ..Self::new(Role::Server, None, max_connect_size) }
    }

    /// Decodes what a server sends to a client of that version; `max_packet_size` in bytes, as the CONNECT says it.
    #[must_use]
    pub fn for_client(version: Version, max_packet_size: u32) -> Self {
        Self::new(Role::Client, Some(version), max_packet_size)
    }

    fn new(role: Role, version: Option<Version>, max_packet_size: u32) -> Self {
        let limits = DecodeLimits::default();
        Self { role, requests: None, version, max_packet_size, limits, begun: false, needed: 2 }
    }

    /// Decodes with other limits to what one packet may list.
    #[must_use]
    pub const fn with_limits(mut self, limits: DecodeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The version, once known.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Sets the version and takes the first packet as come: for a connection whose CONNECT somebody else decoded.
    pub const fn set_version(&mut self, version: Version) {
        self.version = Some(version);
        self.begun = true;
    }

    /// Sets the size of the largest packet that is taken, in bytes with its fixed header.
    pub const fn set_max_packet_size(&mut self, max_packet_size: u32) {
        self.max_packet_size = max_packet_size;
    }

    /// How many bytes more to make room for after [`Self::decode`] said `None`: what the packet lacks, but 16 KiB at
    /// most, so that memory follows what arrives and not what is announced.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.needed
    }

    /// Takes one packet off the front of `buf` if it is whole there. The packet's fields are slices of the buffer.
    ///
    /// # Errors
    /// If what has come breaks the standard or a limit, even if the packet is not whole yet.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Packet>, SpecViolation> {
        self.step(buf).map_err(|violation| match self.version {
            Some(version) => violation.on(version),
            None => violation,
        })
    }

    fn step(&mut self, buf: &mut BytesMut) -> Result<Option<Packet>, SpecViolation> {
        let Some(header) = self.fixed_header(buf)? else {
            self.needed = 2;
            return Ok(None);
        };
        if buf.len() < header.total() {
            self.needed = (header.total() - buf.len()).min(READ_STEP);
            return Ok(None);
        }
        if let Some(packet) = buf.get(header.length..header.total()).and_then(|body| short(header, body)) {
            buf.advance(header.total());
            (self.begun, self.needed) = (true, 2);
            return Ok(Some(packet));
        }
        let mut bytes = buf.split_to(header.total()).freeze();
        bytes.advance(header.length);
        let packet = match self.plain(header, &mut bytes) {
            Some(packet) => packet,
            None => self.body(header, Reader::new(bytes)).map_err(|violation| violation.within(header.packet))?,
        };
        (self.begun, self.needed) = (true, 2);
        Ok(Some(packet))
    }

    fn plain(&self, header: FixedHeader, body: &mut Bytes) -> Option<Packet> {
        let version = self.version.filter(|_| header.packet == PacketType::Publish)?;
        publish::decode_plain(body, version, publish_flags(header.flags).ok()?).map(Packet::Publish)
    }

    fn body(&mut self, header: FixedHeader, mut reader: Reader) -> Result<Packet, SpecViolation> {
        let reader = &mut reader;
        // Only CONNECT can come before the version is known, and it says it itself.
        let cx = Context { role: self.role, version: self.version.unwrap_or(Version::V5), limits: self.limits };
        let packet = match header.packet {
            PacketType::Publish => Packet::Publish(publish::decode(reader, cx, publish_flags(header.flags)?)?),
            PacketType::ConnAck => Packet::ConnAck(Box::new(connack::decode(reader, cx)?)),
            PacketType::PubAck => Packet::PubAck(ack::decode(reader, cx, header.packet)?),
            PacketType::PubRec => Packet::PubRec(ack::decode(reader, cx, header.packet)?),
            PacketType::PubRel => Packet::PubRel(ack::decode(reader, cx, header.packet)?),
            PacketType::PubComp => Packet::PubComp(ack::decode(reader, cx, header.packet)?),
            PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe => {
                let Some(request) = self.requests else { return Err(SpecViolation::of(&statements::DIRECTION)) };
                request(header.packet, reader, cx)?
            }
            PacketType::SubAck => Packet::SubAck(ack::decode_suback(reader, cx)?),
            PacketType::UnsubAck => Packet::UnsubAck(ack::decode_unsuback(reader, cx)?),
            PacketType::PingReq => Packet::PingReq,
            PacketType::PingResp => Packet::PingResp,
            PacketType::Disconnect => Packet::Disconnect(disconnect::decode(reader, cx)?),
            PacketType::Auth => Packet::Auth(Box::new(auth::decode(reader, cx)?)),
        };
        if let Packet::Connect(connect) = &packet {
            self.version.get_or_insert(connect.version);
        }
        reader.end()?;
        Ok(packet)
    }
}

/// What has no fields that could share the buffer, and nothing that could be wrong: a ping, an acknowledgement that
/// says which packet and why.
fn short(header: FixedHeader, body: &[u8]) -> Option<Packet> {
    let ack = |of: fn(Ack) -> Packet| {
        let id = PacketId::new(u16::from_be_bytes(*body.first_chunk()?))?;
        let reason = match *body.get(2..)? {
            [] => ReasonCode::Success,
            // With a reason, and perhaps the length of properties that are none.
            [reason] | [reason, 0] => ReasonCode::from_u8(reason).filter(|code| code.valid_in(header.packet))?,
            _ => return None,
        };
        Some(of(Ack::new(id, reason)))
    };
    match header.packet {
        PacketType::PubAck => ack(Packet::PubAck),
        PacketType::PubRec => ack(Packet::PubRec),
        PacketType::PubRel => ack(Packet::PubRel),
        PacketType::PubComp => ack(Packet::PubComp),
        PacketType::PingReq if body.is_empty() => Some(Packet::PingReq),
        PacketType::PingResp if body.is_empty() => Some(Packet::PingResp),
        _ => None,
    }
}

impl Default for Decoder {
    /// A server's, with the default limit for CONNECT.
    fn default() -> Self {
        Self::for_server(DEFAULT_MAX_CONNECT_SIZE)
    }
}

const _: () = assert!(DEFAULT_MAX_CONNECT_SIZE < MAX_PACKET_SIZE, "a CONNECT is a packet");

#[cfg(test)]
mod tests;
