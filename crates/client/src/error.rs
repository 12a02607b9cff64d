//! Whose side refused, at which stage, and what to do.

mod advice;
mod auth;
mod cause;
mod connect;
mod disconnect;
mod finding;
mod proxy;
mod publish;
mod request;
mod websocket;

pub use auth::{AuthError, AuthErrorKind};
pub use cause::{DisconnectCause, DisconnectKind};
pub use connect::{Attempt, ConnectError, ConnectErrorKind};
pub use disconnect::DisconnectError;
pub use proxy::{ProxyError, SocksReply};
pub use publish::{Outcome, PublishError};
pub use request::{PingError, RejectError, SubscribeError};
pub use websocket::WebSocketError;

#[cfg(not(feature = "tls"))]
#[doc(hidden)]
pub use crate::secure::{ConfigError, HandshakeInfo, TlsError};

pub use gridmq_proto::codec::Foreign;
pub use gridmq_proto::session::client::{Farewell, RequestError};
pub use gridmq_proto::topic::TopicError;
pub use gridmq_proto::{EncodeError, SpecViolation};

pub use crate::template::TemplateError;

use crate::address::standing;

pub(crate) use cause::Ending;

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// This program: an option that cannot work, or something that the server sent and that is not accepted.
    Us,
    /// The server.
    Server,
    /// Neither said anything; the way between them failed.
    Network,
}

/// How far a connection had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The options were looked at; nothing was sent.
    Options,
    /// User name, password or token were asked for.
    Credentials,
    /// The host's name was looked up; the proxy's, if there is one.
    Name,
    /// TCP connections were tried, or the Unix socket, or the caller's dialer.
    Tcp,
    /// The proxy was asked to let us through.
    Proxy,
    /// TLS was negotiated, or the server judged our certificate.
    Tls,
    /// The upgrade to WebSocket was asked for.
    WebSocket,
    /// CONNECT was sent and CONNACK awaited.
    Connect,
}

impl Stage {
    const fn words(self) -> &'static str {
        match self {
            Self::Options => "looking at the options",
            Self::Credentials => "asking for the client's credentials",
            Self::Name => "looking up the name",
            Self::Tcp => "opening a TCP connection",
            Self::Proxy => "asking the proxy for a way through",
            Self::Tls => "negotiating TLS",
            Self::WebSocket => "waiting for the upgrade to WebSocket",
            Self::Connect => "waiting for the server's CONNACK",
        }
    }
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A transport that this build does not have: WebSocket is a feature of the crate, and Unix sockets are Unix's.
    #[error("{scheme}:// addresses need {needs}")]
    NotInThisBuild {
        /// The scheme.
        scheme: String,
        /// What is missing, and what would do.
        needs: &'static str,
    },
    /// A scheme that is not MQTT's, or not a proxy's.
    #[error("{} is not known here: use {known}", standing(scheme, "what stands before ://"))]
    UnknownScheme {
        /// The scheme; hidden if it is none.
        scheme: String,
        /// What would do.
        known: &'static str,
    },
    /// A path, a query or a fragment.
    #[error(
        "the address ends in {}, and there are no paths here: leave it out (WebSocket has them: wss://), or \
         percent-encode it if it is a password's",
        standing(path, "a path, a query or a fragment")
    )]
    Path {
        /// What follows host and port; hidden where it may be a piece of a password.
        path: String,
    },
    /// A fragment, or a character that no path of a URL has.
    #[error(
        "{} cannot be asked for: percent-encode what is not a URL's character, leave out '#'",
        standing(path, "the path")
    )]
    PathCharacter {
        /// The path; hidden where it has a query or may be a piece of a password.
        path: String,
    },
    /// The path of a Unix socket is missing, does not begin with `/`, or is too long for the system.
    #[error(
        "{} is not the path of a Unix socket: write unix:///run/server.sock, of about 100 bytes at most",
        standing(path, "what follows unix://")
    )]
    SocketPath {
        /// What stands there; hidden where it may be a piece of a password.
        path: String,
    },
    /// No host.
    #[error("the address names no host: write mqtts://host or mqtts://host:port")]
    NoHost,
    /// A blank, a control or another character that is in no host's name.
    #[error("the host's name has the character {character:?} in it: remove it")]
    HostCharacter {
        /// Which.
        character: char,
    },
    /// Not a number from 1 to 65535.
    #[error("{} is not a port: give a number from 1 to 65535", standing(port, "what follows the host's colon"))]
    Port {
        /// What stands there; hidden unless it is a number of five digits at most.
        port: String,
    },
    /// An IPv6 address with a port and without brackets, or something else in brackets.
    #[error("an IPv6 address stands in brackets when a port follows: write [::1]:8883, with a zone [fe80::1%25eth0]")]
    Brackets,
    /// `%` without two hexadecimal digits.
    #[error("a '%' has no two hexadecimal digits behind it: write %25 for the character itself")]
    PercentEncoding,
    /// A user name or password has a `/`, `?` or `#` that is not percent-encoded; or a path, or a query that may be the
    /// rest of a password, has an `@` that is not.
    #[error(
        "there is an '@' behind the host: in user name and password write '/' as %2F, '?' as %3F and '#' as %23, in a \
         path or query '@' as %40"
    )]
    UserInformation,
    /// MQTT user names are UTF-8.
    #[error("the user name is not UTF-8 once its percent signs are decoded: MQTT takes no other text")]
    UsernameNotUtf8,
}

/// The longest part of a server's own words that is shown.
const MAX_SHOWN: usize = 400;

/// A server's own words, safe for a terminal and of bounded length.
pub(crate) fn quoted(words: &str) -> String {
    let mut shown = String::new();
    for character in words.chars().take(MAX_SHOWN) {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if words.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
