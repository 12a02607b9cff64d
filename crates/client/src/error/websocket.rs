//! What a server says instead of WebSocket.

use std::io;

use gridmq_proto::codec::Foreign;

use super::proxy::words;
use super::{Side, quoted};

/// Why MQTT over WebSocket (RFC 6455) came to nothing, or to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The server answered with another HTTP status than 101.
    #[error("it answered with HTTP status {status}{}{}{}", words(.reason), pointed(.location), told(.body))]
    Status {
        /// The status.
        status: u16,
        /// What it says of it; may be empty.
        reason: String,
        /// Where it points to, if it does.
        location: Option<String>,
        /// The beginning of the answer's body, of 512 bytes at most; may be empty.
        body: String,
    },
    /// The server does not speak HTTP.
    #[error("it does not speak HTTP{}", spoken(*.0))]
    NotHttp(Option<Foreign>),
    /// The answer's head is longer than 8 KiB.
    #[error("the head of its answer is longer than {0} bytes")]
    HeadTooLong(usize),
    /// The answer breaks HTTP or WebSocket.
    #[error("its answer to the upgrade is not valid: {0}")]
    Handshake(&'static str),
    /// The server did not agree on the subprotocol, as it must [MQTT-6.0.0-4].
    #[error("it {} where {asked:?} was asked for", chosen(.got))]
    Subprotocol {
        /// What was asked for.
        asked: String,
        /// What it answered.
        got: Option<String>,
    },
    /// The server closed the connection instead of answering.
    #[error("it closed the connection instead of answering the upgrade")]
    Closed,
    /// A text frame came; MQTT is in binary frames [MQTT-6.0.0-1].
    #[error("it sent a text frame, and MQTT is in binary frames")]
    TextFrame,
    /// Text came that is not UTF-8: in a text frame, or as the reason in a close frame.
    #[error("it sent text that is not UTF-8, in a text frame or as it closed")]
    NotUtf8,
    /// A message is longer than allowed.
    #[error("it sent a WebSocket message of {size} bytes, and {max} are allowed")]
    TooLong {
        /// Its size in bytes.
        size: usize,
        /// How much is allowed.
        max: usize,
    },
    /// The server closed the WebSocket with a code that says that something is wrong (RFC 6455 §7.4). 1000, 1001 and no
    /// code at all are an end of the connection in order instead.
    #[error("it closed the WebSocket with code {code}{}", words(.reason))]
    Left {
        /// The code.
        code: u16,
        /// Its own words; may be empty.
        reason: String,
    },
    /// The server closed the WebSocket with a code that must not be sent, such as 1006 (RFC 6455 §7.4).
    #[error("it closed the WebSocket with a code that the standard does not allow")]
    CloseCode,
    /// A frame breaks the protocol.
    #[error("it broke the WebSocket protocol: {0}")]
    Protocol(String),
}

impl WebSocketError {
    /// What a stream says that is a WebSocket.
    pub(super) fn of_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(super) const fn side(&self) -> Side {
        match self {
            Self::Status { .. } | Self::Closed | Self::Left { .. } | Self::CloseCode => Side::Server,
            _ => Side::Us,
        }
    }

    /// Whether another attempt may fare better although nothing changes here.
    pub(crate) const fn passes(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(*status, 408 | 425 | 429 | 500..=599),
            // An error of the server's, restarting, try again later, a bad gateway. Going away (1001) is an end in order.
            Self::Left { code, .. } => matches!(*code, 1011..=1014),
            // Of a goodbye that cannot be read, nothing more is known than that it was one.
            Self::Closed | Self::CloseCode | Self::NotUtf8 => true,
            _ => false,
        }
    }

    pub(super) const fn advice(&self) -> &'static str {
        match self {
            Self::Status { status: 404, .. } => "check the path: it is /mqtt with most servers",
            Self::Status { status: 401 | 403 | 407, .. } => {
                "it wants credentials before MQTT: give them with .websocket_header(\"Authorization\", ..)"
            }
            Self::Status { status: 300..=399, .. } => "connect to where it points",
            Self::Status { status: 502..=504, .. } => {
                "what answers is a gateway and does not reach the server: ask its operator, or try again"
            }
            Self::Status { .. } | Self::Handshake(_) | Self::HeadTooLong(_) => {
                "check host, port and path, and that a proxy in front of the server lets WebSocket upgrades through"
            }
            Self::NotHttp(Some(Foreign::TlsAlert | Foreign::Tls)) => "connect with wss://, or to the plain port",
            Self::NotHttp(_) => "check the port: this one has no WebSocket; MQTT over TCP is mqtts:// or mqtt://",
            Self::Subprotocol { .. } => "check that the path leads to an MQTT server, and that it speaks this version",
            Self::Closed => "check that the port is right and not meant for TLS",
            Self::TextFrame | Self::NotUtf8 | Self::Protocol(_) => "check that the path leads to an MQTT server",
            Self::TooLong { .. } => "raise maximum_packet_size, or have the server send smaller WebSocket messages",
            Self::Left { .. } | Self::CloseCode => "the server's log may say more",
        }
    }
}

fn pointed(location: &Option<String>) -> String {
    location.as_ref().map(|location| format!(", and points to \"{}\"", quoted(location))).unwrap_or_default()
}

fn told(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(", with the text \"{}\"", quoted(body)) }
}

fn spoken(foreign: Option<Foreign>) -> String {
    foreign.map(|foreign| format!(": {foreign}")).unwrap_or_default()
}

fn chosen(got: &Option<String>) -> String {
    match got {
        Some(got) => format!("chose the subprotocol \"{}\"", quoted(got)),
        None => "chose no subprotocol".to_owned(),
    }
}
