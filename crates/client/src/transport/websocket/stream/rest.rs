//! A transport of which some was read already, and that can be read from when it cannot be written to any more.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;

/// Gives what came already, and then the transport's. Writing does not fail here: what is written after the transport
/// has refused goes nowhere, and [`Rest::refused`] says so, because the library reads no more once a write has failed,
/// and what the server said last is still to be read.
pub(super) struct Rest {
    came: Bytes,
    io: Transport,
    at_end: bool,
    writable: bool,
    failure: Option<io::Error>,
}

impl Rest {
    pub(super) fn new(came: Vec<u8>, io: Transport) -> Self {
        Self { came: came.into(), io, at_end: false, writable: true, failure: None }
    }

    /// Why nothing more can be written, if that is so.
    pub(super) fn refused(&mut self) -> Option<io::Error> {
        (!self.writable).then(|| self.failure.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()))
    }

    fn failed(&mut self, error: io::Error) {
        self.writable = false;
        self.failure = Some(error);
    }

    /// What became of writing so many bytes.
    fn written(&mut self, outcome: io::Result<usize>, all: usize) -> io::Result<usize> {
        match outcome {
            Ok(0) if all > 0 => self.failed(io::ErrorKind::WriteZero.into()),
            Ok(written) => return Ok(written),
            Err(error) => self.failed(error),
        }
        Ok(all)
    }

    /// Whether the other side has closed, and that was read.
    pub(super) const fn is_at_end(&self) -> bool {
        self.at_end
    }
}

impl AsyncRead for Rest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.came.is_empty() {
            let length = self.came.len().min(buf.remaining());
            buf.put_slice(self.came.get(..length).unwrap_or_default());
            self.came.advance(length);
            return Poll::Ready(Ok(()));
        }
        let (before, room) = (buf.filled().len(), buf.remaining());
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.at_end |= room > 0 && buf.filled().len() == before;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.writable {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        Poll::Ready(self.written(outcome, bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = parts.iter().map(|part| part.len()).sum();
        if !self.writable {
            return Poll::Ready(Ok(all));
        }
        let outcome = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, parts));
        Poll::Ready(self.written(outcome, all))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writable
            && let Err(error) = ready!(Pin::new(&mut self.io).poll_flush(cx))
        {
            self.failed(error);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("came", &self.came.len()).field("at_end", &self.at_end).finish_non_exhaustive()
    }
}
