//! What a client's machine has for its owner.

use bytestring::ByteString;

use crate::message::SubscriptionId;
use crate::packet::{
    Auth, ConnAck, ConnAckProperties, Disconnect, DisconnectProperties, SubAck, UnsubAck, UserProperties,
};
use crate::session::End;
use crate::session::inbound::PublishToken;
use crate::session::outbound::{Position, Settled};
use crate::{Message, QoS};

/// Something for the owner.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "an owner must handle every one")]
pub enum Event {
    /// The server accepted the connection.
    Connected(Box<ConnAck>),
    /// A step of enhanced authentication; answer with [`Connection::auth`](super::Connection::auth).
    Auth(Box<Auth>),
    /// A message. With a token, answer with [`Connection::complete`](super::Connection::complete).
    Message(Incoming),
    /// A message is done with: one of QoS 1 or 2, or one of QoS 0 that has waited for a connection.
    Published {
        /// Which.
        position: Position,
        /// At which QoS.
        qos: QoS,
        /// How it ended.
        end: Settled,
    },
    /// The answer to the SUBSCRIBE with that identifier.
    Subscribed(SubAck),
    /// The answer to the UNSUBSCRIBE with that identifier.
    Unsubscribed(UnsubAck),
    /// The connection is over. The session can be taken with [`Connection::take_session`](super::Connection::take_session).
    Ended {
        /// Why.
        end: End,
        /// What the server's CONNACK or DISCONNECT said beside its reason, if anything.
        farewell: Option<Box<Farewell>>,
    },
}

/// What a CONNACK or DISCONNECT that ends the connection says beside its reason code (MQTT 5.0 §3.2.2.3, §3.14.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Farewell {
    /// Words for people.
    pub reason_string: Option<ByteString>,
    /// Another server to use.
    pub server_reference: Option<ByteString>,
    /// User properties.
    pub user_properties: UserProperties,
}

impl Farewell {
    pub(super) fn of_connack(ack: ConnAck) -> Option<Box<Self>> {
        let ConnAckProperties { reason_string, server_reference, user_properties, .. } = ack.properties;
        Self { reason_string, server_reference, user_properties }.said()
    }

    pub(super) fn of_disconnect(disconnect: Disconnect) -> Option<Box<Self>> {
        let DisconnectProperties { reason_string, server_reference, user_properties, .. } = disconnect.properties;
        Self { reason_string, server_reference, user_properties }.said()
    }

    fn said(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// A message from the server.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data of an event")]
pub struct Incoming {
    /// For [`Connection::complete`](super::Connection::complete); absent for QoS 0.
    pub token: Option<PublishToken>,
    /// The message, its topic alias resolved.
    pub message: Message,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it was retained.
    pub retain: bool,
    /// Whether the server marked it as sent before.
    pub dup: bool,
    /// Identifiers of the subscriptions that matched.
    pub subscription_identifiers: smallvec::SmallVec<[SubscriptionId; 2]>,
}
