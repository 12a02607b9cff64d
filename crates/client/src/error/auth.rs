//! Why a client cannot say who it is.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::ReasonCode;

use super::{Side, quoted};
use crate::secure::ConfigError;

/// Why a client cannot say who it is: where its proof was to come from, why it did not, and what to do. Cheap to
/// clone; never holds a password or a token.
#[derive(Debug, Clone)]
pub struct AuthError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: String,
    kind: AuthErrorKind,
}

/// The reason in an [`AuthError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// The application's own provider failed.
    #[error("{error}")]
    Application {
        /// With what.
        error: Box<dyn Error + Send + Sync>,
        /// Asking again is of no use.
        last: bool,
    },
    /// The server asks for a step that the method does not have. The server's to put right, or the method's.
    #[error(
        "the server asks for another step, and this method has none: check that server and client mean the same method"
    )]
    Challenge,
    /// The file cannot be read.
    #[error("it cannot be read ({0}): check its path and permissions")]
    File(#[source] io::Error),
    /// There is nothing in it.
    #[error("there is nothing in it: whatever writes it may be writing just now, or have failed")]
    Empty,
    /// It is longer than any that makes sense.
    #[error("it has more than {limit} bytes, so it is none: check what is written there")]
    TooLarge {
        /// How many bytes are taken.
        limit: usize,
    },
    /// It is no text.
    #[error("it is no text: check what is written there")]
    NotText,
    /// The environment has no such variable. The caller's to put right.
    #[error("the environment has no such variable: set it")]
    Variable,
    /// The address is none. The caller's to put right.
    #[error("its address cannot be used: {0}")]
    Url(&'static str),
    /// TLS cannot be set up as asked. The caller's to put right.
    #[error("TLS cannot be set up: {0}")]
    TlsConfig(#[from] ConfigError),
    /// It was asked over HTTP, and no complete answer came.
    #[cfg(any(feature = "tokens", feature = "est"))]
    #[error(transparent)]
    Http(#[from] crate::http::HttpError),
    /// It was asked over HTTP, and refused.
    #[error("it refused with status {status}{}", said(error.as_deref(), words.as_deref()))]
    Refused {
        /// The status of the answer.
        status: u16,
        /// The error code of OAuth 2.0 (RFC 6749 §5.2), if it gave one.
        error: Option<String>,
        /// In its own words, if it has any.
        words: Option<String>,
    },
    /// Its answer is not what its standard says.
    #[error("its answer cannot be used: {0}")]
    Answer(&'static str),
    /// What it gave has run out.
    #[error("its token ran out {ago:?} ago: check what renews it, and this machine's clock")]
    Expired {
        /// How long ago.
        ago: Duration,
    },
    /// What it gave runs out no later than what is in use.
    #[error("its token runs out no later than the one in use: check what renews it")]
    NotNewer,
    /// It took longer than it may.
    #[error("it gave nothing within {after:?}")]
    Slow {
        /// How long was waited.
        after: Duration,
    },
    /// The server did not go on with the exchange.
    #[error("the server did not answer an AUTH within {after:?}: it may not be able to authenticate a client anew")]
    NoAnswer {
        /// How long was waited.
        after: Duration,
    },
    /// The server sent an AUTH that has no turn.
    #[error("the server sent an AUTH out of turn: {0}")]
    OutOfTurn(ReasonCode),
    /// The service does not take it.
    #[error("{0}")]
    Service(String),
    /// The server announced a Maximum Packet Size.
    #[error("the AUTH has {size} bytes, and the server takes {maximum} at most: a shorter token is needed")]
    PacketTooLarge {
        /// Of the packet.
        size: usize,
        /// What the server takes.
        maximum: u32,
    },
}

/// What a server said, safe for a terminal.
fn said(error: Option<&str>, words: Option<&str>) -> String {
    match (error, words) {
        (Some(error), Some(words)) => format!(" ({}), in its words \"{}\"", quoted(error), quoted(words)),
        (Some(error), None) => format!(" ({})", quoted(error)),
        (None, Some(words)) => format!(", in its words \"{}\"", quoted(words)),
        (None, None) => String::new(),
    }
}

impl AuthError {
    pub(crate) fn new(origin: impl Into<String>, kind: impl Into<AuthErrorKind>) -> Self {
        Self(Arc::new(Inner { origin: origin.into(), kind: kind.into() }))
    }

    /// Of an application's own provider: `origin` names it. The client asks again.
    pub fn other(origin: impl Into<String>, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(origin, AuthErrorKind::Application { error: error.into(), last: false })
    }

    /// As [`other`](Self::other), where asking again is of no use.
    pub fn permanent(origin: impl Into<String>, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(origin, AuthErrorKind::Application { error: error.into(), last: true })
    }

    /// Where the proof was to come from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The reason.
    #[must_use]
    pub fn kind(&self) -> &AuthErrorKind {
        &self.0.kind
    }

    /// Whether asking again, with nothing changed, is of no use.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self.kind() {
            AuthErrorKind::Application { last, .. } => *last,
            AuthErrorKind::Challenge
            | AuthErrorKind::Variable
            | AuthErrorKind::Url(_)
            | AuthErrorKind::TlsConfig(_)
            | AuthErrorKind::Service(_)
            | AuthErrorKind::PacketTooLarge { .. } => true,
            // 404 and 410 are what Azure's metadata service answers while it is updated.
            AuthErrorKind::Refused { status, .. } => {
                (400..500).contains(status) && !matches!(status, 404 | 408 | 410 | 425 | 429)
            }
            _ => false,
        }
    }

    /// Who ended it.
    #[must_use]
    pub fn side(&self) -> Side {
        match self.kind() {
            AuthErrorKind::NoAnswer { .. } | AuthErrorKind::OutOfTurn(_) | AuthErrorKind::Challenge => Side::Server,
            _ => Side::Us,
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.origin, self.0.kind)
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            AuthErrorKind::Application { error, .. } => Some(&**error),
            kind => kind.source(),
        }
    }
}
