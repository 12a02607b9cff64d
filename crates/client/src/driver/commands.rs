//! What handles ask the driver for.

use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{AckProperties, DisconnectProperties, SubscribeFilter, UserProperties};
use gridmq_proto::session::Position;
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::time::Wall;
use gridmq_proto::{ReasonCode, SubscriptionFilter, TopicName};
use tokio::sync::oneshot;

use super::router::NewLookup;

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
    /// Told when all that was taken before is decided.
    Flush(oneshot::Sender<()>),
    Shutdown(ShutdownCommand),
}

#[derive(Debug)]
pub(crate) struct SubscribeCommand {
    pub(crate) filters: Vec<(SubscriptionKey, SubscribeFilter)>,
    pub(crate) identifier: Option<SubscriptionId>,
    pub(crate) user_properties: UserProperties,
    pub(crate) queue: Arc<Queue>,
    /// Finds it among many.
    pub(crate) new_lookup: NewLookup,
    pub(crate) reply: oneshot::Sender<Result<SubscribeAnswers, SubscribeError>>,
}

/// What a SUBACK says.
#[derive(Debug)]
pub(crate) struct SubscribeAnswers {
    pub(crate) reasons: Vec<(SubscriptionKey, ReasonCode)>,
    pub(crate) properties: AckProperties,
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
    /// How long to wait for the server.
    pub(crate) timeout: Option<Duration>,
    pub(crate) reply: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct ShutdownCommand {
    pub(crate) until: tokio::time::Instant,
    /// Told how many messages and bytes are left when the client leaves.
    pub(crate) outcome: oneshot::Sender<(usize, usize)>,
    /// Told when both sides have closed.
    pub(crate) closed: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct PublishCommand {
    pub(crate) outgoing: Outgoing,
    /// When it was made, if it expires.
    pub(crate) made: Option<Wall>,
    /// When it is not to be taken any more, if it has to be looked at for that.
    pub(crate) until: Option<tokio::time::Instant>,
    /// Told the place in the queue, if it has one, when the message is taken; closed when nobody wants that any more.
    pub(crate) admission: oneshot::Sender<Option<Position>>,
    /// Told its position when it is stored.
    pub(crate) stored: Option<oneshot::Sender<Option<Position>>>,
    pub(crate) reply: PublishReply,
}

/// Who waits for the outcome of a message, and where that was published.
#[derive(Debug)]
pub(crate) struct PublishReply {
    pub(crate) topic: TopicName,
    sender: oneshot::Sender<Result<Published, PublishError>>,
}

impl PublishReply {
    pub(crate) fn new(topic: TopicName) -> (Self, oneshot::Receiver<Result<Published, PublishError>>) {
        let (sender, answer) = oneshot::channel();
        (Self { topic, sender }, answer)
    }

    /// Gives the outcome back if nobody waits for it any more.
    pub(crate) fn send(self, outcome: Result<Published, PublishError>) -> Result<(), Result<Published, PublishError>> {
        self.sender.send(outcome)
    }
}

impl Request {
    /// Nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Subscribe(command) => command.reply.is_closed(),
            Self::Unsubscribe(command) => command.reply.is_closed(),
            Self::Ping(reply) | Self::Flush(reply) => reply.is_closed(),
            Self::Disconnect(_) | Self::Shutdown(_) => false,
        }
    }
}
