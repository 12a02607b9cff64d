//! A connection's byte stream, in whatever it is wrapped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use gridmq_tls::stream::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listener::Socket;
use crate::websocket;

/// A byte stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    WebSocket(Box<websocket::Stream<Socket>>),
    SecureWebSocket(Box<websocket::Stream<TlsStream<Socket>>>),
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Self::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Self::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
            Self::WebSocket(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
            Self::SecureWebSocket(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl Stream {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_read(cx, buf))
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write(cx, bytes))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_flush(cx))
    }

    /// Whether it can just be closed when the client waits for nothing. TLS says that it ends, if there is room for it; a
    /// WebSocket has a closing handshake.
    pub(crate) fn ends_at_once(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(stream) => {
                drop(Pin::new(&mut **stream).poll_shutdown(cx));
                true
            }
            Self::WebSocket(_) | Self::SecureWebSocket(_) => false,
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_shutdown(cx))
    }
}
