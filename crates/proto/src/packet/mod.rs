//! The fifteen control packets, one struct each for both protocol versions.
//!
//! Fields that only MQTT 5.0 has keep their defaults on a 3.1.1 connection: decoding leaves them so, and encoding
//! refuses to drop one that is set. Reason codes below 0x80 are the exception: a 3.1.1 acknowledgement says as much.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod packet_type;
mod publish;
mod subscribe;
mod unsubscribe;

use bytestring::ByteString;

pub use ack::{Ack, AckProperties, SubAck, UnsubAck};
pub use auth::{Auth, AuthProperties};
pub use connack::{ConnAck, ConnAckProperties};
pub use connect::{Connect, ConnectProperties, Will};
pub use disconnect::{Disconnect, DisconnectProperties};
pub use packet_type::PacketType;
pub use publish::Publish;
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions};
pub use unsubscribe::Unsubscribe;

/// Name and value pairs in the order in which they were sent; names may repeat [MQTT-3.1.3-10].
pub type UserProperties = Vec<(ByteString, ByteString)>;

/// A control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these fifteen")]
pub enum Packet {
    /// The client asks for a connection.
    Connect(Box<Connect>),
    /// The server's answer to CONNECT.
    ConnAck(Box<ConnAck>),
    /// A message.
    Publish(Publish),
    /// QoS 1: received.
    PubAck(Ack),
    /// QoS 2, first step: received.
    PubRec(Ack),
    /// QoS 2, second step: release.
    PubRel(Ack),
    /// QoS 2, third step: complete.
    PubComp(Ack),
    /// The client asks for subscriptions.
    Subscribe(Subscribe),
    /// The server's answer to SUBSCRIBE.
    SubAck(SubAck),
    /// The client gives subscriptions up.
    Unsubscribe(Unsubscribe),
    /// The server's answer to UNSUBSCRIBE.
    UnsubAck(UnsubAck),
    /// The client is alive.
    PingReq,
    /// So is the server.
    PingResp,
    /// The last packet of a connection.
    Disconnect(Disconnect),
    /// Enhanced authentication, MQTT 5.0 only.
    Auth(Box<Auth>),
}
