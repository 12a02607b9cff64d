//! What handles ask the driver for.

use std::sync::Arc;

use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{DisconnectProperties, SubscribeFilter, UserProperties};
use gridmq_proto::session::Position;
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::{ByteString, ReasonCode, SubscriptionFilter};
use tokio::sync::oneshot;

use crate::error::{PublishError, SubscribeError};
use crate::inbox::SubscriptionKey;
use crate::publish::Published;
use crate::queue::Queue;
use crate::unsubscribe::Unsubscribed;

/// What a handle asks for, beside publishing.
#[derive(Debug)]
pub(crate) enum Request {
    Subscribe(Box<SubscribeCommand>),
    Unsubscribe(Box<UnsubscribeCommand>),
    Ping(oneshot::Sender<()>),
    Disconnect(DisconnectCommand),
}

#[derive(Debug)]
pub(crate) struct SubscribeCommand {
    pub(crate) filters: Vec<(SubscriptionKey, SubscribeFilter)>,
    pub(crate) identifier: Option<SubscriptionId>,
    pub(crate) user_properties: UserProperties,
    pub(crate) queue: Arc<Queue>,
    pub(crate) reply: oneshot::Sender<Result<SubscribeAnswers, SubscribeError>>,
}

/// What a SUBACK says.
#[derive(Debug)]
pub(crate) struct SubscribeAnswers {
    pub(crate) reasons: Vec<(SubscriptionKey, ReasonCode)>,
    pub(crate) words: Option<ByteString>,
}

impl SubscribeAnswers {
    pub(crate) fn reason(&self, key: SubscriptionKey) -> Option<ReasonCode> {
        self.reasons.iter().find(|(about, _)| *about == key).map(|(_, reason)| *reason)
    }
}

#[derive(Debug)]
pub(crate) struct UnsubscribeCommand {
    pub(crate) filters: Vec<SubscriptionFilter>,
    pub(crate) user_properties: UserProperties,
    pub(crate) reply: oneshot::Sender<Result<Vec<Unsubscribed>, SubscribeError>>,
}

#[derive(Debug)]
pub(crate) struct DisconnectCommand {
    pub(crate) reason: ReasonCode,
    pub(crate) properties: DisconnectProperties,
    pub(crate) reply: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct PublishCommand {
    pub(crate) outgoing: Outgoing,
    /// Told when the message is taken; closed when nobody wants that any more.
    pub(crate) admission: oneshot::Sender<()>,
    /// Told its position when it is stored.
    pub(crate) stored: Option<oneshot::Sender<Option<Position>>>,
    pub(crate) reply: oneshot::Sender<Result<Published, PublishError>>,
}

impl Request {
    /// Nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Subscribe(command) => command.reply.is_closed(),
            Self::Unsubscribe(command) => command.reply.is_closed(),
            Self::Ping(reply) => reply.is_closed(),
            Self::Disconnect(_) => false,
        }
    }
}
