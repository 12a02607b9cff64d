//! Why a call did not succeed.

use std::time::Duration;

use super::Response;
use crate::error::{PublishError, SubscribeError, quoted};
use crate::template::TemplateError;

/// Why a caller or a responder could not begin.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The topics are subscribed to first.
    #[error("the topics of requests or responses could not be subscribed to: {0}")]
    Subscribe(#[from] SubscribeError),
    /// MQTT 3.1.1 has no response topics.
    #[error("before MQTT 5.0 there are no response topics: connect with 5.0, or use the topics of MQTTnet's RPC")]
    Version,
    /// The method's name is one level of a topic.
    #[error("the method {method:?} is not one level of a topic: leave out '/', '+' and '#'")]
    Method {
        /// The method.
        method: String,
    },
}

/// Why a call did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The values do not make a topic; nothing was sent.
    #[error("nothing can be called there: {0}")]
    Topic(#[from] TemplateError),
    /// The caller's topics could not be subscribed to; nothing was sent.
    #[error(transparent)]
    Setup(#[from] RpcError),
    /// The request was not published.
    #[error("the request was not published: {0}")]
    Publish(#[from] PublishError),
    /// Nobody subscribes to the request's topic, says the server.
    #[error("nobody answers there: the server has no subscription to the request's topic")]
    Nobody,
    /// No response came in time. What was called may have been done.
    #[error("no response within {after:?}{}", if *.sent { "; what was asked may have been done all the same" } else {
        ": too many calls were under way, and nothing was sent"
    })]
    Timeout {
        /// How long was waited.
        after: Duration,
        /// Whether the request was handed to the client.
        sent: bool,
    },
    /// The responder says that it failed.
    #[error("it failed with status {status}: {}", quoted(response.text().unwrap_or_default()))]
    Failed {
        /// By the user property `status`.
        status: u16,
        /// All that it says.
        response: Box<Response>,
    },
    /// The client is disconnected for good, or the caller's subscription was given up.
    #[error("the responses' subscription has ended, with it or with its client")]
    Ended,
}
