//! The upgrade to WebSocket (RFC 6455 §4) with the subprotocol of MQTT (MQTT 5.0 §6).

mod stream;

use std::io;

use gridmq_proto::codec::recognise;
use sha1_smol::Sha1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::Transport;
use super::http::{Head, HeadError, MAX_HEAD, ReadError, base64};
use crate::address::{Address, WS_PORT, WSS_PORT, shown, without_zone};
use crate::error::WebSocketError;
use crate::secure;

pub(super) use stream::Stream;

/// The longest part of a refusal's body that is kept, in bytes, and how long it may take to come.
const MAX_BODY: usize = 512;
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(1);

/// Why there is no WebSocket.
#[derive(Debug)]
pub(super) enum Failure {
    WebSocket(WebSocketError),
    Io(io::Error),
}

impl From<WebSocketError> for Failure {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(error)
    }
}

/// What the server is asked for.
#[derive(Debug)]
pub(super) struct Upgrade<'a> {
    pub(super) path: &'a str,
    pub(super) host: String,
    pub(super) subprotocol: &'a str,
    pub(super) headers: &'a [(String, String)],
    /// The largest MQTT packet that is taken, in bytes.
    pub(super) max_packet: u32,
    /// When all has to be done.
    pub(super) deadline: Instant,
}

/// The `Host` field: without the port, where the scheme has it (RFC 9110 §7.2).
pub(super) fn host_field(address: &Address) -> String {
    let standard = if address.tls { WSS_PORT } else { WS_PORT };
    let host = without_zone(&address.host);
    match shown(host, address.port) {
        with_port if address.port != standard => with_port,
        with_port => with_port.strip_suffix(&format!(":{standard}")).unwrap_or(host).to_owned(),
    }
}

/// A `Sec-WebSocket-Key`: 16 random bytes in Base64.
pub(super) fn random_key() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(base64(&bytes))
}

/// The `Sec-WebSocket-Accept` that a key asks for (RFC 6455 §4.2.2).
fn accept_key(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    base64(&Sha1::from(format!("{key}{GUID}")).digest().bytes())
}

impl Upgrade<'_> {
    fn request(&self, key: &str) -> String {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {}\r\n",
            self.path, self.host, self.subprotocol
        );
        for (name, value) in self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request
    }

    /// Asks for the upgrade; `key` is the request's nonce.
    pub(super) async fn ask(&self, mut io: Transport, key: &str) -> Result<Stream, Failure> {
        let request = self.request(key);
        let written = async {
            io.write_all(request.as_bytes()).await?;
            io.flush().await
        };
        // A server that did not want to hear it may have said why: also TLS, which judges our certificate late.
        let unheard = written.await.err();
        let mut buffer = Vec::new();
        let head = match Head::read(&mut io, &mut buffer).await {
            Ok(head) => head,
            Err(ReadError::Io(error)) => return Err(Self::failed(error)),
            Err(ReadError::Closed) => return Err(unheard.map_or_else(|| WebSocketError::Closed.into(), Self::failed)),
            Err(ReadError::Head(HeadError::NotHttp)) => {
                // A few bytes tell what it is, and it may send no more.
                return Err(WebSocketError::NotHttp(recognise(&buffer)).into());
            }
            Err(ReadError::Head(HeadError::TooLong)) => return Err(WebSocketError::HeadTooLong(MAX_HEAD).into()),
            Err(ReadError::Head(HeadError::Malformed(what))) => return Err(WebSocketError::Handshake(what).into()),
        };
        if head.status != 101 {
            let body = body(&mut io, &head, buffer, self.deadline).await;
            let location = head.field("Location").map(str::to_owned);
            let Head { status, reason, .. } = head;
            return Err(WebSocketError::Status { status, reason, location, body }.into());
        }
        self.judge(&head, key)?;
        Ok(Stream::new(io, buffer, self.max_packet))
    }

    /// RFC 6455 §4.1, the client's requirements of the answer.
    fn judge(&self, head: &Head, key: &str) -> Result<(), WebSocketError> {
        if !head.has_token("Upgrade", "websocket") {
            return Err(WebSocketError::Handshake("it has no field Upgrade: websocket"));
        }
        if !head.has_token("Connection", "upgrade") {
            return Err(WebSocketError::Handshake("it has no field Connection: Upgrade"));
        }
        if head.field("Sec-WebSocket-Accept") != Some(accept_key(key).as_str()) {
            return Err(WebSocketError::Handshake("its Sec-WebSocket-Accept does not answer our key"));
        }
        if head.field("Sec-WebSocket-Extensions").is_some_and(|extensions| !extensions.is_empty()) {
            return Err(WebSocketError::Handshake("it uses an extension that was not asked for"));
        }
        let got = head.field("Sec-WebSocket-Protocol");
        if got != Some(self.subprotocol) {
            return Err(WebSocketError::Subprotocol {
                asked: self.subprotocol.to_owned(),
                got: got.map(str::to_owned),
            });
        }
        Ok(())
    }

    /// A server that closes before it has read everything resets the connection.
    fn failed(error: io::Error) -> Failure {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match secure::from_io(&error) {
            None if matches!(error.kind(), ConnectionReset | BrokenPipe | UnexpectedEof) => {
                WebSocketError::Closed.into()
            }
            _ => Failure::Io(error),
        }
    }
}

/// The beginning of a refusal's body, as far as it comes at once. The status is told even if the deadline passes.
async fn body(io: &mut Transport, head: &Head, mut buffer: Vec<u8>, deadline: Instant) -> String {
    let length = head.field("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(MAX_BODY);
    let wanted = length.min(MAX_BODY);
    let all = async { while buffer.len() < wanted && matches!(io.read_buf(&mut buffer).await, Ok(1..)) {} };
    // What has come until then will do.
    timeout_at(deadline.min(Instant::now() + BODY_TIME), all).await.ok();
    buffer.truncate(wanted);
    String::from_utf8_lossy(&buffer).trim().to_owned()
}

#[cfg(test)]
mod tests;
