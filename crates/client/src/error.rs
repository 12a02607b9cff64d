//! Whose side refused, at which stage, and what to do.

mod advice;
mod cause;
mod connect;
mod finding;
mod request;

pub use cause::{DisconnectCause, DisconnectKind};
pub use connect::{Attempt, ConnectError, ConnectErrorKind};
pub use request::{PingError, PublishError, RejectError, SubscribeError};

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
    /// The host's name was looked up.
    Name,
    /// TCP connections were tried.
    Tcp,
    /// TLS was negotiated, or the server judged our certificate.
    Tls,
    /// CONNECT was sent and CONNACK awaited.
    Connect,
}

impl Stage {
    const fn words(self) -> &'static str {
        match self {
            Self::Options => "looking at the options",
            Self::Name => "looking up the name",
            Self::Tcp => "opening a TCP connection",
            Self::Tls => "negotiating TLS",
            Self::Connect => "waiting for the server's CONNACK",
        }
    }
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A transport that this version does not have.
    #[error("{scheme}:// addresses are not in this version: use mqtts:// or mqtt://")]
    NotInThisVersion {
        /// The scheme.
        scheme: String,
    },
    /// A scheme that is not MQTT's.
    #[error("the scheme {scheme:?} is not one of MQTT's: use mqtts:// (TLS) or mqtt:// (plain)")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// A path, a query or a fragment.
    #[error("the address ends in {path:?}, and MQTT over TCP has no paths: leave it out")]
    Path {
        /// What follows host and port.
        path: String,
    },
    /// No host.
    #[error("the address names no host: write mqtts://host or mqtts://host:port")]
    NoHost,
    /// A blank or a control character in the host's name.
    #[error("the host's name has the character {character:?} in it: remove it")]
    HostCharacter {
        /// Which.
        character: char,
    },
    /// Not a number from 1 to 65535.
    #[error("{port:?} is not a port: give a number from 1 to 65535")]
    Port {
        /// What stands there.
        port: String,
    },
    /// An IPv6 address with a port and without brackets, or something else in brackets.
    #[error("an IPv6 address stands in brackets when a port follows: write [::1]:8883")]
    Brackets,
    /// `%` without two hexadecimal digits.
    #[error("user name or password has a '%' without two hexadecimal digits: write %25 for the character itself")]
    PercentEncoding,
    /// MQTT user names are UTF-8.
    #[error("the user name is not UTF-8 once its percent signs are decoded: MQTT takes no other text")]
    UsernameNotUtf8,
}

/// The longest part of a server's own words that is shown.
const MAX_SHOWN: usize = 400;

/// A server's own words, safe for a terminal and of bounded length.
fn quoted(words: &str) -> String {
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
