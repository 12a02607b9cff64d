//! What hooks answer.

use bytestring::ByteString;
use gridmq_proto::packet::{SubscribeOptions, UserProperties};
use gridmq_proto::session::{More, Verdict};
use gridmq_proto::{Message, ReasonCode};

use super::Publication;

/// What is said to a client that is admitted, on MQTT 5.0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "hooks build it over the default")]
pub struct Welcome {
    /// The Reason String of the CONNACK.
    pub words: Option<ByteString>,
    /// Its User Properties.
    pub user_properties: UserProperties,
    /// Its Response Information, for a client that asked for it.
    pub response_information: Option<ByteString>,
    /// The client identifier for a client that sent none; the broker makes one otherwise.
    pub assigned_client_id: Option<ByteString>,
}

impl Welcome {
    /// Adds what another hook says; where both say one thing, the other has the last word.
    pub(crate) fn add(&mut self, other: Self) {
        self.words = other.words.or_else(|| self.words.take());
        self.user_properties.extend(other.user_properties);
        self.response_information = other.response_information.or_else(|| self.response_information.take());
        self.assigned_client_id = other.assigned_client_id.or_else(|| self.assigned_client_id.take());
    }
}

/// A refusal, and what the client is told. Words and user properties are left out for a client that asked for none
/// (Request Problem Information) or takes no packet of that size.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Why, for programs. A reason that the answer's packet cannot carry becomes a more general one.
    pub reason: ReasonCode,
    /// Why, for people.
    pub words: Option<ByteString>,
    /// User properties of the answer.
    pub user_properties: UserProperties,
    /// Another server to use: with 0x9C (Use another server) or 0x9D (Server moved), in CONNACK and DISCONNECT.
    pub server_reference: Option<ByteString>,
}

impl Refused {
    /// A refusal for that reason; success is taken for 0x80 (Unspecified error).
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        let reason = if reason.is_failure() { reason } else { ReasonCode::UnspecifiedError };
        Self { reason, words: None, user_properties: Vec::new(), server_reference: None }
    }

    /// With words for people.
    #[must_use]
    pub fn words(mut self, words: impl Into<ByteString>) -> Self {
        self.words = Some(words.into());
        self
    }

    /// With one more user property.
    #[must_use]
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    /// With another server to use.
    #[must_use]
    pub fn server_reference(mut self, server: impl Into<ByteString>) -> Self {
        self.server_reference = Some(server.into());
        self
    }
}

impl From<Refused> for Verdict {
    fn from(refused: Refused) -> Self {
        let Refused { reason, words, user_properties, server_reference } = refused;
        let says_more = !user_properties.is_empty() || server_reference.is_some();
        let more = says_more.then(|| Box::new(More { user_properties, server_reference }));
        Self { reason, words, more }
    }
}

/// Whether a client comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a decision has two outcomes")]
pub enum ConnectDecision {
    /// It does.
    Admit(Welcome),
    /// It does not.
    Refuse(Refused),
}

impl Default for ConnectDecision {
    fn default() -> Self {
        Self::Admit(Welcome::default())
    }
}

impl From<Refused> for ConnectDecision {
    fn from(refused: Refused) -> Self {
        Self::Refuse(refused)
    }
}

/// What becomes of a message that a client publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishDecision {
    /// It is routed.
    Route,
    /// Another one is routed in its place: other payload, topic, properties, QoS or retain flag. The rules are not asked
    /// again, the next hook is.
    RouteAs(Box<Publication>),
    /// The program has taken it: the publisher hears of success, and nobody else gets it.
    Consume,
    /// The publisher is told no: by PUBACK or PUBREC, at QoS 0 and before MQTT 5.0 by the end of its connection.
    Refuse(Refused),
    /// The publisher's connection ends.
    Disconnect(Refused),
}

impl From<Refused> for PublishDecision {
    fn from(refused: Refused) -> Self {
        Self::Refuse(refused)
    }
}

/// Whether a subscription is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeDecision {
    /// As it was asked for.
    Grant,
    /// With other options; the QoS at most what was asked for.
    GrantAs(SubscribeOptions),
    /// It is not.
    Refuse(Refused),
}

impl From<Refused> for SubscribeDecision {
    fn from(refused: Refused) -> Self {
        Self::Refuse(refused)
    }
}

/// Whether a subscription is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsubscribeDecision {
    /// It is.
    Remove,
    /// It stays, and an MQTT 5.0 client is told why. Before 5.0 UNSUBACK cannot say so: the connection ends.
    Refuse(Refused),
}

impl From<Refused> for UnsubscribeDecision {
    fn from(refused: Refused) -> Self {
        Self::Refuse(refused)
    }
}

/// Whether a session gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliverDecision {
    /// It does.
    Deliver,
    /// It gets another one in its place. The topic should match its subscription.
    DeliverAs(Box<Message>),
    /// It does not; the publisher is not told.
    Withhold,
}
