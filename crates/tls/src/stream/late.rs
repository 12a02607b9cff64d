//! What the other side said before the connection went.
//!
//! A TLS 1.3 server refuses a client certificate after the client's handshake, and a broker may send
//! a DISCONNECT and close. Whoever is writing then learns only that the pipe is broken; the reason
//! lies unread on this side. It is read before the error is reported.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, ReadBuf};

/// How many bytes of the application's are kept.
const MAX_KEPT: usize = 64 * 1024;
/// How many reads are made at most.
const MAX_READS: usize = 64;

/// What was read on behalf of a failed write.
#[derive(Debug, Default)]
pub(super) struct Late {
    kept: Vec<u8>,
    /// How many of them were handed on.
    taken: usize,
    /// What reading ended with, until it was handed on.
    end: Option<io::Error>,
}

impl Late {
    /// Are there bytes that nobody has taken yet?
    pub(super) fn has_bytes(&self) -> bool {
        self.taken < self.kept.len()
    }

    /// Reads what has arrived, and gives the better reason: the other side's, or else `error`.
    pub(super) fn reason_behind<IO: AsyncRead + Unpin>(
        &mut self,
        error: io::Error,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> io::Error {
        if !is_gone(&error) {
            return error;
        }
        let mut space = [0_u8; 4096];
        for _ in 0..MAX_READS {
            if self.kept.len() >= MAX_KEPT || self.end.is_some() {
                break;
            }
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut *io).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => break,
                Poll::Ready(Ok(())) => self.kept.extend_from_slice(buffer.filled()),
                Poll::Ready(Err(end)) => self.end = Some(end),
                Poll::Pending => break,
            }
        }
        match &self.end {
            Some(end) => match end.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(tls) => io::Error::new(end.kind(), tls.clone()),
                None => error,
            },
            None => error,
        }
    }

    /// Hands on what was kept; `None` when the stream itself has to be read.
    pub(super) fn read(&mut self, buffer: &mut ReadBuf<'_>) -> Option<io::Result<()>> {
        if let Some(rest) = self.kept.get(self.taken..).filter(|rest| !rest.is_empty()) {
            let length = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..length).unwrap_or_default());
            self.taken += length;
            if !self.has_bytes() {
                *self = Self { end: self.end.take(), ..Self::default() };
            }
            return Some(Ok(()));
        }
        self.end.take().map(Err)
    }
}

/// Ways in which the other side's closing shows.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// If a handshake failed because the connection went, the alert in the clear that arrived before, or else `error`.
pub(super) async fn alert_behind<IO: AsyncRead + Unpin>(error: io::Error, io: &mut IO) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) || !is_gone(&error) {
        return error;
    }
    let mut space = [0_u8; 512];
    let mut buffer = ReadBuf::new(&mut space);
    let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut *io).poll_read(cx, &mut buffer))).await;
    match buffer.filled() {
        // An alert record of two bytes (RFC 8446 §5.1, §6): level and description.
        [0x15, 0x03, _, 0, 2, _, description, ..] => {
            let alert = AlertDescription::from(*description);
            io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(alert))
        }
        _ => error,
    }
}
