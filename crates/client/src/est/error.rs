//! Why enrolment failed.

use gridmq_tls::catalogue::Finding;
use gridmq_tls::client::ConfigError;
use gridmq_tls::est::{AnswerError, Operation, RequestError};

use crate::http::HttpError;

/// Why an operation did not come about: which, at which server, and why.
#[derive(Debug, thiserror::Error)]
#[error("{operation} at {server} failed: {kind}")]
pub struct EstError {
    server: String,
    operation: Operation,
    kind: Box<EstErrorKind>,
}

/// The reason in an [`EstError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstErrorKind {
    /// The address is none. The caller's to put right.
    #[error("{url:?} is no address of an EST server: {why}")]
    Url {
        /// What was given, without a password in it.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The options cannot be used together. The caller's to put right.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// User name or password cannot be sent. The caller's to put right.
    #[error("a user name must not hold a colon, nor user name or password a control character (RFC 7617)")]
    BadUser,
    /// A certificate is asked for in place of none. The caller's to put right.
    #[error("there is no certificate that could be renewed: enrol first")]
    NoIdentity,
    /// The request could not be made.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No complete answer came.
    #[error(transparent)]
    Http(HttpError),
    /// The runtime was stopped while a key was being made.
    #[error("the program's runtime was stopped while a key was being made: keep it for as long as the renewer")]
    Stopped,
    /// The server refused, or its answer cannot be used.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl EstError {
    pub(super) fn new(server: String, operation: Operation, kind: EstErrorKind) -> Self {
        Self { server, operation, kind: Box::new(kind) }
    }

    /// The reason.
    #[must_use]
    pub fn kind(&self) -> &EstErrorKind {
        &self.kind
    }

    /// What was asked for.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// What the catalogue says of it, where it has an entry.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        match self.kind() {
            EstErrorKind::Answer(error) => error.finding(),
            EstErrorKind::Http(HttpError::Tls(error)) => Some(error.finding()),
            _ => None,
        }
    }

    /// How many seconds the server wants to be left alone for, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self.kind() {
            EstErrorKind::Answer(error) => error.retry_after(),
            _ => None,
        }
    }
}
