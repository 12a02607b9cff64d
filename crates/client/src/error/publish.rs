//! Why a message was not published.

use std::convert::Infallible;
use std::time::Duration;

use gridmq_proto::packet::UserProperties;
use gridmq_proto::session::client::RequestError;
use gridmq_proto::session::{Position, Unsent};
use gridmq_proto::topic::TopicError;
use gridmq_proto::{ByteString, EncodeError, QoS, ReasonCode, TopicName};

use super::request::refused;
use super::{DisconnectCause, quoted};
use crate::profile::ProfileError;

/// Why a message was not published, and with that what is known of it:
///
/// | error | [`outcome`](Self::outcome) | the server |
/// |---|---|---|
/// | [`Topic`](Self::Topic), [`Packet`](Self::Packet) | [`NotSent`](Outcome::NotSent) | was not asked: there is no such message |
/// | [`Service`](Self::Service), [`Limit`](Self::Limit) | [`NotSent`](Outcome::NotSent) | was not asked: it takes no such message |
/// | [`QueueFull`](Self::QueueFull), [`Dropped`](Self::Dropped) | [`NotSent`](Outcome::NotSent) | was not asked: the queue was full |
/// | [`Expired`](Self::Expired) | [`NotSent`](Outcome::NotSent) | was not asked: it was too late |
/// | [`NotTaken`](Self::NotTaken) | [`NotSent`](Outcome::NotSent) | was not asked: the client had ended, or ended before |
/// | [`Timeout`](Self::Timeout), not queued | [`NotSent`](Outcome::NotSent) | was not asked, and will not be |
/// | [`Timeout`](Self::Timeout), queued | [`Unknown`](Outcome::Unknown) | may have it, or get it yet |
/// | [`GivenUp`](Self::GivenUp) | [`Unknown`](Outcome::Unknown) | may have it, from an earlier connection |
/// | [`Disconnected`](Self::Disconnected) | [`Unknown`](Outcome::Unknown) | may have it, or get it yet out of a store |
/// | [`Refused`](Self::Refused) | [`Refused`](Outcome::Refused) | had it, and did not take it |
///
/// What is not sent can be published again without coming twice.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The text is no topic name; nothing was sent.
    #[error("nothing can be published there: {0}")]
    Topic(#[from] TopicError),
    /// The server did not take the message.
    #[error("the server refused the message to \"{}\": {}", quoted(topic.as_str()), refused(*reason, reason_string.as_ref()))]
    Refused {
        /// Where it was published.
        topic: TopicName,
        /// Why.
        reason: ReasonCode,
        /// What it says for people, if anything.
        reason_string: Option<ByteString>,
        /// The user properties of its answer.
        user_properties: UserProperties,
    },
    /// The server announced that it does not take such a message, or there is no connection for one of QoS 0 that is
    /// not to wait; nothing was sent.
    #[error("the message to \"{}\" was not sent: {limit}", quoted(topic.as_str()))]
    Limit {
        /// Where it was published.
        topic: TopicName,
        /// What stands in the way.
        limit: RequestError,
    },
    /// The queue is full, and the message was not taken, as [`Overflow`](crate::Overflow) says.
    #[error(
        "the message to \"{}\" was not sent: the queue is full at {messages} messages or {bytes} bytes; wait for \
         acknowledgements, or raise its limits", quoted(topic.as_str())
    )]
    QueueFull {
        /// Where it was published.
        topic: TopicName,
        /// The queue's limit in messages.
        messages: usize,
        /// Its limit in bytes.
        bytes: usize,
    },
    /// The message's [expiry](crate::PublishRequest::message_expiry) was over before it could be sent.
    #[error(
        "the message to \"{}\" expired before it could be sent; let it live longer, or look why there was no connection",
        quoted(topic.as_str())
    )]
    Expired {
        /// Where it was published.
        topic: TopicName,
    },
    /// The message was sent on an earlier connection and not acknowledged, and cannot be sent again.
    #[error("the message to \"{}\" was sent and not acknowledged, and is not sent again: {why}", quoted(topic.as_str()))]
    GivenUp {
        /// Where it was published.
        topic: TopicName,
        /// What stands in the way: the server takes less than it did, or the message has expired.
        why: RequestError,
    },
    /// The service that the options are made for takes no such message; nothing was sent.
    #[error("the message to \"{}\" was not sent: {error}", quoted(topic.as_str()))]
    Service {
        /// Where it was published.
        topic: TopicName,
        /// What the service does not take.
        error: ProfileError,
    },
    /// The message cannot be written in the connection's version; nothing was sent.
    #[error("the message to \"{}\" cannot be sent: {error}", quoted(topic.as_str()))]
    Packet {
        /// Where it was published.
        topic: TopicName,
        /// What cannot be written.
        error: EncodeError,
    },
    /// No acknowledgement came in time, or at QoS 0 the message was not written.
    #[error("{}", late(topic, *qos, *after, *queued))]
    Timeout {
        /// Where it was published.
        topic: TopicName,
        /// At which QoS.
        qos: QoS,
        /// How long was waited.
        after: Duration,
        /// The message was taken, and stays in the queue: it may have been delivered, or will be, and its outcome is
        /// unknown. Otherwise it was not sent and never will be.
        queued: bool,
        /// Its place in the queue, by which [`Client::undelivered`](crate::Client::undelivered) names it if it fails
        /// later. A message of QoS 0 that did not have to wait for a connection has none.
        position: Option<u64>,
    },
    /// The message was never sent and gave way to another, as [`Overflow`](crate::Overflow) says.
    #[error(
        "the message to \"{}\" was not sent: the queue is full, and it gave way to a newer one; wait, or raise its limits",
        quoted(topic.as_str())
    )]
    Dropped {
        /// Where it was published.
        topic: TopicName,
        /// The place that it had in the queue.
        position: u64,
    },
    /// The client had ended, or ended before the message was sent.
    #[error("the message to \"{}\" was not sent: {cause}", quoted(topic.as_str()))]
    NotTaken {
        /// Where it was published.
        topic: TopicName,
        /// Why the client has ended.
        cause: DisconnectCause,
    },
    /// The client, or at QoS 0 the connection, ended first, and the message may have been sent. One of QoS 1 or 2 that
    /// is in a store is sent when the client is started again.
    #[error("the message to \"{}\" is not known to be published: {cause}", quoted(topic.as_str()))]
    Disconnected {
        /// Where it was published.
        topic: TopicName,
        /// Why the client, or the connection, has ended.
        cause: DisconnectCause,
    },
}

