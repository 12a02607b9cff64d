//! A WebSocket as a byte stream: binary frames, whose boundaries mean nothing [MQTT-6.0.0-2].

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream as _;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use crate::error::WebSocketError;
use crate::transport::Transport;

/// What is written goes out as one frame when it is flushed, or when there is this much of it, in bytes.
const MAX_FRAME: usize = 64 * 1024;
/// Room for one read, in bytes.
const READ_SIZE: usize = 32 * 1024;
/// A server may put several packets into one message: how much larger than a packet it may be, in bytes.
const MARGIN: usize = 1 << 20;

pub(in crate::transport) struct Stream {
    inner: WebSocketStream<Transport>,
    /// Written and not yet in a frame.
    outgoing: BytesMut,
    /// Of a message, and not yet read.
    incoming: Bytes,
    ended: bool,
}

impl Stream {
    /// A WebSocket that has been agreed on, and what came behind the agreement.
    pub(super) async fn new(io: Transport, came: Vec<u8>, max_packet: u32) -> Self {
        let max = usize::try_from(max_packet).unwrap_or(usize::MAX).saturating_add(MARGIN);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_SIZE)
            .write_buffer_size(MAX_FRAME)
            .max_message_size(Some(max))
            .max_frame_size(Some(max));
        let inner = WebSocketStream::from_partially_read(io, came, Role::Client, Some(config)).await;
        Self { inner, outgoing: BytesMut::new(), incoming: Bytes::new(), ended: false }
    }

    /// Puts what was written into a frame.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outgoing.is_empty() {
            ready!(Pin::new(&mut self.inner).poll_ready(cx)).map_err(failed)?;
            let frame = self.outgoing.split().freeze();
            Pin::new(&mut self.inner).start_send(Message::Binary(frame)).map_err(failed)?;
        }
        Poll::Ready(Ok(()))
    }

    /// The server closes. A code that says that nothing is wrong is the end of the stream.
    fn closed(&mut self, cx: &mut Context<'_>, frame: Option<CloseFrame>) -> io::Result<()> {
        self.ended = true;
        // The answer is ours to send [RFC 6455 §5.5.1]; if it does not go out at once, it will not be missed.
        let _ = Pin::new(&mut self.inner).poll_flush(cx);
        match frame.map(|frame| (u16::from(frame.code), frame.reason.to_string())) {
            None | Some((1000 | 1001 | 1005, _)) => Ok(()),
            Some((code, reason)) => Err(typed(WebSocketError::Left { code, reason })),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.incoming.is_empty() {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut this.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => this.incoming = bytes,
                Some(Ok(Message::Text(_))) => return Poll::Ready(Err(typed(WebSocketError::TextFrame))),
                Some(Ok(Message::Close(frame))) => return Poll::Ready(this.closed(cx, frame)),
                // Pings are answered where they are read.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                // Servers that only close TCP are told apart no further than those of plain MQTT.
                None | Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => this.ended = true,
                Some(Err(error)) => return Poll::Ready(Err(failed(error))),
            }
        }
        let length = this.incoming.len().min(buf.remaining());
        buf.put_slice(this.incoming.get(..length).unwrap_or_default());
        this.incoming.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outgoing.len() >= MAX_FRAME {
            ready!(this.poll_frame(cx))?;
        }
        let taken = bytes.get(..bytes.len().min(MAX_FRAME - this.outgoing.len())).unwrap_or_default();
        this.outgoing.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_frame(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx).map_err(failed)
    }

    /// Says that we are leaving. The server closes TCP (RFC 6455 §7.1.1); dropping the stream does, too.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_frame(cx))?;
        Pin::new(&mut this.inner).poll_close(cx).map_err(failed)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("outgoing", &self.outgoing.len()).field("ended", &self.ended).finish()
    }
}

fn typed(error: WebSocketError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Errors of the layer below stay what they are: TLS has its own inside.
fn failed(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        Error::Protocol(ProtocolError::SendAfterClosing) => io::ErrorKind::BrokenPipe.into(),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => io::ErrorKind::UnexpectedEof.into(),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            typed(WebSocketError::TooLong { size, max: max_size })
        }
        // Only text and the words of a close frame have to be UTF-8.
        Error::Utf8(_) => typed(WebSocketError::TextFrame),
        Error::Protocol(error) => typed(WebSocketError::Protocol(error.to_string())),
        other => typed(WebSocketError::Protocol(other.to_string())),
    }
}
