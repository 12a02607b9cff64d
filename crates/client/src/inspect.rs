//! Looking at every packet that a client sends and receives.
//!
//! Give an [`Inspector`] to [`Options::inspector`](crate::Options::inspector). [`Log`] is one: it writes a line per
//! packet to `tracing`.
//!
//! An inspector sees no secrets: of payloads, passwords and authentication data it sees how long they are, of user
//! properties how many. One that needs everything says so with [`Inspector::exposes_secrets`].
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! use gridmq_client::inspect::{Direction, Inspected, Inspector};
//!
//! /// Counts the bytes of messages.
//! #[derive(Debug, Default)]
//! struct Payloads(AtomicUsize);
//!
//! impl Inspector for Payloads {
//!     fn packet(&self, _: Direction, packet: &Inspected<'_>) {
//!         self.0.fetch_add(packet.payload_len().unwrap_or(0), Ordering::Relaxed);
//!     }
//! }
//! ```
//!
//! # Logs
//! The client writes to `tracing`, in a span `client` of its own with the field `name`
//! ([`Options::log_name`](crate::Options::log_name)), and each attempt in a span `connect` inside it, with the fields
//! `server` and `failed` (attempts before it). Payloads, passwords, tokens and authentication data are in none of it.
//!
//! | target | what | levels |
//! |---|---|---|
//! | `gridmq_client::connection` | the life of connections | DEBUG (attempts), INFO (connected, left), WARN (comes back), ERROR (given up) |
//! | `gridmq_client::packets` | a line per packet, with [`Log`] | TRACE |
//! | `gridmq_client` and below | the rest | DEBUG to WARN; ERROR for what should not happen |

mod line;

use std::fmt;

use gridmq_proto::message::OutgoingPublish;
use gridmq_proto::packet::{PacketType, Publish};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, TopicName};

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Received];

    /// In small letters: the value of the label `direction`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }
}

/// Looks at packets.
///
/// It is called in the client's task, in the order of the stream: before a packet is written, after one was decoded and
/// before it is acted on. While it works, the client does not. It must not block and must not panic.
///
/// ```
/// use gridmq_client::inspect::{Direction, Inspected, Inspector};
///
/// #[derive(Debug)]
/// struct Show;
///
/// impl Inspector for Show {
///     fn packet(&self, direction: Direction, packet: &Inspected<'_>) {
///         println!("{}: {packet}", direction.name());
///     }
/// }
/// ```
pub trait Inspector: fmt::Debug + Send + Sync {
    /// A packet is to be sent, or has arrived.
    fn packet(&self, direction: Direction, packet: &Inspected<'_>);

    /// Whether [`Inspected::with_secrets`] gives this inspector the packets with payloads, passwords and tokens. Asked
    /// once, when the client is made; no, unless overridden.
    fn exposes_secrets(&self) -> bool {
        false
    }
}

/// A packet as an inspector sees it. Its display is one line without secrets.
#[derive(Clone, Copy)]
pub struct Inspected<'a> {
    content: Content<'a>,
    size: usize,
    secrets: bool,
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Packet(&'a Packet),
    /// A message on its way out.
    Outgoing(&'a OutgoingPublish),
}

impl<'a> Inspected<'a> {
    pub(crate) const fn packet(packet: &'a Packet, size: usize, secrets: bool) -> Self {
        Self { content: Content::Packet(packet), size, secrets }
    }

    pub(crate) const fn outgoing(publish: &'a OutgoingPublish, size: usize, secrets: bool) -> Self {
        Self { content: Content::Outgoing(publish), size, secrets }
    }

    /// Its type.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self.content {
            Content::Packet(packet) => packet.packet_type(),
            Content::Outgoing(_) => PacketType::Publish,
        }
    }

