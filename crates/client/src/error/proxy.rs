//! What a proxy says.

use std::fmt;
use std::io;

use crate::secure::TlsError;

use super::{Side, quoted};

/// Why a proxy did not let us through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A SOCKS5 proxy refused (RFC 1928 §6).
    #[error("it refused: {0}")]
    Refused(SocksReply),
    /// A SOCKS5 proxy takes none of the ways to authenticate that it was offered (RFC 1928 §3).
    #[error("it takes none of the ways to authenticate: it was offered {}", offered(*.with_credentials))]
    NoMethod {
        /// User name and password were offered, not just nothing.
        with_credentials: bool,
    },
    /// A SOCKS5 proxy chose a way to authenticate that it was not offered.
    #[error("it chose the way to authenticate {0:#04x}, which it was not offered")]
    UnexpectedMethod(u8),
    /// A SOCKS5 proxy refused user name and password (RFC 1929 §2).
    #[error("it refused user name and password (status {status})")]
    CredentialsRefused {
        /// Its status, which the standard gives no meaning but that it is not 0.
        status: u8,
    },
    /// An HTTP proxy refused (RFC 9110 §9.3.6).
    #[error("it refused with HTTP status {status}{}", words(.reason))]
    Status {
        /// The status, which is not 2xx.
        status: u16,
        /// What it says of it; may be empty.
        reason: String,
        /// The ways to authenticate that it names, if it does.
        challenges: Vec<String>,
    },
    /// It does not speak the proxy's protocol.
    #[error("it does not speak {expected}: its answer begins with {}", bytes(.start))]
    Foreign {
        /// What was expected.
        expected: &'static str,
        /// The first bytes of the answer.
        start: Vec<u8>,
    },
    /// Its answer breaks the proxy's protocol.
    #[error("its answer is not valid: {0}")]
    Malformed(&'static str),
    /// Its answer is longer than 8 KiB.
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    /// Bytes came through the tunnel before we had said anything.
    #[error("{0} bytes came through it before anything was asked")]
    SpokeFirst(usize),
    /// The proxy closed the connection instead of answering.
    #[error("it closed the connection instead of answering")]
    Closed,
    /// TLS with the proxy itself failed.
    #[error("TLS with it failed: {0:#}")]
    Tls(TlsError),
    /// The server's name was to be looked up here and could not be.
    #[error("the server's name cannot be looked up here: {0}")]
    Name(io::Error),
    /// Reading or writing failed.
    #[error("the connection to it failed: {0}")]
    Network(io::Error),
}

/// What a SOCKS5 proxy replies when it refuses (RFC 1928 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksReply {
    /// 1: something failed in the proxy.
    GeneralFailure,
    /// 2: the proxy's rules do not allow it.
    NotAllowed,
    /// 3: no way to the server's network.
    NetworkUnreachable,
    /// 4: no way to the server, or no such name.
    HostUnreachable,
    /// 5: nothing listens there.
    ConnectionRefused,
    /// 6: a packet's time to live ran out.
    TtlExpired,
    /// 7: the proxy cannot connect.
    CommandNotSupported,
    /// 8: the proxy does not take this kind of address.
    AddressTypeNotSupported,
    /// A reply that the standard does not know.
    Other(u8),
}

impl SocksReply {
    /// From the reply's byte; 0, which is success, is none.
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => return None,
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Other(other),
        })
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, words) = match *self {
            Self::GeneralFailure => (1, "general failure"),
            Self::NotAllowed => (2, "not allowed by its rules"),
            Self::NetworkUnreachable => (3, "network unreachable"),
            Self::HostUnreachable => (4, "host unreachable"),
            Self::ConnectionRefused => (5, "connection refused"),
            Self::TtlExpired => (6, "time to live expired"),
            Self::CommandNotSupported => (7, "command not supported"),
            Self::AddressTypeNotSupported => (8, "address type not supported"),
            Self::Other(code) => (code, "a code without a meaning"),
        };
        write!(f, "{words} (reply {code})")
    }
}

impl ProxyError {
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Tls(error) => super::cause::tls_side(error),
            Self::Name(_) | Self::Network(_) => Side::Network,
            Self::Foreign { .. } | Self::Malformed(_) | Self::TooLong(_) | Self::SpokeFirst(_) => Side::Us,
            _ => Side::Server,
        }
    }

    /// Whether another attempt may fare better although nothing changes here.
    pub(crate) const fn passes(&self) -> bool {
        match self {
            Self::Refused(reply) => !matches!(
                reply,
                SocksReply::NotAllowed | SocksReply::CommandNotSupported | SocksReply::AddressTypeNotSupported
            ),
            Self::Status { status, .. } => matches!(*status, 408 | 425 | 429 | 500..=599),
            Self::Closed | Self::Name(_) | Self::Network(_) | Self::Tls(_) => true,
            _ => false,
        }
    }

    pub(super) const fn advice(&self) -> &'static str {
        match self {
            Self::Refused(SocksReply::NotAllowed) => {
                "ask the proxy's operator to let this client through to the server"
            }
            Self::Refused(SocksReply::NetworkUnreachable | SocksReply::HostUnreachable | SocksReply::TtlExpired) => {
                "check the server's name and port, and that the proxy can look it up and reach it"
            }
            Self::Refused(SocksReply::ConnectionRefused) => {
                "nothing listens on that port of the server: check host and port, and that the server runs"
            }
            Self::Refused(SocksReply::AddressTypeNotSupported) => {
                "the proxy does not take names, or not this family of addresses: have the name looked up here with \
                 .resolve_locally(), or give the other family's address"
            }
            Self::NoMethod { with_credentials: false } | Self::Status { status: 407, .. } => {
                "give the proxy user name and password; it may also want a way to authenticate that this client does \
                 not have (it has Basic over HTTP, user name and password over SOCKS5)"
            }
            Self::NoMethod { .. } | Self::UnexpectedMethod(_) => {
                "let the proxy take user name and password (RFC 1929), or nothing"
            }
            Self::CredentialsRefused { .. } => "check the proxy's user name and password",
            Self::Status { status: 403 | 405, .. } => {
                "the proxy's rules do not allow it: many let only port 443 through, so ask its operator"
            }
            Self::Status { status: 502..=504, .. } => {
                "check the server's name and port, and that the proxy can reach it"
            }
            Self::Foreign { .. } | Self::Malformed(_) | Self::TooLong(_) => {
                "check the proxy's address and kind: SOCKS5 and HTTP proxies listen on ports of their own, and some \
                 want TLS"
            }
            Self::SpokeFirst(_) => "no MQTT, TLS or WebSocket server speaks first: check the server's port",
            Self::Name(_) => "check the spelling, or have the proxy look the name up",
            Self::Tls(_) => "",
            _ => "the proxy's log may say more",
        }
    }
}

const fn offered(with_credentials: bool) -> &'static str {
    if with_credentials { "user name and password, and nothing" } else { "nothing" }
}

/// What the peer says in words, if it does.
pub(super) fn words(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(", \"{}\"", quoted(words)) }
}

fn bytes(start: &[u8]) -> String {
    format!("\"{}\"", start.escape_ascii())
}
