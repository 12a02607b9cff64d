//! What handles ask the driver for.

use std::sync::Arc;

use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{SubscribeFilter, UserProperties};
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::{QoS, ReasonCode, SubscriptionFilter};
use tokio::sync::oneshot;

use crate::error::{PublishError, SubscribeError};
use crate::inbox::SubscriptionKey;
use crate::publish::Published;
use crate::queue::Queue;

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
    pub(crate) key: SubscriptionKey,
    pub(crate) entry: SubscribeFilter,
    pub(crate) identifier: Option<SubscriptionId>,
    pub(crate) user_properties: UserProperties,
    pub(crate) queue: Arc<Queue>,
    pub(crate) reply: oneshot::Sender<Result<QoS, SubscribeError>>,
}

#[derive(Debug)]
pub(crate) struct UnsubscribeCommand {
    pub(crate) filter: SubscriptionFilter,
    pub(crate) user_properties: UserProperties,
    pub(crate) reply: oneshot::Sender<Result<(), SubscribeError>>,
}

#[derive(Debug)]
pub(crate) struct DisconnectCommand {
    pub(crate) reason: ReasonCode,
    pub(crate) session_expiry: Option<u32>,
    pub(crate) reply: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct PublishCommand {
    pub(crate) outgoing: Outgoing,
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