/// What is known of a message that was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The server has it and did not take it.
    Refused,
    /// The server does not have it and will not get it.
    NotSent,
    /// The server may have it, or get it yet.
    Unknown,
}

fn late(topic: &TopicName, qos: QoS, after: Duration, queued: bool) -> String {
    let topic = quoted(topic.as_str());
    match (queued, qos) {
        (false, _) => format!(
            "the message to \"{topic}\" was not taken within {after:?} and will not be sent: too many wait before it; \
             publish less at once"
        ),
        (true, QoS::AtMostOnce) => format!(
            "the message to \"{topic}\" was not written within {after:?}: it still waits to be, and its outcome is \
             unknown; the link may be slow or gone"
        ),
        (true, QoS::AtLeastOnce | QoS::ExactlyOnce) => format!(
            "no acknowledgement of the message to \"{topic}\" within {after:?}: it stays queued and its outcome is \
             unknown; the server may be slow or the link gone"
        ),
    }
}

impl PublishError {
    /// The session did not take the message.
    pub(crate) fn limit(topic: TopicName, limit: RequestError) -> Self {
        match limit {
            RequestError::Expired => Self::Expired { topic },
            RequestError::QueueFull { messages, bytes } => Self::QueueFull { topic, messages, bytes },
            limit => Self::Limit { topic, limit },
        }
    }

    /// The session gave the message up that it had taken.
    pub(crate) fn unsent(topic: TopicName, position: Position, why: Unsent, maybe_sent: bool) -> Self {
        let limit = match why {
            Unsent::Evicted => return Self::Dropped { topic, position },
            Unsent::Limit(limit) => limit,
            _ => RequestError::Expired,
        };
        if maybe_sent { Self::GivenUp { topic, why: limit } } else { Self::limit(topic, limit) }
    }

    /// What is known of the message.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Refused { .. } => Outcome::Refused,
            Self::Timeout { queued: true, .. } | Self::GivenUp { .. } | Self::Disconnected { .. } => Outcome::Unknown,
            Self::Topic(_)
            | Self::Limit { .. }
            | Self::QueueFull { .. }
            | Self::Expired { .. }
            | Self::Service { .. }
            | Self::Packet { .. }
            | Self::Timeout { queued: false, .. }
            | Self::Dropped { .. }
            | Self::NotTaken { .. } => Outcome::NotSent,
        }
    }

    /// The server's reason code, if it refused the message.
    #[must_use]
    pub const fn reason(&self) -> Option<ReasonCode> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Where the message was published; `None` only where the text given for that is no topic name.
    #[must_use]
    pub const fn topic(&self) -> Option<&TopicName> {
        match self {
            Self::Refused { topic, .. }
            | Self::Limit { topic, .. }
            | Self::QueueFull { topic, .. }
            | Self::Expired { topic }
            | Self::GivenUp { topic, .. }
            | Self::Timeout { topic, .. }
            | Self::Dropped { topic, .. }
            | Self::Service { topic, .. }
            | Self::Packet { topic, .. }
            | Self::NotTaken { topic, .. }
            | Self::Disconnected { topic, .. } => Some(topic),
            Self::Topic(_) => None,
        }
    }
}

impl From<Infallible> for PublishError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
