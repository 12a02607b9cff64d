//! Why a publish, a subscribe or an unsubscribe did not succeed.

use std::convert::Infallible;
use std::time::Duration;

use gridmq_proto::session::client::RequestError;
use gridmq_proto::topic::TopicError;
use gridmq_proto::{ByteString, EncodeError, ReasonCode};

use super::{DisconnectCause, advice, quoted};
use crate::profile::ProfileError;
use crate::subscribe::RefusedFilter;

fn refused(reason: ReasonCode, words: Option<&ByteString>) -> String {
    // The server's own words know the case better than general advice.
    match words {
        Some(words) => format!("{reason}, in its words \"{}\"", quoted(words)),
        None => format!("{reason}; {}", advice::of_request(reason)),
    }
}

/// Why a message was not published.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The text is no topic name; nothing was sent.
    #[error("nothing can be published there: {0}")]
    Topic(#[from] TopicError),
    /// The server did not take the message.
    #[error("the server refused the message: {}", refused(*reason, words.as_ref()))]
    Refused {
        /// Why.
        reason: ReasonCode,
        /// In its own words, if it has any.
        words: Option<ByteString>,
    },
    /// The server announced that it does not take such a message; nothing was sent.
    #[error("the message was not sent: {0}")]
    Limit(RequestError),
    /// The service that the options are made for takes no such message; nothing was sent.
    #[error("the message was not sent: {0}")]
    Service(ProfileError),
    /// The message cannot be written in the connection's version; nothing was sent.
    #[error("the message cannot be sent: {0}")]
    Packet(EncodeError),
    /// No acknowledgement came in time.
    #[error("no acknowledgement within {after:?}: {}", timed_out(*queued))]
    Timeout {
        /// How long was waited.
        after: Duration,
        /// The message was taken, and stays in the queue: it may have been delivered, or will be, and its outcome is
        /// unknown. Otherwise it was not sent and never will be.
        queued: bool,
    },
    /// The message was never sent and gave way to another, as [`Overflow`](crate::Overflow) says.
    #[error("the message was not sent: the queue is full, and it gave way to a newer one; wait, or raise its limits")]
    Dropped {
        /// The place that it had in the queue.
        position: u64,
    },
    /// The client, or the connection, ended first. A message of QoS 1 or 2 may have been delivered; one that is in a
    /// store is sent when the client is started again.
    #[error("not published: {0}")]
    Disconnected(DisconnectCause),
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

const fn timed_out(queued: bool) -> &'static str {
    if queued {
        "the message stays queued and its outcome is unknown; the server may be slow or the link gone"
    } else {
        "the message was not sent, because too many wait before it; publish less at once"
    }
}

impl PublishError {
    /// What is known of the message.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Refused { .. } => Outcome::Refused,
            Self::Timeout { queued: true, .. } | Self::Disconnected(_) => Outcome::Unknown,
            Self::Topic(_)
            | Self::Limit(_)
            | Self::Service(_)
            | Self::Packet(_)
            | Self::Timeout { queued: false, .. }
            | Self::Dropped { .. } => Outcome::NotSent,
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
}

impl From<Infallible> for PublishError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Why it is not known whether the server has read everything.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// No answer came in time.
    #[error("no answer to a PINGREQ within {after:?}; the server may be slow, or the link gone")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended first.
    #[error("{0}")]
    Disconnected(DisconnectCause),
}

/// Why a subscription was not made, or not given up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The text is no topic filter; nothing was sent.
    #[error("nothing can be subscribed to by that filter: {0}")]
    Filter(#[from] TopicError),
    /// A subscription identifier is a number from 1 to 268,435,455.
    #[error("{0} is no subscription identifier: give a number from 1 to 268435455")]
    Identifier(u32),
    /// The server said no.
    #[error("the server refused it: {}", refused(*reason, words.as_ref()))]
    Refused {
        /// Why. On 3.1.1 always [`ReasonCode::UnspecifiedError`].
        reason: ReasonCode,
        /// In its own words, if it has any.
        words: Option<ByteString>,
    },
    /// The server said no to some of several filters, and what it granted was given back.
    #[error("the server refused {} of the filters, first {}", .0.len(), first_refused(.0))]
    SomeRefused(Vec<RefusedFilter>),
    /// The server announced that it has no such subscriptions; nothing was sent.
    #[error("nothing was sent: {0}")]
    Limit(RequestError),
    /// The service that the options are made for takes no such request; nothing was sent.
    #[error("nothing was sent: {0}")]
    Service(ProfileError),
    /// The request cannot be written in the connection's version; nothing was sent.
    #[error("it cannot be sent: {0}")]
    Packet(EncodeError),
    /// No answer came in time. A subscription that the server makes later is given up again.
    #[error("no answer from the server within {after:?}; it may be slow, or the link gone")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended first.
    #[error("no answer: {0}")]
    Disconnected(DisconnectCause),
}

fn first_refused(filters: &[RefusedFilter]) -> String {
    filters.first().map_or_else(String::new, |RefusedFilter { filter, reason, words, .. }| {
        format!("{}: {}", quoted(filter.as_str()), refused(*reason, words.as_ref()))
    })
}

impl SubscribeError {
    /// The server's reason code, if it said no; to the first of several filters that it refused.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            Self::SomeRefused(filters) => filters.first().map(|refused| refused.reason),
            _ => None,
        }
    }
}

impl From<Infallible> for SubscribeError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Why a message cannot be rejected with that reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectError {
    /// No acknowledgement has such a reason.
    #[error("{reason} says nothing that a PUBACK or PUBREC could: give one of its failures, such as 0x80")]
    Reason {
        /// The reason that was given.
        reason: ReasonCode,
    },
    /// The service that the options are made for takes no failures.
    #[error("nothing was sent: {0}")]
    Service(ProfileError),
}
