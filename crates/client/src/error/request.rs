//! Why a subscribe, an unsubscribe or a ping did not succeed.

use std::convert::Infallible;
use std::time::Duration;

use gridmq_proto::packet::UserProperties;
use gridmq_proto::session::client::RequestError;
use gridmq_proto::topic::TopicError;
use gridmq_proto::{ByteString, EncodeError, ReasonCode, SubscriptionFilter};

use super::{DisconnectCause, advice, quoted};
use crate::profile::ProfileError;
use crate::subscribe::RefusedFilter;

pub(super) fn refused(reason: ReasonCode, reason_string: Option<&ByteString>) -> String {
    // The server's own words know the case better than general advice.
    match reason_string {
        Some(words) => format!("{reason}, in its words \"{}\"", quoted(words)),
        None => format!("{reason}; {}", advice::of_request(reason)),
    }
}

/// Why it is not known whether the server has read everything.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// No answer came in time.
    #[error(
        "no answer to a PINGREQ within {after:?}; the server may be slow, or the link gone: try again, or reconnect"
    )]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended first.
    #[error("{0}")]
    Disconnected(DisconnectCause),
}

/// Why a subscription was not made, or not given up.
///
/// ```no_run
/// use gridmq_client::{Client, QoS, ReasonCode, SubscribeError};
///
/// # async fn run(client: Client) {
/// match client.subscribe("orders/#", QoS::AtLeastOnce).await {
///     Err(error) if error.reason() == Some(ReasonCode::NotAuthorized) => println!("not allowed: {error}"),
///     Err(SubscribeError::Timeout { .. }) => println!("once more"),
///     other => println!("{other:?}"),
/// }
/// # }
/// ```
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
    #[error("the server refused \"{}\": {}", quoted(filter.as_str()), refused(*reason, reason_string.as_ref()))]
    Refused {
        /// What it refused.
        filter: Box<SubscriptionFilter>,
        /// Why. On 3.1.1 always [`ReasonCode::UnspecifiedError`].
        reason: ReasonCode,
        /// What it says for people, if anything.
        reason_string: Option<ByteString>,
        /// The user properties of its answer.
        user_properties: UserProperties,
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
    #[error(
        "no answer from the server about \"{}\" within {after:?}; it may be slow, or the link gone: try again",
        quoted(filter.as_str())
    )]
    Timeout {
        /// What was asked for, or the first of several.
        filter: Box<SubscriptionFilter>,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended first.
    #[error("no answer: {0}")]
    Disconnected(DisconnectCause),
}

fn first_refused(filters: &[RefusedFilter]) -> String {
    filters.first().map_or_else(String::new, |RefusedFilter { filter, reason, reason_string, .. }| {
        format!("{}: {}", quoted(filter.as_str()), refused(*reason, reason_string.as_ref()))
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
    /// It cannot be written in the connection's version: 3.1.1 has no properties here.
    #[error("nothing was sent: {0}")]
    Packet(EncodeError),
}