    /// Its length on the wire in bytes, fixed header included.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Its packet identifier; absent where the type or the QoS has none.
    #[must_use]
    pub const fn packet_id(&self) -> Option<PacketId> {
        let packet = match self.content {
            Content::Outgoing(publish) => return publish.packet_id,
            Content::Packet(packet) => packet,
        };
        match packet {
            Packet::Publish(publish) => publish.packet_id,
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                Some(ack.packet_id)
            }
            Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
            Packet::SubAck(ack) => Some(ack.packet_id),
            Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
            Packet::UnsubAck(ack) => Some(ack.packet_id),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::PingReq
            | Packet::PingResp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => None,
        }
    }

    /// The topic of a PUBLISH; absent where an alias stands for it, and in other packets.
    #[must_use]
    pub fn topic(&self) -> Option<&'a TopicName> {
        match self.content {
            Content::Outgoing(publish) => Some(&publish.message.message().topic)
                .filter(|_| publish.topic_alias.as_ref().is_none_or(|alias| alias.send_topic)),
            Content::Packet(Packet::Publish(publish)) => publish.topic.as_ref(),
            Content::Packet(_) => None,
        }
    }

    /// The QoS of a PUBLISH.
    #[must_use]
    pub const fn qos(&self) -> Option<QoS> {
        match self.content {
            Content::Outgoing(publish) => Some(publish.qos),
            Content::Packet(Packet::Publish(publish)) => Some(publish.qos),
            Content::Packet(_) => None,
        }
    }

    /// The RETAIN and DUP flags of a PUBLISH.
    #[must_use]
    pub const fn flags(&self) -> Option<(bool, bool)> {
        match self.content {
            Content::Outgoing(publish) => Some((publish.retain, publish.dup)),
            Content::Packet(Packet::Publish(publish)) => Some((publish.retain, publish.dup)),
            Content::Packet(_) => None,
        }
    }

    /// The length of a PUBLISH's payload in bytes.
    #[must_use]
    pub fn payload_len(&self) -> Option<usize> {
        match self.content {
            Content::Outgoing(publish) => Some(publish.message.message().payload.len()),
            Content::Packet(Packet::Publish(publish)) => Some(publish.payload.len()),
            Content::Packet(_) => None,
        }
    }

    /// The reason code, in packets that have one. SUBACK and UNSUBACK have several: the first failure, or the first.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        let Content::Packet(packet) = self.content else { return None };
        match packet {
            Packet::ConnAck(ack) => Some(ack.reason),
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => Some(ack.reason),
            Packet::SubAck(ack) => worst(&ack.reasons),
            Packet::UnsubAck(ack) => worst(&ack.reasons),
            Packet::Disconnect(disconnect) => Some(disconnect.reason),
            Packet::Auth(auth) => Some(auth.reason),
            _ => None,
        }
    }

    /// The whole packet with payload, passwords and tokens, for an [`Inspector`] that
    /// [exposes secrets](Inspector::exposes_secrets); `None` for others. Bytes are shared, not copied.
    #[must_use]
    pub fn with_secrets(&self) -> Option<Packet> {
        self.secrets.then(|| match self.content {
            Content::Packet(packet) => packet.clone(),
            Content::Outgoing(publish) => Packet::Publish(whole(publish)),
        })
    }
}

fn worst(reasons: &[ReasonCode]) -> Option<ReasonCode> {
    reasons.iter().find(|reason| reason.is_failure()).or_else(|| reasons.first()).copied()
}

/// The packet that is written for a message.
fn whole(publish: &OutgoingPublish) -> Publish {
    let message = publish.message.message();
    let mut properties = message.properties.clone();
    if let Some(seconds) = publish.message_expiry_interval {
        properties.get_or_insert_default().message_expiry_interval = Some(seconds);
    }
    let alias = publish.topic_alias.as_ref();
    Publish {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        packet_id: publish.packet_id,
        topic: Some(message.topic.clone()).filter(|_| alias.is_none_or(|alias| alias.send_topic)),
        topic_alias: alias.map(|alias| alias.alias),
        subscription_identifiers: publish.subscription_identifiers.clone(),
        payload: message.payload.clone(),
        properties,
    }
}

/// Writes one line per packet to `tracing`, at the level TRACE under the target [`Log::TARGET`]. Nothing secret is in
/// it: see [the module](self).
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no options")]
pub struct Log;

impl Log {
    /// The target to filter by.
    pub const TARGET: &'static str = "gridmq_client::packets";
}

impl Inspector for Log {
    fn packet(&self, direction: Direction, packet: &Inspected<'_>) {
        tracing::trace!(target: Log::TARGET, direction = direction.name(), "{packet}");
    }
}

#[cfg(test)]
mod tests;
