//! What the machine tells its owner, and what the owner answers to a CONNECT.

use bytes::Bytes;
use bytestring::ByteString;

use super::Session;
use crate::packet::{Auth, Connect, Subscribe, Unsubscribe, UserProperties, Will};
use crate::session::{End, Position, PublishToken, Verdict};
use crate::{Message, PacketId, QoS, ReasonCode};

/// Something for the owner.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "an owner must handle every one")]
pub enum Event {
    /// Answer with [`Connection::decide_connect`](super::Connection::decide_connect).
    Connect(Box<Connect>),
    /// A step of enhanced authentication. Before the CONNACK answer with [`Connection::decide_connect`](super::Connection::decide_connect), later with
    /// [`Connection::decide_auth`](super::Connection::decide_auth).
    Auth(Box<Auth>),
    /// A message. With a token, answer with [`Connection::complete`](super::Connection::complete).
    Publish(Inbound),
    /// Answer with [`Connection::decide_subscribe`](super::Connection::decide_subscribe).
    Subscribe(Box<Subscribe>),
    /// Answer with [`Connection::decide_unsubscribe`](super::Connection::decide_unsubscribe).
    Unsubscribe(Box<Unsubscribe>),
    /// A delivery of QoS 1 or 2 is done with.
    Delivered {
        /// Which.
        position: Position,
        /// What the client said. Where the message was never sent: `PacketTooLarge` if the client takes none of that
        /// size, `ImplementationSpecificError` if the message has expired.
        reason: ReasonCode,
    },
    /// The connection is over. The session can be taken with [`Connection::take_session`](super::Connection::take_session).
    Ended {
        /// Why.
        end: End,
        /// To be published, after its delay.
        will: Option<Box<Will>>,
    },
}

/// A message that the client published.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data of an event")]
pub struct Inbound {
    /// For [`Connection::complete`](super::Connection::complete); absent for QoS 0.
    pub token: Option<PublishToken>,
    /// What the client knows it by; absent for QoS 0.
    pub packet_id: Option<PacketId>,
    /// The message, its topic alias resolved.
    pub message: Message,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is to be retained.
    pub retain: bool,
    /// Whether the client marked it as sent before.
    pub dup: bool,
}

/// The owner's answer to a CONNECT.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum ConnectDecision {
    /// The client is in.
    Accept(Box<Accepted>),
    /// It is not.
    Refuse(Verdict),
    /// Enhanced authentication goes on; only for a CONNECT with an authentication method.
    Continue {
        /// Data for the client.
        data: Option<Bytes>,
    },
}

/// What an accepted client gets.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Accepted {
    /// Its session, new or resumed; its client identifier is the effective one.
    pub session: Session,
    /// Whether the session existed.
    pub session_present: bool,
    /// Seconds that the session outlives the connection.
    pub expiry_interval: u32,
    /// Whether the client identifier was chosen by the server.
    pub assigned_client_id: bool,
    /// Data that ends enhanced authentication.
    pub authentication_data: Option<Bytes>,
    /// What else the CONNACK says on MQTT 5.0.
    pub welcome: Welcome,
}

/// What a CONNACK says to an MQTT 5.0 client that is in, besides what the server announces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Welcome {
    /// For people; not sent to a client that asked for none, nor beyond its Maximum Packet Size [MQTT-3.2.2-19].
    pub reason_string: Option<ByteString>,
    /// The same holds for these [MQTT-3.2.2-20].
    pub user_properties: UserProperties,
    /// The base of response topics, sent where the client asked for it [MQTT-3.1.2-28].
    pub response_information: Option<ByteString>,
}

/// The owner's answer to an AUTH of a connected client.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum AuthDecision {
    /// Re-authentication goes on: AUTH 0x18.
    Continue {
        /// Data for the client.
        data: Option<Bytes>,
    },
    /// The client has authenticated again: AUTH 0x00.
    Accept {
        /// Data for the client.
        data: Option<Bytes>,
    },
    /// It has not: DISCONNECT.
    Refuse(Verdict),
}
