//! A WebSocket as a byte stream: binary frames, whose boundaries mean nothing [MQTT-6.0.0-2].
//!
//! Reader and writer are one task: what waits for room in the transport wakes whoever polled last.

mod rest;

use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream as _;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::proto::ProtocolError;
use tokio_websockets::{ClientBuilder, CloseCode, Config, Error, Limits, Message, WebSocketStream};

use self::rest::Rest;
use crate::error::WebSocketError;
use crate::transport::Transport;

/// What is written goes out as one frame when it is flushed, or when there is this much of it, in bytes.
const MAX_FRAME: usize = 64 * 1024;
/// A server may put several packets into one message: how much larger than a packet it may be, in bytes.
const MARGIN: usize = 1 << 20;
/// Answers to pings that may wait for the server to read them. Beyond, nothing more of its is read, so that a server
/// that only pings cannot make them pile up; each is of 131 bytes at most.
const MAX_PONGS: usize = 64;

pub(in crate::transport) struct Stream {
    inner: WebSocketStream<Rest>,
    /// Written and not yet in a frame.
    outgoing: BytesMut,
    /// Of a message, and not yet read.
    incoming: Bytes,
    /// Pings that were read since all that was to be written last was.
    pongs: usize,
    ended: bool,
    /// We have said that we leave, or the server has.
    leaving: bool,
}

impl Stream {
    /// A WebSocket that has been agreed on, and what came behind the agreement.
    pub(super) fn new(io: Transport, came: Vec<u8>, max_packet: u32) -> Self {
        let max = usize::try_from(max_packet).unwrap_or(usize::MAX).saturating_add(MARGIN);
        let builder = ClientBuilder::new().limits(Limits::default().max_payload_len(Some(max)));
        let inner = builder.config(Config::default().flush_threshold(MAX_FRAME)).take_over(Rest::new(came, io));
        let (outgoing, incoming) = (BytesMut::new(), Bytes::new());
        Self { inner, outgoing, incoming, pongs: 0, ended: false, leaving: false }
    }

    fn inner(&mut self) -> Pin<&mut WebSocketStream<Rest>> {
        Pin::new(&mut self.inner)
    }

    /// Puts what was written into a frame.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outgoing.is_empty() {
            ready!(self.inner().poll_ready(cx)).map_err(failed)?;
            // The whole buffer: what nobody else refers to is masked where it lies.
            let frame = mem::take(&mut self.outgoing);
            self.inner().start_send(Message::binary(frame)).map_err(failed)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.inner().poll_flush(cx)).map_err(failed)?;
        self.pongs = 0;
        Poll::Ready(self.inner.get_mut().refused().map_or(Ok(()), Err))
    }

    /// The server closes. A code that says that nothing is wrong is the end of the stream.
    fn closed(&mut self, cx: &mut Context<'_>, frame: &Message) -> io::Result<()> {
        self.ended = true;
        self.leaving = true;
        // The answer is ours to send [RFC 6455 §5.5.1]; if it does not go out at once, it will not be missed.
        let _ = self.inner().poll_flush(cx);
        match frame.as_close().map(|(code, reason)| (u16::from(code), reason)) {
            None | Some((1000 | 1001 | 1005, _)) => Ok(()),
            Some((code, reason)) => Err(typed(WebSocketError::Left { code, reason: reason.to_owned() })),
        }
    }

    /// Reads a message into `incoming`, or to the end.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pongs > 0 {
            // The library forgets an answer that it has written, and TLS may still hold it. Whether that fails is the
            // writer's affair.
            match self.inner().poll_flush(cx) {
                Poll::Ready(outcome) => {
                    outcome.map_err(failed)?;
                    self.pongs = 0;
                }
                Poll::Pending if self.pongs >= MAX_PONGS => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        match ready!(self.inner().poll_next(cx)) {
            Some(Ok(message)) if message.is_binary() => self.incoming = message.into_payload().into(),
            Some(Ok(message)) if message.is_text() => return Poll::Ready(Err(typed(WebSocketError::TextFrame))),
            Some(Ok(message)) if message.is_close() => return Poll::Ready(self.closed(cx, &message)),
            // Answered where it is read.
            Some(Ok(message)) if message.is_ping() => self.pongs += 1,
            Some(Ok(_)) => {}
            None => self.ended = true,
            // Servers that only close TCP are told apart no further than those of plain MQTT, wherever they do it.
            Some(Err(Error::Io(_))) if self.inner.get_ref().is_at_end() => self.ended = true,
            Some(Err(error)) => {
                // It says what is wrong as it closes; if that does not go out at once, it will not be missed.
                let _ = self.inner().poll_flush(cx);
                return Poll::Ready(Err(failed(error)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.incoming.is_empty() {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_message(cx))?;
        }
        let length = this.incoming.len().min(buf.remaining());
        buf.put_slice(this.incoming.get(..length).unwrap_or_default());
        this.incoming.advance(length);
        if this.incoming.is_empty() {
            // Even an empty rest keeps the whole block that it was cut from.
            this.incoming = Bytes::new();
        }
        if this.incoming.is_empty() {
            // An empty one would still hold the block that the next message can be read into.
            this.incoming = Bytes::new();
        }
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
        this.poll_written(cx)
    }

    /// Says that we are leaving. The server closes TCP (RFC 6455 §7.1.1); dropping the stream does, too.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_frame(cx))?;
        if !mem::replace(&mut this.leaving, true) {
            this.inner().start_send(Message::close(Some(CloseCode::NORMAL_CLOSURE), "")).map_err(failed)?;
        }
        this.poll_written(cx)
    }
}

/// What was written and read is not shown: there are passwords in it.
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
        Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        Error::PayloadTooLong { len, max_len } => typed(WebSocketError::TooLong { size: len, max: max_len }),
        Error::Protocol(ProtocolError::InvalidUtf8) => typed(WebSocketError::NotUtf8),
        Error::Protocol(ProtocolError::InvalidCloseCode) => typed(WebSocketError::CloseCode),
        Error::Protocol(error) => typed(WebSocketError::Protocol(error.to_string())),
        other => typed(WebSocketError::Protocol(other.to_string())),
    }
}

#[cfg(test)]
mod tests;
