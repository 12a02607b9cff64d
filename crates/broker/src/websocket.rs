//! MQTT in WebSocket frames (RFC 6455; MQTT 5.0 section 6), the server's side.
//!
//! Nothing of a frame is kept: payloads are unmasked where the connection reads them, and what it writes goes out behind
//! a header of its length. So frames and messages may be of any size, as the standard has it, and cost no memory; the
//! limits are those of MQTT packets.

mod frames;
mod request;
mod stream;
mod upgrade;

use std::fmt;

pub(crate) use stream::Stream;
pub(crate) use upgrade::upgrade;

/// How a listener speaks WebSocket: subprotocol `mqtt` at the path `/mqtt`, for pages of any origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct WebSocket {
    path: String,
    origins: Vec<String>,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self { path: "/mqtt".to_owned(), origins: Vec::new() }
    }
}

impl WebSocket {
    /// Another path than `/mqtt`. A `/` at its beginning is added if it has none. What a client puts behind a `?` is
    /// ignored.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.path = if path.starts_with('/') { path } else { format!("/{path}") };
        self
    }

    /// Only pages of these origins, such as `https://example.com`, besides clients that are no browsers and say no
    /// origin. Needed where browsers show client certificates: they do so for any page. Default: all.
    pub fn origins(mut self, origins: impl IntoIterator<Item: Into<String>>) -> Self {
        self.origins = origins.into_iter().map(Into::into).collect();
        self
    }
}

/// Why a connection has no WebSocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    /// It was answered so.
    #[error("no WebSocket: {0}")]
    Refused(Refusal),
    #[error("what came is not HTTP: connect with ws:// or wss://, or to a listener without WebSocket")]
    NotHttp,
    #[error("the connection ended before its WebSocket was agreed on")]
    Closed,
    #[error("the WebSocket could not be agreed on: {0}")]
    Io(#[from] std::io::Error),
}

/// A request that is answered with a status of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed,
    TooLong,
    NotFound,
    NotGet,
    NoUpgrade,
    Version,
    NoKey,
    NoSubprotocol,
    Origin,
}

impl Refusal {
    /// The status, fields that belong to it, and what to do.
    const fn answer(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Malformed => ("400 Bad Request", "", "This is no HTTP/1.1 request."),
            Self::TooLong => {
                ("431 Request Header Fields Too Large", "", "The request's head must be shorter than 8 KiB.")
            }
            Self::NotFound => ("404 Not Found", "", "There is no MQTT at this path."),
            Self::NotGet => ("405 Method Not Allowed", "Allow: GET\r\n", "A WebSocket is asked for with GET."),
            Self::NoUpgrade => (
                "426 Upgrade Required",
                "Upgrade: websocket\r\n",
                "Here is MQTT over WebSocket: connect with an MQTT client, by ws:// or wss://.",
            ),
            Self::Version => (
                "426 Upgrade Required",
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                "Only version 13 of WebSocket is spoken here.",
            ),
            Self::NoKey => ("400 Bad Request", "", "Sec-WebSocket-Key is missing, or not 16 bytes in Base64."),
            Self::NoSubprotocol => {
                ("400 Bad Request", "", "Offer the subprotocol 'mqtt' in Sec-WebSocket-Protocol (MQTT 5.0 section 6).")
            }
            Self::Origin => ("403 Forbidden", "", "Pages of this origin may not connect here."),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, _, words) = self.answer();
        write!(f, "answered with {status}: {words}")
    }
}

/// For fuzzing: reads a request's head, and frames in pieces of a size that the first byte says.
pub(crate) fn read_all(bytes: &[u8]) {
    if let Some(head) = request::head_length(bytes).and_then(|length| bytes.get(..length)) {
        let _ = request::Request::parse(head).map(|request| (request.path(), request.tokens("Upgrade").count()));
    }
    let Some((piece, rest)) = bytes.split_first() else { return };
    let mut reader = frames::Reader::new();
    for piece in rest.chunks(usize::from(*piece).max(1)) {
        let mut piece = piece.to_vec();
        let mut at = 0;
        while let Some(rest) = piece.get_mut(at..) {
            match reader.read(rest) {
                Ok((payload, taken, control)) => {
                    assert!(payload <= taken && taken <= rest.len(), "nothing is made of nothing");
                    at += taken;
                    if control.is_none() {
                        break;
                    }
                }
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
